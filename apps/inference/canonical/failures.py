"""What a provider can send instead of an answer. The texts are for the log only, never for a client."""

from typing import Any

from apps.inference.canonical.events import UpstreamError


class MalformedUpstream(Exception):
    """The provider answered something that is not its own wire. The text is for the log only."""


class ErrorInsteadOfAnswer(MalformedUpstream):
    """The provider reported an error in the body of a 200, or inside a stream that was being folded."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.error = error


def only_text(value: Any) -> str:
    """A text that clients join with others; empty for None. Raises MalformedUpstream when it is anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedUpstream(f"{type(value).__name__} in the place of a text")
    return value
