# What people do with meetd. `make help` lists it.

# Where the Python libraries of the test peers live.
export MEETD_VENV ?= .venv

# Programs that the tests talk to, and the Debian packages that bring them.
PEERS := sipp:sip-tester baresip:baresip-core tshark:tshark kamailio:kamailio kamailio:kamailio-tls-modules \
  valgrind:valgrind lp-auto-answer:linphone-cli pulseaudio:pulseaudio pkg-config:pkg-config

# What packages are built with. A plain `cargo build` needs none of it.
FEATURES := alsa,opus,processing
# Packages without a program of their own: a file that each brings.
LIBRARIES := /usr/include/alsa/asoundlib.h:libasound2-dev /usr/include/opus/opus.h:libopus-dev \
  /usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so:libasound2-plugins

# The version of the tool that makes the package.
CARGO_DEB := 3.8

.PHONY: help demo demo-audio test test-systemd test-systemd-13 package bench check acceptance asterisk simulation chaos \
  audio peers libraries venv cargo-deb

help: ## list what can be made
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: ## join a meeting and leave it, on this machine alone, told step by step
	@cargo test --locked --quiet --test demo

demo-audio: peers libraries $(MEETD_VENV)/.demo ## a call with baresip: what each side said and heard, as WAV and in one picture
	cargo build --locked --quiet --features $(FEATURES)
	$(MEETD_VENV)/bin/python3 tests/demo/audio.py target/debug/meetd target/demo-audio

test: peers venv ## everything, with real peers; installs what it needs and says what
	MEETD_REQUIRE_PEERS=1 cargo test --locked --features $(FEATURES)
	@$(MAKE) --no-print-directory test-systemd

test-systemd: libraries ## the package on a real systemd, in a container; says why where there can be none
	@if [ "$$(id -u)" != 0 ]; then echo "systemd: skipped: systemd-nspawn needs root"; exit 0; fi; \
	missing=""; \
	for tool in systemd-nspawn:systemd-container mmdebstrap:mmdebstrap dpkg-shlibdeps:dpkg-dev lintian:lintian; do \
	  command -v "$${tool%%:*}" >/dev/null 2>&1 || missing="$$missing $${tool##*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
	  echo "systemd: installing the packages$$missing"; \
	  env DEBIAN_FRONTEND=noninteractive apt-get update -q && \
	  env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing || \
	  { echo "systemd: skipped: these packages cannot be installed:$$missing"; exit 0; }; \
	fi; \
	$(MAKE) --no-print-directory cargo-deb && \
	cargo build --locked --features $(FEATURES) && \
	cargo deb --locked --no-build --profile dev --fast --output target/test-package/meetd.deb && \
	lintian --allow-root --fail-on error target/test-package/meetd.deb && \
	MEETD_PACKAGE="$(CURDIR)/target/test-package/meetd.deb" cargo test --locked --quiet --test systemd

test-systemd-13: ## the same on Debian 13
	MEETD_DEBIAN=13 $(MAKE) --no-print-directory test-systemd

package: cargo-deb libraries ## the Debian package, in target/debian; for arm64 too where there is a compiler for it
	cargo deb --locked
	@if [ "$$(uname -m)" = aarch64 ]; then exit 0; fi; \
	if ! command -v aarch64-linux-gnu-gcc >/dev/null 2>&1; then \
	  echo "package: none for arm64: there is no aarch64-linux-gnu-gcc (apt-get install gcc-aarch64-linux-gnu)"; \
	elif ! [ -d "$$(rustc --print sysroot)/lib/rustlib/aarch64-unknown-linux-gnu" ]; then \
	  echo "package: none for arm64: Rust lacks the target (rustup target add aarch64-unknown-linux-gnu)"; \
	elif ! [ -e /usr/lib/aarch64-linux-gnu/pkgconfig/alsa.pc ]; then \
	  echo "package: none for arm64: there is no libasound2-dev for it (dpkg --add-architecture arm64 && apt-get install libasound2-dev:arm64)"; \
	elif ! [ -e /usr/lib/aarch64-linux-gnu/libopus.so ]; then \
	  echo "package: none for arm64: there is no libopus-dev for it (dpkg --add-architecture arm64 && apt-get install libopus-dev:arm64)"; \
	else \
	  PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig \
	  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	    cargo deb --locked --target aarch64-unknown-linux-gnu; \
	fi

