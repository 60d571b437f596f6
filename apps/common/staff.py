"""What the staff API of all apps shares: who may, pages, filters, dollars.

A session of staff with the CSRF token asks it; what somebody may do is what Django's permissions of the model say, reading
included.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import FieldDoesNotExist
from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import BooleanField, Model, QuerySet
from django.db.models.deletion import ProtectedError
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request
from rest_framework.serializers import DecimalField
from typing_extensions import override

from apps.common.errors import InvalidRequest
from apps.common.money import NANO_PER_USD, usd_to_nano

VIEW = ["%(app_label)s.view_%(model_name)s"]
SMALLEST = Decimal(1) / NANO_PER_USD


class StaffPermissions(DjangoModelPermissions):
    """Staff with the permission of the method. Actions that a view names in ``changing`` need that to change."""

    perms_map = {
        **DjangoModelPermissions.perms_map,
        "GET": VIEW,
        "HEAD": VIEW,
        "OPTIONS": VIEW,
    }

    @override
    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if not (user.is_active and getattr(user, "is_staff", False)):
            return False
        is_change = view.action in getattr(view, "changing", ())
        method = "PATCH" if is_change else request.method or "GET"
        needed = self.get_required_permissions(method, view.queryset.model)
        return bool(user.has_perms(needed))


class StaffPages(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class ExactFilter(BaseFilterBackend):
    """``?field=value`` for the fields that a view names in ``filtered``; ``null`` stands for no value."""

    @override
    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        wanted: dict[str, Any] = {}
        for name in getattr(view, "filtered", ()):
            text = request.query_params.get(name)
            if text is not None:
                wanted[name] = _read(queryset.model, name, text)
        return queryset.filter(**wanted) if wanted else queryset


def _read(model: type[Model], name: str, text: str) -> Any:
    """Raises InvalidRequest for what cannot be a value of the field."""
    if text == "null":
        return None
    try:
        field: Any = model._meta.get_field(name)
        while field.is_relation:
            field = field.target_field
        is_boolean = isinstance(field, BooleanField)
        value = field.to_python(text.capitalize() if is_boolean else text)
        field.run_validators(value)
        choices = {choice for choice, _ in field.flatchoices}
    except (InvalidValue, FieldDoesNotExist) as error:
        raise _no_value(name, text) from error
    if choices and value not in choices:
        raise _no_value(name, text)
    return value


def _no_value(name: str, text: str) -> InvalidRequest:
    return InvalidRequest(f"'{name}' cannot be '{text[:60]}'.", param=name, code="invalid_value")


class Dollars(DecimalField):
    """Nano-dollars inside, dollars as text outside: ``"12.5"``."""

    def __init__(self, **options: Any) -> None:
        options = {"max_digits": 19, "decimal_places": 9, "min_value": SMALLEST, **options}
        super().__init__(**options)

    @override
    def to_internal_value(self, data: Any) -> Any:
        return usd_to_nano(super().to_internal_value(data))

    @override
    def run_validators(self, value: Any) -> None:
        """In dollars, as the limits are told."""
        super().run_validators(Decimal(value) / NANO_PER_USD)

    @override
    def to_representation(self, value: Any) -> Any:
        return f"{(Decimal(value) / NANO_PER_USD).normalize():f}"


class DeletesUnused:
    """Rows that others name stay; they can be switched off."""

    protected: ClassVar[str] = "It has been used, and stays. Set 'is_active' to false instead."

    def perform_destroy(self, instance: Model) -> None:
        try:
            instance.delete()
        except ProtectedError as error:
            raise InvalidRequest(self.protected, param="id", code="invalid_value") from error


def require_order(start: Any, end: Any, *, names: Sequence[str]) -> None:
    """Raises InvalidRequest naming the later one when it is not later."""
    if start is not None and end is not None and start >= end:
        raise InvalidRequest(
            f"'{names[1]}' must be later than '{names[0]}'.", param=names[1], code="invalid_value"
        )
