#!/usr/bin/env python3
"""Measure the ledger: hold + settle pairs a second, request record included, through the gateway's own Books.

    .venv/bin/python scripts/bench/ledger.py                                    SQLite in a temporary data directory
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/gatewayz .venv/bin/python scripts/bench/ledger.py

The database is made for the run and dropped after it; nothing that exists is touched. Each line of the table is one
number of requests at a time; each of them places a hold, settles it, and starts again. In the end the books are proved.
"""

import argparse
import asyncio
import contextlib
import cProfile
import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

CREDIT = 10**15
QUOTE = 3_000_000
COST = 1_234_567


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="length of each measurement (%(default)s)")
    parser.add_argument("--concurrency", default="1,64", help="requests at a time, comma separated (%(default)s)")
    parser.add_argument("--organizations", default="1,16", help="organisations that share them (%(default)s)")
    parser.add_argument("--idle", type=int, default=5000, help="organisations that only fill the tables (%(default)s)")
    parser.add_argument("--budgets", action="store_true", help="every request counts in two hard budgets")
    parser.add_argument("--profile", metavar="FILE", help="write a cProfile of the whole run")
    return parser.parse_args()


@contextlib.contextmanager
def fresh_database():
    """A database of our own, on the server of DATABASE_URL or in a temporary directory."""
    folder = tempfile.mkdtemp(prefix="gatewayz-bench-")
    os.environ["DJANGO_SETTINGS_MODULE"] = "gatewayz.settings.main"
    os.environ["GATEWAYZ_DATA_DIR"] = folder
    os.environ["LOG_LEVEL"] = "WARNING"
    server = os.environ.get("DATABASE_URL", "")
    name = f"gatewayz_bench_{secrets.token_hex(4)}"
    if server:
        run_on_server(server, f'CREATE DATABASE "{name}"')
        os.environ["DATABASE_URL"] = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        for secret in ("SECRET_KEY", "KEY_PEPPER", "KEYRING"):
            os.environ.setdefault(secret, "bench")
        os.environ.setdefault("RECEIPT_KEYS", secrets.token_urlsafe(32))
    try:
        yield
    finally:
        if server:
            run_on_server(server, f'DROP DATABASE "{name}" WITH (FORCE)')
        shutil.rmtree(folder)


def run_on_server(url, statement):
    import psycopg

    with psycopg.connect(urlunsplit(urlsplit(url)._replace(path="/postgres")), autocommit=True) as connection:
        connection.execute(statement)


def make_organizations(number, *, idle, has_budgets):
    from apps.accounts.models import Organization
    from apps.billing.models import Period
    from apps.billing.services import budgets
    from apps.billing.services import ledger

    Organization.objects.bulk_create(Organization(name=f"idle {n}") for n in range(idle))
    organizations = [Organization.objects.create(name=f"bench {n}").pk for n in range(number)]
    for pk in organizations:
        ledger.grant_promo(pk, amount=CREDIT, reference=f"bench:{pk}", memo="")
        for period in (Period.DAY, Period.MONTH) if has_budgets else ():
            budgets.make(pk, period=period, amount=CREDIT, is_hard=True, alerts=[])
    return organizations


def make_closing(request_id, organization, moment):
    """The end of an ordinary request: as many columns as the pipeline fills."""
    from apps.billing.services.values import Settlement
    from apps.common import clock
    from apps.inference.recorder import COLUMNS
    from apps.inference.settlement import Closing

    row = {
        **dict.fromkeys(COLUMNS, 0),
        "organization_id": organization,
        "api_key_id": None,
        "created_at": clock.now(),
        "surface": "openai_chat",
        "streamed": True,
        "requested_model": "acme/large",
        "model": "acme/large",
        "provider": "acme",
        "price_id": 1,
        "outcome": "completed",
        "status": 200,
        "error_code": "",
        "finish_reason": "stop",
        "usage_source": "provider",
        "input_tokens": 812,
        "output_tokens": 231,
        "cost": COST,
        "first_token_ms": 312,
        "latency_ms": 2841,
        "attempts": [{"provider": "acme", "model": "large", "fault": "", "status": None, "ms": 2833}],
        "app_title": "",
        "app_url": "",
    }
    return Closing(Settlement(request_id, organization, COST, price_id=1, held_at=moment), row)


