# Builds, tests and shows iopermit. Needs make, git and Python 3.11 or later.

PYTHON = python3
VENV = .venv
JOBS = 2

.POSIX:
.PHONY: help demo test trees reference reproduce cluster coverage lint lint-github bench fuzz fuzz-designs certificates obligations planted-faults docs docs-site lock hooks package clean install install-dev

help:
	@echo 'make demo      check the design linux-v2-06, which leaks ports'
	@echo 'make test      run the tests, in random order, $(JOBS) at a time'
	@echo 'make coverage  the same, and which lines and branches of iopermit they did not run'
	@echo 'make lint      ruff, mypy, the layers, what GitHub reads, and CITATION.cff'
	@echo 'make hooks     let `git commit` run the linters'
	@echo 'make bench     run the benchmarks'
	@echo 'make fuzz-designs  let every checker judge N=150 random designs of a SEED'
	@echo 'make fuzz      try INPUTS=300 random inputs of each kind of a SEED'
	@echo 'make certificates  certify the designs that hold, and record it for make docs'
	@echo 'make obligations   let z3 discharge what reductions rest on for every design, and record it'
	@echo 'make planted-faults  plant every fault of the corpus in the trees of Debian, and record it'
	@echo 'make trees     test more planted faults and versions of kernel trees than make test'
	@echo 'make reference  compare the search of kernel trees with one without reductions: an hour'
	@echo 'make cluster   kill searches on a cluster, and their workers, ten times each: minutes'
	@echo 'make reproduce  boot Debian kernels, and built ones with planted faults: half an hour;'
	@echo '                with IOPERMIT_KERNEL_TREES=DIR also of the tree of Linux 5.4 in DIR'
	@echo 'make docs      regenerate the generated parts of the documentation'
	@echo 'make docs-site  build the site of docs/ in site/, with the reports of the matrix: minutes at first'
	@echo 'make lock      pin the newest versions of the development tools'
	@echo 'make package   build the wheel, and try it in clean environments (PYTHONS=...)'
	@echo 'make clean     remove all that make and the tools produced'
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

# The figures are of the Python of iopermit itself: emitted code and kernels' C do not count.
coverage: install-dev
	$(VENV)/bin/python -m pytest -n $(JOBS) --cov --cov-report=term --cov-report=xml

lint: install-dev lint-github
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy $$(ls -d src tests benchmarks tools 2>/dev/null)
	$(VENV)/bin/lint-imports

