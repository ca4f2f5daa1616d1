# Lockstep. `make demo` runs the main job, `make test` passes the tests; both need Python 3.11 or newer and nothing else.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 3  # on 2 cores; tests also wait for other processes

.PHONY: help env env-dev demo check test test-full soak bench format screenshots pictures compare-pictures requirements

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env:  ## build .venv with what it takes to run
	@$(PYTHON) scripts/make_env.py run

env-dev:  ## build .venv with the test and check tools as well
	@$(PYTHON) scripts/make_env.py dev

demo: env  ## run Lockstep and Documo with demo people; Ctrl-C stops
	@$(BIN)/lockstep up

check: env-dev  ## formatting, lint, types, layering
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy bench scripts  # apart: these find each other by their folder, tests find them by their whole name
	$(BIN)/lint-imports

# Where the environment forbids compiled files, each test process of each run would rewrite the assertions of all tests.
test test-full: export PYTHONDONTWRITEBYTECODE =

test: env-dev  ## the tests (at most 10 minutes on 2 cores); ends with the ten that took longest
	$(BIN)/python -m pytest -m "not full and not soak" -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations 10 --durations-min 1

test-full: env-dev  ## large counts, outside suites, PostgreSQL servers (at most 40 minutes on 2 cores)
	@$(BIN)/python scripts/full_prerequisites.py
	$(BIN)/python -m pytest -m "full" --timeout 1500 -n 2 --dist loadfile --no-loadscope-reorder --durations 20 --durations-min 1

soak: env-dev  ## open-ended: faults, kills, fuzzing
	LOCKSTEP_TEST_EXAMPLES=soak $(BIN)/python -m pytest -m "soak" --timeout 0

bench: env-dev  ## measure; prints JSON
	@for file in bench/*.py; do echo "== $$file" >&2; $(BIN)/python $$file || exit 1; done

format: env-dev  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: env-dev  ## pictures of every page, both themes, three widths, into screenshots/
	@$(BIN)/python scripts/full_prerequisites.py
	$(BIN)/python -m tests.browser.take_screenshots $(PAGES)

pictures: env-dev  ## approve how every page looks now; look at the pictures of make screenshots first
	@$(BIN)/python scripts/full_prerequisites.py
	$(BIN)/python -m tests.browser.page_pictures approve

compare-pictures: env-dev  ## say which pages look different than they were approved
	@$(BIN)/python scripts/full_prerequisites.py
	$(BIN)/python -m tests.browser.page_pictures compare

requirements: env-dev  ## pin again, after a change to dependencies
	$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -o requirements.txt
	$(BIN)/uv pip compile -q requirements-dev.in --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -o requirements-dev.txt
	$(BIN)/uv pip compile -q requirements-build.in -c requirements-dev.txt --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -o requirements-build.txt
