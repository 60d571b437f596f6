"""What every fixture means: ``canonical.json`` is what was last read and found right, this makes what is true now.

    .venv/bin/python manage.py shell -c "from tests.protocols import canonical; canonical.write()"

writes the files anew; the difference is to be read before it is committed. A value that is its type's default is left
out, and so is the folded stream where it says exactly what the whole answer says.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import orjson

from apps.inference.canonical.fold import fold
from apps.inference.protocols import CODECS
from tests.protocols.cases import CASES, FIXTURES, Case, events_of

Json = dict[str, Any]


def path_of(case: Case) -> Path:
    return FIXTURES / case.wire / case.name / "canonical.json"


def render(case: Case) -> bytes:
    """The request, the whole answer and the folded stream of a case."""
    codec = CODECS[case.wire]
    response = plain(codec.decode_response(case.response))
    stream = plain(fold(events_of(case.wire, [case.stream])))
    meant = {"request": plain(codec.decode_request(case.request)), "response": response}
    if stream != response:
        meant["stream"] = stream
    return orjson.dumps(meant, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def plain(value: Any) -> Any:
    """As JSON: values of ours under the name of their type."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, msgspec.Struct):
        found = {
            one.name: (getattr(value, one.name), _struct_default(one))
            for one in msgspec.structs.fields(value)
        }
        return _named(value, found)
    if is_dataclass(value):
        return _named(
            value, {one.name: (getattr(value, one.name), _default(one)) for one in fields(value)}
        )
    if isinstance(value, Mapping):
        return {str(plain(name)): plain(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    return value


def _named(value: Any, found: Mapping[str, tuple[Any, Any]]) -> Json:
    told = {name: plain(held) for name, (held, default) in found.items() if held != default}
    return {"is": type(value).__name__, **told}


def _default(one: Any) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _struct_default(one: Any) -> Any:
    return one.default_factory() if one.default_factory is not msgspec.NODEFAULT else one.default


def write() -> None:
    for case in CASES:
        path_of(case).write_bytes(render(case))
