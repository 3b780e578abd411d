# Everything runs in .venv, which each target makes when it is missing. Python 3.11 or newer is all that is needed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint e2e docs bench sim mutants clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)  ## set up, and see a blue/green deployment on this machine
	$(BIN)/bluegreen demo

test: $(READY)  ## set up, and run the fast tests
	$(BIN)/python -m pytest -q -n auto

lint: $(READY)  ## ruff, mypy --strict, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd cloudinit && ../$(BIN)/mypy --strict --python-version 3.10 *.py
	$(BIN)/lint-imports
	@echo "lint: ruff, mypy --strict and the import rules passed"

e2e: $(READY)  ## the tests on real parts: processes, cloud-init, Docker, a registry, rsyslog (tests/parts)
	$(BIN)/python -m pytest -q -rs -m e2e -n 2 --dist loadgroup

docs: $(READY)  ## write the pages that are made from the code
	$(BIN)/python docs/make.py

bench: $(READY)  ## whole commands, as ratios to a bare interpreter; BENCH=rollback for one, BENCH=build for the image chain
	$(BIN)/python $(if $(filter build,$(BENCH)),bench/build.py,bench/commands.py $(BENCH))

sim: $(READY)  ## random fault schedules on the simulator; SEEDS=100000 for a long run, START=K for others, SWEEP=full for sweeps
	$(BIN)/python -m tests.sim $(if $(SWEEP),--sweep,--seeds $(or $(SEEDS),2000) --start $(or $(START),0))

mutants: $(READY)  ## which changes of the code does no test notice? SAMPLE=200, SEED=1, CHANGED=main, PATHS=bluegreen/core, BUDGET=30, JOBS=1
	$(BIN)/python -m tests.mutants $(PATHS) $(if $(SAMPLE),--sample $(SAMPLE) --seed $(or $(SEED),0)) $(if $(CHANGED),--changed $(CHANGED)) $(if $(BUDGET),--budget $(BUDGET)) --jobs $(or $(JOBS),2)

clean:
	rm -rf .mutants .venv build dist .mypy_cache .ruff_cache .pytest_cache
