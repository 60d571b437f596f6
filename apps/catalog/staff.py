"""Staff routes of the catalogue: ``POST /admin/refresh-providers`` starts reading the providers' own lists of models."""

import msgspec
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from apps.catalog.models import Provider
from apps.catalog.services import feeds
from apps.catalog.tasks import refresh_provider
from apps.common.errors import InvalidRequest


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """The body as JSON; as a form it has the same field."""

    provider: str | list[str] = []


@require_POST
@permission_required("catalog.change_provider", raise_exception=True)
def refresh_providers(request: HttpRequest) -> JsonResponse:
    """All that can be read now, or those named by ``provider`` (repeatable). 202 with those that were started.

    Raises InvalidRequest for a provider that is not there.
    """
    readable = feeds.readable()
    named = _named(request)
    known = set(Provider.objects.values_list("slug", flat=True))
    for slug in named:
        if slug not in known:
            raise InvalidRequest(
                f"There is no provider '{slug[:60]}'.", param="provider", code="invalid_value"
            )
    wanted = named or sorted(readable)
    started = [slug for slug in wanted if slug in readable]
    for slug in started:
        refresh_provider.delay(slug)
    return JsonResponse(
        {"started": started, "skipped": [slug for slug in wanted if slug not in readable]},
        status=202,
    )


def _named(request: HttpRequest) -> list[str]:
    if request.content_type != "application/json":
        return request.POST.getlist("provider")
    try:
        wanted = msgspec.json.decode(request.body or b"{}", type=Wanted).provider
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            "'provider' must be the slug of a provider, or a list of them, and the only field.",
            param="provider",
            code="invalid_type",
        ) from error
    except msgspec.DecodeError as error:
        raise InvalidRequest("The body is not valid JSON.", code="invalid_json") from error
    return [wanted] if isinstance(wanted, str) else wanted
