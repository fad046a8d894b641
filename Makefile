# Two commands do everything on a fresh machine with Python 3.11, make and git: `make repro` and `make test`.
PYTHON ?= python3.11
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)
export DO_NOT_TRACK := true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false
PYTEST := $(BIN)/pytest -q

.DEFAULT_GOAL := help
.PHONY: help venv lock init repro benchmark readme tune dashboard ui report lint format
.PHONY: test test-core test-pipeline test-pytorch test-tfkeras test-parity clean

help: ## list every target
	@grep -hE '^[a-zA-Z_.-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

venv: .venv/.installed ## make the virtual environment from requirements.lock

mlflow.db: | .venv/.installed
	$(BIN)/condense init

init: .venv/.installed ## create the tracking database; mark runs whose process is gone as killed
	$(BIN)/condense init

repro: .venv/.installed mlflow.db ## everything: data, methods, judge, report (what is up to date is not run again)
	$(BIN)/dvc repro
	@$(BIN)/condense comparison

report: .venv/.installed ## build the comparison from the metrics files and print it
	$(BIN)/condense report
	@$(BIN)/condense comparison

benchmark: .venv/.installed mlflow.db ## all methods on real data, for days; ONLY=mnist/mps2u/50 a part, BUDGET=600 seconds a cell
	@$(BIN)/condense benchmark --only '$(ONLY)' --budget '$(BUDGET)'

readme: .venv/.installed ## write the benchmark's results into README.md
	$(BIN)/condense benchmark readme

tune: .venv/.installed mlflow.db ## search the parameters of `tuning.default` on validation images, then report
	$(BIN)/dvc repro tuning/dvc.yaml
	$(BIN)/condense report

dashboard: .venv/.installed ## the studies of all searches on http://127.0.0.1:8080
	@test -x $(BIN)/optuna-dashboard || { echo "optuna-dashboard is not installed; $(BIN)/pip install '.[tune]'" >&2; exit 2; }
	@test -e optuna.journal || { echo "there is no optuna.journal yet; make tune" >&2; exit 2; }
	$(BIN)/optuna-dashboard optuna.journal --host 127.0.0.1 --port 8080

ui: mlflow.db ## the MLflow UI on http://127.0.0.1:5000
	$(BIN)/mlflow server --backend-store-uri sqlite:///mlflow.db --default-artifact-root mlartifacts --host 127.0.0.1 --port 5000

lint: .venv/.installed ## ruff, mypy and the rules of who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) tests/pipeline/test_imports.py -k "not loads_only"

test: test-core test-pipeline test-pytorch test-tfkeras test-parity ## all tests, one process for each framework

test-core: .venv/.installed ## tests of core, data and selection
	$(PYTEST) tests/core

test-pipeline: .venv/.installed ## tests of stages, report, command line and DVC
	$(PYTEST) tests/pipeline

test-pytorch: .venv/.installed ## tests of everything in PyTorch
	$(PYTEST) tests/pytorch

test-tfkeras: .venv/.installed ## tests of everything in TensorFlow
	$(PYTEST) tests/tfkeras

test-parity: .venv/.installed ## tests that both frameworks compute the same
	$(PYTEST) tests/parity

format: .venv/.installed ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what can be made again: checkpoints, single runs and caches of tools
	rm -rf .condense runs .mypy_cache .ruff_cache .pytest_cache

lock: ## write requirements.lock anew from pyproject.toml (names and versions only)
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --upgrade setuptools '.[dev,tune]'
	.venv-lock/bin/pip freeze --all --exclude pip --exclude wheel --exclude condensation > requirements.lock
	rm -rf .venv-lock
