"""What amounts and codes that staff write may be."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db.models import Q

from apps.common.money import NANO_PER_USD

LARGEST_GIFT = 1_000 * NANO_PER_USD
"""Nano-USD that one code gives at most."""

AMOUNT = (MinValueValidator(1), MaxValueValidator(LARGEST_GIFT))
check_code = RegexValidator(
    r"\A[A-Z0-9_-]{3,32}\Z", "Write 3 to 32 capital letters, digits, hyphens and underscores."
)


def within_amount(field: str) -> Q:
    """The same for the database."""
    return Q(**{f"{field}__gt": 0, f"{field}__lte": LARGEST_GIFT})
