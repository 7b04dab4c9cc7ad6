# What people do with meetd. `make help` lists it.

# Where the Python libraries of the test peers live.
export MEETD_VENV ?= .venv

# Programs that the tests talk to, and the Debian packages that bring them.
PEERS := sipp:sip-tester baresip:baresip-core tshark:tshark kamailio:kamailio kamailio:kamailio-tls-modules

.PHONY: help demo test bench check acceptance simulation chaos peers venv

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## join a meeting and leave it, on this machine alone, told step by step
	@cargo test --locked --quiet --test demo

test: peers venv ## everything, with real peers; installs what it needs and says what
	MEETD_REQUIRE_PEERS=1 cargo test --locked

bench: ## figures: directive to INVITE, 200 to ACK, hang-up to BYE, beside others
	cargo bench --locked --bench latency

check: ## formatting, lints, documentation
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

acceptance: test simulation chaos bench ## the tests, 100,000 room-hours, 1,000 kills, then the figures

simulation: ## the whole daemon in simulated time: 100,000 room-hours
	MEETD_ROOM_HOURS=$${MEETD_ROOM_HOURS:-100000} cargo test --locked --release --test simulation -- --nocapture seeds

chaos: ## real processes: 1,000 kill -9 at random points, and what is left of the calls
	MEETD_KILLS=$${MEETD_KILLS:-1000} cargo test --locked --test chaos -- --nocapture

peers: ## install the programs that the tests talk to, where they are missing
	@missing=""; \
	for peer in $(PEERS); do \
	  command -v "$${peer%%:*}" >/dev/null 2>&1 || missing="$$missing $${peer##*:}"; \
	done; \
	python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$$missing python3-venv"; \
	if [ -z "$$missing" ]; then echo "peers: all there (sipp, baresip, tshark, kamailio, python3)"; exit 0; fi; \
	as_root=""; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	echo "peers: installing the packages$$missing"; \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing

venv: $(MEETD_VENV)/.complete ## make the virtual environment with the peers' Python libraries

$(MEETD_VENV)/.complete: tests/interop/requirements.txt
	@echo "venv: installing $$(tr '\n' ' ' < $<)into $(MEETD_VENV)"
	python3 -m venv $(MEETD_VENV)
	$(MEETD_VENV)/bin/python3 -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
