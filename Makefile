# A fresh machine needs Python 3.11 or newer with venv, make and git; every target sets up the rest by itself.
# What follows the command goes into ARGS:  make test ARGS='-k refund -x'   make serve ARGS='--sandbox'

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

export UV_PROJECT_ENVIRONMENT := .venv
export UV_COMPILE_BYTECODE := 1
export UV_SYSTEM_CERTS := true

PYTHON ?= python3
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup demo serve test lint format faults bench clean

help: ## Show the targets
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/make \1\t\2/p' Makefile | expand -t 16

setup: $(READY) ## Install everything into .venv (the other targets do it when needed)

demo: $(READY) ## Show a shop at work, with invented tickets
	$(BIN)/aftersales demo $(ARGS)

# after `make demo`, the shop it made; AFTERSALES_DATABASE_URL names another
serve: export AFTERSALES_DATABASE_URL ?= $(if $(wildcard demo.db),sqlite:///demo.db,sqlite:///aftersales.db)
serve: $(READY) ## Run the web pages and the scheduler
	$(BIN)/aftersales serve $(ARGS)

test: $(READY) ## Run the tests, on SQLite and PostgreSQL
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)

lint: $(READY) ## Check style, types and the rule tables
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/aftersales check $(ARGS)

format: $(READY) ## Put the code in shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

faults: $(READY) ## Run the long fault tests: kills, cuts, full disks, wrong clocks
	$(BIN)/pytest -m faults $(ARGS)

bench: $(READY) ## Run every benchmark
	for file in benchmarks/[a-z]*.py; do $(BIN)/python "$$file" $(ARGS); done

clean: ## Remove what the other targets made
	rm -rf .venv .uv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	find aftersales web tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(READY): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --quiet
	@touch $@

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv .uv || { rm -rf .uv; echo 'The venv module is needed (on Debian and Ubuntu: apt-get install python3-venv)' >&2; exit 1; }
	.uv/bin/pip install --quiet --disable-pip-version-check uv
