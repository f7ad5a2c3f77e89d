# Python comes from the machine; every other tool, Node too, comes pinned and hashed into .venv and node_modules.
PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/.installed
TOOLS := .venv/.installed-tools
LINTERS := node_modules/.installed
MATERIALS := .venv-sbom/.installed
BUNDLE := dist/openapi.json
NGINX_ERRORS := deploy/nginx/errors.conf
WORKFLOWS := openapi/workflows.arazzo.yaml
NODE := PATH="$(CURDIR)/$(BIN):$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true REDOCLY_SUPPRESS_NOTIFICATIONS=true
EXAMPLES ?= 1000
SOAK_MINUTES ?= 10
DEPLOYED := $(patsubst %,tests/test_%.py,access collections concurrency idempotency preconditions)
SEEDS ?= $(shell date +%s)
CONTRACT := $(shell find openapi tools/contract tools/deploy web/contract -type f -not -name '*.pyc')
# Test databases and logs belong in memory, where a disk of it has a gigabyte to spare.
MEMORY_DISK := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 1000000 {print "/dev/shm"}')
# Some tests wait more than they compute; and a run whose process crashes ends at once.
PYTEST = PYTEST_DEBUG_TEMPROOT=$(or $(MEMORY_DISK),$(TMPDIR),/tmp) $(BIN)/python -m pytest -n 3 --dist loadfile --max-worker-restart 0
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
LOCK := $(BIN)/uv pip compile --universal --generate-hashes --no-header --quiet

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
# Every target in lower-case letters is a command, and no file.
.PHONY: $(shell sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' Makefile)

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUNTIME) ## Start the service with a demo inside (PORT=8080 DATABASE_URL=sqlite:///var/music-studio.db)
	@exec $(BIN)/python -m cli up $${PORT:+--port "$$PORT"} $${DATABASE_URL:+--database-url "$$DATABASE_URL"}

mock: $(RUNTIME) ## Start the contract without a database, for those who write clients (PORT=8080)
	@exec $(BIN)/python -m cli mock $${PORT:+--port "$$PORT"}

quick: style types contract ## The inner loop, under a minute: style, types, contract if it changed, tests on SQLite
	@$(PYTEST) -m "not slow and not postgresql"

check: style types contract ## Before a commit, under three minutes: the same on both databases, but for slow tests
	@$(PYTEST) --all -m "not slow"

test: style types contract ## Everything, under ten minutes: also what is slow, and how much of the contract was exercised
	@($(call debian,redis-server:redis-server)) || echo "Without it the tests that need it are skipped."
	@$(PYTEST) --all --contract-coverage

test-samples: $(LINTERS) ## Run every sample of the reference, in ten languages, against the server with the demo
	@$(call debian,curl:curl openssl:openssl go:golang javac:default-jdk-headless mvn:maven cargo:cargo php:php-cli ruby:ruby)
	@php -m | grep -qx curl || { $(call debian,php-curl:php-curl); }
	@$(MAKE) --no-print-directory clients LANGUAGES="python typescript go rust java"
	@$(BIN)/python -m pytest -q -n 0 tests/proofs/test_samples.py

test-pages: $(LINTERS) ## Open the reference in Chromium, try a request, and leave pictures in dist/screenshots
	@$(call debian,chromium:chromium)
	@$(BIN)/python -m pytest -q -n 0 $(wildcard tests/proofs/test_*browser.py)

endure: $(TOOLS) ## Prove what takes an hour: races, sequences, crashes, histories, a million collections, soak, floods, a fuzz of the wire (PARTS=)
	@$(call debian,wrk:wrk taskset:util-linux)
	@$(BIN)/python -m tools.endurance $(PARTS)

soak: $(TOOLS) ## Hold half of what two workers on PostgreSQL can do: memory, threads and connections stay flat (SOAK_MINUTES=10)
	@$(call debian,wrk:wrk taskset:util-linux)
	@$(BIN)/python -m tools.endurance.soak --minutes $(SOAK_MINUTES)

scaling: $(TOOLS) ## Say what a second worker adds, and the memory of a worker
	@$(call debian,wrk:wrk taskset:util-linux)
	@$(BIN)/python -m tools.endurance.scaling

sizes: $(TOOLS) ## Say what a row costs on PostgreSQL, measured on a million collections
	@$(BIN)/python -m tools.endurance.row_sizes

test-deployments: $(TOOLS) ## Prove the API behind pgbouncer, on tables in parts, and with a read replica
	@$(call debian,pgbouncer:pgbouncer)
	@for on in pooled partitioned replicated; do echo "$$on"; $(BIN)/python -m pytest -q -n 2 --on $$on $$(ls -d tests/deployments/test_$$on.py 2>/dev/null) $(DEPLOYED) || exit 1; done

test-storage: $(TOOLS) ## Prove the audio store on S3, against a server that verifies signatures (Go from the machine)
	@$(BIN)/python -m pytest -q -n 0 tests/storage

