# One command per wish; `make help` lists them. Everything runs from .venv, which the first call creates.
# The stamp files inside .venv remember what is installed, so pip runs again only when a requirements file changed.

VENV ?= .venv
PY   := $(VENV)/bin/python
PIP  := $(PY) -m pip install -qq --disable-pip-version-check
# LOCKED=1 installs exactly what the lock files name, checked by its hashes: see docs/installation.md.
LOCKED ?=
DEV  := $(VENV)/.stamp-dev$(if $(LOCKED),-locked)
LAB  := $(VENV)/.stamp-lab

# The Python that creates .venv: the first of these that is 3.11, 3.12 or 3.13, or the one you name.
PYTHON    ?=
CANDIDATES = $(or $(PYTHON),python3 python3.12 python3.13 python3.11)
NO_PYTHON  = needs Python 3.11, 3.12 or 3.13: install one, or name it with PYTHON=/path/to/python
SUPPORTED  = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# What the model runs on decides which set is installed; override with `make setup MODEL=cpu` or MODEL=gpu.
ifdef MODEL
WHY := MODEL=$(MODEL) was given
$(if $(filter cpu gpu,$(MODEL)),,$(error MODEL is cpu or gpu, not "$(MODEL)"))
else
SMI := $(shell command -v nvidia-smi 2>/dev/null)
GPU_NAME := $(if $(SMI),$(shell nvidia-smi -L 2>/dev/null | sed -n '/^GPU/{s/^GPU [0-9]*: //;s/ .UUID.*//;p;q;}'))
override MODEL := $(if $(GPU_NAME),gpu,cpu)
WHY := $(if $(GPU_NAME),nvidia-smi names a GPU: $(GPU_NAME),no NVIDIA GPU: nvidia-smi $(if $(SMI),names none,is not installed))
endif
MODEL_REQS  = $(if $(filter gpu,$(MODEL)),requirements.txt,requirements-cpu.txt)
MODEL_SET   = $(VENV)/.stamp-$(MODEL)$(if $(LOCKED),-locked)

# Notebooks in the order they build on each other. From 02 on they load a model.
DEMO_NOTEBOOKS  = $(sort $(wildcard notebooks/0[0-5]_*.ipynb))
TRAIN_NOTEBOOKS = $(sort $(wildcard notebooks/0[1-5]_*.ipynb))
NEEDS_MODEL     = $(filter-out notebooks/00_% notebooks/01_%,$(1))
# What `make audit` looks up; --strict lets it fail where a package could not be looked up.
AUDITED = requirements.txt requirements-cpu.txt requirements-dev.txt
# Extra words for the program behind a target: make bench ARGS="--against ../tau-bench"
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-fast train report notebook bench lint format data tiny-base reference address scaleout-test clean check lock lock-check newest reliability audit docs

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEV) $(MODEL_SET)  ## create .venv and install everything (done by the other targets when needed)
	@echo "$(VENV) is ready with requirements-dev.txt and $(MODEL_REQS) ($(WHY))"

check:  ## what this machine is, what is installed, and which profiles will run here
	@for python in $(PY) $(CANDIDATES); do \
	  $$python -c '$(SUPPORTED)' >/dev/null 2>&1 && exec $$python -m pipeline.installation.check $(if $(filter MODEL=%,$(WHY)),--set $(MODEL)) $(ARGS); \
	done; \
	echo "$(NO_PYTHON)"; exit 2

demo: $(if $(call NEEDS_MODEL,$(DEMO_NOTEBOOKS)),$(DEV) $(MODEL_SET),$(DEV))  ## run notebooks 00 to 05 on the CPU, write outputs/demo/report.html
	@CUDA_VISIBLE_DEVICES= UNSLOTH_FORCE_CPU=1 $(PY) -m pipeline.chain --run demo -p PROFILE tiny $(ARGS) $(DEMO_NOTEBOOKS)

