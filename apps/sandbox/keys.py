"""Which keys the sandbox takes: any, except one that is known to be bad. Dialects say where a key stands."""

from apps.sandbox.wire import Incoming

BAD_KEY = "sandbox-bad-key"


def find_bearer(incoming: Incoming) -> str:
    scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def find_key(incoming: Incoming, header: str) -> str:
    """The key in the given header, or else the Bearer token; empty when there is none."""
    return incoming.headers.get(header, "").strip() or find_bearer(incoming)