lint: $(LINTERS) $(BUNDLE) ## Check the contract against its style guide, the OpenAPI standard and what the service does
	@$(BIN)/python -m web.contract.conformance
	@$(NODE) node_modules/.bin/spectral lint -r spectral.yaml --fail-severity warn $(BUNDLE) $(WORKFLOWS)
	@$(NODE) node_modules/.bin/redocly lint openapi/openapi.yaml $(WORKFLOWS)
	@$(BIN)/openapi-spec-validator openapi/openapi.yaml

breaking: $(LINTERS) $(BUNDLE) ## Compare the contract with the last released one: what broke for whom, and which version it needs
	@$(BIN)/python -m tools.contract.breaking

mutants: $(LINTERS) $(BUNDLE) ## Change the contract in fifty ways, and say which check notices each: ten minutes (EACH=1 place of each kind)
	@$(BIN)/python -m tools.contract.mutation $(if $(EACH),--each "$(EACH)")

swap: $(LINTERS) ## Follow docs/adding-an-operation.md in a copy: types, server, reference and clients must all have it
	@$(BIN)/python -m tools.contract.checklist

fuzz: $(TOOLS) ## Generated requests for long, on both databases (EXAMPLES=1000 SEEDS="1 2 3")
	@for seed in $(SEEDS); do echo "seed $$seed"; SCHEMATHESIS_SEED=$$seed SCHEMATHESIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q -s -n 0 tests/test_schemathesis.py || exit 1; done

generate: $(BUNDLE) ## Write what comes from the contract: generated/, nginx's error pages, the tutorial, docs/openapi.md, the page of the clients
	@$(call wire,generated)
	@$(BIN)/python -m web.contract.compiled > dist/contract.json && mv dist/contract.json generated/
	@$(BIN)/python -m tools.contract.keywords_page
	@$(BIN)/python -m tools.clients.libraries_page
	@$(BIN)/python -m tools.deploy.nginx_errors > $(NGINX_ERRORS)
	@$(call debian,curl:curl)
	@$(BIN)/python -m tools.workflows.tutorial

operations: $(TOOLS) ## Write docs/operations.md: where each operation is declared, tested, shown and driven
	@$(BIN)/python -m tools.contract.operations_page

docs: $(RUNTIME) ## Write the reference as a static site into dist/docs (SERVER=https://music.example)
	@$(BIN)/python -m docsite dist/docs $(if $(SERVER),--server "$(SERVER)")

explorer: $(TOOLS) ## Pack docsite/static/scalar.js with brotli again, after another version was put there
	@$(BIN)/node -e 'const z = require("zlib"), fs = require("fs"), f = "docsite/static/scalar.js"; fs.writeFileSync(f + ".br", z.brotliCompressSync(fs.readFileSync(f)))'

workflows: $(LINTERS) ## Run what a client does step by step, the Arazzo document, against the service and against the mock
	@$(BIN)/python -m tools.workflows

clients: $(LINTERS) ## Write the clients in nine languages into dist/clients (LANGUAGES="python go"; to publish: HOMEPAGE= REPOSITORY= GROUP_ID=)
	@$(NODE) $(BIN)/python -m tools.clients $(LANGUAGES) $(if $(HOMEPAGE),--homepage "$(HOMEPAGE)") \
		$(if $(REPOSITORY),--repository "$(REPOSITORY)") $(if $(GROUP_ID),--group-id "$(GROUP_ID)")

test-clients: clients ## Compile every client and drive it against the live and a misbehaving server (Go and Rust from the machine)
	@$(call debian,mvn:maven javac:default-jdk-headless php:php-cli ruby:ruby mcs:mono-mcs mono:mono-runtime $(DRIVEN))
	@$(BIN)/python -m pytest -q -n 0 tests/clients

test-generators: $(TOOLS) ## Generate clients with third-party generators, compile and drive them; run the Postman collection, the .http file and the published SDK (Go and Rust from the machine)
	@$(BIN)/python -m pytest -q -n 0 tests/third_party

lock: $(TOOLS) ## Renew the lock files after a change of pyproject.toml or package.json
	@$(LOCK) pyproject.toml --extra studio -o requirements.lock
	@$(LOCK) pyproject.toml --extra studio --extra audio --group dev -c requirements.lock -o requirements-dev.lock
	@$(LOCK) --group sbom -o deploy/sbom.lock
	@$(LOCK) tests/third_party/python/requirements.in -o tests/third_party/python/requirements.lock
	@for line in 0 5; do $(LOCK) tests/third_party/sdk/requirements-$$line.in -o tests/third_party/sdk/requirements-$$line.lock || exit 1; done
	@cd tests/third_party/runners && PATH="$(CURDIR)/$(BIN):$$PATH" npm install --package-lock-only --loglevel=error
	@cd tests/third_party/node && PATH="$(CURDIR)/$(BIN):$$PATH" npm install --package-lock-only --loglevel=error
	@$(NODE) npm install --package-lock-only --loglevel=error

