"""Reconciliation for staff below /admin/: exports are imported and withdrawn, comparisons read, alerts handled.

Mounted in gatewayz.staff_api. A file comes as a form with a file; everything else is JSON.
"""

from rest_framework import status
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from apps.common.staff import ExactFilter
from apps.monitoring.models import AlertStatus, DriftAlert, UsageComparison, UsageExport
from apps.monitoring.services import exports, reconciling
from apps.monitoring.staff_serializers import (
    AlertSerializer,
    ComparisonSerializer,
    ExportSerializer,
    HandledSerializer,
    NewExportSerializer,
    WithdrawalSerializer,
)


class UsageExportViewSet(ReadOnlyModelViewSet[UsageExport]):
    queryset = UsageExport.objects.all()
    serializer_class = ExportSerializer
    filter_backends = (ExactFilter,)
    filtered = ("provider", "account", "mapping", "superseded_by", "withdrawn_at")
    changing = ("withdraw",)
    parser_classes = (MultiPartParser, JSONParser)

    def create(self, request: Request) -> Response:
        """201 with the import; 200 with the one that is there already."""
        asked = NewExportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        done = exports.import_export(
            given["file"].file,
            provider=given["provider"],
            file_name=given["file"].name,
            mapping=given["mapping"],
            account=given["account"],
            override=given["override"],
            imported_by=request.user.get_username(),
        )
        code = status.HTTP_201_CREATED if done.is_new else status.HTTP_200_OK
        return Response(self.get_serializer(done.export).data, status=code)

    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        asked = WithdrawalSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        export = self.get_object()
        exports.withdraw(
            export.pk, note=asked.validated_data["note"], withdrawn_by=request.user.get_username()
        )
        return Response(self.get_serializer(self.get_object()).data)


class UsageComparisonViewSet(ReadOnlyModelViewSet[UsageComparison]):
    queryset = UsageComparison.objects.all()
    serializer_class = ComparisonSerializer
    filter_backends = (ExactFilter,)
    filtered = ("provider", "day", "model", "side")


class DriftAlertViewSet(ReadOnlyModelViewSet[DriftAlert]):
    queryset = DriftAlert.objects.all()
    serializer_class = AlertSerializer
    filter_backends = (ExactFilter,)
    filtered = ("provider", "day", "measure", "status")
    changing = ("handle",)

    @action(detail=True, methods=["post"])
    def handle(self, request: Request, pk: str) -> Response:
        """Acknowledged or resolved, with a note."""
        asked = HandledSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        alert = reconciling.handle(
            self.get_object().pk,
            status=AlertStatus(asked.validated_data["status"]),
            note=asked.validated_data["note"],
            handled_by=request.user.get_username(),
        )
        return Response(self.get_serializer(alert).data)
