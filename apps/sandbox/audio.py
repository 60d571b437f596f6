"""OpenAI's audio: transcriptions that tell what was sent, and speech of 10 milliseconds a character.

``transcription`` is billed by the second and speaks every response format, as whisper-1 does;
``transcription-tokens`` is billed by tokens, speaks JSON and text, and streams, as gpt-4o-transcribe does; the former ignores
``stream``, as whisper-1 does. A WAV file lasts as long as it
says; anything else is taken for 16,000 bytes a second. Ten audio tokens are a second.
Formats: https://platform.openai.com/docs/api-reference/audio and the types of openai 3.54.0
"""

import base64
import io
import math
import struct
import wave
from collections.abc import Iterator, Mapping
from typing import Any

from apps.sandbox import checks
from apps.sandbox.forms import File
from apps.sandbox.framing import Plain
from apps.sandbox.replies import split_words
from apps.sandbox.results import add_usage, respond, respond_in_events
from apps.sandbox.tokens import count_tokens
from apps.sandbox.wire import Job, Kind, Outgoing, Record, Refused

BY_TOKENS = "transcription-tokens"
TRANSCRIPTIONS = ("transcription", BY_TOKENS)
FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
BYTES_PER_SECOND = 16_000
TOKENS_PER_SECOND = 10
LONGEST_INPUT = 4096
SAMPLE_RATE = 24_000
SECONDS_PER_CHARACTER = 0.01
PIECE_BYTES = 4800
# Half a wave up, half a wave down: a tone of 222 Hz in 16 bits.
WAVE = struct.pack("<h", 4000) * 54 + struct.pack("<h", -4000) * 54
# MPEG-1 layer III, 128 kbit/s, 44.1 kHz: a frame whose side information is all zero is 26 ms of silence.
SILENT_FRAME = b"\xff\xfb\x90\x64" + bytes(413)
FRAME_SECONDS = 1152 / 44_100
MEDIA_TYPES: Mapping[str, str] = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm": "audio/pcm"}


def transcribe(job: Job) -> Outgoing:
    body = job.asked.body
    file = body.get("file")
    if not isinstance(file, File):
        raise Refused("Missing required parameter: 'file'.", param="file")
    if not file.content:
        raise Refused("The audio file is empty.", param="file", code="audio_file_empty")
    wanted = body.get("response_format") or "json"
    supported = FORMATS[:2] if job.name == BY_TOKENS else FORMATS
    if wanted not in supported:
        raise Refused(
            f"response_format '{wanted}' is not compatible with model '{job.asked.model}'. Use one of {', '.join(supported)} "
            "instead.",
            param="response_format",
            code="unsupported_value",
        )
    seconds = _measure(file)
    said = f"You sent {file.name}, {len(file.content)} bytes of {file.content_type}."
    text = "" if job.options.empty else said
    if body.get("stream") == "true" and job.name == BY_TOKENS:
        parts = ({"type": "transcript.text.delta", "delta": word} for word in split_words(text))
        last = {"type": "transcript.text.done", "text": text}
        return respond_in_events(
            job, parts, add_usage(job, last, _render_usage(job, text, seconds))
        )
    if wanted in ("text", "srt", "vtt"):
        plain = _render_subtitles(wanted, text, seconds)
        return Outgoing(
            id=job.id, options=job.options, body=plain.encode, content_type="text/plain"
        )
    answer: dict[str, Any] = {"text": text}
    if wanted == "verbose_json":
        answer |= _render_details(body, text, seconds)
    return respond(job, add_usage(job, answer, _render_usage(job, text, seconds)))


def _measure(file: File) -> float:
    try:
        with wave.open(io.BytesIO(file.content)) as sound:
            frames, rate = sound.getnframes(), sound.getframerate()
            return float(frames / rate)
    except (wave.Error, EOFError):
        return len(file.content) / BYTES_PER_SECOND


