# `make` lists the commands. Everything runs in .venv, which is made on first use.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Extra arguments for the tool a target runs: make test ARGS="-k ledger", make demo ARGS="--keep".
ARGS ?=
# How many stories of the simulator, and the first of them.
SEEDS ?= 2000
FIRST ?= 0
# Files of tests that run at the same time; most of them wait for something most of the time.
WORKERS ?= 2
# What runs the tests among the checks. `make test` runs them too: who runs both may put `true` here.
CHECK_TESTS ?= $(BIN)/python -m pytest -q
# The interpreter to make .venv with, where the newest one found is not the one wanted.
export PYTHON

# Of `make fuzz`: the directory that atheris is in, what (all in turn), how long each, and where to keep
# what opens new branches.
ATHERIS ?=
TARGET ?= all
FUZZ_SECONDS ?= 60
CORPUS ?=

# Of `make faults`: events to produce, strikes among them, and the seed of both; how long Planhat stalls
# with SCENARIO=stall.
EVENTS ?= 30000
STRIKES ?= 12
SEED ?= 1
STALL_SECONDS ?= 60

# Of `make soak`: how long (SECONDS=600 instead of HOURS), events a second, and the members' mode (or passthrough).
HOURS ?= 1
SECONDS ?=
RATE ?= 300
MODE ?= api

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-compiled simulate faults soak test-planhat-live check lint types contracts pins audit docs-check alerts-check schemas-check deploy-check format docs alerts dashboard schemas requirements bench bench-full bench-growth bench-pipeline bench-avro bench-quota flame fuzz image-soak status-screenshot wheel wheel-compiled up down clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv with the pinned requirements (every target does so by itself)

demo: $(INSTALLED) ## watch events go from an embedded broker into a sandbox of Planhat
	$(BIN)/streamer demo $(ARGS)

test: $(INSTALLED) ## run every test; those against a real Kafka where there is one to be had
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-compiled: $(INSTALLED) ## compile what events come through; its tests, SEEDS=2000 of the simulator, a comparison of answers and a real Kafka on that (needs a C compiler)
	$(BIN)/python -m tests.compiled --seeds $(SEEDS) --first $(FIRST)

simulate: $(INSTALLED) ## the engine under chance, SEEDS=100000 from FIRST=0 on; or one SCRIPT=<file>
	$(BIN)/python -m tests.simulation $(if $(SCRIPT),--script $(SCRIPT),--seeds $(SEEDS) --first $(FIRST)) $(ARGS)

faults: $(INSTALLED) ## strike a real Kafka, members and the sandbox: EVENTS=1000000 STRIKES=100 takes a quarter of an hour; or SCENARIO=stall
	$(BIN)/python -m tests.faults $(if $(SCENARIO),--scenario $(SCENARIO) --seconds $(STALL_SECONDS),\
		--events $(EVENTS) --strikes $(STRIKES) --seed $(SEED)) $(ARGS)

soak: $(INSTALLED) ## hours of mixed load with faults on real parts, watched for what grows: HOURS=8 RATE=100, or SECONDS=600
	$(BIN)/python -m tests.soak $(if $(SECONDS),--seconds $(SECONDS),--hours $(HOURS)) --rate $(RATE) --mode $(MODE) --seed $(SEED) $(ARGS)

test-planhat-live: $(INSTALLED) ## ask a real Planhat tenant what we assume of it (see CONTRIBUTING)
	@test -n "$$STREAMER_TEST_PLANHAT_API_TOKEN" -a -n "$$STREAMER_TEST_PLANHAT_TENANT_TOKEN" \
		-a -n "$$STREAMER_TEST_PLANHAT_API_URL" || { echo "set STREAMER_TEST_PLANHAT_API_TOKEN," \
		"_TENANT_TOKEN and _API_URL: a tenant of yours that may be written to"; exit 2; }
	$(BIN)/python -m pytest -v -k real_tenant tests/planhat_contract $(ARGS)

check: lint types contracts pins audit docs-check alerts-check schemas-check deploy-check ## everything that needs no running: lint, types, contracts, docs, alerts, schemas, manifests

lint: $(INSTALLED) ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## mypy, strict
	$(BIN)/mypy

contracts: $(INSTALLED) ## which room may import which; names, sizes, docstrings
	$(BIN)/lint-imports
	$(CHECK_TESTS) tests/test_architecture.py

pins: $(INSTALLED) ## pinned requirements are in step with pyproject.toml, and it with the rest
	$(BIN)/python tools/requirements.py check
	$(CHECK_TESTS) tests/test_pyproject.py

