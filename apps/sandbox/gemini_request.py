"""Reads the body of a Gemini request, and refuses what Gemini refuses.

Format: https://ai.google.dev/api/generate-content; the rules for turns of function calls:
https://ai.google.dev/gemini-api/docs/function-calling; for thought signatures:
https://ai.google.dev/gemini-api/docs/thought-signatures. The ``reasoner`` is as strict about signatures as Gemini 3: each
step of the current turn must bring back the signature of its first function call.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from apps.sandbox import checks, gemini_dialect, gemini_messages
from apps.sandbox.options import parse
from apps.sandbox.replies import Prompt, Tool, ToolResult
from apps.sandbox.seals import is_seal
from apps.sandbox.tokens import Segment, stand_in
from apps.sandbox.wire import Asked, Refused

Content = dict[str, Any]

STREAM_METHOD = "streamGenerateContent"
DATA_FIELDS = (
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
)  # fmt: skip
ROLES = frozenset({"user", "model", "function"})
FUNCTION_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
PROVIDED_TOOLS = ("googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext")
MIME_TYPES = frozenset({"text/plain", "application/json"})
# The documented stand-ins for a signature that another model never gave.
ANY_SIGNATURE = frozenset(
    {"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}
)


def read_prompt(asked: Asked) -> Prompt:
    body = gemini_messages.read_message(asked.body, "GenerateContentRequest")
    if body.get("cachedContent"):
        raise Refused("CachedContent not found (or permission denied)", status=403)
    contents = read_contents(body.get("contents"), "GenerateContentRequest")
    name, _ = parse(asked.model)
    _check_turns(contents, strict=name == "reasoner")
    config = body.get("generationConfig", {})
    _check_sampling(config)
    tools, provided = _read_tools(body.get("tools", []))
    calling, allowed = _read_calling(body.get("toolConfig", {}), tools)
    wants_json, schema = _read_response_format(config)
    spoken = next(
        (c for c in reversed(contents) if _role(c) == "user" and not _of(c, "functionResponse")), {}
    )
    last = contents[-1]
    return Prompt(
        segments=tuple(read_segments(body)),
        user_text="\n".join(_texts(spoken)),
        attachments=tuple(_describe(part) for part in _attachments(spoken)),
        tool_results=tuple(
            ToolResult(
                response.get("id") or response["name"],
                orjson.dumps(response.get("response", {})).decode(),
            )
            for response in _of(last, "functionResponse")
        ),
        tools=tuple(tool for tool in tools if not allowed or tool.name in allowed),
        calling=calling,
        wants_json=wants_json,
        json_schema=schema,
        effort=_read_effort(config.get("thinkingConfig", {})),
        prefill="".join(_texts(last)) if _role(last) == "model" else "",
        limit=config.get("maxOutputTokens"),
        stops=tuple(config.get("stopSequences", ())),
        choices=config.get("candidateCount", 1),
        stream=gemini_dialect.name_method(asked) == STREAM_METHOD,
        shows_reasoning=config.get("thinkingConfig", {}).get("includeThoughts") is True,
        top_logprobs=_read_logprobs(config),
        provided_tools=provided,
    )


def read_contents(contents: list[Content] | None, message: str) -> list[Content]:
    if not contents:
        raise Refused(f"* {message}.contents: contents is not specified\n")
    for index, content in enumerate(contents):
        path = f"{message}.contents[{index}]"
        if content.get("role") and content["role"] not in ROLES:
            raise Refused("Please use a valid role: user, model.")
        if not content.get("parts"):
            raise Refused(f"* {path}.parts: contents.parts must not be empty.\n")
        for number, part in enumerate(content["parts"]):
            _check_part(part, f"{path}.parts[{number}]")
    return contents


def _check_part(part: dict[str, Any], path: str) -> None:
    data = [name for name in DATA_FIELDS if name in part]
    if len(data) > 1:
        raise Refused(f"{path}: oneof field 'data' is already set. Cannot set '{data[1]}'")
    if not data and "thoughtSignature" not in part:
        raise Refused(
            f"* {path}.data: required oneof field 'data' must have one initialized field\n"
        )
    for name in ("inlineData", "fileData"):
        if name in part and not part[name].get("mimeType") and name == "inlineData":
            raise Refused(f"* {path}.inline_data.mime_type: mime_type is required\n")
    if "fileData" in part and not part["fileData"].get("fileUri"):
        raise Refused(f"* {path}.file_data.file_uri: file_uri is required\n")
    for name in ("functionCall", "functionResponse"):
        if name in part and not part[name].get("name"):
            snake = gemini_messages.to_snake_case(name)
            raise Refused(f"* {path}.{snake}.name: Name cannot be empty.\n")
    if "thoughtSignature" in part and not _is_genuine(part["thoughtSignature"]):
        raise Refused("Thought signature is not valid.")


def _is_genuine(signature: str) -> bool:
    if signature in ANY_SIGNATURE:
        return True
    found = gemini_messages.decode_bytes(signature)
    return found.decode(errors="replace") in ANY_SIGNATURE or is_seal(found)


def _check_turns(contents: list[Content], *, strict: bool) -> None:
    """Function calls follow a user's turn, their responses follow them, one for each."""
    before: Content = {}
    turn = max((i for i, c in enumerate(contents) if _role(c) == "user" and not _of(c, "functionResponse")), default=0)  # fmt: skip
    for index, content in enumerate(contents):
        calls = _of(content, "functionCall")
        responses = _of(content, "functionResponse")
        if calls and (not before or _role(before) == "model"):
            raise Refused(
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn."
            )
        asked = _of(before, "functionCall")
        if responses and not asked:
            raise Refused(
                "Please ensure that function response turn comes immediately after a function call turn."
            )
        if len(asked) != len(responses):
            raise Refused(
                "Please ensure that the number of function response parts is equal to the number of function call parts "
                "of the function call turn."
            )
        if strict and calls and index > turn:
            _check_signature(content, index)
        before = content


