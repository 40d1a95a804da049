# Builds, tests and shows iopermit. Needs make, git and Python 3.11 or later; `make help` lists the targets.

PYTHON = python3
VENV = .venv
JOBS = 2

.POSIX:
.PHONY: help demo test lint bench docs clean

help:
	@echo 'make demo   check the design linux-v2-06, which leaks ports'
	@echo 'make test   run the tests, in random order, $(JOBS) at a time'
	@echo 'make lint   ruff, mypy and the layers'
	@echo 'make bench  run the benchmarks'
	@echo 'make docs   regenerate the generated parts of the documentation'
	@echo 'make clean  remove all that make and the tools produced'
	@echo 'Variables: PYTHON=$(PYTHON) VENV=$(VENV) JOBS=$(JOBS)'

demo: $(VENV)/installed
	@status=0; $(VENV)/bin/iopermit check linux-v2-06 || status=$$?; \
	if [ $$status -eq 1 ]; then echo 'exit status 1 (violated)'; \
	else echo "exit status $$status, but the leak of linux-v2-06 (exit status 1) was expected" >&2; \
	exit 1; fi

test: $(VENV)/installed-dev
	$(VENV)/bin/python -m pytest -n $(JOBS)

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy $$(ls -d src tests benchmarks tools 2>/dev/null)
	$(VENV)/bin/lint-imports

bench: $(VENV)/installed-dev
	$(VENV)/bin/python -m benchmarks

docs: $(VENV)/installed-dev
	$(VENV)/bin/python tools/generate_docs.py

clean:
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is a copy of the pyproject.toml that was installed. pip runs only when its text changed, so
# that a mere new time stamp (git checkout) needs no network.
$(VENV)/installed: pyproject.toml $(VENV)/bin/python
	@cmp -s pyproject.toml $@ || $(VENV)/bin/python -m pip install -q --disable-pip-version-check -e .
	@cp pyproject.toml $@

$(VENV)/installed-dev: pyproject.toml $(VENV)/bin/python
	@cmp -s pyproject.toml $@ || $(VENV)/bin/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@cp pyproject.toml $@
	@cp pyproject.toml $(VENV)/installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo 'iopermit needs Python 3.11 or later; try: make PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	echo 'cannot create $(VENV); on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