# A file at a time in each process, with one thread each: two torch processes with more threads than cores stand still.
TEST_SIDE_BY_SIDE = -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(DEV) $(MODEL_SET)  ## run every test, notebooks and training on the CPU included
	@OMP_NUM_THREADS=1 $(PY) -m pytest $(TEST_SIDE_BY_SIDE) $(ARGS)

test-fast: $(DEV)  ## run the quick tests: under a minute, no torch
	@$(PY) -m pytest -n logical --dist loadfile -m "not torch and not slow and not notebook" $(ARGS)

train: $(DEV) $(MODEL_SET)  ## the same chain for a real model (01 to 05): make train PROFILE=gpu24
	$(if $(call NEEDS_MODEL,$(TRAIN_NOTEBOOKS)),,$(error no notebook that trains is in notebooks/ yet: `make demo` runs what is there))
	@$(PY) -m pipeline.chain --run train -p PROFILE $(or $(PROFILE),auto) $(ARGS) $(TRAIN_NOTEBOOKS)

report: $(DEV)  ## write a run's report.html again: make report RUN=demo
	@$(PY) -m pipeline.report_page $(or $(RUN),demo)

notebook: $(LAB)  ## open the notebooks in JupyterLab
	@$(VENV)/bin/jupyter lab --LabApp.default_url=/lab/tree/notebooks $(ARGS)

bench: $(DEV)  ## measure speed: ratios in one table, growth, load; writes docs/speed.md
	@$(PY) -m benchmarks $(ARGS)

reliability: $(DEV) $(MODEL_SET)  ## try to break it: hostile input and faults by the million; writes docs/reliability.md
	@$(PY) -m reliability $(ARGS)

