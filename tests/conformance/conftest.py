"""The official SDKs' clients in front of the gateway, and the HTTP requests they made.

``verify=False`` because there is no TLS here and reading the system's certificates takes 40 ms.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from tests.gateway import Customer, Gateway


@pytest.fixture
def openai_client(gateway: Gateway, customer: Customer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        api_key=customer.secret,
        base_url=f"{gateway.url}/v1",
        max_retries=0,
        http_client=openai.DefaultHttpxClient(verify=False),
    ) as client:
        yield client


@pytest.fixture
async def async_openai_client(
    gateway: Gateway, customer: Customer
) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        api_key=customer.secret,
        base_url=f"{gateway.url}/v1",
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(verify=False),
    ) as client:
        yield client


@pytest.fixture
def anthropic_client(gateway: Gateway, customer: Customer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        api_key=customer.secret,
        base_url=gateway.url,
        max_retries=0,
        http_client=anthropic.DefaultHttpxClient(verify=False),
    ) as client:
        yield client


@pytest.fixture
async def async_anthropic_client(
    gateway: Gateway, customer: Customer
) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        api_key=customer.secret,
        base_url=gateway.url,
        max_retries=0,
        http_client=anthropic.DefaultAsyncHttpxClient(verify=False),
    ) as client:
        yield client


class Sent(list[Any]):
    """The HTTP requests that a client made, retries included."""

    @property
    def options(self) -> dict[str, Any]:
        """For ``DefaultHttpxClient`` of either SDK."""
        return {"event_hooks": {"request": [self.append]}, "verify": False}


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def google_client(gateway: Gateway, customer: Customer) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=gateway.url, timeout=20_000)
    with genai.Client(api_key=customer.secret, http_options=options) as client:
        yield client
