# Two commands do everything on a machine with Python 3.11 or later, pip and make: `make demo`, `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
# The versions that the tests run with; pip's own cache makes a second environment quick.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# On Linux the public index has torch with CUDA, some gigabytes; the CPU is enough. TORCH_INDEX is the address of another index to take
# torch from, such as that of CPU builds which PyTorch's installation page names. Without it uv, where it is installed and no index is
# chosen by PIP_INDEX_URL, knows that index; pip does not, and takes what its own index has.
TORCH_INDEX ?=
BUILD := build/demo
LAVA := .venv-lava

.PHONY: help demo test lava lint format kernels docs docs-pages clean form mypy pyright
.DELETE_ON_ERROR:

help: ## Show what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 14

demo: $(STAMP) ## Compile the shipped example, prove it multiplication-free, run it on real images
	@mkdir -p $(BUILD)
	@echo "== Compile the trained network to 8-bit integers"
	$(BIN)/snncc compile examples/digits_mixer.pth -o $(BUILD)/digits.snncc \
	    --normalize 0.3,0.35 --calibrate examples/digits.npz:x_cal
	@echo
	@echo "== Is it multiplication-free?"
	$(BIN)/snncc verify $(BUILD)/digits.snncc
	@echo
	@echo "== Run it on 500 images it has never seen, beside the original network"
	$(BIN)/snncc run $(BUILD)/digits.snncc examples/digits.npz:x_test --labels y_test \
	    --reference logits -o $(BUILD)/outputs.npz

# Without a Python 3.10 the tests of Lava are skipped, and pytest's summary says so.
test: $(DEV_STAMP) ## Run the whole test suite, with Lava where there is a Python 3.10
	@[ -n "$$SNNCC_LAVA_PYTHON" ] || $(MAKE) --no-print-directory lava || \
	    echo "make test: no Lava environment, its tests are skipped" >&2
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lava: $(STAMP) ## Make the Lava environment of the tests (Python 3.10, from the PATH or pyenv)
	$(BIN)/snncc doctor --make-lava $(LAVA)

lint: form mypy pyright ## Format, lint and type checks; `make -j lint` does them side by side

form: $(DEV_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

mypy: $(DEV_STAMP)
	$(BIN)/mypy

pyright: $(DEV_STAMP)
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(DEV_STAMP) ## Put the code in the house's form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

kernels: $(DEV_STAMP) ## Write the code of the simulator's units that the package ships
	NUMBA_CPU_NAME=generic NUMBA_CPU_FEATURES= $(BIN)/python -m snncc.backends.cpu.vm.compiler \
	    backends/cpu/vm/units.ll.gz

docs: $(VENV)/bin/python ## Build the documentation as a site, in build/site
	$(PIP) -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

docs-pages: $(STAMP) ## Write the pages that come from commands and registries
	$(BIN)/python docs/tools/cli_reference.py
	$(BIN)/python docs/tools/layers_table.py

clean: ## Remove what was built
	rm -rf $(VENV) $(LAVA) build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "== Install snncc and what it needs into $(VENV): minutes the first time, most of them for torch"
	@if [ -n "$(TORCH_INDEX)" ]; then \
	    echo "   torch from $(TORCH_INDEX)"; $(PIP) --index-url "$(TORCH_INDEX)" torch; \
	elif [ -z "$$PIP_INDEX_URL" ] && command -v uv > /dev/null; then \
	    echo "   torch for the CPU, by uv"; \
	    uv pip install --quiet --python $(BIN)/python --torch-backend cpu -c constraints.txt torch || \
	        echo "   uv cannot: pip takes what its index has" >&2; \
	else \
	    echo "   torch from pip's index, on Linux perhaps with CUDA (gigabytes); TORCH_INDEX=URL takes another"; \
	fi
	$(PIP) -e '.[compile]'
	@echo "   torch $$($(BIN)/python -c 'import torch; print(torch.__version__)')"
	@touch $@

# spikingjelly asks for torchvision and torchaudio, which it does not need here: --no-deps.
$(DEV_STAMP): $(STAMP)
	$(PIP) -e '.[compile,dense,onnx,events,report,cluster,dev]'
	$(PIP) --no-deps spikingjelly
	@touch $@
