"""A provider's list of 20,000 models and 50 MB, read into a database that is full of them already: little memory, and soon."""

import json

import pytest
from django.conf import settings

from tests.catalog.listing_server import list_server
from tests.installation import make_installation

MODELS = 20_000
MOST_MB = 300
MOST_SECONDS = 30
READ = """
import json, time
from apps.catalog.models import Model, Price, Provider
from apps.catalog.providers.amounts import Unit
from apps.catalog.providers.listed import Listing, prices
from apps.catalog.services import feeds

listing = Listing(prices=prices(Unit.PER_TOKEN, input="pricing.prompt", output="pricing.completion"))
feeds.LISTINGS, feeds.listing_of = {{"{slug}": listing}}, lambda slug: listing
Provider.objects.create(slug="{slug}", name="{slug}", wire="openai_chat", base_url="{url}")
started = time.process_time()
summary = feeds.refresh("{slug}")
seconds = time.process_time() - started
# Not ru_maxrss: a child begins with its parent's.
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))
print(json.dumps({{
    "listed": summary.listed, "new": summary.new, "prices": summary.added, "reason": summary.reason,
    "models": Model.objects.count(), "peak": peak, "seconds": seconds,
}}))
"""


def big_list(name: str) -> bytes:
    """The longest texts are those that are kept."""
    text = "A model that answers. " * 110
    return json.dumps({"data": [
        {"id": f"vendor{number % 500}/{name}-{number}-8B-Instruct", "name": f"{name} {number}",
         "description": f"{number}: {text}", "context_length": 32768, "max_completion_tokens": 4096,
         "pricing": {"prompt": "3e-07", "completion": "0.0000006"}}
        for number in range(MODELS)
    ]}).encode()  # fmt: skip


@pytest.mark.alone
def test_a_list_of_twenty_thousand_models_needs_little_memory_on_a_full_database(
    tmp_path, django_db_setup
):
    database = settings.DATABASE_URL if not settings.EMBEDDED else ""
    with (
        list_server() as server,
        make_installation(tmp_path, database_url=database, redis_url=settings.REDIS_URL) as place,
    ):
        server.body = big_list("Old")
        assert len(server.body) > 50_000_000
        filled = place.python(READ.format(slug="first", url=server.url))
        server.body = big_list("New")
        found = place.python(READ.format(slug="second", url=server.url))

    assert found["reason"] == ""
    assert (found["listed"], found["new"], found["prices"]) == (MODELS,) * 3
    assert found["models"] == filled["models"] + MODELS
    assert found["peak"] < MOST_MB
    assert found["seconds"] < MOST_SECONDS
