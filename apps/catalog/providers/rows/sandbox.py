"""The sandbox, once for each wire that it speaks. It takes any key but, as the providers it stands in for, wants one."""

from collections.abc import Mapping

from apps.catalog.providers.endpoints import (
    ANTHROPIC_VERSION,
    CHAT_AND_RESPONSES,
    CONVERSE,
    GEMINI,
    MESSAGES,
    OPENAI_PATHS,
    also,
    chat,
    responses,
)
from apps.catalog.providers.rows import balances
from apps.catalog.providers.rows.anthropic_quirks import SIGNED_THINKING
from apps.catalog.providers.spec import (
    BalanceFeed,
    Endpoints,
    NoAuth,
    ProviderSpec,
    Quirk,
    Tier,
)

BEARER = {"authorization": "Bearer sandbox"}


def sandbox(
    slug: str,
    name: str,
    *,
    version: str,
    headers: Mapping[str, str],
    endpoints: Endpoints,
    docs: str,
    balance: BalanceFeed | None = None,
    quirks: tuple[Quirk, ...] = (),
) -> ProviderSpec:
    return ProviderSpec(
        slug=slug,
        name=name,
        base_url="{SANDBOX_URL}" + version,
        settings={"SANDBOX_URL": ""},
        auth=NoAuth(),
        headers=headers,
        endpoints=endpoints,
        quirks=quirks,
        tier=Tier.VERIFIED,
        priority=100,
        is_sandbox=True,
        prefill=("*",),
        balance=balance,
        docs=docs,
    )


ROWS = (
    sandbox(
        "sandbox",
        "Sandbox",
        version="/v1",
        headers=BEARER,
        endpoints={**CHAT_AND_RESPONSES, **also(*OPENAI_PATHS)},
        balance=balances.SANDBOX,
        docs="https://platform.openai.com/docs/api-reference/chat",
    ),
    sandbox(
        "sandbox-anthropic",
        "Sandbox (Anthropic wire)",
        version="/v1",
        headers={**ANTHROPIC_VERSION, "x-api-key": "sandbox"},
        endpoints=MESSAGES,
        quirks=(SIGNED_THINKING,),
        docs="https://platform.claude.com/docs/en/api/messages",
    ),
    sandbox(
        "sandbox-bedrock",
        "Sandbox (Bedrock's wire)",
        version="",
        headers=BEARER,
        endpoints=CONVERSE,
        docs="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    ),
    sandbox(
        "sandbox-gemini",
        "Sandbox (Gemini's wire)",
        version="/v1beta",
        headers={"x-goog-api-key": "sandbox"},
        endpoints=GEMINI,
        docs="https://ai.google.dev/api/generate-content",
    ),
    sandbox(
        "sandbox-responses",
        "Sandbox (Responses wire)",
        version="/v1",
        headers=BEARER,
        endpoints=chat(responses()),
        docs="https://platform.openai.com/docs/api-reference/responses",
    ),
)
