"""Tags and savings: what a request says of itself, and what caches spared it, is in its record."""

import pytest

from apps.billing.services import rating
from apps.common.usage import Rates, Usage

HEADER = "x-gatewayz-tag"


@pytest.mark.parametrize(
    ("headers", "metadata", "tag"),
    [
        ({}, None, ""),
        ({}, {"team": "blue"}, ""),
        ({HEADER: "blue"}, None, "blue"),
        ({HEADER: "é" * 100}, None, "é" * 100),
        ({}, {"tag": "blue"}, "blue"),
        ({HEADER: "red"}, {"tag": "blue"}, "red"),
        ({HEADER: ""}, {"tag": "blue"}, "blue"),
    ],
)
def test_tag_is_in_the_record(gateway, customer, headers, metadata, tag):
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hi"}]}
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = gateway.client(customer).post(
        "/v1/chat/completions",
        json=body | ({"metadata": metadata} if metadata else {}),
        headers=raw,
    )
    assert answer.status_code == 200, answer.text

    assert [record.tag for record in customer.settled(requests=1)] == [tag]


@pytest.mark.parametrize(
    ("headers", "metadata", "tag"),
    [
        ({}, None, "team"),
        ({}, {"tag": ""}, "team"),
        ({HEADER: "red"}, None, "red"),
        ({}, {"tag": "blue"}, "blue"),
    ],
)
def test_keys_tag_is_that_of_requests_without_one(gateway, make_customer, headers, metadata, tag):
    customer = make_customer(tag="team")
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hi"}]}
    client = gateway.client(customer, headers=customer.headers | headers)

    sent = client.post("/v1/chat/completions", json=body | {"metadata": metadata or {}})

    assert sent.status_code == 200
    assert [record.tag for record in customer.settled(requests=1)] == [tag]
    rows = client.get("/v1/user/usage", params={"group_by": "tag"}).json()["data"]
    assert [(row["tag"], row["requests"]) for row in rows] == [(tag, 1)]


def test_cached_answer_has_the_keys_tag_too(gateway, make_customer):
    customer = make_customer(tag="team")
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "again"}]}
    client = gateway.client(customer, headers=customer.headers | {"x-gatewayz-cache": "on"})
    for _ in range(2):
        assert client.post("/v1/chat/completions", json=body).status_code == 200

    assert [
        (r.tag, r.cached) for r in sorted(customer.settled(requests=2), key=lambda r: r.cached)
    ] == [
        ("team", False),
        ("team", True),
    ]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_tag_of_metadata_is_that_of_both_formats(gateway, customer, path):
    asked = "Hi" if path == "/v1/responses" else [{"role": "user", "content": "Hi"}]
    field = "input" if path == "/v1/responses" else "messages"
    body = {"model": "sandbox/echo", field: asked, "metadata": {"tag": "blue"}}
    assert gateway.client(customer).post(path, json=body).status_code == 200

    assert customer.settled(requests=1)[0].tag == "blue"


@pytest.mark.parametrize(
    ("headers", "metadata", "param"),
    [({HEADER: "x" * 101}, None, HEADER), ({}, {"tag": "x" * 101}, "metadata.tag"), ({}, {"tag": "\x00"}, "metadata.tag")],
)  # fmt: skip
def test_tag_that_is_too_long_is_refused_by_its_name(gateway, customer, headers, metadata, param):
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hi"}]}
    answer = gateway.client(customer).post(
        "/v1/chat/completions", json=body | {"metadata": metadata or {}}, headers=headers
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert customer.records() == []


def test_answer_from_the_response_cache_saves_what_it_cost_first(gateway, customer):
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "the same"}]}
    client = gateway.client(customer, headers=customer.headers | {"x-gatewayz-cache": "on"})
    for _ in range(2):
        assert client.post("/v1/chat/completions", json=body).status_code == 200

    paid, kept = sorted(customer.settled(requests=2), key=lambda record: record.cached)
    assert (paid.saved, kept.cost) == (0, 0)
    assert kept.saved == paid.cost > 0


def test_reading_a_cache_of_prompts_saves_the_difference():
    rates = Rates(input=3_000_000, output=5, cache_read=300_000, cache_write_5m=1, cache_write_1h=1, reasoning=5)  # fmt: skip
    assert rating.saved(Usage(input=7, cache_read=1000, output=3), rates) == 2700
    dearer = Rates(input=1, output=5, cache_read=300_000, cache_write_5m=1, cache_write_1h=1, reasoning=5)  # fmt: skip
    assert rating.saved(Usage(cache_read=1000), dearer) == 0
