"""API keys on django-ninja's routes."""

from django.http import HttpRequest

from apps.keys.authenticate import authenticate_now, read_secret
from apps.keys.selectors import KeySnapshot


class KeyAuth:
    """Put on a route as ``auth=KeyAuth()``; the handler reads the key from ``request.auth``."""

    def __call__(self, request: HttpRequest) -> KeySnapshot:
        secret = read_secret(
            authorization=request.headers.get("authorization"),
            x_api_key=request.headers.get("x-api-key"),
        )
        return authenticate_now(secret)
