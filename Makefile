# Everything a developer does, by name. `make` alone lists the targets.

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
# Without these, SAM looks for credentials for 8 seconds and for a region in vain; a set one stays.
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

.PHONY: build
build: $(SAM_INSTALLED) ## build the images of the Lambda functions (Docker)
	@$(SAM) validate
	@$(SAM) build $(ARGS)

# SAM CLI pins boto3, click and Flask, so it lives apart. The lock file is whole: nothing to resolve.
$(SAM_INSTALLED): requirements/sam.txt
	@test -x $(SAM_VENV)/bin/python || $(PYTHON) -m venv $(SAM_VENV)
	@echo "setup: $(SAM_VENV) with SAM CLI; new, it takes about a minute"
	@$(SAM_VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
		-r requirements/sam.txt
	@touch $@

.PHONY: local
local: setup ## run the built functions behind SAM's API Gateway (PORT=8080)
	@test -d .aws-sam || { echo "Nothing is built yet: 'make build' first." >&2; exit 2; }
	@mkdir -p $(dir $(ENV_VARS)) && $(BIN)/aisle keys list --env-vars > $(ENV_VARS)
	@grep -q sha256 $(ENV_VARS) || { echo "There is no API key to let anyone in with. Make one:" \
		"$(BIN)/aisle keys create --client me" >&2; exit 2; }
	@$(SAM) local start-api --port $(PORT) $(ARGS)

.PHONY: deploy
deploy: setup $(SAM_INSTALLED) ## bring the service up on AWS (ARGS=--dry-run to see the plan, --help for more)
	@SAM_CLI_TELEMETRY=0 $(BIN)/python -m infra.deploy up $(ARGS)

.PHONY: destroy
destroy: setup ## delete all of it from AWS, data too (ARGS=--dry-run to see the plan)
	@$(BIN)/python -m infra.deploy down $(ARGS)

.PHONY: templates
templates: $(TEMPLATES_INSTALLED) ## check what would be deployed: cfn-lint, checkov
	@$(TEMPLATES_VENV)/bin/cfn-lint template.yaml infra/*.yaml
	@$(TEMPLATES_VENV)/bin/checkov --config-file .checkov.yaml

# Checkov pins boto3, and what translates the template is behind with pydantic: they live apart, too.
$(TEMPLATES_INSTALLED): requirements/templates.txt
	@test -x $(TEMPLATES_VENV)/bin/python || $(PYTHON) -m venv $(TEMPLATES_VENV)
	@echo "setup: $(TEMPLATES_VENV) with cfn-lint and checkov; new, it takes about a minute"
	@$(TEMPLATES_VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
		-r requirements/templates.txt
	@touch $@

.PHONY: test
test: setup ## run the tests, with Docker the images' too (ARGS='tests/unit -k text' for some of them)
	@$(if $(ARGS),,command -v docker > /dev/null && echo "test: Docker is here, so the images are built" \
		"and tried too; make test ARGS=\"-m 'not containers'\" does without" || true)
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: browser
browser: setup ## a Chromium for the end-to-end tests, where there is none
	@$(BIN)/python -m tests.e2e.browser 2>/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq \
			&& apt-get install -y -qq --no-install-recommends chromium fonts-liberation > /dev/null; } \
		|| $(BIN)/playwright install chromium
	@$(BIN)/python -m tests.e2e.browser

.PHONY: ways
ways: setup ## make the lists in docs/ARCHITECTURE.md anew, from a trace
	@$(BIN)/python -m tests.ways $(ARGS)

.PHONY: screenshots
screenshots: setup ## make the pictures in docs/ anew, from the real page
	@$(BIN)/python -m tests.e2e.screenshots docs

.PHONY: demo-loop
demo-loop: setup ## show the loop: corrections in, a better model out, and back (ARGS='--shop made-up')
	@$(BIN)/python -m demo.loop $(ARGS)

.PHONY: lint
lint: setup ## check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(PACKAGES)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/hadolint Dockerfile

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

.PHONY: notebooks
notebooks: setup ## execute the notebooks in place (ARGS=notebooks/03-compare.ipynb for one of them)
	@$(BIN)/python -m notebooks.execute $(ARGS)

.PHONY: openapi
openapi: setup ## write infra/openapi.json anew from the code
	@$(BIN)/aisle openapi > infra/openapi.json

.PHONY: lock
lock: setup ## lock the requirements anew (ARGS=--upgrade for the latest of everything)
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
