"""/health says that the process lives, /health/ready whether it can serve requests."""

import datetime

from django.conf import settings as django_settings
from django.db import OperationalError

from apps.catalog.services import offers, providers


def offer_a_model():
    providers.add_provider(
        "acme",
        model="acme/large",
        amounts=offers.Amounts.of(input=1_000_000_000, output=2_000_000_000),
        base_url="https://acme.test/v1",
        wire="openai_chat",
    )


def test_process_is_alive_when_asked(visitor):
    answer = visitor.get("/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert datetime.datetime.fromisoformat(answer.json()["timestamp"]).utcoffset() is not None


def test_process_is_alive_when_it_cannot_serve(visitor, empty_catalogue):
    assert visitor.get("/health").status_code == 200


def test_process_is_ready_when_a_model_can_be_served(visitor, empty_catalogue):
    offer_a_model()

    answer = visitor.get("/health/ready")

    checks = {"database": "ok", "catalogue": "ok"}
    if django_settings.REDIS_URL:
        checks["redis"] = "ok"
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": checks}


def test_process_is_not_ready_when_no_model_is_listed(visitor, empty_catalogue):
    answer = visitor.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert answer.json()["checks"]["catalogue"] == "no model can be served"


def test_process_is_not_ready_when_the_catalogue_cannot_be_read(visitor, db, use_catalogue):
    def load():
        raise OperationalError("the server closed the connection")

    use_catalogue(load)

    answer = visitor.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["checks"]["catalogue"] == "unreachable"


def test_process_is_ready_when_only_redis_is_away(visitor, empty_catalogue, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    offer_a_model()

    answer = visitor.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json()["checks"]["redis"] == "unreachable"


def test_probes_answer_when_asked_on_a_real_socket(gateway, customer):
    client = gateway.client(customer)

    assert client.get("/health").status_code == 200
    assert client.get("/health/ready").json()["status"] == "ready"
