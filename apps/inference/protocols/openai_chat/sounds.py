"""``input_audio`` parts: the two formats that OpenAI takes, and their media types, which other wires go by.

https://platform.openai.com/docs/guides/audio#add-audio-to-your-existing-application
"""

from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import Sound
from apps.inference.canonical.fields import Fields

_MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mp3"}
_FORMATS = {
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
}


def decode_sound(part: Fields) -> Sound | None:
    """None for a format that nobody documents. Raises InvalidRequest naming the field."""
    audio = part.required_object("input_audio")
    media_type = _MEDIA_TYPES.get(audio.text("format") or "")
    data = audio.text("data")
    return Sound(data, media_type) if data and media_type else None


def encode_sound(sound: Sound) -> Json:
    """Empty for a media type that OpenAI does not take."""
    kind = _FORMATS.get(sound.media_type.partition(";")[0].strip().lower())
    if kind is None:
        return {}
    return {"type": "input_audio", "input_audio": {"data": sound.data, "format": kind}}
