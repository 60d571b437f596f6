"""What a model makes, from the words of many lists to the catalogue's own: OpenRouter's (``snapshots.MODALITIES``)."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

TEXT, IMAGE, EMBEDDINGS = ("text",), ("image",), ("embeddings",)
SPEECH, TRANSCRIPTION, RERANK, MODERATION = (
    ("speech",), ("transcription",), ("rerank",), ("moderation",),
)  # fmt: skip
NOTHING: tuple[str, ...] = ()
"""We have no operation for it: video, music, realtime sound."""

WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("text", "chat", "llm", "language", "code", "completion", "text-generation", "text generation",
         "image-text-to-text", "vision", "vlm", "multimodal", "responses", "text-to-text", "conversational"), TEXT),
    **dict.fromkeys(("image", "images", "text-to-image", "text-to-images", "image-generation", "image_generation"), IMAGE),
    **dict.fromkeys(("embedding", "embeddings", "embed", "feature-extraction", "text embeddings"), EMBEDDINGS),
    **dict.fromkeys(("speech", "tts", "text-to-speech", "audio_speech"), SPEECH),
    **dict.fromkeys(
        ("transcription", "transcribe", "stt", "asr", "whisper", "automatic-speech-recognition", "speech-to-text",
         "audio_transcription"), TRANSCRIPTION),
    **dict.fromkeys(("rerank", "reranker", "text-classification-rerank"), RERANK),
    **dict.fromkeys(("moderation", "moderations"), MODERATION),
    **dict.fromkeys(
        ("video", "text-to-video", "image-to-video", "video-to-video", "music", "3d", "image-to-image",
         "image-to-3d", "text-to-3d", "training", "realtime", "ocr", "segmentation", "object-detection",
         "image-classification", "zero-shot-image-classification", "text-to-audio", "audio-to-audio", "video_generation"),
        NOTHING),
}  # fmt: skip

NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("*realtime*", NOTHING), ("*sora*", NOTHING), ("*veo-*", NOTHING), ("*-video*", NOTHING), ("*lyria*", NOTHING),
    ("*rerank*", RERANK), ("*embed*", EMBEDDINGS), ("*bge-*", EMBEDDINGS), ("*moderation*", MODERATION),
    ("*whisper*", TRANSCRIPTION), ("*transcribe*", TRANSCRIPTION), ("*voxtral-mini-transcribe*", TRANSCRIPTION),
    ("tts-*", SPEECH), ("*-tts*", SPEECH), ("*orpheus*", SPEECH),
    ("dall-e*", IMAGE), ("*gpt-image*", IMAGE), ("*imagen-*", IMAGE), ("*flux*", IMAGE), ("*stable-diffusion*", IMAGE),
    ("*seedream*", IMAGE), ("*-image-[0-9]*", IMAGE),
)  # fmt: skip
"""For lists that name their models and nothing more: globs over ids in lower case, the first that matches."""

PER_PIECE: Mapping[str, frozenset[str]] = {
    "image": frozenset({"images"}),
    "embeddings": frozenset({"input"}),
    "speech": frozenset({"characters"}),
    "transcription": frozenset({"seconds"}),
    "rerank": frozenset({"searches", "input"}),
    "moderation": frozenset({"input"}),
    "audio": frozenset(),
}
"""What a kind of model is billed by, unless it makes text: one of these must be known."""


def words_of(value: Any) -> tuple[str, ...]:
    """The words of a list or of text such as "Text, Images", in lower case."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        return ()
    return tuple(dict.fromkeys(str(word).strip().lower() for word in value if word))


def modalities_of(
    outputs: tuple[str, ...], kinds: tuple[str, ...], upstream_model: str
) -> tuple[str, ...]:
    """What a model makes: as listed, else by its kind, else by its name, else text; nothing when we cannot pass it on."""
    if outputs:
        found = [
            word for output in outputs for word in WORDS.get(output, (output,)) if word in PER_PIECE or word == "text"
        ]  # fmt: skip
        # A list that knows two kinds of output writes embeddings and transcripts as "text".
        if found != ["text"]:
            return tuple(dict.fromkeys(found))
    for kind in kinds:
        if kind in WORDS:
            return WORDS[kind]
    name = upstream_model.lower().rpartition("/")[2]
    return next((found for glob, found in NAMES if fnmatchcase(name, glob)), TEXT)


IMAGE_WRITERS = re.compile(r"^(?:google/gemini|openai/gpt)-[\d.]+.*-image(?:-|$)")
"""Models that answer with text and images in one conversation."""


def abilities_by_name(model_id: str) -> Mapping[str, tuple[str, ...]]:
    """What the name of a model tells that no source describes; nothing for most."""
    if IMAGE_WRITERS.match(model_id.lower()):
        return {"input_modalities": ("text", "image"), "output_modalities": ("text", "image")}
    return {}
