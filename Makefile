# cwic: `make help` lists the targets. Everything happens in .venv; nothing is installed elsewhere.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test check prose docs web bench results bench-train ablation train-demo clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The codec alone; the stamps make every later run work offline. It is installed again when its C is changed.
$(RUNTIME): pyproject.toml constraints.txt $(wildcard native/*.*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

# Everything. torch comes first and alone, so that pip settles on the build that the machine offers (a CPU build where
# one is at hand) before anything that depends on it is resolved.
$(READY): $(RUNTIME)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(RUNTIME) ## compress the bundled photographs; show a table and a comparison picture
	$(BIN)/python examples/demo.py

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -q

check: $(READY) prose docs ## lint, format, types, spelling and style, and the site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

prose: $(READY) ## check spelling and style of documents and docstrings
	$(BIN)/python tools/prose.py

docs: $(READY) ## build the site into build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python tools/check_site.py build/site

web: ## build web/dist, the page of cwic view; needs clang, lld and npm
	cd web && npm ci --ignore-scripts && npm run build

bench: $(READY) ## encode and decode times beside AVIF
	$(BIN)/python benchmarks/speed.py

results: $(READY) ## measure what changed, with CWIC_DATA=FOLDER of kodak/ and val/; write the tables and curves of README, docs and cards
	$(BIN)/python benchmarks/results.py

bench-train: $(READY) ## patches a second in training, and what the loop adds to the passes
	$(BIN)/python benchmarks/train.py

# DATA: photographs to train on (the default is fetched). VALIDATION and KODAK: to report on.
DATA ?= data/clic
VALIDATION ?= data/kodak
KODAK ?= data/kodak

data/clic data/kodak: | $(READY)
	$(BIN)/cwic data $(@F) --to $@

ablation: $(READY) | $(DATA) $(VALIDATION) $(KODAK) ## train the published network and its ablations, and table them; hours
	$(BIN)/python benchmarks/ablation.py --data $(DATA) --validation $(VALIDATION) --kodak $(KODAK) --runs runs/ablation

train-demo: $(READY) | $(DATA) ## 30 minutes of training from nothing to a weight file, on two cores
	$(BIN)/cwic train recipes/cwic-s.toml --data $(DATA) --run runs/demo --time-budget 22m --processes 2
	$(BIN)/cwic train recipes/cwic-s-finish.toml --data $(DATA) --run runs/demo-finish --time-budget 5m --processes 2 \
	  --resume runs/demo/final.ckpt --export runs/demo.safetensors

clean: ## remove the environment, caches and outputs
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist examples/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
