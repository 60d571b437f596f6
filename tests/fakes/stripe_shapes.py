"""Whether JSON has the shape that Stripe publishes, by the types of the official SDK.

The ``stripe`` package is generated from Stripe's OpenAPI description and names the API version it was made for, so its
classes are that description in Python: field names, types, enumerations, what may be null. Read that way, they can not
fall behind the SDK that the gateway uses.

Stricter than the SDK at two places: a field that it does not know is a mistake, and so is a value outside an
enumeration. A field that may be null may also be absent: the SDK does not tell the two apart.
"""

import ast
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from stripe import ListObject, StripeObject
from stripe._object_classes import get_object_class
from stripe._stripe_object import UntypedStripeObject

LITERAL: Any = typing.Literal
UNION = (typing.Union, types.UnionType)


def problems_of(value: Any, where: str = "") -> list[str]:
    """What is wrong with an object that says what it is (``object``); empty when nothing is."""
    kind = value["object"]
    if kind == "list":
        return [
            problem
            for number, one in enumerate(value["data"])
            for problem in problems_of(one, f"{where}[{number}]")
        ]
    found = get_object_class("V1", kind)
    if found is StripeObject:
        return [f"{where or 'it'}: no such object: {kind}"]
    problems = list(_of_object(value, found, where or kind))
    if kind == "event":
        problems += _of_event(value)
    return problems


def _of_event(event: dict[str, Any]) -> list[str]:
    about = event["data"]["object"]
    problems = problems_of(about, f"{event['type']}.{about['object']}")
    known = _fields(get_object_class("V1", about["object"]))
    before = event["data"].get("previous_attributes", {})
    return problems + [
        f"{event['type']}: previous {name} is no field" for name in before if name not in known
    ]


def _of_object(value: Any, kind: type, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {kind.__name__} expected, found {value!r}"
        return
    fields = _fields(kind)
    if value.get("deleted"):
        fields = {name: field for name, field in fields.items() if name in value}
    for name in value.keys() - fields.keys():
        yield f"{where}.{name}: no such field"
    for name, (annotation, module) in fields.items():
        if name in value:
            yield from _of_value(value[name], annotation, module, f"{where}.{name}")
        elif not _may_be_null(annotation):
            yield f"{where}.{name}: missing"


def _fields(kind: type) -> dict[str, tuple[Any, str]]:
    """Field → its annotation and the module that this is to be read in."""
    found: dict[str, tuple[Any, str]] = {}
    for base in reversed(kind.__mro__):
        if not issubclass(base, StripeObject) or base is StripeObject:
            continue
        for name, annotation in inspect.get_annotations(base).items():
            if not name.startswith("_") and not str(annotation).startswith("typing.ClassVar"):
                found[name] = (annotation, base.__module__)
    return found


def _may_be_null(annotation: Any) -> bool:
    return type(None) in typing.get_args(annotation)


def _of_value(value: Any, annotation: Any, module: str, where: str) -> list[str]:
    if isinstance(annotation, typing.ForwardRef | str):
        name = annotation if isinstance(annotation, str) else annotation.__forward_arg__
        return _of_value(value, _resolve(name, module), module, where)
    origin: Any = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if annotation is Any:
        return []
    if origin in UNION:
        return _of_union(value, arguments, module, where)
    if origin is LITERAL:
        return [] if value in arguments else [f"{where}: {value!r} is none of {arguments[:8]}"]
    if origin is list:
        return _of_list(value, arguments[0], module, where)
    if origin is dict or annotation is UntypedStripeObject or origin is UntypedStripeObject:
        return _of_mapping(value, arguments, module, where)
    if annotation is ListObject or origin is ListObject:
        return _of_page(value, arguments[0], module, where)
    if inspect.isclass(annotation) and issubclass(annotation, StripeObject):
        return list(_of_object(value, annotation, where))
    return _of_scalar(value, annotation, where)


def _of_union(value: Any, members: tuple[Any, ...], module: str, where: str) -> list[str]:
    if value is None and type(None) in members:
        return []
    if any(typing.get_origin(member) is LITERAL for member in members):
        # The SDK adds ``str`` to every enumeration, for values to come. None of those may come from here.
        members = tuple(member for member in members if member is not str)
    if isinstance(value, dict):
        # An expanded id: to say that a string was expected would hide what is wrong inside.
        members = tuple(member for member in members if member is not str)
    tried = [
        _of_value(value, member, module, where) for member in members if member is not type(None)
    ]
    return min(tried, key=len)


def _of_list(value: Any, member: Any, module: str, where: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{where}: a list expected, found {value!r}"]
    return [
        problem
        for number, one in enumerate(value)
        for problem in _of_value(one, member, module, f"{where}[{number}]")
    ]


def _of_mapping(value: Any, arguments: tuple[Any, ...], module: str, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: an object expected, found {value!r}"]
    member = arguments[-1] if arguments else Any
    return [
        problem
        for name, one in value.items()
        for problem in _of_value(one, member, module, f"{where}.{name}")
    ]


def _of_page(value: Any, member: Any, module: str, where: str) -> list[str]:
    if not isinstance(value, dict) or value.keys() != {"object", "data", "has_more", "url"}:
        return [f"{where}: a list object expected, found {value!r}"]
    return _of_list(value["data"], member, module, f"{where}.data")


def _of_scalar(value: Any, annotation: Any, where: str) -> list[str]:
    expected = str if annotation is Decimal else annotation  # decimals travel as strings
    right = isinstance(value, expected) and not (isinstance(value, bool) and expected is not bool)
    return [] if right else [f"{where}: {expected.__name__} expected, found {value!r}"]


def _resolve(name: str, module: str) -> Any:
    """A name in quotes: of the module itself, or of what it imports for type checkers only."""
    space = {**vars(sys.modules[module]), **_checkers_imports(module)}
    return eval(name, space)


@cache
def _checkers_imports(module: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for block in ast.parse(inspect.getsource(sys.modules[module])).body:
        if not (isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"):
            continue
        for node in block.body:
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            if node.module.startswith("stripe.params"):
                continue
            source = importlib.import_module(node.module)
            for alias in node.names:
                found[alias.asname or alias.name] = getattr(source, alias.name)
    return found
