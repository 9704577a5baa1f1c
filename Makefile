# make run      the dashboard                    make test     every test (ARGS= goes to pytest)
# make quick    the tests without framework, browser and other processes: less than a minute (ARGS= as above)
# make lint     ruff and mypy                    make bench    the benchmarks
# make client   the wheel of the job's side      make compat   that side on each Python and framework (downloads much)
# make samples  train the sample runs again      make protos   generate the protocol buffer code again
# make fuzz     fuzz the readers, FUZZ_SECONDS=60 for each of the TARGETS=
# make docs     write anew what tables in the code make of docs/ and of the job's side
# make soak     tests that kill and watch real trainings, with ten times as many rounds (ARGS= as above)
#
# A machine with Python 3.11 to 3.13 and make needs nothing else: .venv is made, and made up to date, when needed.

ROOTS =
HOST = 127.0.0.1
PORT = 8501
PYTHON = python3
ARGS =
ONLY =
FUZZ_SECONDS = 60
TARGETS =

VENV = .venv
BIN = $(VENV)/bin
PROTOS = $(wildcard core/formats/wire/*.proto)
CHECKED = $(wildcard client/waypoint_resume core pages app.py docs/make.py tests fuzz)

.DEFAULT_GOAL := run
.DELETE_ON_ERROR:
.PHONY: run test quick soak compat lint docs bench client samples protos fuzz

# The Python is checked before anything is made of it. A .venv without pip is what a failed or killed attempt left.
define ENSURE_VENV
if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	if ! $(PYTHON) -c '' >/dev/null 2>&1; then \
		echo "$(PYTHON) was not found. Waypoint needs Python 3.11, 3.12 or 3.13: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; \
	fi; \
	if ! $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; then \
		echo "Waypoint needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; \
	fi; \
	if ! $(PYTHON) -m venv --clear $(VENV); then \
		rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi; \
fi
endef

$(VENV)/requirements.stamp: requirements.txt
	@$(ENSURE_VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
	@touch $@

$(VENV)/requirements-dev.stamp: requirements.txt requirements-dev.txt
	@$(ENSURE_VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	@touch $(VENV)/requirements.stamp $@

$(VENV)/requirements-fuzz.stamp: requirements.txt requirements-fuzz.txt
	@$(ENSURE_VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements-fuzz.txt
	@touch $(VENV)/requirements.stamp $@

# Without roots the sample runs are shown, with the times at which they were trained: git keeps none.
ifneq ($(strip $(ROOTS)),)
run: export WAYPOINT_ROOTS = $(ROOTS)
endif
run: $(VENV)/requirements.stamp
	$(if $(strip $(ROOTS)$(WAYPOINT_ROOTS)),,$(BIN)/python sample_runs/times.py apply)
	exec $(BIN)/python -m streamlit run app.py --server.address "$(HOST)" --server.port "$(PORT)"

test: $(VENV)/requirements-dev.stamp
	$(BIN)/python -m pytest -ra -n auto --maxprocesses 4 --dist loadfile $(ARGS)

quick: $(VENV)/requirements-dev.stamp
	$(BIN)/python -m pytest -q --quick -n auto --maxprocesses 4 --dist loadfile $(ARGS)

soak: $(VENV)/requirements-dev.stamp
	$(BIN)/python -m pytest -ra -m soak --soak $(ARGS)

# Each environment is kept in .cache/compat; ONLY=3.9 makes and tries those of one Python.
compat: $(VENV)/requirements-dev.stamp
	$(BIN)/python -m tests.compat $(ONLY)

lint: $(VENV)/requirements-dev.stamp
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy --strict $(CHECKED)

docs: $(VENV)/requirements.stamp
	$(BIN)/python -m docs.make

bench: $(VENV)/requirements-dev.stamp
	$(BIN)/python -m benchmarks.index
	$(BIN)/python -m benchmarks.formats
	$(BIN)/python -m benchmarks.verify
	$(BIN)/python -m benchmarks.audit
	$(BIN)/python -m benchmarks.storage_page
	$(BIN)/python -m benchmarks.metrics

client: $(VENV)/requirements.stamp
	$(BIN)/python -m core.resume.client_wheel client/dist

samples: $(VENV)/requirements-dev.stamp
	$(BIN)/python sample_runs/train.py $(ARGS)

protos: $(VENV)/requirements-dev.stamp
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. $(PROTOS)

fuzz: $(VENV)/requirements-fuzz.stamp
	$(BIN)/python -m fuzz --seconds "$(FUZZ_SECONDS)" $(TARGETS)
