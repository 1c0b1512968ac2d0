# Every target sets up what it needs. `make help` lists them.

VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
SECONDS ?= 60
MODEL ?= default
SEEDS ?= 1000
FIRST ?= 0
MINUTES ?= 5
JOBS ?= 2
SOURCES := flurm protocol actors supervisors
CHECKED := $(SOURCES) tests bench specs

.DEFAULT_GOAL := help
.PHONY: help demo run test thorough lint fmt types otp sim sim-raft bench slurm failover roots fuzz tla clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/' | sort

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

sim-raft: $(READY) ## Raft clusters alone, on simulated disks and networks (SEEDS=1000 FIRST=0; a failing seed is printed)
	$(PY) -m flurm.simulation raft --seeds $(SEEDS) --first $(FIRST) --processes $$(nproc)

otp: $(READY) ## the process runtime beside bare pykka, and 10,000 random trees against a model of supervision
	$(PY) -m bench.otp
	FLURM_MODEL_RUNS=10000 $(PY) -m pytest tests/otp/test_model.py

bench: $(READY) slurm ## FLURM and Debian's slurmctld side by side, as ratios; what messages cost; one controller and three
	$(PY) -m bench
	$(PY) -m bench --wire
	$(PY) -m bench --members

failover: $(READY) slurm ## kill -9 of the leading controller twenty times under load, gaps measured; cut lines; members that come and go
	FLURM_KILLS=20 FLURM_AWAY=50000 FLURM_THOROUGH=1 $(PY) -m pytest -s --timeout 1200 tests/faults/test_failover.py tests/faults/test_partitions.py tests/faults/test_members.py

roots: $(READY) slurm ## Debian roots with Slurm 24.11 and with the library of 26.05, for tests against them (as root)
	$(PY) -m tests.slurm.roots

sim: $(READY) ## the whole tree of three controllers in simulation (SEEDS=1000 of MINUTES=5 each, in JOBS=2 processes)
	$(PY) -m flurm.cli.main simulate --seeds $(SEEDS) --minutes $(MINUTES) --jobs $(JOBS)

fuzz: $(READY) ## mutated input for every decoder, coverage-guided (SECONDS=60; a failing input is saved here)
	$(VENV)/bin/pip install -q -e '.[fuzz]' || echo 'no atheris here: mutations without guidance'
	$(PY) -m tests.fuzz --seconds $(SECONDS)

tla: $(READY) ## the TLA+ specs on their models (MODEL=large for larger ones), broken rules, the simulator's runs
	@.ci/setup-java
	$(VENV)/bin/pip install -q -e '.[tla]'
	FLURM_TLA=1 $(PY) -m pytest -m tla tests/specs
	$(PY) -m specs --all --model $(MODEL)

clean: ## remove what the targets made here
	rm -rf $(VENV) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
