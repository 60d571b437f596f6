"""What the checks of a body let through: everything that the two APIs take, and whatever is newer than we are."""

import orjson
import pytest

from apps.common.errors import InvalidRequest
from apps.inference.requests.chat import read_chat
from apps.inference.requests.messages import read_messages
from tests.surfaces import Json, Surface

PIXEL = "iVBORw0KGgo="
CALL: Json = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def said(*parts: Json, role: str = "user") -> Json:
    return {"messages": [{"role": role, "content": list(parts)}]}


CHAT: dict[str, Json] = {
    "custom tool": {
        "tools": [{"type": "custom", "custom": {"name": "f", "format": {"type": "text"}}}],
        "tool_choice": {"type": "custom", "custom": {"name": "f"}},
    },
    "hosted tool": {"tools": [{"type": "web_search_preview", "search_context_size": "low"}]},
    "function without parameters": {"tools": [{"type": "function", "function": {"name": "f"}}]},
    "allowed tools": {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}},
    "choice in a word": {"tool_choice": "required"},
    "call of a custom tool": {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}
                ],
            }
        ]
    },
    "call of an unknown kind": {
        "messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "new", "new": {}}]}]
    },
    "call without content": {
        "messages": [
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": ""}]},
        ]
    },
    "function of old": {
        "messages": [
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
            {"role": "function", "name": "f", "content": None},
        ]
    },
    "audio of the assistant": {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]},
    "part of an unknown kind": said({"type": "video_url", "video_url": {"url": "https://x"}}),
    "empty text": said({"type": "text", "text": ""}),
    "image": said({"type": "image_url", "image_url": {"url": "https://x", "detail": "low"}}),
    "audio": said({"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}}),
    "file by id": said({"type": "file", "file": {"file_id": "file-1"}}),
    "refusal": said({"type": "refusal", "refusal": "No."}, role="assistant"),
    "plain text": {"response_format": {"type": "text"}},
    "longest seed": {"seed": -(2**63)},
    "spoken answer": {
        "modalities": ["text", "audio"],
        "audio": {"voice": {"id": "voice_1"}, "format": "wav"},
    },
    "picture for an answer": {"modalities": ["image", "text"]},
    "prediction": {"prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
    "functions": {"functions": [{"name": "f"}], "function_call": {"name": "f"}},
    "function_call in a word": {"functions": [{"name": "f"}], "function_call": "auto"},
    "schema alone": {"response_format": {"type": "json_schema", "json_schema": {"name": "f"}}},
    "strict null": {
        "tools": [{"type": "function", "function": {"name": "f", "strict": None}}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "f", "schema": {}, "strict": None, "x": 1},
        },
    },
    "search": {
        "web_search_options": {
            "search_context_size": "low",
            "user_location": {"type": "approximate", "approximate": {"city": "Rome"}},
        }
    },
    "file of another kind": said({"type": "file", "file": {"file_url": "https://x"}}),
    "file with null for an id": said({"type": "file", "file": {"file_id": None, "file_data": "x"}}),
    "tier of another provider": {"service_tier": "on_demand"},
    "kept": {"store": True, "metadata": {"a": "b"}, "verbosity": "low"},
    "nulls": dict.fromkeys(
        ("modalities", "audio", "prediction", "metadata", "store", "service_tier", "verbosity")
    ),
}
MESSAGES: dict[str, Json] = {
    "web search": {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]},
    "computer": {
        "tools": [{"type": "computer_20250124", "name": "computer", "display_width_px": 1024}]
    },
    "toolset without a name": {"tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}]},
    "custom tool": {"tools": [{"type": "custom", "name": "f", "input_schema": {"type": "object"}}]},
    "tool of null type": {"tools": [{"type": None, "name": "f", "input_schema": {}}]},
    "no choice": {"tool_choice": {"type": "none"}},
    "adaptive thinking": {"thinking": {"type": "adaptive"}},
    "cached system": {
        "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]
    },
    "image by id": said({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
    "image": said(
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    ),
    "source of an unknown kind": said({"type": "document", "source": {"type": "new", "x": 1}}),
    "document of blocks": said(
        {
            "type": "document",
            "source": {"type": "content", "content": [{"type": "text", "text": "x"}]},
        }
    ),
    "search result": said(
        {
            "type": "search_result",
            "source": "https://docs.example",
            "title": "Docs",
            "content": [{"type": "text", "text": "x"}],
        }
    ),
    "result without content": said({"type": "tool_result", "tool_use_id": "a"}),
    "result of a search": said(
        {
            "type": "web_search_tool_result",
            "tool_use_id": "a",
            "content": [
                {
                    "type": "web_search_result",
                    "url": "https://x",
                    "title": "x",
                    "encrypted_content": "x",
                }
            ],
        },
        role="assistant",
    ),
    "failed search": said(
        {
            "type": "web_search_tool_result",
            "tool_use_id": "a",
            "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
        },
        role="assistant",
    ),
    "result of code": said(
        {
            "type": "code_execution_tool_result",
            "tool_use_id": "a",
            "content": {"type": "code_execution_result", "stdout": "", "content": []},
        },
        role="assistant",
    ),
    "result of a fetch": said(
        {
            "type": "web_fetch_tool_result",
            "tool_use_id": "a",
            "content": {
                "type": "web_fetch_result",
                "url": "https://x",
                "content": {"type": "document", "source": {"type": "text"}},
            },
        },
        role="assistant",
    ),
    "block of an unknown kind with a source": said({"type": "new", "source": "x"}),
    "thinking between tools": {"thinking": {"type": "between_tools"}},
    "least thinking": {
        "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
        "max_tokens": 1025,
    },
    "thinking longer than an answer, between tools": {
        "thinking": {"type": "enabled", "budget_tokens": 4096},
        "max_tokens": 1025,
        "tools": [{"name": "f", "input_schema": {}}],
    },
    "cache for an hour": {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
    "container with skills": {"container": {"id": None, "skills": []}},
    "container by id": {"container": "container_1", "service_tier": "standard_only"},
    "servers": {"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]},
    "user": {"metadata": {"user_id": None}},
    "block of an unknown kind": said({"type": "new", "data": {"x": 1}}),
    "thinking that is not shown": said(
        {"type": "thinking", "thinking": "", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
        role="assistant",
    ),
}


@pytest.mark.parametrize("fields", CHAT.values(), ids=CHAT.keys())
def test_chat_body_passes_when_the_api_takes_it(fields):
    assert read_chat(orjson.dumps(Surface.CHAT.body("acme/x") | fields)).model == "acme/x"


@pytest.mark.parametrize("fields", MESSAGES.values(), ids=MESSAGES.keys())
def test_messages_body_passes_when_the_api_takes_it(fields):
    assert read_messages(orjson.dumps(Surface.MESSAGES.body("acme/x") | fields)).model == "acme/x"


SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string", "x": "y" * 4000}}}


@pytest.mark.parametrize(
    ("read", "surface", "fields"),
    [
        (
            read_chat,
            Surface.CHAT,
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]},
        ),
        (
            read_chat,
            Surface.CHAT,
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "f", "schema": SCHEMA},
                }
            },
        ),
        (read_chat, Surface.CHAT, {"functions": [{"name": "f", "parameters": SCHEMA}]}),
        (read_chat, Surface.CHAT, said({"type": "file", "file": {"file_data": "x" * 16_000}})),
        (read_messages, Surface.MESSAGES, {"tools": [{"name": "f", "input_schema": SCHEMA}]}),
        (
            read_messages,
            Surface.MESSAGES,
            said({"type": "tool_use", "id": "a", "name": "f", "input": SCHEMA}, role="assistant"),
        ),
        (
            read_messages,
            Surface.MESSAGES,
            said({"type": "search_result", "source": "x" * 4000, "title": "x", "content": []}),
        ),
    ],
)
def test_what_becomes_input_is_counted_when_it_is_no_message(read, surface, fields):
    assert 4000 <= read(orjson.dumps(surface.body("acme/x") | fields)).text_bytes < 4200


@pytest.mark.parametrize(
    ("bias", "param"),
    [
        (b'{"a`b": []}', "logit_bias.ab"),
        (b'{"%s": []}' % (b"x" * 200), "logit_bias." + "x" * 100),
        (b'{"1": []', "logit_bias"),  # not even JSON
    ],
)
def test_key_of_an_object_is_named_when_it_is_odd(bias, param):
    with pytest.raises(InvalidRequest) as caught:
        read_chat(b'{"model":"acme/x","logit_bias":' + bias + b',"messages":[]}')

    assert caught.value.param == param
