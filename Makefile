# Needs a Python >= 3.11 with pip, and nothing else: uv comes from the package index into .tools/.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
UV_VERSION := 0.13.9

VENV := .venv
BIN := $(VENV)/bin
TOOLS := .tools/uv-$(UV_VERSION)
UV := $(TOOLS)/bin/uv
# `make setup` never fetches an interpreter, and minds no environment that happens to be active.
RUN_UV := env -u VIRTUAL_ENV UV_PYTHON_DOWNLOADS=never UV_PYTHON_PREFERENCE=only-system \
	UV_PROJECT_ENVIRONMENT=$(VENV) $(UV)
# An environment that works is kept; else uv makes one from $(PYTHON).
SYNC = $(RUN_UV) sync --quiet --locked \
	$$($(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || command -v $(PYTHON) | sed 's/^/--python /')

LOCK := uv.lock pyproject.toml
CORE := $(VENV)/.installed-core
DEV := $(VENV)/.installed-dev
DOCS := $(VENV)/.installed-docs
BENCH := $(VENV)/.installed-bench

# Test files are dealt to as many processes as there are cores.
PYTEST_ARGS ?= --numprocesses=auto --dist=loadfile
# What `make test-on` runs on another Python version: the parts that lean on the interpreter itself.
SMOKE_TESTS ?= $(wildcard tests/engine tests/payloads tests/flows tests/runners)

.PHONY: help setup demo check format test test-on bench docs clean

help:
	@echo "make demo    set up, then run a flow that is killed, resumed, answered and completed"
	@echo "make test    set up, then run the tests"
	@echo "make setup   only set up ($(VENV)/ with everything that the tests need)"
	@echo "make check   formatting, lint, types, layers"
	@echo "make format  write the formatting and the fixes that are safe"
	@echo "make test-on VERSION=3.12   a smaller run on another Python"
	@echo "make bench   benchmarks beside DBOS, LangGraph, Absurd and Prefect, which it installs"
	@echo "make docs    the documentation, into site/"
	@echo "make clean   remove what the targets above made"

setup: $(DEV)

demo: $(CORE)
	@$(BIN)/python -m examples.first_run

check: $(DEV)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

format: $(DEV)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

test: $(DEV)
	$(BIN)/pytest $(PYTEST_ARGS)

test-on: $(UV)
	@$(RUN_UV) run --quiet --locked --isolated --python "$(VERSION)" \
		pytest -q -p no:cacheprovider $(PYTEST_ARGS) $(SMOKE_TESTS)

bench: $(BENCH)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

docs: $(DOCS)
	$(BIN)/zensical build --clean --strict --config-file mkdocs.yml

clean:
	rm -rf $(VENV) .tools .cache site dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(UV):
	@test -n "$(PYTHON)" || { \
		echo "Kitaru needs Python 3.11 or newer, and found none. Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null || { \
		echo "$(PYTHON) has no pip. Name a Python that has: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up $(VENV) from uv.lock: the first time takes a minute."
	@mkdir -p $(TOOLS) && echo '*' > .tools/.gitignore
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
		--upgrade --target $(TOOLS) uv==$(UV_VERSION)

# Only the development environment is exact: a demo or a docs build must not undo what the tests need.
$(CORE): $(LOCK) | $(UV)
	@$(SYNC) --inexact --no-default-groups
	@touch $@

$(DEV): $(LOCK) | $(UV)
	@$(SYNC) --group examples
	@touch $@ $(CORE)

$(BENCH): $(DEV)
	@$(SYNC) --inexact --group examples --group benchmarks
	@touch $@

$(DOCS): $(DEV)
	@$(SYNC) --inexact --group examples --group docs
	@touch $@
