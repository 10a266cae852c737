# Two commands: `make run` and `make test`. Both make the environment first.
# Before a release: `make test-all`.

PYTHON ?= python3
BIN = .venv/bin

.PHONY: run test test-all lint types setup clean

run: setup
	@$(BIN)/reptile-tf tour

test: lint types
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

# Besides the above what takes long: CONTRIBUTING.md says what.
test-all: test
	$(BIN)/python -m pytest -q -m long
	$(BIN)/python tests/versions.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

setup: .venv/installed

# A Python that is named, and is not the environment's, makes it anew.
ifneq ($(origin PYTHON),file)
WHICH = -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null
ifneq ($(shell $(PYTHON) $(WHICH)),$(shell $(BIN)/python $(WHICH)))
.PHONY: .venv/installed
CLEAR = --clear
endif
endif

# The stamp is made last, so that an installation cut short is made again.
.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	"reptile_tf needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(CLEAR) .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

clean:
	rm -rf .venv
