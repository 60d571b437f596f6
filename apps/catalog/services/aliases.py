"""Aliases that ship with the release: other spellings, and names that were retired, each with the model that is meant.

A redirect of a retired name is deliberate: the answer's ``x-gatewayz-requested-model`` says what was asked for.
"""

import msgspec

from apps.catalog.models import Model, ModelAlias
from apps.catalog.providers.canonical import SEEDS, same_model_key

BATCH = 500


class AliasGroup(msgspec.Struct):
    """Names that mean one model for one reason; in lower case."""

    model: str
    reason: str
    names: list[str]


class AliasFile(msgspec.Struct):
    source: str
    aliases: list[AliasGroup]


GROUPS = msgspec.json.decode((SEEDS / "aliases.json").read_bytes(), type=AliasFile).aliases
SHIPPED = frozenset(name for group in GROUPS for name in group.names)
"""They say where a request goes, not that a host's model of that name is the other model."""


def import_aliases() -> int:
    """Add those whose model there is; how many are new. A name that is a model's id, or somebody's alias, stays."""
    ids = {same_model_key(model_id): model_id for model_id in Model.objects.values_list("id", flat=True)}  # fmt: skip
    taken = {model_id.lower() for model_id in ids.values()}
    taken |= set(ModelAlias.objects.values_list("alias", flat=True))
    new = [
        ModelAlias(alias=name, model_id=ids[same_model_key(group.model)], reason=group.reason)
        for group in GROUPS
        if same_model_key(group.model) in ids
        for name in group.names
        if name not in taken
    ]
    ModelAlias.objects.bulk_create(new, batch_size=BATCH)
    return len(new)
