# Everything runs from .venv, which `make install` fills from the hashed lock file.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 20

# uv, itself from the lock, takes ten seconds where pip takes a minute. It doesn't know pip's settings, a mirror for
# example, so where it fails pip does the same: both refuse a file whose hash is not in the lock.
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "playhead needs Python 3.11 or later; PYTHON=/path/to/python3.11 make chooses one")'
	$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/# via/p' requirements.lock > .venv/uv.txt
	$(PIP) --require-hashes --only-binary :all: --requirement .venv/uv.txt && \
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --compile-bytecode --require-hashes --requirement requirements.lock || \
	$(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: .venv/installed ## put everything into .venv

.PHONY: run
run: install ## start Valkey, Postgres and playhead on port 8000
	@exec $(BIN)/playhead serve

.PHONY: test
test: install ## run the tests, in several processes; they start the servers they need
	$(BIN)/pytest -n auto --dist worksteal

.PHONY: faults
faults: install ## kill processes two hundred times under load; prints a seed, FAULTS_SEED repeats it
	$(BIN)/python -m tests.faults

.PHONY: bench
bench: install ## measure playhead beside what it is compared with; half an hour
	$(BIN)/python -m loadtests.bench --json loadtests/results/latest.json

.PHONY: bench-quick
bench-quick: install ## the main ratios, beside those that are committed; a minute
	$(BIN)/python -m loadtests.bench --quick

.PHONY: check
check: install ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: install ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lock
lock: install ## pin the newest allowed versions, with hashes
	$(BIN)/uv pip compile --universal --generate-hashes --all-extras --no-header --upgrade -o requirements.lock pyproject.toml
