"""Every option of the grammar, seen from a raw socket."""

import json
import re
import socket
import time
from typing import Any

import pytest

from tests.sandbox.process import SandboxProcess
from tests.sandbox.raw import RawAnswer, post

OPENAI = "/v1/chat/completions"
ANTHROPIC = "/v1/messages"
WIRES = pytest.mark.parametrize("path", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
BOTH = pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
TEXT = "one two three four"


@pytest.fixture
def ask(sandbox: SandboxProcess) -> Any:
    def ask(
        options: str, *, path: str = OPENAI, stream: bool = True, text: str = TEXT, **send: Any
    ) -> RawAnswer:
        body: dict[str, Any] = {
            "model": f"echo+{options}" if options else "echo",
            "max_tokens": 10_000,
            "stream": stream,
            "messages": [{"role": "user", "content": text}],
        }
        if stream and path == OPENAI:
            body["stream_options"] = {"include_usage": True}
        return post(sandbox.base_url, path, body, **send)

    return ask


def content_chunks(answer: RawAnswer) -> int:
    return sum(
        '"text_delta"' in record or bool(re.search(r'"content":"[^"]', record))
        for record in answer.records
    )


@WIRES
@BOTH
@pytest.mark.parametrize(
    ("status", "openai_type", "anthropic_type"),
    [
        (401, "invalid_request_error", "authentication_error"),
        (429, "requests", "rate_limit_error"),
        (500, "server_error", "api_error"),
        (503, "service_unavailable_error", "api_error"),
        (529, "server_error", "overloaded_error"),
    ],
)
def test_status(
    ask: Any, path: str, stream: bool, status: int, openai_type: str, anthropic_type: str
) -> None:
    answer = ask(f"status={status}+retry_after=1.5", path=path, stream=stream)

    assert answer.status == status
    assert answer.headers["retry-after"] == "1.5"
    assert answer.json["error"]["type"] == (openai_type if path == OPENAI else anthropic_type)


def test_first_and_every_choose_the_turns(ask: Any, sandbox: SandboxProcess) -> None:
    first = [ask("status=500+first=2").status for _ in range(4)]
    every = [ask("status=500+every=3").status for _ in range(6)]
    either = [ask("status=500+first=1+every=3").status for _ in range(4)]
    sandbox.reset()
    again = ask("status=500+first=2").status

    assert first == [500, 500, 200, 200]
    assert every == [200, 200, 500, 200, 200, 500]
    assert either == [500, 200, 500, 200]
    assert again == 500


def test_spared_turns_keep_their_manners(ask: Any) -> None:
    ask("cut=1+first=1+chunks=2")

    assert content_chunks(ask("cut=1+first=1+chunks=2")) == 2


def test_the_header_carries_options_too_and_wins(ask: Any) -> None:
    assert ask("", headers={"x-sandbox": "status=502"}).status == 502
    assert ask("status=500", headers={"x-sandbox": "status=503"}).status == 503


@pytest.mark.parametrize(
    "options", ["sttus=503", "cut=many", "status=200", "crlf=maybe", "empty=full"]
)
def test_refuses_what_is_not_in_the_grammar(ask: Any, options: str) -> None:
    answer = ask(options)

    assert answer.status == 400
    assert answer.json["error"]["code"] == "unknown_sandbox_option"


@BOTH
def test_delay_comes_before_the_headers(ask: Any, stream: bool) -> None:
    assert ask("delay=150", stream=stream).headers_after >= 0.15
    assert ask("delay=150+status=500", stream=stream).headers_after >= 0.15


@BOTH
def test_ttft_comes_after_the_headers(ask: Any, stream: bool) -> None:
    answer = ask("ttft=200", stream=stream)

    assert answer.headers_after < 0.15
    assert answer.took >= 0.2
    if stream:
        assert answer.chunk_times[0] < 0.15
        assert answer.chunk_times[1] >= 0.2


def test_interval_spaces_the_chunks(ask: Any) -> None:
    answer = ask("interval=30+chunks=4")

    gaps = [b - a for a, b in zip(answer.chunk_times[1:5], answer.chunk_times[2:6], strict=True)]
    assert all(gap >= 0.02 for gap in gaps)


@pytest.mark.parametrize(
    "fault", ["cut=2", "malformed=2", "midstream_error=2", "marker=2", "nofinish"]
)
def test_lull_comes_before_the_break_and_nowhere_else(ask: Any, fault: str) -> None:
    answer = ask(f"{fault}+chunks=4+lull=150")
    whole = ask("chunks=4+lull=150")

    assert 0.15 <= answer.took < 0.3
    assert whole.took < 0.15


@WIRES
def test_chunks_and_text_shape_the_content(ask: Any, path: str) -> None:
    plain = ask("", path=path)
    few = ask("chunks=2", path=path)
    small = ask("text=3", path=path)
    exact = ask("chunks=50+text=8", path=path)
    many = ask("chunks=90", path=path)

    assert plain.text == few.text == small.text == f"You said: {TEXT}"
    assert (content_chunks(plain), content_chunks(few), content_chunks(small)) == (6, 2, 10)
    assert (content_chunks(exact), len(exact.text)) == (50, 400)
    assert content_chunks(many) == 90
    assert exact.text.startswith(plain.text)


def test_json_says_what_the_stream_says(ask: Any) -> None:
    streamed = ask("chunks=50+text=8").text

    assert (
        ask("chunks=50+text=8", stream=False).json["choices"][0]["message"]["content"] == streamed
    )


def test_every_record_is_its_own_write(ask: Any) -> None:
    answer = ask("chunks=20")

    assert len(answer.chunks) == len(answer.records)
    assert all(chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") for chunk in answer.chunks)


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
def test_cut_can_fall_into_a_tool_calls_arguments(sandbox: SandboxProcess, path: str) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
    }
    tool: dict[str, Any] = {"name": "find", "input_schema": schema}
    choice: dict[str, Any] = {"type": "tool", "name": "find"}
    if path == OPENAI:
        tool = {"type": "function", "function": {"name": "find", "parameters": schema}}
        choice = {"type": "function", "function": {"name": "find"}}
    body = {
        "model": "echo+cut=1",
        "max_tokens": 100,
        "stream": True,
        "tools": [tool],
        "tool_choice": choice,
    }

    answer = post(sandbox.base_url, path, {**body, "messages": [{"role": "user", "content": "hi"}]})

    assert answer.ending == "cut"
    assert b'{\\"city\\":\\"Par' in answer.body
    assert b"France" not in answer.body


@WIRES
@pytest.mark.parametrize("after", [0, 3, 99])
def test_cut_closes_the_stream_after_n_chunks(
    ask: Any, sandbox: SandboxProcess, path: str, after: int
) -> None:
    answer = ask(f"cut={after}", path=path)

    assert answer.ending == "cut"
    assert content_chunks(answer) == min(after, 6)
    assert "[DONE]" not in answer.records
    assert sandbox.stats()["broken"] == 1


def test_cut_leaves_half_a_json_body(ask: Any) -> None:
    answer = ask("cut=0", stream=False)

    assert answer.ending == "cut"
    assert 0 < len(answer.body) < int(answer.headers["content-length"])


@WIRES
def test_stall_goes_silent_after_n_chunks(ask: Any, path: str) -> None:
    answer = ask("stall=2", path=path, timeout=0.3)

    assert answer.ending == "silent"
    assert content_chunks(answer) == 2


def test_stall_stops_in_the_middle_of_a_json_body(ask: Any) -> None:
    answer = ask("stall=0", stream=False, timeout=0.3)

    assert answer.ending == "silent"
    assert answer.body


@WIRES
@BOTH
def test_empty_has_no_bytes(ask: Any, path: str, stream: bool) -> None:
    answer = ask("empty", path=path, stream=stream)

    assert (answer.status, answer.body, answer.ending) == (200, b"", "clean")


@WIRES
@BOTH
def test_empty_shell_is_well_formed_without_content(ask: Any, path: str, stream: bool) -> None:
    answer = ask("empty=shell", path=path, stream=stream)

    if stream:
        expected = ["[DONE]"] if path == OPENAI else None
        assert expected is None or answer.records == expected
        assert answer.text == ""
        return
    assert answer.json["choices" if path == OPENAI else "content"] == []


@WIRES
def test_malformed_spoils_one_record_and_goes_on(ask: Any, path: str) -> None:
    answer = ask("malformed=2", path=path)

    bad = []
    for record in answer.records:
        try:
            json.loads(record)
        except json.JSONDecodeError:
            bad.append(record)
    assert [record for record in bad if record != "[DONE]"] == [bad[0]]
    assert content_chunks(answer) == 5
    assert answer.records[-1] in ("[DONE]", '{"type":"message_stop"}')


def test_malformed_json_is_half_a_body_of_honest_length(ask: Any) -> None:
    answer = ask("malformed=0", stream=False)

    assert answer.ending == "clean"
    with pytest.raises(json.JSONDecodeError):
        answer.json  # noqa: B018


@WIRES
@BOTH
def test_errorbody_is_an_error_with_status_200(ask: Any, path: str, stream: bool) -> None:
    answer = ask("errorbody", path=path, stream=stream)

    assert answer.status == 200
    body = answer.events[0] if stream else answer.json
    assert body["error"]["message"]
    assert len(answer.records) == int(stream)
    if stream and path == ANTHROPIC:
        assert answer.body.startswith(b"event: error\n")


@WIRES
def test_midstream_error_comes_in_band_after_n_chunks(
    ask: Any, sandbox: SandboxProcess, path: str
) -> None:
    answer = ask("midstream_error=3", path=path)

    assert answer.ending == "clean"
    assert answer.events[-1]["error"]["message"]
    assert answer.records[-1] != "[DONE]"
    assert len([r for r in answer.records if '"text_delta"' in r or '"content":"' in r]) >= 3
    assert sandbox.stats()["failed"] == 1


@WIRES
def test_nofinish_ends_cleanly_without_a_word(ask: Any, path: str) -> None:
    answer = ask("nofinish", path=path)

    assert answer.ending == "clean"
    assert answer.text == f"You said: {TEXT}"
    assert not re.search(rb'finish_reason":"|message_delta|message_stop|\[DONE\]', answer.body)
    whole = ask("nofinish", path=path, stream=False).json
    assert (
        whole["choices"][0]["finish_reason"] if path == OPENAI else whole["stop_reason"]
    ) is None


@WIRES
@BOTH
def test_nousage_never_speaks_of_usage(ask: Any, path: str, stream: bool) -> None:
    assert b'"usage"' not in ask("nousage", path=path, stream=stream).body


@WIRES
@BOTH
def test_absurd_usage_is_negative_and_huge(ask: Any, path: str, stream: bool) -> None:
    answer = ask("absurd_usage", path=path, stream=stream)

    found = (
        [event["usage"] for event in answer.events if event.get("usage")][-1]
        if stream
        else answer.json["usage"]
    )
    inside, outside = (
        ("prompt_tokens", "completion_tokens")
        if path == OPENAI
        else ("input_tokens", "output_tokens")
    )
    assert (found[inside], found[outside]) == (-5, 10**15)


@BOTH
def test_hang_never_answers_and_counts_as_aborted(
    ask: Any, sandbox: SandboxProcess, stream: bool
) -> None:
    answer = ask("hang", stream=stream, timeout=0.2)

    assert (answer.status, answer.ending) == (0, "silent")
    assert wait_for(sandbox, "aborted") == 1
    assert sandbox.stats()["open"] == 0


def test_reset_resets_the_connection(ask: Any) -> None:
    answer = ask("reset")

    assert (answer.status, answer.ending) == (0, "reset")


@WIRES
def test_context_and_filter_refuse_as_the_wire_does(ask: Any, path: str) -> None:
    context, content = ask("context", path=path), ask("filter", path=path)

    assert (context.status, content.status) == (400, 400)
    if path == OPENAI:
        assert context.json["error"]["code"] == "context_length_exceeded"
        assert content.json["error"]["code"] == "content_filter"
        return
    assert context.json["error"]["message"].startswith("prompt is too long: ")
    assert "content filtering policy" in content.json["error"]["message"]


@WIRES
def test_noprefill_refuses_a_last_message_of_the_assistant(
    sandbox: SandboxProcess, path: str
) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "You"}]
    body = {"model": "echo+noprefill", "max_tokens": 50, "messages": messages}

    refused = post(sandbox.base_url, path, body)
    answered = post(sandbox.base_url, path, {**body, "messages": messages[:1]})

    assert (refused.status, answered.status) == (400, 200)


