#!/usr/bin/env python3
"""The usage routes over many records of one organisation: how long rolling them up takes, and each route's p50 and p95.

    .venv/bin/python scripts/bench/usage.py [--records 1000000] [--times 40] [--rounds 3] [--analyze]
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres .venv/bin/python scripts/bench/usage.py

A database (PostgreSQL: gatewayz_bench_usage; SQLite: in a directory of its own) is made for the run and dropped after it. The records lie
in the last thirty days, at ten hosts of eight models, with five keys and as many tags. Routes are asked through Django's own client, in this process; the CPU time is its own, without that of a database server.
"""
import argparse
import gc
import os
import random
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
DATABASE = "gatewayz_bench_usage"
BATCH = 20_000
MADE_ONE_BY_ONE = 50_000
"""The others are copies of these at other moments: the database makes them faster."""
ROUTES = {
    "summary": "/usage/summary?timezone=Europe/Berlin",
    "in all": "/usage?group_by=",
    "by model": "/usage?group_by=model",
    "by key and tag": "/usage?group_by=key,tag",
    "by day": "/usage?group_by=day",
    "by day, Berlin": "/usage?group_by=day&timezone=Europe/Berlin",
    "by day and model, Kolkata": "/usage?group_by=day,model&timezone=Asia/Kolkata",
    "by day and model, Kathmandu": "/usage?group_by=day,model&timezone=Asia/Kathmandu",
    "by day and hour, Kolkata, 31 days": "/usage?group_by=day,hour&timezone=Asia/Kolkata&from={month}",
    "by day, Kolkata, of one key": "/usage?group_by=day&key={key}&timezone=Asia/Kolkata",
    "activity, Kolkata": "/activity/stats?timezone=Asia/Kolkata",
    "by hour": "/usage?group_by=hour",
    "by model, of one key": "/usage?group_by=model&key={key}",
    "by hour and model, of a week": "/usage?group_by=hour,model&from={week}",
    "everything by day": "/usage?group_by=day,model,provider,key,tag",
    "what if": "/usage/what-if?model=bench/model-0",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--analyze", action="store_true", help="SQLite: let its planner know how the rows lie")
    arguments = parser.parse_args()
    data = tempfile.mkdtemp(prefix="gatewayz-bench-")
    server = os.environ.get("DATABASE_URL", "")
    os.environ |= {"GATEWAYZ_DATA_DIR": data, "SANDBOX": "false", "REDIS_URL": os.environ.get("REDIS_URL", "")}
    if server:
        from cryptography.fernet import Fernet

        for secret in ("SECRET_KEY", "KEY_PEPPER", "KEYRING"):
            os.environ.setdefault(secret, Fernet.generate_key().decode())
        os.environ.setdefault("RECEIPT_KEYS", secrets.token_urlsafe(32))
        os.environ["DATABASE_URL"] = urlunsplit(urlsplit(server)._replace(path=f"/{DATABASE}"))
    try:
        if server:
            on_server(server, f"DROP DATABASE IF EXISTS {DATABASE}", f"CREATE DATABASE {DATABASE}")
        run(arguments.records, arguments.times, arguments.rounds, analyze=arguments.analyze)
    finally:
        if server:
            on_server(server, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        shutil.rmtree(data)


def on_server(url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def run(number: int, times: int, rounds: int, *, analyze: bool) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gatewayz.settings.main")
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from apps.monitoring.models import UsageDay, UsageHour, UsageTail
    from apps.monitoring.services import rollups

    settings.ALLOWED_HOSTS = ["*"]
    call_command("migrate", verbosity=0)
    customer = make_customer()
    took("written", lambda: fill(customer, number))
    with connection.cursor() as cursor:  # they were not late: the bench is
        cursor.execute("DELETE FROM monitoring_usagelate")
        if connection.vendor == "postgresql":  # as autovacuum does; nobody does it for SQLite
            cursor.execute("VACUUM ANALYZE")
    took("rolled up", rollups.roll_up)
    if analyze:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    hours, tails, days = (rollup.objects.count() for rollup in (UsageHour, UsageTail, UsageDay))
    print(f"{number:,} records in roll-ups of {hours:,} hours, {tails:,} tails, {days:,} days; {connection.vendor}\n")
    measure(customer.secret, customer.key.pk, times, rounds)


def measure(secret: str, key: int, times: int, rounds: int) -> None:
    """The best of the rounds, since others use the machine too."""
    import datetime

    from django.test import Client

    from apps.common import clock

    client = Client(headers={"authorization": f"Bearer {secret}"})
    # As a web process does (gatewayz/asgi.py).
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    month = (clock.now().date() - datetime.timedelta(days=31)).isoformat()
    week = (clock.now().date() - datetime.timedelta(days=7)).isoformat()
    print("| | p50, ms | p95, ms | CPU, ms |\n|---|---|---|---|")
    for name, path in ROUTES.items():
        url = "/v1/user" + path.format(key=key, week=week, month=month)
        client.get(url)
        best = min((measure_round(client, url, times) for _ in range(rounds)), key=lambda found: found[1])
        print(f"| {name} | {best[0]:.0f} | {best[1]:.0f} | {best[2]:.0f} |", flush=True)
    print("load at the end: {:.1f}, {:.1f}, {:.1f}".format(*os.getloadavg()))


def measure_round(client, url: str, times: int) -> tuple[float, float, float]:
    """p50, p95, and the CPU time of one on average; in milliseconds."""
    spent = []
    busy = time.process_time()
    for _ in range(times):
        started = time.perf_counter()
        answer = client.get(url)
        spent.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, answer.content
    ordered = sorted(spent)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)], (time.process_time() - busy) * 1000 / times


def took(what: str, work) -> None:
    started = time.perf_counter()
    work()
    print(f"{what} in {time.perf_counter() - started:.1f} s", flush=True)


def make_customer():
    """With a price for what-if."""
    from apps.catalog.models import Model, Offering, Price, Provider
    from tests.gateway import make_customer as make

    provider = Provider.objects.create(slug="bench", name="Bench", wire="openai_chat", base_url="http://127.0.0.1:9/v1")
    model = Model.objects.create(id="bench/model-0", name="Bench", output_modalities=["text"])
    offering = Offering.objects.create(provider=provider, model=model, upstream_model="model-0")
    Price.objects.create(offering=offering, input=1, output=2, cache_read=1, cache_write_5m=1, cache_write_1h=1, reasoning=2, source="manual")
    return make()


def fill(customer, number: int) -> None:
    import datetime

    from django.db import connection

    from apps.common import clock
    from apps.inference.models import RequestRecord

    chance = random.Random(1)
    hosts = [(f"bench/model-{n % 8}", f"host-{n}") for n in range(10)]
    keys = [customer.key.pk + n for n in range(5)]
    end = clock.now() - datetime.timedelta(minutes=2)
    step = datetime.timedelta(days=30) / number
    copies = max(1, number // MADE_ONE_BY_ONE)
    from apps.keys.models import ApiKey

    ApiKey.objects.bulk_create(
        ApiKey(pk=pk, organization_id=customer.organization_id, name=f"key {pk}", key_hash=f"{pk}", last4="0000", ciphertext="")
        for pk in keys[1:])
    for first in range(0, number // copies, BATCH):
        rows = []
        for n in range(first, min(first + BATCH, number // copies)):
            model, host = chance.choice(hosts)
            which = min(int(chance.expovariate(0.7)), 4)
            rows.append(RequestRecord(
                id=f"gen_{n:024d}", organization_id=customer.organization_id, api_key_id=keys[which], created_at=end - n * copies * step,
                surface="openai_chat", streamed=True, requested_model=model, model=model, provider=host, price_id=1,
                outcome="completed" if chance.random() < 0.98 else "interrupted", status=200, usage_source="provider",
                input_tokens=chance.randrange(4000), cache_read_tokens=chance.randrange(2000), output_tokens=chance.randrange(900),
                cost=chance.randrange(10**7), charged=chance.randrange(10**7), saved=5,
                first_token_ms=int(chance.lognormvariate(6, 0.5)), latency_ms=int(chance.lognormvariate(8, 0.7)), tag=f"team-{which}"))
        RequestRecord.objects.bulk_create(rows)
    columns = [field.column for field in RequestRecord._meta.concrete_fields if field.column not in {"id", "created_at"}]
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        for copy in range(1, copies):
            seconds = (copy * step).total_seconds()
            moment = f"created_at - interval '{seconds} seconds'"
            if connection.vendor == "sqlite":
                moment = f"strftime('%Y-%m-%d %H:%M:%f', created_at, '-{seconds} seconds')"
            cursor.execute(
                f"INSERT INTO inference_requestrecord (id, created_at, {names}) "
                f"SELECT id || '-{copy}', {moment}, {names} FROM inference_requestrecord WHERE length(id) = 28")


if __name__ == "__main__":
    main()
