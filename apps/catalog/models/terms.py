"""Price terms: what an organisation has agreed on, over or under the price that everybody pays."""

from django.db import models
from django.db.models import F, Q
from typing_extensions import override

from apps.catalog.models.provider import Provider
from apps.common import clock

LEAST_BP, MOST_BP = -9_999, 100_000
"""Never for nothing, at most eleven times the price."""


class PriceTerms(models.Model):
    """Of those that fit a host the most specific holds: one that names the model, then one that names the provider, then the longest
    pattern, then the newest. Rows are ended, not changed, so that a bill can be computed again."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="price_terms"
    )
    provider = models.ForeignKey(
        Provider, on_delete=models.PROTECT, null=True, blank=True, help_text="Empty: all of them."
    )
    model_pattern = models.CharField(
        max_length=200,
        blank=True,
        help_text="The model's id, where * stands for anything: anthropic/*. Empty: every model.",
    )
    basis_points = models.IntegerField(
        help_text="Added to the price, in hundredths of a percent: 500 is 5 % more, -1000 is 10 % less."
    )
    valid_from = models.DateTimeField(default=clock.now)
    valid_until = models.DateTimeField(
        null=True, blank=True, help_text="Not included. Empty: until further notice."
    )
    note = models.CharField(max_length=200, blank=True)
    added_by = models.CharField(max_length=254, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "price terms"
        ordering = ["organization", "-valid_from"]
        constraints = [
            models.CheckConstraint(
                condition=Q(basis_points__gte=LEAST_BP, basis_points__lte=MOST_BP),
                name="catalog_terms_within_bounds",
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gt=F("valid_from")),
                name="catalog_terms_end_after_they_begin",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.organization_id}: {self.words}"

    @property
    def words(self) -> str:
        return f"{self.basis_points / 100:+g} %"
