"""Paths without the version: every path of the API is served without its ``/v1`` too, where earlier clients ask.

Put right once, at the door, so that nothing behind it knows a second name of anything.
"""

from functools import cache
from typing import Any

from apps.inference.operations import SURFACES
from gatewayz.api import api

VERSION = "/v1"
PAGES = frozenset({"", "docs", "openapi.json"})
"""First parts that are no names of the API's own."""


@cache
def first_parts() -> frozenset[str]:
    """``chat``, ``models``, ``user``, …"""
    paths = [str(found.pattern) for found in api.urls[0]]
    paths += [path.removeprefix("/v1/") for surface in SURFACES for path in surface.paths]
    found = {path.partition("/")[0] for path in paths if not path.startswith("/")}
    return frozenset(found) - PAGES


def with_version(scope: dict[str, Any]) -> dict[str, Any]:
    """The scope of the path with its version; the same scope when the path has one, or is none of the API's."""
    path: str = scope["path"]
    if path.startswith(VERSION) or path[1:].partition("/")[0] not in first_parts():
        return scope
    raw: bytes = scope.get("raw_path") or path.encode()
    return {**scope, "path": VERSION + path, "raw_path": VERSION.encode() + raw}
