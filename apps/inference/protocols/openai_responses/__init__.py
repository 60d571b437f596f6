"""OpenAI Responses. This module satisfies ``Codec``.

decode.py   decode_items.py  decode_tools.py       a client's request to ours
encode.py   encode_items.py       our request to a host's
namespaces.py                     tools in groups, and what they are called on other wires
response.py items.py              whole answers, both ways; the items that they and streams are made of
stream_decoder.py  stream_encoder.py
conversation.py  replay.py        what a stored conversation consists of; a stored answer as a stream
usage.py    errors.py
"""

from apps.inference.protocols.openai_responses.decode import decode_request
from apps.inference.protocols.openai_responses.encode import encode_request
from apps.inference.protocols.openai_responses.errors import encode_error, encode_stream_error
from apps.inference.protocols.openai_responses.response import (
    decode_response,
    echo,
    encode_response,
)
from apps.inference.protocols.openai_responses.stream_decoder import framing, stream_decoder
from apps.inference.protocols.openai_responses.stream_encoder import stream_encoder
from apps.inference.protocols.openai_responses.usage import decode_usage, encode_usage

__all__ = [
    "decode_request",
    "decode_response",
    "decode_usage",
    "echo",
    "encode_error",
    "encode_request",
    "encode_response",
    "encode_stream_error",
    "encode_usage",
    "framing",
    "stream_decoder",
    "stream_encoder",
]
