"""Staff routes of the catalogue: ``POST /admin/refresh-providers`` starts reading the providers' own lists of models."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from apps.catalog.models import Provider
from apps.catalog.services import feeds
from apps.catalog.tasks import refresh_provider


@require_POST
@permission_required("catalog.change_provider", raise_exception=True)
def refresh_providers(request: HttpRequest) -> JsonResponse:
    """All that can be read now, or those named by ``provider`` (repeatable). 202 with those that were started.

    400 names a provider that is not there.
    """
    readable = feeds.readable()
    named = request.POST.getlist("provider")
    known = set(Provider.objects.values_list("slug", flat=True))
    for slug in named:
        if slug not in known:
            error = {"message": f"There is no provider '{slug[:60]}'.", "param": "provider"}
            return JsonResponse({"error": error}, status=400)
    wanted = named or sorted(readable)
    started = [slug for slug in wanted if slug in readable]
    for slug in started:
        refresh_provider.delay(slug)
    return JsonResponse(
        {"started": started, "skipped": [slug for slug in wanted if slug not in readable]},
        status=202,
    )