# The schemas come with check-jsonschema: no network is needed.
lint-github: install-dev
	$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.github-issue-config \
		.github/ISSUE_TEMPLATE/config.yml
	$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.github-issue-forms \
		$$(ls .github/ISSUE_TEMPLATE/*.yml | grep -v /config.yml)
	$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.citation-file-format CITATION.cff

bench: install-dev
	$(VENV)/bin/python -m benchmarks

# Goes on where the same SEED stopped: a ledger in .fuzz-designs has what was judged. PORTION ends
# after so many seconds.
N = 150
SEED =
PORTION =
fuzz-designs: install-dev
	@seed='$(SEED)' portion='$(PORTION)'; $(VENV)/bin/python -m tools.fuzz_designs -n $(N) \
	--jobs $(JOBS) $${seed:+--seed $$seed} $${portion:+--seconds $$portion}

# Likewise for random inputs of the command; ENTRIES names some of them.
ENTRIES =
INPUTS = 300
fuzz: install-dev
	@seed='$(SEED)' portion='$(PORTION)'; $(VENV)/bin/python -m tools.fuzz_inputs -n $(INPUTS) \
	--jobs $(JOBS) $${seed:+--seed $$seed} $${portion:+--seconds $$portion} $(ENTRIES)

certificates: install-dev
	$(VENV)/bin/python -m tools.certificates

obligations: install-dev
	$(VENV)/bin/python -m tools.obligations

# Needs the kernel sources that .ci/run installs. Names: FAULTS="own-extent switch-out".
FAULTS =
planted-faults: install-dev
	$(VENV)/bin/python -m tools.planted_faults $(FAULTS)
# More of the tests of kernel trees than `make test` has: a third of the planted faults, every
# version, and a bisection of thirteen. IOPERMIT_TREES=all plants every fault in every tree.
trees: install-dev
	IOPERMIT_TREES=$${IOPERMIT_TREES:-more} $(VENV)/bin/python -m pytest -n $(JOBS) \
	tests/kernel/test_planted_faults.py tests/kernel/test_versions.py \
	tests/cli/sweep/test_revisions.py

# `make test` has a sample of it.
reference: install-dev
	IOPERMIT_REFERENCE=1 $(VENV)/bin/python -m pytest -n $(JOBS) -v \
	tests/kernel/search/test_reference.py

# `make test` kills each of them once.
cluster: install-dev
	IOPERMIT_CLUSTER=1 $(VENV)/bin/python -m pytest -v tests/scale/cluster

# Needs QEMU and the kernels that .ci/run downloads; in a virtual machine only. A tree of Linux 5.4 is
# looked for in the directory that IOPERMIT_KERNEL_TREES names.
reproduce: install-dev
	IOPERMIT_REPRODUCE=1 $(VENV)/bin/python -m pytest -n 1 -v -rP tests/reproduce/test_booted_kernels.py \
		tests/reproduce/test_booted_5_4.py

docs: install-dev
	$(VENV)/bin/python tools/generate_docs.py
	$(VENV)/bin/python -m tools.generate_planted_faults
	$(VENV)/bin/python tools/generate_syscalls.py
	$(VENV)/bin/python tools/generate_events.py
	$(VENV)/bin/python -m tools.generate_codes
	$(VENV)/bin/python -m tools.generate_sweeps
	$(VENV)/bin/python -m tools.generate_json_docs
	$(VENV)/bin/python -m tools.generate_man

# Reports that were made of the same code are kept in .site-reports. No page loads anything from
# elsewhere. SITE=DIR: where to. With -q MkDocs would not count warnings.
SITE = site
docs-site: install-dev
	$(VENV)/bin/python -m tools.site.reports
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict -d '$(SITE)'

# One file for every Python from 3.11 on: where versions differ, it says for which.
lock: install-dev
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --extra dev --upgrade \
		--custom-compile-command 'make lock' -o requirements-dev.lock pyproject.toml

# Needs a package index. PYTHONS="python3.11 /opt/python3.13/bin/python3": those interpreters only.
PYTHONS =
package: install-dev
	$(VENV)/bin/python -m tools.try_package $(PYTHONS)

hooks: install-dev
	$(VENV)/bin/pre-commit install

# Always the default .venv, never another one that VENV may name.
clean:
	rm -rf .coverage .coverage.* coverage.xml .fuzz-designs .fuzz-inputs
	rm -rf .venv build dist site .site-reports .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp in the virtual environment tells what was installed: the directory and the text of
# pyproject.toml, for development that of the lock file too. pip, which needs the network, runs only
# when they differ. They are compared, not their dates: a checkout makes files newer, and a copied
# tree must not run the original.
PIP_INSTALL = $(VENV)/bin/python -m pip install -q --disable-pip-version-check
WANTED = { pwd; cat pyproject.toml; }
WANTED_DEV = { pwd; cat pyproject.toml requirements-dev.lock; }

# With every extra: what the README shows needs them.
install: $(VENV)/bin/python
	@$(WANTED) | cmp -s - $(VENV)/installed || { \
	echo 'installing iopermit into $(VENV)' >&2; \
	$(PIP_INSTALL) -e '.[all]' && $(WANTED) > $(VENV)/installed; }

install-dev: $(VENV)/bin/python
	@$(WANTED_DEV) | cmp -s - $(VENV)/installed-dev || { \
	echo 'installing iopermit and its development tools into $(VENV)' >&2; \
	$(PIP_INSTALL) -r requirements-dev.lock && $(PIP_INSTALL) --no-deps -e . && \
	$(WANTED_DEV) > $(VENV)/installed-dev && $(WANTED) > $(VENV)/installed; }

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo 'iopermit needs Python 3.11 or later; try: make PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	echo 'cannot create $(VENV); on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
