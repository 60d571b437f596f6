"""Credentials that no fixed header can carry: Google's short-lived tokens and Amazon's signatures.

    GoogleServiceAccount   the account's key signs a claim, Google gives a token for it, for about an hour
    AwsSignature           the key signs every request; a Bedrock API key is sent as it is

The secret is an argument, the house's or a user's own. It is neither logged nor part of an error. A credential that
cannot be used is the provider's fault like any other, and another host is asked.
"""

import asyncio
import base64
import datetime
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote, urlencode
from weakref import WeakKeyDictionary

import orjson
import yarl
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from apps.catalog.providers.spec import Auth, AwsSignature, GoogleServiceAccount
from apps.common import clock
from apps.common.http import TransportError, open_upstream
from apps.inference.faults import FaultKind, UpstreamFault

MADE_FOR_EACH_REQUEST = (GoogleServiceAccount, AwsSignature)
"""The kinds of ``Auth`` that need ``headers``; all others are in the provider's fixed ones."""

TOKEN_ORIGINS = ("https://oauth2.googleapis.com/", "https://accounts.google.com/")
"""Where a token may be fetched. An account's key names the place itself, and a user's key must not name one of ours."""

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
CLAIM_SECONDS = 3600
FRESH_SECONDS = 60
"""A token is not used in its last minute."""
JUST_FETCHED_SECONDS = 5
FETCH_SECONDS = 10
MOST_ACCOUNTS = 1024


class CredentialUnusable(UpstreamFault):
    """The provider's credential is broken, or nobody gives a token for it."""

    def __init__(self, detail: str, *, status: int = 401) -> None:
        super().__init__(FaultKind.STATUS, status=status, detail=detail)


def check(auth: Auth, secret: str) -> dict[str, str]:
    """Whether a key can be of this kind at all, without asking anybody. Raises CredentialUnusable, without the key in it.

    What of the provider's settings it tells itself, by the names that customers know: a service account has a project.
    """
    match auth:
        case GoogleServiceAccount():
            _read_account(secret)
            project = _read_json(secret.encode(errors="replace")).get("project_id")
            return {"project": project} if isinstance(project, str) else {}
        case AwsSignature() if ":" in secret:
            AwsKey.read(secret)
        case _ if secret.startswith("{"):
            raise CredentialUnusable("a document; this provider's keys are plain text")
        case _:
            pass
    return {}


def id_of(auth: Auth, secret: str) -> str:
    """What the key is known by at its provider, when that is not its own ending."""
    if not isinstance(auth, GoogleServiceAccount):
        return ""
    return str(_read_json(secret.encode(errors="replace")).get("private_key_id", ""))


async def headers(
    auth: Auth,
    secret: str,
    *,
    url: str,
    body: bytes,
    content_type: str,
    settings: Mapping[str, str],
) -> dict[str, str]:
    """What authenticates this one POST. Raises CredentialUnusable."""
    made = await _make(
        auth, secret, url=url, body=body, content_type=content_type, settings=settings
    )
    if not all(value.isascii() and value.isprintable() for value in made.values()):
        raise CredentialUnusable("the credential is not plain text")
    return made


async def _make(
    auth: Auth,
    secret: str,
    *,
    url: str,
    body: bytes,
    content_type: str,
    settings: Mapping[str, str],
) -> dict[str, str]:
    match auth:
        case GoogleServiceAccount():
            return {"authorization": f"Bearer {await _account(secret).token()}"}
        case AwsSignature() if ":" in secret:
            return sign(
                "POST",
                url,
                headers={"content-type": content_type},
                body=body,
                key=AwsKey.read(secret),
                scope=AwsScope(settings.get(auth.region_env, ""), auth.service),
                now=clock.now(),
            )
        case AwsSignature():
            # https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html, 2026-11-21
            return {"authorization": f"Bearer {secret}"}
        case _:
            return {}


def forget(auth: Auth, secret: str) -> bool:
    """After a 401: whether the same host may be asked once more, with a token that was not refused.

    One that has just been fetched stays: it came in answer to the refusal of another request.
    """
    if not isinstance(auth, GoogleServiceAccount):
        return False
    found = _accounts_here().get(_fingerprint(secret))
    if found is None or not found.value:
        return False
    if clock.monotonic() - found.fetched_at > JUST_FETCHED_SECONDS:
        found.value = ""
    return True


def reset() -> None:
    """For tests: no tokens are known."""
    _accounts.clear()


# Google: https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests, 2026-11-21


