# Everything from a fresh clone: `make demo` predicts, `make test` checks.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST_ARGS ?=
UV ?= uv
INTEROP := .interop
MODEL := Model_Pose2Sim_simple.osim
VIEWER := src/camerapose/view/report/assets

.PHONY: help demo setup lint test test-quick test-interop viewer docs requirements clean

help:
	@echo "make demo         predict 3D poses for a sample video, figures in $(DEMO)/"
	@echo "make setup        create .venv with everything needed for training and tests"
	@echo "make lint         run the linter, the formatter check and the type checker"
	@echo "make test-quick   run the fast tests"
	@echo "make test         run the linter and all tests"
	@echo "make test-interop open exported files in Blender, OpenSim and web viewers (installs 1.5 GB into .interop/)"
	@echo "make viewer       bundle the JavaScript libraries of the HTML report (requires npm)"
	@echo "make docs         build the documentation into site/"
	@echo "make requirements pin the dependencies of pyproject.toml with hashes (requires uv)"

demo: .venv/.use
	$(BIN)/camerapose demo --out $(DEMO)

setup: .venv/.dev

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

test-quick: .venv/.dev
	$(BIN)/python -m pytest -n 2 -m "not slow" $(PYTEST_ARGS)

test: lint
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

test-interop: .venv/.dev $(INTEROP)/.installed
	INTEROP=$(abspath $(INTEROP)) $(BIN)/python -m pytest interop $(PYTEST_ARGS)

# The bundle is committed: neither users nor tests need npm.
viewer:
	npm install --prefix $(VIEWER) --no-audit --no-fund --silent --no-package-lock
	cd $(VIEWER) && { echo '/*'; cat LICENSES.txt; echo '*/'; node_modules/.bin/esbuild libraries.js \
	  --bundle --minify --format=iife --global-name=lib --legal-comments=none; } > libraries.min.js
	cp $(VIEWER)/node_modules/uplot/dist/uPlot.min.css $(VIEWER)/uplot.min.css
	rm -r $(VIEWER)/node_modules

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# Inference needs no PyTorch; training and the tests do. Every file is checked against a hash, except those of PyTorch.
HASHED := $(PIP) --no-deps --require-hashes -r

.venv/.use: requirements/use.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(HASHED) requirements/use.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.use requirements/dev.txt requirements/torch.txt
	$(HASHED) requirements/dev.txt
	$(PIP) -r requirements/torch.txt
	@touch $@

.venv/.docs: .venv/.use requirements/docs.txt
	$(HASHED) requirements/docs.txt
	@touch $@

# The exact versions, with hashes for all platforms, from pyproject.toml. They only change where pyproject.toml requires it,
# or with UPGRADE=--upgrade.
UPGRADE ?=
COMPILE := $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-package torch -c requirements/torch.txt --custom-compile-command "make requirements" $(UPGRADE)

requirements:
	$(COMPILE) --group build -o requirements/use.txt
	$(COMPILE) --extra test --extra lint -c requirements/use.txt -o requirements/dev.txt
	$(COMPILE) --extra docs -c requirements/dev.txt -o requirements/docs.txt

# Large programs, each in an environment of its own. bpy requires Python 3.11.
$(INTEROP)/.installed: interop/package.json
	for program in bpy==5.0.0 opensim==4.6; do \
	  env=$(INTEROP)/$${program%%=*}; \
	  python3.11 -m venv $$env && $$env/bin/python -m pip install --quiet --disable-pip-version-check $$program || exit 1; \
	done
	$(INTEROP)/opensim/bin/python -m pip install --quiet --disable-pip-version-check --no-deps pose2sim==0.10.49
	cp $(INTEROP)/opensim/lib/python3.11/site-packages/Pose2Sim/OpenSim_Setup/$(MODEL) $(INTEROP)/
	cp interop/package.json $(INTEROP)/
	npm install --prefix $(INTEROP) --no-audit --no-fund --silent --legacy-peer-deps
	@touch $@

clean:
	rm -rf .venv $(INTEROP) $(DEMO) site .coverage .mypy_cache .pytest_cache .ruff_cache
