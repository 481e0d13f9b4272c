# Every target sets up .venv by itself, and again only when requirements.txt has changed;
# `site` and `test-browser` have an environment each, with a lock of its own.
# NB=04 limits `run` and `store` to one notebook.

# Once `make gpu` has found a GPU that works, all targets use its environment.
VENV := $(if $(wildcard .venv-gpu/installed),.venv-gpu,.venv)
PYTHON := $(VENV)/bin/python
READY := $(VENV)/installed

# What the user has set for another Python, Jupyter or uv must not leak in.
unexport VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV PYTHONPATH PYTHONHOME PYTHONSTARTUP
unexport PYTHONUSERBASE PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
unexport UV_PYTHON UV_SYSTEM_PYTHON UV_PROJECT_ENVIRONMENT
unexport JUPYTER_PATH MPLBACKEND MATPLOTLIBRC PYTEST_ADDOPTS
# Kernels would otherwise run the start-up files in ~/.ipython.
export IPYTHONDIR := $(CURDIR)/$(VENV)/ipython

.DEFAULT_GOAL := help
.PHONY: help setup gpu run lab test lint bench site test-browser assignments grade marks lock store urls \
    check-binder check-platforms

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(READY)  ## Make .venv (the other targets do it by themselves)

.venv/installed: requirements.txt tools/setup.sh
	@tools/setup.sh

gpu: .venv-gpu/installed  ## Make .venv-gpu for an NVIDIA GPU (4 GB); then every target uses it

.venv-gpu/installed: requirements.txt requirements-gpu.txt tools/setup.sh tools/gpu.py
	@tools/setup.sh gpu

# By pip: it goes on without PyTorch's own index where another source has the same wheel.
.venv-bench/installed: requirements-bench.txt
	@rm -f $@
	@tools/uv.sh venv --quiet --clear --seed --python 3.11 .venv-bench
	@PIP_RETRIES=1 .venv-bench/bin/python -m pip install --quiet --disable-pip-version-check \
	    -r requirements-bench.txt || { \
	    echo "PyTorch for Linux could not be installed: is download.pytorch.org within reach?" >&2; \
	    exit 1; }
	@touch $@

.venv-%/installed: requirements-%.txt tools/venv.sh
	@tools/venv.sh .venv-$* requirements-$*.txt

run: $(READY)  ## Execute the notebooks into build/, with HTML pages; NB=04 runs one
	@$(PYTHON) tools/run_notebooks.py $(NB)

lab: $(READY)  ## Open JupyterLab on the first notebook; OPTIONS="--no-browser" is handed on
	@$(PYTHON) -m jupyterlab --ServerApp.root_dir='$(CURDIR)' $(OPTIONS) notebooks/01_degradation.ipynb

test: $(READY)  ## Unit tests, notebook rules, then every notebook under nbval
	@$(PYTHON) -m pytest tests notebooks --durations=10 \
	    --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg

lint: $(READY)  ## Check the style of Python files and notebooks
	@$(PYTHON) -m ruff check

bench: $(READY) .venv-bench/installed  ## Speed beside PyTorch's and the seed's, in some 17 minutes
	@$(PYTHON) benchmarks/bench.py

site: .venv-site/installed  ## Web pages of the README and the notebooks, as stored, in build/site
	@.venv-site/bin/python tools/build_site.py

test-browser: $(READY) .venv-browser/installed site  ## The site and JupyterLab in Chromium
	@SERIES_PYTHON=$(PYTHON) .venv-browser/bin/python -m pytest \
	    -c browser_tests/pytest.ini browser_tests $(OPTIONS)

assignments: $(READY)  ## Make assignments/release again from assignments/source
	@$(PYTHON) tools/course.py release

grade: $(READY)  ## Grade a folder of submissions: SUBMITTED=folder, OUT=new folder
	@$(if $(SUBMITTED),,echo 'Say which folder: make grade SUBMITTED=folder' >&2; exit 2)
	@$(PYTHON) tools/course.py grade '$(SUBMITTED)' $(if $(OUT),--out '$(OUT)') $(OPTIONS)

marks: $(READY)  ## After grading by hand: feedback and grades.csv again, GRADED=folder
	@$(if $(GRADED),,echo 'Say which folder: make marks GRADED=folder' >&2; exit 2)
	@$(PYTHON) tools/course.py marks '$(GRADED)'

lock:  ## For authors: write the locks again, each requirements*.txt from its .in
	@for list in requirements requirements-site requirements-browser; do \
	    tools/uv.sh pip compile --quiet --universal --python-version 3.11 \
	        $$list.in -o $$list.txt || exit 1; \
	done

store: $(READY)  ## For authors: execute a notebook and store its outputs; NB=02 takes one
	@$(PYTHON) tools/run_notebooks.py --in-place $(NB)

urls: $(READY)  ## For authors: every link to the repository, as pyproject.toml names it
	@$(PYTHON) tools/urls.py

check-binder:  ## For authors: what Binder would build, by repo2docker; needs the network
	@tools/uv.sh run --quiet --no-project --python 3.11 --with jupyter-repo2docker==2026.4.0 \
	    tools/check_binder.py

check-platforms:  ## For authors: whether the locks have wheels where the README says; network
	@tools/check_platforms.sh
