"""Reading request records."""

from apps.inference.models import RequestRecord


def find_record(record_id: str, *, organization_id: int) -> RequestRecord | None:
    """A record of this organisation; None for anybody else's."""
    return RequestRecord.objects.filter(pk=record_id, organization_id=organization_id).first()
