"""Whose a budget may be: of a key or of a member of its own organisation, or of the organisation itself.

Here and not in apps.billing, because whose a key is is the keys' to say.
"""

from apps.accounts.selectors import is_member
from apps.common.errors import InvalidRequest
from apps.keys.selectors import has_key


def check_subject(organization_id: int, *, api_key_id: int | None, member_id: int | None) -> None:
    """Raises InvalidRequest naming the field."""
    if api_key_id is not None and member_id is not None:
        raise _wrong(
            "member_id",
            "A budget is of a key or of a member: leave out 'api_key_id' or 'member_id'.",
        )
    if api_key_id is not None and not has_key(organization_id, api_key_id):
        raise _wrong("api_key_id", "'api_key_id' is no key of this organisation.")
    if member_id is not None and not is_member(member_id, organization_id):
        raise _wrong("member_id", "'member_id' is no member of this organisation.")


def _wrong(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=param, code="invalid_value")
