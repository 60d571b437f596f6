"""A limit below the least that OpenAI's Responses take is raised there: told to the client, and quoted, held and billed alike."""

import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.request import LEAST_OUTPUT
from apps.inference.protocols import CODECS
from tests.hosting import Host, offer_model

LEAST = LEAST_OUTPUT[Wire.OPENAI_RESPONSES]
HELLO = [{"role": "user", "content": "Tell me everything that you know, please."}]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_raised_limit_is_named_quoted_and_never_exceeded(gateway, customer, path):
    model = offer_model(gateway.sandbox, Host("echo", Wire.OPENAI_RESPONSES, output_usd="1000"))
    body = {"model": model, "messages": HELLO, "max_tokens": 1}
    client = gateway.client(customer)

    quoted = client.post("/v1/quote", json={"path": path, "request": body}).json()["data"]
    answer = client.post(path, json=body)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gatewayz-dropped-params"] == "max_tokens"
    [candidate] = quoted["candidates"]
    assert candidate["dropped_parameters"] == ["max_tokens"]
    assert quoted["output_tokens"] == LEAST
    [record] = customer.settled(requests=1)
    assert record.output_tokens + record.reasoning_tokens > 1
    assert record.charged <= candidate["cost"]["maximum"]["nano_usd"]
    assert record.charged <= quoted["hold"]["nano_usd"]


@pytest.mark.parametrize(("limit", "named"), [(LEAST - 1, ("max_tokens",)), (LEAST, ())])
def test_only_a_limit_that_changes_is_named(limit: int, named: tuple[str, ...]):
    body = {"model": "m", "messages": HELLO, "max_tokens": limit}
    request = CODECS[Wire.OPENAI_CHAT].decode_request(body)

    encoded = CODECS[Wire.OPENAI_RESPONSES].encode_request(request, model="m")

    assert encoded.body["max_output_tokens"] == LEAST
    assert encoded.dropped == named
