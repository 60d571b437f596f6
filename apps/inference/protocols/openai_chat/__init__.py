"""OpenAI Chat Completions. This module satisfies ``Codec``.

decode.py   decode_messages.py    a client's request to ours
encode.py   encode_messages.py    our request to a host's
custom_tools.py  functions.py     tools that take text; the form that tools had before 2023
response.py                       whole answers, both ways
stream_decoder.py  stream_encoder.py
usage.py    errors.py
"""

from apps.inference.protocols.openai_chat.decode import decode_request
from apps.inference.protocols.openai_chat.encode import encode_request
from apps.inference.protocols.openai_chat.errors import encode_error, encode_stream_error
from apps.inference.protocols.openai_chat.response import decode_response, encode_response
from apps.inference.protocols.openai_chat.stream_decoder import framing, stream_decoder
from apps.inference.protocols.openai_chat.stream_encoder import stream_encoder
from apps.inference.protocols.openai_chat.usage import decode_usage, encode_usage

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
