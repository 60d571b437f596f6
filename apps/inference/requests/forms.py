"""Forms: multipart bodies with files, as OpenAI's audio and image-edit endpoints take them."""

import io
import math
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict
from typing_extensions import override

from apps.common.errors import InvalidRequest

FLAGS = {"true": True, "1": True, "false": False, "0": False}
"""What clients write for yes and no."""


@dataclass(frozen=True, slots=True)
class File:
    field: str
    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    fields: tuple[tuple[str, str], ...]
    files: tuple[File, ...]

    def get(self, name: str) -> str | None:
        """The last value of a field, or None."""
        return dict(self.fields).get(name)

    def require(self, name: str) -> str:
        value = self.get(name)
        if not value:
            raise InvalidRequest(f"'{name}' is missing.", param=name, code="missing_field")
        return value

    def whole_number(self, name: str, *, least: int, most: int) -> int | None:
        value = self.get(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise InvalidRequest(
                f"'{name}' must be a whole number from {least} to {most}.",
                param=name,
                code="invalid_value",
            )
        return int(value)

    def number(self, name: str, *, least: float, most: float) -> float | None:
        value = self.get(name)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:  # nor is nan
            raise InvalidRequest(
                f"'{name}' must be a number from {least:g} to {most:g}.",
                param=name,
                code="invalid_value",
            )
        return number

    def flag(self, name: str) -> bool:
        """False when absent."""
        value = self.get(name)
        if value is None:
            return False
        if value.lower() not in FLAGS:
            raise InvalidRequest(
                f"'{name}' must be true or false.", param=name, code="invalid_value"
            )
        return FLAGS[value.lower()]

    def encode(
        self, changes: dict[str, str], *, without: Collection[str] = ()
    ) -> tuple[bytes, str]:
        """The form with some fields changed and some left out, as (body, content type)."""
        boundary = secrets.token_hex(16)
        gone = {*changes, *without}
        fields = [(name, value) for name, value in self.fields if name not in gone]
        parts: list[bytes] = []
        for name, value in (*fields, *changes.items()):
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
            parts += [head.encode(), value.encode(), b"\r\n"]
        for file in self.files:
            head = (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(file.field)}"; '
                f'filename="{_quoted(file.name)}"\r\nContent-Type: {file.content_type}\r\n\r\n'
            )
            parts += [head.encode(), file.data, b"\r\n"]
        parts.append(f"--{boundary}--\r\n".encode())
        return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    """As browsers escape names in a form: https://html.spec.whatwg.org/#multipart-form-data."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


class _InMemory(MemoryFileUploadHandler):
    """The body is in memory already and capped, so its files are too."""

    @override
    def handle_raw_input(self, *_arguments: object, **_named: object) -> None:
        self.activated = True


def read_form(body: bytes, content_type: str) -> Form:
    """Raises InvalidRequest for what is not a form."""
    if not content_type.lower().startswith("multipart/form-data"):
        raise InvalidRequest(
            "The body must be a form: send it as multipart/form-data.", code="invalid_form"
        )
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    try:
        parsed = MultiPartParser(meta, io.BytesIO(body), [_InMemory()]).parse()
    except (MultiPartParserError, SuspiciousOperation, ValueError) as error:
        raise InvalidRequest("The body is not a valid form.", code="invalid_form") from error
    fields: MultiValueDict[str, str] = parsed[0]
    files: MultiValueDict[str, UploadedFile[bytes]] = parsed[1]
    return Form(
        fields=tuple((name, value) for name, values in fields.lists() for value in values),
        files=tuple(
            File(
                name,
                file.name or "file",
                file.content_type or "application/octet-stream",
                file.read(),
            )
            for name, uploads in files.lists()
            for file in uploads
        ),
    )
