"""The documents say what the code does: tables are compared with their sources, links with the files."""

import inspect
import re
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import auth_env
from apps.catalog.routers import NAMES as ROUTER_NAMES
from apps.common import errors
from apps.common.errors import ERROR_CODES, GatewayzError
from apps.inference import metrics
from apps.inference.models import Outcome
from apps.monitoring import metrics as monitoring
from apps.sandbox.options import _READERS as SANDBOX_OPTIONS
from gatewayz.env import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LONGEST_README = 150


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def rows_of(name: str, *, columns: int) -> list[list[str]]:
    """The cells of every table row with this many columns, without their code marks."""
    rows = []
    for line in text_of(name).splitlines():
        if not line.startswith("|") or set(line) <= set("|- "):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == columns:
            rows.append([re.sub(r"^`(.*)`$", r"\1", cell) for cell in cells])
    return rows


def error_classes() -> dict[str, type[GatewayzError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, GatewayzError)
    }


def headings_of(page: Path) -> set[str]:
    """Anchors as code hosts make them from headings."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_configuration_lists_every_variable_when_compared():
    rows = [tuple(row) for row in rows_of("docs/configuration.md", columns=3)]
    documented = [row for row in rows if row[0] in VARIABLES]

    assert documented == [
        (name, variable.default, variable.help) for name, variable in VARIABLES.items()
    ]


def test_example_file_lists_every_variable_when_compared():
    found = re.findall(r"^# (.*)\n#([A-Z0-9_]+)=(.*)$", text_of(".env.example"), re.MULTILINE)

    assert found == [
        (variable.help, name, variable.default) for name, variable in VARIABLES.items()
    ]


def test_errors_page_agrees_with_the_classes_when_compared():
    rows = [row for row in rows_of("docs/errors.md", columns=5) if row[0] != "code"]
    classes = error_classes()

    assert {row[0] for row in rows} == ERROR_CODES
    for code, class_name, status, retry, meaning in rows:
        error = classes[class_name]
        assert (int(status), retry) == (error.status, "yes" if error.retryable else "no"), code
        assert meaning


def test_errors_page_names_every_class_when_compared():
    documented = {(row[0], row[1]) for row in rows_of("docs/errors.md", columns=5)}

    for name, error in error_classes().items():
        if error is not GatewayzError:
            assert (error.code, name) in documented


def test_money_page_names_every_outcome_when_compared():
    page = text_of("docs/money.md")

    assigned = set(Outcome) - {Outcome.EMPTY}  # an empty answer counts as a failed attempt
    for outcome in assigned:
        assert f"`{outcome.value}`" in page


def test_operations_page_names_every_metric_when_compared():
    documented = {row[0] for row in rows_of("docs/operations.md", columns=3)}
    series = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
    counted = [next(iter(one.describe())).name for one in series]
    stored = [family.name for family in monitoring.stored.describe()]

    assert counted
    assert stored
    for name in (*counted, *stored):
        assert documented & {name, f"{name}_total"}, name


def test_sandbox_page_names_every_option_when_compared():
    page = text_of("docs/sandbox.md").partition("## How it misbehaves")[2]
    documented = set(re.findall(r"`([a-z_]+)(?:=[^`]*)?`", page))

    assert documented >= set(SANDBOX_OPTIONS)


def test_provider_table_agrees_with_the_registry_when_compared():
    rows = [row for row in rows_of("docs/adding-a-provider.md", columns=4) if row[0] != "slug"]

    assert rows == [
        [
            spec.slug,
            spec.name,
            spec.wire.value,
            auth_env(spec.auth) or "none",
        ]
        for spec in PROVIDERS.values()
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings_when_followed(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in headings_of(file)):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_make_targets_exist_when_a_page_names_them(page):
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    code = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", page.read_text(), re.DOTALL)
    named = {
        target
        for block, inline in code
        for target in re.findall(r"(?:^|\s)make ([a-z-]+)", block or inline, re.MULTILINE)
    }

    assert named <= targets


def test_readme_is_short_when_counted():
    assert len(text_of("README.md").splitlines()) <= LONGEST_README


def test_decisions_are_numbered_without_gaps_when_listed():
    pages = sorted((DOCS / "decisions").glob("*.md"))

    assert [page.name[:4] for page in pages] == [
        f"{number:04d}" for number in range(1, len(pages) + 1)
    ]
    for page in pages:
        text = page.read_text()
        assert text.startswith(f"# {page.name[:4]} ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
            "Context", "Decision", "Consequences", "Alternatives",
        ]  # fmt: skip


def test_index_links_every_page_when_compared():
    linked = {
        (DOCS / target.partition("#")[0]).resolve()
        for target in re.findall(r"\]\(([^)\s]+)\)", text_of("docs/index.md"))
    }

    missing = [
        page.name for page in DOCS.rglob("*.md") if page.name != "index.md" and page not in linked
    ]
    assert missing == []


def test_page_of_the_router_lists_every_name_when_compared():
    documented = {
        name
        for row in rows_of("docs/auto-router.md", columns=2)
        for name in re.findall(r"[\w:/]+", row[0].replace("`", " "))
        if name in ROUTER_NAMES
    }

    assert documented == ROUTER_NAMES.keys()
