"""Reads the body of a Bedrock Converse request, and refuses what Bedrock refuses.

The models behind it are Claude: thinking rides on ``additionalModelRequestFields``, and thinking that comes back must match
its signature. Unknown fields are refused, which the original does not always do: a misspelt one must show.
Format: ``ConverseRequest`` of botocore 1.44.5 (bedrock-runtime 2023-09-30),
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html; the errors as users report them, e.g.
https://github.com/camel-ai/camel/pull/3957 and https://github.com/langchain-ai/langchain-aws/issues/141 (read 2026-11)
"""

import base64
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import orjson

from apps.sandbox import checks
from apps.sandbox.anthropic_blocks import sign
from apps.sandbox.replies import Prompt, Tool, ToolResult
from apps.sandbox.seals import is_seal
from apps.sandbox.tokens import Segment, Ttl, stand_in
from apps.sandbox.wire import Asked, Refused

Block = dict[str, Any]
Message = tuple[str, list[Block]]

FIELDS = frozenset(
    {
        "additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig", "inferenceConfig",
        "messages", "outputConfig", "performanceConfig", "promptVariables", "requestMetadata", "serviceTier", "system",
        "toolConfig",
    }
)  # fmt: skip
BLOCKS = frozenset(
    {"cachePoint", "document", "guardContent", "image", "reasoningContent", "text", "toolResult", "toolUse"}
)  # fmt: skip
IMAGE_FORMATS = ("png", "jpeg", "gif", "webp")
DOCUMENT_FORMATS = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
ATTACHMENTS = ("image", "document")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
LEAST_THINKING = 1024


def read_prompt(asked: Asked) -> Prompt:
    body = asked.body
    _check_fields(body, FIELDS, "")
    messages = _read_messages(body.get("messages"))
    config = checks.expect_object(body.get("inferenceConfig") or {}, "inferenceConfig")
    limit = _read_inference(config)
    tools = _read_tools(body.get("toolConfig"))
    _check_tool_turns(messages, has_tools=bool(tools))
    calling, named = _read_tool_choice(body.get("toolConfig") or {}, tools)
    effort = _read_thinking(body, limit)
    if effort and calling == "required":
        raise Refused("Thinking may not be enabled when toolChoice forces tool use.")
    wants_json, schema = _read_output(body)
    users = [blocks for role, blocks in messages if role == "user"]
    spoken: list[Block] = next((b for b in reversed(users) if any("text" in x for x in b)), [])
    last_role, last = messages[-1]
    return Prompt(
        segments=tuple(_read_segments(body, messages)),
        user_text="\n".join(block["text"] for block in spoken if "text" in block),
        attachments=tuple(_describe(b) for b in spoken if any(name in b for name in ATTACHMENTS)),
        tool_results=tuple(
            ToolResult(block["toolResult"]["toolUseId"], _text_of(block))
            for block in last
            if last_role == "user" and "toolResult" in block
        ),
        tools=tools,
        calling=calling,
        named_tool=named,
        announces_calls=True,
        wants_json=wants_json,
        json_schema=schema,
        effort=effort,
        prefill="".join(b.get("text", "") for b in last) if last_role == "assistant" else "",
        limit=limit,
        stops=tuple(config.get("stopSequences") or ()),
        stream=asked.incoming.variables["operation"] == "converse-stream",
    )


def _check_fields(value: dict[str, Any], known: frozenset[str], path: str) -> None:
    for name in value:
        if name not in known:
            raise Refused(f"extraneous key [{path}{name}] is not permitted")


