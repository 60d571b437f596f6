"""Who is asking, for apps that must not know how they proved it."""

from typing import Protocol

from django.http import HttpRequest


class Principal(Protocol):
    @property
    def organization_id(self) -> int: ...


def organization_of(request: HttpRequest) -> int:
    """The organisation behind an authenticated ninja request."""
    principal: Principal = request.auth  # type: ignore[attr-defined]
    return principal.organization_id
