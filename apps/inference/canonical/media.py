"""Pictures and sound of answers: as data URLs, and what is told to a client whose format has no words for them."""

from typing import Any

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.events import Opaque, Picture

_BASE64 = ";base64"
_WITHOUT_SOUND = frozenset({Wire.ANTHROPIC_MESSAGES, Wire.OPENAI_RESPONSES})
_WITHOUT_URLS = frozenset({Wire.OPENAI_RESPONSES})
"""Its item of a picture holds nothing but base64."""


def picture_url(picture: Picture) -> str:
    return picture.url or f"data:{picture.media_type}{_BASE64},{picture.data}"


def read_picture(url: Any) -> Picture | None:
    """None for what is no address."""
    if not isinstance(url, str) or not url:
        return None
    head, comma, data = url.partition(",")
    if head.startswith("data:") and head.endswith(_BASE64) and comma:
        return Picture(media_type=head[len("data:") : -len(_BASE64)], data=data)
    return Picture(url=url)


def foreign_pictures(part: Opaque, wire: Wire) -> tuple[Picture, ...]:
    """Those that this wire has to say in its own words."""
    if part.wire == wire:
        return ()
    return tuple(one for one in part.pictures if one.data or wire not in _WITHOUT_URLS)


def said_instead(part: Opaque, wire: Wire) -> str:
    """A text in the place of what this wire has no words for, so that nothing is lost unnamed; empty when it has."""
    if part.wire == wire:
        return ""
    if part.sound and wire in _WITHOUT_SOUND:
        return f"[{part.sound.media_type}: this format has no place for sound]"
    return "\n".join(
        f"![picture]({one.url})" for one in part.pictures if one.url and wire in _WITHOUT_URLS
    )
