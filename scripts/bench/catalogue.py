"""How long the catalogue takes, and how much memory: a start on an empty and on a full database, reading a provider's
list of 20,000 models and 50 MB over a socket, and loading a snapshot of 3,000 models and 5,000 offerings.

    .venv/bin/python scripts/bench/catalogue.py

Uses an SQLite database of its own in a temporary folder. Wall time, and CPU time where other load would blur it.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = 20_000
SERVER = """
import gzip, http.server, json, sys
models, priced = int(sys.argv[1]), sys.argv[2] == "priced"
padding = "x" * 2400
body = json.dumps({"data": [
    {"id": f"vendor{n % 500}/Model-{n}-8B-Instruct", "object": "model", "created": 1700000000, "context_length": 32768,
     "max_completion_tokens": 4096, "name": f"Model {n}", "card": padding,
     **({"pricing": {"prompt": "3e-07", "completion": "0.0000006"}} if priced else {})}
    for n in range(models)]}).encode()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], len(body), flush=True)
server.serve_forever()
"""


def main() -> None:
    if len(sys.argv) == 1:
        for part in ("start", "unpriced", "priced", "load"):
            with tempfile.TemporaryDirectory() as folder:
                env = {**os.environ, "GATEWAYZ_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "gatewayz.settings.main", "LOG_LEVEL": "ERROR"}
                subprocess.run([sys.executable, __file__, part], env=env, cwd=ROOT, check=True)
        return
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    {"start": start, "unpriced": ingest, "priced": ingest, "load": load}[sys.argv[1]]()


class Timed:
    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        print(f"{self.what:<44} {time.perf_counter() - self.wall:7.2f} s   CPU {time.process_time() - self.cpu:6.2f} s", flush=True)


def rows_for(slugs) -> None:
    from apps.catalog.models import Provider

    for slug in sorted(set(slugs) - set(Provider.objects.values_list("slug", flat=True))):
        Provider.objects.create(slug=slug, name=slug, wire="openai_chat", base_url=f"https://{slug}.test/v1")


def start() -> None:
    from apps.catalog.models import Model, Offering
    from apps.catalog.services import refresh

    refresh.sync_registry()
    with Timed("first start: book, seed, aliases"):
        refresh.bootstrap()
    with Timed("second start: nothing new"):
        refresh.bootstrap()
    print(f"{Model.objects.count()} models, {Offering.objects.count()} offerings")


def ingest() -> None:
    from apps.catalog.models import Provider
    from apps.catalog.providers.amounts import Unit
    from apps.catalog.providers.listed import Listing, prices
    from apps.catalog.services import feeds

    server = subprocess.Popen([sys.executable, "-c", SERVER, str(MODELS), sys.argv[1]], stdout=subprocess.PIPE, text=True)
    try:
        port, size = server.stdout.readline().split()
        Provider.objects.create(slug="bench", name="Bench", wire="openai_chat", base_url=f"http://127.0.0.1:{port}/v1")
        listing = Listing(prices=prices(Unit.PER_TOKEN, input="pricing.prompt", output="pricing.completion"))
        feeds.LISTINGS, feeds.listing_of = {"bench": listing}, lambda slug: listing
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        with Timed(f"{MODELS:,} models, {int(size) // 2**20} MB, {sys.argv[1]}"):
            summary = feeds.refresh("bench")
        print(f"{json.dumps(summary.outcome)}: {summary.listed:,} listed, {summary.new:,} new offerings, {summary.added:,} prices")
        with Timed("the same again"):
            feeds.refresh("bench")
        print(f"memory: {before} MB before, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most")
    finally:
        server.kill()


def load() -> None:
    from apps.catalog.models import PriceSource
    from apps.catalog.selectors import load_catalog
    from apps.catalog.services import intake
    from apps.catalog.services.offers import Amounts

    hosts = [f"host{number}" for number in range(20)]
    rows_for(hosts)
    found = [
        intake.Found(
            source=PriceSource.SEED, provider=hosts[(number // 3000 * 7 + number) % 20], upstream_model=f"Vendor/Model-{number % 3000}",
            model_id=f"vendor{number % 60}/model-{number % 3000}", amounts=Amounts.of(input=10**9, output=2 * 10**9),
            name=f"Model {number}", description="A model. " * 20, context_length=131072, max_output_tokens=16384,
            supported_parameters=("max_tokens", "temperature", "tools", "top_p"),
        )
        for number in range(5000)
    ]
    intake.take_in(found)
    for _ in range(5):
        with Timed("snapshot: 3,000 models, 5,000 offerings"):
            snapshot = load_catalog()
    print(len(snapshot.listed()), sum(len(model.offerings) for model in snapshot.listed()))


if __name__ == "__main__":
    main()
