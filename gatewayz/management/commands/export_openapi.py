"""manage.py export_openapi: write the OpenAPI document that is served at /v1/openapi.json to docs/openapi.json."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from typing_extensions import override

from gatewayz.api import api


def render() -> str:
    """Keys in a fixed order, so that the file changes only when the API does."""
    return json.dumps(api.get_openapi_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


class Command(BaseCommand):
    help = "Write docs/openapi.json."

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "openapi.json"
        path.write_text(render())
        self.stdout.write(f"Wrote {path.relative_to(settings.BASE_DIR)}.")
