"""Accounts for staff: plans of organisations, and rules for domains of e-mail addresses, below /admin/."""

from rest_framework import serializers
from rest_framework.filters import SearchFilter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ModelViewSet

from apps.accounts import services
from apps.accounts.models import EmailDomainRule, Organization
from apps.common.staff import ExactFilter


class AssignedPlan(serializers.Serializer[Organization]):
    organization = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    plan = serializers.CharField(max_length=50)


class AssignPlanViewSet(GenericViewSet[Organization]):
    """``POST /admin/assign-plan``; its keys follow within a second."""

    queryset = Organization.objects.all()
    serializer_class = AssignedPlan
    changing = ("create",)

    def create(self, request: Request) -> Response:
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.assign_plan(
            asked.validated_data["organization"], plan=asked.validated_data["plan"]
        )
        return Response(asked.validated_data)


class RuleSerializer(serializers.ModelSerializer[EmailDomainRule]):
    class Meta:
        model = EmailDomainRule
        fields = ("domain", "verdict", "note", "created_at")


class EmailDomainRuleViewSet(ModelViewSet[EmailDomainRule]):
    queryset = EmailDomainRule.objects.all()
    serializer_class = RuleSerializer
    filter_backends = (ExactFilter, SearchFilter)
    filtered = ("verdict",)
    search_fields = ("domain", "note")
