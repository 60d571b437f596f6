"""What is said: the sandbox models, the neutral prompt a wire reads, and the reply composed from it.

=============  =====================================================================================
model          says
=============  =====================================================================================
``echo``       "You said: <last user text>", plus what it was shown (images, documents, audio, files)
``reasoner``   the same, and always reasons before it
``long``       "word1 word2 …", 200 words or ``words=N``
=============  =====================================================================================

Every model, in this order:

1. answers trailing tool results in text that cites them;
2. calls tools: the named one; else each tool as often as the last user text names it (``_`` and ``-`` may be spaces);
   else, when a call is required, the first. Without parallel calls only one. Arguments are samples of the schema;
3. answers in JSON when the request asks for JSON: a sample of the schema, or ``{"answer": …}``;
4. says its own text.

Tools that the provider runs itself (web search, code execution) are used when the last user text names them.
With the option ``refusal`` every model says "I can not help with that." and nothing else.

A reasoning request makes any model reason. The text that an assistant's last message already holds is left out
(prefill), or the reply goes on after it when it does not begin with it. Then stop sequences and the token limit cut
the text; tool-call arguments are never cut. Nothing is random: the same prompt gets the same reply.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, Literal

import orjson

from apps.sandbox.options import Options
from apps.sandbox.samples import UnusableSchema, build_sample
from apps.sandbox.tokens import CHARACTERS_PER_TOKEN, Segment, count_tokens

MODELS = ("echo", "reasoner", "long")
CITED_CHARACTERS = 400
REFUSAL = "I can not help with that."
WORD = re.compile(r"\s*\S+\s*|\s+")
STEPS: Mapping[str, int] = {"low": 2, "medium": 4, "high": 8, "xhigh": 12, "max": 16}


class Ending(StrEnum):
    """Why a reply stops; each wire has its own word for it."""

    DONE = "done"
    LENGTH = "length"
    STOP_SEQUENCE = "stop_sequence"
    CALLS = "calls"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    schema: Any


@dataclass(frozen=True, slots=True)
class ToolResult:
    call_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A request as the models understand it, whichever wire it came on."""

    segments: tuple[Segment, ...]
    user_text: str = ""
    attachments: tuple[str, ...] = ()
    tool_results: tuple[ToolResult, ...] = ()
    tools: tuple[Tool, ...] = ()
    calling: Literal["auto", "required", "none"] = "auto"
    named_tool: str | None = None
    parallel: bool = True
    announces_calls: bool = False
    """Say a sentence before unforced tool calls, as Claude does."""
    wants_json: bool = False
    json_schema: Any = None
    effort: str | None = None
    """None: no reasoning was asked for."""
    prefill: str = ""
    limit: int | None = None
    stops: tuple[str, ...] = ()
    choices: int = 1
    stream: bool = False
    include_usage: bool = True
    shows_reasoning: bool = True
    top_logprobs: int | None = None
    """None: no log probabilities were asked for."""
    citations: tuple[Any, ...] = ()
    """What the answer cites, in the wire's own words."""
    batch: tuple[str, ...] = ()
    """Prompts that one completion request brings; the choices belong to them in equal shares, in order."""
    provided_tools: tuple[str, ...] = ()
    """Tools that the provider runs itself, such as a web search; used when the last user text names them."""


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: dict[str, Any]

    @property
    def json(self) -> str:
        return orjson.dumps(self.arguments).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One choice of an answer. ``pieces`` joined are ``text``; they are its content chunks."""

    reasoning: str = ""
    text: str = ""
    pieces: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    used_tools: tuple[str, ...] = ()
    ending: Ending = Ending.DONE
    stop_sequence: str | None = None
    reasoning_tokens: int = field(init=False)
    tokens: int = field(init=False)

    def __post_init__(self) -> None:
        reasoning = count_tokens(self.reasoning)
        calls = sum(count_tokens(call.name + call.json) for call in self.calls)
        object.__setattr__(self, "reasoning_tokens", reasoning)
        object.__setattr__(self, "tokens", reasoning + count_tokens(self.text) + calls)


def compose(prompt: Prompt, *, model: str, options: Options, choice: int = 0) -> Reply:
    """The reply of one choice, cut to stop sequences and limit, and in pieces."""
    if prompt.batch:
        share = prompt.choices // len(prompt.batch)
        prompt = replace(prompt, user_text=prompt.batch[choice // share])
        choice %= share
    if options.refusal:
        return Reply(text=REFUSAL, pieces=_split(REFUSAL, options), ending=Ending.REFUSED)
    calls = () if prompt.tool_results else _choose_calls(prompt)
    reasoning = _reason(prompt, model)
    text = _announce(prompt, calls) if calls else _speak(prompt, model, options)
    if choice:
        text += f" (choice {choice})"
    if not calls and not prompt.wants_json:
        text = _stretch(text, options)
    text = text.removeprefix(prompt.prefill)
    ending = Ending.CALLS if calls else Ending.DONE
    text, stop = _stop(text, prompt.stops)
    if stop is not None:
        calls, ending = (), Ending.STOP_SEQUENCE
    if prompt.limit is not None:
        room = prompt.limit * CHARACTERS_PER_TOKEN
        if len(reasoning) > room:
            reasoning, text, stop, ending, calls = reasoning[:room], "", None, Ending.LENGTH, ()
        room = (prompt.limit - count_tokens(reasoning)) * CHARACTERS_PER_TOKEN
        if len(text) > room:
            text, stop, ending, calls = text[:room], None, Ending.LENGTH, ()
    return Reply(
        reasoning=reasoning,
        text=text,
        pieces=_split(text, options),
        calls=calls,
        used_tools=tuple(name for name in prompt.provided_tools if _names(prompt, name)),
        ending=ending,
        stop_sequence=stop,
    )


def split_words(text: str) -> list[str]:
    return WORD.findall(text)


def _choose_calls(prompt: Prompt) -> tuple[Call, ...]:
    if prompt.calling == "none" or not prompt.tools:
        return ()
    if prompt.named_tool is not None:
        wanted = [tool for tool in prompt.tools if tool.name == prompt.named_tool]
    else:
        wanted = [tool for tool in prompt.tools for _ in range(_names(prompt, tool.name))]
        if not wanted and prompt.calling == "required":
            wanted = [prompt.tools[0]]
    if not prompt.parallel:
        wanted = wanted[:1]
    return tuple(Call(tool.name, _build_arguments(tool)) for tool in wanted)


def _names(prompt: Prompt, name: str) -> int:
    """How often the last user text names something."""
    pattern = rf"(?<!\w){re.escape(_spaced(name))}(?!\w)"
    return len(re.findall(pattern, _spaced(prompt.user_text)))


def _build_arguments(tool: Tool) -> dict[str, Any]:
    if tool.schema is not None and not isinstance(tool.schema, dict):
        raise UnusableSchema(f"Invalid schema for tool {tool.name!r}: it is not an object.")
    sample = build_sample({"type": "object", **(tool.schema or {})})
    return sample if isinstance(sample, dict) else {}


def _spaced(text: str) -> str:
    return text.lower().replace("_", " ").replace("-", " ")


def _announce(prompt: Prompt, calls: tuple[Call, ...]) -> str:
    if not prompt.announces_calls or prompt.calling != "auto" or prompt.named_tool:
        return ""
    return f"I will call {', '.join(call.name for call in calls)}."


def _speak(prompt: Prompt, model: str, options: Options) -> str:
    said = _say(prompt, model, options)
    if not prompt.wants_json:
        return said
    value = {"answer": said}
    if prompt.json_schema is not None:
        value = build_sample(prompt.json_schema)
    return orjson.dumps(value).decode()


def _say(prompt: Prompt, model: str, options: Options) -> str:
    if prompt.tool_results:
        cited = "; ".join(
            f"{result.call_id}: {result.text[:CITED_CHARACTERS]}" for result in prompt.tool_results
        )
        return f"The tools answered: {cited}"
    if model == "long":
        return " ".join(f"word{number}" for number in range(1, options.words + 1))
    shown = "".join(f" [I was shown: {attachment}]" for attachment in prompt.attachments)
    return f"You said: {prompt.user_text}{shown}"


def _reason(prompt: Prompt, model: str) -> str:
    effort = prompt.effort or ("medium" if model == "reasoner" else None)
    if effort is None:
        return ""
    steps = STEPS.get(effort, 1)
    thoughts = (
        f"Step {number} of {steps}: I consider the request." for number in range(1, steps + 1)
    )
    return " ".join(thoughts)


def _stretch(text: str, options: Options) -> str:
    """Make the text long enough for the content chunks that were ordered."""
    if options.chunks is None:
        return text
    least = options.chunks * (options.text or 1)
    if len(text) < least:
        text = (text + " ") * (least // (len(text) + 1) + 1)
        return text[:least]
    return text[:least] if options.text else text


def _split(text: str, options: Options) -> tuple[str, ...]:
    if options.text:
        size = options.text
        return tuple(text[at : at + size] for at in range(0, len(text), size))
    if options.chunks is None:
        return tuple(split_words(text))
    count = min(options.chunks, len(text))
    borders = [len(text) * number // count for number in range(count + 1)] if count else []
    return tuple(text[start:end] for start, end in pairwise(borders))


def _stop(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    found = [(text.find(stop), stop) for stop in stops if stop and stop in text]
    if not found:
        return text, None
    at, stop = min(found)
    return text[:at], stop
