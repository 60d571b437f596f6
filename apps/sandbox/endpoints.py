"""What an endpoint does with a request whose envelope is open: hold a conversation, or do a task.

An endpoint knows its models and its dialect, and turns what was asked for into what goes out. It sends nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from apps.sandbox.options import Options
from apps.sandbox.replies import MODELS, Prompt, compose
from apps.sandbox.samples import UnusableSchema
from apps.sandbox.tokens import PromptCache
from apps.sandbox.wire import Answer, Asked, Dialect, Job, Outgoing, Refused, Wire


class Endpoint(Protocol):
    @property
    def dialect(self) -> Dialect: ...

    @property
    def models(self) -> Sequence[str]: ...

    @property
    def prefix(self) -> str:
        """What the answer's id begins with."""

    def answer(
        self, asked: Asked, name: str, options: Options, *, answer_id: str, cache: PromptCache
    ) -> Outgoing:
        """``name`` is the bare model name. Raise Refused for what the original would refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A wire's prompt in, its answer or stream out."""

    dialect: Dialect
    wire: Wire
    prefix: str
    models: Sequence[str] = MODELS

    def answer(
        self, asked: Asked, name: str, options: Options, *, answer_id: str, cache: PromptCache
    ) -> Outgoing:
        prompt = self.wire.read_prompt(asked)
        self._refuse_on_request(prompt, name, options)
        try:
            replies = tuple(
                compose(prompt, model=name, options=options, choice=choice)
                for choice in range(prompt.choices)
            )
        except UnusableSchema as error:
            raise Refused(str(error), code="invalid_json_schema") from error
        usage = replace(
            self.wire.meter(cache, name, prompt),
            output=sum(reply.tokens for reply in replies),
            reasoning=sum(reply.reasoning_tokens for reply in replies),
        )
        answer = Answer(
            id=answer_id,
            created=int(time.time()),
            model=asked.model,
            asked=asked,
            prompt=prompt,
            replies=replies,
            usage=usage,
            options=options,
        )
        return Outgoing(
            id=answer_id,
            options=options,
            body=lambda: orjson.dumps(self.wire.render_answer(answer)),
            framing=self.wire.choose_framing(asked) if prompt.stream else None,
            records=self.wire.render_stream(answer) if prompt.stream else (),
            fail=lambda refusal, position: self.wire.refusal_record(
                refusal, request_id=answer_id, position=position
            ),
        )

    def _refuse_on_request(self, prompt: Prompt, name: str, options: Options) -> None:
        if options.filter and (refusal := self.dialect.explain_filter()) is not None:
            raise refusal
        if options.context:
            usage = self.wire.meter(PromptCache(), name, prompt)
            raise self.dialect.explain_context(usage.total_input)
        if options.noprefill and prompt.prefill:
            raise Refused(
                "This model does not support assistant message prefill. "
                "The conversation must end with a user message."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Anything but a conversation: ``perform`` reads the body and produces what goes out."""

    dialect: Dialect
    perform: Callable[[Job], Outgoing]
    models: Sequence[str]
    prefix: str

    def answer(
        self, asked: Asked, name: str, options: Options, *, answer_id: str, cache: PromptCache
    ) -> Outgoing:
        outgoing = self.perform(Job(id=answer_id, asked=asked, name=name, options=options))
        if options.filter and (refusal := self.dialect.explain_filter()) is not None:
            raise refusal
        if options.context:
            raise self.dialect.explain_context(0)
        return outgoing
