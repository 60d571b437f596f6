# The only list of commands. `make help` prints it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVICES_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/gatewayz
SERVICES_REDIS_URL ?= redis://127.0.0.1:6379/9

.DEFAULT_GOAL := help
.PHONY: help run test test-services check fmt openapi bench lock clean

help: ## Print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/\1|\2/' | column -t -s '|'

# Two stamps in one environment: what serving needs, and what development needs on top of it.
$(VENV)/base.stamp: requirements/base.txt
	@scripts/venv $(PYTHON) $(VENV) requirements/base.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt
	@scripts/venv $(PYTHON) $(VENV) requirements/dev.txt
	@touch $(VENV)/base.stamp $@

run: $(VENV)/base.stamp ## Serve on PORT (8000) with the sandbox provider and scheduled jobs; nothing else is needed
	@exec $(BIN)/python manage.py serve

test: $(VENV)/dev.stamp ## The whole suite on the embedded default (SQLite, no Redis)
	@scripts/test

test-services: $(VENV)/dev.stamp ## All of it that can meet PostgreSQL and Redis, on these
	@DATABASE_URL=$(SERVICES_DATABASE_URL) REDIS_URL=$(SERVICES_REDIS_URL) scripts/test

check: $(VENV)/dev.stamp ## Format, lint, types, import contracts, migrations, system checks
	@scripts/check

fmt: $(VENV)/dev.stamp ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

openapi: $(VENV)/base.stamp ## Write the API's description to docs/openapi.json
	@$(BIN)/python manage.py export_openapi

bench: $(VENV)/base.stamp ## Measure against nginx and, when installed, Portkey and LiteLLM
	@scripts/bench/run

lock: $(VENV)/dev.stamp ## Compile requirements/*.in to pinned, hashed *.txt
	@for name in base dev; do \
		$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url --no-emit-find-links requirements/$$name.in -o requirements/$$name.txt; \
	done

clean: ## Remove the environment and caches; data in var/ stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
