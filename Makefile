# `make run` and `make test` are all one needs to know; each makes what it lacks.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PATHS := adapters benchmarks bot inference migrations tests tools

.PHONY: run test check format docs bench crash load install lock clean

## Run everything that is configured: with nothing configured the chat page, which is opened.
run: $(INSTALLED)
	@$(BIN)/easel run --open

## Run every test.
test: $(INSTALLED)
	@$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

## Lint, types and the direction of imports.
check: $(INSTALLED)
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/mypy
	$(BIN)/lint-imports

## Bring the code into the house's form.
format: $(INSTALLED)
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/ruff format $(PATHS)

## Write the command reference from the declarations.
docs: $(INSTALLED)
	@$(BIN)/python -m bot.commands.reference > docs/commands.md

## Run every benchmark but the two below; each prints a ratio against its peer, measured in the same run.
bench: $(INSTALLED)
	@for file in benchmarks/[!_]*.py; do \
		grep -q '^if __name__ == "__main__":' $$file || continue; \
		case $$file in */crash.py|*/load.py) continue;; esac; \
		echo "$$file"; $(BIN)/python -m "benchmarks.$$(basename $$file .py)" || exit 1; \
	done

## Kill whatever works at the moment, dozens of times, and see that nothing is lost or shown twice; LONG=1 does it hundreds of times.
crash: $(INSTALLED)
	@$(BIN)/python -m benchmarks.crash $(if $(LONG),--long) $(if $(SEED),--seed $(SEED))

## Ask for pictures through the chat page, twenty times a second for five minutes.
load: $(INSTALLED)
	@$(BIN)/python -m benchmarks.load

## Make the virtual environment.
install: $(INSTALLED)

$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Easel needs Python 3.11 or newer, and $(PYTHON) is not. Name another: make $(or $(MAKECMDGOALS),run) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || { echo "Making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing Easel and what it needs; the first time this takes a few minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

## Write down the versions that are installed now, for everybody else to get.
lock: $(INSTALLED)
	@{ sed -n '/^#/p' requirements.lock; $(BIN)/python -m pip freeze --exclude-editable --exclude setuptools --exclude easel \
		| grep -v '^nvidia-\|^cuda-\|^triton' | sed 's/+[a-z0-9.]*$$//'; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
