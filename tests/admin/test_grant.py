"""Granting promo credit: the one write that the back office has on the ledger."""

import datetime
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from apps.billing.models import CreditLot, EntryKind, JournalEntry
from apps.billing.services.verification import verify


@pytest.fixture
def page(books):
    return reverse("admin:billing_balance_grant", args=[books.organization_id])


def form(client, page, **values):
    """What the browser would send: the page's own token and these values."""
    shown = client.get(page)
    assert shown.status_code == 200
    (token,) = re.findall(r'name="token" value="([^"]+)"', shown.content.decode())
    return {"token": token, "amount_usd": "12.5", "memo": "sorry for the outage", **values}


def granted(books):
    return JournalEntry.objects.filter(
        organization_id=books.organization_id, reference__startswith="grant:"
    )


def test_grant_is_offered_when_a_balance_is_opened(staff, books, page):
    shown = staff.get(reverse("admin:billing_balance_change", args=[books.organization_id]))

    assert page in shown.content.decode()


def test_promo_credit_is_there_when_granted(staff, books, page):
    before = books.balance.promo

    answer = staff.post(page, form(staff, page), follow=True)

    assert "$12.50 granted" in answer.content.decode()
    assert books.balance.promo == before + 12_500_000_000
    (entry,) = granted(books)
    assert entry.kind == EntryKind.GRANT
    assert entry.memo.startswith("sorry for the outage (staff ")
    assert dict(entry.lines.values_list("account__kind", "amount")) == {
        "promo": 12_500_000_000,
        "promo_expense": -12_500_000_000,
    }
    assert "sorry for the outage" in LogEntry.objects.get().change_message
    assert verify().problems == ()


def test_promo_credit_expires_when_staff_say_so(staff, books, page):
    values = form(staff, page, expires_at_0="2099-01-31", expires_at_1="12:00:00")

    assert staff.post(page, values, follow=True).status_code == 200

    lot = CreditLot.objects.get(reference=granted(books).get().reference)
    assert lot.expires_at == datetime.datetime(2099, 1, 31, 12, tzinfo=datetime.UTC)
    assert lot.remaining == 12_500_000_000


def test_nothing_is_granted_when_it_would_have_expired_already(staff, books, page):
    values = form(staff, page, expires_at_0="2020-01-31", expires_at_1="12:00:00")

    answer = staff.post(page, values)

    assert "That has passed." in answer.content.decode()
    assert not granted(books).exists()


def test_promo_credit_is_given_once_when_the_form_is_sent_twice(staff, books, page):
    values = form(staff, page)

    staff.post(page, values)
    answer = staff.post(page, values, follow=True)

    assert "given already" in answer.content.decode()
    assert granted(books).count() == 1


def test_promo_credit_is_given_again_when_the_page_is_opened_again(staff, books, page):
    for _ in range(2):
        staff.post(page, form(staff, page))

    assert granted(books).count() == 2


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("amount_usd", "", "This field is required."),
        ("amount_usd", "0", "Give more than nothing."),
        ("amount_usd", "-1", "greater than or equal to 0"),
        ("amount_usd", "1000.01", "less than or equal to 1000"),
        ("amount_usd", "0.0000000001", "no more than 9 decimal places"),
        ("amount_usd", "NaN", "Enter a number."),
        ("amount_usd", "ten", "Enter a number."),
        ("memo", "", "This field is required."),
        ("memo", "   ", "This field is required."),
        ("memo", "x" * 161, "at most 160 characters"),
        ("memo", "nul\x00", "Null characters are not allowed."),
    ],
)
def test_error_stands_beside_the_field_when_a_value_is_wrong(
    staff, books, page, field, value, error
):
    answer = staff.post(page, form(staff, page, **{field: value}))

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert error in str(answer.context["form"].errors[field])
    assert error in answer.content.decode()
    assert not granted(books).exists()


@pytest.mark.parametrize(("dollars", "nano"), [("1000", 10**12), ("0.000000001", 1)])
def test_amount_is_taken_when_at_the_edge_of_what_is_allowed(staff, books, page, dollars, nano):
    before = books.balance.promo

    staff.post(page, form(staff, page, amount_usd=dollars))

    assert books.balance.promo == before + nano


def test_nothing_is_granted_when_the_token_is_not_the_pages(staff, books, page):
    answer = staff.post(page, form(staff, page, token="settle:gen_1"))

    assert answer.status_code == 200
    assert not granted(books).exists()


def test_page_is_not_found_when_the_organisation_is_unknown(staff, books):
    page = reverse("admin:billing_balance_grant", args=[2**40])

    assert staff.get(page).status_code == 404


@pytest.mark.parametrize(("permissions", "status"), [((), 403), (("add_journalentry",), 200)])
def test_grant_is_open_when_staff_may_add_entries(visitor, books, page, permissions, status):
    helper = get_user_model().objects.create_user("erin@example.com", "pw", is_staff=True)
    for name in ("view_balance", *permissions):
        helper.user_permissions.add(Permission.objects.get(codename=name))
    visitor.force_login(helper)

    shown = visitor.get(reverse("admin:billing_balance_change", args=[books.organization_id]))

    assert visitor.get(page).status_code == status
    assert (page in shown.content.decode()) is (status == 200)
    if status == 403:
        assert visitor.post(page, {"amount_usd": "1", "memo": "x"}).status_code == 403


def test_visitor_is_sent_to_the_login_when_not_staff(visitor, books, page):
    assert visitor.post(page, {"amount_usd": "1", "memo": "x"}).status_code == 302
    assert not granted(books).exists()
