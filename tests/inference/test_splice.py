"""Splice: for any answer, cut anywhere and said again in any portions, the client has it once, whole; else an error."""

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    FinishReason,
    Started,
)
from apps.inference.faults import UpstreamFault
from apps.inference.protocols import CODECS
from apps.inference.splice import Said, Splice, read_said

CLIENTS = (Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.OPENAI_RESPONSES, Wire.GEMINI)
Block = tuple[BlockKind, str]
"""A block's kind and all of its text; a tool call's are its arguments."""

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)
calls = st.dictionaries(st.sampled_from("abc"), st.integers(), min_size=1).map(
    lambda value: str(value).replace("'", '"')
)


@st.composite
def answers(draw: st.DrawFn) -> list[Block]:
    """Thoughts, then a text, then calls, as far as there are any."""
    blocks: list[Block] = []
    if draw(st.booleans()):
        blocks.append((BlockKind.REASONING, draw(texts)))
    if draw(st.booleans()) or not blocks:
        blocks.append((BlockKind.TEXT, draw(texts)))
    blocks += [(BlockKind.TOOL_CALL, draw(calls)) for _ in range(draw(st.integers(0, 2)))]
    return blocks


def events_of(blocks: Sequence[Block], *, size: int, origin: str = "a") -> Iterator[Event]:
    """The answer in deltas of ``size`` characters; each host gives its calls ids of its own."""
    yield Started(origin, "model")
    for index, (kind, text) in enumerate(blocks):
        is_call = kind is BlockKind.TOOL_CALL
        yield BlockStarted(
            index,
            kind,
            tool_call_id=f"call_{origin}{index}" if is_call else "",
            tool_name="weather" if is_call else "",
        )
        for at in range(0, len(text), size):
            yield BlockDelta(index, text[at : at + size])
        yield BlockFinished(index)
    has_calls = any(kind is BlockKind.TOOL_CALL for kind, _ in blocks)
    yield Finished(FinishReason.TOOL_CALLS if has_calls else FinishReason.STOP)


def new_encoder(wire: Wire):
    identity = AnswerIdentity(id="gen_1", model="acme/model", created=1)
    return CODECS[wire].stream_encoder(
        identity=identity, price=lambda usage: {}, include_usage=True
    )


def blocks_in(wire: Wire, stream: bytes) -> list[Block]:
    said = read_said(wire, [stream])
    return [(block.kind, block.text) for block in said.blocks.values()]


def splice(wire: Wire, first: list[Event], second: Iterator[Event]) -> bytes:
    """What the client has in the end, when the first host stops after some events and the second says it all."""
    encoder = new_encoder(wire)
    sent = b"".join(encoder.feed(event) for event in first)
    said = read_said(wire, [sent])
    again = new_encoder(wire)
    for event in said.events:
        again.feed(event)
    spliced = Splice(again, said)
    sent += b"".join(spliced.feed(event) for event in second)
    return sent + spliced.finish(Usage(input=1, output=1))


@pytest.mark.parametrize("wire", CLIENTS)
@given(data=st.data(), blocks=answers(), one=st.integers(1, 9), other=st.integers(1, 9))
def test_client_has_the_answer_once_wherever_it_was_cut(wire, data, blocks, one, other):
    whole = list(events_of(blocks, size=one))
    cut = data.draw(st.integers(2, len(whole) - 1))

    stream = splice(wire, whole[:cut], events_of(blocks, size=other, origin="b"))

    encoder = new_encoder(wire)
    healthy = b"".join(encoder.feed(event) for event in whole) + encoder.finish(Usage())
    assert blocks_in(wire, stream) == blocks_in(wire, healthy)
    ids = [e.tool_call_id for e in read_said(wire, [stream]).events if isinstance(e, BlockStarted)]
    assert len({*filter(None, ids)}) == sum(kind is BlockKind.TOOL_CALL for kind, _ in blocks)