bench: $(BUNDLE) ## Compare speed and memory with other frameworks on both databases: about an hour, on a quiet machine
	@$(call debian,wrk:wrk taskset:util-linux)
	@$(BIN)/python -m tools.bench

bench-quick: $(BUNDLE) ## The same in two minutes: fewer frameworks and requests, SQLite only
	@$(call debian,wrk:wrk taskset:util-linux)
	@$(BIN)/python -m tools.bench --quick

timing: $(TOOLS) ## Check that a foreign id and an absent id take the same time: half an hour, on a quiet machine (PARTS="--only job --minutes 6")
	@$(BIN)/python -m tools.bench.timing $(PARTS)

music: $(TOOLS) ## Measure a hundred pieces of the engines, and draw ten into docs/music.md: ten minutes
	@$(BIN)/python -m tools.music

sbom: $(MATERIALS) ## Write dist/sbom.json: what the service is made of, as CycloneDX, the same bytes for the same lock
	@mkdir -p dist && .venv-sbom/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible -o dist/sbom.json

dist: $(LINTERS) ## Write dist/release: contract, Postman collection, .http file, docs, clients, SBOM, digests; the same bytes for the same tree
	@$(BIN)/python -m tools.release

test-delivery: $(BUNDLE) $(MATERIALS) ## Prove the delivery: the real nginx, the image's steps, the unit, the locks (root, or the packages installed)
	@$(call debian,nginx:nginx openssl:openssl systemd-analyze:systemd buildah:buildah mmdebstrap:mmdebstrap)
	@$(BIN)/python -m pytest -n 0 tests/deploy

clean: ## Remove all that can be made again; var/ with its database stays
	@rm -rf .venv node_modules dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Done again only when the contract, or what looks at it, has changed.
contract: dist/.contract
dist/.contract: $(LINTERS) $(BUNDLE) $(CONTRACT) $(NGINX_ERRORS) generated/wire.py generated/contract.json spectral.yaml redocly.yaml CHANGELOG.md pyproject.toml package.json
	@$(MAKE) --no-print-directory -j 2 lint breaking drift && touch $@
types: $(TOOLS)
	@$(BIN)/mypy
drift: $(BUNDLE)
	@$(BIN)/python -m web.contract.compiled | cmp -s - generated/contract.json || { echo "generated/contract.json is not what the contract says: run make generate"; exit 1; }
	@$(call wire,dist/generated)
	@$(BIN)/python -m tools.deploy.nginx_errors | diff -u $(NGINX_ERRORS) - || { echo "$(NGINX_ERRORS) is not what the contract says: run make generate"; exit 1; }
	@diff -u generated/wire.py dist/generated/wire.py || { echo "generated/wire.py is not what the contract says: run make generate"; exit 1; }
style: $(TOOLS)
	@$(BIN)/ruff check --quiet && $(BIN)/ruff format --check --quiet || { echo "To fix most of it: .venv/bin/ruff check --fix; .venv/bin/ruff format"; exit 1; }

# Programs that neither Python's nor Node's registry has, as program:package; installed where apt-get is and root asks.
debian = missing=; for pair in $(1); do command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair\#\#*:}"; done; \
	test -z "$$missing" || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } \
	|| { echo "Install these packages first:$$missing"; exit 1; }

# One way to write the typed bodies, so that `generate` and `drift` cannot differ; the flags stand in pyproject.toml.
wire = mkdir -p $(1) && $(BIN)/datamodel-codegen --input $(BUNDLE) --output $(1)/wire.py

$(BUNDLE): $(TOOLS) $(addprefix web/contract/,document.py bundle.py objects.py yaml_loader.py) $(filter openapi/%.yaml,$(CONTRACT))
	@mkdir -p $(@D) && $(BIN)/python -m web.contract.document > $@

$(RUNTIME): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Music Studio needs Python 3.11 or newer, and $(PYTHON) is %d.%d: name a newer one, as in PYTHON=python3.12." % v[:2])'
	@echo "Installing the service's packages into .venv, once: about half a minute."
	@$(PYTHON) -m venv --clear .venv && $(PIP) -r $<
	@printf '#!/bin/sh\nPYTHONPATH="%s$${PYTHONPATH:+:$$PYTHONPATH}" exec "%s/$(BIN)/python" -m cli "$$@"\n' "$(CURDIR)" "$(CURDIR)" > $(BIN)/music-studio
	@chmod +x $(BIN)/music-studio && touch $@

$(TOOLS): requirements-dev.lock $(RUNTIME)
	@echo "Installing the developer's tools into .venv, once: about half a minute."
	@$(PIP) -r $< && touch $@

$(MATERIALS): deploy/sbom.lock
	@$(PYTHON) -m venv --clear .venv-sbom && .venv-sbom/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $< && touch $@

$(LINTERS): package-lock.json $(TOOLS)
	@echo "Installing the contract's linters into node_modules, once: about ten seconds."
	@$(NODE) npm ci --ignore-scripts --loglevel=error && touch $@
