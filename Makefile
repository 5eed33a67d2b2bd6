# Troupe. `make serve` runs it, `make test` checks it; `make help` lists the rest.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
HOST   ?= 127.0.0.1
PORT   ?= 8000
OUT    ?= var/bench
CALLS  ?= 200
# Tests side by side; many of them wait for real time to pass.
JOBS   ?= 2

.DEFAULT_GOAL := help
.PHONY: help serve serve-cluster test lint format types contracts pytest bench loadtest faults soak screenshots messages clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

serve-cluster: $(VENV)/.serve ## a deployment on this machine: PostgreSQL, Redis, web x2, worker x2, jobs (HOST=, PORT=)
	@$(BIN)/python -m scripts.cluster --host $(HOST) --port $(PORT)

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
	$(BIN)/python -m pytest -n $(JOBS)

bench: $(VENV)/.dev ## measure: JSON into var/bench (OUT=)
	$(BIN)/python -m scripts.bench --out $(OUT)

loadtest: $(VENV)/.dev ## how many callers a cluster carries: JSON into var/bench (CALLS=)
	$(BIN)/python -m scripts.loadtest --calls $(CALLS) --storm 10 --slow 1 --out $(OUT)/loadtest.json

faults: $(VENV)/.dev ## what listeners hear when parts of a cluster die, then 1,000 calls with random faults
	$(BIN)/python -m scripts.faults --calls 1000 --out $(OUT)/faults.json

soak: $(VENV)/.dev ## half an hour of calls that come and go: does anything grow?
	$(BIN)/python -m scripts.soak --out $(OUT)/soak.json

screenshots: $(VENV)/.dev ## pictures of every page into var/screenshots
	$(BIN)/python -m scripts.screenshots var/screenshots

messages: $(VENV)/.dev ## collect and compile translations (needs GNU gettext)
	$(BIN)/python manage.py makemessages -l zh_Hans --no-location --no-wrap -i .venv -i var
	$(BIN)/python manage.py compilemessages -i .venv -i var

clean: ## remove the environment and all data of the embedded server
	rm -rf $(VENV) var *.egg-info .mypy_cache .ruff_cache .pytest_cache
