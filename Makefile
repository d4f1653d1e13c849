# The two commands a user needs: `make sync` and `make test`. The rest is for contributors.
VENV ?= .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --constraint constraints.txt
PIP_SHOWN = $(BIN)/python -m pip install --constraint constraints.txt
PYTHON ?= python3
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
export OMP_NUM_THREADS ?= 2

.PHONY: help sync check test test-all lint format typecheck golden bench setup clean

help:  ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -e 's/:.*## /\t/' | expand -t 14

# The tool alone: enough to regenerate files, and quick to install.
$(BIN)/.tool: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

# Everything the tests run on. The CPU build of torch is enough, and far smaller; where its index
# cannot be reached, the default index provides torch.
$(BIN)/.dev: $(BIN)/.tool
	@# Without --quiet: this is the one download that takes a while, and pip shows how far it is.
	$(BIN)/python -c "import torch" 2>/dev/null || \
		$(PIP_SHOWN) --retries 0 --timeout 15 --index-url $(TORCH_INDEX) torch 2>/dev/null || \
		$(PIP_SHOWN) torch
	@# Alone: it must not replace that torch by the one that its own index has.
	$(BIN)/python -m pip show --quiet torchvision 2>/dev/null || \
		$(PIP_SHOWN) --no-deps --retries 0 --timeout 15 --index-url $(TORCH_INDEX) torchvision 2>/dev/null || \
		$(PIP_SHOWN) --no-deps torchvision
	$(PIP) --editable ".[dev]"
	@# One that was built for another torch does not import; everything in .venv then declares what it misses.
	$(BIN)/python -c "import torchvision" 2>/dev/null || { \
		site=$$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") && \
		cp codegen/verify/at_start.py $$site/declared_operators.py && \
		echo "import declared_operators" > $$site/declared_operators.pth; }
	@touch $@

setup: $(BIN)/.dev  ## Install everything into .venv

sync: $(BIN)/.tool  ## Regenerate generated/ from definitions/
	$(BIN)/python -m codegen sync

check: $(BIN)/.tool  ## Tell what is out of sync
	$(BIN)/python -m codegen check

test: $(BIN)/.dev  ## Lint, type-check and run the tests (not the long sweeps)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m codegen check
	@# A process a core (eight at most: each holds torch), with one thread each.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 8 --dist worksteal

test-all: $(BIN)/.dev  ## All tests, the long sweeps included
	$(BIN)/python -m pytest

lint: $(BIN)/.dev  ## Lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

format: $(BIN)/.dev  ## Format our own sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(BIN)/.dev  ## Record expected outputs anew; review the diff
	$(BIN)/python -m pytest -m "not slow" --update-golden

bench: $(BIN)/.dev  ## Measure fidelity and speed on a release
	$(BIN)/python -m benchmarks.fidelity --release 5.8.1 5.23.0
	$(BIN)/python -m benchmarks.meaning
	$(BIN)/python -m benchmarks.meaning --library diffusers
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.helpers

clean:  ## Remove the environment and caches
	rm -rf $(VENV) .codegen_cache .pytest_cache .mypy_cache .ruff_cache
