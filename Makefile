# make test    everything that must hold before a change is merged
# make demo    count a real network from a fresh checkout
#
# Both need Python 3.10+ (with venv and headers), a C++20 compiler and make; every other tool is
# installed into .venv, at the versions that constraints.txt names. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

# The network that `make demo` counts.
DEMO_MODEL ?= examples/alexnet.py:alexnet
DEMO_INPUT ?= 1,3,224,224

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# cmake, ninja and the checkers are those of .venv, whatever else is installed.
TOOLS := PATH="$(abspath $(BIN)):$$PATH"
STAMPS := $(VENV)/stamps

CORE_SOURCES := $(sort $(wildcard cpp/quantity/*.cpp cpp/graph/*.cpp cpp/ops/*.cpp cpp/space/*.cpp \
    cpp/query/*.cpp))
CPP_HEADERS := $(sort $(wildcard cpp/*/*.h))
CPP_FILES := $(CPP_HEADERS) $(sort $(wildcard cpp/*/*.cpp bench/*.cpp))
# What the extension module is made of.
EXTENSION_SOURCES := $(CPP_HEADERS) $(CORE_SOURCES) \
    $(sort $(wildcard cpp/bindings/*.cpp cpp/bindings/*.in)) CMakeLists.txt

# The tests compare with these when they are installed. They would pull other builds of torch, so
# they come without their dependencies, and those are named here.
PEERS := torchvision timm fvcore iopath ptflops thop torchinfo torchsummary torchstat \
    pytorch-model-summary torchprofile calflops accelerate
PEER_REQUIREMENTS := transformers safetensors huggingface_hub pillow portalocker psutil pyyaml \
    tabulate termcolor tqdm yacs

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:
	@echo "make demo      count $(DEMO_MODEL) with the installed package"
	@echo "make test      lint, types, stubs, C++ tests, Python tests"
	@echo "               (parts: lint format-check tidy types stubs-check test-cpp test-python)"
	@echo "make sanitize  the C++ tests under the address, undefined-behaviour and thread sanitizers"
	@echo "make bench     the benchmarks of bench/"
	@echo "make format    rewrite the sources in the project's format"
	@echo "make stubs     regenerate python/netledger/_core.pyi"
	@echo "make install   the package, editable, in .venv"
	@echo "make clean     remove what was built; make distclean: and .venv"

# --- environment: each stamp is one step that need not be taken again --------------------------

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "netledger needs Python 3.10 or later")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "cannot create $(VENV): install python3-venv, or set PYTHON=" >&2; exit 1; }

$(STAMPS)/build-tools: pyproject.toml constraints.txt | $(BIN)/python
	@$(BIN)/python scripts/python_headers.py
	$(PIP) install --upgrade "pip>=25.1"
	$(PIP) install --constraint constraints.txt --group build numpy
	@mkdir -p $(@D) && touch $@

$(STAMPS)/package: $(STAMPS)/build-tools $(EXTENSION_SOURCES)
	$(TOOLS) $(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(STAMPS)/torch: constraints.txt | $(STAMPS)/package
	$(PIP) install --constraint constraints.txt torch
	@touch $@

$(STAMPS)/test-requirements: pyproject.toml constraints.txt | $(STAMPS)/torch
	$(PIP) install --constraint constraints.txt --group dev $(PEER_REQUIREMENTS)
	$(PIP) install --constraint constraints.txt --no-deps $(PEERS)
	@touch $@

.PHONY: install
install: $(STAMPS)/package

# --- demo -------------------------------------------------------------------------------------

.PHONY: demo
demo: $(STAMPS)/package $(STAMPS)/torch
	$(BIN)/netledger count $(DEMO_MODEL) --input $(DEMO_INPUT)

# --- test -------------------------------------------------------------------------------------

.PHONY: test lint format-check tidy types stubs-check test-cpp test-python tidy
test: lint format-check types test-cpp stubs-check test-python tidy
	@echo "make test: everything holds"

READY := $(STAMPS)/package $(STAMPS)/test-requirements

lint: $(READY)
	$(BIN)/ruff check .

format-check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $(CPP_FILES)

types: $(READY)
	$(BIN)/mypy

stubs-check: $(READY)
	$(BIN)/python scripts/stubs.py --check
	$(BIN)/python scripts/layer_stubs.py --check
	$(BIN)/python scripts/ops_table.py --check

test-cpp: build/tests/build.ninja
	$(TOOLS) cmake --build --preset tests --parallel $(JOBS)
	$(TOOLS) ctest --preset tests

test-python: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

build/%/build.ninja: CMakeLists.txt CMakePresets.json | $(STAMPS)/build-tools
	$(TOOLS) cmake --preset $*

# clang-tidy looks again only at the files that changed, or whose headers did.
TIDIED := $(CORE_SOURCES:cpp/%.cpp=build/tidy/%.stamp)

tidy: $(READY) build/tests/build.ninja
	@$(MAKE) --no-print-directory --jobs=$(JOBS) --output-sync=target tidied

.PHONY: tidied
tidied: $(TIDIED)
	@true

build/tidy/%.stamp: cpp/%.cpp $(CPP_HEADERS) .clang-tidy
	$(BIN)/clang-tidy -p build/tests --quiet $<
	@mkdir -p $(@D) && touch $@

# --- other --------------------------------------------------------------------------------------

.PHONY: sanitize bench format stubs clean distclean
sanitize: build/sanitize/build.ninja build/thread/build.ninja
	$(TOOLS) cmake --build --preset sanitize --parallel $(JOBS)
	$(TOOLS) ctest --preset sanitize
	$(TOOLS) cmake --build --preset thread --parallel $(JOBS)
	$(TOOLS) ctest --preset thread

bench: $(READY) build/bench/build.ninja
	$(TOOLS) cmake --build --preset bench --parallel $(JOBS)
	@set -e; for program in build/bench/bench/bench_*; do \
	    if test -x "$$program"; then echo "== $$program"; "$$program"; fi; done
	@set -e; for script in bench/*.py; do \
	    if test -f "$$script"; then echo "== $$script"; $(BIN)/python "$$script"; fi; done

format: $(READY)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP_FILES)

stubs: $(READY)
	$(BIN)/python scripts/stubs.py
	$(BIN)/python scripts/layer_stubs.py
	$(BIN)/python scripts/ops_table.py

clean:
	rm -rf build dist wheelhouse .mypy_cache .pytest_cache .ruff_cache .hypothesis

distclean: clean
	rm -rf $(VENV)
