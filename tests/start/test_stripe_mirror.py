"""The mirror of Stripe's objects, in an installation that has a key: its tables, what is copied, what staff see of it."""

import json

import pytest
import stripe

from tests.fakes.stripe.process import start_fake_stripe
from tests.installation import make_installation


@pytest.fixture(scope="module")
def fake():
    with start_fake_stripe() as process:
        yield process


@pytest.fixture(scope="module")
def installation(tmp_path_factory, fake):
    with make_installation(
        tmp_path_factory.mktemp("mirror"),
        STRIPE_SECRET_KEY="sk_test_x",
        STRIPE_WEBHOOK_SECRET="whsec_x",
        STRIPE_API_BASE=fake.url,
    ) as made:
        made.manage("migrate", "--verbosity", "0")
        yield made


@pytest.fixture(scope="module")
def paid(fake):
    """A payment at Stripe, with everything that it names."""
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": fake.url})
    customer = client.v1.customers.create({"email": "a@example.com", "name": "A"})
    return client.v1.payment_intents.create(
        {
            "amount": 1050,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": "pm_card_visa",
            "confirm": True,
            "off_session": True,
            "setup_future_usage": "off_session",
        }
    )


def test_tables_are_those_of_the_installed_release(installation):
    done = installation.manage("makemigrations", "--check", "--dry-run", "djstripe", check=False)

    assert (done.returncode, done.stdout.strip()) == (0, "No changes detected in app 'djstripe'")


def test_objects_are_copied_with_what_they_name(installation, fake, paid):
    kinds = ("payment_intent", "charge", "customer", "payment_method")
    told = [one for kind in kinds for one in fake.objects()[kind]]

    found = installation.ask(
        "import json\n"
        "from apps.billing.services import mirror\n"
        f"copied = [mirror.update(one) for one in json.loads({json.dumps(told)!r})]\n"
        "from djstripe.models import Charge, Customer, PaymentIntent, PaymentMethod\n"
        f"intent = PaymentIntent.objects.get(id={paid.id!r})\n"
        "rows = [kind.objects.count() for kind in (PaymentIntent, Charge, Customer, PaymentMethod)]\n"
        "from djstripe.models import APIKey\n"
        "kept = APIKey.objects.count()  # it would be in plain text\n"
        "print(json.dumps([copied, rows, intent.customer.id, intent.stripe_data['amount'], kept]))"
    )

    assert found == [[True] * len(told), [1, 1, 1, 1], paid.customer, 1050, 0]


def test_subscriptions_and_their_invoices_are_copied(installation, fake, paid):
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": fake.url})
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 2900,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Pro"},
        }
    )
    subscription = client.v1.subscriptions.create(
        {
            "customer": paid.customer,
            "items": [{"price": price.id}],
            "default_payment_method": paid.payment_method,
        }
    )
    told = [one for kind in ("invoice", "subscription") for one in fake.objects()[kind]]

    found = installation.ask(
        "import json\n"
        "from apps.billing.services import mirror\n"
        f"copied = [mirror.update(one) for one in json.loads({json.dumps(told)!r})]\n"
        "from djstripe.models import Invoice, Subscription\n"
        "rows = [list(kind.objects.values_list('id', flat=True)) for kind in (Invoice, Subscription)]\n"
        "print(json.dumps([copied, rows]))"
    )

    assert found == [[True] * len(told), [[subscription.latest_invoice], [subscription.id]]]


def test_what_cannot_be_copied_is_only_told(installation):
    found = installation.ask(
        "import json\n"
        "from apps.billing.services import mirror\n"
        "wrong = {'object': 'charge', 'id': 'ch_1', 'customer': 'cus_unknown'}\n"
        "print(json.dumps([mirror.update(wrong), mirror.update({'object': 'thing', 'id': 'x'})]))"
    )

    assert found == [False, False]


def test_staff_see_the_copies(installation, paid):
    found = installation.ask(
        "import json\n"
        "from django.conf import settings\n"
        "settings.ALLOWED_HOSTS = ['*']\n"
        "from django.contrib.auth import get_user_model\n"
        "from django.test import Client\n"
        "staff = Client()\n"
        "staff.force_login(get_user_model().objects.create_superuser('b@example.com', 'pw'))\n"
        "page = staff.get('/admin/djstripe/paymentintent/')\n"
        "others = ['/admin/djstripe/apikey/', '/admin/djstripe/paymentintent/add/']\n"
        "refused = [staff.get(path).status_code for path in others]\n"
        f"print(json.dumps([page.status_code, {paid.id!r} in page.content.decode(), refused]))"
    )

    assert found == [200, True, [404, 403]]
