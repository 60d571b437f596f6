"""What the database itself refuses, whoever asks: tested through raw SQL, past every service."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.accounts.models import Organization
from apps.billing.models import Account, AccountKind, Balance, JournalEntry
from apps.billing.services import ledger


def execute(statement, *parameters):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


@pytest.fixture
def entry(books):
    settlement = books.costs(10)
    ledger.settle([settlement])
    return JournalEntry.objects.get(reference=settlement.reference)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_journalentry SET memo = 'another' WHERE id = %s",
        "DELETE FROM billing_journalentry WHERE id = %s",
        "UPDATE billing_entryline SET amount = amount + 1 WHERE entry_id = %s",
        "DELETE FROM billing_entryline WHERE entry_id = %s",
    ],
)
def test_journal_is_unchanged_when_told_to_update_or_delete(entry, statement):
    with pytest.raises(DatabaseError, match="append-only"):
        execute(statement, entry.pk)

    assert dict(entry.lines.values_list("account__kind", "amount")) == {
        "purchased": -10,
        "revenue": 10,
    }


@pytest.mark.parametrize(
    "change",
    [
        "allowance = -1",
        "promo = -1",
        "purchased = -1",
        "held = -1",
        "held = 1001",
        "purchased = 0, held = 1",
    ],
)
def test_balance_is_refused_when_negative_or_less_than_its_holds(books, change):
    with pytest.raises(IntegrityError):
        execute(
            f"UPDATE billing_balance SET {change} WHERE organization_id = %s", books.organization_id
        )

    assert books.buckets == (0, 0, 1_000)


def test_hold_is_refused_when_negative(books):
    with pytest.raises(IntegrityError):
        execute(
            "INSERT INTO billing_hold (request_id, organization_id, amount, owner, model, created_at, "
            "expires_at) VALUES ('gen_negative', %s, -1, '', '', '2026-01-01', '2026-01-01')",
            books.organization_id,
        )


def test_line_is_refused_when_zero(entry):
    account = Account.objects.get(organization=None, kind=AccountKind.FEES)

    with pytest.raises(IntegrityError):
        execute(
            "INSERT INTO billing_entryline (entry_id, account_id, amount) VALUES (%s, %s, 0)",
            entry.pk,
            account.pk,
        )


def test_entry_is_refused_when_its_reference_exists(entry):
    with pytest.raises(IntegrityError):
        execute(
            "INSERT INTO billing_journalentry (reference, kind, organization_id, memo, created_at) "
            "VALUES (%s, 'grant', %s, '', '2026-01-01')",
            entry.reference,
            entry.organization_id,
        )


@pytest.mark.parametrize(("owned", "kind"), [(True, "revenue"), (False, "promo")])
def test_account_is_refused_when_its_kind_belongs_to_the_other_side(books, owned, kind):
    with pytest.raises(IntegrityError):
        execute(
            "INSERT INTO billing_account (organization_id, kind) VALUES (%s, %s)",
            books.organization_id if owned else None,
            kind,
        )


def test_organisation_has_balance_and_accounts_when_inserted_by_raw_sql(db):
    execute(
        "INSERT INTO accounts_organization (name, is_personal, is_active, created_at, updated_at) "
        "VALUES ('raw', %s, %s, '2026-01-01', '2026-01-01')",
        False,
        True,
    )
    organization = Organization.objects.get(name="raw")

    balance = Balance.objects.get(pk=organization.pk)
    assert (balance.total, balance.held) == (0, 0)
    assert set(
        Account.objects.filter(organization=organization).values_list("kind", flat=True)
    ) == {
        "allowance",
        "promo",
        "purchased",
    }


def test_house_has_one_account_of_each_of_its_kinds_when_migrated(db):
    kinds = sorted(Account.objects.filter(organization=None).values_list("kind", flat=True))

    assert kinds == [
        "fees",
        "promo_expense",
        "provider_cost",
        "revenue",
        "stripe_clearing",
        "written_off",
    ]
