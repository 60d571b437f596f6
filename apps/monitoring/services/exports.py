"""Usage exports: importing a file, once; marking what a newer one replaces; withdrawing one that was wrong.

    file ──► measure_file ──► digest known? ──► yes: the import that is there
                                    │
                                    no ──► read_file ──► export + lines, in one transaction ──► reconciling.compare

Exports are never changed. Of a day and a measure the newest that tells of it counts, for each account of the house.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms.models import model_to_dict

from apps.catalog.selectors import read_provider_slugs
from apps.common import clock
from apps.common.errors import InvalidRequest
from apps.monitoring.export_files import (
    ExportRefused,
    Head,
    Problem,
    Reading,
    measure_file,
    missing_columns,
    read_file,
    read_head,
)
from apps.monitoring.models import (
    ReconciliationRun,
    RunReason,
    UsageExport,
    UsageExportLine,
    UsageExportMapping,
)
from apps.monitoring.services import reconciling

log = structlog.get_logger(__name__)

BATCH = 1000
MOST_ACCOUNT = 60
OF_THE_ROW = frozenset({"id", "slug", "name", "provider", "source", "is_active"})
"""What of a mapping does not say how a file is read."""


class Imported(NamedTuple):
    export: UsageExport
    is_new: bool
    """False for a file that is there already: nothing was done."""
    run: ReconciliationRun | None


def import_export(
    file: BinaryIO,
    *,
    provider: str,
    file_name: str,
    mapping: str = "",
    account: str = "",
    override: Mapping[str, Any] | None = None,
    imported_by: str = "",
) -> Imported:
    """All of the file, or nothing. ``mapping`` is a slug, chosen by the columns when it is empty; ``override`` replaces
    fields of it for this file. Raises ExportRefused with the lines that cannot be read, BodyTooLarge, and InvalidRequest
    naming the argument.
    """
    _check_names(provider, account, file_name)
    digest, size = measure_file(file)
    chosen = _with(_choose(file, provider=provider, slug=mapping), override or {})
    read_with = describe(chosen)
    reading = hashlib.sha256(json.dumps(read_with, sort_keys=True).encode()).hexdigest()
    same = {"provider": provider, "account": account, "digest": digest, "reading": reading}
    if (known := _find(same)) is not None:
        return Imported(known, is_new=False, run=None)
    zone = ZoneInfo(reconciling.rules_of(provider).time_zone)
    now = clock.now()
    told = read_file(file, chosen, zone=zone, today=now.astimezone(zone).date())
    with transaction.atomic():
        reconciling.lock()
        if (known := _find(same)) is not None:
            return Imported(known, is_new=False, run=None)
        export = UsageExport.objects.create(
            **same,
            mapping=chosen.slug,
            read_with=read_with,
            file_name=file_name[-200:],
            size=size,
            rows=told.rows,
            rows_left_out=told.rows_left_out,
            rows_unfinished=told.rows_unfinished,
            measures=chosen.told,
            time_zone=zone.key,
            first_day=told.first_day,
            last_day=told.last_day,
            imported_at=now,
            imported_by=imported_by,
        )
        _write_lines(export, told)
        _mark_superseded(export)
    log.info("usage_export.imported", provider=provider, export=export.pk, rows=told.rows)
    run = reconciling.compare(
        provider, export.first_day, export.last_day,
        reason=RunReason.IMPORT, export=export, made_by=imported_by,
    )  # fmt: skip
    return Imported(export, is_new=True, run=run)


def _check_names(provider: str, account: str, file_name: str) -> None:
    if provider not in read_provider_slugs():
        raise InvalidRequest(
            f"There is no provider '{provider[:60]}'.", param="provider", code="invalid_value"
        )
    if len(account) > MOST_ACCOUNT or "\x00" in account:
        raise InvalidRequest(
            f"An account has at most {MOST_ACCOUNT} characters.", param="account", code="invalid_value"
        )  # fmt: skip
    if not file_name or "\x00" in file_name:
        raise InvalidRequest("The file has no name.", param="file", code="invalid_value")


def _find(same: Mapping[str, str]) -> UsageExport | None:
    return UsageExport.objects.filter(**same, withdrawn_at=None).first()


def describe(mapping: UsageExportMapping) -> dict[str, Any]:
    """How it reads a file, as JSON."""
    return {name: value for name, value in model_to_dict(mapping).items() if name not in OF_THE_ROW}


def _choose(file: BinaryIO, *, provider: str, slug: str) -> UsageExportMapping:
    """The mapping of this name, else the one with the most columns of those whose columns the file has."""
    if slug:
        named = UsageExportMapping.objects.filter(slug=slug, provider__in=["", provider]).first()
        if named is None:
            what = f"There is no mapping '{slug[:60]}' for '{provider}'."
            raise InvalidRequest(what, param="mapping", code="invalid_value")
        return named
    offered = list(UsageExportMapping.objects.filter(provider__in=["", provider], is_active=True))
    fitting = [one for one in offered if not missing_columns(one, _head(file, one).names)]
    if not fitting:
        there = ", ".join(read_head(file).names)[:500]
        tried = ", ".join(one.slug for one in offered) or "none"
        what = f"no mapping for '{provider}' fits its columns: {there}. Tried: {tried}"
        raise ExportRefused([Problem(1, "", what)], param="mapping")
    most = max(len(one.needed_columns) for one in fitting)
    best = [one for one in fitting if len(one.needed_columns) == most]
    if own := [one for one in best if one.provider]:
        best = own
    if len(best) > 1:
        names = ", ".join(one.slug for one in best)
        raise InvalidRequest(
            f"Several mappings fit, say which: {names}.", param="mapping", code="invalid_value"
        )
    return best[0]


def _head(file: BinaryIO, mapping: UsageExportMapping) -> Head:
    return read_head(file, encoding=mapping.encoding, delimiter=mapping.delimiter)


def _with(mapping: UsageExportMapping, override: Mapping[str, Any]) -> UsageExportMapping:
    """The mapping for one file, never saved. Raises InvalidRequest naming the field."""
    possible = describe(mapping)
    for name, value in override.items():
        if name not in possible:
            what = f"'{name[:60]}' is not one of {', '.join(sorted(possible))}."
            raise InvalidRequest(what, param="override", code="invalid_value")
        setattr(mapping, name, value)
    try:
        mapping.clean_fields()
        mapping.clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        what = f"'{field}' of the mapping: {messages[0]}"
        raise InvalidRequest(
            what, param="override" if override else "mapping", code="invalid_value"
        ) from error
    return mapping


def _write_lines(export: UsageExport, told: Reading) -> None:
    lines = [
        UsageExportLine(export=export, day=day, model=model, **numbers)
        for (day, model), numbers in told.lines.items()
    ]
    UsageExportLine.objects.bulk_create(lines, batch_size=BATCH)


def _mark_superseded(export: UsageExport) -> None:
    """What the export replaces in whole. Of others, the days and measures that it does not tell still count."""
    older = UsageExport.objects.filter(
        provider=export.provider,
        account=export.account,
        pk__lt=export.pk,
        first_day__gte=export.first_day,
        last_day__lte=export.last_day,
        superseded_by=None,
        withdrawn_at=None,
    )
    replaced = [one.pk for one in older if set(one.measures) <= set(export.measures)]
    UsageExport.objects.filter(pk__in=replaced).update(superseded_by=export)


def withdraw(export_id: int, *, note: str, withdrawn_by: str) -> ReconciliationRun | None:
    """It counts no more, and what it had replaced does again. None when it was withdrawn already.

    Raises InvalidRequest without a note.
    """
    if not note.strip():
        raise InvalidRequest("Say why it is withdrawn.", param="note", code="missing_field")
    with transaction.atomic():
        reconciling.lock()
        export = UsageExport.objects.get(pk=export_id)
        if export.withdrawn_at is not None:
            return None
        export.withdrawn_at = clock.now()
        export.withdrawn_by, export.withdrawn_note = withdrawn_by, note.strip()[:200]
        export.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_note"])
        UsageExport.objects.filter(superseded_by=export).update(superseded_by=None)
        for other in _newer_first(export):
            _mark_superseded(other)
    log.info("usage_export.withdrawn", provider=export.provider, export=export.pk)
    return reconciling.compare(
        export.provider, export.first_day, export.last_day,
        reason=RunReason.WITHDRAWAL, export=export, made_by=withdrawn_by,
    )  # fmt: skip


def _newer_first(export: UsageExport) -> QuerySet[UsageExport]:
    """Those that may replace now what the withdrawn one had replaced."""
    return UsageExport.objects.filter(
        provider=export.provider,
        account=export.account,
        withdrawn_at=None,
        first_day__lte=export.last_day,
        last_day__gte=export.first_day,
    ).order_by("-pk")
