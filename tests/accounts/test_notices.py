"""Notices: written down with what they are about, sent once, tried again, given up."""

import datetime
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import msgspec
import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from apps.accounts import notices
from apps.accounts.models import Membership, Notice, Organization, Role, User
from apps.accounts.notices import (
    KINDS,
    BudgetReached,
    CreditUsedUp,
    LowBalance,
    PaymentFailed,
    PaymentReceived,
    SubscriptionEnded,
    SubscriptionPaid,
    TrialEnding,
)
from apps.common import clock

pytestmark = pytest.mark.django_db

LATER = datetime.datetime(2026, 12, 24, 18, 0, tzinfo=datetime.UTC)
ALL = [
    LowBalance(available_nano_usd=4_990_000_000, threshold_nano_usd=10_000_000_000),
    CreditUsedUp(),
    PaymentReceived(
        order="ord_1", paid_cents=2_100, fee_cents=100, credit_nano_usd=20_000_000_000,
        receipt_url="https://pay.example/r/1",
    ),
    PaymentFailed(amount_cents=2_500, what_for="an automatic top-up"),
    SubscriptionPaid(
        plan="Pro", paid_cents=2_900, allowance_nano_usd=30_000_000_000, ends_at=LATER,
        invoice="A1-0001", invoice_url="https://invoice.example/i/1",
    ),
    SubscriptionEnded(plan="Pro"),
    TrialEnding(ends_at=LATER, remaining_nano_usd=1_250_000_000),
    BudgetReached(
        subject="the key build", window="day", percent=80, amount_nano_usd=5_000_000_000,
        spent_nano_usd=4_000_000_000, starts_again_at=LATER, is_hard=True,
    ),
]  # fmt: skip
SAYS = {
    "low_balance": ["$4.99", "$10.00"],
    "credit_used_up": ["used up", "insufficient_credits"],
    "payment_received": ["$21.00", "$1.00", "$20.00", "ord_1", "https://pay.example/r/1"],
    "payment_failed": ["$25.00", "an automatic top-up", "tried again"],
    "subscription_paid": [
        "$29.00",
        "Pro",
        "$30.00",
        "A1-0001",
        "https://invoice.example/i/1",
        "24 December 2026, 18:00",
    ],
    "subscription_ended": ["Pro", "Credit that you bought stays"],
    "trial_ending": ["24 December 2026, 18:00", "$1.25"],
    "budget_reached": ["80 %", "the key build", "$4.00", "$5.00", "budget_exceeded"],
}


@pytest.fixture(autouse=True)
def nothing_waits(db):
    """Other tests may have left notices."""
    Notice.objects.all().delete()


@pytest.fixture
def organization():
    user = User.objects.create_user("owner@example.com", "pw")
    return Organization.objects.get(memberships__user=user)


def tell(organization, facts=ALL[0], reference="low:1"):
    return notices.notify(organization.pk, facts, reference=reference)


@pytest.fixture
def travelling():
    """The clock, which goes on in leaps."""
    with time_machine.travel(LATER, tick=False) as clock_of_the_test:
        yield clock_of_the_test


@pytest.fixture
def broken(settings):
    settings.EMAIL_BACKEND = f"{__name__}.Broken"


class Broken(BaseEmailBackend):
    def send_messages(self, messages):
        raise ConnectionError("the mail server is away")


def test_every_kind_is_tried_here():
    assert [type(facts) for facts in ALL] == list(KINDS)
    assert {facts.__struct_config__.tag for facts in ALL} == SAYS.keys()


@pytest.mark.parametrize("facts", ALL, ids=lambda facts: facts.__struct_config__.tag)
def test_notice_says_its_facts_as_text_and_as_html(organization, facts):
    tell(organization, facts)

    assert notices.send_due() == 1

    sent: Any = mail.outbox[0]
    ((html, kind),) = sent.alternatives
    assert (sent.to, kind) == (["owner@example.com"], "text/html")
    assert sent.subject
    assert "\n" not in sent.subject
    text = sent.subject + sent.body
    for said in SAYS[facts.__struct_config__.tag]:
        assert said in text
    for said in SAYS[facts.__struct_config__.tag][:1]:
        assert said in html + sent.subject
    assert "{" not in text + html.partition("</head>")[2]
    assert organization.name in sent.body


