# All logic is in bootstrap.py; this file only finds a Python for it.
# Without make (Windows): py bootstrap.py lab
#
#   make lab     set up what a learner needs, open JupyterLab on your own copies in work/
#   make test    add what the tests need, run every test
#   make env     only set up
#   make quick   the maintainer's loop
#
#   make lab PYTHON=/path/to/python3.12              use this Python
#   make lab ARGS="--ip=0.0.0.0 --port=9000"         more for JupyterLab
#   make test ARGS="-k euler -x"                     more for pytest

PYTHON ?=
ARGS ?=

.PHONY: help lab test env quick
.NOTPARALLEL:

help:
	@sed -n '4,11s/^# \{0,1\}//p' Makefile

lab test env quick:
	@fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	reads='import sys; sys.exit(sys.version_info < (3, 6))'; \
	if [ -n '$(PYTHON)' ]; then \
	    if ! '$(PYTHON)' -c "$$reads" 2>/dev/null; then \
	        echo "Stopped: PYTHON=$(PYTHON) is no Python 3 that runs here. Name one of 3.11 to 3.13." >&2; \
	        exit 1; \
	    fi; \
	    exec '$(PYTHON)' bootstrap.py $@ -- $(ARGS); \
	fi; \
	for name in python3 python python3.13 python3.12 python3.11 .venv/bin/python; do \
	    if "$$name" -c "$$fits" 2>/dev/null; then \
	        exec "$$name" bootstrap.py $@ -- $(ARGS); \
	    fi; \
	done; \
	echo "Stopped: no Python 3.11 to 3.13 was found (python3 is $$(python3 --version 2>&1 | tail -n 1))." >&2; \
	echo "Install one, or name it: make $@ PYTHON=/path/to/python3.12" >&2; \
	exit 1
