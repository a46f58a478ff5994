# `make` alone lists the targets. Needs Python >= 3.11 and a package index; everything else goes into .venv.

PYTHON ?= python3
VENV := .venv
TOOL := .uv
BIN := $(VENV)/bin
STAMP := $(VENV)/.synced

# Certificates of the system count when there are any: a company's own authority stands there.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS := 1
endif

.DELETE_ON_ERROR:
.PHONY: help venv demo up test faults check bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: $(STAMP) ## set up .venv

demo: $(STAMP) ## start everything, send the example requests, show what happened, stop
	$(BIN)/wafd demo

up: $(STAMP) ## start everything and leave it running until Ctrl-C
	@$(BIN)/wafd up

test: $(STAMP) ## run the tests
	$(BIN)/pytest

faults: $(STAMP) ## break everything for long: fifty kills a point; prints the table of docs/reliability.md
	WAFD_FAULTS=long $(BIN)/pytest tests/faults

check: $(STAMP) ## check format, lint, types, layers, schemas and compose.yaml
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/wafd schemas check
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml

bench: $(STAMP) ## measure throughput and latency, on Apache Kafka where Java and Maven are there
	@if command -v java >/dev/null && command -v mvn >/dev/null; \
	  then $(BIN)/python -m tests.kafka $(BIN)/wafd bench all --kafka {kafka}; \
	  else echo 'No Java or Maven: measuring on the embedded broker' >&2; $(BIN)/wafd bench all; fi

clean: ## remove .venv, caches and the data of `make up`
	rm -rf $(VENV) $(TOOL) .wafd .kafka .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# Made anew only when the dependencies change: uv.lock is the truth, the index only delivers.
$(STAMP): pyproject.toml uv.lock
	@command -v $(PYTHON) >/dev/null || \
	  { echo "no $(PYTHON) on the PATH: install Python 3.11 or newer, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1 | head -n 1) but Wafd needs Python 3.11 or newer: run make PYTHON=/path/to/one" >&2; exit 1; }
	@echo 'Setting up $(VENV) (a minute or two the first time)' >&2
	@if command -v uv >/dev/null; then uv=uv; else \
	  uv=$(TOOL)/bin/uv; \
	  [ -x $$uv ] || { $(PYTHON) -m venv $(TOOL) && $(TOOL)/bin/python -m pip install --quiet --disable-pip-version-check uv; } || \
	    { echo "uv could not be installed with $(PYTHON): see above; on Debian install python3-venv" >&2; exit 1; }; \
	fi; \
	env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT=$(VENV) \
	  $$uv sync --quiet --frozen --all-extras --python "$$(command -v $(PYTHON))"
	@touch $@
