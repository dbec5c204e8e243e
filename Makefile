# All paths are relative, so that the checkout works in any folder.
PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

# The list includes folders, whose times change when a file is removed.
SOURCES := setup.py pyproject.toml $(wildcard README.md model-index.yml) \
	$(shell find umurl_mmaction tools configs \
	\( -name '.*' -o -name __pycache__ \) -prune -o -print 2>/dev/null)

# These variables could hide a package that the environment lacks.
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

# One process with one thread for each core. `python -m pytest` would put this
# folder first on the path and hide the installed package from the tests.
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

# A target is touched only at the end of its recipe, so that an interrupted
# recipe runs again.
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

# On x86-64 this is the line of the README. Elsewhere MMAction2's decord has no
# wheel, and the list is installed without resolving dependencies.
$(VENV)/.runtime: setup.py $(wildcard requirements/*.txt) $(VENV)/.created
	@echo '== installing torch, MMAction2 and the rest (the longest step)'
ifeq ($(shell uname -m),x86_64)
	@$(PIP) -qq install ".[all]" -c requirements/tested.txt $(PIP_ARGS)
	@rm -rf build umurl_mmaction.egg-info
	@cd $(VENV) && bin/mim train umurl_mmaction --help >mim.log 2>&1 || { \
	    cat mim.log >&2; exit 1; }
else
	@$(PIP) install -qq --only-binary :all: -r requirements/torch.txt \
	    -c requirements/runtime.txt $(PIP_ARGS)
	@$(PIP) install -qq --only-binary :all: --no-deps \
	    -r requirements/runtime.txt $(PIP_ARGS)
endif
# The wheel of OpenCV that needs no libGL replaces the others where there is
# none.
	@$(BIN)/python -c 'import cv2' 2>/dev/null || \
	    $(PIP) install -qq --only-binary :all: --force-reinstall --no-deps \
	    opencv-contrib-python-headless -c requirements/runtime.txt $(PIP_ARGS)
	@$(BIN)/python -W ignore -c 'import cv2, matplotlib, mmcv, mmengine, \
	    pkg_resources, scipy, sklearn, tensorboard, torch'
	@touch $@

$(VENV)/.tests: requirements/tests.txt $(VENV)/.runtime
	@echo '== installing the test tools'
	@$(PIP) install -qq --only-binary :all: --no-deps \
	    -r requirements/tests.txt $(PIP_ARGS)
	@touch $@

# The build leaves files beside the sources, which hide the installed package
# from `mim` in this folder.
$(VENV)/.package: $(SOURCES) $(VENV)/.runtime
	@echo '== installing umurl_mmaction'
	@$(PIP) install -qq --no-deps --no-build-isolation --force-reinstall .
	@rm -rf build umurl_mmaction.egg-info
	@touch $@
