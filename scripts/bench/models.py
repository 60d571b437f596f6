#!/usr/bin/env python3
"""GET /v1/models with many models: answers per second and their latency, whole, compressed and unchanged (304).

    .venv/bin/python scripts/bench/models.py [--models 10000] [--seconds 4] [-c 8]

The gateway runs on SQLite in a directory of its own, pinned to GW_CPU (0); the load is pinned to LOAD_CPU (1).
"""
import argparse
import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PORT = os.environ.get("OURS_PORT", "8088")
URL = f"http://127.0.0.1:{PORT}/v1/models"

FILL = """
import sys
from apps.catalog.models import Model, Offering, Price, Provider
from apps.common import clock
from django.db import transaction
number = {number}
with transaction.atomic():
    provider = Provider.objects.create(slug="bench", name="Bench", wire="openai_chat", base_url="http://127.0.0.1:9/v1")
    models = Model.objects.bulk_create(
        Model(id=f"vendor-{{n % 90}}/model-{{n}}", name=f"Vendor: Model {{n}}", description="A model among many others, " * 4,
              context_length=128_000, max_output_tokens=8192, input_modalities=["text", "image"], output_modalities=["text"],
              supported_parameters=["max_tokens", "temperature", "tools", "tool_choice", "response_format", "seed"])
        for n in range(number))
    offerings = Offering.objects.bulk_create(
        Offering(provider=provider, model=model, upstream_model=model.id) for model in models)
    Price.objects.bulk_create(
        Price(offering=offering, input=150_000_000, output=600_000_000, cache_read=75_000_000, cache_write_5m=150_000_000,
              cache_write_1h=150_000_000, reasoning=600_000_000, valid_from=clock.now(), source="manual")
        for offering in offerings)
"""


async def load(header: str, seconds: float, connections: int) -> list[float]:
    """Closed loop; seconds of each answer. Every answer is read to its last byte."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(PORT), limit=2**25)
        while (started := time.perf_counter()) < end:
            writer.write(f"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n{header}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head)
            if size:
                await reader.readexactly(int(size.group(1)))
            times.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return sorted(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("-c", "--connections", type=int, default=8)
    arguments = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="gatewayz-bench-"))
    environment = {**os.environ, "GATEWAYZ_DATA_DIR": str(data), "SANDBOX": "false", "DATABASE_URL": "", "REDIS_URL": ""}
    manage = [sys.executable, "manage.py"]
    gateway = None
    try:
        subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
        subprocess.run([*manage, "shell", "--no-imports", "-c", FILL.format(number=arguments.models)], cwd=ROOT, env=environment, check=True)
        gateway = subprocess.Popen(
            ["taskset", "-c", os.environ.get("GW_CPU", "0"), sys.executable, "-m", "gatewayz.server",
             "--port", PORT, "--no-access-log", "--log-level", "warning"], cwd=ROOT, env=environment)
        for _ in range(300):
            try:
                answer = urllib.request.urlopen(URL, timeout=5)
                break
            except OSError:
                time.sleep(0.1)
        body, etag = answer.read(), answer.headers["etag"]
        assert body.count(b'"object":"model"') >= arguments.models
        os.sched_setaffinity(0, {int(os.environ.get("LOAD_CPU", "1"))})
        print(f"{arguments.models:,} models, {len(body):,} bytes, {arguments.connections} connections\n")
        print("| GET /v1/models | answers/s | p50, ms | p99, ms |\n|---|---|---|---|")
        for name, header in (("unchanged (If-None-Match)", f"if-none-match: {etag}\r\n"),
                             ("gzip", "accept-encoding: gzip\r\n"), ("whole", "")):
            asyncio.run(load(header, 0.5, 1))
            times = asyncio.run(load(header, arguments.seconds, arguments.connections))
            print(f"| {name} | {len(times) / arguments.seconds:,.0f} | {times[len(times) // 2] * 1000:.2f} "
                  f"| {times[int(len(times) * 0.99)] * 1000:.2f} |", flush=True)
    finally:
        if gateway is not None:
            gateway.send_signal(signal.SIGTERM)
            gateway.wait()
        shutil.rmtree(data)


if __name__ == "__main__":
    main()
