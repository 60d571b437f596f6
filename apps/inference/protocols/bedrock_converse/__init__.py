"""Amazon Bedrock's Converse. This module satisfies ``Codec``.

decode.py   decode_blocks.py      a client's request to ours
encode.py   encode_blocks.py      our request to a host's
response.py                       whole answers, both ways
stream_decoder.py  stream_encoder.py
media.py    finish.py  usage.py  errors.py

The model's name and whether the answer is streamed stand in the URL, ``/model/{model}/converse-stream``, not in the body:
``encode_request`` leaves both out, and ``decode_request`` expects that the surface has put them into the body, as
``model`` and ``stream``. Streams are framed as ``application/vnd.amazon.eventstream``, not as server-sent events.
Facts about the format are those of botocore 1.44.5, bedrock-runtime 2023-09-30 (2026-11-21), and of
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from apps.inference.protocols.bedrock_converse.decode import decode_request
from apps.inference.protocols.bedrock_converse.encode import encode_request
from apps.inference.protocols.bedrock_converse.errors import encode_error, encode_stream_error
from apps.inference.protocols.bedrock_converse.response import decode_response, encode_response
from apps.inference.protocols.bedrock_converse.stream_decoder import framing, stream_decoder
from apps.inference.protocols.bedrock_converse.stream_encoder import stream_encoder
from apps.inference.protocols.bedrock_converse.usage import decode_usage, encode_usage

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
