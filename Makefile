# Builds, tests and shows iopermit. Needs make, git and Python 3.11 or later.

PYTHON = python3
VENV = .venv
JOBS = 2

.POSIX:
.PHONY: help demo test lint bench docs clean install install-dev

help:
	@echo 'make demo   check the design linux-v2-06, which leaks ports'
	@echo 'make test   run the tests, in random order, $(JOBS) at a time'
	@echo 'make lint   ruff, mypy and the layers'
	@echo 'make bench  run the benchmarks'
	@echo 'make docs   regenerate the generated parts of the documentation'
	@echo 'make clean  remove all that make and the tools produced'
	@echo 'Variables: PYTHON=$(PYTHON) VENV=$(VENV) JOBS=$(JOBS)'

# The import guards against a broken installation, which would end with status 1 too.
demo: install
	@$(VENV)/bin/python -c 'import iopermit.cli'
	@status=0; $(VENV)/bin/iopermit check linux-v2-06 || status=$$?; \
	if [ $$status -eq 1 ]; then echo 'exit status 1 (violated)'; \
	else echo "exit status $$status, but the leak of linux-v2-06 (exit status 1) was expected" >&2; \
	exit 1; fi

test: install-dev
	$(VENV)/bin/python -m pytest -n $(JOBS)

lint: install-dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy $$(ls -d src tests benchmarks tools 2>/dev/null)
	$(VENV)/bin/lint-imports

bench: install-dev
	$(VENV)/bin/python -m benchmarks

docs: install-dev
	$(VENV)/bin/python tools/generate_docs.py
	$(VENV)/bin/python tools/generate_syscalls.py

# Always the default .venv, never another one that VENV may name.
clean:
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp in the virtual environment tells what was installed: the directory and the text of
# pyproject.toml. pip, which needs the network, runs only when they differ. Both are compared, not
# their dates: a checkout makes files newer, and a copied tree must not run the original.
PIP_INSTALL = $(VENV)/bin/python -m pip install -q --disable-pip-version-check
WANTED = { pwd; cat pyproject.toml; }

install: $(VENV)/bin/python
	@$(WANTED) | cmp -s - $(VENV)/installed || { \
	echo 'installing iopermit into $(VENV)' >&2; \
	$(PIP_INSTALL) -e . && $(WANTED) > $(VENV)/installed; }

install-dev: $(VENV)/bin/python
	@$(WANTED) | cmp -s - $(VENV)/installed-dev || { \
	echo 'installing iopermit and its development tools into $(VENV)' >&2; \
	$(PIP_INSTALL) -e '.[dev]' && $(WANTED) > $(VENV)/installed-dev && \
	cp $(VENV)/installed-dev $(VENV)/installed; }

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo 'iopermit needs Python 3.11 or later; try: make PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	echo 'cannot create $(VENV); on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
