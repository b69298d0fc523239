# img2imgd: `make help` lists what there is to do. Everything sets itself up in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BROWSER := $(VENV)/.browser
DEMO ?= demo
# Processes that run tests, which mostly wait for settling files and for other processes.
TESTERS ?= 3
PYTEST := $(BIN)/python -m pytest --numprocesses $(TESTERS) --dist worksteal

# WRITE=--write-attempts has `make test-systemd` put its table into the docs, and
# WRITE=--write-feeders `make test-feeders`.
WRITE ?=

# What `make bench` runs: make bench BENCH=bench/sweep.py
BENCH ?= $(wildcard bench/*.py)
PAINTING := $(patsubst %,bench/%.py,sweep singles mixed growth overhead spinning where_time_goes cpu_settings gpu)

.DEFAULT_GOAL := help
.PHONY: help demo test test-systemd test-browser test-feeders faults check bench smoke evaluate screenshots format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | column -t -s:

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable ".[heif,pdf]"
	$(BIN)/python -m compileall -q daemon  # the commands answer at once from the first call
	touch $@

$(BROWSER): $(READY) tools/page/axe.py
	$(BIN)/python -m tools.page.axe  # from the npm registry, for the tests alone
	touch $@

demo: $(READY)  ## draw sample sketches, serve them with the embedded model, say where to look
	$(BIN)/img2imgd demo $(DEMO)

test: $(BROWSER)  ## all tests
	$(PYTEST)

test-systemd: $(READY)  ## the service in a real systemd, in namespaces (as root); prints what its sandbox refuses
	$(PYTEST) tests/systemd -rP $(WRITE)

test-browser: $(BROWSER)  ## the tests of the page alone, in a real Chromium
	$(PYTEST) tests/browser

test-feeders: $(READY)  ## what brings files (as root; Samba, ssh, WebDAV, Syncthing, scanners); prints the table
	$(PYTEST) tests/feeders $(WRITE)

faults: $(READY)  ## every fault, in full; prints the table
	$(PYTEST) tests/faults --faults-in-full

check: $(READY)  ## formatting, lint, types, import layers, version
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --project pyproject.toml
	$(BIN)/lint-imports
	$(BIN)/python tools/check_version.py

bench: $(READY)  ## measure, for two to three hours; tables, and JSON and plots in bench/results
	for script in $(BENCH); do $(BIN)/python $$script || exit 1; done

smoke: $(READY)  ## try every measurement of painting for some minutes; the figures mean nothing
	for script in $(PAINTING); do $(BIN)/python $$script --quick || exit 1; done

evaluate: $(READY)  ## measure the embedded model; figures and picture sheets in evaluation/
	$(BIN)/python -m tools.demo_model.evaluate --out evaluation

screenshots: $(READY)  ## pictures of the page for the docs, from a real run; some minutes
	$(BIN)/python -m tools.page.pictures

format: $(READY)  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment, what the demo made and the evaluation
	rm -rf $(VENV) $(DEMO) evaluation
