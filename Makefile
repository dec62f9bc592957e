# SPDX-License-Identifier: Apache-2.0
#
# `make demo` and `make test` need only Python 3.11 to 3.13 and a C++ compiler; they create .venv
# and install everything else into it.

JOBS ?= 2
python := .venv/bin/python
sixg := .venv/bin/sixg

.PHONY: help install demo test lint format clean

help:
	@echo "make demo    simulate a small 6G network, write a dataset and pictures to demo-out/"
	@echo "make test    lint, type-check and test"
	@echo "make lint    the checks of 'make test' that run no code"
	@echo "make format  put the code into the project's format"
	@echo "make clean   remove everything that these commands made, except .venv"

install:
	@tools/bootstrap.sh

demo: install
	$(sixg) doctor
	$(sixg) sweep examples/quickstart_sweep.yaml --out demo-out/dataset --jobs $(JOBS)
	$(sixg) traces demo-out/dataset --plot

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
