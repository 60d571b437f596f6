"""Every operation of the served document is asked what it may be asked, and what it may not: it answers as documented, never 5xx.

Schemathesis makes the requests, the same ones each time: the document's examples, every limit of every field, and random
bodies.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from apps.catalog.models import Model
from apps.common.ids import new_id
from gatewayz.openapi import WITHOUT_VERSION
from tests import hosting
from tests.fakes.stripe.process import start_fake_stripe

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
STAFF = "/admin/refresh-providers"
PAYMENTS = "^/api/stripe/"


@pytest.fixture
def only_sandbox(gateway, committed):
    """The models of other tests are withdrawn meanwhile: some fail on purpose, and any that is found is asked."""
    others = list(
        Model.objects.filter(is_active=True)
        .exclude(pk__startswith="sandbox/")
        .values_list("pk", flat=True)
    )
    Model.objects.filter(pk__in=others).update(is_active=False)
    hosting.publish()
    yield
    Model.objects.filter(pk__in=others).update(is_active=True)
    hosting.publish()


@pytest.fixture
def schemathesis(gateway, only_sandbox, tmp_path):
    def run(*arguments: str, headers: dict[str, str]) -> None:
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{gateway.url}/openapi.json",
            "--phases=examples,coverage,fuzzing", f"--checks={','.join(CHECKS)}", "--max-examples=10",
            "--generation-deterministic", "--continue-on-failure", "--warnings=off", "--no-color",
            "--suppress-health-check=filter_too_much", *arguments,
        ]  # fmt: skip
        for name, value in headers.items():
            command += ["--header", f"{name}: {value}"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_every_operation_answers_as_documented_when_a_customer_asks(schemathesis, customer):
    schemathesis(
        f"--exclude-path={STAFF}",
        *(f"--exclude-path={path}" for path in WITHOUT_VERSION),  # the same operations again
        f"--exclude-path-regex={PAYMENTS}",
        headers={"Authorization": f"Bearer {customer.secret}"},
    )


def test_payment_routes_answer_as_documented_when_a_customer_asks(schemathesis, customer, settings):
    """Without Stripe all of them answer 503."""
    with start_fake_stripe() as fake:
        settings.STRIPE_SECRET_KEY = "sk_test_gatewayz"
        settings.STRIPE_WEBHOOK_SECRETS = ["whsec_of_the_tests"]
        settings.STRIPE_API_BASE = fake.url
        schemathesis(
            f"--include-path-regex={PAYMENTS}",
            headers={"Authorization": f"Bearer {customer.secret}"},
        )


def test_staff_route_answers_as_documented_when_staff_ask(schemathesis, committed):
    email = f"{new_id('staff')}@example.com"
    user = get_user_model().objects.create_superuser(email=email, password="x")
    client = Client()
    client.force_login(user)
    token = "t" * 32  # the cookie and the header must say the same

    schemathesis(
        f"--include-path={STAFF}",
        headers={
            "Cookie": f"sessionid={client.cookies['sessionid'].value}; csrftoken={token}",
            "X-CSRFToken": token,
        },
    )
