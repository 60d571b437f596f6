"""The grammar of misbehaviour: which options a request may carry, and when they apply.

Options ride on the model name, because every gateway forwards the model, and on the ``x-sandbox``
header where headers are forwarded. ``+`` separates, later wins, the header is read last::

    echo+status=503+delay=200          model
    x-sandbox: cut=3+chunks=20         header

An unknown option or a bad value is refused with 400: a typing error must not pass as good behaviour.

A *content chunk* is one record that carries a piece of text, reasoning or tool arguments.
"After N content chunks" means: when the next one is due, or at the end of a shorter answer.

======================  ============================================================ =====
option                  effect                                                       fault
======================  ============================================================ =====
``status=N``            error status 300-599 with the wire's error body              yes
``retry_after=S``       adds ``retry-after: S`` to that error                        yes
``context``             400, prompt longer than the model's context                  yes
``filter``              400, refused by the content policy (Gemini: block reason)    yes
``refusal``             the model refuses, with the format's finish reason for it    yes
``noprefill``           400 when the last message is the assistant's                 yes
``reset``               TCP reset instead of an answer                               yes
``hang``                never answers                                                yes
``delay=MS``            waits before the headers                                     yes
``ttft=MS``             waits after headers and opening record, before content       yes
``empty``               200 with a body of no bytes                                  yes
``empty=shell``         200 with a well-formed answer that has no content            yes
``errorbody``           200 with an error object as body or first record             yes
``cut=N``               closes the socket after N content chunks; JSON: half a body  yes
``stall=N``             silent after N content chunks, socket open; JSON: the same   yes
``malformed=N``         content chunk N+1 is cut-off JSON; JSON: half a body         yes
``midstream_error=N``   in-band error after N content chunks, then a clean end       yes
``abort=N``             Chat: finish reason ``abort`` after N content chunks, then a
                        clean end; JSON: that reason alone                           yes
``failed=N``            Responses: ``response.failed`` after N content chunks;
                        JSON: an answer with status ``failed``                       yes
``lost_end=break``      closes the socket behind the finish reason; ``hold``: silent   yes
``nofinish``            clean end without finish reason and terminator               yes
``nomarker``            whole, but without the format's end marker (``[DONE]``)      yes
``marker=N``            after N content chunks nothing but the end marker            yes
``endless``             content without end; JSON: blanks without end                yes
``endless=text``        the same; JSON: letters without end                          yes
``endless=events``      the same; JSON: a stream of events without end               yes
``html``                200 with a web page                                          yes
``nousage``             no usage anywhere                                            yes
``absurd_usage``        negative and huge usage                                      yes
``interval=MS``         waits after every content chunk                              no
``lull=MS``             waits before the stream breaks, so that what came arrives    no
``chunks=N``            the text arrives as N content chunks of equal length         no
``text=N``              the text arrives as content chunks of N characters           no
``words=N``             how many words ``long`` says (200)                           no
``split=N``             body bytes are written N at a time, over record borders      no
``crlf``                SSE lines end with CRLF                                      no
``lines``               SSE records write their JSON over several ``data`` lines     no
``comments``            SSE comments before content and every 100 ms of silence      no
``redacted``            Claude's thinking comes redacted                             no
``stamp``               every text chunk ends with ``⟨monotonic nanoseconds⟩``       no
``first=N``             faults only on the first N requests for this model string    --
``every=N``             faults only on every Nth request for this model string       --
======================  ============================================================ =====

``chunks`` repeats a text that has fewer than N characters; ``chunks`` and ``text`` together make the
text exactly N times N characters long. ``first`` and ``every`` together mean either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

Emptiness = Literal["body", "shell"]
LostEnd = Literal["break", "hold"]
Endless = Literal["blanks", "text", "events"]


class UnknownOption(ValueError):
    """The model name or the header holds something that is not in the table above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One request's options. The field names are the names of the grammar."""

    status: int | None = None
    retry_after: float | None = None
    context: bool = False
    filter: bool = False
    refusal: bool = False
    noprefill: bool = False
    reset: bool = False
    hang: bool = False
    delay: int = 0
    ttft: int = 0
    empty: Emptiness | None = None
    errorbody: bool = False
    cut: int | None = None
    stall: int | None = None
    malformed: int | None = None
    midstream_error: int | None = None
    abort: int | None = None
    failed: int | None = None
    lost_end: LostEnd | None = None
    nofinish: bool = False
    nomarker: bool = False
    marker: int | None = None
    endless: Endless | None = None
    html: bool = False
    nousage: bool = False
    absurd_usage: bool = False
    interval: int = 0
    lull: int = 0
    chunks: int | None = None
    text: int | None = None
    words: int = 200
    split: int | None = None
    crlf: bool = False
    lines: bool = False
    comments: bool = False
    redacted: bool = False
    stamp: bool = False
    first: int | None = None
    every: int | None = None


