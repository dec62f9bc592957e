# SPDX-License-Identifier: Apache-2.0
#
# `make demo` and `make test` need only Python 3.11 to 3.13 and a C++ compiler; they create .venv
# and install everything else into it.

JOBS ?= 2
python := .venv/bin/python
sixg := .venv/bin/sixg

.PHONY: help install demo default-model test lint format clean

help:
	@echo "make demo    simulate a small 6G network, fit a model to it, let an agent act; all in demo-out/"
	@echo "make test    lint, type-check and test"
	@echo "make lint    the checks of 'make test' that run no code"
	@echo "make format  put the code into the project's format"
	@echo "make default-model  simulate what the packaged model learns from and fit it anew"
	@echo "make clean   remove everything that these commands made, except .venv"

install:
	@tools/bootstrap.sh

demo: install
	$(sixg) doctor
	$(sixg) sweep examples/quickstart_sweep.yaml --out demo-out/dataset --jobs $(JOBS)
	$(sixg) traces demo-out/dataset --plot
	$(sixg) sweep examples/calibration_sweep.yaml --out demo-out/calibration --jobs $(JOBS) >demo-out/calibration.txt
	$(sixg) calibrate demo-out/calibration --out demo-out/model --html demo-out/report.html
	rm -rf demo-out/episodes
	$(sixg) run leave_slow_trunk --agent rules --seed 51 --out demo-out/episodes
	$(sixg) verify demo-out/episodes/*

default-model: install
	for sweep in design operation trouble; do for file in calibration/$$sweep/*.yaml; do \
	    $(sixg) sweep $$file --out build/traces/$$(basename $$file .yaml)_$$sweep --jobs $(JOBS) || exit; \
	done; done
	$(sixg) calibrate build/traces/* --out experiment_model/default --what-ifs 3 \
	    --html build/default-model.html

lint: install
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m mypy

test: lint
	$(python) -m pytest -n $(JOBS) --dist loadscope

format: install
	$(python) -m ruff check --fix
	$(python) -m ruff format

clean:
	rm -rf build demo-out *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
