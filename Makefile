# Every habit of this project is a target; `make help` lists them.
# Needed: make, Python 3.11 or newer, pip. Not needed: a compiler, PostgreSQL.

# The first interpreter that is new enough and has pip; `make setup PYTHON=python3.13` chooses another. On PATH it may be
# behind an environment without pip, such as .venv. If none has pip, the first that is new enough.
PYTHON ?= $(shell IFS=:; for needed in sys,pip sys; do for name in python3 python3.13 python3.12 python3.11 python; do \
	for folder in $$PATH; do "$$folder/$$name" -c "import $$needed; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
	&& echo "'$$folder/$$name'" && exit; done; done; done)

# Where it is set, each of the hundreds of programs that the tests start compiles the project again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
RUN := $(VENV)/bin/python
TRIAL := $(VENV)/trial.stamp
SETUP := $(VENV)/setup.stamp
# The tools that need Node.js, beside those of Python.
NPM := $(VENV)/npm
NODE_TOOLS := $(NPM)/setup.stamp
PYTHON_CLIENT := $(VENV)/python-client
NPM_OPTIONS := --ignore-scripts --no-audit --no-fund --silent
CLIENT_TYPES ?= dist/leads-api.d.ts
INSTALL = $(PYTHON) -m pip --python $(RUN) install --quiet --disable-pip-version-check --only-binary :all: --require-hashes

# Tests are shared out among processes; `PYTEST_ARGS=-n0` keeps all in one, for a debugger or `-s`.
SHARED_OUT := -n auto --dist loadfile --no-loadscope-reorder

# What `make format` and `make check` look at; a folder that is not there is left out.
CODE := $(wildcard api projector tests)
SQL := $(wildcard schema.sql) $(shell find sql -name '*.sql' 2>/dev/null)
# What sqlfluff has found nothing in: it parses a second and more for a hundred lines.
LINTED := $(VENV)/sqlfluff.stamp

.DEFAULT_GOAL := help
.PHONY: help setup run test test-all test-fast test-browser test-install check format lock client-types client-tools demo sql picture bench exactness consistency clean
.DELETE_ON_ERROR:

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(SETUP) ## Install everything into .venv, from the hashed lock files; done once.

run: $(TRIAL) ## Start PostgreSQL, the projector and the API on http://localhost:4000; Ctrl-C stops them.
	@$(RUN) -m projector local

test: $(SETUP) ## Run the tests of every behaviour against a real PostgreSQL; PYTEST_ARGS="-k name" narrows them.
	@$(RUN) -m pytest $(SHARED_OUT) $(PYTEST_ARGS)

test-all: $(SETUP) ## Run also the tests that prove or repeat others: mutants, the model, fuzzing, older versions.
	@$(RUN) -m pytest $(SHARED_OUT) --all $(PYTEST_ARGS)

test-fast: $(SETUP) ## Run the rules and the tests that share one database, in about a minute.
	@$(RUN) -m pytest $(SHARED_OUT) --fast -q $(PYTEST_ARGS)

test-browser: $(SETUP) ## Run the tests of the pages in a browser, which needs Chromium.
	@$(RUN) -m pytest $(SHARED_OUT) tests/browser $(PYTEST_ARGS)

check: $(LINTED) ## Check format, lint, types, import contracts, SQL, rules and documentation.
	@$(RUN) -m ruff format --check $(CODE)
	@$(RUN) -m ruff check $(CODE)
	@$(RUN) -m mypy $(CODE)
	@$(VENV)/bin/lint-imports --no-logo
	@$(VENV)/bin/biome ci --colors=off --log-level=warn
	@$(RUN) -m pytest -q tests/rules tests/test_documentation.py

# The files that have changed since; all of them after a change of the rules or of sqlfluff.
$(LINTED): $(SQL) pyproject.toml $(SETUP)
	@$(RUN) -m sqlfluff lint --disable-progress-bar --processes 0 $(if $(filter-out %.sql,$?),schema.sql sql,$?)
	@touch $@

format: $(SETUP) ## Put Python, JavaScript and CSS into the project's form.
	@$(RUN) -m ruff format $(CODE)
	@$(RUN) -m ruff check --fix $(CODE)
	@$(VENV)/bin/biome check --write --colors=off --log-level=warn

lock: $(SETUP) ## Write the lock files anew, with the newest versions that pyproject.toml allows.
	@$(VENV)/bin/uv pip compile pyproject.toml $(LOCK_OPTIONS) -o requirements.lock
	@$(VENV)/bin/uv pip compile pyproject.toml --extra trial -c requirements.lock $(LOCK_OPTIONS) -o requirements-trial.lock
	@$(VENV)/bin/uv pip compile pyproject.toml --extra trial --extra otel --extra mcp --group dev -c requirements.lock $(LOCK_OPTIONS) -o requirements-dev.lock
	@for extra in mcp otel; do \
		$(VENV)/bin/uv pip compile pyproject.toml --extra $$extra -c requirements-dev.lock $(LOCK_OPTIONS) -o requirements-$$extra.lock || exit 1; \
	done
	@$(VENV)/bin/uv pip compile --group build -c requirements-dev.lock $(LOCK_OPTIONS) -o requirements-build.lock
	@$(VENV)/bin/uv pip compile --group clients $(LOCK_OPTIONS) -o tests/client/requirements.lock
	@if command -v npm >/dev/null; then \
		npm update --prefix tests/client --package-lock-only --omit-lockfile-registry-resolved $(NPM_OPTIONS); \
	else echo "npm is not installed: tests/client/package-lock.json stays as it is."; fi

