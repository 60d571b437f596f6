"""One request, end to end: served, metered, billed, recorded."""

import json

CHAT = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello there"}]}


def test_answers_and_charges_exactly_its_cost_when_not_streamed(gateway, customer):
    before = customer.balance.total

    response = gateway.client(customer).post("/v1/chat/completions", json=CHAT)

    body = response.json()
    assert response.status_code == 200
    assert body["choices"][0]["message"]["content"] == "You said: Hello there"
    (record,) = customer.settled(requests=1)
    assert record.charged == record.cost > 0
    assert customer.balance.total == before - record.charged
    assert round(body["usage"]["cost"] * 1e9) == record.charged
    assert record.id == body["id"] == response.headers["x-request-id"]


def test_is_metered_when_the_stream_was_not_asked_for_usage(gateway, customer):
    with gateway.client(customer).stream(
        "POST", "/v1/chat/completions", json={**CHAT, "stream": True}
    ) as response:
        lines = [line for line in response.iter_lines() if line]

    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert lines[-1] == "data: [DONE]"
    assert not any("usage" in chunk for chunk in chunks)
    (record,) = customer.settled(requests=1)
    assert record.charged > 0
    assert record.usage_source == "provider"


def test_generation_is_true_the_moment_the_answer_ends(gateway, customer):
    client = gateway.client(customer)
    body = client.post("/v1/chat/completions", json=CHAT).json()

    found = client.get("/v1/generation", params={"id": body["id"]}).json()["data"]

    assert found["provider"] == "sandbox"
    assert found["tokens_output"] == body["usage"]["completion_tokens"]
    assert round(found["total_cost"] * 1e9) == found["charged_nano_usd"] > 0


def test_generation_of_another_organisation_is_not_found(gateway, customer, make_customer):
    body = gateway.client(customer).post("/v1/chat/completions", json=CHAT).json()

    response = gateway.client(make_customer()).get("/v1/generation", params={"id": body["id"]})

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
