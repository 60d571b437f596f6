"""Pictures and sound in answers of Chat Completions.

``images``: OpenRouter's, https://openrouter.ai/docs/features/multimodal/image-generation (2026-07)
``audio``: https://platform.openai.com/docs/guides/audio#add-audio-to-your-existing-application
"""

from typing import Any

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import Opaque, Picture, Sound
from apps.inference.canonical.media import foreign_pictures, picture_url, read_picture


def is_picture(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_url"


def read_pictures(images: Any) -> tuple[Picture, ...]:
    """Those of a list of parts; hosts write ``image_url`` as an object or as the address itself."""
    places = [part.get("image_url") for part in images or () if isinstance(part, dict)]
    urls = [place.get("url") if isinstance(place, dict) else place for place in places]
    return tuple(picture for url in urls if (picture := read_picture(url)))


def transcript_of(message: Json) -> str:
    """What the sound of a message or delta says."""
    audio = message.get("audio")
    text = audio.get("transcript") if isinstance(audio, dict) else ""
    return text if isinstance(text, str) else ""


def encode_picture(picture: Picture, *, position: int) -> Json:
    """With its place, without which OpenAI's SDK cannot join the lists of two chunks."""
    url = picture_url(picture)
    return {"type": "image_url", "image_url": {"url": url}, "index": position}


def encode_pictures(part: Opaque, *, position: int) -> list[Json]:
    """Of a part of another wire, the first of them at this place."""
    pictures = foreign_pictures(part, Wire.OPENAI_CHAT)
    return [encode_picture(one, position=position + i) for i, one in enumerate(pictures)]


def encode_sound(sound: Sound, *, answer_id: str, created: int) -> Json:
    """Nobody keeps it: it has expired when it is told, and there is no transcript."""
    return {
        "id": f"audio_{answer_id}",
        "data": sound.data,
        "expires_at": created,
        "transcript": "",
    }
