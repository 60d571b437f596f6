"""The Gemini wire, read by Google's SDK: AI Studio's door and Vertex AI's."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from tests.sandbox.process import SandboxProcess
from tests.sandbox.raw import RawAnswer, post
from tests.sandbox.wires import VERTEX

WEATHER = types.FunctionDeclaration(
    name="get_weather",
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={"city": types.Schema(type=types.Type.STRING)},
        required=["city"],
    ),
)
CLOCK = types.FunctionDeclaration(
    name="get_time", parameters_json_schema={"type": "object", "properties": {}}
)
TOOLS: Any = [types.Tool(function_declarations=[WEATHER, CLOCK])]


def connect(sandbox: SandboxProcess, key: str = "sk-test") -> genai.Client:
    options = types.HttpOptions(base_url=sandbox.base_url)
    return genai.Client(api_key=key, http_options=options)


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[genai.Client]:
    with connect(sandbox) as client:
        yield client


def ask(client: genai.Client, contents: Any, *, model: str = "echo", **config: Any) -> Any:
    config.setdefault(
        "automatic_function_calling", types.AutomaticFunctionCallingConfig(disable=True)
    )
    return client.models.generate_content(
        model=model, contents=contents, config=types.GenerateContentConfig(**config)
    )


def generate(sandbox: SandboxProcess, body: dict[str, Any], **send: Any) -> RawAnswer:
    question = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    path = "/v1beta/models/echo:generateContent"
    return post(sandbox.base_url, path, question | body, **send)


def test_echoes_the_last_user_text_and_counts_tokens(client: genai.Client) -> None:
    answer = ask(client, "hello", system_instruction="Be brief.")

    assert answer.text == "You said: hello"
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    assert answer.model_version == "echo"
    assert answer.response_id
    usage = answer.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (4, 4)
    assert usage.total_token_count == 8
    assert usage.thoughts_token_count is None


def test_streams_cumulative_usage_and_one_finish_reason(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(model="echo", contents="hello world"))

    assert "".join(chunk.text or "" for chunk in chunks) == "You said: hello world"
    counts: list[Any] = [chunk.usage_metadata.candidates_token_count for chunk in chunks]  # type: ignore[union-attr]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (1, 6)
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks]  # type: ignore[index]
    assert reasons == [None] * (len(chunks) - 1) + [types.FinishReason.STOP]


@pytest.mark.parametrize("stream", [False, True])
def test_thinks_aloud_only_when_asked(client: genai.Client, stream: bool) -> None:
    thinking = types.ThinkingConfig(thinking_budget=20000, include_thoughts=True)
    config = types.GenerateContentConfig(thinking_config=thinking)
    if stream:
        chunks = list(
            client.models.generate_content_stream(model="echo", contents="hi", config=config)
        )
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]  # type: ignore[index,union-attr]
        usage: Any = chunks[-1].usage_metadata
    else:
        answer = ask(client, "hi", thinking_config=thinking)
        parts, usage = answer.candidates[0].content.parts, answer.usage_metadata
    thoughts = "".join(part.text or "" for part in parts if part.thought)

    assert thoughts.startswith("Step 1 of 8")
    assert "".join(part.text or "" for part in parts if not part.thought) == "You said: hi"
    assert parts[-1].thought_signature
    assert usage.thoughts_token_count == -(-len(thoughts) // 4)
    assert usage.candidates_token_count == 3
    quiet = ask(
        client, "hi", thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.HIGH)
    )
    assert quiet.text == "You said: hi"
    assert quiet.usage_metadata.thoughts_token_count == usage.thoughts_token_count


@pytest.mark.parametrize("stream", [False, True])
def test_calls_functions_in_parallel(client: genai.Client, stream: bool) -> None:
    question = "get_weather and get_time"
    if stream:
        chunks = client.models.generate_content_stream(
            model="echo", contents=question, config=types.GenerateContentConfig(tools=TOOLS)
        )
        calls = [call for chunk in chunks for call in chunk.function_calls or ()]
    else:
        calls = ask(client, question, tools=TOOLS).function_calls

    assert [(call.name, call.args) for call in calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_time", {}),
    ]
    assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize(
    ("mode", "allowed", "expected"),
    [
        ("AUTO", None, []),
        ("NONE", None, []),
        ("ANY", None, ["get_weather"]),
        ("ANY", ["get_time"], ["get_time"]),
    ],
)
def test_obeys_the_calling_mode(
    client: genai.Client, mode: Any, allowed: Any, expected: list[str]
) -> None:
    calling = types.FunctionCallingConfig(mode=mode, allowed_function_names=allowed)
    config = types.ToolConfig(function_calling_config=calling)

    answer = ask(client, "hello", tools=TOOLS, tool_config=config)

    assert [call.name for call in answer.function_calls or ()] == expected


def test_cites_function_responses_and_checks_the_turns(client: genai.Client) -> None:
    first = ask(client, "get_weather and get_time", tools=TOOLS)
    results = [
        types.Part.from_function_response(name=call.name, response={"sky": "sunny"})
        for call in first.function_calls
    ]
    turns = [
        types.Content(role="user", parts=[types.Part(text="get_weather and get_time")]),
        first.candidates[0].content,
    ]

    answer = ask(client, [*turns, types.Content(role="user", parts=results)], tools=TOOLS)

    assert "sunny" in answer.text
    with pytest.raises(errors.ClientError, match="number of function response parts"):
        ask(client, [*turns, types.Content(role="user", parts=results[:1])], tools=TOOLS)
    with pytest.raises(errors.ClientError, match="comes immediately after a function call turn"):
        ask(client, [turns[0], types.Content(role="user", parts=results)], tools=TOOLS)


def test_the_reasoner_wants_its_signatures_back(client: genai.Client) -> None:
    first = ask(client, "get_weather", model="reasoner", tools=TOOLS)
    content = first.candidates[0].content
    question = types.Content(role="user", parts=[types.Part(text="get_weather")])
    result = types.Content(
        role="user",
        parts=[types.Part.from_function_response(name="get_weather", response={"sky": "sunny"})],
    )
    turns = [question, content, result]

    assert "sunny" in ask(client, turns, model="reasoner", tools=TOOLS).text
    content.parts[0].thought_signature = b"skip_thought_signature_validator"
    assert "sunny" in ask(client, turns, model="reasoner", tools=TOOLS).text
    content.parts[0].thought_signature = b"made up"
    with pytest.raises(errors.ClientError, match="signature is not valid"):
        ask(client, turns, tools=TOOLS)
    content.parts[0].thought_signature = None
    with pytest.raises(errors.ClientError, match="missing a thought_signature"):
        ask(client, turns, model="reasoner", tools=TOOLS)
    assert "sunny" in ask(client, turns, tools=TOOLS).text


def test_sees_images_and_files(client: genai.Client) -> None:
    parts = [
        types.Part(text="look"),
        types.Part.from_bytes(data=b"x" * 70, mime_type="image/png"),
        types.Part.from_uri(file_uri="gs://bucket/cat.png", mime_type="image/png"),
    ]

    answer = ask(client, [types.Content(role="user", parts=parts)])

    assert "image image/png of 70 bytes" in answer.text
    assert "file gs://bucket/cat.png" in answer.text
    assert answer.usage_metadata.prompt_token_count == 1 + 2 * 85


@pytest.mark.parametrize("kind", ["response_schema", "response_json_schema"])
def test_answers_json_for_a_schema(client: genai.Client, kind: str) -> None:
    upper = kind == "response_schema"
    schema: Any = {
        "type": "OBJECT" if upper else "object",
        "properties": {"name": {"type": "STRING" if upper else "string"}},
    }

    answer = ask(client, "x", response_mime_type="application/json", **{kind: schema})

    assert json.loads(answer.text) == {"name": "Ada Lovelace"}


def test_stops_at_the_limit_and_at_sequences(client: genai.Client) -> None:
    short = ask(client, "a long enough text", max_output_tokens=3)
    stopped = ask(client, "one two three", stop_sequences=["three", "two"])

    assert short.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert short.usage_metadata.candidates_token_count == 3
    assert stopped.text == "You said: one "


def test_answers_several_candidates_with_logprobs(client: genai.Client) -> None:
    answer = ask(client, "hi", candidate_count=2, response_logprobs=True, logprobs=2)

    assert [candidate.index for candidate in answer.candidates] == [0, 1]
    chosen = answer.candidates[0].logprobs_result.chosen_candidates
    assert "".join(token.token for token in chosen) == "You said: hi"
    assert len(answer.candidates[0].logprobs_result.top_candidates[0].candidates) == 2


def test_searches_and_runs_code_when_named(client: genai.Client) -> None:
    tools: Any = [
        types.Tool(google_search=types.GoogleSearch()),
        types.Tool(code_execution=types.ToolCodeExecution()),
    ]

    answer = ask(client, "googleSearch and codeExecution", tools=tools)

    assert answer.candidates[0].grounding_metadata.web_search_queries
    assert answer.candidates[0].content.parts[1].code_execution_result.output == "42\n"
    assert answer.usage_metadata.tool_use_prompt_token_count == 50
    assert ask(client, "hi", tools=tools).usage_metadata.tool_use_prompt_token_count is None


def test_reports_a_repeated_long_beginning_as_cached(client: genai.Client) -> None:
    beginning = "x" * 1600

    first = ask(client, beginning + "a").usage_metadata
    second = ask(client, beginning + "b").usage_metadata

    assert first.cached_content_token_count is None
    assert second.cached_content_token_count == 1536 // 4
    assert second.prompt_token_count == first.prompt_token_count


def test_a_blocked_prompt_has_no_candidates(client: genai.Client) -> None:
    answer = ask(client, "hi", model="echo+filter")
    chunks: Any = client.models.generate_content_stream(model="echo+filter", contents="hi")

    for found in (answer, *chunks):
        assert found.candidates is None
        assert found.prompt_feedback.block_reason is types.BlockedReason.PROHIBITED_CONTENT
        assert found.usage_metadata.prompt_token_count == 1


def test_a_refusal_ends_for_safety(client: genai.Client) -> None:
    candidate = ask(client, "hi", model="echo+refusal").candidates[0]

    assert candidate.finish_reason is types.FinishReason.SAFETY
    assert candidate.safety_ratings[0].blocked


def test_counts_and_embeds(client: genai.Client) -> None:
    count = client.models.count_tokens(model="echo", contents="hello world")
    config = types.EmbedContentConfig(output_dimensionality=8)
    found: Any = client.models.embed_content(
        model="embedding", contents=["one", "two", "one"], config=config
    ).embeddings

    assert count.total_tokens == 3
    assert [len(one.values) for one in found] == [8, 8, 8]
    assert found[0].values == found[2].values != found[1].values
    assert sum(value * value for value in found[0].values) == pytest.approx(1)


def test_embeds_one_content(sandbox: SandboxProcess) -> None:
    body = {"content": {"parts": [{"text": "hello"}]}}

    answer = post(sandbox.base_url, "/v1beta/models/embedding:embedContent", body)

    assert len(answer.json["embedding"]["values"]) == 3072
    assert answer.json["usageMetadata"] == {"promptTokenCount": 2}


def test_lists_models_in_pages(client: genai.Client) -> None:
    names = [model.name for model in client.models.list(config={"page_size": 3})]

    assert names == ["models/echo", "models/reasoner", "models/long", "models/embedding"]
    assert client.models.get(model="echo").input_token_limit == 1_048_576
    with pytest.raises(errors.ClientError, match="not found"):
        client.models.get(model="missing")


def test_speaks_as_vertex_with_a_bearer_token(sandbox: SandboxProcess) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    path = f"{VERTEX}/models/echo:generateContent"

    answer = post(sandbox.base_url, path, body)
    refused = post(sandbox.base_url, path, body, headers={"authorization": ""})

    assert answer.json["candidates"][0]["content"]["parts"] == [{"text": "You said: hi"}]
    assert answer.json["usageMetadata"]["trafficType"] == "ON_DEMAND"
    assert refused.status == 401
    assert refused.json["error"]["status"] == "UNAUTHENTICATED"


def test_takes_snake_case_and_a_key_in_the_query(sandbox: SandboxProcess) -> None:
    body = {
        "contents": {"parts": [{"text": "hi"}]},
        "generation_config": {"max_output_tokens": "2"},
        "system_instruction": {"parts": [{"text": "Be brief."}]},
    }
    path = "/v1beta/models/echo:generateContent?key=sk-test"

    answer = post(sandbox.base_url, path, body, headers={"x-goog-api-key": ""})

    assert answer.json["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert sandbox.stats()["last_request"]["query"] == "key=sk-test"


@pytest.mark.parametrize(
    ("key", "status", "name"),
    [("sandbox-bad-key", 400, "INVALID_ARGUMENT"), ("", 403, "PERMISSION_DENIED")],
)
def test_refuses_keys_as_ai_studio_does(
    sandbox: SandboxProcess, key: str, status: int, name: str
) -> None:
    answer = generate(sandbox, {}, headers={"x-goog-api-key": key})

    assert answer.status == status
    assert answer.json["error"]["code"] == status
    assert answer.json["error"]["status"] == name


def test_names_every_unknown_field_with_its_path(sandbox: SandboxProcess) -> None:
    schema = {"type": "object", "$schema": "x", "properties": {"a": {"additionalProperties": False}}}  # fmt: skip
    tools = [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]

    error = generate(sandbox, {"tools": tools, "max_tokens": 5}).json["error"]

    fields = [one.get("field") for one in error["details"][0]["fieldViolations"]]
    assert fields == [
        "tools[0].function_declarations[0].parameters",
        "tools[0].function_declarations[0].parameters.properties[0].value",
        None,
    ]
    assert 'Unknown name "max_tokens": Cannot find field.' in error["message"]


def part(**fields: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [fields]}]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"contents": [{"role": "user", "parts": []}]}, "parts must not be empty"),
        (part(), "required oneof field 'data'"),
        (part(text=5), "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 5"),
        (part(inlineData={"mimeType": "image/png", "data": "%%"}), "TYPE_BYTES"),
        (part(inlineData={"data": "AAAA"}), "mime_type is required"),
        (part(functionResponse={"name": "f", "response": "sunny"}), "protobuf.Struct"),
        ({"generationConfig": {"temperature": 3}}, "temperature must be in the range"),
        ({"generationConfig": {"responseMimeType": "text/html"}}, "allowed mimetypes"),
        ({"generationConfig": {"responseSchema": {"type": "STRING"}}}, "response_schema"),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}}, "only one of thinking"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "without function_declarations"),
        ({"tools": [{"functionDeclarations": [{"name": "1 f"}]}]}, "Invalid function name"),
        ({"safetySettings": [{"category": "X", "threshold": "OFF"}]}, "TYPE_ENUM"),
    ],
)  # fmt: skip
def test_refuses_wrong_requests(
    sandbox: SandboxProcess, wrong: dict[str, Any], message: str
) -> None:
    answer = generate(sandbox, wrong)

    assert answer.status == 400
    assert answer.json["error"]["status"] == "INVALID_ARGUMENT"
    assert message in answer.json["error"]["message"]


def test_a_missing_cache_is_forbidden_and_a_limit_says_when_to_retry(
    sandbox: SandboxProcess,
) -> None:
    cached = generate(sandbox, {"cachedContent": "cachedContents/1"})
    limited = generate(sandbox, {}, headers={"x-sandbox": "status=429+retry_after=2"})

    assert cached.json["error"]["status"] == "PERMISSION_DENIED"
    assert limited.json["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert limited.json["error"]["details"][0]["retryDelay"] == "2s"


def test_signatures_are_base64(client: genai.Client, sandbox: SandboxProcess) -> None:
    body = {"generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}}}

    (found,) = generate(sandbox, body).json["candidates"][0]["content"]["parts"]

    assert len(base64.b64decode(found["thoughtSignature"], validate=True)) == 48
