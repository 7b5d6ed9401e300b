# The front door. Every target installs what it needs first; what is there already is left alone.
.DEFAULT_GOAL := help
.PHONY: help run stop test check chaos bench

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

run: ## Install what is missing and run NetFax in the foreground (Ctrl-C ends it)
	@python3 install/bootstrap.py run
	@exec .venv/bin/netfax run

stop: ## End a running NetFax from elsewhere
	@if [ -x .venv/bin/netfax ]; then exec .venv/bin/netfax stop; else echo "NetFax is not installed, so nothing runs."; fi

check: ## The quick checks: format, lint, types, import arrows, unit tests
	@python3 install/bootstrap.py check
	@exec .venv/bin/python install/checks.py check

chaos: ## Faults under traffic, as root: SEED= repeats a run, MINUTES= ends it sooner
	@python3 install/bootstrap.py test
	@.venv/bin/python -m cli.install
	@exec .venv/bin/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(CHAOS)

bench: ## The measurements, each beside a peer or a limit (BENCH="calls inbound" for some of them)
	@python3 install/bootstrap.py bench
	@.venv/bin/python -m cli.install
	@exec .venv/bin/python -m bench $(BENCH)

test: ## Every test, from units to real faxes and the browser
	@python3 install/bootstrap.py test
	@exec .venv/bin/python install/checks.py test
