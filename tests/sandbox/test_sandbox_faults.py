"""The grammar of misbehaviour on the wires that came later, seen from a raw socket."""

import json
import re

import pytest

from tests.sandbox.process import SandboxProcess
from tests.sandbox.wires import TEXT, WIRES, WireUnderTest

SAID = f"You said: {TEXT}"
BOTH = pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])


@pytest.fixture(params=list(WIRES))
def wire(request: pytest.FixtureRequest) -> WireUnderTest:
    return WIRES[request.param]


@BOTH
@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_status(wire: WireUnderTest, sandbox: SandboxProcess, stream: bool, status: int) -> None:
    answer = wire.ask(sandbox, f"status={status}+retry_after=1.5", stream=stream)

    assert answer.status == status
    assert answer.headers["retry-after"] == "1.5"
    assert f"told to answer {status}" in json.dumps(answer.json)


def test_says_the_same_streamed_and_whole(wire: WireUnderTest, sandbox: SandboxProcess) -> None:
    streamed = wire.ask(sandbox)
    whole = wire.ask(sandbox, stream=False)

    assert "".join(wire.pieces(streamed.body)) == wire.whole_text(whole.json) == SAID
    assert wire.usage(wire.read(streamed.body)[-1]) == wire.usage(whole.json)
    assert wire.usage(whole.json)
    assert sum(wire.is_finish(record) for record in wire.read(streamed.body)) == 1


def test_chunks_and_text_shape_the_content(wire: WireUnderTest, sandbox: SandboxProcess) -> None:
    pieces = wire.pieces(wire.ask(sandbox, "chunks=20+text=8").body)

    assert [len(piece) for piece in pieces] == [8] * 20


def test_cut_closes_the_stream_and_halves_a_body(
    wire: WireUnderTest, sandbox: SandboxProcess
) -> None:
    streamed = wire.ask(sandbox, "cut=2+chunks=4")
    whole = wire.ask(sandbox, "cut=0", stream=False)

    assert (streamed.ending, whole.ending) == ("cut", "cut")
    assert len(streamed.chunks) >= 2
    assert sandbox.stats()["broken"] == 2


@BOTH
def test_stall_goes_silent(wire: WireUnderTest, sandbox: SandboxProcess, stream: bool) -> None:
    answer = wire.ask(sandbox, "stall=1+chunks=4", stream=stream, timeout=0.3)

    assert answer.ending == "silent"
    assert answer.body


@BOTH
def test_empty_has_no_bytes(wire: WireUnderTest, sandbox: SandboxProcess, stream: bool) -> None:
    answer = wire.ask(sandbox, "empty", stream=stream)

    assert (answer.status, answer.body, answer.ending) == (200, b"", "clean")


@BOTH
def test_empty_shell_has_no_content(
    wire: WireUnderTest, sandbox: SandboxProcess, stream: bool
) -> None:
    answer = wire.ask(sandbox, "empty=shell", stream=stream)

    assert answer.status == 200
    text = "".join(wire.pieces(answer.body)) if stream else wire.whole_text(answer.json)
    assert text == ""


@BOTH
def test_errorbody_is_an_error_with_status_200(
    wire: WireUnderTest, sandbox: SandboxProcess, stream: bool
) -> None:
    answer = wire.ask(sandbox, "errorbody", stream=stream)

    assert answer.status == 200
    assert b"The sandbox failed on request." in answer.body
    if stream:
        assert wire.is_error(wire.read(answer.body)[0])


def test_midstream_error_comes_in_band_after_n_chunks(
    wire: WireUnderTest, sandbox: SandboxProcess
) -> None:
    answer = wire.ask(sandbox, "midstream_error=2+chunks=4")

    records = wire.read(answer.body)
    assert wire.is_error(records[-1])
    assert len(wire.pieces(answer.body)) == 2
    assert answer.ending == "clean"


def test_malformed_spoils_one_record(wire: WireUnderTest, sandbox: SandboxProcess) -> None:
    answer = wire.ask(sandbox, "malformed=1+chunks=3")

    assert answer.ending == "clean"
    with pytest.raises(ValueError):
        wire.read(answer.body)


@BOTH
def test_nousage_never_speaks_of_usage(
    wire: WireUnderTest, sandbox: SandboxProcess, stream: bool
) -> None:
    answer = wire.ask(sandbox, "nousage", stream=stream)

    records = wire.read(answer.body) if stream else [answer.json]
    assert not any(wire.usage(record) for record in records)


@BOTH
def test_absurd_usage_is_negative_and_huge(
    wire: WireUnderTest, sandbox: SandboxProcess, stream: bool
) -> None:
    answer = wire.ask(sandbox, "absurd_usage", stream=stream)

    usage = wire.usage(wire.read(answer.body)[-1] if stream else answer.json)
    assert -5 in usage.values()
    assert 10**15 in usage.values()


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_split_writes_n_bytes_at_a_time(
    wire: WireUnderTest, sandbox: SandboxProcess, size: int
) -> None:
    answer = wire.ask(sandbox, f"split={size}")

    assert all(len(chunk) == size for chunk in answer.chunks[:-1])
    assert "".join(wire.pieces(answer.body)) == SAID


def test_stamp_tells_when_each_chunk_was_written(
    wire: WireUnderTest, sandbox: SandboxProcess
) -> None:
    pieces = wire.pieces(wire.ask(sandbox, "stamp+chunks=2").body)

    assert all(piece.endswith("⟩") for piece in pieces)


@BOTH
def test_refusal_is_no_ordinary_end(
    wire: WireUnderTest, sandbox: SandboxProcess, stream: bool
) -> None:
    answer = wire.ask(sandbox, "refusal", stream=stream)

    assert answer.status == 200
    assert b"can " in answer.body


def test_context_is_an_error_of_the_caller(wire: WireUnderTest, sandbox: SandboxProcess) -> None:
    answer = wire.ask(sandbox, "context")

    assert answer.status == 400
    assert re.search("token|too long", json.dumps(answer.json))


def test_unknown_options_are_refused(wire: WireUnderTest, sandbox: SandboxProcess) -> None:
    assert wire.ask(sandbox, "sttus=503").status == 400


def test_hang_and_reset(wire: WireUnderTest, sandbox: SandboxProcess) -> None:
    assert wire.ask(sandbox, "hang", timeout=0.2).ending == "silent"
    assert wire.ask(sandbox, "reset").ending == "reset"