# requirements.lock is for production, requirements-mcp.lock and requirements-otel.lock have an extra too,
# requirements-trial.lock the embedded PostgreSQL, and requirements-dev.lock all of these and the tools.
# requirements-build.lock has what builds the wheel alone.
LOCK_OPTIONS := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

client-types: $(TRIAL) $(NODE_TOOLS) ## Write TypeScript types of the API to dist/leads-api.d.ts, or to CLIENT_TYPES=FILE.
	@mkdir -p $(dir $(CLIENT_TYPES))
	@$(RUN) -c 'import sys; from api.response.openapi import document; sys.stdout.buffer.write(document(asks_who_calls=True))' > $(NPM)/openapi.json
	@$(NPM)/node_modules/.bin/openapi-typescript $(NPM)/openapi.json --root-types --root-types-no-schema-prefix --output $(CLIENT_TYPES)

client-tools: $(SETUP) $(NODE_TOOLS) $(PYTHON_CLIENT)/setup.stamp ## Install generators of clients, for the tests that call every endpoint with these.

demo: $(TRIAL) ## Load demo data into the embedded PostgreSQL; DEMO_ARGS="--leads 20000" scales them.
	@$(RUN) -m projector server start
	@url=$$($(RUN) -m projector server url) && \
		export DATABASE_URL="$$url" && $(RUN) -m projector migrate --create-source && \
		$(RUN) -m projector demo --yes $(DEMO_ARGS)

sql: $(TRIAL) ## Print a step as it runs, ready for EXPLAIN in psql; STEP=refresh/7_compare_leads/70_compute_leads.
	@$(RUN) -m projector.cli.print_step $(STEP)

picture: $(SETUP) ## Make docs/page.png, the picture of the page with which the README begins; Chromium is needed.
	@$(RUN) -m pytest -n0 -q tests/browser/test_picture.py --screenshots docs

test-install: $(SETUP) ## Install the wheel as the README says, into an empty environment, and run it from there.
	@$(RUN) -m pytest --install tests/install $(PYTEST_ARGS)

bench: $(SETUP) ## Measure against baselines, some forty minutes; SIZE=large is larger, ONLY="refresh,reads" is less.
	@$(RUN) -m tests.benchmarks --size "$(or $(SIZE),default)" --only "$(ONLY)" $(BENCH_ARGS)

exactness: $(SETUP) ## Run the long exactness tests: thousands of random rounds, schedules of a model, hundreds of kills.
	@$(RUN) -m pytest -n auto --dist worksteal --all --long tests/exactness tests/acceptance tests/consistency $(PYTEST_ARGS)

consistency: $(SETUP) ## Work under load and faults for an hour, or HOURS=, and judge the answers: docs/internals/consistency.md.
	@$(RUN) -m tests.consistency --hours "$(or $(HOURS),1)" --seed "$(or $(SEED),1)"

clean: ## Stop and delete the embedded PostgreSQL with its data, and delete .venv and the caches.
	@if [ -x $(RUN) ] && [ -d .leads ]; then LEADS_STATE_DIR=.leads $(RUN) -m projector server remove --yes; fi
	@rm -rf $(VENV) .leads .hypothesis .schemathesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist
	@find api projector tests -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# A Python without ensurepip makes an environment without pip; the pip of $(PYTHON) installs into it.
$(TRIAL): requirements-trial.lock
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed and not on PATH: install it, or name it with PYTHON=/path/to/python3." >&2; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { echo "$(PYTHON) has no pip: install it (Debian: apt-get install python3-pip), or name another Python with PYTHON=/path/to/python3." >&2; exit 1; }
	@[ ! -L $(VENV) ] || { echo "$(VENV) is a link, and to set it up would empty the folder that it leads to: remove the link, and try again." >&2; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(INSTALL) -r requirements-trial.lock
	@touch $@

$(SETUP): requirements-dev.lock $(TRIAL)
	@echo "Installing the tools for development ..."
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

$(PYTHON_CLIENT)/setup.stamp: tests/client/requirements.lock | $(TRIAL)
	@$(PYTHON) -m venv --clear --without-pip $(PYTHON_CLIENT)
	@$(INSTALL:$(RUN)=$(PYTHON_CLIENT)/bin/python) -r tests/client/requirements.lock
	@touch $@

$(NODE_TOOLS): tests/client/package.json tests/client/package-lock.json | $(TRIAL)
	@command -v npm >/dev/null || { echo "npm is needed: install Node.js 20.19 or newer with it (Debian: apt-get install nodejs npm)." >&2; exit 1; }
	@mkdir -p $(NPM)
	@cp tests/client/package.json tests/client/package-lock.json $(NPM)
	@npm ci --prefix $(NPM) $(NPM_OPTIONS)
	@touch $@
