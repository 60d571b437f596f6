"""Anthropic's wire beyond plain messages: counts, documents, citations, provided tools, versions, read by the official SDK."""

import base64
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.sandbox.process import SandboxProcess
from tests.sandbox.raw import post

PDF = base64.b64encode(b"%PDF-1.4").decode()
TEXT_SOURCE = {"type": "text", "media_type": "text/plain", "data": "Grass is green. The sky is blue."}  # fmt: skip
PDF_SOURCE = {"type": "base64", "media_type": "application/pdf", "data": PDF}
CONTENT_SOURCE = {"type": "content", "content": [{"type": "text", "text": "Snow is white."}]}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        yield client


def ask(client: anthropic.Anthropic, content: Any, *, model: str = "echo", **options: Any) -> Any:
    messages = [{"role": "user", "content": content}]
    return client.messages.create(
        **{"model": model, "max_tokens": 4000, "messages": messages, **options}
    )


def stream(
    client: anthropic.Anthropic, content: Any, *, model: str = "echo", **options: Any
) -> Any:
    messages: Any = [{"role": "user", "content": content}]
    with client.messages.stream(
        model=model, max_tokens=4000, messages=messages, **options
    ) as events:
        return events.get_final_message()


def document(source: dict[str, Any], *, cites: bool = True, **fields: Any) -> dict[str, Any]:
    return {"type": "document", "source": source, "citations": {"enabled": cites}, **fields}


def test_counts_tokens_as_the_answer_will(client: anthropic.Anthropic) -> None:
    messages: Any = [{"role": "user", "content": "hello world"}]
    tools: Any = [{"name": "f", "input_schema": {"type": "object"}}]

    counted = client.messages.count_tokens(
        model="echo", messages=messages, system="Be brief.", tools=tools
    )

    answer = ask(client, "hello world", system="Be brief.", tools=tools)
    assert counted.input_tokens == answer.usage.input_tokens
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Extra inputs"):
        client.messages.count_tokens(model="echo", messages=messages, extra_body={"max_tokens": 5})


def test_shows_every_kind_of_document(client: anthropic.Anthropic) -> None:
    sources: list[dict[str, Any]] = [
        TEXT_SOURCE,
        PDF_SOURCE,
        CONTENT_SOURCE,
        {"type": "url", "url": "https://example.com/a.pdf"},
        {"type": "file", "file_id": "file_1"},
    ]
    blocks = [document(source, cites=False) for source in sources]

    text = ask(client, [*blocks, {"type": "text", "text": "look"}]).content[0].text

    for shown in ("of 32 characters", "application/pdf of 8 bytes", "content blocks", "a.pdf", "file_1"):  # fmt: skip
        assert shown in text


@pytest.mark.parametrize("say", [ask, stream], ids=["json", "stream"])
def test_cites_documents_in_their_own_units(client: anthropic.Anthropic, say: Any) -> None:
    result = {
        "type": "search_result",
        "source": "https://example.com/",
        "title": "Snow",
        "content": [{"type": "text", "text": "Snow falls."}],
        "citations": {"enabled": True},
    }
    blocks = [
        document(TEXT_SOURCE, title="Colours"),
        document(PDF_SOURCE),
        document(CONTENT_SOURCE),
        result,
        {"type": "text", "text": "what?"},
    ]

    (block,) = say(client, blocks).content

    characters, pages, content, found = block.citations
    assert characters.type == "char_location"
    assert (characters.document_index, characters.document_title) == (0, "Colours")
    cited = TEXT_SOURCE["data"][characters.start_char_index : characters.end_char_index]
    assert characters.cited_text == cited
    assert (pages.type, pages.start_page_number, pages.end_page_number) == ("page_location", 1, 2)
    assert (content.type, content.cited_text) == ("content_block_location", "Snow is white.")
    assert (found.type, found.search_result_index, found.title) == ("search_result_location", 0, "Snow")  # fmt: skip
    assert block.text.startswith("You said: what?")


def test_cites_nothing_unasked_and_all_or_none(client: anthropic.Anthropic) -> None:
    plain = ask(client, [document(TEXT_SOURCE, cites=False), {"type": "text", "text": "x"}])
    schema = {"type": "json_schema", "schema": {"type": "object"}}

    assert plain.content[0].citations is None
    with pytest.raises(anthropic.BadRequestError, match="all or none"):
        ask(client, [document(TEXT_SOURCE), document(PDF_SOURCE, cites=False)])
    with pytest.raises(anthropic.BadRequestError, match="structured outputs"):
        ask(client, [document(TEXT_SOURCE)], output_config={"format": schema})