def _read_messages(given: Any) -> list[Message]:
    messages: list[Message] = []
    for index, message in enumerate(checks.expect_list(given or [], "messages")):
        path = f"messages.{index}"
        role = checks.expect_object(message, path).get("role")
        if role not in ("user", "assistant"):
            raise Refused(
                f"1 validation error detected: Value '{role}' at '{path}.role' failed to satisfy constraint: Member must "
                "satisfy enum value set: [user, assistant]"
            )
        blocks = checks.expect_list(message.get("content") or [], f"{path}.content")
        if not blocks:
            raise Refused(
                f"The content field in the Message object at {path} is empty. Add a ContentBlock object to the content "
                "field and try again."
            )
        for number, block in enumerate(blocks):
            place = f"{path}.content.{number}"
            _check_block(checks.expect_object(block, place), place)
        messages.append((role, blocks))
    if not messages or messages[0][0] != "user":
        raise Refused(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message."
        )
    if any(before[0] == after[0] for before, after in pairwise(messages)):
        raise Refused(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between "
            "user and assistant roles and try again."
        )
    return messages


def _check_block(block: Block, path: str) -> None:
    if len(block) != 1 or not BLOCKS & set(block):
        raise Refused(
            f"The ContentBlock object at {path} must set one of the following keys: {', '.join(sorted(BLOCKS))}."
        )
    ((kind, value),) = block.items()
    match kind:
        case "text":
            if not checks.expect_text(value, f"{path}.text").strip():
                raise Refused(
                    f"The text field in the ContentBlock object at {path} is blank. Add text to the text field, and try "
                    "again."
                )
        case "image":
            _check_media(checks.expect_object(value, path), IMAGE_FORMATS, f"{path}.image")
        case "document":
            checks.expect_text(checks.expect_object(value, path).get("name"), f"{path}.name")
            _check_media(value, DOCUMENT_FORMATS, f"{path}.document")
        case "toolUse":
            _check_tool_use(checks.expect_object(value, path), f"{path}.toolUse")
        case "toolResult":
            _check_tool_result(checks.expect_object(value, path), f"{path}.toolResult")
        case "reasoningContent":
            _check_reasoning(checks.expect_object(value, path), f"{path}.reasoningContent")
        case "cachePoint":
            _read_ttl(value)


def _check_media(media: dict[str, Any], formats: tuple[str, ...], path: str) -> None:
    source = checks.expect_object(media.get("source"), f"{path}.source")
    if media.get("format") not in formats and not {"text", "content"} & set(source):
        raise Refused(
            f"1 validation error detected: Value '{media.get('format')}' at '{path}.format' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(formats)}]"
        )
    if "bytes" in source:
        checks.count_base64(source["bytes"], f"{path}.source.bytes")
    elif not {"s3Location", "text", "content"} & set(source):
        raise Refused(f"The source field at {path} must set bytes or s3Location.")


def _check_tool_use(use: dict[str, Any], path: str) -> None:
    _expect_match(use.get("toolUseId"), TOOL_USE_ID, f"{path}.toolUseId")
    _expect_match(use.get("name"), TOOL_NAME, f"{path}.name")
    if not isinstance(use.get("input"), dict):
        raise Refused(
            f"The format of the value at {path}.input is invalid. Provide a json object for the field and try again."
        )


def _check_tool_result(result: dict[str, Any], path: str) -> None:
    _expect_match(result.get("toolUseId"), TOOL_USE_ID, f"{path}.toolUseId")
    content = checks.expect_list(result.get("content"), f"{path}.content")
    if not content and result.get("status") == "error":
        raise Refused(f"The content field at {path} cannot be empty when status value is error.")
    for index, block in enumerate(content):
        names = {"json", "text", "image", "document", "video", "searchResult"}
        if len(checks.expect_object(block, path)) != 1 or not names & set(block):
            raise Refused(f"The ToolResultContentBlock object at {path}.content.{index} is empty.")


