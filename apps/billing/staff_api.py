"""Promotions for staff: coupons, batches of redemption codes, trials, partner offers and referrals, below /admin/.

Mounted in gatewayz.staff_api. Rows are checked here and by the database; credit is given and taken by services alone.
"""

from dataclasses import asdict
from typing import Any

from django.db.models import Count, Q
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ModelViewSet, ReadOnlyModelViewSet

from apps.billing.models import Coupon, PartnerOffer, RedemptionBatch, Referral, Trial
from apps.billing.promotion_numbers import coupon_numbers, coupon_overview, trial_numbers
from apps.billing.services import redemption_codes, trials
from apps.billing.staff_serializers import (
    BatchSerializer,
    CouponSerializer,
    ExtensionSerializer,
    NewBatchSerializer,
    OfferSerializer,
    ReferralSerializer,
    TrialSerializer,
)
from apps.common.staff import DeletesUnused, ExactFilter

FILTERS = (ExactFilter, SearchFilter, OrderingFilter)


class CouponViewSet(DeletesUnused, ModelViewSet[Coupon]):
    queryset = Coupon.objects.all()
    serializer_class = CouponSerializer
    filter_backends = FILTERS
    filtered = ("code", "is_active", "organization", "user")
    search_fields = ("code", "note")
    ordering_fields = ("id", "code", "amount", "used", "valid_until")

    @action(detail=True)
    def analytics(self, request: Request, pk: str) -> Response:
        return Response(asdict(coupon_numbers(self.get_object())))

    @action(detail=False, url_path="stats/overview")
    def overview(self, request: Request) -> Response:
        return Response(asdict(coupon_overview()))


class RedemptionBatchViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    GenericViewSet[RedemptionBatch],
):
    queryset = RedemptionBatch.objects.annotate(
        codes_made=Count("codes"),
        codes_redeemed=Count("codes", filter=Q(codes__redeemed_at__isnull=False)),
    )
    serializer_class = BatchSerializer
    filter_backends = FILTERS
    filtered = ("is_active",)
    search_fields = ("name",)
    ordering_fields = ("id", "name", "amount")

    def create(self, request: Request) -> Response:
        """The codes are part of this answer and of no other."""
        asked = NewBatchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        batch, codes = redemption_codes.make_batch(
            **asked.validated_data, created_by_id=request.user.pk
        )
        made: dict[str, Any] = dict(
            self.get_serializer(self.get_queryset().get(pk=batch.pk)).data, codes=codes
        )
        return Response(made, status=status.HTTP_201_CREATED)


class TrialViewSet(ReadOnlyModelViewSet[Trial]):
    queryset = Trial.objects.select_related("offer")
    serializer_class = TrialSerializer
    filter_backends = FILTERS
    filtered = ("organization", "end_reason", "offer")
    search_fields = ("organization__name",)
    ordering_fields = ("id", "started_at", "ends_at", "tokens_used", "requests_used")
    changing = ("expire", "extend")

    @action(detail=True, methods=["post"])
    def expire(self, request: Request, pk: str) -> Response:
        """Ends it and takes back the credit that is left."""
        return self._answer(trials.end(self.get_object().pk))

    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        asked = ExtensionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self._answer(trials.extend(self.get_object().pk, **asked.validated_data))

    @action(detail=False)
    def analytics(self, request: Request) -> Response:
        return Response(asdict(trial_numbers(Trial.objects.all())))

    def _answer(self, trial: Trial) -> Response:
        return Response(self.get_serializer(trial).data)


class PartnerOfferViewSet(DeletesUnused, ModelViewSet[PartnerOffer]):
    queryset = PartnerOffer.objects.all()
    serializer_class = OfferSerializer
    filter_backends = FILTERS
    filtered = ("code", "is_active", "terms")
    search_fields = ("code", "partner")
    ordering_fields = ("id", "code", "used", "valid_until")

    @action(detail=True)
    def analytics(self, request: Request, pk: str) -> Response:
        return Response(asdict(trial_numbers(Trial.objects.filter(offer=self.get_object()))))


class ReferralViewSet(ReadOnlyModelViewSet[Referral]):
    queryset = Referral.objects.select_related("code")
    serializer_class = ReferralSerializer
    filter_backends = FILTERS
    filtered = ("status", "organization")
    search_fields = ("code__code", "organization__name")
    ordering_fields = ("id", "earned_at")
