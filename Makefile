# Two commands are enough: make report, make test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN ?=

export PYTHONHASHSEED := 0
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help report test lint format lab bench peers data-extra lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

report: $(READY) ## run the chain on the bundled prices and print the path of the report (RUN="-p name=value" sets parameters)
	@$(BIN)/xcoll run $(RUN)

test: lint ## all tests, lint included
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY) ## ruff over code and notebooks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(READY) ## let ruff repair what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lab: $(READY) ## JupyterLab with a kernel named xcoll
	@$(BIN)/jupyter lab --notebook-dir=notebooks

bench: $(READY) ## speed against the peers that are installed, in one run (five minutes)
	@$(BIN)/python -m tests.benchmarks

peers: $(READY) ## install the other peers of make bench into .venv (numbagg, statsforecast, DCC packages)
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-bench.lock

SOLVE := uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --upgrade --no-header --quiet

data-extra: $(READY) ## install what `xcoll data fetch` needs (ccxt, as it is locked) into .venv
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock

lock: $(READY) ## solve the dependencies again (needs uv)
	$(SOLVE) -o requirements.lock >/dev/null
	$(SOLVE) --extra bench -c requirements.lock \
		$$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements.lock | sort -u) \
		| sed '/^# The following packages/,$$d' > requirements-bench.lock

clean: ## remove the environment, all runs and caches
	rm -rf $(VENV) build *.egg-info .ruff_cache .pytest_cache .hypothesis
	find reports -mindepth 1 ! -name README.md ! -name example.png -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another with make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "making $(VENV) (about two minutes, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m ipykernel install --sys-prefix --name xcoll --display-name xcoll >/dev/null
	@$(BIN)/xcoll warm
	@touch $@
