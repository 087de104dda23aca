# A target for each development task. `make` alone lists them.

PYTHON ?= python3
PORT ?= 8080
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SAM_VENV := .venv-sam
SAM_INSTALLED := $(SAM_VENV)/.installed
TEMPLATES_VENV := .venv-templates
TEMPLATES_INSTALLED := $(TEMPLATES_VENV)/.installed
# Without these, SAM searches 8 seconds for credentials and finds no region. A region that is set stays.
SAM := SAM_CLI_TELEMETRY=0 AWS_EC2_METADATA_DISABLED=true \
	AWS_DEFAULT_REGION=$(or $(AWS_DEFAULT_REGION),us-east-1) $(SAM_VENV)/bin/sam
ENV_VARS := .aisle/env-vars.json
RESEARCH := $(VENV)/.research
PACKAGES := functions/aisle functions/authorizer functions/predict functions/feedback functions/retrain \
	training/aisle_training benchmark/aisle_benchmark infra demo
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: setup
setup: $(INSTALLED) ## create .venv with everything in it (PYTHON=python3.12 to choose another Python)
	@:

$(INSTALLED): pyproject.toml requirements/dev.txt
	@$(BIN)/python -c '' 2>/dev/null \
		|| $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Cannot set up: '$(PYTHON)' is $$($(PYTHON) -V 2>&1 | head -n 1)." \
			"Aisle needs Python 3.11 or later: try 'make setup PYTHON=python3.12'." >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "setup: $(VENV) with $$($(BIN)/python -V); the first time takes about a minute"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

.PHONY: research
research: $(RESEARCH) ## add the models that `aisle compare` compares with to .venv (500 MB)
	@:

# --no-deps: the lock file is complete, and one package requires torch, which is not used.
$(RESEARCH): requirements/research.txt $(INSTALLED)
	@echo "research: installing 500 MB takes a minute or two"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements/research.txt
	@touch $@

.PHONY: run
run: setup ## serve the API and the demo page (PORT=8080)
	@$(BIN)/aisle serve --port $(PORT)

.PHONY: build
build: $(SAM_INSTALLED) ## build the images of the Lambda functions (Docker)
	@$(SAM) validate
	@$(SAM) build $(ARGS)

# SAM CLI pins boto3, click and Flask, so it has its own environment. The lock file is complete.
$(SAM_INSTALLED): requirements/sam.txt
	@test -x $(SAM_VENV)/bin/python || $(PYTHON) -m venv $(SAM_VENV)
	@echo "setup: $(SAM_VENV) with SAM CLI; the first time takes about a minute"
	@$(SAM_VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
		-r requirements/sam.txt
	@touch $@

.PHONY: local
local: setup ## run the built functions behind SAM's API Gateway (PORT=8080)
	@test -d .aws-sam || { echo "Nothing is built yet. Run 'make build' first." >&2; exit 2; }
	@mkdir -p $(dir $(ENV_VARS)) && $(BIN)/aisle keys list --env-vars > $(ENV_VARS)
	@grep -q sha256 $(ENV_VARS) || { echo "There is no API key, so every request would be refused. Create one:" \
		"$(BIN)/aisle keys create --client me" >&2; exit 2; }
	@$(SAM) local start-api --port $(PORT) $(ARGS)

.PHONY: deploy
deploy: setup $(SAM_INSTALLED) ## deploy the service on AWS (ARGS=--dry-run to see the plan, --help for more)
	@SAM_CLI_TELEMETRY=0 $(BIN)/python -m infra.deploy up $(ARGS)

.PHONY: destroy
destroy: setup ## delete the service and its data from AWS (ARGS=--dry-run to see the plan)
	@$(BIN)/python -m infra.deploy down $(ARGS)

.PHONY: templates
templates: $(TEMPLATES_INSTALLED) ## check the templates: cfn-lint, checkov
	@$(TEMPLATES_VENV)/bin/cfn-lint template.yaml infra/*.yaml
	@$(TEMPLATES_VENV)/bin/checkov --config-file .checkov.yaml

# Checkov pins boto3, and SAM's translator needs an older pydantic: they have their own environment, too.
$(TEMPLATES_INSTALLED): requirements/templates.txt
	@test -x $(TEMPLATES_VENV)/bin/python || $(PYTHON) -m venv $(TEMPLATES_VENV)
	@echo "setup: $(TEMPLATES_VENV) with cfn-lint and checkov; the first time takes about a minute"
	@$(TEMPLATES_VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
		-r requirements/templates.txt
	@touch $@

.PHONY: test
test: setup ## run the tests, those of the images too if Docker is there (ARGS='tests/unit -k text' for some)
	@$(if $(ARGS),,command -v docker > /dev/null && echo "test: Docker is available, so this builds and" \
		"tests the images too; to leave them out: make test ARGS=\"-m 'not containers'\"" || true)
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: browser
browser: setup ## install a Chromium for the end-to-end tests, if there is none
	@$(BIN)/python -m tests.e2e.browser 2>/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq \
			&& apt-get install -y -qq --no-install-recommends chromium fonts-liberation > /dev/null; } \
		|| $(BIN)/playwright install chromium
	@$(BIN)/python -m tests.e2e.browser

.PHONY: ways
ways: setup ## regenerate the lists in docs/ARCHITECTURE.md from a trace
	@$(BIN)/python -m tests.ways $(ARGS)

.PHONY: screenshots
screenshots: setup ## regenerate the pictures in docs/ from the real page
	@$(BIN)/python -m tests.e2e.screenshots docs

.PHONY: demo-loop
demo-loop: setup ## show the feedback loop: corrections, a better model, rollback (ARGS='--shop made-up')
	@$(BIN)/python -m demo.loop $(ARGS)

.PHONY: lint
lint: setup ## check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(PACKAGES)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/hadolint Dockerfile

.PHONY: format
format: setup ## format the code and apply safe fixes
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

.PHONY: train
train: setup ## train a model (ARGS='--help' for the options)
	@$(BIN)/aisle train $(ARGS)

.PHONY: bench
bench: setup ## measure speed, memory and cold start
	@$(BIN)/python -m tests.benchmarks.run $(ARGS)

.PHONY: notebooks
notebooks: setup ## execute the notebooks in place (ARGS=notebooks/03-compare.ipynb for one of them)
	@$(BIN)/python -m notebooks.execute $(ARGS)

.PHONY: openapi
openapi: setup ## regenerate infra/openapi.json from the code
	@$(BIN)/aisle openapi > infra/openapi.json

.PHONY: lock
lock: setup ## regenerate the lock files in requirements/ (ARGS=--upgrade for the latest of everything)
	@$(COMPILE) pyproject.toml --extra dev -o requirements/dev.txt
	@for extra in training research; do \
		$(COMPILE) pyproject.toml --extra $$extra --constraint requirements/dev.txt \
			-o requirements/$$extra.txt || exit 1; \
	done
	@for group in predict feedback labs s3; do \
		$(COMPILE) --group $$group --constraint requirements/dev.txt -o requirements/$$group.txt || exit 1; \
	done
	@for group in sam templates; do \
		$(COMPILE) --no-config --group $$group -o requirements/$$group.txt || exit 1; \
	done

.PHONY: clean
clean: ## remove environments, caches and builds; your data in .aisle stays
	@rm -rf $(VENV) $(SAM_VENV) $(TEMPLATES_VENV) .aws-sam build dist .coverage htmlcov .*_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
