"""The catalogue's admin pages."""

import datetime
import re

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
from apps.catalog.selectors import load_catalog
from apps.catalog.services import offers, proposals, providers, refresh
from apps.common import clock, crypto
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


def test_price_of_pieces_is_added_and_shown_when_posted(staff, add_model):
    offering = add_model("acme/large")
    beside = staff.get(url(Offering, "change", offering.pk)).content.decode()
    page = f"{url(Price, 'add')}?offering={offering.pk}"
    assert "$1.00 in, $2.00 out" in beside
    assert page in beside
    pieces = {
        "audio_input": "7", "audio_output": "8", "images": "0.04", "characters": "15", "seconds": "0.0001",
        "searches": "0.002", "request": "0.01",
    }  # fmt: skip
    answer = staff.post(
        page,
        {
            "offering": offering.pk, "valid_from_0": "2026-01-01", "valid_from_1": "00:00:00",
            "input_usd": "0", "output_usd": "0", **{f"{name}_usd": usd for name, usd in pieces.items()},
        },
    )  # fmt: skip

    assert answer.status_code == 302, answer.context["errors"]
    row = Price.objects.get(source=PriceSource.STAFF)
    assert {name: getattr(row, name) for name in pieces} == {
        name: usd_to_nano(usd) for name, usd in pieces.items()
    }
    for page in (url(Price, "changelist"), url(Price, "change", row.pk)):
        assert "$0.04 an image, $15.00 a million characters" in staff.get(page).content.decode()


def test_assumed_amounts_are_left_out_unless_the_price_is_opened(staff, add_model):
    add_model("acme/large")
    row = Price.objects.get()

    assert str(row) == f"{row.offering}: {row.words}"
    assert row.words == "$1.00 in, $2.00 out"
    assert "$1.00 cache read" in staff.get(url(Price, "change", row.pk)).content.decode()


def test_names_of_a_model_are_written_with_commas(staff, add_model):
    row = add_model("acme/large").model
    page = url(Model, "change", row.pk)
    form = {
        "name": "Large", "is_active": "on", "input_modalities": "text, image,text", "output_modalities": "text",
        "supported_parameters": "", "offerings-TOTAL_FORMS": "0", "offerings-INITIAL_FORMS": "0",
        "aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0",
    }  # fmt: skip
    answer = staff.post(page, form)

    assert answer.status_code == 302, answer.context["errors"]
    row.refresh_from_db()
    assert (row.input_modalities, row.supported_parameters) == (["text", "image"], [])
    assert 'value="text, image"' in staff.get(page).content.decode()
    refused = staff.post(page, form | {"input_modalities": " , "})
    assert "This field is required." in refused.content.decode()


@pytest.mark.parametrize(
    ("model", "field"), [(Provider, "enabled"), (Model, "is_active"), (Offering, "is_active")]
)
def test_rows_are_switched_off_and_on_many_at_a_time(staff, add_model, model, field):
    add_model("acme/large")
    chosen = list(model.objects.values_list("pk", flat=True))
    for action, is_on in (("switch_off", False), ("switch_on", True)):
        answer = staff.post(
            url(model, "changelist"), {"action": action, "_selected_action": chosen}, follow=True
        )

        assert f"{len(chosen)} switched" in answer.content.decode()
        assert set(model.objects.values_list(field, flat=True)) == {is_on}
        assert bool(load_catalog().listed()) is is_on


@pytest.mark.parametrize("model", [Provider, Model])
def test_number_of_offerings_leads_to_them(staff, add_model, model):
    add_model("acme/large")
    add_model("other/small", host="other")
    page = staff.get(url(model, "changelist"), {"q": "acme"}).content.decode()
    (target,) = set(re.findall(r'href="(/admin/catalog/offering/\?[^"]+)"', page))
    listed = staff.get(target).content.decode()

    assert "acme/large" in listed
    assert "other/small" not in listed.partition("<tbody")[2]


def test_default_deadlines_are_shown_where_none_is_set(staff, add_model):
    row = add_model("acme/large").provider

    assert 'placeholder="600"' in staff.get(url(Provider, "change", row.pk)).content.decode()


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
        source=PriceSource.MANUAL,
    )
    return PriceProposal.objects.get()


def test_proposal_shows_both_prices_and_its_reason_when_opened(staff, proposal):
    for page in (
        url(PriceProposal, "changelist"),
        url(PriceProposal, "change", proposal.pk),
    ):
        shown = staff.get(page).content.decode()
        assert "$1.00 in" in shown
        assert "$100.00 in" in shown
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


