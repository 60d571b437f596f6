"""manage.py verify_ledger: says that the books are right, or what is wrong with exit status 1."""

import datetime
import io

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from apps.billing.models import Account, AccountKind, EntryKind, EntryLine, Hold, JournalEntry
from apps.billing.services import ledger
from apps.billing.tasks import verify_ledger
from apps.common import clock
from tests.installation import make_installation


def run(*arguments):
    """(standard output, standard error, message of the failure)."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("verify_ledger", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), err.getvalue(), error
    return out.getvalue(), err.getvalue(), None


def execute(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def test_counts_are_told_when_the_ledger_is_sound(books):
    books.hold(100)
    ledger.settle([books.costs(10)])

    out, err, failure = run()

    assert out.startswith("The ledger is sound: ")
    assert out.strip().endswith(" open holds.")
    assert (err, failure) == ("", None)


def test_others_are_passed_by_when_an_organisation_is_named(books, make_books):
    sound = make_books(purchased=500)
    sound.hold(100)
    execute(
        "UPDATE billing_balance SET purchased = purchased + 1 WHERE organization_id = %s",
        books.organization_id,
    )

    out, err, failure = run(f"--organization={sound.organization_id}")
    _, wrong, status = run("--organization", books.organization_id)

    assert out.strip() == "The ledger is sound: 1 entries, 1 balances, 1 open holds."
    assert (err, failure) == ("", None)
    assert wrong.startswith(f"organisation {books.organization_id}: purchased is")
    assert status.returncode == 1


def test_status_is_1_when_a_balance_differs_from_its_lines(books):
    execute(
        "UPDATE billing_balance SET purchased = purchased + 1 WHERE organization_id = %s",
        books.organization_id,
    )

    out, err, failure = run()

    assert out == ""
    assert err.strip() == (
        f"organisation {books.organization_id}: purchased is $0.000001001, "
        "its lines sum to $0.000001"
    )
    assert str(failure) == "the ledger has 1 problem(s)"
    assert failure.returncode == 1


def test_problem_is_named_when_held_differs_from_the_holds(books):
    books.hold(100)
    execute(
        "UPDATE billing_balance SET held = 99 WHERE organization_id = %s", books.organization_id
    )

    assert "$0.000000099 held, its holds sum to $0.0000001" in run()[1]


def test_problem_is_named_when_a_hold_was_missed_by_the_sweep(books):
    request = books.hold(100)
    Hold.objects.filter(pk=request).update(
        expires_at=clock.now() - settings.HOLD_LEASE - datetime.timedelta(seconds=1)
    )

    assert f"hold {request} expired at" in run()[1]


def test_sweep_has_a_lease_of_time_when_a_hold_has_just_expired(books):
    books.expire(books.hold(100))

    assert run()[2] is None


@pytest.mark.parametrize(
    ("amounts", "problem"),
    [((), "has no lines"), ((5, -4), "sums to $0.000000001, not zero")],
)
def test_problem_is_named_when_an_entry_is_not_balanced(books, amounts, problem):
    entry = JournalEntry.objects.create(
        reference="test:crooked",
        kind=EntryKind.ADJUSTMENT,
        organization_id=books.organization_id,
        created_at=clock.now(),
    )
    for kind, amount in zip((AccountKind.FEES, AccountKind.REVENUE), amounts, strict=False):
        account = Account.objects.get(organization=None, kind=kind)
        EntryLine.objects.create(entry=entry, account=account, amount=amount)

    assert f"entry test:crooked {problem}" in run()[1]


def test_error_is_logged_when_the_nightly_proof_fails(books, caplog):
    verify_ledger()
    execute(
        "UPDATE billing_balance SET promo = 1 WHERE organization_id = %s", books.organization_id
    )
    verify_ledger()

    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR"]
    assert f"organisation {books.organization_id}" in str(caplog.records[1].msg)


UNSOUND = """
import json
from django.db import connection
from apps.accounts.models import Organization
organization = Organization.objects.create(name="test")
with connection.cursor() as cursor:
    cursor.execute("UPDATE billing_balance SET promo = 1 WHERE organization_id = %s", [organization.pk])
print(json.dumps(organization.pk))
"""


def test_process_ends_with_status_1_when_the_ledger_is_unsound(tmp_path, django_db_setup):
    with make_installation(
        tmp_path,
        database_url="" if settings.EMBEDDED else settings.DATABASE_URL,
        redis_url=settings.REDIS_URL,
    ) as installation:
        sound = installation.manage("verify_ledger", check=False)
        organization = installation.python(UNSOUND)
        unsound = installation.manage("verify_ledger", check=False)

    assert sound.returncode == 0, sound.stderr
    assert sound.stdout.startswith("The ledger is sound: 0 entries")
    assert unsound.returncode == 1
    assert f"organisation {organization}: promo is $0.000000001" in unsound.stderr
