"""The input items of OpenAI's Responses API: which are valid, which belong together, what text they hold.

Calls and outputs come in pairs by ``call_id``; a reasoning item stands before what it led to, and comes back either with
its encrypted content or from the store. Format: ``ResponseInputItemParam`` of openai 3.54.0,
https://platform.openai.com/docs/api-reference/responses/create; the errors as OpenAI's users report them, e.g.
https://github.com/vercel/ai/issues/7543 and https://github.com/run-llama/llama_index/issues/20333 (read 2026-11)
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from apps.sandbox import checks
from apps.sandbox.responses_store import Item, ResponseStore
from apps.sandbox.seals import is_seal
from apps.sandbox.tokens import stand_in
from apps.sandbox.wire import Refused

ROLES = frozenset({"user", "assistant", "system", "developer"})
CALLS: Mapping[str, str] = {"function_call": "arguments", "custom_tool_call": "input"}
OUTPUTS: Mapping[str, str] = {
    "function_call_output": "function_call",
    "custom_tool_call_output": "custom_tool_call",
}
PASSED_ON = frozenset(
    {
        "apply_patch_call", "apply_patch_call_output", "code_interpreter_call", "compaction", "computer_call",
        "computer_call_output", "file_search_call", "image_generation_call", "local_shell_call",
        "local_shell_call_output", "mcp_approval_request", "mcp_approval_response", "mcp_call", "mcp_list_tools",
        "shell_call", "shell_call_output", "tool_search_call", "tool_search_output", "web_search_call",
    }
)  # fmt: skip
"""Items of tools that OpenAI runs; valid, and counted by their JSON."""
ATTACHMENTS = frozenset({"input_image", "input_file", "input_audio"})


def read_items(given: Any, store: ResponseStore) -> list[Item]:
    """The items of this request's ``input``, references resolved."""
    if isinstance(given, str):
        return [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}
        ]
    if given is None:
        raise Refused(
            "Missing required parameter: 'input'.", param="input", code="missing_required_parameter"
        )
    return [
        _read_item(checks.expect_object(item, f"input[{index}]"), f"input[{index}]", store)
        for index, item in enumerate(checks.expect_list(given, "input"))
    ]


def _read_item(item: Item, path: str, store: ResponseStore) -> Item:
    kind = checks.expect_text(
        item.get("type") or ("message" if "role" in item else "item_reference"), f"{path}.type"
    )
    match kind:
        case "message":
            return _read_message(item, path)
        case "item_reference":
            return _resolve(checks.expect_text(item.get("id"), f"{path}.id"), store)
        case "reasoning":
            return _read_reasoning(item, path, store)
    if kind in CALLS:
        for name in ("call_id", "name", CALLS[kind]):
            _require_text(item, name, path)
        return item
    if kind in OUTPUTS:
        _require_text(item, "call_id", path)
        _check_output(item.get("output"), f"{path}.output")
        return item
    if kind in PASSED_ON:
        return item
    supported = sorted({"message", "item_reference", "reasoning", *CALLS, *OUTPUTS, *PASSED_ON})
    raise refuse_value(kind, f"{path}.type", supported)


def refuse_value(value: Any, path: str, supported: list[str]) -> Refused:
    names = ", ".join(f"'{name}'" for name in supported)
    return Refused(
        f"Invalid value: '{value}'. Supported values are: {names}.",
        param=path,
        code="invalid_value",
    )


def _require_text(item: Item, name: str, path: str) -> str:
    if name not in item:
        raise Refused(
            f"Missing required parameter: '{path}.{name}'.",
            param=f"{path}.{name}",
            code="missing_required_parameter",
        )
    return checks.expect_text(item[name], f"{path}.{name}")


def _read_message(item: Item, path: str) -> Item:
    role = checks.expect_text(item.get("role"), f"{path}.role")
    if role not in ROLES:
        raise refuse_value(role, f"{path}.role", sorted(ROLES))
    content = item.get("content")
    if isinstance(content, str):
        kind = "output_text" if role == "assistant" else "input_text"
        return {**item, "type": "message", "content": [{"type": kind, "text": content}]}
    for index, part in enumerate(checks.expect_list(content, f"{path}.content")):
        _check_part(checks.expect_object(part, path), f"{path}.content[{index}]", role)
    return {**item, "type": "message"}


def _check_part(part: dict[str, Any], path: str, role: Any) -> None:
    kind = part.get("type")
    spoken = ["output_text", "refusal"]
    heard = ["input_text", "input_image", "input_file", "input_audio"]
    supported = spoken if role == "assistant" else heard
    if kind not in supported:
        raise refuse_value(kind, f"{path}.type", supported)
    match kind:
        case "input_text" | "output_text":
            _require_text(part, "text", path)
        case "refusal":
            _require_text(part, "refusal", path)
        case _:
            describe(part)


