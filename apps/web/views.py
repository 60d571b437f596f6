"""Pages. The dashboard comes later; until then the front door says where everything is."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.catalog.selectors import catalog


def home(request: HttpRequest) -> HttpResponse:
    models = catalog.get().listed()
    return render(
        request, "web/home.html", {"models": models[:12], "number_of_models": len(models)}
    )