def test_name_of_an_organisation_is_no_html(organization):
    Organization.objects.filter(pk=organization.pk).update(name="<b>Acme & Sons</b>")
    tell(organization)

    notices.send_due()

    sent: Any = mail.outbox[0]
    assert "<b>Acme & Sons</b>" in sent.body
    assert "&lt;b&gt;Acme &amp; Sons&lt;/b&gt;" in sent.alternatives[0][0]


def test_same_reference_is_told_once(organization):
    assert [tell(organization), tell(organization)] == [True, False]

    assert [notices.send_due(), notices.send_due()] == [1, 0]
    assert len(mail.outbox) == 1


def test_nothing_is_told_that_did_not_happen(organization):
    with pytest.raises(RuntimeError, match="undone"), transaction.atomic():
        tell(organization)
        raise RuntimeError("undone")

    assert notices.send_due() == 0


def test_owners_and_admins_are_told_and_nobody_else(organization):
    for role in (Role.ADMIN, Role.DEVELOPER, Role.VIEWER):
        user = User.objects.create_user(f"{role.value}@example.com", "pw")
        Membership.objects.create(user=user, organization=organization, role=role)
    left = User.objects.create_user("left@example.com", "pw", is_active=False)
    Membership.objects.create(user=left, organization=organization, role=Role.OWNER)
    tell(organization)

    notices.send_due()

    assert mail.outbox[0].to == ["admin@example.com", "owner@example.com"]


def test_failure_is_written_down_and_tried_again_later_and_later_and_then_given_up(
    organization, broken, travelling
):
    tell(organization)
    pauses = []
    for tries in range(1, len(notices.PAUSES) + 2):
        assert notices.send_due() == 0
        notice = Notice.objects.get()
        assert (notice.tries, notice.sent_at) == (tries, None)
        assert notice.error == "ConnectionError: the mail server is away"
        assert notices.send_due() == 0, "it waits"
        assert Notice.objects.get().tries == tries
        if notice.due_at:
            pauses.append(notice.due_at - clock.now())
            travelling.shift(pauses[-1])

    assert pauses == sorted(pauses)
    assert len(pauses) == len(notices.PAUSES)
    assert Notice.objects.get().due_at is None


def test_it_is_sent_when_the_server_is_back(organization, settings, travelling):
    former = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = f"{__name__}.Broken"
    tell(organization)
    notices.send_due()
    settings.EMAIL_BACKEND = former
    travelling.shift(notices.PAUSES[0])

    assert notices.send_due() == 1

    notice = Notice.objects.get()
    assert (notice.tries, notice.error, notice.due_at) == (2, "", None)
    assert notice.sent_at is not None


def test_nobody_to_write_to_is_given_up_and_said(db):
    tell(Organization.objects.create(name="empty"))

    assert notices.send_due() == 0

    notice = Notice.objects.get()
    assert (notice.error, notice.due_at) == ("nobody to write to", None)


def test_what_a_dead_process_had_taken_is_sent_after_its_lease(organization, travelling):
    tell(organization)
    assert len(notices._take()) == 1
    assert notices.send_due() == 0

    travelling.shift(notices.LEASE)

    assert notices.send_due() == 1


def test_facts_are_kept_as_they_were_told(organization):
    tell(organization, ALL[5])

    assert msgspec.convert(Notice.objects.get().facts, notices.Facts) == ALL[5]


class Resend(BaseHTTPRequestHandler):
    """What Resend's API takes, https://resend.com/docs/api-reference/emails/send-email."""

    seen: ClassVar[list[tuple[str, str, dict[str, Any]]]] = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.path, self.headers["authorization"], body))
        answer = b'{"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Quiet."""


def test_resend_gets_the_notice(organization, settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Resend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.EMAIL_BACKEND = "anymail.backends.resend.EmailBackend"
    settings.ANYMAIL = {
        "RESEND_API_KEY": "re_test",
        "RESEND_API_URL": f"http://127.0.0.1:{server.server_port}/",
    }
    settings.DEFAULT_FROM_EMAIL = "Gatewayz <bills@example.com>"
    tell(organization)

    assert notices.send_due() == 1

    server.shutdown()
    server.server_close()
    ((path, authorization, sent),) = Resend.seen
    assert (path, authorization) == ("/emails", "Bearer re_test")
    assert sent["from"] == "Gatewayz <bills@example.com>"
    assert sent["to"] == ["owner@example.com"]
    assert "$4.99" in sent["subject"]
    assert sent["text"].startswith("The credit of")
    assert "<table" in sent["html"]
