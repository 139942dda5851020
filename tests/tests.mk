# Unit tests (tests/unit/test_X.c), fuzz targets (tests/fuzz/X.c) and bench
# programs (tests/bench/X.c: make build/bench/X, run with bin in PATH).  The
# first comment of each file names what it is linked with:
#
#	/* modules: increment record id fault; libs: -ljansson -luuid */

.PHONY: units fuzz points

# Seconds of each target of the kinds of lines and requests, and of another.
FUZZ_SECONDS = 20
FUZZ_OTHERS = 5
FUZZ_CC = clang
FUZZ_CFLAGS = -O1 -g -fno-sanitize-recover=all \
	-fsanitize=fuzzer,address,undefined

unit_tests = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
fuzz_targets = $(patsubst tests/fuzz/%.c,%,$(filter-out %/replay.c,\
	$(wildcard tests/fuzz/*.c)))

# The words of the first comment of file $(1): modules, and libraries.
head_words = $(subst ;, ,$(shell sed '/\*\//q' $(1)))
test_libs = $(filter -l%,$(call head_words,$(1)))
test_modules = $(filter $(basename $(notdir $(wildcard lib/*.c))),\
	$(call head_words,$(1)))
test_objects = $(patsubst %,$(BUILD)/%.o,$(call test_modules,$(1)))
test_sources = $(patsubst %,lib/%.c,$(call test_modules,$(1)))

# The word llhttp: the parser of the package node-llhttp, to compare with.
LLHTTP = /usr/share/llhttp
test_llhttp = $(and $(filter llhttp,$(call head_words,$(1))),\
	$(addprefix $(BUILD)/llhttp/,api.o http.o llhttp.o))
test_flags = $(and $(filter llhttp,$(call head_words,$(1))),\
	-isystem $(LLHTTP)/../include)

$(BUILD)/llhttp/%.o: $(LLHTTP)/%.c
	@mkdir -p $(@D)
	@$(CC) -O1 -w -DLLHTTP_STRICT_MODE=1 -I$(LLHTTP)/../include/llhttp \
		-c -o $@ $<

units: $(unit_tests:%=$(BUILD)/unit/%) \
	$(fuzz_targets:%=$(BUILD)/unit/replay_%) $(BUILD)/unit/http_drive \
	$(BUILD)/bench/idle $(BUILD)/chaos/proxy $(BUILD)/chaos/clock.so

$(unit_tests:%=$(BUILD)/unit/%): $(BUILD)/unit/%: tests/unit/%.c \
		$$(call test_objects,tests/unit/$$*.c)
	@mkdir -p $(@D)
	@$(CC) $(STD) $(WARN) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -MT $@ \
		-MF $@.d -o $@ $(filter %.c %.o,$^) $(call test_libs,$<)

# A fuzz target with a main that reads files: any compiler can run it.
$(fuzz_targets:%=$(BUILD)/unit/replay_%): $(BUILD)/unit/replay_%: \
		tests/fuzz/%.c tests/fuzz/replay.c \
		$$(call test_objects,tests/fuzz/$$*.c) \
		$$(call test_llhttp,tests/fuzz/$$*.c)
	@mkdir -p $(@D)
	@$(CC) $(STD) $(WARN) $(call test_flags,$<) $(CPPFLAGS) $(CFLAGS) \
		$(LDFLAGS) -o $@ $^ $(call test_libs,$<)

# Sends the requests of tests/http/table to a server.
$(BUILD)/unit/http_drive: tests/http/drive.c tests/http/table.h
	@mkdir -p $(@D)
	@$(CC) $(STD) $(WARN) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

# The programs with the fault points of lib/point.h, and the scripts that go
# with them, in a build of their own: for tests/bats/points.bats only.
points:
	@$(MAKE) --no-print-directory BUILD=build/points BIN=build/points/bin \
		CPPFLAGS='$(CPPFLAGS) -DINCR_POINTS' POINTS=point build
	@ln -sf $(SCRIPTS:%=$(CURDIR)/bin/%) build/points/bin

# The targets' modules are built again, to be instrumented.
$(fuzz_targets:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: tests/fuzz/%.c \
		$$(call test_sources,tests/fuzz/$$*.c) \
		$$(call test_llhttp,tests/fuzz/$$*.c) $(wildcard lib/*.h)
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(STD) $(WARN) $(call test_flags,$<) $(FUZZ_CFLAGS) -o $@ \
		$(filter %.c %.o,$^) $(call test_libs,$<)

# make -j2: two at a time.  What a target finds new stays in the build folder.
fuzz_seconds = $(strip $(if $(filter increment record http,$(1)),\
	$(FUZZ_SECONDS),$(FUZZ_OTHERS)))

fuzz: $(fuzz_targets:%=fuzz-%)

.PHONY: $(fuzz_targets:%=fuzz-%)
$(fuzz_targets:%=fuzz-%): fuzz-%: $(BUILD)/fuzz/%
	@mkdir -p $(BUILD)/fuzz/corpus/$*
	@$(BUILD)/fuzz/$* -max_total_time=$(call fuzz_seconds,$*) -max_len=8192 \
		-print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/$*- \
		$(BUILD)/fuzz/corpus/$* tests/fuzz/corpus/$* \
		>$(BUILD)/fuzz/$*.log 2>&1 || \
		{ tail -n 40 $(BUILD)/fuzz/$*.log; exit 1; }
	@echo "  fuzz $*, $(call fuzz_seconds,$*) s:" \
		$$(grep number_of_executed $(BUILD)/fuzz/$*.log)

$(BUILD)/bench/%: tests/bench/%.c $$(call test_objects,tests/bench/$$*.c)
	@mkdir -p $(@D)
	@$(CC) $(STD) $(WARN) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(call test_libs,$<)

# What tests/chaos/run puts between the parts.
$(BUILD)/chaos/proxy: tests/chaos/proxy.c
	@mkdir -p $(@D)
	@$(CC) $(STD) $(WARN) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

$(BUILD)/chaos/clock.so: tests/chaos/clock.c
	@mkdir -p $(@D)
	@$(CC) $(STD) $(WARN) $(CPPFLAGS) -O2 -fPIC -shared -o $@ $<

-include $(wildcard $(BUILD)/unit/*.d)
