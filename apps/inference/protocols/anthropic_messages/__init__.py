"""Anthropic Messages. This module satisfies ``Codec``.

decode.py   decode_blocks.py      a client's request to ours
encode.py   encode_blocks.py      our request to a host's
response.py                       whole answers, both ways
stream_decoder.py  stream_encoder.py
usage.py    errors.py
"""

from apps.inference.protocols.anthropic_messages.decode import decode_request
from apps.inference.protocols.anthropic_messages.encode import encode_request
from apps.inference.protocols.anthropic_messages.errors import encode_error, encode_stream_error
from apps.inference.protocols.anthropic_messages.response import decode_response, encode_response
from apps.inference.protocols.anthropic_messages.stream_decoder import framing, stream_decoder
from apps.inference.protocols.anthropic_messages.stream_encoder import stream_encoder
from apps.inference.protocols.anthropic_messages.usage import decode_usage, encode_usage

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
