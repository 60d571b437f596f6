"""``Idempotency-Key``: the first answer to a key is every answer to it, for a day.

As Stripe documents it (https://docs.stripe.com/api/idempotent_requests, 2026-08): the status and body of the first
request are kept whether it succeeded or failed, 500s included; not kept are refusals of parameters and conflicts.
"""

from dataclasses import dataclass

from tests.fakes.stripe.errors import Refused

KEPT_SECONDS = 86_400
LONGEST_KEY = 255


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes
    request: str
    """The id of the request that made it; a replay names it in ``original-request``."""


@dataclass(slots=True)
class _Kept:
    fingerprint: tuple[str, str]
    at: int
    answer: Answer | None = None
    """None while the first request is under way."""


class KeptAnswers:
    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def begin(self, key: str, *, endpoint: str, params: str, now: int) -> Answer | None:
        """The answer to give again, or None: then the caller ends with ``keep`` or ``drop``."""
        if len(key) > LONGEST_KEY:
            raise Refused(
                400,
                "invalid_request_error",
                f"Idempotency keys can have up to {LONGEST_KEY} characters.",
                saved=False,
            )
        kept = self._kept.get(key)
        if kept is None or kept.at + KEPT_SECONDS <= now:
            self._kept[key] = _Kept((endpoint, params), now)
            return None
        known_endpoint, known_params = kept.fingerprint
        if known_endpoint != endpoint:
            raise _differs(
                f"for the same endpoint they were first used for ('{endpoint}' vs '{known_endpoint}')",
                key,
            )
        if known_params != params:
            raise _differs("with the same parameters they were first used with", key)
        if kept.answer is None:
            raise Refused(
                409,
                "idempotency_error",
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}.",
                code="idempotency_key_in_use",
                saved=False,
            )
        return kept.answer

    def keep(self, key: str, answer: Answer) -> None:
        # A reset while the request was under way has forgotten it.
        if key in self._kept:
            self._kept[key].answer = answer

    def drop(self, key: str) -> None:
        self._kept.pop(key, None)

    def clear(self) -> None:
        self._kept.clear()


def _differs(how: str, key: str) -> Refused:
    return Refused(
        400,
        "idempotency_error",
        f"Keys for idempotent requests can only be used {how}. Try using a key other than '{key}' if you meant to "
        "execute a different request.",
        saved=False,
    )
