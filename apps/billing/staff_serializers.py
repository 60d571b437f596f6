"""JSON of the staff API of promotions. Amounts are dollars as text, exact to the nano-dollar."""

from typing import Any

from rest_framework import serializers
from typing_extensions import override

from apps.billing.models import Coupon, PartnerOffer, RedemptionBatch, Referral, Trial
from apps.billing.models.amounts import LARGEST_GIFT
from apps.billing.services.redemption_codes import MOST_AT_ONCE
from apps.billing.services.trials import LONGEST_EXTENSION_DAYS
from apps.common.errors import InvalidRequest
from apps.common.money import NANO_PER_USD
from apps.common.staff import Dollars, require_order

Given = dict[str, Any]

LARGEST_USD = LARGEST_GIFT // NANO_PER_USD


class CouponSerializer(serializers.ModelSerializer[Coupon]):
    amount_usd = Dollars(source="amount", max_value=LARGEST_USD)

    class Meta:
        model = Coupon
        fields = (
            "id", "code", "amount_usd", "organization", "user", "max_uses", "used", "valid_from", "valid_until",
            "credit_days", "is_active", "note", "created_at",
        )  # fmt: skip
        read_only_fields = ("used",)

    @override
    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(_with_capitals(data))

    @override
    def validate(self, attrs: Given) -> Given:
        after = _after(self.instance, attrs, self.Meta.model)
        require_order(after.valid_from, after.valid_until, names=("valid_from", "valid_until"))
        if after.organization_id is not None and after.user_id is not None:
            raise _wrong("user", "A coupon is for an organisation or for a user, not for both.")
        if (after.organization_id or after.user_id) and after.max_uses != 1:
            raise _wrong("max_uses", "A coupon that is meant for somebody has one use.")
        if after.max_uses < after.used:
            raise _wrong("max_uses", f"It was used {after.used} times.")
        return attrs


class OfferSerializer(serializers.ModelSerializer[PartnerOffer]):
    class Meta:
        model = PartnerOffer
        fields = (
            "id", "code", "partner", "terms", "max_uses", "used", "valid_from", "valid_until", "is_active", "created_at",
        )  # fmt: skip
        read_only_fields = ("used",)

    @override
    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(_with_capitals(data))

    @override
    def validate(self, attrs: Given) -> Given:
        after = _after(self.instance, attrs, self.Meta.model)
        require_order(after.valid_from, after.valid_until, names=("valid_from", "valid_until"))
        if after.max_uses is not None and after.max_uses < after.used:
            raise _wrong("max_uses", f"It was used {after.used} times.")
        return attrs


class BatchSerializer(serializers.ModelSerializer[RedemptionBatch]):
    amount_usd = Dollars(source="amount", read_only=True)
    codes_made = serializers.IntegerField(read_only=True)
    codes_redeemed = serializers.IntegerField(read_only=True)

    class Meta:
        model = RedemptionBatch
        fields = (
            "id", "name", "amount_usd", "valid_until", "is_active", "codes_made", "codes_redeemed", "created_at",
        )  # fmt: skip


class NewBatchSerializer(serializers.Serializer[RedemptionBatch]):
    name = serializers.CharField(max_length=80)
    amount_usd = Dollars(source="amount", max_value=LARGEST_USD)
    count = serializers.IntegerField(min_value=1, max_value=MOST_AT_ONCE)
    valid_until = serializers.DateTimeField(required=False, allow_null=True, default=None)


class TrialSerializer(serializers.ModelSerializer[Trial]):
    credit_usd = Dollars(source="credit", read_only=True)
    offer_code = serializers.CharField(source="offer.code", default=None, read_only=True)

    class Meta:
        model = Trial
        fields = (
            "id", "organization", "offer_code", "credit_usd", "tokens", "tokens_used", "requests", "requests_used",
            "started_at", "ends_at", "ended_at", "end_reason",
        )  # fmt: skip
        read_only_fields = fields


class ExtensionSerializer(serializers.Serializer[Trial]):
    days = serializers.IntegerField(min_value=1, max_value=LONGEST_EXTENSION_DAYS)


class ReferralSerializer(serializers.ModelSerializer[Referral]):
    code = serializers.CharField(source="code.code", read_only=True)
    referrer = serializers.IntegerField(source="code.organization_id", read_only=True)
    reward_usd = Dollars(source="reward", read_only=True)

    class Meta:
        model = Referral
        fields = (
            "id", "code", "referrer", "organization", "status", "reward_usd", "purchase_reference", "earned_at",
            "created_at",
        )  # fmt: skip
        read_only_fields = fields


def _with_capitals(data: Any) -> Any:
    """Codes are kept in capital letters, whatever was typed."""
    if isinstance(data, dict) and isinstance(data.get("code"), str):
        return {**data, "code": data["code"].strip().upper()}
    return data


def _after(instance: Any, attrs: Given, model: type[Any]) -> Any:
    """The row as it would be."""
    row = model() if instance is None else model.objects.get(pk=instance.pk)
    for name, value in attrs.items():
        setattr(row, name, value)
    return row


def _wrong(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=field, code="invalid_value")
