# Python comes from the machine; every other tool, Node too, comes pinned and hashed into .venv and node_modules.
PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/.installed
TOOLS := .venv/.installed-tools
LINTERS := node_modules/.installed
BUNDLE := dist/openapi.json
NODE := PATH="$(CURDIR)/$(BIN):$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true REDOCLY_SUPPRESS_NOTIFICATIONS=true
EXAMPLES ?= 1000
SEEDS ?= $(shell date +%s)
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-header --quiet

# Debian's libraries that drive the clients of PHP, Ruby and C#, each with a file to know it by.
library = $(if $(wildcard $(1)),,$(1):$(2))
DRIVEN = $(call library,/usr/share/php/GuzzleHttp/autoload.php,php-guzzlehttp-guzzle) \
	$(call library,/usr/share/php/GuzzleHttp/Psr7/autoload.php,php-guzzlehttp-psr7) \
	$(call library,/usr/share/doc/php-curl,php-curl) $(call library,/usr/share/doc/php-mbstring,php-mbstring) \
	$(call library,/usr/share/doc/ruby-faraday,ruby-faraday) $(call library,/usr/share/doc/ruby-marcel,ruby-marcel) \
	$(call library,/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll,libnewtonsoft-json5.0-cil) \
	$(call library,/usr/share/doc/libmono-system-componentmodel-dataannotations4.0-cil,libmono-system-componentmodel-dataannotations4.0-cil) \
	$(call library,/usr/share/doc/libmono-system-web4.0-cil,libmono-system-web4.0-cil) \
	$(call library,/usr/share/doc/libmono-system-net-http4.0-cil,libmono-system-net-http4.0-cil)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: clients test-clients help run test check fuzz lint generate lock clean static drift style types bench bench-quick profile timing endure

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUNTIME) ## Start the service with a demo inside (PORT=8080 DATABASE_URL=sqlite:///var/music-studio.db)
	@exec $(BIN)/python cli.py up $${PORT:+--port "$$PORT"} $${DATABASE_URL:+--database-url "$$DATABASE_URL"}

test: static ## Prove everything: contract, generated files, style, types, layers, behaviour on both databases
	@$(BIN)/python -m pytest -n 2

endure: $(TOOLS) ## Prove what takes an hour: races, random sequences, crashes, histories, a million collections (PARTS=)
	@$(BIN)/python -m endure $(PARTS)

check: static ## The quick half of test, under a minute: all but the tests marked slow
	@$(BIN)/python -m pytest -n 2 -m "not slow"

lint: $(LINTERS) $(BUNDLE) ## Check the contract against its style guide and the OpenAPI standard
	@$(NODE) node_modules/.bin/spectral lint -r spectral.yaml --fail-severity warn $(BUNDLE)
	@$(NODE) node_modules/.bin/redocly lint openapi/openapi.yaml
	@$(BIN)/openapi-spec-validator openapi/openapi.yaml

fuzz: $(TOOLS) ## Generated requests for long, on both databases (EXAMPLES=1000 SEEDS="1 2 3")
	@for seed in $(SEEDS); do echo "seed $$seed"; SCHEMATHESIS_SEED=$$seed SCHEMATHESIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q -s -n 0 tests/test_schemathesis.py || exit 1; done

generate: $(BUNDLE) ## Write the files under generated/ anew from the contract
	@$(call wire,generated)

clients: $(LINTERS) ## Write the clients in nine languages into dist/clients (LANGUAGES="python go")
	@$(NODE) $(BIN)/python -m clients $(LANGUAGES)

test-clients: clients ## Compile every client and drive it against the live and a nasty server (Go and Rust from the machine)
	@$(call debian,mvn:maven javac:default-jdk-headless php:php-cli ruby:ruby mcs:mono-mcs mono:mono-runtime $(DRIVEN))
	@$(BIN)/python -m pytest -q -n 0 clients/proof

lock: $(TOOLS) ## Renew the lock files after a change of pyproject.toml or package.json
	@$(LOCK) -o requirements.lock
	@$(LOCK) --group dev -c requirements.lock -o requirements-dev.lock
	@$(NODE) npm install --package-lock-only --loglevel=error

bench: $(BUNDLE) ## Compare speed and memory with other frameworks on both databases: about an hour, on a quiet machine
	@$(call debian,wrk:wrk taskset:util-linux)
	@$(BIN)/python -m bench

bench-quick: $(BUNDLE) ## The same in two minutes: fewer frameworks and requests, SQLite only
	@$(call debian,wrk:wrk taskset:util-linux)
	@$(BIN)/python -m bench --quick

timing: $(TOOLS) ## Prove that the id of a stranger and the id of nothing take the same time: half an hour, on a quiet machine
	@$(BIN)/python -m bench.timing

profile: $(TOOLS) ## Say how many microseconds of one GET go to which room
	@$(BIN)/python -m bench.profile

clean: ## Remove all that can be made again; var/ with its database stays
	@rm -rf .venv node_modules dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

static: $(LINTERS) $(BUNDLE)
	@$(MAKE) --no-print-directory -j 2 lint types drift style
types: $(TOOLS)
	@$(BIN)/mypy
drift: $(BUNDLE)
	@$(call wire,dist/generated)
	@diff -u generated/wire.py dist/generated/wire.py || { echo "generated/wire.py is not what the contract says: run make generate"; exit 1; }
style: $(TOOLS)
	@$(BIN)/ruff check --quiet && $(BIN)/ruff format --check --quiet || { echo "To mend most of it: .venv/bin/ruff check --fix; .venv/bin/ruff format"; exit 1; }

# Programs that neither Python's nor Node's registry has, as program:package; installed where apt-get is and root asks.
debian = missing=; for pair in $(1); do command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair\#\#*:}"; done; \
	test -z "$$missing" || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } \
	|| { echo "Install these packages first:$$missing"; exit 1; }

# One way to write the typed bodies, so that `generate` and `drift` cannot differ; the flags stand in pyproject.toml.
wire = mkdir -p $(1) && $(BIN)/datamodel-codegen --input $(BUNDLE) --output $(1)/wire.py

$(BUNDLE): $(TOOLS) edge/contract.py $(shell find openapi -name '*.yaml')
	@mkdir -p $(@D) && $(BIN)/python -m edge.contract > $@

$(RUNTIME): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Music Studio needs Python 3.11 or newer, and $(PYTHON) is %d.%d: name a newer one, as in PYTHON=python3.12." % v[:2])'
	@echo "Installing the service's packages into .venv, once: about half a minute."
	@$(PYTHON) -m venv --clear .venv && $(PIP) -r $< && touch $@

$(TOOLS): requirements-dev.lock $(RUNTIME)
	@echo "Installing the developer's tools into .venv, once: about half a minute."
	@$(PIP) -r $< && touch $@

$(LINTERS): package-lock.json $(TOOLS)
	@echo "Installing the contract's linters into node_modules, once: about ten seconds."
	@$(NODE) npm ci --ignore-scripts --loglevel=error && touch $@
