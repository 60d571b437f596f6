"""Fields: reading a client's JSON object field by field, with errors that name the field.

Every reader treats ``null`` as absent and raises InvalidRequest with the field's whole path as ``param``.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NoReturn

from apps.common.errors import InvalidRequest

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fields:
    body: Json
    at: str = ""
    """Path of this object in the request body; empty for the body itself."""

    def path(self, name: str) -> str:
        return f"{self.at}.{name}" if self.at else name

    def refuse(self, name: str, problem: str, *, code: str = "invalid_value") -> NoReturn:
        path = self.path(name)
        raise InvalidRequest(f"'{path}' {problem}.", param=path, code=code)

    def require(self, name: str) -> None:
        if self.body.get(name) is None:
            self.refuse(name, "is required", code="missing_field")

    def text(self, name: str) -> str | None:
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            self.refuse(name, "must be a string", code="invalid_type")
        return value

    def required_text(self, name: str) -> str:
        """May be empty."""
        self.require(name)
        return self.text(name) or ""

    def required_name(self, name: str) -> str:
        """A text that may not be empty."""
        value = self.required_text(name)
        if not value:
            self.refuse(name, "must not be empty")
        return value

    def flag(self, name: str) -> bool | None:
        value = self.body.get(name)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, "must be true or false", code="invalid_type")
        return value

    def whole_number(
        self, name: str, *, least: int | None = None, most: int | None = None
    ) -> int | None:
        value = self.body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(name, "must be a whole number", code="invalid_type")
        if least is not None and value < least:
            self.refuse(name, f"must be at least {least}")
        if most is not None and value > most:
            self.refuse(name, f"must be at most {most}")
        return value

    def number(self, name: str, *, least: float, most: float) -> float | None:
        value = self.body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(name, "must be a number", code="invalid_type")
        if not least <= value <= most:
            self.refuse(name, f"must be between {least:g} and {most:g}")
        return value

    def choice(self, name: str, options: Collection[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in options:
            self.refuse(name, f"must be one of {', '.join(options)}")
        return value

    def plain_object(self, name: str) -> Json | None:
        value = self.body.get(name)
        if value is not None and not isinstance(value, dict):
            self.refuse(name, "must be an object", code="invalid_type")
        return value

    def object(self, name: str) -> "Fields | None":
        value = self.plain_object(name)
        return None if value is None else Fields(value, self.path(name))

    def required_object(self, name: str) -> "Fields":
        self.require(name)
        return Fields(self.plain_object(name) or {}, self.path(name))

    def items(self, name: str) -> list[Any]:
        """Empty when absent."""
        value = self.body.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(name, "must be an array", code="invalid_type")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.items(name)
        for position, value in enumerate(values):
            if not isinstance(value, str):
                self.refuse(f"{name}[{position}]", "must be a string", code="invalid_type")
        return tuple(values)

    def objects(self, name: str) -> list["Fields"]:
        found = []
        for position, value in enumerate(self.items(name)):
            if not isinstance(value, dict):
                self.refuse(f"{name}[{position}]", "must be an object", code="invalid_type")
            found.append(Fields(value, self.path(f"{name}[{position}]")))
        return found

    def rest(self, known: Collection[str]) -> Json:
        """The keys that are not modelled, as they came."""
        return {key: value for key, value in self.body.items() if key not in known}
