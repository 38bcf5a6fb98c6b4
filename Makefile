# Everything a newcomer needs: `make help`.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 8765
ARGS ?=

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: install
install: $(STAMP) ## Create .venv from the lock file

.PHONY: serve
serve: $(STAMP) ## Start the mock (PORT=8765 ARGS="--seed 7")
	$(BIN)/tinker-mock serve --port $(PORT) $(ARGS)

.PHONY: conformance
conformance: $(STAMP) ## Prove that mock, client, tokenizer and Kimi transformer keep the contract
	$(BIN)/tinker-mock conformance self $(ARGS)

.PHONY: test
test: $(STAMP) ## Run the project's own tests
	$(BIN)/python -m pytest $(ARGS)

.PHONY: lint
lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: lock
lock: ## Renew requirements.lock (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --extra dev pyproject.toml -o requirements.lock <(echo hatchling editables)

.PHONY: clean
clean: ## Remove environments, caches and reports
	rm -rf .venv* reports build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
