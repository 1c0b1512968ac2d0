# Every target sets up what it needs. `make help` lists them.

VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
SECONDS ?= 60
SOURCES := flurm protocol actors supervisors
CHECKED := $(SOURCES) tests bench

.DEFAULT_GOAL := help
.PHONY: help demo run test thorough lint fmt types otp bench slurm roots fuzz clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/' | sort

$(READY): pyproject.toml .ci/setup-python
	@.ci/setup-python $(VENV)
	@touch $@

demo: $(READY) ## start a cluster, run `echo Hello FLURM` on it, show its output and the queue, stop it
	@$(PY) -m flurm.cli.demo

run: $(READY) ## the same, and stay in the foreground until interrupted
	@$(PY) -m flurm.cli.demo --stay

slurm: ## install the Debian packages that tests with real Slurm need (as root; otherwise those tests are skipped)
	@.ci/setup-debian

test: $(READY) slurm ## all tests
	$(PY) -m pytest

thorough: $(READY) slurm ## all tests, and those that the default run leaves out for time
	FLURM_THOROUGH=1 $(PY) -m pytest

lint: $(READY) ## style, types, layers
	$(VENV)/bin/ruff format --check $(CHECKED)
	$(VENV)/bin/ruff check $(CHECKED)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

fmt: $(READY) ## format the code
	$(VENV)/bin/ruff format $(CHECKED)
	$(VENV)/bin/ruff check --fix $(CHECKED)

types: $(READY) ## types alone
	$(VENV)/bin/mypy

otp: $(READY) ## the process runtime beside bare pykka, and 10,000 random trees against a model of supervision
	$(PY) -m bench.otp
	FLURM_MODEL_RUNS=10000 $(PY) -m pytest tests/otp/test_model.py

bench: $(READY) slurm ## FLURM and Debian's slurmctld side by side, as ratios; then what packing and unpacking messages costs
	$(PY) -m bench
	$(PY) -m bench --wire

roots: $(READY) slurm ## Debian roots with Slurm 24.11 and with the library of 26.05, for tests against them (as root)
	$(PY) -m tests.slurm.roots

fuzz: $(READY) ## mutated input for every decoder, coverage-guided (SECONDS=60; a failing input is saved here)
	$(VENV)/bin/pip install -q -e '.[fuzz]' || echo 'no atheris here: mutations without guidance'
	$(PY) -m tests.fuzz --seconds $(SECONDS)

clean: ## remove what the targets made here
	rm -rf $(VENV) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