audit: $(INSTALLED) ## known vulnerabilities of what is pinned; says so where nobody can be asked
	PYTHONPATH=. $(BIN)/python tools/audit.py $(ARGS)

docs-check: $(INSTALLED) ## generated tables, commands and links of the documentation are true
	$(BIN)/python tools/docs.py check
	$(CHECK_TESTS) tests/test_docs.py

alerts-check: $(INSTALLED) ## the PrometheusRule is in step with the alert rules
	$(BIN)/python tools/alerts.py check

schemas-check: $(INSTALLED) ## the Avro schemas fit every version of them that was released
	$(BIN)/python tools/schemas.py check

deploy-check: $(INSTALLED) ## Kubernetes manifests, compose file, dashboards, Dockerfile
	$(CHECK_TESTS) tests/deploy -m "not real_kafka"

format: $(INSTALLED) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED) ## write the generated tables in docs/ anew
	$(BIN)/python tools/docs.py write

alerts: $(INSTALLED) ## write the PrometheusRule anew from the alert rules
	$(BIN)/python tools/alerts.py write

dashboard: $(INSTALLED) ## write Grafana's dashboard anew from its table of panels
	$(BIN)/python tools/dashboard.py write

schemas: $(INSTALLED) ## make what has changed in the Avro schemas their next version
	$(BIN)/python tools/schemas.py freeze

requirements: $(INSTALLED) ## write the pinned requirements anew (ARGS=--upgrade for newer versions)
	$(BIN)/python tools/requirements.py compile $(ARGS)

bench: $(INSTALLED) ## measure streamer beside its rivals on a backlog in a real Kafka (ARGS="--only streamer,careful")
	$(BIN)/python -m benchmarks.compare $(ARGS)

bench-full: $(INSTALLED) ## the same with 1,000,000 events, three rounds, latency, drain and a SIGKILL; writes docs/performance.md
	$(BIN)/python -m benchmarks.compare --events 1000000 --repeats 3 --beside latency,drain,kill --write $(ARGS)

bench-growth: $(INSTALLED) ## what work costs as it grows: partitions, keys, size, backlog, replicas (a quarter of an hour)
	$(BIN)/python -m benchmarks.growth --write $(ARGS)

bench-pipeline: $(INSTALLED) ## measure the pipeline alone, with the sandbox (ARGS="--events 50000")
	$(BIN)/python -m benchmarks.pipeline $(ARGS)

bench-avro: $(INSTALLED) ## measure what reading Avro costs, by the readers made for schemas and by fastavro (a minute)
	$(BIN)/python -m benchmarks.avro $(ARGS)

flame: $(INSTALLED) ## draw where an event's CPU goes, before the hot path was gone through and now (two minutes; ARGS="--before COMMIT")
	$(BIN)/python -m benchmarks.flame --write $(ARGS)

fuzz: $(INSTALLED) ## fuzz all that reads what others wrote, or one TARGET=replies: ATHERIS=<where it is installed> FUZZ_SECONDS=60 (see CONTRIBUTING)
	PYTHONPATH=.:$(ATHERIS) $(BIN)/python -m tests.fuzz --target $(TARGET) --seconds $(FUZZ_SECONDS) $(if $(CORPUS),--corpus $(CORPUS))

bench-quota: $(INSTALLED) ## measure how much of Planhat's quota a saturated group uses (six minutes)
	$(BIN)/python -m benchmarks.quota $(ARGS)

image-soak: ## build the image by buildah and run it as a pod would (minutes; wants root and Debian's tools)
	tools/image_soak.sh

status-screenshot: $(INSTALLED) ## make docs/status.png anew: the status page of a demo, as Chromium shows it (two minutes)
	$(BIN)/python -m tools.status_screenshot $(ARGS)

wheel: $(INSTALLED) ## build the wheel into dist/
	$(BIN)/python -m hatchling build -t wheel

wheel-compiled: $(INSTALLED) ## build it with what events come through compiled, for this Python and platform alone (needs a C compiler)
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(BIN)/python -m hatchling build -t wheel

up: ## the whole picture in containers: Kafka, registry, sandbox, streamer, Prometheus, Grafana
	docker compose --profile load --profile monitoring up --build --detach

down: ## stop those containers and forget what they hold
	docker compose --profile load --profile monitoring down --volumes

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements-dev.txt pyproject.toml tools/bootstrap.sh
	@tools/bootstrap.sh $(VENV)
	@touch $@
