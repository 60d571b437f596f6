#!/usr/bin/env python3
"""Set up our gateway for a benchmark, run compare.sh, and take everything down again.

    DATABASE_URL=postgres://… REDIS_URL=redis://… scripts/bench/run [--embedded]

A database of its own is made on the server that DATABASE_URL names (default: postgres@127.0.0.1:5432) and dropped at
the end. The gateway runs as in the Procfile, one uvicorn process pinned to GW_CPU; its model ``mock`` is the mock
upstream. PostgreSQL's backends for this database are moved to LOAD_CPU where the system lets us. Everything that
compare.sh reads from the environment (TESTS, ROUNDS, SECONDS_EACH, PEERS …) may be set.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GW_CPU = os.environ.get("GW_CPU", "0")
LOAD_CPU = os.environ.get("LOAD_CPU", "1")
MOCK_PORT = os.environ.get("MOCK_PORT", "9100")
PORT = os.environ.get("OURS_PORT", "8088")
MODELS = ("mock", "mock-c50-i20", "mock-c50-i2", "mock-d50")

PREPARE = """
from apps.accounts.models import Organization
from apps.billing.services import ledger
from apps.keys import services as keys
organization = Organization.objects.create(name="bench")
ledger.grant_promo(organization.pk, amount=10**18, reference="bench", memo="bench")
issued = keys.issue(organization.pk, name="bench", requests_per_minute=10**9, tokens_per_minute=10**15, concurrency=10**6)
print(issued.secret)
"""

CHECK = """
from apps.billing.services.verification import verify
from apps.inference.models import RequestRecord
found = verify()
print(f"ledger sound: {found.is_sound}, {found.entries} entries, {RequestRecord.objects.count()} records, "
      f"{found.open_holds} open holds")
"""


def peers() -> str:
    """Those that are installed, by the places compare.sh looks in."""
    found = []
    if shutil.which("nginx"):
        found.append("nginx")
    portkey = Path(os.environ.get("PORTKEY_JS", "node_modules/@portkey-ai/gateway/build/start-server.js"))
    if portkey.exists() and shutil.which("node"):
        found.append("portkey")
    if shutil.which(os.environ.get("LITELLM_BIN", "litellm")):
        found.append("litellm")
    return " ".join(found)


def manage(environment, *arguments) -> str:
    done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment,
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def await_ready(url, process) -> None:
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"the gateway ended with {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("the gateway did not become ready")


def pin_backends(server, name) -> None:
    """Best effort: only the owner of the processes, or root, may."""
    with psycopg.connect(server) as connection:
        pids = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", (name,)).fetchall()
    for (pid,) in pids:
        subprocess.run(["taskset", "-cp", LOAD_CPU, str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedded", action="store_true", help="SQLite and no Redis instead of PostgreSQL and Redis")
    parser.add_argument("--setup-only", action="store_true", help="start everything, print the key, wait for Ctrl-C")
    arguments = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="gatewayz-bench-"))
    name = f"gatewayz_bench_{uuid.uuid4().hex[:8]}"
    environment = {**os.environ, "GATEWAYZ_DATA_DIR": str(data), "SANDBOX": "false", "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO")}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    environment["BENCH_PROVIDER_KEY"] = "upstream-key"
    server = ""
    if arguments.embedded:
        environment.update(DATABASE_URL="", REDIS_URL="")
    else:
        url = os.environ.get("DATABASE_URL") or "postgres://postgres@127.0.0.1:5432/postgres"
        server = urlunsplit(urlsplit(url)._replace(path="/postgres"))
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        environment.update(
            DATABASE_URL=urlunsplit(urlsplit(url)._replace(path=f"/{name}")),
            REDIS_URL=os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/8",
            SECRET_KEY=uuid.uuid4().hex, KEY_PEPPER=uuid.uuid4().hex,
            RECEIPT_KEYS="q0n2Wm8vZ3dJ5xYhR7uKcT4aEoLs6bGfPiD1Xk9MtQw",
            KEYRING="RfiGyZjEI4AP3LpXfkRbzZWMHUiiYQAx5sD0E0ot5pE=",
        )
    gateway = None
    mock = subprocess.Popen(["taskset", "-c", LOAD_CPU, sys.executable, str(HERE / "mock_upstream.py"), "--port", MOCK_PORT],
                            stdout=subprocess.DEVNULL)
    try:
        manage(environment, "migrate", "--verbosity", "0")
        for model in MODELS:
            manage(environment, "provider", "add", "mock", "--base-url", f"http://127.0.0.1:{MOCK_PORT}/v1",
                   "--wire", "openai_chat", "--api-key-env", "BENCH_PROVIDER_KEY", "--model", model,
                   "--input-price", "0.15", "--output-price", "0.6")
        secret = manage(environment, "shell", "--no-imports", "-c", PREPARE).splitlines()[-1]
        with open(data / "gateway.log", "w") as log:
            gateway = subprocess.Popen(
                ["taskset", "-c", GW_CPU, sys.executable, "-m", "gatewayz.server", "--port", PORT,
                 "--no-access-log", "--no-server-header", "--log-level", "warning"],
                cwd=ROOT, env=environment, stdout=log)
        await_ready(f"http://127.0.0.1:{PORT}/health/ready", gateway)
        if server:
            warm = urllib.request.Request(
                f"http://127.0.0.1:{PORT}/v1/chat/completions", headers={"authorization": f"Bearer {secret}"},
                data=json.dumps({"model": "mock", "messages": [{"role": "user", "content": "warm"}]}).encode())
            urllib.request.urlopen(warm).read()
            time.sleep(1)
            pin_backends(server, name)
        if arguments.setup_only:
            print(f"http://127.0.0.1:{PORT}/v1/chat/completions  Bearer {secret}  pid {gateway.pid}", flush=True)
            try:
                gateway.wait()
            except KeyboardInterrupt:
                pass
            return
        subprocess.run(
            [str(HERE / "compare.sh")], check=True,
            env={**os.environ, "PY": sys.executable, "PEERS": os.environ.get("PEERS", peers()), "MOCK_PORT": MOCK_PORT,
                 "OURS_URL": f"http://127.0.0.1:{PORT}/v1/chat/completions", "OURS_AUTH": f"Bearer {secret}",
                 "OURS_PID": str(gateway.pid)})
        time.sleep(2)
        print(manage(environment, "shell", "--no-imports", "-c", CHECK).splitlines()[-1])
    finally:
        for process in (gateway, mock):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait()
        if server:
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        shutil.rmtree(data)


if __name__ == "__main__":
    main()
