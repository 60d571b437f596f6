"""Tags: a word of the client's own that a request carries, by which its usage is told apart (docs/usage.md).

``x-gatewayz-tag`` of any request, or ``tag`` of the ``metadata`` of a chat completion or a response; the header wins. One
a request, so that the parts of a sum by tag are the whole.
"""

from collections.abc import Mapping

from apps.common.errors import InvalidRequest

HEADER = "x-gatewayz-tag"
LONGEST = 100


def of_headers(headers: Mapping[str, str]) -> str:
    """Empty without one. Raises InvalidRequest."""
    return _checked(headers.get(HEADER, ""), HEADER)


def of_metadata(metadata: Mapping[str, str] | None) -> str:
    """Empty without one. Raises InvalidRequest."""
    return _checked(metadata.get("tag", ""), "metadata.tag") if metadata else ""


def _checked(tag: str, param: str) -> str:
    """PostgreSQL's text cannot hold NUL."""
    if len(tag) > LONGEST or "\x00" in tag:
        raise InvalidRequest(
            f"'{param}' must be a text of at most {LONGEST} characters.",
            param=param,
            code="invalid_value",
        )
    return tag
