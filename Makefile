# make demo: install, make the synthetic demo corpora, embed them, open the pages.   make test: install, pass every test.
PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin

.PHONY: install demo test lint clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@echo "Installing into .venv (a minute or two the first time) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,dev]'
	@touch $@
	@echo "Installed."

demo: install
	@echo "Making the demo corpora (synthetic speech) and embedding them: a few minutes ..."
	@$(BIN)/ser demo
	@$(BIN)/ser dashboard

test: install lint
	@echo "Running the tests (8 to 35 minutes, by machine) ..."
	@$(BIN)/python -m pytest -q -rs --durations=8 -n 2 --dist loadscope --no-loadscope-reorder

lint: install
	@echo "Checking style, types and the direction of imports ..."
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/basedpyright --level error

clean:
	rm -rf .venv .pytest_cache .ruff_cache ser_atlas.egg-info
