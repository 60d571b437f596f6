"""What the code promises about itself, read from its source. Provider names are searched for in tests/catalog."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("apps", "gatewayz")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
LONGEST_MODULE = 400

MEETS_A_SERVICE = {
    "db", "django_db", "committed", "gateway", "make_customer", "make_model", "EMBEDDED", "DATABASE_URL", "REDIS_URL",
}  # fmt: skip
"""Fixtures, markers and settings through which a test meets the database or Redis."""

READS_THE_ENVIRONMENT = {"gatewayz/env.py", "gatewayz/settings/test.py"}
NAMES_ITS_SETTINGS = {"manage.py", "gatewayz/asgi.py", "gatewayz/celery.py"}
"""May call ``os.environ.setdefault("DJANGO_SETTINGS_MODULE", …)`` and nothing else."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def uses_of_the_environment(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv"):
                yield node.lineno
            case ast.ImportFrom(module="os", names=names) if any(
                alias.name in {"environ", "environb", "getenv"} for alias in names
            ):
                yield node.lineno


def test_environment_is_read_in_one_place_when_searched():
    found = []
    for path in (*SOURCES, ROOT / "manage.py"):
        name = name_of(path)
        if name in READS_THE_ENVIRONMENT:
            continue
        lines = path.read_text().splitlines()
        for number in uses_of_the_environment(parse(path)):
            names_settings = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE"' in lines[number - 1]
            if not (name in NAMES_ITS_SETTINGS and names_settings):
                found.append(f"{name}:{number}")

    assert found == []


def test_imports_are_absolute_when_searched():
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert found == []


def test_imports_inside_functions_say_why_when_searched():
    """A comment on one line of the group of imports, or on the line above it."""
    found = []
    for path in SOURCES:
        lines = path.read_text().splitlines()
        for function in ast.walk(parse(path)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            imports = [
                node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)
            ]
            if not imports:
                continue
            first, last = imports[0].lineno, max(node.end_lineno or 0 for node in imports)
            if not any("#" in line for line in lines[first - 2 : last]):
                found.append(f"{name_of(path)}:{first}")

    assert found == []


def test_tests_that_run_on_the_default_alone_meet_no_service_when_searched():
    """``scripts/test`` leaves them out on PostgreSQL and Redis."""
    (folders,) = re.findall(
        r'^ON_THE_DEFAULT_ALONE="(.*)"', (ROOT / "scripts/test").read_text(), re.MULTILINE
    )
    paths = [path for folder in folders.split() for path in (ROOT / folder).rglob("test_*.py")]
    meet = {
        name_of(path): sorted(found)
        for path in paths
        if (found := MEETS_A_SERVICE & set(names_in(parse(path))))
    }

    assert len(paths) > 40
    # A gateway's sandbox stands for the provider that is added; the installation is its own.
    assert meet == {"tests/start/test_serve.py": ["gateway"]}


def names_in(tree: ast.Module) -> Iterator[str]:
    """Of arguments, which may be fixtures, and of attributes, which may be markers and settings."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name


def test_modules_of_apps_do_one_thing_when_measured():
    found = [
        f"{name_of(path)}: {lines} lines"
        for path in SOURCES
        if path.is_relative_to(ROOT / "apps")
        and (lines := len(path.read_text().splitlines())) > LONGEST_MODULE
    ]

    assert found == []


def test_import_contracts_hold_when_checked():
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
