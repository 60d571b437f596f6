"""Models that an earlier release took in under a host's name, brought to the vendor who made them.

The former id stays as an alias, so that requests for it are answered as before.
"""

from django.db import transaction

from apps.catalog.models import Model, ModelAlias, Offering
from apps.catalog.providers.canonical import (
    at_vendor,
    canonicalize,
    is_guest,
    same_model_key,
    vendors_by_name,
)

REASON = "The former id, with the name of a host in place of the vendor's."


@transaction.atomic
def move_to_vendors() -> int:
    """Move the offerings of such models; how many models there were. Safe to repeat."""
    models = {same_model_key(model.id): model for model in Model.objects.all()}
    vendors = vendors_by_name(model.id for model in models.values())
    guests = [model for model in models.values() if is_guest(model.id)]
    moved = 0
    for guest in guests:
        target_id = at_vendor(canonicalize("", guest.id).id, vendors)
        if is_guest(target_id) or not target_id:
            continue  # nobody knows whose it is
        target = models.get(same_model_key(target_id)) or _copy(guest, target_id)
        models[same_model_key(target_id)] = target
        moved += _move(guest, target)
    return moved


def _copy(model: Model, model_id: str) -> Model:
    facts = {
        field.attname: getattr(model, field.attname)
        for field in Model._meta.concrete_fields
        if not field.primary_key
    }
    return Model.objects.create(id=model_id, **facts)


def _move(guest: Model, target: Model) -> int:
    """Nothing happens when both are offered under one name at one provider: an operator has told them apart."""
    places = {(o.provider_id, o.upstream_model) for o in target.offerings.all()}
    if any((o.provider_id, o.upstream_model) in places for o in guest.offerings.all()):
        return 0
    Offering.objects.filter(model=guest).update(model=target)
    ModelAlias.objects.filter(model=guest).update(model=target)
    former = guest.id.lower()
    guest.delete()
    ModelAlias.objects.get_or_create(alias=former, defaults={"model": target, "reason": REASON})
    return 1
