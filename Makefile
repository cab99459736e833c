# One word each; `make help` lists them. PYTHON=… chooses the interpreter, JOBS=… the test processes.
SHELL := /bin/bash
JOBS ?= 2
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help quickstart test lint benchmarks lock clean FORCE

help: ## list these commands
	@sed -n 's/^\([.a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

quickstart: $(STAMP) ## generate, train, evaluate and report a first policy; resumes where it stopped
	@start=$$(date +%s) && set -ex && \
	$(BIN)/mmil generate --config configs/generate/quickstart.yaml --out data/quickstart && \
	$(BIN)/mmil train --config configs/train/quickstart.yaml --data data/quickstart --out runs/quickstart && \
	$(BIN)/mmil evaluate runs/quickstart --suite all && \
	$(BIN)/mmil report runs/quickstart && \
	{ set +x; } 2>/dev/null && seconds=$$(($$(date +%s) - start)) && \
	printf 'quickstart took %d min %02d s\n' $$((seconds / 60)) $$((seconds % 60))

test: $(STAMP) ## run the tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

lint: $(STAMP) ## check style and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

benchmarks: $(STAMP) ## measure speed, as ratios within one run
	@$(BIN)/python -m pytest -s tests/benchmarks

lock: $(STAMP) ## write requirements.lock anew from pyproject.toml; UPGRADE=1 takes newer versions
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-annotate --no-header \
	  $(if $(UPGRADE),--upgrade) --output-file requirements.lock pyproject.toml
	@sed -i "s/ and sys_platform == 'linux'$$//; s/ ; sys_platform == 'linux'$$//" requirements.lock

.venv: $(STAMP) ## install everything, from requirements.lock

clean: ## remove .venv, caches and build outputs; data/ and runs/ stay
	@rm -rf .venv build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage *.egg-info
	@find mmil data_tools configs tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The stamp is written last and holds the folder it was made for, so an interrupted or a moved .venv is repaired.
$(STAMP): requirements.lock pyproject.toml $(if $(filter $(CURDIR),$(shell cat $(STAMP) 2>/dev/null)),,FORCE)
	@PYTHON="$(PYTHON)" .ci/install
FORCE:
