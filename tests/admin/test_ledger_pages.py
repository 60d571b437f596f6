"""The ledger and the records in the back office: exact dollars, readable attempts, and no way to write."""

import pytest
from django.urls import reverse

from apps.billing.models import Account, Balance, EntryLine, Hold, JournalEntry
from apps.common import admin as shared
from apps.inference.models import RequestRecord

MODELS = (Balance, Account, JournalEntry, EntryLine, Hold, RequestRecord)
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def url(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def text_of(answer):
    assert answer.status_code == 200
    return answer.content.decode()


@every_model
@pytest.mark.parametrize("page", ["add", "change", "delete"])
def test_change_is_forbidden_when_posted(staff, books, model, page):
    row = model.objects.first()
    before = list(model.objects.values())
    args = [] if page == "add" else [row.pk]

    answer = staff.post(url(model, page, *args), {"post": "yes", "amount": "1", "promo": "1"})

    assert answer.status_code == 403
    assert list(model.objects.values()) == before


@every_model
def test_bulk_deletion_is_not_offered_when_rows_are_chosen(staff, books, model):
    rows = [row.pk for row in model.objects.all()]

    staff.post(
        url(model, "changelist"),
        {"action": "delete_selected", "_selected_action": rows, "post": "yes"},
    )

    assert model.objects.count() == len(rows)
    assert "delete_selected" not in text_of(staff.get(url(model, "changelist")))


def test_balance_shows_exact_dollars_when_listed_and_opened(staff, books):
    for page in ("changelist", "change"):
        args = [books.organization_id] if page == "change" else []
        shown = text_of(staff.get(url(Balance, page, *args)))
        assert "$9.99997855" in shown  # total
        assert "$9.99897855" in shown  # available
        assert "$0.001" in shown


def test_entry_shows_its_lines_when_opened(staff, books):
    entry = JournalEntry.objects.get(reference="settle:gen_settled")

    shown = text_of(staff.get(url(JournalEntry, "change", entry.pk)))

    assert "$0.00002145" in shown
    assert "-$0.00002145" in shown
    assert "house: revenue" in shown


def test_account_shows_the_sum_of_its_lines_when_opened(staff, books):
    account = Account.objects.get(organization_id=books.organization_id, kind="promo")

    assert "$9.99997855" in text_of(staff.get(url(Account, "change", account.pk)))


def test_attempts_are_a_table_when_a_record_is_opened(staff, books):
    shown = text_of(staff.get(url(RequestRecord, "change", "gen_settled")))

    assert '<td class="pr-6">overloaded</td><td class="pr-6">529</td>' in shown
    assert "&lt;b&gt;other&lt;/b&gt;" in shown
    assert "<b>other</b>" not in shown
    assert "$0.00002145" in shown


@pytest.mark.parametrize("model", [JournalEntry, Hold, RequestRecord], ids=lambda m: m.__name__)
def test_rows_of_an_organisation_are_listed_when_it_is_chosen(staff, books, model):
    page = url(model, "changelist")

    mine = staff.get(page, {"organization": books.organization_id}).context["cl"]
    other = staff.get(page, {"organization": 2**40}).context["cl"]
    nonsense = staff.get(page, {"organization": "x"}).context["cl"]

    assert mine.result_count == model.objects.filter(organization=books.organization_id).count() > 0
    assert (other.result_count, nonsense.result_count) == (0, 0)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"outcome__exact": "completed"}, 1),
        ({"outcome__exact": "lost"}, 0),
        ({"provider": "acme"}, 1),
        ({"provider": "nobody"}, 0),
        ({"model": "acme/large"}, 1),
        ({"q": "gen_settled"}, 1),
        ({"q": "gen_set"}, 0),
    ],
)
def test_records_are_narrowed_when_filtered(staff, books, query, found):
    RequestRecord.objects.exclude(pk="gen_settled").delete()

    listed = staff.get(url(RequestRecord, "changelist"), query).context["cl"]

    assert listed.result_count == found


def test_counting_stops_when_the_table_is_long(staff, books, monkeypatch):
    monkeypatch.setattr(shared, "MOST_COUNTED", 2)

    listed = staff.get(url(EntryLine, "changelist")).context["cl"]

    assert EntryLine.objects.count() > 2
    assert listed.result_count == 2


@pytest.mark.parametrize(
    "model", [JournalEntry, EntryLine, RequestRecord], ids=lambda m: m.__name__
)
def test_list_needs_no_query_per_row_when_there_are_many(
    staff, books, model, django_assert_max_num_queries
):
    for _ in range(15):
        books.hold(1)

    with django_assert_max_num_queries(16):
        staff.get(url(model, "changelist"))