@pytest.mark.parametrize("say", [ask, stream], ids=["json", "stream"])
def test_searches_and_runs_code_when_named(client: anthropic.Anthropic, say: Any) -> None:
    tools = [SEARCH, {"type": "code_execution_20250825", "name": "code_execution"}]

    answer = say(client, "web search, then code execution", tools=tools)

    assert [block.type for block in answer.content] == [
        "server_tool_use",
        "web_search_tool_result",
        "server_tool_use",
        "code_execution_tool_result",
        "text",
    ]
    search, found, run, ran, text = answer.content
    assert search.input == {"query": "web search, then code execution"}
    assert found.tool_use_id == search.id
    assert found.content[0].url == text.citations[0].url == "https://example.com/"
    assert ran.content.stdout == "42\n"
    assert answer.usage.server_tool_use.web_search_requests == 1
    again: Any = [
        {"role": "user", "content": "web search"},
        {"role": "assistant", "content": [b.to_dict() for b in (search, found, run, ran)]},
        {"role": "user", "content": "more"},
    ]
    assert ask(client, "", messages=again, tools=tools).content[0].text == "You said: more"
    del again[1]["content"][0]
    with pytest.raises(anthropic.BadRequestError, match="corresponding `server_tool_use`"):
        ask(client, "", messages=again, tools=tools)


def test_takes_tools_by_type_and_refuses_unknown_types(client: anthropic.Anthropic) -> None:
    shell = {"type": "bash_20250124", "name": "bash"}

    answer = ask(client, "use bash", tools=[shell, SEARCH])

    assert answer.content[1].name == "bash"
    assert "command" in answer.content[1].input
    with pytest.raises(anthropic.BadRequestError, match="Input tag 'teleport_20250101'"):
        ask(client, "hi", tools=[{"type": "teleport_20250101", "name": "teleport"}])


@pytest.mark.parametrize("say", [ask, stream], ids=["json", "stream"])
def test_redacts_thinking_that_must_come_back_unchanged(
    client: anthropic.Anthropic, say: Any
) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}

    answer = say(client, "hi", model="echo+redacted", thinking=thinking)

    assert answer.content[0].type == "redacted_thinking"
    assert answer.usage.output_tokens_details.thinking_tokens > 0
    block = answer.content[0].to_dict()
    turns: Any = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [block, {"type": "text", "text": "x"}]},
        {"role": "user", "content": "more"},
    ]
    assert ask(client, "", messages=turns).content[0].text == "You said: more"
    block["data"] = "AAAA"
    with pytest.raises(anthropic.BadRequestError, match="redacted_thinking"):
        ask(client, "", messages=turns)


def test_splits_cache_writes_by_ttl_and_wants_the_longer_first(
    client: anthropic.Anthropic,
) -> None:
    def block(text: str, ttl: str) -> dict[str, Any]:
        return {
            "type": "text",
            "text": text * 400,
            "cache_control": {"type": "ephemeral", "ttl": ttl},
        }

    usage = ask(client, [block("a", "1h"), block("b", "5m"), {"type": "text", "text": "c"}]).usage

    assert usage.cache_creation.to_dict() == {
        "ephemeral_1h_input_tokens": 100,
        "ephemeral_5m_input_tokens": 100,
    }
    assert usage.cache_creation_input_tokens == 200
    with pytest.raises(anthropic.BadRequestError, match="must not come after"):
        ask(client, [block("a", "5m"), block("b", "1h")])


@pytest.mark.parametrize("say", [ask, stream], ids=["json", "stream"])
def test_a_refusal_has_its_own_stop_reason(client: anthropic.Anthropic, say: Any) -> None:
    answer = say(client, "hi", model="echo+refusal")

    assert answer.stop_reason == "refusal"
    assert answer.stop_details.type == "refusal"


class TestVersions:
    BODY = {"model": "echo", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"temperature": 1.0}, "temperature: Extra inputs are not permitted"),
            ({"top_p": 0.5}, "top_p: Extra inputs are not permitted"),
            ({"top_k": 5}, "top_k: Extra inputs are not permitted"),
            (
                {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [document(TEXT_SOURCE, cites=False)]}]},
                "document",
            ),
            (
                {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "citations": [{}]}]}]},
                "citations",
            ),
        ],
    )  # fmt: skip
    def test_the_newer_is_stricter(
        self, sandbox: SandboxProcess, change: dict[str, Any], message: str
    ) -> None:
        body = {**self.BODY, **change}

        older = post(sandbox.base_url, "/v1/messages", body)
        newer = post(
            sandbox.base_url, "/v1/messages", body, headers={"anthropic-version": "2026-10-21"}
        )

        assert older.status == 200
        assert newer.status == 400
        assert message in newer.json["error"]["message"]

    def test_others_are_unknown(self, sandbox: SandboxProcess) -> None:
        for version in ("", "2024-01-01"):
            headers = {"anthropic-version": version}
            answer = post(sandbox.base_url, "/v1/messages", self.BODY, headers=headers)
            assert answer.status == 400


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (document({**PDF_SOURCE, "media_type": "text/html"}), "application/pdf"),
        (document({**TEXT_SOURCE, "media_type": "text/html"}), "text/plain"),
        (document({"type": "tape"}), "Input tag 'tape'"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": "AAAA"}}, "image/webp"),
        ({"type": "search_result", "source": "x", "title": "y", "content": []}, "at least one block"),
    ],
)  # fmt: skip
def test_refuses_wrong_blocks(
    client: anthropic.Anthropic, block: dict[str, Any], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message):
        ask(client, [block])