MANNERS = frozenset(
    {
        "interval",
        "lull",
        "chunks",
        "text",
        "words",
        "split",
        "crlf",
        "lines",
        "comments",
        "redacted",
        "stamp",
        "first",
        "every",
    }
)
"""Options that shape an answer and stay in force on the turns that ``first`` and ``every`` spare."""

_DEFAULTS = Options()
_WITHOUT_FAULTS: Mapping[str, object] = {
    field.name: getattr(_DEFAULTS, field.name)
    for field in fields(Options)
    if field.name not in MANNERS
}


def parse(model: str, *, header: str = "") -> tuple[str, Options]:
    """Split ``echo+status=503`` into the bare model name and its options."""
    name, _, suffix = model.partition("+")
    found: dict[str, object] = {}
    for item in [*suffix.split("+"), *header.split("+")]:
        if not item.strip():
            continue
        option, _, value = item.strip().partition("=")
        found[option] = _read(option, value)
    return name, replace(_DEFAULTS, **found)  # type: ignore[arg-type]


def for_turn(options: Options, turn: int) -> Options:
    """The options in force on the given turn (counted from 1) of the same model string."""
    if options.first is None and options.every is None:
        return options
    among_first = options.first is not None and turn <= options.first
    is_nth = options.every is not None and turn % options.every == 0
    if among_first or is_nth:
        return options
    return replace(options, **_WITHOUT_FAULTS)  # type: ignore[arg-type]


def _read(option: str, value: str) -> object:
    reader = _READERS.get(option)
    if reader is None:
        raise UnknownOption(f"unknown sandbox option {option!r}")
    try:
        return reader(value)
    except ValueError as error:
        raise UnknownOption(f"bad value {value!r} for the sandbox option {option!r}") from error


def _flag(value: str) -> bool:
    if value not in ("", "1", "0"):
        raise ValueError(value)
    return value != "0"


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError(value)
        return number

    return read


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0 <= seconds < 1e9:
        raise ValueError(value)
    return seconds


def _emptiness(value: str) -> Emptiness:
    match value:
        case "" | "1" | "body":
            return "body"
        case "shell":
            return "shell"
    raise ValueError(value)


def _lost_end(value: str) -> LostEnd:
    match value:
        case "break":
            return "break"
        case "hold":
            return "hold"
    raise ValueError(value)


def _endless(value: str) -> Endless:
    match value:
        case "" | "1" | "blanks":
            return "blanks"
        case "text":
            return "text"
        case "events":
            return "events"
    raise ValueError(value)


_COUNT = _number(0, 1_000_000)
_POSITIVE = _number(1, 1_000_000)
_MILLISECONDS = _number(0, 3_600_000)

_READERS: Mapping[str, Callable[[str], object]] = {
    "status": _number(300, 599),
    "retry_after": _seconds,
    "context": _flag,
    "filter": _flag,
    "refusal": _flag,
    "noprefill": _flag,
    "reset": _flag,
    "hang": _flag,
    "delay": _MILLISECONDS,
    "ttft": _MILLISECONDS,
    "empty": _emptiness,
    "errorbody": _flag,
    "cut": _COUNT,
    "stall": _COUNT,
    "malformed": _COUNT,
    "midstream_error": _COUNT,
    "abort": _COUNT,
    "failed": _COUNT,
    "lost_end": _lost_end,
    "nofinish": _flag,
    "nomarker": _flag,
    "marker": _COUNT,
    "endless": _endless,
    "html": _flag,
    "nousage": _flag,
    "absurd_usage": _flag,
    "interval": _MILLISECONDS,
    "lull": _MILLISECONDS,
    "chunks": _POSITIVE,
    "text": _POSITIVE,
    "words": _POSITIVE,
    "split": _POSITIVE,
    "crlf": _flag,
    "lines": _flag,
    "comments": _flag,
    "redacted": _flag,
    "stamp": _flag,
    "first": _POSITIVE,
    "every": _POSITIVE,
}
