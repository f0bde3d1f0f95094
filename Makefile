# make run   set everything up and start it          make test   set up what the tests need and run them all
# make help  lists the rest

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.made-from
UV_VERSION := 0.13.9
# The environment is made anew when the lock changes.
WANTED := $(shell cat requirements.lock .python-version 2>/dev/null | cksum | tr -d ' ')

.PHONY: help run test env setup lint lock audit faults clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

run: env ## set up, train, migrate, seed a demo, start, print the addresses
	@$(PY) -m bot.cli run

test: env ## set up what the tests need and run every test
	@$(PY) -m bot.operate.test_setup
	@$(PY) -m pytest -n 2 --dist loadfile --max-worker-restart 0 $(TESTS)

setup: env ## everything a run needs, without starting it
	@$(PY) -m bot.cli setup

lint: env ## style
	@$(PY) -m ruff check bot actions tests && $(PY) -m ruff format --check bot actions tests

lock: env ## resolve the dependencies in pyproject.toml anew
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/uv pip compile pyproject.toml --extra test --universal \
		--python $(PY) --generate-hashes --quiet -o requirements.lock

audit: env ## what is known to be wrong with the locked packages (needs the index; fails without its data)
	@$(VENV)/bin/uv tool run --python $(PY) --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes -r requirements.lock

faults: env ## break every part while somebody tells of harm; writes the table in docs/safety_case.md
	@$(PY) -m tests.journeys.chaos

clean: ## remove the environment and the demo's data
	rm -rf $(VENV) var

# Python 3.10 if it is here, else uv, which can fetch one; else say what is missing.
env:
	@if [ "$$(cat $(STAMP) 2>/dev/null)" = "$(WANTED)" ]; then exit 0; fi; \
	set -e; \
	echo "Making the Python environment (about two minutes the first time) …"; \
	rm -rf $(VENV); \
	if python3.10 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null; then \
		python3.10 -m venv $(VENV) || { echo "earshot: Python 3.10 has no venv module. On Debian/Ubuntu: apt-get install python3.10-venv"; exit 1; }; \
		$(PY) -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)" \
			|| { echo "earshot: could not fetch uv. Is there a network, and room on the disk?"; exit 1; }; \
	elif command -v uv >/dev/null; then \
		uv venv --quiet --seed --python 3.10 $(VENV) \
			|| { echo "earshot: uv could not fetch Python 3.10. Is there a network?"; exit 1; }; \
		uv pip install --quiet --python $(PY) "uv==$(UV_VERSION)" \
			|| { echo "earshot: could not fetch uv. Is there a network, and room on the disk?"; exit 1; }; \
	else \
		echo "earshot: Python 3.10 is missing, and so is uv, which could fetch it."; \
		echo "         Install one of them: 'pip install uv' (any Python 3), or your system's python3.10."; \
		exit 1; \
	fi; \
	$(VENV)/bin/uv pip install --python $(PY) --require-hashes -r requirements.lock \
		|| { echo "earshot: the packages could not be installed. Is there a network, and room on the disk (3 GB)?"; exit 1; }; \
	printf '#!/bin/sh\ncd "$(CURDIR)" && exec "$(CURDIR)/$(PY)" -m bot.cli "$$@"\n' > $(VENV)/bin/earshot; \
	chmod +x $(VENV)/bin/earshot; \
	printf '%s' "$(WANTED)" > $(STAMP)
