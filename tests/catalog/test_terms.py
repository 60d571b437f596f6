"""Price terms: which of them holds for a host, and what becomes of its rates."""

import datetime

import pytest
from django.db import IntegrityError, transaction

from apps.accounts.models import Organization
from apps.catalog import terms
from apps.catalog.models import PriceTerms
from apps.catalog.selectors import load_catalog, read_epoch
from apps.catalog.snapshots import Terms
from apps.common import clock
from tests.catalog.made import make_model, make_offering, make_provider

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def agreed(basis_points, *, number=1, provider="", model_pattern="", begins=-1, ends=None):
    return Terms(
        id=number, provider=provider, model_pattern=model_pattern, basis_points=basis_points,
        valid_from=NOW + begins * DAY, valid_until=None if ends is None else NOW + ends * DAY,
    )  # fmt: skip


def added(*rows, provider="acme", model_id="acme/large"):
    return terms.basis_points(terms.in_force(rows, NOW), provider=provider, model_id=model_id)


ANY, AT = agreed(1), agreed(2, provider="acme")
OF, OF_NARROW = agreed(3, model_pattern="acme/*"), agreed(4, model_pattern="acme/large")
OF_AT = agreed(5, provider="acme", model_pattern="acme/*")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), 0),
        ((ANY,), 1),
        ((ANY, AT), 2),
        ((ANY, AT, OF), 3),
        ((OF_NARROW, OF), 4),
        ((OF_NARROW, OF, OF_AT), 5),
        ((agreed(1), agreed(6, begins=-0.5, number=2)), 6),
        ((agreed(7, provider="other"), ANY), 1),
        ((agreed(7, model_pattern="other/*"), ANY), 1),
    ],
    ids=["none", "all", "provider", "model", "longer", "both", "newer", "elsewhere", "another model"],
)  # fmt: skip
def test_the_most_specific_terms_hold_whatever_their_order(rows, expected):
    assert added(*rows) == added(*reversed(rows)) == expected


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [(-1, None, 1), (0, None, 1), (0.1, None, 0), (-2, -1, 0), (-1, 0, 0), (-1, 0.1, 1)],
)
def test_terms_hold_from_their_beginning_and_before_their_end(begins, ends, expected):
    assert added(agreed(1, begins=begins, ends=ends)) == expected


def test_pattern_fits_whatever_the_case():
    assert added(agreed(1, model_pattern="acme/l*"), model_id="Acme/Large") == 1


def test_model_is_seen_at_its_terms_and_in_the_order_of_those_prices():
    dear, cheap = make_provider("dear"), make_provider("cheap")
    model = make_model(
        "acme/large",
        make_offering("acme/large", cheap, usd="1"),
        make_offering("acme/large", dear, usd="1.5"),
    )

    seen = terms.see(model, (agreed(-5_000, provider="dear"),))

    assert [(o.provider.slug, o.rates.input, o.rates.terms_bp) for o in seen.offerings] == [
        ("dear", 750_000_000, -5_000),
        ("cheap", 1_000_000_000, 0),
    ]
    assert [o.rates.input for o in model.offerings] == [1_000_000_000, 1_500_000_000]


@pytest.mark.django_db
def test_snapshot_has_the_terms_and_its_epoch_rises_with_them(add_model):
    add_model("acme/large")
    before = read_epoch()
    organization = Organization.objects.create(name="acme")
    PriceTerms.objects.create(organization=organization, basis_points=-1, model_pattern="Acme/*")

    (found,) = load_catalog().terms[organization.pk]
    assert read_epoch() > before
    assert (found.basis_points, found.model_pattern, found.provider) == (-1, "acme/*", "")


@pytest.mark.django_db
@pytest.mark.parametrize("basis_points", [-10_000, 100_001])
def test_database_refuses_terms_beyond_their_bounds(basis_points):
    organization = Organization.objects.create(name="acme")

    with pytest.raises(IntegrityError, match="catalog_terms_within_bounds"), transaction.atomic():
        PriceTerms.objects.create(organization=organization, basis_points=basis_points)


@pytest.mark.django_db
def test_database_refuses_terms_that_end_before_they_begin():
    organization = Organization.objects.create(name="acme")

    with pytest.raises(IntegrityError, match="end_after_they_begin"), transaction.atomic():
        PriceTerms.objects.create(
            organization=organization, basis_points=1, valid_until=clock.now() - DAY
        )
