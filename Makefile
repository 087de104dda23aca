# Everything a developer does, by name. `make` alone lists the targets.

PYTHON ?= python3
PORT ?= 8080
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RESEARCH := $(VENV)/.research
PACKAGES := $(wildcard functions/aisle functions/api functions/predict functions/feedback catalogue training cli)
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-header --no-emit-index-url \
	--no-emit-find-links $(ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

.PHONY: setup
setup: $(INSTALLED) ## make .venv with everything in it (PYTHON=python3.12 to choose another Python)
	@:

$(INSTALLED): pyproject.toml requirements/dev.txt
	@$(BIN)/python -c '' 2>/dev/null \
		|| $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Cannot set up: '$(PYTHON)' is $$($(PYTHON) -V 2>&1 | head -n 1)." \
			"Aisle needs Python 3.11 or later: try 'make setup PYTHON=python3.12'." >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "setup: $(VENV) with $$($(BIN)/python -V); new, it takes about a minute"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

.PHONY: research
research: $(RESEARCH) ## add to .venv what `aisle compare` compares with (500 MB)
	@:

# Without dependencies: the lock is complete, and one package asks for torch, which is not used.
$(RESEARCH): requirements/research.txt $(INSTALLED)
	@echo "research: 500 MB to install, it takes a minute or two"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements/research.txt
	@touch $@

.PHONY: run
run: setup ## serve the API and the demo page (PORT=8080)
	@$(BIN)/aisle serve --port $(PORT)

.PHONY: test
test: setup ## run the tests (ARGS='tests/unit -k text' for some of them)
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: lint
lint: setup ## check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(PACKAGES)
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: setup ## format the code and mend what can be mended safely
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

.PHONY: train
train: setup ## train a model (ARGS='--help' for how)
	@$(BIN)/aisle train $(ARGS)

.PHONY: bench
bench: setup ## measure speed, memory and cold start
	@$(BIN)/python -m tests.benchmarks.run $(ARGS)

.PHONY: lock
lock: setup ## lock the requirements anew (ARGS=--upgrade for the latest of everything)
	@$(COMPILE) --extra dev -o requirements/dev.txt
	@for extra in predict feedback training research; do \
		$(COMPILE) --extra $$extra --constraint requirements/dev.txt -o requirements/$$extra.txt || exit 1; \
	done

.PHONY: clean
clean: ## remove .venv, caches and builds; your data in .aisle stays
	@rm -rf $(VENV) build dist .coverage htmlcov .*_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