async def measure(books, organizations, *, concurrency, seconds):
    """(hold seconds, settle seconds) of every pair, and how long it all took."""
    from apps.billing.services.known_budgets import Spender, terms_for
    from apps.billing.services.values import HoldRequest
    from apps.common import clock
    from apps.common.ids import new_id

    times = []
    deadline = time.perf_counter() + seconds

    async def work(organization):
        while (start := time.perf_counter()) < deadline:
            request_id = new_id("gen")
            moment = clock.now()
            terms = await terms_for(Spender(organization), moment)
            decision = await books.hold(
                HoldRequest(
                    request_id, organization, QUOTE, None, "acme/large",
                    held_at=moment, budget_version=terms.version, windows=terms.windows,
                )
            )  # fmt: skip
            assert decision.placed
            held = time.perf_counter()
            # What close_request does, less the moment for which it may let a settlement linger for company.
            assert await books._closings.submit(make_closing(request_id, organization, moment)) == COST
            books._in_flight.discard(request_id)
            times.append((held - start, time.perf_counter() - held))

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work(organizations[n % len(organizations)]) for n in range(concurrency)))
    return times, time.perf_counter() - began, time.process_time() - cpu


async def measure_all(arguments, organizations):
    from apps.billing.services.known_budgets import Spender, terms_for
    from apps.common import cache, clock
    from apps.inference.settlement import Books

    print("| at a time | organisations | pairs/s | CPU µs/pair here | hold p50 / p99, ms | settle p50 / p99, ms |")
    print("|---|---|---|---|---|---|")
    books = Books()
    for organization in organizations:  # what the first request of a day does
        await terms_for(Spender(organization), clock.now())
    beside = asyncio.create_task(cache.watch())  # as in a web process: snapshots need no look of their own
    await measure(books, organizations, concurrency=8, seconds=0.5)  # warm: connections, plans, pages
    for concurrency in map(int, arguments.concurrency.split(",")):
        for shared in map(int, arguments.organizations.split(",")):
            if shared > concurrency:
                continue
            times, took, cpu = await measure(
                books, organizations[:shared], concurrency=concurrency, seconds=arguments.seconds
            )
            holds, settles = (sorted(values) for values in zip(*times, strict=True))
            print(
                f"| {concurrency} | {shared} | {len(times) / took:,.0f} | {cpu / len(times) * 1e6:.0f} "
                f"| {quantiles(holds)} | {quantiles(settles)} |",
                flush=True,
            )
    beside.cancel()
    await books.shut()


def quantiles(ordered):
    return " / ".join(f"{ordered[int(len(ordered) * share)] * 1000:.2f}" for share in (0.5, 0.99))


def main():
    arguments = parse_arguments()
    with fresh_database():
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection, connections

        call_command("migrate", verbosity=0)
        organizations = make_organizations(
            max(map(int, arguments.organizations.split(","))), idle=arguments.idle, has_budgets=arguments.budgets
        )
        print(f"{connection.vendor}, {os.cpu_count()} CPUs, Python {sys.version.split()[0]}\n")
        profiler = cProfile.Profile()
        with profiler if arguments.profile else contextlib.nullcontext():
            with asyncio.Runner(loop_factory=event_loop) as runner:
                runner.run(measure_all(arguments, organizations))
        if arguments.profile:
            profiler.dump_stats(arguments.profile)
        print()
        call_command("verify_ledger")
        connections.close_all()
        if pool := getattr(connection, "pool", None):
            pool.close()


def event_loop():
    """The loop that uvicorn would choose."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


if __name__ == "__main__":
    main()
