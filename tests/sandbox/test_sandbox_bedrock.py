"""The Bedrock wire, signed and read by botocore."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import botocore.session  # type: ignore[import-untyped]
import pytest
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import ClientError, EventStreamError  # type: ignore[import-untyped]

from tests.sandbox.process import SandboxProcess
from tests.sandbox.raw import post

ACCESS_KEY = "AKIASANDBOX"
SECRET = "sandbox-secret"
WEATHER = {
    "toolSpec": {
        "name": "get_weather",
        "inputSchema": {
            "json": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
}
CLOCK = {"toolSpec": {"name": "get_time", "inputSchema": {"json": {"type": "object"}}}}
TOOLS = {"tools": [WEATHER, CLOCK]}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
BODY = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
PATH = "/model/echo/converse"

Connect = Callable[..., Any]


@pytest.fixture
def connect(sandbox: SandboxProcess) -> Iterator[Connect]:
    clients: list[Any] = []

    def connect(access_key: str = ACCESS_KEY, secret: str = SECRET) -> Any:
        client = botocore.session.Session().create_client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=sandbox.base_url,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Connect) -> Any:
    return connect()


def ask(client: Any, content: Any, *, model: str = "echo", **options: Any) -> Any:
    if isinstance(content, str):
        content = [{"text": content}]
    messages = [{"role": "user", "content": content}]
    return client.converse(**{"modelId": model, "messages": messages, **options})


def stream(client: Any, content: str, *, model: str = "echo", **options: Any) -> list[Any]:
    messages = [{"role": "user", "content": [{"text": content}]}]
    answer = client.converse_stream(modelId=model, messages=messages, **options)
    with closing(answer["stream"]) as events:
        return list(events)


def test_echoes_the_last_user_text_and_counts_tokens(client: Any) -> None:
    answer = ask(client, "hello", system=[{"text": "Be brief."}])

    assert answer["output"]["message"] == {
        "role": "assistant",
        "content": [{"text": "You said: hello"}],
    }
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"] == {
        "inputTokens": 4,
        "outputTokens": 4,
        "totalTokens": 8,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
    }
    assert answer["metrics"]["latencyMs"] >= 0


def test_streams_the_exact_event_grammar(client: Any) -> None:
    events = stream(client, "hi")

    assert [next(iter(event)) for event in events] == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockDelta",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    assert events[0]["messageStart"]["role"] == "assistant"
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in events[1:4]]
    assert texts == ["You ", "said: ", "hi"]
    assert events[5]["messageStop"]["stopReason"] == "end_turn"
    assert events[6]["metadata"]["usage"]["outputTokens"] == 3


def test_calls_tools_in_parallel_after_a_sentence(client: Any) -> None:
    content = ask(client, "get_weather and get_time", toolConfig=TOOLS)["output"]["message"]["content"]  # fmt: skip
    events = stream(client, "get_weather and get_time", toolConfig=TOOLS)

    uses = [block["toolUse"] for block in content[1:]]
    assert content[0]["text"] == "I will call get_weather, get_time."
    assert [(use["name"], use["input"]) for use in uses] == [
        ("get_weather", {"city": "Paris"}),
        ("get_time", {}),
    ]
    starts = [e["contentBlockStart"] for e in events if "contentBlockStart" in e]
    assert [start["start"]["toolUse"]["name"] for start in starts] == ["get_weather", "get_time"]
    deltas = [e["contentBlockDelta"] for e in events if "contentBlockDelta" in e]
    arguments = [
        delta["delta"]["toolUse"]["input"] for delta in deltas if delta["contentBlockIndex"] == 1
    ]
    assert json.loads("".join(arguments)) == {"city": "Paris"}
    assert events[-2]["messageStop"]["stopReason"] == "tool_use"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [({"auto": {}}, []), ({"any": {}}, ["get_weather"]), ({"tool": {"name": "get_time"}}, ["get_time"])],
)  # fmt: skip
def test_obeys_tool_choice(client: Any, choice: Any, expected: list[str]) -> None:
    answer = ask(client, "hello", toolConfig={**TOOLS, "toolChoice": choice})

    content = answer["output"]["message"]["content"]
    assert [block["toolUse"]["name"] for block in content if "toolUse" in block] == expected


def test_cites_tool_results_and_checks_the_turns(client: Any) -> None:
    question = {"role": "user", "content": [{"text": "get_weather and get_time"}]}
    first = ask(client, "get_weather and get_time", toolConfig=TOOLS)["output"]["message"]
    names = [block["toolUse"]["toolUseId"] for block in first["content"][1:]]
    results = [
        {"toolResult": {"toolUseId": name, "content": [{"json": {"sky": "sunny"}}]}}
        for name in names
    ]

    def follow(content: list[Any], **options: Any) -> Any:
        turns = [question, first, {"role": "user", "content": content}]
        return ask(client, "", messages=turns, **{"toolConfig": TOOLS, **options})

    assert "sunny" in follow(results)["output"]["message"]["content"][0]["text"]
    with pytest.raises(ClientError, match=r"Expected toolResult blocks at messages\.2\.content"):
        follow(results[:1])
    with pytest.raises(ClientError, match="exceeds the number of toolUse blocks"):
        ask(client, results, toolConfig=TOOLS)
    with pytest.raises(ClientError, match="toolConfig field must be defined"):
        ask(client, "", messages=[question, first, {"role": "user", "content": results}])


@pytest.mark.parametrize("redacted", [False, True])
def test_thinks_with_a_signature_that_must_come_back_unchanged(client: Any, redacted: bool) -> None:
    model = "echo+redacted" if redacted else "echo"
    options: Any = {
        "additionalModelRequestFields": THINKING,
        "inferenceConfig": {"maxTokens": 4000},
    }

    message = ask(client, "hi", model=model, **options)["output"]["message"]
    events = stream(client, "hi", model=model, **options)

    thought = message["content"][0]["reasoningContent"]
    deltas = [
        event["contentBlockDelta"]["delta"]["reasoningContent"]
        for event in events
        if "reasoningContent" in event.get("contentBlockDelta", {}).get("delta", {})
    ]
    spoiled: dict[str, Any]
    if redacted:
        assert deltas == [{"redactedContent": thought["redactedContent"]}]
        spoiled = {"redactedContent": b"made up"}
    else:
        text = "".join(delta.get("text", "") for delta in deltas)
        assert text == thought["reasoningText"]["text"]
        assert text.startswith("Step 1")
        assert deltas[-1] == {"signature": thought["reasoningText"]["signature"]}
        spoiled = {"reasoningText": {**thought["reasoningText"], "text": "Step 0"}}
    turns = [
        {"role": "user", "content": [{"text": "hi"}]},
        message,
        {"role": "user", "content": [{"text": "more"}]},
    ]
    again = ask(client, "", messages=turns)["output"]["message"]["content"]
    assert again == [{"text": "You said: more"}]
    message["content"][0] = {"reasoningContent": spoiled}
    with pytest.raises(ClientError, match="Invalid"):
        ask(client, "", messages=turns)


def test_sees_images_and_documents(client: Any) -> None:
    content = [
        {"text": "look"},
        {"image": {"format": "png", "source": {"bytes": b"x" * 70}}},
        {"document": {"format": "pdf", "name": "Report", "source": {"bytes": b"y" * 9}}},
    ]

    text = ask(client, content)["output"]["message"]["content"][0]["text"]

    assert "image png of 70 bytes" in text
    assert "document Report pdf of 9 bytes" in text


def test_reads_and_writes_the_cache_at_cache_points(client: Any) -> None:
    content = [
        {"text": "a" * 400},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
        {"text": "b" * 40},
        {"cachePoint": {"type": "default"}},
        {"text": "c" * 4},
    ]

    first, second = (ask(client, content)["usage"] for _ in range(2))

    assert (first["inputTokens"], first["cacheWriteInputTokens"]) == (1, 110)
    assert first["cacheDetails"] == [
        {"ttl": "5m", "inputTokens": 10},
        {"ttl": "1h", "inputTokens": 100},
    ]
    assert (second["inputTokens"], second["cacheReadInputTokens"]) == (1, 110)
    assert second["totalTokens"] == first["totalTokens"]


def test_answers_json_for_a_schema_and_stops(client: Any) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    definition = {"jsonSchema": {"name": "s", "schema": json.dumps(schema)}}
    wanted = {"textFormat": {"type": "json_schema", "structure": definition}}

    bound = ask(client, "x", outputConfig=wanted)
    short = ask(client, "a long enough text", inferenceConfig={"maxTokens": 3})
    stopped = ask(client, "one two three", inferenceConfig={"stopSequences": ["two"]})
    refused = ask(client, "hi", model="echo+refusal")

    (block,) = bound["output"]["message"]["content"]
    assert json.loads(block["text"]) == {"name": "Ada Lovelace"}
    assert (short["stopReason"], short["usage"]["outputTokens"]) == ("max_tokens", 3)
    assert stopped["stopReason"] == "stop_sequence"
    assert refused["stopReason"] == "content_filtered"


def test_an_error_in_the_stream_is_an_exception_message(client: Any) -> None:
    with pytest.raises(EventStreamError, match="serviceUnavailableException"):
        stream(client, "hi", model="echo+midstream_error=1")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ],
)
def test_names_errors_as_bedrock_does(client: Any, status: int, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        ask(client, "hi", model=f"echo+status={status}")
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_an_unknown_model_is_a_validation_error(client: Any) -> None:
    with pytest.raises(ClientError, match="model identifier is invalid"):
        ask(client, "hi", model="anthropic.claude-3:0")


class TestKeys:
    def test_checks_the_signature_of_the_known_key(self, connect: Connect) -> None:
        assert ask(connect(), "hi", model="echo+chunks=2")["stopReason"] == "end_turn"
        with pytest.raises(ClientError) as caught:
            ask(connect(secret="another"), "hi")
        assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"

    def test_takes_other_keys_by_their_shape(self, connect: Connect) -> None:
        assert ask(connect("AKIAOTHER", "whatever"), "hi")["stopReason"] == "end_turn"
        with pytest.raises(ClientError) as caught:
            ask(connect("sandbox-bad-key", "whatever"), "hi")
        assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"

    @pytest.mark.parametrize(
        ("header", "status", "kind"),
        [
            ("Bearer bedrock-api-key", 200, ""),
            ("Bearer sandbox-bad-key", 403, "AccessDeniedException"),
            ("", 403, "MissingAuthenticationTokenException"),
            ("AWS4-HMAC-SHA256 Credential=x", 403, "IncompleteSignatureException"),
            (
                "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, "
                f"Signature={'0' * 64}",
                403,
                "IncompleteSignatureException",
            ),
        ],
    )
    def test_takes_bearer_tokens_and_whole_signatures(
        self, sandbox: SandboxProcess, header: str, status: int, kind: str
    ) -> None:
        headers = {"authorization": header, "x-amz-date": "20260101T000000Z"}

        answer = post(sandbox.base_url, PATH, BODY, headers=headers)

        assert answer.status == status
        assert answer.headers.get("x-amzn-errortype", "").partition(":")[0] == kind
        if kind:
            assert set(answer.json) == {"message"}


def turn(*content: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(content)}]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"messages": []}, "must start with a user message"),
        (turn({"text": "x"}, role="assistant"), "must start with a user message"),
        (turn({"text": "x"}, role="robot"), "enum value set: [user, assistant]"),
        (turn(), "content field in the Message object at messages.0 is empty"),
        (turn({"text": " "}), "is blank"),
        (turn({"txt": "x"}), "must set one of the following keys"),
        ({"messages": BODY["messages"] * 2}, "must alternate"),
        (turn({"image": {"format": "tiff", "source": {"bytes": "AAAA"}}}), "[png, jpeg, gif, webp]"),
        ({"inferenceConfig": {"temperature": 2}}, "temperature"),
        ({"inferenceConfig": {"maxTokens": 0}}, "maxTokens"),
        ({"inferenceConfig": {"max_tokens": 5}}, "extraneous key [inferenceConfig.max_tokens]"),
        ({"inference_config": {}}, "extraneous key [inference_config]"),
        ({"toolConfig": {"tools": []}}, "length greater than or equal to 1"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "a b"}}]}}, "regular expression pattern"),
        ({"toolConfig": {**TOOLS, "toolChoice": {"none": {}}}}, "toolChoice"),
        (
            {"additionalModelRequestFields": THINKING, "inferenceConfig": {"maxTokens": 100}},
            "must be greater than",
        ),
    ],
)  # fmt: skip
def test_refuses_wrong_requests(
    sandbox: SandboxProcess, wrong: dict[str, Any], message: str
) -> None:
    answer = post(sandbox.base_url, PATH, {**BODY, **wrong})

    assert answer.status == 400
    assert message in answer.json["message"]
