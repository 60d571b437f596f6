"""Keys deep in the body, kept flat: ``{"generationConfig.mediaResolution": …}``.

So that the report of dropped parameters names what was lost, and not everything around it.
"""

from collections.abc import Collection

from apps.inference.canonical.codec import Json
from apps.inference.canonical.fields import Fields


def rest_at(fields: Fields | None, known: Collection[str], *, at: str) -> Json:
    """The keys of an object that are not modelled, by their path from the body or part."""
    if fields is None:
        return {}
    return {f"{at}.{key}": value for key, value in fields.rest(known).items()}


def put_back(body: Json, flat: Json) -> Json:
    """The body with every key where it came from. Objects on the way there are made, and never changed in place."""
    whole = dict(body)
    for path, value in flat.items():
        *folders, name = path.split(".")
        inner = whole
        for folder in folders:
            inner[folder] = dict(inner.get(folder) or {})
            inner = inner[folder]
        inner[name] = value
    return whole
