"""Every page of the back office loads: whatever is registered is walked, so a new table is covered by being there."""

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.urls import reverse

REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
every_model = pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)


def url(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_index_lists_every_table_when_opened(staff):
    page = staff.get(reverse("admin:index")).content.decode()

    assert [m._meta.label for m in REGISTERED if url(m, "changelist") not in page] == []


@every_model
def test_list_loads_when_there_are_rows(staff, every_table, model):
    assert model._default_manager.exists(), f"make a row of {model._meta.label} in every_table"

    page = staff.get(url(model, "changelist"))

    assert page.status_code == 200
    assert page.context["cl"].result_count > 0


@every_model
def test_list_loads_when_searched(staff, every_table, model):
    assert staff.get(url(model, "changelist"), {"q": "gen_settled"}).status_code == 200


@every_model
def test_list_loads_when_sorted_by_each_column_and_narrowed_by_each_filter(
    staff, every_table, model
):
    plain = staff.get(url(model, "changelist")).context["cl"]
    choices = [
        choice["query_string"]
        for spec in plain.filter_specs
        for choice in list(spec.choices(plain))[:3]
        if "query_string" in choice
    ]
    by_each_column = "?o=" + ".".join(str(n) for n in range(1, len(plain.list_display) + 1))

    answers = {
        query: staff.get(url(model, "changelist") + query) for query in [*choices, by_each_column]
    }

    assert {q: a.status_code for q, a in answers.items() if a.status_code != 200} == {}


@every_model
def test_row_loads_when_opened(staff, every_table, model):
    key = quote(model._default_manager.first().pk)

    assert staff.get(url(model, "change", key)).status_code == 200
    assert staff.get(url(model, "history", key)).status_code == 200


@every_model
def test_form_for_a_new_row_loads_when_rows_may_be_added(staff, model):
    page = staff.get(url(model, "add"))
    may_add = admin.site._registry[model].has_add_permission(page.wsgi_request)

    assert page.status_code == (200 if may_add else 403)


@every_model
def test_visitor_is_sent_to_the_login_when_anonymous(visitor, model):
    page = url(model, "changelist")

    answer = visitor.get(page)

    assert (answer.status_code, answer.url) == (302, f"{reverse('admin:login')}?next={page}")


@pytest.mark.parametrize("page", ["index", "login"])
def test_page_loads_when_it_belongs_to_no_table(visitor, page):
    answer = visitor.get(reverse(f"admin:{page}"), follow=True)

    assert answer.status_code == 200
    assert 'name="password"' in answer.content.decode()


def test_login_leads_to_the_index_when_it_began_at_no_page(client, db):
    get_user_model().objects.create_superuser("eve@example.com", "pw")
    form = {"username": "eve@example.com", "password": "pw"}

    assert client.post(reverse("admin:login"), form).headers["location"] == reverse("admin:index")