def _check_signature(content: Content, index: int) -> None:
    number, first = next((n, p) for n, p in enumerate(content["parts"]) if "functionCall" in p)
    if "thoughtSignature" not in first:
        name = first["functionCall"]["name"]
        raise Refused(
            "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
            "correctly, and missing thought_signature may lead to degraded model performance. Additional data, function "
            f"call `default_api:{name}` , position {index}.{number}. Please refer to "
            "https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
        )


def _check_sampling(config: dict[str, Any]) -> None:
    bounds = (("temperature", 0, 2), ("topP", 0, 1), ("presencePenalty", -2, 2), ("frequencyPenalty", -2, 2))  # fmt: skip
    for name, low, high in bounds:
        if name in config and not low <= config[name] <= high:
            snake = gemini_messages.to_snake_case(name)
            raise Refused(
                f"* GenerateContentRequest.generation_config.{snake}: {snake} must be in the range [{low}.0, {high}.0].\n"
            )
    if not 1 <= config.get("candidateCount", 1) <= 8:
        raise Refused("The candidate count must be in the range [1, 8].")
    if config.get("maxOutputTokens", 1) < 1:
        raise Refused("max_output_tokens must be positive.")
    if len(config.get("stopSequences", ())) > 5:
        raise Refused("The maximum number of stop sequences is 5.")


def _read_tools(given: list[dict[str, Any]]) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    tools: list[Tool] = []
    for index, tool in enumerate(given):
        for number, declared in enumerate(tool.get("functionDeclarations", ())):
            path = f"GenerateContentRequest.tools[{index}].function_declarations[{number}]"
            tools.append(_read_declaration(declared, path, {tool.name for tool in tools}))
    provided = tuple(name for name in PROVIDED_TOOLS if any(name in tool for tool in given))
    return tuple(tools), provided


def _read_declaration(declared: dict[str, Any], path: str, known: set[str]) -> Tool:
    name = declared.get("name", "")
    if not FUNCTION_NAME.fullmatch(name):
        raise Refused(
            f"* {path}.name: Invalid function name. Must start with a letter or an underscore. Must be alphanumeric "
            "(a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128.\n"
        )
    if name in known:
        raise Refused(f"Duplicate function declaration found: {name}")
    if "parameters" not in declared:
        return Tool(name, declared.get("parametersJsonSchema"))
    if "parametersJsonSchema" in declared:
        raise Refused(f"* {path}: only one of parameters and parameters_json_schema may be set.\n")
    _check_schema(declared["parameters"], f"{path}.parameters")
    return Tool(name, gemini_messages.to_json_schema(declared["parameters"]))


def _check_schema(schema: dict[str, Any], path: str) -> None:
    kind = schema.get("type")
    if kind == "ARRAY" and "items" not in schema:
        raise Refused(f"* {path}.items: missing field.\n")
    for name in schema.get("required", ()):
        if name not in schema.get("properties", {}):
            raise Refused(f"* {path}.required: property is not defined: {name}\n")
    for name, inner in schema.get("properties", {}).items():
        _check_schema(inner, f"{path}.properties[{name}]")
    if "items" in schema:
        _check_schema(schema["items"], f"{path}.items")


