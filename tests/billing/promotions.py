"""People with organisations, and codes for them. Unique names, so that committed tests may share a database."""

import datetime

from apps.accounts.models import Membership, User
from apps.billing.models import Coupon, PartnerOffer, TrialTerms
from apps.common import clock
from apps.common.ids import new_id
from tests.billing.books import Books

USD = 10**9
DAY = datetime.timedelta(days=1)


def make_user(email: str = "", *, is_verified: bool = True) -> User:
    # Without a password: hashing one takes longer than most of these tests.
    user = User.objects.create_user(email or f"{new_id('t')}@example.com")
    if is_verified:
        user.email_verified_at = clock.now()
        user.save()
    return user


def books_of(user: User) -> Books:
    return Books(Membership.objects.get(user=user, organization__is_personal=True).organization_id)


def make_person(email: str = "", *, is_verified: bool = True) -> Books:
    """The books of a new user's own organisation."""
    return books_of(make_user(email, is_verified=is_verified))


def make_coupon(**fields) -> Coupon:
    values = {
        "code": new_id("T").replace("_", "")[-20:].upper(),
        "amount": 5 * USD,
        "valid_from": clock.now() - DAY,
        **fields,
    }
    return Coupon.objects.create(**values)


def make_offer(**fields) -> PartnerOffer:
    values = {
        "code": new_id("P").replace("_", "")[-20:].upper(),
        "partner": "Acme",
        "terms": TrialTerms.objects.get(pk="partner"),
        "valid_from": clock.now() - DAY,
        **fields,
    }
    return PartnerOffer.objects.create(**values)
