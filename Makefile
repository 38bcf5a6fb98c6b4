# Everything a newcomer needs: `make help`.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SDK_STAMP := .venv-sdk/.releases
COOKBOOK := .venv-cookbook
PROGRAMS := .venv-programs
PORT ?= 8765
ARGS ?=

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml hatch_build.py
	@echo "tinker-mock: installing the tools of this repository into $(VENV) (0.5 GB, 1 to 3 minutes; once)" >&2
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: install
install: $(STAMP) ## Create .venv from the lock file

$(SDK_STAMP): $(STAMP) conformance/tinker_mock/suite/sdk/releases.yaml conformance/tinker_mock/suite/sdk/sdk-environment.lock
	@echo "tinker-mock: installing $$(grep -c '^"' conformance/tinker_mock/suite/sdk/releases.yaml) releases of the real SDK into .venv-sdk (1 GB, 2 to 5 minutes; once)" >&2
	$(BIN)/tinker-mock sdk-env
	@touch $@

.PHONY: sdk-env
sdk-env: $(SDK_STAMP) ## Install every audited release of the real SDK in .venv-sdk

.PHONY: audit
audit: $(SDK_STAMP) ## Real SDK releases against the mock (SDKS=all, or SDKS="0.7.0 0.38.0")
	$(BIN)/tinker-mock audit sdk $(if $(filter all,$(SDKS)),--all,$(SDKS)) $(ARGS)

.PHONY: serve
serve: $(STAMP) ## Start the mock (PORT=8765 ARGS="--seed 7")
	$(BIN)/tinker-mock serve --port $(PORT) $(ARGS)

.PHONY: conformance
conformance: $(STAMP) $(SDK_STAMP) ## Prove that mock, client, tokenizer and Kimi transformer keep the contract
	$(BIN)/tinker-mock conformance self $(ARGS)
	$(BIN)/python -m tests.mutation.score --sample 4

.PHONY: mutation
mutation: $(STAMP) ## Renew docs/mutation.md: the suite against mutants that nobody chose (ARGS="--sample 200")
	$(BIN)/python -m tests.mutation.score --page docs/mutation.md $(ARGS)

.PHONY: mutation-client
mutation-client: $(STAMP) ## The client audit against mutants of the reference client (ARGS="--sample 100")
	$(BIN)/python -m tests.mutation.clients --page docs/mutation-client.md $(ARGS)

.PHONY: ledger
ledger: $(STAMP) ## Renew contracts/requirements/README.md from the ledger
	$(BIN)/tinker-mock conformance ledger --output contracts/requirements/README.md

.PHONY: fidelity
fidelity: $(STAMP) ## Renew docs/fidelity.md and docs/facts.md, how the mock differs from the service
	$(BIN)/tinker-mock conformance fidelity --output docs/fidelity.md
	$(BIN)/tinker-mock conformance fidelity --facts --output docs/facts.md

.PHONY: docs
docs: $(STAMP) ## Build the documentation in build/site; a dead link fails (ARGS=serve: look at it)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs $(or $(ARGS),build --strict)

.PHONY: test
test: $(STAMP) $(SDK_STAMP) $(if $(CI),$(COOKBOOK)/.installed) ## Run the project's own tests
	$(BIN)/python -m pytest -n auto $(ARGS)

.PHONY: test-again
test-again: $(STAMP) ## What failed in the last `make test`, once more and one after the other
	$(BIN)/python -m pytest -n 0 -x --last-failed --last-failed-no-failures none

.PHONY: test-floors
test-floors: ## Tests of server, contracts and client with the oldest releases pyproject.toml admits
	$(PYTHON) -m venv --clear .venv-floors
	.venv-floors/bin/pip install --quiet --disable-pip-version-check uv
	.venv-floors/bin/uv pip install --quiet --python .venv-floors/bin/python \
	  --resolution lowest-direct --editable '.[dev]'
	.venv-floors/bin/python -m pytest -n auto tests/contracts tests/client tests/server $(ARGS)

