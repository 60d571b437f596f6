"""Reads ``multipart/form-data``: text fields and files. A name that ends in ``[]`` is a list.

Format: RFC 7578
"""

import re
from dataclasses import dataclass
from typing import Any

from apps.sandbox.wire import Refused

BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
PARAMETER = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content_type: str
    content: bytes


def read_form(content: bytes, content_type: str) -> dict[str, Any]:
    found = BOUNDARY.search(content_type)
    if found is None:
        raise Refused("Could not parse multipart form: no boundary.")
    border = b"\r\n--" + found[1].encode()
    # The first border has no line before it, and "--" follows the last one.
    parts = (b"\r\n" + content).split(border)
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise Refused("Could not parse multipart form: it has no end.")
    form: dict[str, Any] = {}
    for part in parts[1:-1]:
        name, value = _read_part(part.removeprefix(b"\r\n"))
        if name.endswith("[]"):
            form.setdefault(name.removesuffix("[]"), []).append(value)
        else:
            form[name] = value
    return form


def _read_part(part: bytes) -> tuple[str, str | File]:
    head, separator, content = part.partition(b"\r\n\r\n")
    if not separator:
        raise Refused("Could not parse multipart form: a part has no head.")
    headers: dict[str, str] = {}
    for line in head.decode(errors="replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    parameters = dict(PARAMETER.findall(headers.get("content-disposition", "")))
    if "name" not in parameters:
        raise Refused("Could not parse multipart form: a part has no name.")
    if "filename" not in parameters:
        return parameters["name"], content.decode(errors="replace")
    kind = headers.get("content-type", "application/octet-stream")
    return parameters["name"], File(parameters["filename"], kind, content)
