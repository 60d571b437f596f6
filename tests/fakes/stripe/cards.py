"""Stripe's test cards, and what a bank says to each (https://docs.stripe.com/testing, 2026-08)."""

from dataclasses import dataclass

from tests.fakes.stripe.errors import Json
from tests.fakes.stripe.world import Decline, World, nulls

MESSAGES = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


@dataclass(frozen=True, slots=True)
class TestCard:
    __test__ = False  # not a test for pytest

    last4: str
    brand: str = "visa"
    decline: Decline | None = None
    refuses_attaching: bool = False
    """Declined already when it is saved, not only when it is charged."""
    asks: str = "never"
    """When its owner must agree: ``never``, ``always``, or ``once`` (an agreement at saving counts for later)."""


def _declining(last4: str, code: str, decline_code: str | None) -> TestCard:
    return TestCard(last4, decline=Decline(code, decline_code), refuses_attaching=True)


TEST_CARDS = {
    "visa": TestCard("4242"),
    "mastercard": TestCard("4444", brand="mastercard"),
    "chargeDeclined": _declining("0002", "card_declined", "generic_decline"),
    "chargeDeclinedInsufficientFunds": _declining("9995", "card_declined", "insufficient_funds"),
    "chargeDeclinedExpiredCard": _declining("0069", "expired_card", "expired_card"),
    "chargeDeclinedIncorrectCvc": _declining("0127", "incorrect_cvc", "incorrect_cvc"),
    "chargeDeclinedProcessingError": _declining("0119", "processing_error", "processing_error"),
    "chargeCustomerFail": TestCard("0341", decline=Decline("card_declined", "generic_decline")),
    "authenticationRequired": TestCard("3184", asks="always"),
    "authenticationRequiredOnSetup": TestCard("3155", asks="once"),
}


def named(identifier: str) -> str | None:
    """The card of ``pm_card_visa`` or ``tok_visa``; None for any other id."""
    for prefix in ("pm_card_", "tok_"):
        name = identifier.removeprefix(prefix)
        if name != identifier and name in TEST_CARDS:
            return name
    return None


def card_of(world: World, payment_method: str) -> TestCard:
    return TEST_CARDS[world.cards[payment_method]]


def details(card: TestCard) -> Json:
    """The ``card`` of a payment method."""
    return {
        "brand": card.brand,
        "checks": {
            **nulls("address_line1_check", "address_postal_code_check"),
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": f"print{card.last4}{card.last4}",
        "funding": "credit",
        **nulls("generated_from", "wallet"),
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
    }


def what_the_bank_says(world: World, payment_method: str, *, off_session: bool) -> Decline | str:
    """A decline, ``authenticate`` or ``yes``."""
    if world.declines:
        return world.declines.pop(0)
    card = card_of(world, payment_method)
    agreed = card.asks == "once" and payment_method in world.authenticated
    if card.asks != "never" and not agreed:
        if off_session:
            return Decline("authentication_required", "authentication_required")
        return "authenticate"
    return card.decline or "yes"


def message_of(decline: Decline) -> str:
    return MESSAGES.get(
        decline.decline_code or "", MESSAGES.get(decline.code, "Your card was declined.")
    )
