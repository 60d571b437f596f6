"""Fixtures of the whole suite.

db           pytest-django's: rolled back; for services, selectors, pages
committed    database access without a rollback; for what other threads and processes must see
gateway      a gateway on a real socket in front of a sandbox provider, one for the session
customer     an organisation with $10 and a key, committed; make_customer for others
upstream     the gateway's sandbox provider with its counters, turns and prompt caches forgotten
make_model   a model of the test's own at hosts that do as they are told (tests/hosting.py)
"""

import gc
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from apps.catalog.services import refresh
from apps.catalog.services import sandbox as sandbox_catalogue
from apps.common import cache
from tests.gateway import Customer, Gateway, ServerThread
from tests.gateway import make_customer as make_committed_customer
from tests.hosting import Host, offer_model
from tests.sandbox.process import SandboxProcess, start_sandbox

SLOWEST = (
    "tests/conformance/test_schemathesis.py",
    "tests/money/",
    "tests/start/",
    "tests/inference/test_outages.py",
    "tests/inference/test_retry_budget.py",
    "tests/billing/test_verify_command.py",
    "tests/monitoring/test_logs.py",
    "tests/catalog/test_seed.py",
    "tests/admin/test_pages.py",
)
"""They start servers or walk everything. Begun first, none of them is still running when all else is done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(SLOWEST))


def pytest_collection_finish() -> None:
    """As the served process does: what will live for long is not walked through again and again. A sixth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker, django_db_modify_db_settings: None
) -> Iterator[None]:
    """pytest-django makes the test database only for tests with its own marker; committed tests need it too."""
    with django_db_blocker.unblock():
        databases = setup_databases(verbosity=0, interactive=False)
        if connection.vendor == "postgresql":
            # No test pulls the plug of the server: waiting for the disk at each commit would prove nothing.
            with connection.cursor() as cursor:
                name = connection.settings_dict["NAME"]
                cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        yield
        teardown_databases(databases, verbosity=0)


@pytest.fixture(scope="session")
def running_gateway(django_db_setup: None, django_db_blocker) -> Iterator[Gateway]:
    with django_db_blocker.unblock(), start_sandbox() as sandbox:
        settings.SANDBOX_URL = sandbox.base_url
        # What every test may ask for; reading thousands of models again at each change would take most of the suite's
        # time. tests/catalog and tests/start have the whole seed.
        refresh.sync_registry()
        sandbox_catalogue.sync_sandbox()
        cache.reset_all()
        server = ServerThread()
        url = server.start()
        yield Gateway(url, sandbox)
        server.stop()
        settings.SANDBOX_URL = ""


@pytest.fixture
def gateway(running_gateway: Gateway) -> Iterator[Gateway]:
    yield running_gateway
    running_gateway.close_clients()


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def make_customer(committed: None) -> Callable[..., Customer]:
    return make_committed_customer


@pytest.fixture
def customer(make_customer: Callable[..., Customer]) -> Customer:
    return make_customer()


@pytest.fixture
def upstream(gateway: Gateway) -> SandboxProcess:
    gateway.sandbox.reset()
    return gateway.sandbox


@pytest.fixture
def make_model(upstream: SandboxProcess, committed: None) -> Callable[..., str]:
    def make(*hosts: Host | str) -> str:
        return offer_model(upstream, *hosts)

    return make


@pytest.fixture(autouse=True)
def _fresh_snapshots(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test read and then rolled back is forgotten; what is committed, the epoch keeps true."""
    yield
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        cache.reset_all()
