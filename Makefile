# Holdpoint. `make` alone lists the targets. Everything is set up by itself: Python 3.11+, git and make are enough.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-real faults real-build real-up real-down check lint types layers fmt coverage bench clean

PYTHON ?= python3
UV_VERSION := 0.13.8
BIN := .venv/bin
export UV_PROJECT_ENVIRONMENT := .venv
# The interpreter that runs this is the one that is used; uv fetches none.
export UV_PYTHON_DOWNLOADS := never
# Tests wait for servers two fifths of their time: four at once fill two cores.
JOBS ?= 4
# pytest keeps the tests that it has compiled; without that, each process spends ten seconds on them in every run.
unexport PYTHONDONTWRITEBYTECODE
TESTS := $(BIN)/python -m pytest -q --dist loadfile --no-loadscope-reorder

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: .venv/.ready ## make .venv with everything in it, and build OPA into the cache (about 3 minutes once)
	@$(BIN)/python -m holdpoint.embedded.build

.venv/.ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Holdpoint needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Say which one to use: make PYTHON=/path/to/python3" >&2; exit 2; }
	@uv=$$(command -v uv || true); \
	if [ -z "$$uv" ]; then \
	  [ -x $(BIN)/uv ] || { echo "Setting up .venv (uv $(UV_VERSION)) ..."; $(PYTHON) -m venv .venv; $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }; \
	  uv=$(BIN)/uv; \
	fi; \
	"$$uv" sync --locked --inexact --compile-bytecode --quiet --python $(PYTHON)
	@touch $@

demo: setup ## run the whole life of a ticket in seven scenarios, with live output (KEEP=1 leaves it running)
	@$(BIN)/python -m holdpoint.embedded.demo $(if $(KEEP),--keep)

test: setup ## run every test: units and workflows in parallel, then end to end
	@$(TESTS) -n $(JOBS) -m "not e2e and not real"
	@$(TESTS) -n 2 -m "e2e and not real" tests/e2e

test-fast: .venv/.ready ## run the tests that need no server
	@$(TESTS) -n $(JOBS) -m "not e2e and not real" tests/models tests/judge tests/ledger tests/service tests/cli

test-real: setup ## build what is missing, start the real servers, run every test that needs them, stop them
	@$(BIN)/python -m tools.stack test

faults: setup ## every fault of tests/faults/table.py on the real servers, and a table of what was seen (30 to 50 minutes)
	@HOLDPOINT_FAULTS=$(or $(FAULTS),all) $(BIN)/python -m tools.stack test -- tests/faults/test_fault_table.py

real-build: .venv/.ready ## build the real servers that are missing into the cache (about 20 minutes once)
	@$(BIN)/python -m tools.stack build

real-up: .venv/.ready ## start the real servers in .real (DIR=... elsewhere), built first if need be
	@$(BIN)/python -m tools.stack up $(if $(DIR),--dir $(DIR)) $(if $(ONLY),--only $(ONLY))

real-down: .venv/.ready ## stop them
	@$(BIN)/python -m tools.stack down $(if $(DIR),--dir $(DIR))

check: lint types layers test test-real ## what CI runs: lint, types, layers, tests, real servers included

lint: .venv/.ready ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/.ready ## mypy, strict, over the whole tree
	@$(BIN)/mypy

layers: .venv/.ready ## import-linter: which room may import which
	@$(BIN)/lint-imports

fmt: .venv/.ready ## format, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: setup ## measure everything and write the table of docs/benchmarks.md (about 20 minutes; keep the machine idle)
	@$(BIN)/python -m bench

bench-%: setup
	@$(BIN)/python -m bench $*

coverage: setup ## branch coverage of the tests, as information
	@$(TESTS) -n $(JOBS) -m "not e2e and not real" --cov --cov-report=term:skip-covered

clean: ## remove what was built in the checkout (not the cache)
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
