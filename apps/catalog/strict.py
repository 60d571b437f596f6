"""Strictness: the reading routes refuse a parameter that they do not know, for a misspelt filter must not be taken for none.

The clients of other companies send parameters of their own, such as a key, and are left alone.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_args

from django.http import HttpRequest, HttpResponse

from apps.catalog import dialects
from apps.catalog.providers.spec import Wire
from apps.catalog.queries import refuse_unknown

View = Callable[..., HttpResponse]
IN_PATHS = frozenset({"request", "model_id", "category", "slug"})
"""Arguments that no query gives."""


def known_only(view: View) -> View:
    """A decorator for all routes of a router: what a route knows stands in its signature."""
    known = frozenset(_known(view))

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "GET" and dialects.wire_of(request.headers) is Wire.OPENAI_CHAT:
            refuse_unknown(request.GET, known=known)
        return view(request, *args, **kwargs)

    return checked


def _known(view: View) -> set[str]:
    names: set[str] = set()
    for parameter in inspect.signature(view).parameters.values():
        shape = next(iter(get_args(parameter.annotation)), None)
        fields = getattr(shape, "model_fields", None)
        names |= set(fields) if fields else {parameter.name} - IN_PATHS
    return names
