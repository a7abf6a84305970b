# Admit One. `make help` tells all.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CODE   := domain projections processmanager gateways deploy tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help run setup test check format lint types simulate faults deaths prove reconcile drill bench lock clean

help: ## show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## /{ line = sprintf("  make %-10s", $$1); words = split($$2, word, " "); \
	  for (i = 1; i <= words; i++) { \
	    if (length(line) + length(word[i]) > 78) { print line; line = sprintf("%17s", "") } \
	    line = line " " word[i] } \
	  print line }' $(MAKEFILE_LIST)

# Two stamps: what serving needs, and what developing needs on top. Both come from lock files with
# hashes, so a package that was altered on its way is refused.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Admit One needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements-run.lock pyproject.toml
	@echo "Installing Admit One into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-run.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements.lock
	@echo "Installing what development needs into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

run: $(VENV)/.run ## set up and serve on http://127.0.0.1:8000 (ARGS="--port 9000" for more)
	@exec $(BIN)/admitone serve $(ARGS)

setup: $(VENV)/.dev ## make .venv with everything that development needs

test: setup ## run the whole test suite (ARGS="-k hold" for a part)
	@$(BIN)/python -m pytest -n auto $(ARGS)

check: setup format-check lint types test ## all that a change must pass: format, lint, types, architecture, tests

.PHONY: format-check
format-check: setup
	@$(BIN)/ruff format --check $(CODE)

format: setup ## format the code
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix --quiet $(CODE)

lint: setup ## lint
	@$(BIN)/ruff check $(CODE)

types: setup ## check types, strictly
	@$(BIN)/mypy

simulate: setup ## play N seeded histories of the whole business (N=100000, SEED=0, ARGS=--wire on the double)
	@$(BIN)/python -m tests.simulation --histories $(or $(N),100000) --seed $(or $(SEED),0) $(ARGS)

faults: setup ## every fault of EventStoreDB at every step of a purchase, under load (on the double)
	@ADMITONE_TEST_FAULTS=all $(BIN)/python -m pytest -n auto tests/eventstoredb/test_faults_under_load.py $(ARGS)

reconcile: setup ## ten thousand purchases on each provider, of which reconciliation must have nothing to say
	@ADMITONE_TEST_PURCHASES=$(or $(N),10000) $(BIN)/python -m pytest -n 0 tests/payments/test_reconciled.py -k clean $(ARGS)

prove: setup ## damage N logs at random and look at CLEAN sound ones: all found, none false (N=10000, CLEAN=1000)
	@$(BIN)/python -m tests.store.proving --damages $(or $(N),10000) --clean $(or $(CLEAN),1000) --seed $(or $(SEED),0)

deaths: setup ## the process dies at every step of a purchase, with every fault of Stripe (SEEDS=25; half an hour)
	@ADMITONE_TEST_DEATHS=$(or $(SEEDS),25) $(BIN)/python -m pytest -n auto tests/killing $(ARGS)

drill: setup ## back up under load, destroy, restore, verify; tell what was lost and how long it took
	@$(BIN)/python -m tests.backup.drill $(ARGS)

bench: setup ## measure, print a table, write benchmarks/results/latest.json
	@$(BIN)/python -m benchmarks $(ARGS)

lock: ## resolve all dependencies together, anew (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock
	uv pip compile pyproject.toml --extra install --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet -c requirements.lock -o requirements-run.lock

clean: ## remove the virtual environment and what tools leave behind (never var/)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