@WIRES
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_split_writes_n_bytes_at_a_time(ask: Any, path: str, size: int) -> None:
    answer = ask(f"split={size}", path=path)

    assert {len(chunk) for chunk in answer.chunks[:-1]} <= {size}
    assert answer.text == f"You said: {TEXT}"


@WIRES
def test_crlf_ends_every_line(ask: Any, path: str) -> None:
    answer = ask("crlf", path=path)

    assert answer.body.count(b"\n") == answer.body.count(b"\r\n") > 10
    assert answer.text == f"You said: {TEXT}"


@WIRES
def test_lines_write_one_record_over_several(ask: Any, path: str) -> None:
    answer = ask("lines+crlf", path=path)

    assert b'\r\ndata:   "' in answer.body
    assert b'\n  "' not in answer.body


def test_comments_fill_the_silence(ask: Any) -> None:
    quick = ask("comments")
    slow = ask("comments+ttft=250")

    assert quick.body.count(b": OPENROUTER PROCESSING\n\n") == 1
    assert slow.body.count(b": OPENROUTER PROCESSING\n\n") == 3
    assert slow.text == f"You said: {TEXT}"


def test_comments_go_on_while_the_content_stalls(sandbox: SandboxProcess) -> None:
    body = {
        "model": "echo+stall=1+comments",
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
    }
    content = json.dumps(body).encode()
    head = f"POST {OPENAI} HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\ncontent-length: {len(content)}\r\n\r\n"
    received = b""

    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=2) as connection:
        connection.sendall(head.encode() + content)
        while received.count(b"OPENROUTER") < 4:
            received += connection.recv(4096)

    assert received.count(b'"content":"You "') == 1
    assert b"said" not in received


