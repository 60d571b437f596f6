"""Gemini's signatures in Chat Completions: ``extra_content`` beside a tool call, or in the message for its text.

Google's own OpenAI layer writes and wants them there, and clients that know Gemini keep them; of a streamed call they
read them from its first fragment. https://ai.google.dev/gemini-api/docs/thought-signatures#openai (2026-11-21)
"""

from collections.abc import Mapping
from typing import Any

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json


def encode_signature(signature: str, origin: Wire | None) -> Json:
    """Empty for signatures of other makers, which this wire has no place for."""
    if not signature or origin is not Wire.GEMINI:
        return {}
    return {"extra_content": {"google": {"thought_signature": signature}}}


def with_signature(keys: Json, signature: str, origin: Wire | None) -> Json:
    """A client's keys with the signature back beside whatever else ``extra_content`` holds."""
    if not encode_signature(signature, origin):
        return keys
    content = keys.get("extra_content", {})
    google = {**content.get("google", {}), "thought_signature": signature}
    return {**keys, "extra_content": {**content, "google": google}}


def read_signature(owner: Mapping[str, Any]) -> str:
    """The signature of a call or message; empty when it has none."""
    extra = owner.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) else ""


def take_signature(extra: Json) -> str:
    """The same, taken out of a client's unmodelled keys; what else is beside it stays there."""
    signature = read_signature(extra)
    if not signature:
        return ""
    content = extra.pop("extra_content")
    google = {key: value for key, value in content["google"].items() if key != "thought_signature"}
    rest = {key: value for key, value in content.items() if key != "google"}
    rest |= {"google": google} if google else {}
    if rest:
        extra["extra_content"] = rest
    return signature


def origin_of(signature: str) -> Wire | None:
    return Wire.GEMINI if signature else None
