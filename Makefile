# Every target sets up the environment that it needs, and again only when its lock has changed.
# NB=04 limits `run` and `store` to one notebook.

# Once `make gpu` has found a GPU that works, all targets use its environment.
VENV := $(if $(wildcard .venv-gpu/installed),.venv-gpu,.venv)
PYTHON := $(VENV)/bin/python
READY := $(VENV)/installed
# Made again if its Python has gone: upgraded away, or the folder is a copy from another machine.
ifeq ($(shell [ -x $(PYTHON) ] || echo gone),gone)
.PHONY: $(READY)
endif

# PATH and PYTHONPATH, which hold folders, are split at colons; nbgrader's alembic expands a per cent
# sign. All other characters are tried by tests/test_env.py.
ifneq ($(findstring :,$(CURDIR))$(findstring %,$(CURDIR)),)
$(error Move this folder: its path must not have a colon or a per cent sign, with which not all \
    programs work. It is $(CURDIR) (on Windows use WSL, see docs/install.md))
endif

# What the user has set for another Python, Jupyter, test run or MXNet job must not leak in; where
# files come from, and how a GPU is used, is the user's to say. Kernels: tools/notebook.py.
FOREIGN := PYTHON% PYTEST% HYPOTHESIS% IPYTHON% JUPYTER% MPL% MATPLOTLIB% DMLC_% MXNET_%
KEPT := JUPYTER_TOKEN JUPYTER_PORT JUPYTER_RUNTIME_DIR \
    MXNET_HOME MXNET_GLUON_REPO MXNET_USE_FUSION MXNET_GPU_% MXNET_CUDA_% MXNET_CUDNN_%
unexport $(filter-out $(KEPT),$(filter $(FOREIGN),$(.VARIABLES)))
unexport VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV CDPATH
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
unexport UV_PYTHON UV_SYSTEM_PYTHON UV_PROJECT_ENVIRONMENT
# Nor start-up files in ~/.ipython, or settings in ~/.config/matplotlib.
export IPYTHONDIR := $(CURDIR)/$(VENV)/ipython
export MPLCONFIGDIR := $(CURDIR)/$(VENV)/matplotlib

# Recipes take names of folders from the environment, as they were typed: pasted between quotes, a
# name with an apostrophe would end them, and make would expand a dollar sign.
override SUBMITTED := $(value SUBMITTED)
override OUT := $(value OUT)
override GRADED := $(value GRADED)
override NET := $(value NET)
export SUBMITTED OUT GRADED NET

.DEFAULT_GOAL := help
.PHONY: help setup gpu run all lab test fuzz test-class test-torch test-slurm test-hub lint bench \
    site epub test-browser assignments grade marks challenge lock store zh zh-checked urls \
    check-binder check-container check-platforms

help:  ## This list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(READY)  ## Make .venv (the other targets do it by themselves)

.venv/installed: requirements.txt tools/env.sh
	@tools/env.sh series

gpu: .venv-gpu/installed  ## Make .venv-gpu for an NVIDIA GPU (4 GB); then every target uses it

.venv-gpu/installed: requirements.txt requirements/gpu.txt tools/env.sh tools/gpu.py
	@tools/env.sh gpu

.venv-%/installed: requirements/%.txt tools/env.sh
	@tools/env.sh $*

.venv-site/installed: requirements/npm-site/package-lock.json
.venv-hub/installed: requirements/npm-hub/package-lock.json

# `make run` runs notebook 04, `make run all` every one.
CHOSEN = $(or $(NB),$(if $(filter all,$(MAKECMDGOALS)),,04))

run: $(READY)  ## Train a ResNet-18 (notebook 04), with pages in build/; NB=02 runs another
	@$(PYTHON) -m tools.run_notebooks $(CHOSEN)

all: run  ## With `run`: every notebook, `make run all`

lab: $(READY)  ## Open JupyterLab on the first notebook; OPTIONS="--no-browser" is handed on
	@$(PYTHON) -m jupyterlab --ServerApp.root_dir=. \
	    --LabApp.default_url=/lab/tree/notebooks/01_degradation.ipynb $(OPTIONS)

# A process for each core, four at most: with one thread each MXNet's threads never wait for one
# another. A file, or a notebook with its kernel, stays in one process; the long ones come first.
test: $(READY)  ## Unit tests, notebook rules, and every notebook under nbval
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest notebooks tests --durations=10 \
	    --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder \
	    --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg

fuzz: $(READY)  ## tests/test_fuzz_*.py with 2,000 new examples each, in place of 20
	@HYPOTHESIS_PROFILE=long OMP_NUM_THREADS=1 $(PYTHON) -m pytest tests/test_fuzz_*.py $(OPTIONS)

CLASS ?= 200
test-class: $(READY)  ## A class of 200 is graded overnight, killed on the way; CLASS=30 for fewer
	@CLASS=$(CLASS) OMP_NUM_THREADS=1 $(PYTHON) -m pytest -s tests/test_class.py $(OPTIONS)

