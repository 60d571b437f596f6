"""Pages of the web that an answer cites, from any wire that has a word for them to any other."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import Text
from apps.inference.canonical.events import Citation
from apps.inference.canonical.fold import fold
from apps.inference.protocols import CODECS
from apps.inference.verbatim_messages import messages_body
from tests.protocols.cases import IDENTITY, USAGE, Case, encode_stream, events_of, price

CHAT, RESPONSES, ANTHROPIC = Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.ANTHROPIC_MESSAGES
CASES = [Case(CHAT, "annotations"), Case(RESPONSES, "web_search"), Case(ANTHROPIC, "citations")]
URL = "https://example.com"


def answer(case: Case, wire: Wire) -> dict[str, Any]:
    response = CODECS[case.wire].decode_response(case.response)
    return CODECS[wire].encode_response(response, identity=IDENTITY, usage=USAGE, price=price)


def citations_in(wire: Wire, body: dict[str, Any]) -> list[dict[str, Any]]:
    match wire:
        case Wire.OPENAI_CHAT:
            annotations = body["choices"][0]["message"]["annotations"]
            assert {one["type"] for one in annotations} == {"url_citation"}
            return [one["url_citation"] for one in annotations]
        case Wire.OPENAI_RESPONSES:
            parts = [part for item in body["output"] for part in item.get("content", ())]
            return [one for part in parts for one in part["annotations"]]
        case _:
            return [one for block in body["content"] for one in block.get("citations", ())]


@pytest.mark.parametrize("wire", [CHAT, RESPONSES, ANTHROPIC])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_citation_reaches_every_wire_whole_and_streamed(case: Case, wire: Wire):
    [whole] = citations_in(wire, answer(case, wire))

    streamed = fold(events_of(wire, [encode_stream(wire, events_of(case.wire, [case.stream]))]))

    assert whole["url"] == URL
    [citation] = [
        c for block in streamed.blocks if isinstance(block, Text) for c in block.citations
    ]
    assert citation.url == URL
    assert citation.title == whole["title"]
    if wire is not ANTHROPIC:
        assert citation.span == (whole["start_index"], whole["end_index"])


def test_anthropics_citation_spans_its_block_of_the_answer():
    case = Case(ANTHROPIC, "citations")

    chat, responses = answer(case, CHAT), answer(case, RESPONSES)

    content = chat["choices"][0]["message"]["content"]
    [told] = citations_in(CHAT, chat)
    assert content[told["start_index"] : told["end_index"]] == "Rain in 北京."
    [part_told] = citations_in(RESPONSES, responses)
    assert (part_told["start_index"], part_told["end_index"]) == (0, len("Rain in 北京."))


def test_span_of_a_part_counts_from_the_message_in_chat():
    case = Case(RESPONSES, "web_search")
    response = CODECS[RESPONSES].decode_response(case.response)
    [text] = [block for block in response.blocks if isinstance(block, Text)]

    assert text.citations == (Citation(url=URL, title="Example", span=(6, 21)),)


def test_citations_before_the_text_and_between_blocks_find_their_block():
    def chunk(**delta: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        return b"data: " + orjson.dumps({"id": "c", "model": "m", "choices": [choice]}) + b"\n\n"

    def note(start: Any, end: Any) -> list[Any]:
        nested = {"url": URL, "title": "T", "start_index": start, "end_index": end}
        return [{"type": "url_citation", "url_citation": nested}, {"type": "file_citation"}]

    stream = [
        chunk(annotations=note(0, 2)),
        chunk(content="one"),
        chunk(reasoning_content="hm"),
        chunk(content="two"),
        chunk(annotations=note(3, 5)),
        chunk(annotations=note(None, "x")),
    ]

    texts = [block for block in fold(events_of(CHAT, stream)).blocks if isinstance(block, Text)]

    assert [[one.span for one in text.citations] for text in texts] == [[(0, 2)], [(0, 2), None]]


def test_citations_that_are_not_of_the_web_stay_on_their_wire():
    case = Case(ANTHROPIC, "citations")
    place = {
        "type": "char_location",
        "cited_text": "x",
        "document_index": 0,
        "document_title": None,
    }
    body = case.response | {"content": [{"type": "text", "text": "a", "citations": [place]}]}

    [text] = CODECS[ANTHROPIC].decode_response(body).blocks

    assert text == Text("a")


def test_citations_of_other_wires_do_not_go_to_anthropic():
    """Anthropic has no index for them."""
    own, ours = {"url": URL, "encrypted_index": "Eo8"}, {"url": URL, "encrypted_index": ""}
    blocks = [
        {"type": "text", "text": "a", "citations": [own, ours]},
        {"type": "text", "text": "b", "citations": [ours]},
        {"type": "text", "text": "c", "citations": "odd"},
    ]

    sent = messages_body({"messages": [{"role": "assistant", "content": blocks}]})

    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "a", "citations": [own]},
        {"type": "text", "text": "b"},
        {"type": "text", "text": "c", "citations": "odd"},
    ]
