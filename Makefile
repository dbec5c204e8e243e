# Paths are relative throughout, so the checkout may lie anywhere.
PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

# Directories too: their times tell of removed files.
SOURCES := setup.py pyproject.toml $(wildcard README.md model-index.yml) \
	$(shell find umurl_mmaction tools configs \
	\( -name '.*' -o -name __pycache__ \) -prune -o -print 2>/dev/null)

# Neither may stand in for something missing in the environment.
export PYTHONNOUSERSITE := 1
unexport PYTHONHOME

.PHONY: help quickstart test lint clean

help:
	@echo 'make quickstart  set up $(VENV), then pre-train, probe and retrieve'
	@echo '                 on a procedural skeleton set'
	@echo 'make test        set up $(VENV), then run the test suite'
	@echo 'make lint        set up $(VENV), then run ruff, mypy and'
	@echo '                 import-linter'
	@echo 'make clean       remove $(VENV), caches and build leftovers'
	@echo
	@echo 'PYTHON=python3.12   the Python (3.9 or later) to make $(VENV) with'
	@echo 'PIP_ARGS="..."      added to every pip install, such as an index'
	@echo '                    with a CPU-only torch'
	@echo 'PYTEST_ARGS="..."   added to the pytest command line'

quickstart: $(VENV)/.package
	@$(BIN)/python tools/quickstart.py

# A process for each core, of one thread each. The script rather than `python -m pytest`: that one would put this
# directory first on the path, and the tests are to see what is installed.
test: $(VENV)/.package $(VENV)/.tests
	@OMP_NUM_THREADS=1 $(BIN)/python $(BIN)/pytest -n auto $(PYTEST_ARGS)

lint: $(VENV)/.tests
	@echo '== ruff'
	@$(BIN)/python -m ruff check .
	@echo '== mypy'
	@$(BIN)/python -m mypy
	@echo '== import-linter'
	@$(BIN)/lint-imports --no-cache

clean:
	rm -rf $(VENV) build dist umurl_mmaction.egg-info umurl_mmaction/.mim
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find umurl_mmaction tools configs tests -name __pycache__ \
	    -prune -exec rm -rf {} + 2>/dev/null || true

# A target is touched only when all of its recipe went well, so that what was
# interrupted is done again.
$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { \
	    echo 'No $(PYTHON) here: install Python 3.9 or later, or name one' \
	        'with PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' || { \
	    echo "Python 3.9 or later is needed, $(PYTHON) is" \
	        "$$($(PYTHON) --version 2>&1): name another with PYTHON=..." \
	        >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo '$(PYTHON) lacks the venv module: install it (on Debian and' \
	        'Ubuntu: apt install python3-venv)' >&2; exit 1; }
	@echo "== $(VENV) with $$($(PYTHON) --version 2>&1)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.runtime: requirements/torch.txt requirements/runtime.txt \
		$(VENV)/.created
	@echo '== installing torch (the longest step)'
	@$(PIP) install -qq --only-binary :all: -r requirements/torch.txt \
	    -c requirements/runtime.txt $(PIP_ARGS)
	@echo '== installing MMAction2 and the rest'
	@$(PIP) install -qq --only-binary :all: --no-deps \
	    -r requirements/runtime.txt $(PIP_ARGS)
	@$(BIN)/python -W ignore -c 'import cv2, matplotlib, mmcv, mmengine, \
	    pkg_resources, scipy, sklearn, tensorboard, torch'
	@touch $@

$(VENV)/.tests: requirements/tests.txt $(VENV)/.runtime
	@echo '== installing the test tools'
	@$(PIP) install -qq --only-binary :all: --no-deps \
	    -r requirements/tests.txt $(PIP_ARGS)
	@touch $@

# What the build leaves beside the sources would, found from here, hide the
# installed package from `mim`.
$(VENV)/.package: $(SOURCES) $(VENV)/.runtime
	@echo '== installing umurl_mmaction'
	@$(PIP) install -qq --no-deps --no-build-isolation --force-reinstall .
	@rm -rf build umurl_mmaction.egg-info
	@touch $@