def _check_reasoning(content: dict[str, Any], path: str) -> None:
    if "redactedContent" in content:
        try:
            genuine = is_seal(base64.b64decode(content["redactedContent"], validate=True))
        except (TypeError, ValueError):
            genuine = False
        if not genuine:
            raise Refused(f"{path}: Invalid `data` in `redacted_thinking` block")
        return
    text = checks.expect_object(content.get("reasoningText"), f"{path}.reasoningText")
    thinking = checks.expect_text(text.get("text"), f"{path}.reasoningText.text")
    if text.get("signature") != sign(thinking):
        raise Refused(f"{path}: Invalid `signature` in `thinking` block")


def _expect_match(value: Any, pattern: re.Pattern[str], path: str) -> None:
    if not pattern.fullmatch(checks.expect_text(value, path)):
        raise Refused(
            f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy "
            f"regular expression pattern: {pattern.pattern}"
        )


def _check_tool_turns(messages: list[Message], *, has_tools: bool) -> None:
    """All results of a turn's tool uses stand in the next message, in front of nothing else's."""
    asked: set[str] = set()
    for index, (_, blocks) in enumerate(messages):
        uses = {block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block}
        results = [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block]
        if (uses or results) and not has_tools:
            raise Refused(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks."
            )
        if len(results) > len(asked):
            raise Refused(
                f"The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of "
                "previous turn."
            )
        if missing := asked - set(results):
            raise Refused(
                f"Expected toolResult blocks at messages.{index}.content for the following Ids: "
                f"{', '.join(sorted(missing))}"
            )
        asked = uses


def _read_inference(config: dict[str, Any]) -> int | None:
    _check_fields(config, frozenset({"maxTokens", "stopSequences", "temperature", "topP"}), "inferenceConfig.")  # fmt: skip
    checks.expect_number(config.get("temperature"), "inferenceConfig.temperature", low=0, high=1)
    checks.expect_number(config.get("topP"), "inferenceConfig.topP", low=0, high=1)
    for stop in checks.expect_list(config.get("stopSequences") or [], "stopSequences"):
        checks.expect_text(stop, "inferenceConfig.stopSequences")
    limit = config.get("maxTokens")
    return None if limit is None else checks.expect_whole(limit, "inferenceConfig.maxTokens")


def _read_tools(config: Any) -> tuple[Tool, ...]:
    if config is None:
        return ()
    tools = []
    given = checks.expect_object(config, "toolConfig").get("tools")
    for index, tool in enumerate(checks.expect_list(given, "toolConfig.tools")):
        path = f"toolConfig.tools.{index}"
        if "cachePoint" in checks.expect_object(tool, path):
            _read_ttl(tool["cachePoint"])
            continue
        spec = checks.expect_object(tool.get("toolSpec"), f"{path}.toolSpec")
        _expect_match(spec.get("name"), TOOL_NAME, f"{path}.toolSpec.name")
        schema = checks.expect_object(spec.get("inputSchema"), f"{path}.toolSpec.inputSchema")
        tools.append(Tool(spec["name"], checks.expect_object(schema.get("json"), f"{path}.json")))
    if not tools:
        raise Refused(
            "1 validation error detected: Value at 'toolConfig.tools' failed to satisfy constraint: Member must have "
            "length greater than or equal to 1"
        )
    return tuple(tools)


def _read_tool_choice(config: dict[str, Any], tools: tuple[Tool, ...]) -> tuple[Any, str | None]:
    choice = checks.expect_object(config.get("toolChoice") or {"auto": {}}, "toolConfig.toolChoice")
    match list(choice):
        case ["auto"]:
            return "auto", None
        case ["any"]:
            return "required", None
        case ["tool"]:
            name = checks.expect_object(choice["tool"], "toolConfig.toolChoice.tool").get("name")
            if name in {tool.name for tool in tools}:
                return "required", str(name)
            raise Refused(f"Tool '{name}' not found in provided tools")
    raise Refused("The toolChoice object must set one of the following keys: auto, any, tool.")


