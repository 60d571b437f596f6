"""Base of the JSON schemas at the edges."""

from ninja import Schema


class ErrorDetail(Schema):
    message: str
    type: str
    code: str
    param: str | None = None
    request_id: str


class ErrorBody(Schema):
    """The OpenAI error envelope; ``code`` is from the closed list of docs/errors.md."""

    error: ErrorDetail
