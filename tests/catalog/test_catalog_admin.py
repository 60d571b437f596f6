"""The catalogue's admin pages."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from apps.catalog.models import (
    Feed,
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceProposal,
    PriceSource,
    Provider,
)
from apps.catalog.services import offers, proposals, providers, refresh
from apps.common import crypto
from apps.common.money import usd_to_nano
from tests.catalog.finding import find

pytestmark = pytest.mark.django_db
MODELS = (Provider, Model, ModelAlias, Offering, Price)


@pytest.fixture
def staff(client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns when nobody has run collectstatic
    client.force_login(get_user_model().objects.create_superuser("dave@example.com", "pw"))
    return client


def url(model, page, *args):
    return reverse(f"admin:catalog_{model._meta.model_name}_{page}", args=args)


def provider_form(**values):
    return {
        "name": "Acme",
        "enabled": "on",
        "priority": "50",
        "markup_ppm": "0",
        "wire": "openai_chat",
        "usage": "cache_inside_input",
        "base_url": "https://acme.test/v1",
        **values,
    }


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_pages_load_when_there_are_rows(staff, add_model, model):
    offering = add_model("acme/large")
    ModelAlias.objects.create(alias="big", model=offering.model)
    row = model.objects.first()

    assert staff.get(url(model, "changelist"), {"q": "acme"}).status_code == 200
    assert staff.get(url(model, "add")).status_code == 200
    assert staff.get(url(model, "change", row.pk)).status_code == 200


def test_every_row_that_ships_loads_when_opened(staff):
    refresh.sync_registry()

    for row in Provider.objects.all():
        page = staff.get(url(Provider, "change", row.pk))
        assert page.status_code == 200
        assert 'name="wire"' not in page.content.decode()


def test_key_is_kept_encrypted_and_never_shown_when_saved(staff, add_model):
    row = add_model("acme/large").provider
    page = url(Provider, "change", row.pk)

    assert staff.post(page, provider_form(api_key="s3cret")).status_code == 302
    row.refresh_from_db()
    assert crypto.decrypt(row.api_key_ciphertext) == "s3cret"
    shown = staff.get(page).content.decode()
    assert "s3cret" not in shown
    assert row.api_key_ciphertext not in shown
    assert "kept, encrypted" in shown


def test_key_stays_when_the_field_is_empty_and_goes_when_told(staff, add_model):
    row = add_model("acme/large").provider
    providers.set_api_key(row, "s3cret")
    page = url(Provider, "change", row.pk)

    staff.post(page, provider_form(markup_ppm="5"))
    row.refresh_from_db()
    assert (crypto.decrypt(row.api_key_ciphertext), row.markup_ppm) == ("s3cret", 5)
    staff.post(page, provider_form(forget_api_key="on"))
    row.refresh_from_db()
    assert row.api_key_ciphertext == ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"base_url": "nowhere"}, "This must be an http:// or https:// address"),
        ({"base_url": "https://acme.test/v1/messages"}, "This must end before /messages"),
        ({"api_key_env": "KEYRING"}, "This must not be KEYRING"),
        ({"api_key_env": "MY KEY"}, "This must be the name of a variable"),
    ],
)
def test_provider_is_refused_when_address_or_variable_is_wrong(staff, add_model, values, message):
    row = add_model("acme/large").provider
    answer = staff.post(url(Provider, "change", row.pk), provider_form(**values))

    assert answer.status_code == 200
    assert message in answer.content.decode()


def test_alias_is_refused_when_not_in_lower_case(staff, add_model):
    add_model("acme/large")
    answer = staff.post(url(ModelAlias, "add"), {"alias": "Big", "model": "acme/large"})

    assert "An alias is written in lower case." in answer.content.decode()


def test_price_is_added_in_dollars_when_posted(staff, add_model):
    offering = add_model("acme/large")
    answer = staff.post(
        url(Price, "add"),
        {
            "offering": offering.pk,
            "valid_from_0": "2026-01-01",
            "valid_from_1": "00:00:00",
            "input_usd": "0.15",
            "output_usd": "0.000000001",
            "request_usd": "0.01",
        },
    )

    assert answer.status_code == 302, answer.context["errors"]
    row = Price.objects.get(source=PriceSource.STAFF)
    assert (row.input, row.output, row.cache_read, row.request) == (
        150_000_000,
        1,
        150_000_000,
        10_000_000,
    )


def test_price_is_refused_when_negative(staff, add_model):
    offering = add_model("acme/large")
    staff.post(
        url(Price, "add"),
        {
            "offering": offering.pk,
            "valid_from_0": "2026-01-01",
            "valid_from_1": "00:00:00",
            "input_usd": "-1",
            "output_usd": "1",
        },
    )

    assert not Price.objects.filter(source=PriceSource.STAFF).exists()


def test_price_is_added_beside_its_offering_when_posted_inline(staff, add_model):
    offering = add_model("acme/large")
    page = url(Offering, "change", offering.pk)
    assert "$1.00 / $2.00" in staff.get(page).content.decode()
    answer = staff.post(
        page,
        {
            "model": "acme/large",
            "provider": "acme",
            "upstream_model": "acme/large",
            "priority": "0",
            "is_active": "on",
            "prices-TOTAL_FORMS": "2",
            "prices-INITIAL_FORMS": "1",
            "prices-0-id": Price.objects.get().pk,
            "prices-0-offering": offering.pk,
            "prices-1-offering": offering.pk,
            "prices-1-valid_from_0": "2999-01-01",
            "prices-1-valid_from_1": "00:00:00",
            "prices-1-input_usd": "3",
            "prices-1-output_usd": "4",
        },
    )

    assert answer.status_code == 302, answer.context["errors"]
    assert sorted(Price.objects.values_list("input", flat=True)) == [1_000_000_000, 3_000_000_000]
    assert find("acme/large").offerings[0].rates.input == 1_000_000_000


def test_price_cannot_be_changed_or_deleted_when_asked(staff, add_model):
    add_model("acme/large")
    price = Price.objects.get()

    assert staff.post(url(Price, "change", price.pk), {"input_usd": "0"}).status_code == 403
    assert staff.post(url(Price, "delete", price.pk), {"post": "yes"}).status_code == 403


@pytest.fixture
def proposal(add_model):
    offering = add_model("acme/large")
    proposals.propose(
        offering,
        former=offers.Amounts.from_price(Price.objects.get()),
        found=offers.Amounts.of(input=usd_to_nano("100"), output=usd_to_nano("200")),
        reason="more than 10 times different",
        source=PriceSource.PROVIDER,
    )
    return PriceProposal.objects.get()


def test_proposal_shows_both_prices_and_its_reason_when_opened(staff, proposal):
    for page in (
        url(PriceProposal, "changelist"),
        url(PriceProposal, "change", proposal.pk),
    ):
        shown = staff.get(page).content.decode()
        assert "input $1.00" in shown
        assert "input $100.00" in shown
        assert "more than 10 times different" in shown


@pytest.mark.parametrize(("action", "charged"), [("approve", "100"), ("reject", "1")])
def test_proposal_is_decided_when_staff_say_so(staff, proposal, action, charged):
    chosen = {"action": action, "_selected_action": [proposal.pk]}
    for _ in range(2):
        assert staff.post(url(PriceProposal, "changelist"), chosen).status_code == 302

    assert find("acme/large").offerings[0].rates.input == usd_to_nano(charged)
    proposal.refresh_from_db()
    assert proposal.state == {"approve": "approved", "reject": "rejected"}[action]
    assert proposal.decided_by
    assert proposal.decided_at


def test_feed_shows_its_error_and_is_read_when_asked(staff, add_model):
    row = add_model("acme/large").provider
    feed = Feed.objects.create(provider=row, error="The list was answered with status 503.")

    assert "status 503" in staff.get(url(Feed, "changelist")).content.decode()
    assert staff.get(url(Feed, "change", feed.pk)).status_code == 200
    answer = staff.post(
        url(Feed, "changelist"),
        {"action": "refresh_now", "_selected_action": [feed.pk]},
        follow=True,
    )
    assert "no list of its models is known" in answer.content.decode()
