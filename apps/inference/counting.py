"""Counting tokens for a model whose host cannot: our own estimate, in the shape of Anthropic's answer or Google's."""

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.context import RequestContext
from apps.inference.delivery import Client


async def answer(context: RequestContext, client: Client) -> None:
    name = "totalTokens" if context.surface.wire is Wire.GEMINI else "input_tokens"
    body = orjson.dumps({name: context.estimated_input})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-gatewayz-estimated", b"true"),
        *context.id_headers(),
        *context.limit_headers,
    ]
    context.progress.delivered = True
    await client.start(200, headers)
    await client.send_body(body, more=False)
