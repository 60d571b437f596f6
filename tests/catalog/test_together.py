"""Batches of an intake: what must be judged together stays together, and how it is cut changes nothing."""

from types import SimpleNamespace

import pytest
from django.db import transaction

from apps.catalog.models import Model, ModelAlias, Offering, Price, PriceProposal, Provider
from apps.catalog.services import intake, seed, together


def found(provider, name, model):
    return SimpleNamespace(provider=provider, upstream_model=name, model_id=model)


def cut(*rows, size=1, ids=None, moved=None):
    given = [found(*row) for row in rows]
    names = {row[2]: row[2] for row in rows} if ids is None else ids
    batches = together.batches(given, ids=names, moved=moved or {}, size=size)
    return [
        [(one.provider, one.upstream_model, one.model_id) for one in batch] for batch in batches
    ]


A1, A2, B1, B2 = ("one", "a", "x/a"), ("two", "a", "x/a"), ("one", "b", "x/b"), ("two", "b", "x/b")


def test_hosts_of_one_model_are_together():
    assert cut(A1, B1, A2, B2) == [[A1, A2], [B1, B2]]


def test_what_sources_say_of_one_place_is_together():
    other = ("one", "a", "x/other")

    assert cut(A1, B1, other) == [[A1, other], [B1]]


def test_other_spellings_are_the_same_model():
    other = ("two", "A", "y/a")

    assert cut(A1, B1, other, ids={"x/a": "x/a", "y/a": "x/a", "x/b": "x/b"}) == [[A1, other], [B1]]


def test_offering_that_stands_under_another_model_joins_both():
    assert cut(A1, B2, moved={("one", "a"): ["x/b"]}) == [[A1, B2]]


def test_place_without_a_model_of_its_own_is_there_too():
    assert cut(A1, B1, ids={"x/a": "x/a"}) == [[A1], [B1]]


def test_batches_are_filled_and_never_torn():
    rows = [("one", f"m{number}", f"x/m{number}") for number in range(7)]

    assert [len(batch) for batch in cut(*rows, size=3)] == [3, 3, 1]
    assert [len(batch) for batch in cut(A1, A2, B1, B2, size=3)] == [2, 2]
    assert cut() == []


def rows_of():
    return (
        set(Model.objects.values_list("id", "name", "context_length", "max_output_tokens", "released_on")),
        {model.id: (model.input_modalities, model.supported_parameters, model.learned) for model in Model.objects.all()},
        set(Offering.objects.values_list("provider", "upstream_model", "model", "variant", "context_length")),
        set(Price.objects.values_list("offering__provider", "offering__upstream_model", "source", "input", "output", "images")),
        set(ModelAlias.objects.values_list("alias", "model", "reason")),
        set(PriceProposal.objects.values_list("offering__provider", "offering__upstream_model", "reason")),
    )  # fmt: skip


@pytest.mark.django_db
def test_the_seed_is_the_same_however_it_is_cut(empty_catalogue, monkeypatch):
    slugs = sorted({line.provider for line in seed.read_seed()})[:25]
    for slug in slugs:
        Provider.objects.create(
            slug=slug, name=slug, wire="openai_chat", base_url=f"https://{slug}.test/v1"
        )
    told = seed.found_in_seed(slugs)
    taken = []
    for size in (10**6, 40):
        monkeypatch.setattr(intake, "BATCH", size)
        with transaction.atomic():
            first, again = intake.take_in(told), intake.take_in(told)
            counts = (first.added, first.models, first.offerings, first.overridden, len(first.quarantined))  # fmt: skip
            assert (again.added, again.models, again.offerings) == (0, 0, 0)
            taken.append((counts, *rows_of()))
            transaction.set_rollback(True)

    assert taken[0] == taken[1]
    assert taken[0][0][0] > 500