def _render_usage(job: Job, text: str, seconds: float) -> dict[str, Any]:
    if job.name != BY_TOKENS:
        return {"type": "duration", "seconds": math.ceil(seconds)}
    heard, asked = math.ceil(seconds * TOKENS_PER_SECOND), job.asked.body.get("prompt", "")
    prompt, output = count_tokens(asked), count_tokens(text)
    return {
        "type": "tokens",
        "input_tokens": heard + prompt,
        "input_token_details": {"audio_tokens": heard, "text_tokens": prompt},
        "output_tokens": output,
        "total_tokens": heard + prompt + output,
    }


def _render_details(body: dict[str, Any], text: str, seconds: float) -> dict[str, Any]:
    segment = {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": seconds,
        "text": text,
        "tokens": list(range(count_tokens(text))),
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.01,
    }
    details = {"task": "transcribe", "language": body.get("language") or "english", "duration": seconds}  # fmt: skip
    granularities = body.get("timestamp_granularities") or ["segment"]
    if "segment" in granularities:
        details["segments"] = [segment]
    if "word" in granularities:
        words = text.split()
        step = seconds / max(len(words), 1)
        details["words"] = [
            {"word": word, "start": number * step, "end": (number + 1) * step}
            for number, word in enumerate(words)
        ]
    return details


def _render_subtitles(wanted: str, text: str, seconds: float) -> str:
    match wanted:
        case "srt":
            return f"1\n{_clock(0, ',')} --> {_clock(seconds, ',')}\n{text}\n\n\n"
        case "vtt":
            return f"WEBVTT\n\n{_clock(0, '.')} --> {_clock(seconds, '.')}\n{text}\n\n"
    return f"{text}\n"


def _clock(seconds: float, mark: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{mark}{thousandths:03d}"


def speak(job: Job) -> Outgoing:
    body = job.asked.body
    text = checks.expect_text(body.get("input"), "input")
    if not 1 <= len(text) <= LONGEST_INPUT:
        raise Refused(
            f"Invalid 'input': string too long or empty. Expected 1 to {LONGEST_INPUT} characters, but got {len(text)}.",
            param="input",
        )
    if not body.get("voice"):
        raise Refused(
            "Missing required parameter: 'voice'.", param="voice", code="missing_required_parameter"
        )
    wanted = checks.expect_text(body.get("response_format") or "mp3", "response_format")
    if wanted not in MEDIA_TYPES:
        raise Refused(
            f"The sandbox speaks {', '.join(MEDIA_TYPES)}, not {wanted!r}.", param="response_format"
        )
    speed = 1.0 if body.get("speed") is None else body["speed"]
    checks.expect_number(speed, "speed", low=0.25, high=4)
    sound = _render_sound(wanted, len(text) * SECONDS_PER_CHARACTER / speed)
    if body.get("stream_format") == "sse":
        return _speak_in_events(job, text, sound)
    return Outgoing(
        id=job.id,
        options=job.options,
        # An error has no place among sound; it comes as a JSON body.
        framing=None if job.options.errorbody else Plain(MEDIA_TYPES[wanted]),
        records=iter(()) if job.options.empty else _stream_bytes(sound),
    )


def _speak_in_events(job: Job, text: str, sound: bytes) -> Outgoing:
    pieces = (sound[at : at + PIECE_BYTES] for at in range(0, len(sound), PIECE_BYTES))
    parts = (
        {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}
        for piece in pieces
    )
    asked, spoken = count_tokens(text), len(text)
    usage = {"input_tokens": asked, "output_tokens": spoken, "total_tokens": asked + spoken}
    return respond_in_events(
        job, parts, add_usage(job, {"type": "speech.audio.done"}, usage), named=False
    )


def _render_sound(wanted: str, seconds: float) -> bytes:
    if wanted == "mp3":
        return SILENT_FRAME * math.ceil(seconds / FRAME_SECONDS)
    size = round(seconds * SAMPLE_RATE) * 2
    samples = (WAVE * (size // len(WAVE) + 1))[:size]
    if wanted == "pcm":
        return samples
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE)
        sound.writeframes(samples)
    return file.getvalue()


def _stream_bytes(sound: bytes) -> Iterator[Record]:
    for at in range(0, len(sound), PIECE_BYTES):
        yield Record(Kind.CONTENT, sound[at : at + PIECE_BYTES])
