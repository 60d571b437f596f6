"""A Responses stream for a client, from our events to OpenAI's.

https://platform.openai.com/docs/api-reference/responses-streaming (2026-07)

    response.created, response.in_progress
    ( output_item.added  ( part added, deltas, part done )?  output_item.done )*        items may grow side by side
    response.completed | response.incomplete | response.failed

Every record has the next ``sequence_number``. An item is done when something follows it: only then is it known that the
answer was not cut in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, assert_never

import orjson

from apps.catalog.providers.spec import Wire
from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Citation,
    Cited,
    Event,
    Finished,
    FinishReason,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.sse import encode_record
from apps.inference.protocols.openai_responses.errors import failure
from apps.inference.protocols.openai_responses.items import ItemWriter, message, part_of
from apps.inference.protocols.openai_responses.response import (
    encode_media,
    final_response,
    last_status,
    response_object,
)
from apps.inference.protocols.openai_responses.usage import encode_usage

_TEXT_EVENTS = {BlockKind.TEXT: "response.output_text", BlockKind.REFUSAL: "response.refusal"}


@dataclass(slots=True)
class _Item:
    """An item that grows. ``position`` is its ``output_index``."""

    id: str
    kind: BlockKind
    position: int
    call_id: str = ""
    name: str = ""
    texts: list[str] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    origin: Wire | None = None
    """Of the signatures."""
    has_summary: bool = False
    citations: list[Citation] = field(default_factory=list)

    @property
    def place(self) -> Json:
        return {"item_id": self.id, "output_index": self.position}

    @property
    def text(self) -> str:
        return "".join(self.texts)


class ResponsesStreamEncoder:
    __slots__ = (
        "_ending", "_finish", "_identity", "_open", "_output", "_price", "_sequence", "_started",
        "_writer",
    )  # fmt: skip

    def __init__(self, *, identity: AnswerIdentity, price: PriceUsage) -> None:
        self._identity = identity
        self._price = price
        self._writer = ItemWriter(identity)
        self._sequence = 0
        self._started = False
        self._finish: FinishReason | None = None
        self._open: dict[int, _Item] = {}
        """By our block index, in order of opening."""
        self._ending: list[int] = []
        """Blocks that have finished and whose items are not yet done."""
        self._output: list[Json | None] = []
        """The items by position, for the whole response at the end; None while one is open."""

    def feed(self, event: Event) -> bytes:
        """Records for the client, possibly none. Errors are the caller's to encode."""
        match event:
            case BlockDelta():
                return self._end_items() + self._delta(self._open[event.index], event)
            case BlockStarted():
                begun = self._start() + self._end_items()
                proof = self._proof(event.signature, event.origin, BlockKind.TOOL_CALL)
                return begun + proof + self._add(event)
            case BlockFinished():
                self._ending.append(event.index)
                return b""
            case Started():
                return self._start()
            case Finished():
                self._finish = event.reason
                return b""
            case Opaque():
                return self._media(event)
            case Cited():
                self._open[event.index].citations.append(event.citation)
                return b""
            case UsageReported() | UpstreamError():
                return b""
            case _ as never:
                assert_never(never)

    def resume(self, sent: Iterable[Json]) -> None:
        """Go on after records that a host wrote, which this encoder has written alike: in their numbering, with their ids."""
        for record in sent:
            self._sequence = record["sequence_number"] + 1
            if record["type"] != "response.output_item.added":
                continue
            position, item_id = record["output_index"], record["item"]["id"]
            for item in self._open.values():
                if item.position == position:
                    item.id = item_id
            if done := self._output[position]:
                done["id"] = item_id

    def finish(self, usage: Usage) -> bytes:
        """Call it for an answer that ended well; without a Finished event it counts as completed."""
        records = [self._start()]
        last = len(self._output) - 1
        for item in list(self._open.values()):
            status = last_status(self._finish) if item.position == last else "completed"
            records.append(self._item_done(item, status))
        self._open.clear()
        response = final_response(
            self._identity,
            output=self._done_items(),
            finish=self._finish,
            usage=encode_usage(usage, price=self._price),
        )
        records.append(self._record(f"response.{response['status']}", response=response))
        return b"".join(records)

    def fail(self, error: GatewayzError) -> bytes:
        """The terminal record of an answer that broke. Items that are still open stay without an end."""
        records = [self._start()]
        response = response_object(
            self._identity,
            status="failed",
            output=self._done_items(),
            error=failure(error, request_id=self._identity.id),
        )
        records.append(self._record("response.failed", response=response))
        return b"".join(records)

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        response = response_object(self._identity, status="in_progress", output=[])
        created = self._record("response.created", response=response)
        return created + self._record("response.in_progress", response=response)

    def _done_items(self) -> list[Json]:
        return [item for item in self._output if item is not None]

    def _add(self, block: BlockStarted) -> bytes:
        position = len(self._output)
        self._output.append(None)
        name = block.tool_name if block.kind is BlockKind.TOOL_CALL else ""
        item_id = self._writer.item_id(block.kind, position=position, tool_name=name)
        item = self._open[block.index] = _Item(item_id, block.kind, position, name=name)
        if block.kind is BlockKind.TOOL_CALL:
            item.call_id = self._writer.call_id(block.tool_call_id, position=position)
        added = self._record(
            "response.output_item.added",
            output_index=position,
            item=self._snapshot(item, status="in_progress", parts=[]),
        )
        if block.kind not in _TEXT_EVENTS:
            return added
        return added + self._record(
            "response.content_part.added",
            **item.place,
            content_index=0,
            part=part_of(block.kind, ""),
        )

    def _whole(self, item: Json) -> bytes:
        """An item that does not grow; a picture stands in it when it is done."""
        place = {"output_index": len(self._output), "item": item}
        begun = {**item, "status": "in_progress", "result": None} if "result" in item else item
        self._output.append(item)
        added = self._record("response.output_item.added", **(place | {"item": begun}))
        return added + self._record("response.output_item.done", **place)

    def _media(self, part: Opaque) -> bytes:
        items = encode_media(part, self._writer, position=len(self._output))
        if not items:
            return b""
        return self._start() + self._end_items() + b"".join(map(self._whole, items))

    def _proof(self, signature: str, origin: Wire | None, kind: BlockKind) -> bytes:
        """The item that carries a signature of a text or of a call."""
        if not signature or origin is None:
            return b""
        return self._whole(self._writer.carrier(len(self._output), signature, origin, kind))

    def _delta(self, item: _Item, event: BlockDelta) -> bytes:
        if event.signature:
            item.signatures.append(event.signature)
            item.origin = event.origin
        if not event.text:
            return b""
        item.texts.append(event.text)
        match item.kind:
            case BlockKind.TEXT:
                return self._record(
                    "response.output_text.delta",
                    **item.place,
                    content_index=0,
                    delta=event.text,
                    logprobs=[],
                )
            case BlockKind.REFUSAL:
                return self._record(
                    "response.refusal.delta", **item.place, content_index=0, delta=event.text
                )
            case BlockKind.REASONING:
                return self._summary_delta(item, event.text)
            case BlockKind.TOOL_CALL:
                if self._writer.is_custom(item.name):
                    return b""  # text in JSON, which is taken out when it is whole
                return self._record(
                    "response.function_call_arguments.delta", **item.place, delta=event.text
                )
            case _ as never:
                assert_never(never)

    def _summary_delta(self, item: _Item, text: str) -> bytes:
        opened = b""
        if not item.has_summary:
            item.has_summary = True
            opened = self._record(
                "response.reasoning_summary_part.added",
                **item.place,
                summary_index=0,
                part={"type": "summary_text", "text": ""},
            )
        return opened + self._record(
            "response.reasoning_summary_text.delta", **item.place, summary_index=0, delta=text
        )

    def _end_items(self) -> bytes:
        if not self._ending:
            return b""
        done = [self._item_done(self._open.pop(index), "completed") for index in self._ending]
        self._ending.clear()
        return b"".join(done)

    def _item_done(self, item: _Item, status: str) -> bytes:
        part = part_of(item.kind, item.text, item.citations)
        whole = self._snapshot(item, status=status, parts=[part])
        self._output[item.position] = whole
        done = self._content_done(item, whole) + self._record(
            "response.output_item.done", output_index=item.position, item=whole
        )
        if item.kind is not BlockKind.TEXT:
            return done
        # Only now: items of text and of reasoning come one after the other.
        return done + self._proof("".join(item.signatures), item.origin, item.kind)

    def _content_done(self, item: _Item, whole: Json) -> bytes:
        """The records that repeat what the deltas of an item said."""
        match item.kind:
            case BlockKind.TEXT | BlockKind.REFUSAL:
                return self._text_done(item, whole["content"][0])
            case BlockKind.REASONING:
                return self._summary_done(item) if item.has_summary else b""
            case BlockKind.TOOL_CALL:
                return self._call_done(item, whole)
            case _ as never:
                assert_never(never)

    def _text_done(self, item: _Item, part: Json) -> bytes:
        said = (
            {"refusal": part["refusal"]}
            if item.kind is BlockKind.REFUSAL
            else {"text": part["text"], "logprobs": []}
        )
        place = {**item.place, "content_index": 0}
        cited = b"".join(
            self._record(
                "response.output_text.annotation.added",
                **place,
                annotation_index=position,
                annotation=annotation,
            )
            for position, annotation in enumerate(part.get("annotations", ()))
        )
        done = cited + self._record(f"{_TEXT_EVENTS[item.kind]}.done", **place, **said)
        return done + self._record("response.content_part.done", **place, part=part)

    def _summary_done(self, item: _Item) -> bytes:
        place = {**item.place, "summary_index": 0}
        done = self._record("response.reasoning_summary_text.done", **place, text=item.text)
        part = {"type": "summary_text", "text": item.text}
        return done + self._record("response.reasoning_summary_part.done", **place, part=part)

    def _call_done(self, item: _Item, whole: Json) -> bytes:
        if not self._writer.is_custom(item.name):
            return self._record(
                "response.function_call_arguments.done",
                **item.place,
                name=whole["name"],
                arguments=item.text,
            )
        text = whole["input"]
        written = self._record("response.custom_tool_call_input.delta", **item.place, delta=text)
        return written + self._record(
            "response.custom_tool_call_input.done", **item.place, input=text
        )

    def _snapshot(self, item: _Item, *, status: str, parts: list[Json]) -> Json:
        match item.kind:
            case BlockKind.TEXT | BlockKind.REFUSAL:
                return message(item.id, parts, status=status)
            case BlockKind.REASONING:
                return self._writer.reasoning(
                    item.id,
                    text=item.text,
                    signature="".join(item.signatures),
                    origin=item.origin,
                )
            case BlockKind.TOOL_CALL:
                return self._writer.call(
                    item.id,
                    call_id=item.call_id,
                    name=item.name,
                    arguments=item.text,
                    status=status,
                )
            case _ as never:
                assert_never(never)

    def _record(self, kind: str, **fields: Any) -> bytes:
        payload = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return encode_record(orjson.dumps(payload), event=kind)


def stream_encoder(
    *, identity: AnswerIdentity, price: PriceUsage, include_usage: bool
) -> ResponsesStreamEncoder:
    """``include_usage`` changes nothing here: a response always carries its usage."""
    return ResponsesStreamEncoder(identity=identity, price=price)
