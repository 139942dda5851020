# Unit tests (tests/unit/test_X.c), fuzz targets (tests/fuzz/X.c) and bench
# programs (tests/bench/X.c: make build/bench/X, run with bin in PATH).  Each
# is linked with the archive of lib/, like a program.

.PHONY: units fuzz points asan

# Seconds of each target of the kinds of lines and requests, and of another.
FUZZ_SECONDS = 10
FUZZ_OTHERS = 5
FUZZ_CC = clang
FUZZ_CFLAGS = -O1 -g -fno-sanitize-recover=all \
	-fsanitize=fuzzer,address,undefined

unit_tests = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
fuzz_targets = $(patsubst tests/fuzz/%.c,%,$(filter-out %/replay.c,\
	$(wildcard tests/fuzz/*.c)))

BUILD_TEST = $(COMPILE) $(HARDEN_LINK) $(LDFLAGS) -Wl,--as-needed

# http_parser_diff compares with the parser of the package node-llhttp.
LLHTTP = /usr/share/llhttp
LLHTTP_OBJECTS = $(addprefix $(BUILD)/llhttp/,api.o http.o llhttp.o)
LLHTTP_FLAGS = -isystem $(LLHTTP)/../include

$(BUILD)/llhttp/%.o: $(LLHTTP)/%.c
	@mkdir -p $(@D)
	@$(CC) -O1 -w -DLLHTTP_STRICT_MODE=1 -I$(LLHTTP)/../include/llhttp \
		-c -o $@ $<

units: $(unit_tests:%=$(BUILD)/unit/%) \
	$(fuzz_targets:%=$(BUILD)/unit/replay_%) $(BUILD)/unit/http_drive \
	$(BUILD)/unit/queue_call $(BUILD)/bench/idle $(BUILD)/chaos/proxy \
	$(BUILD)/chaos/clock.so $(BUILD)/guard

$(unit_tests:%=$(BUILD)/unit/%) $(BUILD)/unit/queue_call: \
		$(BUILD)/unit/%: tests/unit/%.c $(ARCHIVE)
	@mkdir -p $(@D)
	@$(BUILD_TEST) -MMD -MP -MT $@ -MF $@.d -o $@ $< $(ARCHIVE) $(LIBS)

# A fuzz target with a main that reads files: any compiler can run it.
$(fuzz_targets:%=$(BUILD)/unit/replay_%): $(BUILD)/unit/replay_%: \
		tests/fuzz/%.c tests/fuzz/replay.c $(ARCHIVE)
	@mkdir -p $(@D)
	@$(BUILD_TEST) -o $@ $^ $(LIBS)

$(BUILD)/unit/replay_http_parser_diff: private BUILD_TEST += $(LLHTTP_FLAGS)
$(BUILD)/unit/replay_http_parser_diff: $(LLHTTP_OBJECTS)

# Sends the requests of tests/http/table to a server.
$(BUILD)/unit/http_drive: tests/http/drive.c tests/http/table.h
	@mkdir -p $(@D)
	@$(BUILD_TEST) -o $@ $<

# The programs with the fault points of base/failpoint.h, and the scripts that
# go with them, in a build of their own: for tests/bats/points.bats only.
points:
	@$(MAKE) --no-print-directory BUILD=build/points BIN=build/points/bin \
		CPPFLAGS='$(CPPFLAGS) -DINCR_POINTS' \
		LDFLAGS='$(LDFLAGS) -Wl,-u,failpoint_hit' build
	@ln -sf $(SCRIPTS:%=$(FOLDER)/bin/%) build/points/bin

# The programs and the unit tests under sanitizers.
SANITIZE = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
ASAN_GOALS = build units

asan:
	@$(MAKE) --no-print-directory BUILD=build/asan BIN=build/asan/bin \
		CFLAGS='$(SANITIZE)' $(ASAN_GOALS)

# lib/ once more, instrumented.
FUZZ_ARCHIVE = $(BUILD)/fuzz/libincr.a
FUZZ_OBJECTS = $(OBJECTS:$(BUILD)/%=$(BUILD)/fuzz/lib/%)
FUZZ_COMPILE = $(FUZZ_CC) $(STD) $(WARN)

$(BUILD)/fuzz/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	@$(FUZZ_COMPILE) $(FUZZ_CFLAGS:-fsanitize=fuzzer%=-fsanitize=fuzzer-no-link%) \
		-MMD -MP -c -o $@ $<

$(FUZZ_OBJECTS): $(LUA)

$(FUZZ_ARCHIVE): $(FUZZ_OBJECTS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(fuzz_targets:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: tests/fuzz/%.c \
		$(FUZZ_ARCHIVE)
	@$(FUZZ_COMPILE) $(FUZZ_CFLAGS) -Wl,--as-needed -o $@ \
		$(filter %.c %.o %.a,$^) $(LIBS)

$(BUILD)/fuzz/http_parser_diff: private FUZZ_COMPILE += $(LLHTTP_FLAGS)
$(BUILD)/fuzz/http_parser_diff: $(LLHTTP_OBJECTS)

# make -j2: two at a time.  What a target finds new stays in the build folder.
fuzz_seconds = $(strip $(if $(filter increment control http_parser,$(1)),\
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

$(BUILD)/bench/%: tests/bench/%.c $(ARCHIVE)
	@mkdir -p $(@D)
	@$(BUILD_TEST) -o $@ $^ $(LIBS)

# What ends with a test run all that it started.
$(BUILD)/guard: tests/ci/guard.c
	@mkdir -p $(@D)
	@$(BUILD_TEST) -o $@ $<

# What tests/chaos/run puts between the parts.
$(BUILD)/chaos/proxy: tests/chaos/proxy.c tests/chaos/peer.c tests/chaos/peer.h
	@mkdir -p $(@D)
	@$(BUILD_TEST) -o $@ $(filter %.c,$^)

$(BUILD)/chaos/clock.so: tests/chaos/clock.c
	@mkdir -p $(@D)
	@$(COMPILE) -O2 -fPIC -shared -o $@ $<

-include $(wildcard $(BUILD)/unit/*.d $(BUILD)/fuzz/lib/*/*.d)
