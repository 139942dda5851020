# incr: make run builds and runs the whole system, make test proves it.
# The default goal needs no root and no network, and starts nothing.

CC = gcc
CFLAGS = -O2 -g
CPPFLAGS =
LDFLAGS =
PREFIX = /usr/local
DESTDIR =
VERSION = 0.1.0

# Where objects and programs go; another pair makes another build:
# make BUILD=build/asan BIN=build/asan/bin CFLAGS='-g -fsanitize=address'
BUILD = build
BIN = bin

STD = -std=c17 -D_GNU_SOURCE -DINCR_VERSION='"$(VERSION)"' -Ilib -I$(BUILD)
WARN = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wundef -Wvla -Wswitch-enum

PROGRAMS = incr-validate incr-publish incr-consume incr-flush incr-serve \
	incr-send incr-metrics incr-rejected incr-audit
SCRIPTS = incr-ingest incr-drain incr-up incr-db incr-token

# What each program is made of: modules of lib/, then libraries.  POINTS is
# empty but for make points, which tests/tests.mk explains.
BASE = msg hex num buf tick fdio url lines options $(POINTS)
LINES = fault id record jsonheap metrics
QUEUE = backoff resp pack redis resolve fitness greeting session owner \
	sightings queue_call queue_batch queue_adopt queue_list queue
incr-validate = $(BASE) $(LINES) increment -ljansson -luuid
incr-publish = $(BASE) $(LINES) increment $(QUEUE) \
	outbox courier -ljansson -luuid -lhiredis
incr-consume = $(BASE) $(LINES) $(QUEUE) payload \
	orphans stream consumer -ljansson -luuid -lhiredis
incr-flush = $(BASE) $(LINES) increment $(QUEUE) \
	sums arrays postgres store pace window schedule plain \
	intake receipts ledger claims retire flusher kin \
	-ljansson -luuid -lhiredis -lpq
incr-serve = $(BASE) $(LINES) http answer bulk digest tag peer \
	listener watch conn conn_parse due exchange door unsent ring relay \
	rate backoff resp redis resolve fitness greeting session share \
	tokens gate bulks trace complaint routes served scrape kin \
	-ljansson -luuid -lcrypto -lhiredis
incr-send = $(BASE) $(LINES) increment backoff outage post hand \
	parcel progress -ljansson -luuid -lcurl
incr-metrics = $(BASE) metrics scrape
incr-rejected = $(BASE) fault id record jsonheap increment $(QUEUE) payload \
	deadletter digest names await walk \
	-ljansson -luuid -lcrypto -lhiredis
incr-audit = $(BASE) fault id record jsonheap increment $(QUEUE) payload \
	deadletter tally await walk holdings sums arrays postgres store audit \
	-ljansson -luuid -lhiredis -lpq

include build.mk
include goals.mk
-include tests/tests.mk
