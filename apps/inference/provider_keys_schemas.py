"""JSON of the routes of customers' own keys at providers. A key goes in and never comes out."""

import datetime
from typing import Annotated

from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool

from apps.keys.provider_keys import LONGEST

Name = Annotated[str, Field(max_length=40)]
Value = Annotated[str, Field(max_length=100)]


class ProviderKeyInput(Schema):
    """What is left out stays as it was; of a new key it is as usual."""

    # A misspelt field must not be taken for one that was left out.
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"provider": "groq", "key": "gsk_0123456789", "falls_back": True}
        },
    )

    provider: Name
    """The provider's slug, as in ``GET /v1/providers``."""
    key: Annotated[str, Field(max_length=LONGEST)] | None = None
    """As the provider gave it: text, for Amazon ``<access key id>:<secret access key>``, for Vertex AI the service account's JSON.
    A new one needs it."""
    settings: Annotated[dict[Name, Value], Field(max_length=10)] | None = None
    """Parts of the provider's address that are yours: resource, region, account_id, project, location."""
    falls_back: StrictBool | None = None
    """Whether the gateway's own key of this provider may be used when yours fails, at the usual price. True for a new key."""
    is_active: StrictBool | None = None
    """False: as if it were not there. True for a new key."""


class ProviderKeyInfo(Schema):
    provider: str
    last4: str
    """The key's ending, a service account's key id's; empty for a short key."""
    settings: dict[str, str]
    falls_back: bool
    is_active: bool
    created_at: datetime.datetime
    updated_at: datetime.datetime


class ProviderKeyBody(Schema):
    data: ProviderKeyInfo


class ProviderKeyList(Schema):
    data: list[ProviderKeyInfo]


class ForgottenProviderKey(Schema):
    provider: str
    deleted: bool = True
