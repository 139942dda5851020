# What else can be asked for: make GOAL.
#
#	run      deps, build, then the whole system in the foreground
#	all      the same without deps; incr-up creates the tables first
#	dev      all, again after every change
#	check    every test;  test: deps first
#	quick    in a minute: unit tests, and what the line programs do
#	test-long  deps, then the tests that take minutes: tests/long/run;
#	         SCENARIOS="model fuzz" for these alone
#	bench    hey against the running system
#	bench-all  deps, then what each path costs beside an older commit and beside
#	         what does the least there, in 15 minutes: tests/bench/all writes
#	         docs/performance.md; BENCH="-r 3 take publish" for what it says
#	staleness  how long after its 202 an increment is in Postgres, with
#	         faults, on servers of its own: tests/bench/staleness
#	chaos    the whole system under random faults, on servers of its own,
#	         then the account of every increment: tests/chaos/run.
#	         CHAOS_SECONDS=60, SEED="7 8" for these two runs again,
#	         CHAOS_OPTIONS for what tests/chaos/run -h says
#	db-clear empty the table of the running system
#	images   the images of Containerfile, with Docker, Podman or Buildah;
#	         IMAGE=NAME, IMAGES_OPTIONS for the engine: etc/images
#	secrets  what compose.yaml needs beside them: etc/secrets
#	install, uninstall (PREFIX, DESTDIR), clean, format, lint
#	completions  write etc/completions again, after a change of options
#	deb      deps of that, then a package for Debian: incr_*.deb
#
# The running system is the one of INCR_STATE, incr-up(1).

.PHONY: all run dev deps check quick test test-long bench bench-all staleness chaos db-clear install \
	uninstall deb format lint completions images secrets

CHAOS_SECONDS = 60
CHAOS_OPTIONS =
SEED =
SCENARIOS =
BENCH =
IMAGE ?= incr
IMAGES_OPTIONS ?=

# By another name: a line with $(MAKE) in it is run by make -n, too.
our_make = $(MAKE)

all: build
	bin/incr-up

run: deps
	@$(MAKE) --no-print-directory -j2 build
	bin/incr-up

dev:
	@etc/dev $(our_make)

deps:
	@etc/deps run

check: build
	@MAKE='$(our_make)' tests/ci/check

quick: build
	@MAKE='$(our_make)' tests/ci/check units quick

test:
	@etc/deps run test
	@$(MAKE) --no-print-directory -j2 build
	@$(MAKE) --no-print-directory check

test-long:
	@etc/deps run test long
	@$(MAKE) --no-print-directory -j2 build units
	@MAKE='$(our_make)' tests/long/run $(SCENARIOS)

lint:
	@MAKE='$(our_make)' tests/ci/lint

bench: build
	@tests/bench/bench

bench-all:
	@etc/deps run bench
	@$(MAKE) --no-print-directory -j2 build
	@tests/bench/all $(BENCH)

staleness: build
	@$(MAKE) --no-print-directory $(BUILD)/bench/stamp
	@tests/bench/staleness

chaos: build
	@$(MAKE) -s $(BUILD)/chaos/proxy $(BUILD)/chaos/clock.so
	@tests/chaos/run $(CHAOS_OPTIONS) $(CHAOS_SECONDS) $(SEED)

db-clear: build
	@etc/with-env bin/incr-db clear

images:
	@IMAGE='$(IMAGE)' VERSION='$(VERSION)' etc/images $(IMAGES_OPTIONS)

secrets:
	@etc/secrets

format:
	clang-format -i $(wildcard src/*.c lib/*/*.[ch] tests/*/*.[ch])

completions: build
	@cd bin && PATH="$$PWD:$$PATH"; for pair in bash:incr.bash zsh:_incr \
		fish:incr.fish; do ../etc/completions/generate $${pair%:*} \
		$(sort $(PROGRAMS) $(SCRIPTS)) >../etc/completions/$${pair#*:} || \
		exit; done

install: build
	@BIN=$(call quote,$(BIN)) PREFIX=$(call quote,$(PREFIX)) \
		DESTDIR=$(call quote,$(DESTDIR)) etc/install \
		$(PROGRAMS) $(SCRIPTS)

# Of a copy of the tree, with options of its own.
deb:
	@etc/deps deb
	@etc/deb

uninstall:
	@PREFIX=$(call quote,$(PREFIX)) DESTDIR=$(call quote,$(DESTDIR)) \
		etc/uninstall