@pytest.mark.parametrize("wire", CLIENTS)
@given(data=st.data(), blocks=answers(), size=st.integers(1, 9))
def test_one_other_character_is_another_answer(wire, data, blocks, size):
    """In what the client has; thoughts that have ended are the only part that may differ."""
    spoken = [n for n, (kind, _) in enumerate(blocks) if kind is not BlockKind.REASONING]
    changed = data.draw(st.sampled_from(spoken or [0]))
    kind, text = blocks[changed]
    at = data.draw(st.integers(0, len(text) - 1))
    other = [*blocks]
    other[changed] = (kind, text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :])
    whole = list(events_of(blocks, size=size))
    # Cut where the whole changed block is with the client.
    said = next(n for n, event in enumerate(whole) if event == BlockFinished(changed))

    with pytest.raises(UpstreamFault, match="diverged"):
        splice(wire, whole[: said + 1], events_of(other, size=size, origin="b"))


TEXT = (BlockKind.TEXT, "It is sunny.")
THOUGHT = (BlockKind.REASONING, "Let me see.")
CALL = (BlockKind.TOOL_CALL, '{"a": 1}')
LONGER = (BlockKind.TEXT, "It is sunny. Really.")


def said_of(*blocks: Block) -> list[Event]:
    """All that was said, without the end of the last block."""
    return list(events_of(blocks, size=4))[:-2]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # Whoever reads the answer already has thoughts, and needs no others.
        (said_of(THOUGHT, TEXT), [(BlockKind.REASONING, "Hmm."), TEXT], [THOUGHT, TEXT]),
        (said_of(THOUGHT, TEXT), [TEXT], [THOUGHT, TEXT]),
        (said_of(TEXT), [THOUGHT, TEXT], [TEXT]),
        (said_of(THOUGHT), [THOUGHT, TEXT], [THOUGHT, TEXT]),
    ],
)
def test_thoughts_may_differ_once_the_answer_has_begun(first, second, expected):
    stream = splice(Wire.ANTHROPIC_MESSAGES, first, events_of(second, size=3))

    assert blocks_in(Wire.ANTHROPIC_MESSAGES, stream) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (said_of(THOUGHT), [(BlockKind.REASONING, "Hmm."), TEXT]),
        (said_of(THOUGHT), [TEXT]),
        (said_of(TEXT), [(BlockKind.TEXT, "It is")]),
        (said_of(TEXT), []),
        (said_of(TEXT), [(BlockKind.TOOL_CALL, "{}")]),
        (said_of(TEXT, CALL), [LONGER, CALL]),
    ],
    ids=["other thoughts", "no thoughts", "shorter", "nothing", "another kind", "longer than what has ended"],
)  # fmt: skip
def test_what_the_client_has_must_be_said_again(first, second):
    with pytest.raises(UpstreamFault, match="diverged"):
        splice(Wire.ANTHROPIC_MESSAGES, first, events_of(second, size=3))


@pytest.mark.parametrize("wire", CLIENTS)
def test_last_block_may_go_on_though_the_first_host_closed_it(wire):
    closed = list(events_of([TEXT], size=4))[:-1]

    stream = splice(wire, closed, events_of([LONGER], size=3))

    assert blocks_in(wire, stream) == [LONGER]


def test_host_that_was_told_the_beginning_says_the_rest():
    said = Said()
    said.take(itertools.islice(events_of([TEXT], size=4), 4))
    encoder = new_encoder(Wire.OPENAI_CHAT)
    sent = b"".join(encoder.feed(event) for event in said.events)

    spliced = Splice(encoder, said, given="It is su")
    rest = [(BlockKind.TEXT, "nny.")]
    sent += b"".join(spliced.feed(event) for event in events_of(rest, size=4))

    assert blocks_in(Wire.OPENAI_CHAT, sent) == [TEXT]


def test_nobody_goes_on_behind_a_reason_to_end():
    chunk = b'data: {"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n'
    text, end = chunk % (b'{"content":"Hi"}', b"null"), chunk % (b"{}", b'"stop"')

    assert read_said(Wire.OPENAI_CHAT, [text]).is_recoverable
    assert not read_said(Wire.OPENAI_CHAT, [text, end]).is_recoverable
