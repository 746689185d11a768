# Every target sets up what it needs first: no system Node, no Docker, no running service.
# make demo: the demo shops.  make up: without demo data.  make test: all tests.

PYTHON ?= python3

# What drives a browser or kills processes comes after the rest, in two lanes: journeys in one, the
# others one after another in the second (tests/conftest.py).
QUIET := not browser and not kill and not slow

.DEFAULT_GOAL := help
.PHONY: help setup demo up stop test mutation bench lint clean

help:
	@echo 'make setup   virtual environment, packages, front end, messages'
	@echo 'make demo    serve the demo: a main site, three sub-sites, a gateway simulator'
	@echo 'make up      serve without demo data'
	@echo 'make stop    stop what runs in the background'
	@echo 'make test    all tests (also brings Chromium and a Chinese font when run as root)'
	@echo 'make mutation  damage the code of money and see which tests notice (an hour)'
	@echo 'make bench   measure'
	@echo 'make lint    format, lint, types, import order'
	@echo 'make clean   delete what setup made (never data)'

setup:
	@$(PYTHON) tools/setup.py

demo: setup
	@.venv/bin/kameng demo

up: setup
	@.venv/bin/kameng up

stop:
	@.venv/bin/kameng stop

test:
	@$(PYTHON) tools/setup.py --test
	@.venv/bin/python -m pytest -n 2 --dist loadfile -m "$(QUIET)" $(ARGS) || [ $$? -eq 5 -a -n "$(ARGS)" ]
	@.venv/bin/python -m pytest -n 2 --dist loadgroup -m "not ($(QUIET))" $(ARGS) || [ $$? -eq 5 -a -n "$(ARGS)" ]

# Not a part of any other target: ARGS="amount state" names slices.
mutation:
	@$(PYTHON) tools/setup.py --test
	@nice .venv/bin/python -m tools.mutation $(ARGS)

bench: setup
	@.venv/bin/kameng bench $(ARGS)

lint: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m tools.house_check
	.venv/bin/python tools/events_doc.py --check
	.venv/bin/python tools/messages.py check
	.venv/bin/kameng manage makemigrations --check --dry-run

clean:
	rm -rf .venv frontend/node_modules src/kameng/web/static/kameng
	find src -name '*.mo' -delete
