"""The tools of a Responses request: functions, tools that take text, namespaces of both, and those that run at OpenAI."""

from dataclasses import replace

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import TextInput, Tool, ToolChoice, ToolMode
from apps.inference.canonical.text_tools import text_tool
from apps.inference.protocols.openai_responses.decode_items import unknown
from apps.inference.protocols.openai_responses.namespaces import Namespaces

_WIRE = Wire.OPENAI_RESPONSES
_MODES = {"auto": ToolMode.AUTO, "none": ToolMode.NONE, "required": ToolMode.REQUIRED}
_CALLABLE = ("function", "custom")


def decode_tools(fields: Fields, namespaces: Namespaces) -> tuple[Tool | Opaque, ...]:
    found: list[Tool | Opaque] = []
    for tool in fields.objects("tools"):
        if tool.required_text("type") == "namespace":
            found.extend(_decode_namespace(tool, namespaces))
        else:
            found.append(_decode_tool(tool))
    return tuple(found)


def _decode_tool(tool: Fields) -> Tool | Opaque:
    match tool.required_text("type"):
        case "function":
            return Tool(
                name=tool.required_name("name"),
                description=tool.text("description") or "",
                schema=tool.plain_object("parameters"),
                strict=tool.flag("strict"),
                extra=unknown(tool, "type", "name", "description", "parameters", "strict"),
            )
        case "custom":
            wanted = _decode_text_input(tool)
            extra = unknown(tool, "type", "name", "description", "format")
            return text_tool(tool.required_name("name"), wanted, extra=extra, source=tool.body)
        case _:
            return Opaque(_WIRE, tool.body)


def _decode_text_input(tool: Fields) -> TextInput:
    wanted = tool.object("format")
    rules = wanted.text("definition") if wanted else None
    return TextInput(
        description=tool.text("description") or "",
        syntax=(wanted.text("syntax") or "") if wanted else "",
        definition=rules or "",
    )


def _decode_namespace(group: Fields, namespaces: Namespaces) -> list[Tool | Opaque]:
    """Its tools, each with the whole of it as its source. What it says of them all stands once, at the first."""
    name = group.required_name("name")
    described = group.text("description") or ""
    members = [_decode_tool(member) for member in group.objects("tools")]
    found: list[Tool | Opaque] = []
    for tool in members:
        if isinstance(tool, Opaque):
            continue
        if described and not found:
            about = f"{name}: {described}"
            said = f"{about}\n\n{tool.description}" if tool.description else about
            tool = replace(tool, description=said)
        flat = namespaces.flat(name, tool.name)
        found.append(replace(tool, name=flat, own_name=tool.name, source=group.body))
    if not found:
        return [Opaque(_WIRE, group.body)]
    # On their own wire these are part of the source; on others they are named as lost.
    lost = {f"tools.{tool.name}": tool.payload for tool in members if isinstance(tool, Opaque)}
    if lost and isinstance(first := found[0], Tool):
        found[0] = replace(first, extra={_WIRE: {**first.extra.get(_WIRE, {}), **lost}})
    return found


def decode_tool_choice(fields: Fields, extra: Json, namespaces: Namespaces) -> ToolChoice | None:
    choice = fields.body.get("tool_choice")
    if choice is None:
        return None
    if isinstance(choice, str):
        fields.choice("tool_choice", _MODES)
        return ToolChoice(_MODES[choice])
    named = fields.required_object("tool_choice")
    kind = named.required_text("type")
    if kind == "allowed_tools" and (allowed := _decode_allowed(named, namespaces)):
        return allowed
    if kind not in _CALLABLE:
        extra["tool_choice"] = choice  # hosted tools: no other wire has a word for them
        return None
    return ToolChoice(ToolMode.NAMED, _name_in(named, namespaces))


def _decode_allowed(choice: Fields, namespaces: Namespaces) -> ToolChoice | None:
    """None when hosted tools are among the allowed: then the list means something on this wire only."""
    tools = choice.objects("tools")
    if not tools or any(tool.text("type") not in _CALLABLE for tool in tools):
        return None
    names = tuple(_name_in(tool, namespaces) for tool in tools)
    mode = choice.choice("mode", ("auto", "required")) or "auto"
    return ToolChoice(_MODES[mode], allowed=names)


def _name_in(named: Fields, namespaces: Namespaces) -> str:
    return namespaces.flat(named.text("namespace") or "", named.required_name("name"))
