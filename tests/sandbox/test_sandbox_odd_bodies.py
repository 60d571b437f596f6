"""Every endpoint takes a body that uses all it knows, and no odd value in it ends in an error of the sandbox's own."""

import copy
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from apps.sandbox.anthropic_blocks import sign
from apps.sandbox.seals import seal
from tests.sandbox.process import SandboxProcess
from tests.sandbox.raw import post

ODD: tuple[Any, ...] = (
    None, 0, -1, 1.5, 10**30, True, "", "x", "\U0001f600", [], {}, [None], [{}], [[]], {"a": None},
)  # fmt: skip
TRIES_PER_PLACE = 4
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
IMAGE = "data:image/png;base64,AA=="
GEMINI_SCHEMA = {
    "type": "OBJECT",
    "properties": {"a": {"type": "ARRAY", "items": {"type": "STRING"}}},
    "required": ["a"],
}

BODIES: Mapping[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "echo",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "f"}, {"type": "image_url", "image_url": {"url": IMAGE}}]},
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "x"},
            {"role": "user", "content": "f"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": "auto",
        "stop": ["z"],
        "n": 2,
        "reasoning_effort": "low",
        "logprobs": True,
        "top_logprobs": 2,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}},
    },
    "/v1/responses": {
        "model": "echo",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "f"}, {"type": "input_image", "image_url": IMAGE}, {"type": "input_file", "file_id": "x"}]},
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "x"}], "encrypted_content": seal("x")},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]},
            {"role": "user", "content": "f g web_search"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}, {"type": "web_search"}, {"type": "custom", "name": "g"}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "s", "schema": SCHEMA}},
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "metadata": {"a": "b"},
        "max_output_tokens": 50,
        "top_logprobs": 2,
        "instructions": "x",
        "stream": True,
        "stream_options": {"include_obfuscation": False},
    },
    "/v1/completions": {"model": "echo", "prompt": ["a", "b"], "n": 2, "best_of": 3, "logprobs": 2, "stop": ["x"], "echo": True, "max_tokens": 5, "stream": True, "stream_options": {"include_usage": True}},
    "/v1/embeddings": {"model": "embedding", "input": [[1, 2], [3]], "dimensions": 4, "encoding_format": "base64"},
    "/v1/images/generations": {"model": "image", "prompt": "x", "n": 1, "size": "1024x1024", "quality": "low"},
    "/v1/audio/speech": {"model": "speech", "input": "x", "voice": "a", "response_format": "wav", "speed": 1.5, "stream_format": "sse"},
    "/v1/moderations": {"model": "moderation", "input": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "x"}}]},
    "/v1/rerank": {"model": "reranker", "query": "a b", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True},
    "/v1/messages": {
        "model": "echo",
        "max_tokens": 2000,
        "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "f"},
                    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}, "citations": {"enabled": True}, "title": "t"},
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "citations": {"enabled": True}},
                    {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}], "citations": {"enabled": True}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "x", "signature": sign("x")},
                    {"type": "redacted_thinking", "data": seal("x")},
                    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
                    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}]}, {"type": "text", "text": "f web_search"}]},
        ],
        "tools": [{"name": "f", "input_schema": SCHEMA}, {"type": "web_search_20250305", "name": "web_search"}, {"type": "bash_20250124", "name": "bash"}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "stop_sequences": ["z"],
        "metadata": {"user_id": "x"},
    },
    "/v1/messages/count_tokens": {"model": "echo", "messages": [{"role": "user", "content": "x"}], "tools": [{"name": "f", "input_schema": SCHEMA}], "system": "x"},
    "/v1beta/models/echo:generateContent": {
        "contents": [
            {"role": "user", "parts": [{"text": "f"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}, {"fileData": {"fileUri": "x", "mimeType": "y"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": seal("x")}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "id": "1", "response": {"a": 1}}}]},
            {"role": "model", "parts": [{"text": "x", "thought": True}, {"text": "y"}]},
            {"role": "user", "parts": [{"text": "f googleSearch"}]},
        ],
        "systemInstruction": {"parts": [{"text": "x"}]},
        "generationConfig": {
            "temperature": 1, "topP": 0.5, "topK": 4, "maxOutputTokens": 50, "stopSequences": ["z"], "candidateCount": 2, "responseMimeType": "application/json",
            "responseSchema": GEMINI_SCHEMA, "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2000}, "responseLogprobs": True, "logprobs": 2,
        },
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": GEMINI_SCHEMA}, {"name": "g", "parametersJsonSchema": SCHEMA}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    },
    "/v1beta/models/echo:countTokens": {"generateContentRequest": {"model": "models/echo", "contents": [{"parts": [{"text": "x"}]}]}},
    "/v1beta/models/embedding:embedContent": {"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 3, "taskType": "X"},
    "/v1beta/models/embedding:batchEmbedContents": {"requests": [{"model": "models/embedding", "content": {"parts": [{"text": "x"}]}}]},
    "/model/echo/converse": {
        "messages": [
            {"role": "user", "content": [{"text": "f"}, {"image": {"format": "png", "source": {"bytes": "AA=="}}}, {"document": {"format": "pdf", "name": "x", "source": {"bytes": "AA=="}}}, {"cachePoint": {"type": "default", "ttl": "1h"}}]},
            {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "x", "signature": sign("x")}}}, {"reasoningContent": {"redactedContent": seal("x")}}, {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"json": {"a": 1}}, {"text": "x"}], "status": "success"}}, {"text": "f"}]},
        ],
        "system": [{"text": "x"}, {"cachePoint": {"type": "default"}}],
        "inferenceConfig": {"maxTokens": 2000, "temperature": 0.5, "topP": 0.5, "stopSequences": ["z"]},
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": SCHEMA}}}, {"cachePoint": {"type": "default"}}], "toolChoice": {"auto": {}}},
        "additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "s", "schema": "{}"}}}},
    },
}  # fmt: skip


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places_in(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places_in(inner, (*path, index))


def with_odd(body: dict[str, Any], place: tuple[Any, ...], odd: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(body)
    found = changed
    for step in place[:-1]:
        found = found[step]
    found[place[-1]] = odd
    return changed  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", BODIES)
def test_takes_all_it_knows(sandbox: SandboxProcess, path: str) -> None:
    answer = post(sandbox.base_url, path, BODIES[path])

    assert answer.status == 200, answer.body


@pytest.mark.parametrize("path", BODIES)
def test_odd_values_are_the_callers_fault(sandbox: SandboxProcess, path: str) -> None:
    body = BODIES[path]
    choice = random.Random(path)

    for place in places_in(body):
        for odd in choice.sample(ODD, TRIES_PER_PLACE):
            answer = post(sandbox.base_url, path, with_odd(body, place, odd))

            assert answer.status in (200, 400, 403, 404), (place, odd, answer.body)
            if answer.status != 200:
                assert json.loads(answer.body)