@dataclass(slots=True)
class _Account:
    """One service account: its token, and the lock behind which one request fetches it for all."""

    email: str
    key_id: str
    key: RSAPrivateKey
    token_uri: str
    value: str = ""
    fetched_at: float = 0.0
    good_until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self) -> str:
        if not self._is_good():
            async with self.lock:
                if not self._is_good():
                    await self._fetch()
        return self.value

    def _is_good(self) -> bool:
        return bool(self.value) and clock.monotonic() < self.good_until

    async def _fetch(self) -> None:
        grant = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": self._claim(),
        }
        status, answer = await _post_form(self.token_uri, grant)
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if status != 200 or not isinstance(token, str) or not isinstance(seconds, int):
            raise CredentialUnusable(f"no token: {status} {str(answer.get('error', ''))[:60]}")
        self.value, self.fetched_at = token, clock.monotonic()
        self.good_until = self.fetched_at + seconds - FRESH_SECONDS

    def _claim(self) -> str:
        now = int(clock.now().timestamp())
        header = {"alg": "RS256", "typ": "JWT", "kid": self.key_id}
        claims = {
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": now,
            "exp": now + CLAIM_SECONDS,
        }
        signed = b".".join([_base64(orjson.dumps(part)) for part in (header, claims)])
        signature = self.key.sign(signed, PKCS1v15(), hashes.SHA256())
        return (signed + b"." + _base64(signature)).decode()


_accounts: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bytes, _Account]] = WeakKeyDictionary()


def _accounts_here() -> dict[bytes, _Account]:
    """Locks belong to a loop, so accounts do."""
    return _accounts.setdefault(asyncio.get_running_loop(), {})


def _account(secret: str) -> _Account:
    here, fingerprint = _accounts_here(), _fingerprint(secret)
    found = here.get(fingerprint)
    if found is None:
        while len(here) >= MOST_ACCOUNTS:
            del here[next(iter(here))]
        found = here[fingerprint] = _read_account(secret)
    return found


def _fingerprint(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()


def _read_account(secret: str) -> _Account:
    raw = _read_json(secret.encode(errors="replace"))
    email, pem, token_uri = (raw.get(n) for n in ("client_email", "private_key", "token_uri"))
    if not (isinstance(email, str) and isinstance(pem, str) and isinstance(token_uri, str)):
        raise CredentialUnusable("not the JSON of a service account")
    if not token_uri.startswith(TOKEN_ORIGINS):
        raise CredentialUnusable("the account's token_uri is not Google's")
    key = _read_key(pem)
    if not isinstance(key, RSAPrivateKey):
        raise CredentialUnusable("the account's private_key cannot be read")
    return _Account(email, str(raw.get("private_key_id", "")), key, token_uri)


def _read_key(pem: str) -> Any:
    # What the library raises may quote what it was given, so nothing is raised from here.
    try:
        return load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _read_json(text: bytes) -> dict[str, Any]:
    """Empty when it is no JSON object. The decoder's error holds the text, so it goes no further."""
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return raw if isinstance(raw, dict) else {}


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


async def _post_form(url: str, fields: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            response = await open_upstream(
                url,
                headers={
                    "content-type": "application/x-www-form-urlencoded",
                    "accept-encoding": "identity",
                },
                body=urlencode(fields).encode(),
                connect_timeout=FETCH_SECONDS / 2,
            )
            try:
                return response.status, _read_json(await response.read())
            finally:
                response.close()
    except (TimeoutError, *TransportError) as error:
        raise CredentialUnusable(f"no token: {type(error).__name__}", status=503) from error


# Amazon: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, 2026-11-21

SCHEME = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class AwsKey:
    id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)

    @classmethod
    def read(cls, secret: str) -> "AwsKey":
        """``<access key id>:<secret access key>``, with ``:<session token>`` if there is one."""
        parts = [part.strip() for part in secret.split(":", 2)]
        if not all(parts) or not secret.isascii() or not secret.isprintable():
            raise CredentialUnusable("not an access key: a part is empty or no plain text")
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class AwsScope:
    region: str
    service: str


def sign(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    key: AwsKey,
    scope: AwsScope,
    now: datetime.datetime,
) -> dict[str, str]:
    """The headers to send beside ``headers``, which are signed with the host. Signature Version 4."""
    parsed = yarl.URL(url)
    time = now.strftime("%Y%m%dT%H%M%SZ")
    own = {"x-amz-date": time}
    if key.session_token:
        own["x-amz-security-token"] = key.session_token
    signed = {"host": parsed.host_port_subcomponent or "", **headers, **own}
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in signed.items())
    names = ";".join([name for name, _ in lines])
    request = "\n".join(
        [
            method,
            # Encoded once more than it travels, as for every service but S3.
            quote(re.sub("/{2,}", "/", parsed.raw_path), safe="/~"),
            _canonical_query(parsed.raw_query_string),
            *[f"{name}:{value}" for name, value in lines],
            "",
            names,
            sha256(body).hexdigest(),
        ]
    )
    credential = f"{time[:8]}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join([SCHEME, time, credential, sha256(request.encode()).hexdigest()])
    signing_key = f"AWS4{key.secret}".encode()
    for part in credential.split("/"):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    signature = hmac.digest(signing_key, text.encode(), "sha256").hex()
    return {
        **own,
        "authorization": f"{SCHEME} Credential={key.id}/{credential}, SignedHeaders={names}, Signature={signature}",
    }


def _canonical_query(raw: str) -> str:
    """Names and values encoded in the one allowed way, and sorted so encoded."""
    pairs = (part.partition("=") for part in raw.split("&") if part)
    encoded = sorted(
        (quote(unquote(name), safe="~"), quote(unquote(value), safe="~"))
        for name, _, value in pairs
    )
    return "&".join([f"{name}={value}" for name, value in encoded])
