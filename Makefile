# SPDX-License-Identifier: MIT
# The front door. The build itself is CMake's (CMakePresets.json); each goal here is a line or two.
#
# Missing Debian packages are installed first, one by one and visibly (tools/packages.sh).

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
ARGS ?=

export DESTDIR
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:

##@ Start
help: ## this list
	@awk -F ':.*## ' '/^##@ / { print substr($$0, 5) ":" } \
		/^[a-z0-9 -]+:.*## / { n = split($$1, goals, " "); \
			for (i = 1; i <= n; i++) printf "  make %-15s %s\n", goals[i], $$2 }' Makefile
	@echo "Variables: PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) JOBS=$(JOBS) ARGS (what follows weft storm) SECONDS=$(SECONDS)"

run: ## build, then show the crash, its fix, and weft: weft storm
	@$(MAKE) release
	@build/release/weft storm $(ARGS)

##@ Build, into build/GOAL
# The goals below say what theirs needs: tests or none, and which groups of packages.
TESTS = OFF
PACKAGES = build
release debug asan tsan package: ## one of the presets of CMakePresets.json
	@tools/packages.sh $(PACKAGES)
	@cmake --preset $@ -DWEFT_TESTS=$(TESTS) $(if $(INTO),-DCMAKE_INSTALL_PREFIX="$(INTO)") >/dev/null
	@cmake --build --preset $@ -j $(JOBS)

##@ Test
test: ## build, then run every test that is not slow (under 5 minutes)
	@$(MAKE) release TESTS=ON PACKAGES="build test"
	@tests/run.sh release -j $(JOBS) -LE slow

test-all: ## all tests, slow ones included, then again in debug, asan and tsan builds
	@$(MAKE) release debug asan tsan TESTS=ON PACKAGES="build test all"
	@tests/run.sh release -j $(JOBS)
	@tests/run.sh debug -j $(JOBS) -LE slow
	@tests/run.sh asan -j $(JOBS) -LE slow
	@tests/run.sh tsan -j $(JOBS) -LE slow

debug-test asan-test tsan-test: ## the same tests as `test`, in that build alone
	@$(MAKE) $(@:-test=) TESTS=ON PACKAGES="build test all"
	@tests/run.sh $(@:-test=) -j $(JOBS) -LE slow

test-systems: ## the README's two commands, install and packages on fresh Debians: SYSTEMS="debian-13 ..." picks
	@tests/systems/run.sh $(SYSTEMS)

SECONDS = 600
stress: ## each stress program: SECONDS in a release build, a fifth of that under ASan and TSan
	@$(MAKE) release asan tsan TESTS=ON PACKAGES="build test all"
	@tests/stress/run.sh $(SECONDS) build/release
	@tests/stress/run.sh $$(($(SECONDS) / 5)) build/asan build/tsan

##@ Measure
bench: ## measure, next to whatever peers are installed
	@$(MAKE) release
	@cmake --build --preset release --target bench

bench-quick: ## the same in under a minute
	@$(MAKE) release
	@cmake --build --preset release --target bench-quick

##@ Look after the tree
format: ## lay out the C files by .clang-format
	@tools/packages.sh format
	@find src include tests bench examples -name '*.[ch]' -exec clang-format -i {} +

lint: ## analysers, shell and Python checks, manual pages, the rules of the tree
	@$(MAKE) release TESTS=ON PACKAGES="build test lint"
	@tools/lint.sh build/release

##@ Install and package
install: ## into PREFIX, below DESTDIR
	@$(MAKE) release INTO="$(PREFIX)"
	@cmake --install build/release --prefix "$(PREFIX)"
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

uninstall: ## remove what install put there
	@$(MAKE) release INTO="$(PREFIX)"
	@tools/uninstall.sh build/release "$(PREFIX)"

static: ## the weft command in one file that needs nothing of its host: build/static/weft
	@tools/packages.sh build static
	@cmake --preset static >/dev/null
	@cmake --build --preset static -j $(JOBS)

static-aarch64: ## the same for 64-bit ARM; cmake/aarch64.cmake names what it needs
	@cmake --preset static-aarch64 >/dev/null
	@cmake --build --preset static-aarch64 -j $(JOBS)

deb: ## Debian packages in build/package/deb: libweft1 libweft-dev weft-tools
	@$(MAKE) package PACKAGES="build package"
	@cpack --config build/package/CPackConfig.cmake -B build/package/deb
	@ls build/package/deb/*.deb

##@ Clean up
clean: ## remove every build folder
	rm -rf build

.PHONY: help run release debug asan tsan test test-all debug-test asan-test tsan-test test-systems stress bench \
	bench-quick format lint install uninstall deb package static static-aarch64 clean
