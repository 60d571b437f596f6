"""Pictures and documents: Converse names a format where other wires name a media type, and takes no address but S3's."""

import re
from collections.abc import Iterable

IMAGE_FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
DOCUMENT_FORMATS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
IMAGE_TYPES = {name: media_type for media_type, name in IMAGE_FORMATS.items()}
DOCUMENT_TYPES = {name: media_type for media_type, name in DOCUMENT_FORMATS.items()}

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9\s\-()\[\]]")
_WHITE_SPACE = re.compile(r"\s+")
_LONGEST_NAME = 190


def document_name(title: str, *, taken: Iterable[str]) -> str:
    """A name that Converse accepts: mandatory, of few kinds of characters, and no two alike."""
    plain = _WHITE_SPACE.sub(" ", _NOT_IN_NAMES.sub("-", title))[:_LONGEST_NAME].strip()
    name = plain or "document"
    number = 1
    while name in set(taken):
        number += 1
        name = f"{plain or 'document'} {number}"
    return name