lint: $(DEV)  ## check code, which way imports point, and that notebooks hold no output
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports --no-cache
	@$(VENV)/bin/nbstripout --verify --keep-id notebooks/*.ipynb

format: $(DEV)  ## let ruff and nbstripout put code and notebooks in order
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/nbstripout --keep-id notebooks/*.ipynb

lock: $(DEV)  ## write requirements*.lock again: all packages with hashes; newer ones with ARGS=--upgrade
	@$(PY) -m pipeline.installation.lock write $(ARGS)

lock-check: $(if $(OFFLINE),$(PY),$(DEV))  ## do the lock files hold what requirements*.txt ask for? OFFLINE=1 only reads
	@$(PY) -m pipeline.installation.lock check $(if $(OFFLINE),--offline) $(ARGS)

# Unsloth comes first and alone, as always; the others are the newest releases that it still works with.
newest: | $(PY)  ## put the newest releases into .venv instead of the pinned ones, as the nightly run does
	@echo "installing the newest of requirements-dev.txt and $(MODEL_REQS): $(WHY)"
	@$(PIP) --upgrade --no-deps unsloth unsloth_zoo
	@$(PY) -m pipeline.installation.pins unpinned --within unsloth --within unsloth_zoo requirements-dev.txt $(MODEL_REQS) > $(VENV)/newest.txt
	@$(PIP) --upgrade -r $(VENV)/newest.txt
	@touch $(DEV) $(MODEL_SET)

data: $(DEV)  ## write the shop and all task files again (always the same bytes), 3.5k.jsonl included
	@$(PY) -m envs.retail.make_shop $(ARGS)
	@$(PY) -m envs.retail.make_data

docs: $(DEV)  ## write the parts of docs/ that are made from the code again
	@$(PY) -m pipeline.docs

tiny-base: $(DEV) $(MODEL_SET)  ## pre-train the tiny GPT-OSS that stands in for the 20B on a CPU
	@$(PY) -m pipeline.tiny.base $(ARGS)

reference: $(DEV) $(MODEL_SET)  ## measure the numbers README and notebooks show: three seeds, most of an hour on 2 cores
	@$(PY) -m pipeline.reference $(ARGS)

address: $(DEV)  ## write where the project can be cloned from into badges and first cells: make address REPO=owner/name
	@$(PY) -m pipeline.address $(REPO) $(ARGS)

audit: .venv-audit/.stamp  ## look every pinned package up in PyPI's list of known vulnerabilities (needs the network)
	@.venv-audit/bin/pip-audit --strict --no-deps --disable-pip --desc off $(foreach file,$(AUDITED),-r $(file)) $(ARGS)

# SLOW=1 adds a training step of each: verl's trainer on Ray, SkyRL's on its JAX backend (five more minutes on 2 cores).
scaleout-test: .venv-verl/.stamp .venv-skyrl/.stamp  ## run the tests that need verl and SkyRL, in environments of their own (4 GB)
	@PYTHONPATH=. $(if $(SLOW),RETAIL_VERL_RAY=1) .venv-verl/bin/python -m pytest tests/scaleout/verl $(ARGS)
	@PYTHONPATH=. $(if $(SLOW),SKYRL_JAX=1) .venv-skyrl/bin/python -m pytest tests/scaleout/skyrl $(ARGS)

clean:  ## remove .venv and caches; runs in outputs/ stay
	rm -rf $(VENV) .venv-verl .venv-skyrl .venv-audit .pytest_cache .ruff_cache .hypothesis unsloth_compiled_cache

$(PY):
	@for python in $(CANDIDATES); do \
	  $$python -c '$(SUPPORTED)' >/dev/null 2>&1 || continue; \
	  echo "creating $(VENV) with $$($$python --version)"; \
	  $$python -m venv $(VENV) && exit 0; \
	  rm -rf $(VENV); echo "install Python's venv module first (Debian, Ubuntu: apt install python3-venv)"; exit 1; \
	done; \
	echo "$(NO_PYTHON)"; exit 1

# A lock holds everything, so pip has nothing to resolve; the stamps of an unlocked setup are set with it.
LOCKS = $(VENV)/.stamp-dev-locked $(VENV)/.stamp-cpu-locked $(VENV)/.stamp-gpu-locked
$(VENV)/.stamp-dev-locked: requirements-dev.lock
$(VENV)/.stamp-cpu-locked: requirements-cpu.lock
$(VENV)/.stamp-gpu-locked: requirements.lock
$(LOCKS): | $(PY)
	@echo "installing $< with hashes$(if $(filter $@,$(MODEL_SET)),: $(WHY)) (once, some minutes)"
	@$(PIP) --require-hashes --no-deps -r $<
	@touch $@ $(@:-locked=)

$(VENV)/.stamp-dev: requirements-dev.txt | $(PY)
	@echo "installing $< (once, about a minute)"
	@$(PIP) -r $<
	@touch $@

# Unsloth goes in by itself, without its dependencies: requirements-cpu.txt says why.
$(VENV)/.stamp-cpu: requirements-cpu.txt
$(VENV)/.stamp-gpu: requirements.txt
$(VENV)/.stamp-cpu $(VENV)/.stamp-gpu: | $(PY)
	@echo "installing $<: $(WHY) (once, some minutes)"
	@grep -v '^unsloth' $< > $@.deps && $(PIP) -r $@.deps
	@$(PIP) --no-deps $$(grep '^unsloth' $<)
	@rm $@.deps && touch $@

# SkyRL wants Python 3.12.
PYTHON312 ?= python3.12

.venv-%/.stamp: requirements-scaleout-%.txt | $(PY)
	@echo "installing $< into .venv-$* (once, some minutes)"
	@python=$(if $(filter skyrl,$*),$(PYTHON312),$(PY)); $$python -m venv .venv-$* || { echo "could not make .venv-$* with $$python: install it, or name another with PYTHON312=/path/to/python3.12"; exit 1; }
	@.venv-$*/bin/pip install -qq --disable-pip-version-check -r $<
	@touch $@

.venv-audit/.stamp: requirements-audit.txt | $(PY)
	@echo "installing $< into .venv-audit (once)"
	@$(PY) -m venv .venv-audit && .venv-audit/bin/pip install -qq --disable-pip-version-check -r $<
	@touch $@

$(LAB): requirements.txt | $(DEV)
	@echo "installing JupyterLab (once)"
	@$(PIP) $$(grep '^jupyterlab==' $<)
	@touch $@
