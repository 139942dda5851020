# incr: make run builds and runs the whole system, make test proves it.
# The default goal needs no root and no network, and starts nothing.

# Of the environment, of make's arguments, or these.
ifeq ($(origin CC),default)
CC = gcc
endif
CFLAGS ?= -O2 -g
CPPFLAGS ?=
LDFLAGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
VERSION ?= 0.1.0

# Where objects and programs go; another pair makes another build:
# make BUILD=build/asan BIN=build/asan/bin CFLAGS='-g -fsanitize=address'
BUILD = build
BIN = bin

# Hardening comes before CFLAGS and LDFLAGS, which may take it back.
# _FORTIFY_SOURCE warns without optimization, -fcf-protection is for x86.
HARDEN = -fstack-protector-strong -fstack-clash-protection -fPIE \
	$(CF_PROTECTION) $(FORTIFY)
HARDEN_LINK = -pie -Wl,-z,relro,-z,now
CF_PROTECTION := $(if $(findstring x86_64,\
	$(shell $(CC) -dumpmachine 2>/dev/null)),-fcf-protection)
FORTIFY = $(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),\
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)

# A text as one word of a shell: the folder of the tree may have spaces in its
# name, and so may others.
quote = '$(subst ','\'',$(1))'
FOLDER = $(call quote,$(CURDIR))

STD = -std=c17 -D_GNU_SOURCE -DINCR_VERSION='"$(VERSION)"' -Ilib -I$(BUILD) \
	-ffile-prefix-map=$(FOLDER)=.
WARN = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wundef -Wvla -Wswitch-enum

PROGRAMS = incr-validate incr-publish incr-consume incr-flush incr-serve \
	incr-send incr-metrics incr-rejected incr-audit incr-listen \
	incr-pgenv incr-top
SCRIPTS = incr-ingest incr-drain incr-up incr-keep incr-db incr-token

# A program needs those of these that it uses.
LIBS = -ljansson -lhiredis -lpq -lcurl -lssl -lcrypto -lm

include build.mk
include goals.mk
-include tests/tests.mk