cargo-deb:
	@if ! cargo deb --version >/dev/null 2>&1; then \
	  echo "package: installing cargo-deb $(CARGO_DEB) from crates.io, which makes it"; \
	  cargo install --quiet --locked cargo-deb --version "~$(CARGO_DEB)"; \
	fi

bench: peers libraries ## figures: directive to INVITE, 200 to ACK, hang-up to BYE, a call with audio, an idle room, beside others
	cargo bench --locked --features $(FEATURES) --bench latency

check: libraries ## formatting, lints, documentation
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features $(FEATURES) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

acceptance: test test-systemd-13 asterisk simulation chaos audio bench ## the tests, Debian 13, a conference of Asterisk, 100,000 room-hours, 1,000 kills, then the figures

simulation: ## the whole daemon in simulated time: 100,000 room-hours
	MEETD_ROOM_HOURS=$${MEETD_ROOM_HOURS:-100000} cargo test --locked --release --test simulation -- --nocapture seeds

chaos: ## real processes: 1,000 kill -9 at random points, and what is left of the calls
	MEETD_KILLS=$${MEETD_KILLS:-1000} cargo test --locked --test chaos -- --nocapture

asterisk: ## a conference of Asterisk, from Debian 11's package in a root of its own; says why where there can be none
	@if [ "$$(id -u)" != 0 ]; then echo "asterisk: skipped: a root of its own needs root"; exit 0; fi; \
	root="$${XDG_CACHE_HOME:-$$HOME/.cache}/meetd/asterisk-debian-11"; \
	if ! [ -e "$$root.complete" ]; then \
	  if ! command -v mmdebstrap >/dev/null 2>&1; then \
	    echo "asterisk: installing the package mmdebstrap"; \
	    env DEBIAN_FRONTEND=noninteractive apt-get update -q && \
	    env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends mmdebstrap || \
	    { echo "asterisk: skipped: mmdebstrap cannot be installed"; exit 0; }; \
	  fi; \
	  echo "asterisk: making $$root, once"; \
	  rm -rf "$$root" && mkdir -p "$$(dirname "$$root")" && \
	  mmdebstrap --quiet --variant=minbase --include=asterisk bullseye "$$root" \
	    "deb http://deb.debian.org/debian bullseye main" && touch "$$root.complete" || \
	  { echo "asterisk: skipped: the package of Debian 11 cannot be had"; exit 0; }; \
	fi; \
	MEETD_ASTERISK_ROOT="$$root" cargo test --locked --test interop -- asterisk_

audio: libraries ## in virtual time: an hour with a clock that is 300 ppm off, a million mutated packets, echo, noise, level
	MEETD_DRIFT_MINUTES=60 MEETD_PACKETS=1000000 \
	  cargo test --locked --release --features $(FEATURES) --lib -- --nocapture --test-threads=1 \
	  300_ppm receiver::tests::any_bytes mutated_packets media::processing

peers: libraries ## install the programs that the tests talk to, where they are missing
	@missing=""; \
	for peer in $(PEERS); do \
	  command -v "$${peer%%:*}" >/dev/null 2>&1 || missing="$$missing $${peer##*:}"; \
	done; \
	python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$$missing python3-venv"; \
	if [ -z "$$missing" ]; then echo "peers: all there (sipp, baresip, tshark, kamailio, valgrind, linphone, pulseaudio, python3)"; exit 0; fi; \
	$(call install_packages,peers,$$missing)

libraries:
	@missing=""; \
	for library in $(LIBRARIES); do \
	  set -- $${library%%:*}; [ -e "$$1" ] || missing="$$missing $${library##*:}"; \
	done; \
	command -v pkg-config >/dev/null 2>&1 || missing="$$missing pkg-config"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	$(call install_packages,libraries,$$missing)

# Says what it installs for whom, and installs it.
install_packages = as_root=""; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	echo "$(1): installing the packages$(2)"; \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(2)

venv: $(MEETD_VENV)/.complete ## make the virtual environment with the peers' Python libraries

$(MEETD_VENV)/.demo: tests/demo/requirements.txt $(MEETD_VENV)/.complete
	@echo "venv: installing $$(tr '\n' ' ' < $<)into $(MEETD_VENV)"
	$(MEETD_VENV)/bin/python3 -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(MEETD_VENV)/.complete: tests/interop/requirements.txt
	@echo "venv: installing $$(tr '\n' ' ' < $<)into $(MEETD_VENV)"
	python3 -m venv $(MEETD_VENV)
	$(MEETD_VENV)/bin/python3 -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