def _read_thinking(body: dict[str, Any], limit: int | None) -> str | None:
    """Claude's own ``thinking``, as Anthropic's API reads it."""
    extra = checks.expect_object(
        body.get("additionalModelRequestFields") or {}, "additionalModelRequestFields"
    )
    thinking = checks.expect_object(extra.get("thinking") or {"type": "disabled"}, "thinking")
    match thinking.get("type"):
        case "disabled":
            return None
        case "adaptive":
            config = checks.expect_object(extra.get("output_config") or {}, "output_config")
            return str(config.get("effort") or "medium")
        case "enabled":
            budget = checks.expect_whole(
                thinking.get("budget_tokens"), "thinking.budget_tokens", low=LEAST_THINKING
            )
            if limit is not None and budget >= limit:
                raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
            return "low" if budget < 4096 else "medium" if budget < 16384 else "high"
    raise Refused("thinking: Input tag does not match any of the expected tags")


def _read_output(body: dict[str, Any]) -> tuple[bool, Any]:
    """The schema is JSON in a text."""
    config = checks.expect_object(body.get("outputConfig") or {}, "outputConfig")
    wanted = config.get("textFormat")
    if wanted is None:
        return False, None
    if checks.expect_object(wanted, "outputConfig.textFormat").get("type") != "json_schema":
        raise Refused("outputConfig.textFormat.type must be json_schema")
    structure = checks.expect_object(wanted.get("structure"), "outputConfig.textFormat.structure")
    named = checks.expect_object(structure.get("jsonSchema"), "outputConfig.textFormat.jsonSchema")
    text = checks.expect_text(named.get("schema"), "outputConfig.textFormat.jsonSchema.schema")
    return True, checks.read_json(text.encode())


def _read_segments(body: dict[str, Any], messages: list[Message]) -> Iterator[Segment]:
    """In cache order: tools, system, messages. A cache point marks the end of what stands before it."""
    blocks = [*((body.get("toolConfig") or {}).get("tools") or ()), *_read_system(body)]
    for _, content in messages:
        blocks.extend(content)
    waiting: Segment | None = None
    for block in blocks:
        if "cachePoint" in block:
            if waiting is not None:
                waiting = Segment(waiting.text, _read_ttl(block["cachePoint"]))
            continue
        if waiting is not None:
            yield waiting
        waiting = Segment(_text_of(block))
    if waiting is not None:
        yield waiting


def _read_system(body: dict[str, Any]) -> list[Block]:
    blocks = checks.expect_list(body.get("system") or [], "system")
    for index, block in enumerate(blocks):
        path = f"system.{index}"
        if not {"text", "cachePoint", "guardContent"} & set(checks.expect_object(block, path)):
            raise Refused(f"The SystemContentBlock object at {path} is empty.")
    return blocks


def _read_ttl(point: Any) -> Ttl:
    if checks.expect_object(point, "cachePoint").get("type") != "default":
        raise Refused("cachePoint.type: Member must satisfy enum value set: [default]")
    match point.get("ttl", "5m"):
        case "5m":
            return "5m"
        case "1h":
            return "1h"
    raise Refused("cachePoint.ttl: Member must satisfy enum value set: [5m, 1h]")


def _text_of(block: Block) -> str:
    ((kind, value),) = block.items()
    match kind:
        case "text":
            return str(value)
        case "image" | "document":
            return stand_in(orjson.dumps(value).decode())
        case "toolUse":
            return str(value["name"]) + orjson.dumps(value["input"]).decode()
        case "toolResult":
            return "".join(_text_of(part) for part in value["content"])
        case "reasoningContent":
            return str(value.get("redactedContent") or value["reasoningText"]["text"])
    return orjson.dumps(value).decode()


def _describe(block: Block) -> str:
    ((kind, media),) = block.items()
    name = f" {media['name']}" if kind == "document" else ""
    source = media["source"]
    if "bytes" in source:
        size = checks.count_base64(source["bytes"], "source.bytes")
        return f"{kind}{name} {media.get('format')} of {size} bytes"
    return f"{kind}{name} {media.get('format')}"
