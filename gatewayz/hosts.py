"""Whether a request was sent to one of the gateway's own host names, judged by Django and remembered.

The paths that are answered ahead of Django ask here. The setting ALLOWED_HOSTS is Django's, and so are its patterns.
"""

from functools import lru_cache
from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest


def is_for_us(scope: dict[str, Any]) -> bool:
    sent = [value for name, value in scope["headers"] if name == b"host"]
    if sent:
        return is_ours(b",".join(sent))  # more than one is none, as for Django
    name, port = scope.get("server") or ("unknown", 0)
    return is_ours(f"{name}:{port}".encode())


@lru_cache(maxsize=1024)
def is_ours(host: bytes) -> bool:
    request = HttpRequest()
    request.META["HTTP_HOST"] = host.decode("latin-1")
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True
