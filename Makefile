# Everything a person does with this project. `make help` explains each.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
# A script that runs make in the background hands down that interrupts are ignored. Pulumi ends its
# plugins by an interrupt, and would wait 5 s at the end of every run for those written in Python.
ifneq ($(shell env --default-signal=INT echo yes 2>/dev/null),)
SHELL := $(shell command -v env)
.SHELLFLAGS := --default-signal=INT /bin/bash $(.SHELLFLAGS)
endif
.DEFAULT_GOAL := help
# Python keeps what it has compiled: pip does not compile, and every run starts several processes.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help venv up preview status destroy lab-up lab-down test test-unit simulate lint faults bench lock docs

STACK ?= dev
PYTHON := .venv/bin/python

# The embedded Kubernetes serves the stacks whose context is its own; any other stack has a cluster.
LAB_CONTEXT := ^[^\#]*context[\"']?: *[\"']?etcd-lab([\"'},[:space:]]|\$$)
LAB := $(shell grep -Eqs "$(LAB_CONTEXT)" Pulumi.$(STACK).yaml && echo lab-up)
# Pulumi, its plugins and kubectl: the lab's, or for another cluster what is installed.
ENTER := . $(if $(LAB),.lab/env,.lab/own/env) && export PATH="$(CURDIR)/.venv/bin:$$PATH"
PULUMI := $(ENTER) && pulumi --non-interactive --color=never --stack $(STACK)

help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
	@echo
	@echo "STACK=$(STACK): another stack is chosen by STACK=name, with its Pulumi.name.yaml."

up: select ## build what is missing, then `pulumi up`: from nothing to a balanced etcd cluster
	@$(PULUMI) up --yes --skip-preview
	@$(ENTER) && $(PYTHON) -m components.status --stack $(STACK)
	@$(ENTER) && echo "Endpoint: $$(pulumi stack output endpoint --stack $(STACK))"
	@echo "Your first key:"
ifdef LAB
	@echo "  . .lab/env"
	@echo "  etcdctl put greeting hello"
	@echo "  etcdctl get greeting"
else
	@grep -Eqs '^ +create: true' Pulumi.$(STACK).yaml && \
	  echo "  pulumi stack output kubeconfig --show-secrets --stack $(STACK) > kubeconfig" && \
	  echo '  export KUBECONFIG="$$PWD/kubeconfig"' || true
	@$(ENTER) && $(PYTHON) -m components.status --stack $(STACK) --first-key
endif

preview: select ## show what `make up` would do
	@$(PULUMI) preview --diff

status: $(if $(LAB),privileges) venv $(if $(LAB),,own) ## health of the cluster and of the lab; exit code not 0 when something is wrong
	@$(if $(LAB),$(PYTHON) -m lab status)
	@$(ENTER) && $(PYTHON) -m components.status --stack $(STACK)

destroy: select ## `pulumi destroy`: the cluster goes (its volumes too, unless storage.retain)
	@$(PULUMI) destroy --yes --skip-preview

lab-up: privileges venv ## start the embedded Kubernetes alone
	@$(PYTHON) -m lab up

lab-down: privileges venv ## remove the embedded Kubernetes and every trace of it
	@$(PYTHON) -m lab down

test: privileges venv ## all tests, on labs of their own
# Before the tests: a build takes minutes, which are not those that a test may take, and is shown.
	@$(PYTHON) -m lab build
	@$(PYTHON) -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder $(ARGS)

test-unit: venv ## the tests that need neither network nor Kubernetes, in seconds
	@$(PYTHON) -m pytest tests/unit tests/program $(ARGS)

simulate: venv ## run the rules alone in simulated lives in which things break (LIVES=5000)
	@$(PYTHON) -m tests.simulation --lives $(or $(LIVES),5000)

lint: venv ## ruff and pyright
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/pyright

faults: privileges venv ## break things for real and see what holds (SCENARIOS="1 16a", REPEAT=10, BROKEN=name)
	@$(PYTHON) -m tests.faults $(SCENARIOS) --repeat $(or $(REPEAT),1) $(if $(BROKEN),--broken $(BROKEN))

bench: privileges venv ## measure what docs/measurements.md says (REPEAT=3)
	@$(PYTHON) -m bench --repeat $(or $(REPEAT),3)

docs: venv ## write the tables of configuration and outputs from the schema
	@$(PYTHON) docs/reference.py

lock: ## renew the locked dependencies from requirements*.in
	@python3 -m venv .lab/uv && .lab/uv/bin/pip install -q uv
	@for set in requirements requirements-dev; do \
	  .lab/uv/bin/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --no-header \
	    $$set.in -o $$set.txt; done

.PHONY: select
select: $(if $(LAB),privileges) venv $(LAB) $(if $(LAB),,own)
	@$(ENTER) && pulumi stack select --create --non-interactive --color=never $(STACK)

# Before the packages, which take a minute.
.PHONY: privileges
privileges:
	@python3 -m lab.privileges

.PHONY: own
own: venv
	@$(PYTHON) -m lab own

venv: .venv/done

.venv/done: requirements-dev.txt
	@echo "python: installing the locked packages into .venv"
	@python3 -m venv .venv
	@.venv/bin/pip install -q --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt
	@touch $@