.PHONY: peers
peers: $(STAMP) ## Take the reference client through a server: TINKER_BASE_URL, TINKER_API_KEY, ARGS
	$(BIN)/python tests/peers/core_loop.py $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure against named peers; prints ratios (BENCH=engine for one)
	@mkdir -p build/bench
	@for script in tests/bench/bench_$(or $(BENCH),*).py; do echo "== $$script"; name=$${script##*bench_}; \
	  PYTHONPATH=. $(BIN)/python $$script $(ARGS) | tee build/bench/$${name%.py}.txt; done

.PHONY: speed
speed: $(STAMP) ## Renew the README's speed section from what `make bench` printed
	$(BIN)/python -m tests.bench.page

.PHONY: crash
crash: $(STAMP) ## kill -9 at 200 moments under 20 clients, with a data directory and three servers (ARGS="--points N")
	$(BIN)/python -m tests.bench.crash $(ARGS)
	$(BIN)/python -m tests.bench.crash --store own $(ARGS)

.PHONY: soak
soak: $(STAMP) ## A million operations through one server, and its memory (ARGS="--operations N")
	$(BIN)/python -m tests.bench.soak_memory $(ARGS)
	PYTHONPATH=. $(BIN)/python tests/abuse/soak.py --seconds $(or $(DURATION),600)

.PHONY: fuzz
fuzz: $(STAMP) $(if $(BENCH),,fuzz-requests) ## Compare with named authorities on random inputs (BENCH=text for one, ARGS="--seconds 300")
	@for script in tests/fuzz/fuzz_$(or $(BENCH),*).py; do echo "== $$script"; $(BIN)/python $$script $(ARGS); done

.PHONY: fuzz-requests
fuzz-requests: $(STAMP) ## Drawn requests, bytes that are almost HTTP, schemathesis (CASES=100000 SEED=7)
	PYTHONPATH=. $(BIN)/python tests/abuse/fuzz.py --cases $(or $(CASES),100000) --seed $(or $(SEED),7)
	TINKER_MOCK_FUZZ_EXAMPLES=50 $(BIN)/python -m pytest -q tests/contracts/test_fuzz.py

$(COOKBOOK)/.installed: tests/cookbook/requirements.txt
	@echo "tinker-mock: installing tinker-cookbook and torch into $(COOKBOOK) (some GB, minutes; once)" >&2
	$(PYTHON) -m venv $(COOKBOOK)
	$(COOKBOOK)/bin/pip install --quiet --disable-pip-version-check -r $<
	$(COOKBOOK)/bin/pip install --quiet --disable-pip-version-check --no-deps tinker-cookbook==0.6.1
	$(COOKBOOK)/bin/pip download --quiet --disable-pip-version-check --no-deps --dest $(COOKBOOK) \
	  --no-binary tinker-cookbook tinker-cookbook==0.6.1  # its scripts are not in the wheel
	tar -xzf $(COOKBOOK)/tinker_cookbook-0.6.1.tar.gz -C $(COOKBOOK)
	@touch $@

.PHONY: cookbook
cookbook: $(STAMP) $(COOKBOOK)/.installed ## Run tinker-cookbook, unmodified, against the mock (RUNS=fast or names)
	$(BIN)/python tests/cookbook/cook.py --python $(COOKBOOK)/bin/python --runs $(or $(RUNS),all)

.PHONY: contract
contract: $(STAMP) ## Bundle the OpenAPI chapters and compile the messages after an edit
	$(BIN)/python -m tinker_mock.contracts
	$(BIN)/python -c "from tinker_mock.server.catalog import shipped; print(shipped.write_bundle().name)"
	$(BIN)/python -m grpc_tools.protoc --proto_path=contracts/tinker --include_source_info \
	  --descriptor_set_out=contracts/tinker/tinker.pb tinker.proto

.PHONY: history
history: $(SDK_STAMP) ## Renew contracts/tinker/history.yaml from the published SDK wheels
	$(BIN)/tinker-mock sdk-drift --write

.PHONY: drift
drift: $(STAMP) ## What a new SDK release changed (RELEASE=0.39.0, default the newest)
	$(BIN)/tinker-mock sdk-drift $(RELEASE)

.PHONY: lint
lint: $(STAMP) ## ruff, mypy, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: replay
replay: $(STAMP) ## Replay all cassettes to the reference client (ARGS="--target URL": to a server)
	$(BIN)/tinker-mock replay $(ARGS)

.PHONY: cassettes
cassettes: $(SDK_STAMP) ## Record every cassette again; what differs only in times is left alone
	$(BIN)/tinker-mock record --all $(ARGS)

.PHONY: lock
lock: ## Renew requirements.lock (needs uv: pip install uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --extra dev --extra docs pyproject.toml -o requirements.lock <(printf 'hatchling\neditables\n')
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header conformance/tinker_mock/suite/sdk/sdk-environment.in \
	  -o conformance/tinker_mock/suite/sdk/sdk-environment.lock

.PHONY: text-clients
text-clients: $(STAMP) ## Install popular clients apart and renew docs/text-clients.md
	$(PYTHON) -m venv .venv-text-clients
	.venv-text-clients/bin/pip install --quiet --disable-pip-version-check uv
	.venv-text-clients/bin/uv pip install --quiet --python .venv-text-clients/bin/python openai anthropic \
	  litellm langchain-openai langchain-anthropic 'pydantic-ai-slim[openai]' instructor
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
	  mkdir -p .venv-text-clients/npm && cp tests/clients_matrix/package.json .venv-text-clients/npm/ && \
	  npm install --prefix .venv-text-clients/npm --silent --no-audit --no-fund && \
	  $(BIN)/python -m tests.clients_matrix.page .venv-text-clients/bin/python .venv-text-clients/npm; \
	else \
	  echo "text-clients: no node and npm here: npm's clients keep the rows they had" >&2; \
	  $(BIN)/python -m tests.clients_matrix.page .venv-text-clients/bin/python; \
	fi

OTHERS := fireworks=fireworks-ai[training-sdk] mindlab=mindlab-toolkit baseten=baseten-loops-tinker

.PHONY: audit-others
audit-others: $(STAMP) ## Install other SDKs of the protocol apart, audit them, renew docs/other-sdks.md
	@for one in $(OTHERS); do \
	  name=$${one%%=*}; python=$(PYTHON); \
	  if [ $$name = baseten ]; then python=python3.12; command -v $$python >/dev/null || continue; fi; \
	  $$python -m venv .venv-others/$$name; \
	  .venv-others/$$name/bin/pip install --quiet --disable-pip-version-check "$${one#*=}"; \
	done
	$(BIN)/python -m tests.others.page .venv-others

.PHONY: litellm
litellm: $(STAMP) ## Install litellm apart and run its script against the mock
	$(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/pip install --quiet --disable-pip-version-check litellm mcp
	$(BIN)/python -m pytest tests/server/text/test_litellm.py

$(PROGRAMS)/.installed: tests/programs/requirements.txt
	@echo "tinker-mock: installing better-tinker, tinkerscope and what they need into $(PROGRAMS) (some GB, minutes; once)" >&2
	$(PYTHON) -m venv $(PROGRAMS)
	$(PROGRAMS)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: programs
programs: $(STAMP) $(PROGRAMS)/.installed ## Install better-tinker and tinkerscope apart and run them as they are
	$(BIN)/python -m pytest tests/programs $(ARGS)

.PHONY: clean
clean: ## Remove environments, caches and reports
	rm -rf .venv* reports build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
