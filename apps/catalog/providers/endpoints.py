"""Where the usual APIs have their endpoints: the tables that rows share.

Paths begin behind the base URL, which ends with the version.
"""

from collections.abc import Mapping

from apps.catalog.providers.spec import Endpoint, Endpoints, Operation, Quirk, Wire

OPENAI_PATHS: Mapping[Operation, str] = {
    Operation.COMPLETIONS: "/completions",
    Operation.EMBEDDINGS: "/embeddings",
    Operation.IMAGES: "/images/generations",
    Operation.IMAGE_EDITS: "/images/edits",
    Operation.TRANSCRIPTION: "/audio/transcriptions",
    Operation.SPEECH: "/audio/speech",
    Operation.RERANK: "/rerank",
    Operation.MODERATION: "/moderations",
}

# https://platform.claude.com/docs/en/api/versioning, 2026-11-21: required, and this is the newest version.
ANTHROPIC_VERSION = {"anthropic-version": "2023-06-01"}


def chat_completions(
    *quirks: Quirk, models: tuple[str, ...] = ("*",), except_models: tuple[str, ...] = ()
) -> Endpoint:
    return Endpoint(
        Wire.OPENAI_CHAT,
        "/chat/completions",
        models=models,
        except_models=except_models,
        quirks=quirks,
    )


def responses(
    *quirks: Quirk,
    base_url: str = "",
    models: tuple[str, ...] = ("*",),
    except_models: tuple[str, ...] = (),
) -> Endpoint:
    return Endpoint(
        Wire.OPENAI_RESPONSES,
        "/responses",
        models=models,
        except_models=except_models,
        base_url=base_url,
        quirks=quirks,
    )


def messages(
    *quirks: Quirk,
    base_url: str = "",
    models: tuple[str, ...] = ("*",),
    except_models: tuple[str, ...] = (),
) -> Endpoint:
    """Anthropic's format, at a host that speaks another one too."""
    return Endpoint(
        Wire.ANTHROPIC_MESSAGES,
        "/messages",
        models=models,
        except_models=except_models,
        base_url=base_url,
        quirks=quirks,
    )


def generate_content(
    *, prefix: str = "", base_url: str = "", models: tuple[str, ...] = ("*",)
) -> Endpoint:
    return Endpoint(
        Wire.GEMINI,
        f"{prefix}/models/{{model}}:generateContent",
        stream_path=f"{prefix}/models/{{model}}:streamGenerateContent?alt=sse",
        models=models,
        base_url=base_url,
    )


def chat(*endpoints: Endpoint) -> Endpoints:
    """A conversation on these wires, the best first."""
    return {Operation.CHAT: endpoints}


def also(*operations: Operation) -> Endpoints:
    """OpenAI's other endpoints at their usual paths."""
    return {
        operation: (Endpoint(Wire.OPENAI_JSON, OPENAI_PATHS[operation]),)
        for operation in operations
    }


CHAT = chat(chat_completions())
CHAT_AND_RESPONSES = chat(chat_completions(), responses())
GEMINI = chat(generate_content())
MESSAGES: Endpoints = {
    **chat(messages()),
    Operation.COUNT_TOKENS: (Endpoint(Wire.ANTHROPIC_MESSAGES, "/messages/count_tokens"),),
}
CONVERSE = chat(
    Endpoint(
        Wire.BEDROCK_CONVERSE,
        "/model/{model}/converse",
        stream_path="/model/{model}/converse-stream",
    )
)
