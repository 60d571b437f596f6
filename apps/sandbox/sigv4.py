"""Checks AWS's request signatures, version 4: their shape always, the signature itself for the one key pair that is known.

Format: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, quote

from apps.sandbox.keys import BAD_KEY
from apps.sandbox.wire import Incoming, Refused

SCHEME = "AWS4-HMAC-SHA256"
SERVICE = "bedrock"
KNOWN_ACCESS_KEY = "AKIASANDBOX"
KNOWN_SECRET = b"sandbox-secret"
HEADER = re.compile(
    SCHEME + r"\s+Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z-]+)"
    r"/aws4_request,\s*SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)  # fmt: skip
TIME = re.compile(r"\d{8}T\d{6}Z")


@dataclass(frozen=True, slots=True)
class _Signed:
    key: str
    scope: str
    headers: list[str]
    signature: str


def check_signature(incoming: Incoming) -> None:
    signed = _read_header(incoming)
    if signed.key == BAD_KEY:
        raise Refused(
            "The security token included in the request is invalid.",
            status=403,
            code="UnrecognizedClientException",
        )
    if signed.key != KNOWN_ACCESS_KEY:
        return
    if not hmac.compare_digest(_sign(incoming, signed), signed.signature):
        raise Refused(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
            "Key and signing method. Consult the service documentation for details.",
            status=403,
            code="InvalidSignatureException",
        )


def _read_header(incoming: Incoming) -> _Signed:
    header = incoming.headers.get("authorization", "")
    found = HEADER.fullmatch(header.strip())
    time = incoming.headers.get("x-amz-date", "")
    if found is None or not TIME.fullmatch(time):
        raise _incomplete(f"The Authorization header is not of the form of {SCHEME}: {header[:80]}")
    names = found["headers"].split(";")
    if names != sorted(names) or not {"host", "x-amz-date"} <= set(names):
        raise _incomplete("SignedHeaders must be sorted and hold host and x-amz-date.")
    if missing := [name for name in names if name not in incoming.headers]:
        raise _incomplete(f"Signed headers are missing: {missing}")
    if found["date"] != time[:8]:
        raise _incomplete("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.")  # fmt: skip
    if found["service"] != SERVICE:
        raise _incomplete(f"Credential should be scoped to correct service: '{SERVICE}'.")
    scope = f"{found['date']}/{found['region']}/{found['service']}/aws4_request"
    return _Signed(found["key"], scope, names, found["signature"])


def _incomplete(message: str) -> Refused:
    return Refused(message, status=403, code="IncompleteSignatureException")


def _sign(incoming: Incoming, signed: _Signed) -> str:
    canonical = "\n".join(
        (
            "POST",
            # Encoded once more than it travels, as for every service but S3.
            quote(incoming.raw_path, safe="/~"),
            "&".join(
                f"{quote(name, safe='~')}={quote(value, safe='~')}"
                for name, value in sorted(parse_qsl(incoming.raw_query, keep_blank_values=True))
            ),
            *(f"{name}:{' '.join(incoming.headers[name].split())}" for name in signed.headers),
            "",
            ";".join(signed.headers),
            incoming.headers.get("x-amz-content-sha256") or sha256(incoming.content).hexdigest(),
        )
    )
    time = incoming.headers["x-amz-date"]
    text = "\n".join((SCHEME, time, signed.scope, sha256(canonical.encode()).hexdigest()))
    key = b"AWS4" + KNOWN_SECRET
    for part in signed.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