@WIRES
def test_stamp_tells_when_each_chunk_was_written(ask: Any, path: str) -> None:
    before = time.monotonic_ns()
    answer = ask("stamp+interval=20+chunks=3", path=path)
    after = time.monotonic_ns()

    stamps = [int(found) for found in re.findall(r"⟨(\d+)⟩", answer.text)]
    assert len(stamps) == 3
    assert before < stamps[0] < stamps[1] < stamps[2] < after
    assert stamps[1] - stamps[0] >= 15_000_000


def wait_for(sandbox: SandboxProcess, counter: str) -> int:
    """The counter, once it has left 0; a disconnect takes a moment to be noticed."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if found := sandbox.stats()[counter]:
            return int(found)
        time.sleep(0.02)
    return 0


@pytest.mark.parametrize(
    ("path", "marker"),
    [("/v1/chat/completions", b"[DONE]"), ("/v1/messages", b"message_stop")],
)
def test_end_marker_is_missing_or_stands_alone(ask: Any, path: str, marker: bytes) -> None:
    whole = ask("chunks=4", path=path).body
    without = ask("chunks=4+nomarker", path=path).body
    alone = ask("chunks=4+marker=2", path=path).body

    assert marker in whole
    assert marker not in without
    assert len(without) > 0.9 * len(whole)
    assert marker in alone
    assert b'stop_reason":"' not in alone
    assert b'finish_reason":"' not in alone
    assert 0 < len(alone) < len(whole)


def test_answer_is_given_up_with_a_reason_and_an_end_marker(ask: Any) -> None:
    answer = ask("chunks=4+abort=2", path="/v1/chat/completions")

    assert content_chunks(answer) == 2
    assert b'"finish_reason":"abort"' in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")


@WIRES
def test_end_is_lost_behind_the_finish_reason(ask: Any, path: str) -> None:
    answer = ask("chunks=4+lost_end=break", path=path)

    assert content_chunks(answer) == 4
    assert re.search(rb'(finish|stop)_reason":"', answer.body)
    assert b"[DONE]" not in answer.body
    assert b"message_stop" not in answer.body


@pytest.mark.parametrize("stream", [True, False])
def test_html_is_a_page(ask: Any, stream: bool) -> None:
    answer = ask("html", path="/v1/chat/completions", stream=stream)

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html"
    assert answer.body.startswith(b"<!doctype html>")