test-torch: $(READY) .venv-bench/installed  ## Folds "In PyTorch", and weights to and from it
	@SERIES_PYTHON=$(PYTHON) .venv-bench/bin/python -m pytest -q -c tests/torch/pytest.ini tests/torch $(OPTIONS)

# Namespaces, in which root alone may set up a network; when their first process, sh, has gone, so
# have all others.
test-slurm: $(READY)  ## scripts/train.slurm on a Slurm of two nodes, as root; needs Debian's Slurm
	@[ "$$(id -u)" = 0 ] || { echo 'It sets up a network, so it needs root' >&2; exit 2; }
	@unshare --net --uts --mount --pid --mount-proc --fork --kill-child sh -c '"$$@"; exit $$?' sh \
	    $(PYTHON) -m pytest -q -c tests/slurm/pytest.ini tests/slurm $(OPTIONS)

# In namespaces too, for users and folders that the machine does not have.
test-hub: .venv-hub/installed .venv-browser/installed  ## A week on a JupyterHub in Chromium, as root
	@[ "$$(id -u)" = 0 ] || { echo 'It makes users of its own, so it needs root' >&2; exit 2; }
	@unshare --net --uts --mount --pid --mount-proc --fork --kill-child sh -c '"$$@"; exit $$?' sh \
	    .venv-browser/bin/python -m pytest -c tests/hub/pytest.ini tests/hub $(OPTIONS)

lint: $(READY)  ## Check the style of Python files, notebooks and JavaScript
	@$(PYTHON) -m ruff check
	@$(VENV)/bin/oxlint --deny-warnings docs/static/explore

bench: $(READY) .venv-bench/installed  ## Speed beside PyTorch's and the original lesson's, 40 minutes
	@$(PYTHON) -m benchmarks.fast
	@$(PYTHON) -m benchmarks.bench

site: $(READY) .venv-site/installed  ## Web pages of the texts and the notebooks, as stored, in build/site
	@$(PYTHON) -m tools.explore_data
	@.venv-site/bin/python -m tools.build_site

epub: .venv-site/installed  ## The same as e-books: build/resnet-notebooks.epub, …-zh.epub
	@.venv-site/bin/python -m tools.build_epub

test-browser: $(READY) .venv-browser/installed site epub  ## Site, e-books, JupyterLab in Chromium
	@SERIES_PYTHON=$(PYTHON) .venv-browser/bin/python -m pytest \
	    -c tests/browser/pytest.ini tests/browser $(OPTIONS)

assignments: $(READY)  ## Make assignments/release again from assignments/source
	@$(PYTHON) -m tools.course release

grade: $(READY)  ## Grade a folder or a .zip of submissions: SUBMITTED=folder, OUT=new folder
	@[ -n "$$SUBMITTED" ] || { echo 'Say which folder: make grade SUBMITTED=folder' >&2; exit 2; }
	@$(PYTHON) -m tools.course grade $${OUT:+"--out=$$OUT"} $(OPTIONS) -- "$$SUBMITTED"

marks: $(READY)  ## After grading by hand: feedback and grades.csv again, GRADED=folder
	@[ -n "$$GRADED" ] || { echo 'Say which folder: make marks GRADED=folder' >&2; exit 2; }
	@$(PYTHON) -m tools.course marks -- "$$GRADED"

challenge: $(READY)  ## Train a student's net against the clock: NET=file.py, or a folder
	@[ -n "$$NET" ] || { echo 'Say whose: make challenge NET=file.py' >&2; exit 2; }
	@$(PYTHON) -m tools.challenge $(OPTIONS) -- "$$NET"

lock:  ## For authors: write the locks again, each from its list in requirements/
	@tools/env.sh uv pip compile --quiet --universal --python-version 3.11 \
	    requirements/series.in -o requirements.txt
	@for name in site browser hub; do \
	    tools/env.sh uv pip compile --quiet --universal --python-version 3.11 \
	        requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done

store: $(READY)  ## For authors: execute a notebook and store its outputs; NB=02 takes one
	@$(PYTHON) -m tools.run_notebooks --in-place $(NB)
	@$(PYTHON) -m tools.translate sync

zh: $(READY)  ## For authors: cells of notebooks_zh/ that do not say what the English ones say now
	@$(PYTHON) -m tools.translate

zh-checked: $(READY)  ## For authors: these do now, NB=02 CELLS="0a1b2c3d …"
	@$(PYTHON) -m tools.translate check $(NB) $(CELLS)

urls: $(READY)  ## For authors: every link to the repository, as pyproject.toml names it
	@$(PYTHON) -m tools.urls

check-binder:  ## For authors: what Binder would build, by repo2docker; needs the network
	@tools/env.sh uv run --quiet --no-project --python 3.11 --with jupyter-repo2docker==2026.4.0 \
	    python -m tools.check_binder

check-container:  ## For authors: what Docker would build, in a Debian made by debootstrap; root
	@python3 -m tools.check_container

check-platforms:  ## For authors: whether the locks have wheels where the docs say; network
	@tools/check_platforms.sh
