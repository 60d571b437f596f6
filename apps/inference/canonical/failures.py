"""What a provider can send instead of an answer. The texts are for the log only, never for a client."""

from apps.inference.canonical.events import UpstreamError


class MalformedUpstream(Exception):
    """The provider answered something that is not its own wire. The text is for the log only."""


class ErrorInsteadOfAnswer(MalformedUpstream):
    """The provider reported an error in the body of a 200, or inside a stream that was being folded."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.error = error
