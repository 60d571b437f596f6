"""Small checks that the readers of bodies use. They raise Refused with the parameter's path."""

import base64
from typing import Any

import orjson

from apps.sandbox.wire import Refused


def read_json(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Refused(f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(body, dict):
        raise Refused("The JSON body of your request is not an object.")
    return body


def expect_object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{path}: Input should be an object", param=path)
    return value


def expect_list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise Refused(f"{path}: Input should be a list", param=path)
    return value


def expect_text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise Refused(f"{path}: Input should be a string", param=path)
    return value


def expect_whole(value: Any, path: str, *, low: int = 1, high: int = 10**9) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refused(f"{path}: Input should be an integer from {low} to {high}", param=path)
    return value


def expect_number(value: Any, path: str, *, low: float, high: float) -> None:
    """None passes: it means that the parameter is not set."""
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise Refused(f"{path}: Input should be a number from {low} to {high}", param=path)


def expect_flag(value: Any, path: str) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Refused(f"{path}: Input should be a boolean", param=path)
    return value


def count_base64(data: Any, path: str) -> int:
    """How many bytes valid base64 stands for."""
    try:
        return len(base64.b64decode(expect_text(data, path), validate=True))
    except ValueError as error:
        raise Refused(f"{path}: Invalid base64 data", param=path) from error
