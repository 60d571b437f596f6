"""What the back office pages of several apps share: rows to look at only, dollars, filters and pages of large tables."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from typing_extensions import override

from apps.common.money import format_usd

MOST_COUNTED = 10_000
MOST_OFFERED = 20
RECENT = 1_000


class ReadOnly:
    """Rows are written by services alone; staff can look at them and follow their links."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class CappedPaginator(Paginator[Any]):
    """Counts so far and no further: the pages behind are reached by searching, not by turning a thousand of them."""

    @cached_property
    @override
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())


class Large(ReadOnly):
    """A table that grows with every request."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50


def in_usd(field: str, description: str = "") -> Callable[[Any, Any], str]:
    """A column for nano-dollars, as the exact dollars."""

    @admin.display(description=description or field.replace("_", " "), ordering=field)
    def show(_admin: Any, row: Any) -> str:
        return format_usd(getattr(row, field))

    return show


class OrganizationFilter(admin.SimpleListFilter):
    """The newest organisations and the one looked at; a list of all would have no end. Any other: ``?organization=<id>``."""

    title = "organisation"
    parameter_name = "organization"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[Any, str]]:
        organizations = model_admin.model._meta.get_field("organization").related_model.objects
        offered = list(organizations.order_by("-pk")[:MOST_OFFERED])
        chosen = _whole(self.value())
        if chosen is not None and chosen not in {row.pk for row in offered}:
            offered = [*organizations.filter(pk=chosen), *offered]
        return [(str(row.pk), str(row)) for row in offered]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        chosen = _whole(self.value())
        return queryset.none() if chosen is None else queryset.filter(organization_id=chosen)

    @override
    def has_output(self) -> bool:
        return True


def _whole(text: str | None) -> int | None:
    """The id; None for text that cannot be one."""
    return int(text) if text and text.isdecimal() and len(text) < 19 else None


def recent_values(field: str, *, title: str) -> type[admin.SimpleListFilter]:
    """A filter by the values that the latest rows have: those of the whole table are too many to ask for."""

    class RecentValues(admin.SimpleListFilter):
        parameter_name = field

        @override
        def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[Any, str]]:
            latest = model_admin.model.objects.order_by("-created_at").values_list(field, flat=True)
            values = {value for value in latest[:RECENT] if value}
            if chosen := self.value():
                values.add(chosen)
            return [(value, value) for value in sorted(values)]

        @override
        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            chosen = self.value()
            return queryset if chosen is None else queryset.filter(**{field: chosen})

        @override
        def has_output(self) -> bool:
            return True

    RecentValues.title = title
    return RecentValues