def _read_calling(config: dict[str, Any], tools: tuple[Tool, ...]) -> tuple[Any, frozenset[str]]:
    calling = config.get("functionCallingConfig", {})
    mode = calling.get("mode", "AUTO")
    allowed = frozenset(calling.get("allowedFunctionNames", ()))
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise Refused(
            "allowed_function_names should only be set when the function calling mode is ANY."
        )
    if unknown := allowed - {tool.name for tool in tools}:
        raise Refused(f"The allowed function name `{min(unknown)}` is not present in the tools.")
    if mode == "ANY" and not tools:
        raise Refused("Function calling config is set without function_declarations.")
    return {"ANY": "required", "NONE": "none"}.get(mode, "auto"), allowed


def _read_response_format(config: dict[str, Any]) -> tuple[bool, Any]:
    mime = config.get("responseMimeType", "text/plain")
    if mime not in MIME_TYPES:
        raise Refused(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, "
            "`application/json`, `application/xml`, `application/yaml` and `text/x.enum`.\n"
        )
    schema = config.get("responseSchema")
    free = config.get("responseJsonSchema")
    if schema is not None and free is not None:
        raise Refused("Only one of response_schema and response_json_schema may be set.")
    if mime != "application/json":
        if schema is not None or free is not None:
            raise Refused(
                f"* GenerateContentRequest.generation_config.response_schema: only allowed when response_mime_type is "
                f"application/json, not {mime}\n"
            )
        return False, None
    if schema is None:
        return True, free
    _check_schema(schema, "GenerateContentRequest.generation_config.response_schema")
    return True, gemini_messages.to_json_schema(schema)


def _read_effort(thinking: dict[str, Any]) -> str | None:
    """Levels are Gemini 3's, budgets (tokens; 0 off, -1 as the model likes) Gemini 2.5's."""
    budget, level = thinking.get("thinkingBudget"), thinking.get("thinkingLevel")
    if budget is not None and level is not None:
        raise Refused("You can only set only one of thinking budget and thinking level.")
    if level is not None:
        return None if level in ("MINIMAL", "THINKING_LEVEL_UNSPECIFIED") else str(level).lower()
    if budget is None:
        return "medium" if thinking.get("includeThoughts") else None
    checks.expect_whole(budget, "thinking_budget", low=-1, high=32768)
    if budget == 0:
        return None
    if budget < 0:
        return "medium"
    return "low" if budget < 4096 else "medium" if budget < 16384 else "high"


def _read_logprobs(config: dict[str, Any]) -> int | None:
    top = config.get("logprobs")
    if not config.get("responseLogprobs"):
        if top is not None:
            raise Refused("logprobs is only allowed when response_logprobs is true.")
        return None
    return checks.expect_whole(0 if top is None else top, "logprobs", low=0, high=20)


def read_segments(body: dict[str, Any]) -> Iterator[Segment]:
    if body.get("tools"):
        yield Segment(orjson.dumps(body["tools"]).decode())
    contents = [body["systemInstruction"]] if body.get("systemInstruction") else []
    for content in [*contents, *body.get("contents", ())]:
        for part in content.get("parts", ()):
            yield Segment(_text_of(part))


def _text_of(part: dict[str, Any]) -> str:
    if "text" in part:
        return str(part["text"])
    if "functionCall" in part:
        call = part["functionCall"]
        return str(call["name"]) + orjson.dumps(call.get("args", {})).decode()
    if "functionResponse" in part:
        return orjson.dumps(part["functionResponse"].get("response", {})).decode()
    if "inlineData" in part or "fileData" in part:
        return stand_in(orjson.dumps(part).decode())
    return str(part.get("executableCode", part.get("codeExecutionResult", {})).get("code", ""))


def _role(content: Content) -> str:
    return content.get("role") or "user"


def _of(content: Content, name: str) -> list[dict[str, Any]]:
    return [part[name] for part in content.get("parts", ()) if name in part]


def _texts(content: Content) -> list[str]:
    return [p["text"] for p in content.get("parts", ()) if "text" in p and not p.get("thought")]


def _attachments(content: Content) -> list[dict[str, Any]]:
    return [p for p in content.get("parts", ()) if "inlineData" in p or "fileData" in p]


def _describe(part: dict[str, Any]) -> str:
    if "fileData" in part:
        return f"file {part['fileData']['fileUri']}"
    kind = part["inlineData"]["mimeType"]
    size = len(gemini_messages.decode_bytes(part["inlineData"].get("data", "")))
    return f"{kind.partition('/')[0]} {kind} of {size} bytes"
