"""/metrics: who may read it, and what one served request leaves there."""

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

CHAT = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello there"}]}
TOKEN = "a-token-for-prometheus"
FAR = "203.0.113.7"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_metrics_are_shown_when_asked_from_loopback(visitor, address):
    answer = visitor.get("/metrics", REMOTE_ADDR=address)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE gatewayz_requests_total counter" in answer.content.decode()


@pytest.mark.parametrize(
    "headers", [{"x-forwarded-for": FAR}, {"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=_x"}]
)
def test_metrics_are_refused_when_a_proxy_on_loopback_speaks_for_somebody(visitor, headers):
    assert visitor.get("/metrics", headers=headers).status_code == 403


def test_metrics_are_refused_when_asked_from_elsewhere(visitor):
    answer = visitor.get("/metrics", REMOTE_ADDR=FAR)

    assert answer.status_code == 403
    assert "gatewayz_" not in answer.content.decode()


def test_metrics_are_shown_when_the_token_is_sent_through_a_proxy(visitor, settings):
    settings.METRICS_TOKEN = TOKEN
    headers = {"x-forwarded-for": FAR, "authorization": f"Bearer {TOKEN}"}

    assert visitor.get("/metrics", headers=headers, REMOTE_ADDR=FAR).status_code == 200


@pytest.mark.parametrize("sent", ["", "Bearer ", "Bearer wrong", "Bearer ä", f"Basic {TOKEN}"])
@pytest.mark.parametrize("token", ["", TOKEN])
def test_metrics_are_refused_when_the_token_is_wrong_or_there_is_none(
    visitor, settings, token, sent
):
    settings.METRICS_TOKEN = token

    answer = visitor.get("/metrics", headers={"authorization": sent}, REMOTE_ADDR=FAR)

    assert answer.status_code == 403


class Scraper:
    """The samples of a gateway, and how they have changed since ``mark``."""

    def __init__(self, client):
        self.client = client
        self.before = self.read()

    def read(self):
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
            if sample.name.startswith("gatewayz_") and not sample.name.endswith("_created")
        }

    def changes(self):
        now = self.read()
        return {
            series: value - self.before.get(series, 0)
            for series, value in now.items()
            if value != self.before.get(series, 0)
        }

    def changes_once(self, name):
        """The record is committed a moment before the series are written."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            changes = self.changes()
            if any(series[0] == name for series in changes):
                return changes
            time.sleep(0.02)
        raise AssertionError(f"{name} has not changed")


def series(name, **labels):
    return name, tuple(sorted(labels.items()))


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_series_carry_provider_model_and_the_charge_when_a_request_was_served(
    gateway, customer, stream
):
    client = gateway.client(customer)
    scraper = Scraper(client)

    client.post("/v1/chat/completions", json={**CHAT, "stream": stream})

    (record,) = customer.settled(requests=1)
    changes = scraper.changes_once("gatewayz_requests_total")
    host = {"provider": "sandbox", "model": "sandbox/echo"}
    surface = {"surface": "openai_chat", "outcome": "completed"}
    assert changes[series("gatewayz_requests_total", **host, **surface)] == 1
    assert changes[series("gatewayz_cost_nano_usd_total", **host)] == record.charged > 0
    tokens = {
        bucket: changes[series("gatewayz_tokens_total", **host, bucket=bucket)]
        for bucket in ("input", "output")
    }
    assert tokens == {"input": record.input_tokens, "output": record.output_tokens}
    assert changes[series("gatewayz_request_seconds_count", **host)] == 1
    assert changes[series("gatewayz_first_content_seconds_count", **host)] == 1
    assert 0 < changes[series("gatewayz_first_content_seconds_sum", **host)] < 30
    assert changes[series("gatewayz_attempts_total", provider="sandbox", fault="")] == 1


def test_refusal_is_counted_by_its_code_when_no_provider_was_asked(gateway, customer):
    client = gateway.client(customer)
    scraper = Scraper(client)

    client.post("/v1/chat/completions", json={**CHAT, "model": "no/such-model"})

    changes = scraper.changes_once("gatewayz_refusals_total")
    assert changes == {series("gatewayz_refusals_total", code="model_not_found"): 1}


def test_labels_never_hold_what_a_client_typed_when_the_model_is_unknown(gateway, customer):
    client = gateway.client(customer)

    client.post("/v1/chat/completions", json={**CHAT, "model": "typed/by-a-client"})

    assert "typed/by-a-client" not in client.get("/metrics").text