def _check_output(output: Any, path: str) -> None:
    if isinstance(output, str):
        return
    for index, part in enumerate(checks.expect_list(output, path)):
        _check_part(checks.expect_object(part, path), f"{path}[{index}]", "user")


def _resolve(item_id: str, store: ResponseStore) -> Item:
    if (item := store.find_item(item_id)) is None:
        raise Refused(
            f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false. Try again with "
            "`store` set to true, or remove this item from your input.",
            status=404,
            param="input",
        )
    return item


def _read_reasoning(item: Item, path: str, store: ResponseStore) -> Item:
    for index, part in enumerate(checks.expect_list(item.get("summary"), f"{path}.summary")):
        place = f"{path}.summary[{index}]"
        _require_text(checks.expect_object(part, place), "text", place)
    encrypted = item.get("encrypted_content")
    if encrypted is None:
        return _resolve(_require_text(item, "id", path), store)
    try:
        genuine = is_seal(base64.b64decode(checks.expect_text(encrypted, path), validate=True))
    except ValueError:
        genuine = False
    if not genuine:
        raise Refused(
            f"The encrypted content for item {item.get('id')} could not be verified.",
            code="invalid_encrypted_content",
        )
    return item


def check_order(items: list[Item]) -> None:
    """Over the whole conversation: calls and outputs pair up, and reasoning leads to something."""
    asked: dict[str, str] = {}
    for index, item in enumerate(items):
        kind = item["type"]
        if kind in CALLS:
            asked[item["call_id"]] = kind
        if kind in OUTPUTS and asked.pop(item["call_id"], None) != OUTPUTS[kind]:
            name = OUTPUTS[kind].replace("_", " ")
            raise Refused(
                f"No tool call found for {name} output with call_id {item['call_id']}.",
                param="input",
            )
        if kind == "reasoning":
            after = items[index + 1] if index + 1 < len(items) else {"type": "end"}
            if after["type"] in ("end", *OUTPUTS) or after.get("role", "assistant") != "assistant":
                raise Refused(
                    f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item.",
                    param="input",
                )
    for call_id, kind in asked.items():
        name = kind.replace("_", " ")
        raise Refused(f"No tool output found for {name} {call_id}.", param="input")


def texts_of(item: Item) -> Iterator[str]:
    """The item's texts, attachments by their stand-ins."""
    match item["type"]:
        case "message":
            yield from (_text_of(part) for part in item["content"])
        case "reasoning":
            yield from (part["text"] for part in item["summary"])
        case "function_call" | "custom_tool_call" as kind:
            yield item["name"] + item[CALLS[kind]]
        case "function_call_output" | "custom_tool_call_output":
            yield from _output_texts(item["output"])
        case _:
            yield orjson.dumps(item).decode()


def output_text(item: Item) -> str:
    return "".join(_output_texts(item["output"]))


def _output_texts(output: Any) -> Iterator[str]:
    if isinstance(output, str):
        yield output
        return
    yield from (_text_of(part) for part in output)


def _text_of(part: dict[str, Any]) -> str:
    if part["type"] in ATTACHMENTS:
        return stand_in(orjson.dumps(part).decode())
    return str(part.get("text", part.get("refusal", "")))


def describe(part: dict[str, Any]) -> str:
    match part["type"]:
        case "input_image":
            return _describe_image(part)
        case "input_audio":
            audio = checks.expect_object(part.get("input_audio"), "input_audio")
            return f"audio {audio.get('format')}"
    names = ("filename", "file_id", "file_url")
    name = next((part[name] for name in names if part.get(name)), None)
    if name is None and not part.get("file_data"):
        raise Refused("Missing required parameter: 'file_id'.", code="missing_required_parameter")
    return f"file {name}"


def _describe_image(part: dict[str, Any]) -> str:
    url = part.get("image_url")
    if url is None:
        return f"image {_require_text(part, 'file_id', 'input_image')}"
    # The nested object of chat completions is the usual mistake here.
    url = checks.expect_text(url, "image_url")
    if not url.startswith("data:"):
        return f"image {url}"
    kind, separator, data = url.removeprefix("data:").partition(";base64,")
    if not separator:
        raise Refused("Invalid 'input[0].content[0].image_url'. Expected a base64-encoded data URL.", code="invalid_value")  # fmt: skip
    return f"image {kind} of {checks.count_base64(data, 'image_url')} bytes"
