"""Gemini's generateContent, as Google AI Studio and Vertex AI speak it. This module satisfies ``Codec``.

decode.py   decode_contents.py    a client's request to ours
encode.py   encode_contents.py    our request to a host's
response.py                       whole answers, both ways
stream_decoder.py  stream_encoder.py
finish.py   usage.py  errors.py
spelling.py schemas.py  paths.py  names in two spellings, schemas in two dialects, keys deep in the body

The model's name and whether the answer is streamed stand in the URL, ``/v1beta/models/{model}:streamGenerateContent``,
not in the body: ``encode_request`` leaves both out, and ``decode_request`` expects that the surface has put them into
the body, as ``model`` and ``stream``.
"""

from apps.inference.protocols.gemini.decode import decode_request
from apps.inference.protocols.gemini.encode import encode_request
from apps.inference.protocols.gemini.errors import encode_error, encode_stream_error
from apps.inference.protocols.gemini.response import decode_response, encode_response
from apps.inference.protocols.gemini.stream_decoder import framing, stream_decoder
from apps.inference.protocols.gemini.stream_encoder import stream_encoder
from apps.inference.protocols.gemini.usage import decode_usage, encode_usage

__all__ = [
    "decode_request",
    "decode_response",
    "decode_usage",
    "encode_error",
    "encode_request",
    "encode_response",
    "encode_stream_error",
    "encode_usage",
    "framing",
    "stream_decoder",
    "stream_encoder",
]
