# Everything from a fresh clone: `make demo` predicts, `make test` checks.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

.PHONY: help setup demo test clean

help:
	@echo "make demo    3D poses of a sample video, pictures into $(DEMO)/"
	@echo "make test    lint and tests, with everything that learning needs"
	@echo "make setup   only the environment .venv, with everything"

setup: .venv/.dev

demo: .venv/.use
	$(BIN)/camerapose demo --out $(DEMO)

test: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2

# Using takes no torch; learning and the tests do.
.venv/.use: requirements/use.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/use.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/.dev: .venv/.use requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

clean:
	rm -rf .venv $(DEMO) .pytest_cache .ruff_cache