@pytest.mark.parametrize(("action", "charged"), [("approve", "100"), ("reject", "1")])
def test_proposal_is_decided_on_its_own_page(staff, proposal, action, charged):
    page = url(PriceProposal, "change", proposal.pk)
    shown = staff.get(page).content.decode()
    button = f"catalog_priceproposal_{action}_this"
    assert f'name="{button}"' in shown
    assert 'name="_save"' not in shown

    assert staff.post(page, {button: "1"}).status_code == 302
    assert find("acme/large").offerings[0].rates.input == usd_to_nano(charged)
    assert f'name="{button}"' not in staff.get(page).content.decode()
    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by) == (
        {"approve": "approved", "reject": "rejected"}[action],
        "dave@example.com",
    )


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


def test_operators_abilities_are_learnt_no_more_when_saved(staff, add_model):
    add_model("acme/large")
    learned = {"supported_parameters": 2, "input_modalities": 2}
    Model.objects.update(supported_parameters=["tools"], learned=learned)
    form = {
        "name": "Large", "is_active": "on", "input_modalities": "text", "output_modalities": "text", "supported_parameters": "tools, seed",
        "offerings-TOTAL_FORMS": "0", "offerings-INITIAL_FORMS": "0", "aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0",
    }  # fmt: skip
    response = staff.post(url(Model, "change", "acme/large"), form)

    assert response.status_code == 302, response.content
    model = Model.objects.get()
    assert (model.supported_parameters, model.learned) == (
        ["tools", "seed"],
        {"input_modalities": 2},
    )


def test_operators_word_of_a_host_is_kept_until_it_is_emptied(staff, add_model):
    offering = add_model("acme/large")
    page = url(Offering, "change", offering.pk)
    form = {
        "model": "acme/large", "provider": offering.provider_id, "upstream_model": offering.upstream_model, "priority": "0",
        "is_active": "on", "supported_parameters": "tools, seed", "input_modalities": "",
        "prices-TOTAL_FORMS": "0", "prices-INITIAL_FORMS": "0",
    }  # fmt: skip
    answer = staff.post(page, form)

    assert answer.status_code == 302, answer.context["errors"]
    offering.refresh_from_db()
    assert (offering.supported_parameters, offering.input_modalities) == (["tools", "seed"], None)
    assert offering.told_by == {"supported_parameters": "staff"}
    assert 'value="tools, seed"' in staff.get(page).content.decode()
    staff.post(page, form | {"supported_parameters": ""})
    offering.refresh_from_db()
    assert (offering.supported_parameters, offering.told_by) == (None, None)


def test_prices_say_which_is_in_force_when_listed(staff, add_model):
    offering = add_model("acme/large")
    now = clock.now()
    for days, usd in ((-9, 3), (9, 4)):
        offers.post_price(
            offering,
            offers.Amounts.of(input=usd_to_nano(usd), output=usd_to_nano(usd)),
            source=PriceSource.STAFF,
            valid_from=now + datetime.timedelta(days=days),
        )
    page = staff.get(url(Price, "changelist")).content.decode()
    states = re.findall(r">\s*(in force|past|to come)\s*<", page)

    assert states == ["to come", "in force", "past"]
    assert f"{offering}: $1.00 in" in staff.get(url(Price, "change", offering.prices.order_by("pk")[0].pk)).content.decode()  # fmt: skip


def test_proposals_are_told_in_short_words_when_listed(staff, add_model):
    offering = add_model("acme/large")
    for state in ("pending", "approved"):
        PriceProposal.objects.create(
            offering=offering, found={"input": 1}, fingerprint=state, reason="far off", source="genai-prices", state=state
        )  # fmt: skip
    page = staff.get(url(PriceProposal, "changelist")).content.decode()

    assert re.findall(r">\s*(waiting|approved)\s*<", page) == ["approved", "waiting"]
    assert len(re.findall(r">\s*genai-prices\s*<", page)) == 2


def test_one_message_says_what_was_decided_when_a_button_is_pressed(staff, proposal):
    page = url(PriceProposal, "change", proposal.pk)
    first = staff.post(page, {"catalog_priceproposal_approve_this": "1"}, follow=True)
    again = staff.post(url(PriceProposal, "changelist"), {"action": "reject", "_selected_action": [proposal.pk]}, follow=True)  # fmt: skip

    assert [str(message) for message in first.context["messages"]] == ["1 approved: charged from now on."]  # fmt: skip
    assert [str(message) for message in again.context["messages"]] == ["Nothing changed: decided before."]  # fmt: skip
