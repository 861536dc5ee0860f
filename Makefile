# Everything that people and the build machine run.  Needs GNU make, bash and a
# Python from 3.11 with venv; all the rest goes into .venv.  With a C compiler,
# what "make run" installs is compiled (setup.py).

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
METADATA := setup.cfg pyproject.toml
SOURCES := $(METADATA) setup.py tools/mypyc.ini $(shell find intermediary twisted -name '*.py')

.PHONY: run installed test check bench conformance docs clean
.DEFAULT_GOAL := run

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The package as it is installed, made anew when a source changed.  Nothing of an
# earlier build may get into it.
$(VENV)/.wheel: $(SOURCES) | $(BIN)/python
	@echo "Building the package, which takes some minutes where there is a C compiler."
	rm -rf build $(VENV)/wheel $(VENV)/wheel.log
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(VENV)/wheel \
	    --log $(VENV)/wheel.log .
	@grep -oh 'warning: this will be pure Python.*' $(VENV)/wheel.log || true
	@touch $@

# Looking for the plugins refreshes Twisted's cache of them.
$(VENV)/.run: $(VENV)/.wheel
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps $(VENV)/wheel/*.whl
	$(BIN)/python -m pip install --quiet $(VENV)/wheel/*.whl
	$(BIN)/python -m tools.plugins
	@touch $@

installed: $(VENV)/.run

# What the package needs and what its extras name, without the package: tests and
# checks are of the sources in this folder.
define requirements
$(BIN)/python -m tools.requirements $(1) > $(VENV)/$(1).txt
$(BIN)/python -m pip install --quiet -r $(VENV)/$(1).txt
@touch $@
endef

$(VENV)/.test: $(METADATA) | $(BIN)/python
	$(call requirements,test)

$(VENV)/.dev: $(METADATA) | $(BIN)/python
	$(call requirements,dev)

# A forward proxy on 127.0.0.1:3128 and a reverse proxy on 127.0.0.1:8000, with
# a demo origin behind it; CONFIG=examples/quickstart-cache.toml has a cache.
run: $(VENV)/.run
	@exec examples/quickstart.sh

# All of trial, in two processes beside each other; TESTS=tests.wire runs a part of it
# in one, and REPORTER=verbose names each test before it runs.
TESTS ?=
REPORTER ?= text
test: $(VENV)/.test
	$(BIN)/python -m $(if $(TESTS),twisted.trial --reporter=$(REPORTER) $(TESTS),\
	    tools.trials $(REPORTER))

# Format, lint, types, layers, documentation, an installation without a compiler,
# and the tests of the compiled package.
check: $(VENV)/.dev
	$(BIN)/python -m tools.check $(CHECKS)

# Against nginx, HAProxy and Squid, which the machine must have.
bench: $(VENV)/.run $(VENV)/.test
	$(BIN)/python -m benchmarks $(BENCH)

# The public tests of HTTP caches, which npm installs; needs node.
conformance: $(VENV)/.run $(VENV)/.test
	$(BIN)/python -m benchmarks conformance $(CONFORMANCE)

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) build dist docs/_build _trial_temp* .mypy_cache .ruff_cache .hypothesis
	rm -rf *.egg-info .coverage* twisted/plugins/dropin.cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
