# Troupe. `make serve` runs it, `make test` checks it; `make help` lists the rest.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
HOST   ?= 127.0.0.1
PORT   ?= 8000
OUT    ?= var/bench

.DEFAULT_GOAL := help
.PHONY: help serve test lint format types contracts pytest bench screenshots messages clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamps are newer than what they were made from, so a second start installs nothing.
$(VENV)/.serve: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Troupe needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || { echo "Creating $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing packages (the first time this takes a few minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -c constraints.txt -e '.[espeak]'
	@touch $@

$(VENV)/.dev: $(VENV)/.serve
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -c constraints.txt -e '.[espeak,dev]'
	@touch $@

serve: $(VENV)/.serve ## the whole product on http://127.0.0.1:8000 (HOST=, PORT=)
	@$(BIN)/python manage.py serve --host $(HOST) --port $(PORT)

test: $(VENV)/.dev lint types contracts pytest ## everything that must hold

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## put the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev
	$(BIN)/mypy .

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

pytest: $(VENV)/.dev
	$(BIN)/python -m pytest

bench: $(VENV)/.dev ## measure: JSON into var/bench (OUT=)
	$(BIN)/python -m scripts.bench --out $(OUT)

screenshots: $(VENV)/.dev ## pictures of every page into var/screenshots
	$(BIN)/python -m scripts.screenshots var/screenshots

messages: $(VENV)/.dev ## collect and compile translations (needs GNU gettext)
	$(BIN)/python manage.py makemessages -l zh_Hans --no-location -i .venv -i var
	$(BIN)/python manage.py compilemessages -i .venv -i var

clean: ## remove the environment and all data of the embedded server
	rm -rf $(VENV) var *.egg-info .mypy_cache .ruff_cache .pytest_cache
