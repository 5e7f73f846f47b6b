# `make run` and `make test` are all you need; each creates the virtual environment if it is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What painting needs, and what development needs besides.
READY := $(VENV)/.ready
INSTALLED := $(VENV)/.installed
PATHS := adapters benchmarks bot inference migrations tests tools

.PHONY: run test test-all check format docs bench crash load install lock clean

## Run everything that is configured (by default the chat page) and open the chat page.
run: $(READY)
	@$(BIN)/easel run --open

## Run every test; the sweeps, the races and the histories are thinned.
test: $(INSTALLED)
	@$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

## Run every test as thoroughly as it can be run, on both databases; this takes about three times as long.
test-all: export EASEL_TEST_ALL := 1
test-all: test

## Check lint, formatting, types and the direction of imports.
check: $(INSTALLED)
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/mypy
	$(BIN)/lint-imports

## Fix lint and formatting.
format: $(INSTALLED)
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/ruff format $(PATHS)

## Generate the command reference from the declarations.
docs: $(INSTALLED)
	@$(BIN)/python -m bot.commands.reference > docs/commands.md

## Run every benchmark except the two below; each prints a ratio to its peer, measured in the same run.
bench: $(INSTALLED)
	@for file in benchmarks/[!_]*.py; do \
		grep -q '^if __name__ == "__main__":' $$file || continue; \
		case $$file in */crash.py|*/load.py) continue;; esac; \
		echo "$$file"; $(BIN)/python -m "benchmarks.$$(basename $$file .py)" || exit 1; \
	done

## Kill random processes dozens of times and check that nothing is lost or shown twice; LONG=1 kills hundreds of times.
crash: $(INSTALLED)
	@$(BIN)/python -m benchmarks.crash $(if $(LONG),--long) $(if $(SEED),--seed $(SEED))

## Request pictures through the chat page, twenty times a second for five minutes.
load: $(INSTALLED)
	@$(BIN)/python -m benchmarks.load

## Create the virtual environment, with everything that development needs.
install: $(INSTALLED)

# Bytecode is compiled when a module is first imported: compiling everything takes twice as long as the rest of the installation.
INSTALL := $(BIN)/python -m pip install --no-compile --disable-pip-version-check --constraint requirements.lock

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Easel needs Python 3.11 or newer, and $(PYTHON) is older or missing. Choose another: make $(or $(MAKECMDGOALS),run) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || { echo "Creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing Easel and the libraries that painting needs: about 1.3 GB on disk, a few minutes the first time"
	@$(INSTALL) --editable .
	@touch $@

$(INSTALLED): $(READY)
	@echo "Installing the tools for development"
	@$(INSTALL) --quiet --editable '.[dev]'
	@touch $@

## Lock the versions that are installed now.
lock: $(INSTALLED)
	@{ sed -n '/^#/p' requirements.lock; $(BIN)/python -m pip freeze --exclude-editable --exclude setuptools --exclude easel \
		| grep -v '^nvidia-\|^cuda-\|^triton' | sed 's/+[a-z0-9.]*$$//'; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
