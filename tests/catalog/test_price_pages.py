"""Prices for staff: tiers, overrides and their end, what waits, price terms."""

import datetime

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.urls import reverse

from apps.accounts.models import Organization
from apps.catalog.models import Price, PriceProposal, PriceSource, PriceTerms, Provider
from apps.catalog.services import offers, proposals
from apps.common import clock
from apps.common.money import usd_to_nano
from tests.catalog.finding import find

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def staff(client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns when nobody has run collectstatic
    client.force_login(get_user_model().objects.create_superuser("dave@example.com", "pw"))
    return client


def url(model, page, *args):
    return reverse(f"admin:catalog_{model._meta.model_name}_{page}", args=args)


def moment(name, at):
    return {f"{name}_0": f"{at:%Y-%m-%d}", f"{name}_1": f"{at:%H:%M:%S}"}


def price_form(offering, **values):
    at = clock.now() - datetime.timedelta(seconds=1)
    return {
        "offering": offering.pk,
        "input_usd": "1",
        "output_usd": "2",
        **moment("valid_from", at),
        **values,
    }


def test_price_has_the_tiers_that_staff_write(staff, add_model):
    offering = add_model("acme/large", input_usd="9")
    tiers = "200000 input=2.5 output=15 cache_read=0.25\n\n500000 input=5 output=20"

    with time_machine.travel(clock.now() + datetime.timedelta(seconds=10)):
        added = staff.post(url(Price, "add"), price_form(offering, tiers_usd=tiers))
        assert added.status_code == 302, added.content
        rates = find("acme/large").offerings[0].rates

    assert [
        (t.above, t.rates.input, t.rates.cache_read, t.rates.reasoning) for t in rates.tiers
    ] == [
        (200_000, 2_500_000_000, 250_000_000, 15_000_000_000),
        (500_000, 5_000_000_000, 5_000_000_000, 20_000_000_000),
    ]
    row = Price.objects.get(added_by="dave@example.com")
    shown = staff.get(url(Price, "change", row.pk)).content.decode()
    assert "above 200,000 input tokens $2.50 in" in shown


@pytest.mark.parametrize(
    ("tiers", "told"),
    [
        ("many input=1 output=1", "&#x27;many&#x27; is not a number of input tokens"),
        ("0 input=1 output=1", "&#x27;0&#x27; is not a number of input tokens"),
        ("9 input=1", "The tier above 9 needs output="),
        ("9 input=1 output=-1", "&#x27;-1&#x27; of output is not dollars"),
        ("9 input=1 output=1 images=1", "&#x27;images&#x27; has no price in a tier"),
        ("9 input=1 output=1\n9 input=1 output=1", "Tiers must begin at rising numbers"),
    ],
    ids=["word", "zero", "missing", "negative", "unknown", "twice"],
)
def test_tiers_are_refused_beside_their_field(staff, add_model, tiers, told):
    offering = add_model("acme/large")

    refused = staff.post(url(Price, "add"), price_form(offering, tiers_usd=tiers))

    assert refused.status_code == 200
    assert set(refused.context["adminform"].errors) == {"tiers_usd"}
    assert told in refused.content.decode()
    assert Price.objects.count() == 1


def propose(offering, usd, source=PriceSource.PROVIDER):
    price = Price.objects.filter(offering=offering).latest("valid_from")
    proposals.propose(
        offering, former=offers.Amounts.from_price(price),
        found=offers.Amounts.of(input=usd_to_nano(usd), output=usd_to_nano("2")), reason="far", source=source,
    )  # fmt: skip


def test_override_settles_what_waits_and_is_ended_by_its_action(staff, add_model, monkeypatch):
    offering = add_model("acme/large")
    amounts = offers.Amounts.of(input=3, output=3)
    offers.post_price(
        offering, amounts, source=PriceSource.PROVIDER, valid_from=clock.now() - HOUR / 60
    )
    propose(offering, "100")
    later = clock.now() + HOUR
    monkeypatch.setattr(clock, "now", lambda: later)
    staff.post(url(Price, "add"), price_form(offering, note="as agreed"))
    override = Price.objects.get(source=PriceSource.STAFF)
    assert find("acme/large").offerings[0].rates.price_id == override.pk
    assert PriceProposal.objects.get().state == "superseded"

    chosen = {"action": "end_override", "_selected_action": [override.pk]}
    ended, again = (
        staff.post(url(Price, "changelist"), chosen, follow=True).content.decode() for _ in range(2)
    )

    assert "from now on" in ended
    assert "is not an override that is in force" in again
    assert find("acme/large").offerings[0].rates.input == 3


def test_difference_is_shown_number_by_number_with_its_ratio(staff, add_model):
    propose(add_model("acme/large"), "100")
    row = PriceProposal.objects.get()

    shown = staff.get(url(PriceProposal, "change", row.pk)).content.decode()
    assert all(
        f'<td class="pr-6">{cell}</td>' in shown for cell in ("in", "$1.00", "$100.00", "100 x")
    )
    assert "100 x" in staff.get(url(PriceProposal, "changelist")).content.decode()


def test_all_that_waits_of_a_provider_is_approved_from_its_list(staff, add_model):
    propose(add_model("acme/large"), "100", source=PriceSource.MANUAL)
    propose(add_model("other/large", host="other"), "100", source=PriceSource.MANUAL)

    chosen = {"action": "approve_prices", "_selected_action": ["acme"]}
    told = staff.post(url(Provider, "changelist"), chosen, follow=True).content.decode()

    assert "acme: 1 approved" in told
    assert set(PriceProposal.objects.values_list("offering__provider", "state")) == {
        ("acme", "approved"), ("other", "pending"),
    }  # fmt: skip


def terms_form(**values):
    return {"model_pattern": "", "basis_points": "-500", "note": "", **moment("valid_from", clock.now()), "valid_until_0": "", "valid_until_1": "", **values}  # fmt: skip


def test_terms_are_agreed_on_ended_and_never_changed_or_deleted(staff, add_model):
    add_model("acme/large")
    organization = Organization.objects.create(name="acme")
    agreed = staff.post(url(PriceTerms, "add"), terms_form(organization=organization.pk))
    assert agreed.status_code == 302, agreed.context["adminform"].errors
    row = PriceTerms.objects.get()
    page = url(PriceTerms, "change", row.pk)

    end = {"basis_points": "9", "note": "over", **moment("valid_until", clock.now() + HOUR)}
    assert staff.post(page, end).status_code == 302
    assert staff.post(url(PriceTerms, "delete", row.pk), {"post": "yes"}).status_code == 403
    row.refresh_from_db()
    assert (row.basis_points, row.note, row.added_by) == (-500, "over", "dave@example.com")
    assert row.valid_until is not None
    assert "-5 %" in staff.get(url(PriceTerms, "changelist")).content.decode()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"basis_points": "-10000"}, "basis_points"),
        ({"basis_points": "100001"}, "basis_points"),
        ({"basis_points": "much"}, "basis_points"),
        ({"model_pattern": "acme/[a-z]"}, "model_pattern"),
        ({"model_pattern": "acme/x y"}, "model_pattern"),
        (moment("valid_until", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)), "valid_until"),
        ({"organization": "0"}, "organization"),
    ],
    ids=["free", "too much", "no number", "class", "space", "past", "nobody"],
)
def test_terms_are_refused_beside_their_field(staff, values, field):
    organization = Organization.objects.create(name="acme")

    refused = staff.post(
        url(PriceTerms, "add"), terms_form(**{"organization": organization.pk, **values})
    )

    assert refused.status_code == 200
    assert set(refused.context["adminform"].errors) == {field}
    assert not PriceTerms.objects.exists()
