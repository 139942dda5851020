# How things are built; what is built stands in the Makefile.

.PHONY: build clean
.DELETE_ON_ERROR:

build: $(PROGRAMS:%=$(BIN)/%)

# Every module of lib/ is in one archive, from which the linker takes what a
# program uses.
ARCHIVE = $(BUILD)/libincr.a
OBJECTS = $(patsubst lib/%.c,$(BUILD)/%.o,$(wildcard lib/*/*.c))

COMPILE = $(CC) $(STD) $(WARN) $(HARDEN) $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(HARDEN_LINK) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed

$(PROGRAMS:%=$(BIN)/%): $(BIN)/%: $(BUILD)/%.o $(ARCHIVE)
	@mkdir -p $(@D)
	@echo "  $*"
	@$(LINK) -o $@ $^ $(LIBS)

$(ARCHIVE): $(OBJECTS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	@$(COMPILE) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: lib/%.c
	@mkdir -p $(@D)
	@$(COMPILE) -MMD -MP -c -o $@ $<

# The Redis scripts as C string literals: "queue/lua/take.h" is script_take[].
LUA = $(patsubst lib/%.lua,$(BUILD)/%.h,$(wildcard lib/queue/lua/*.lua))

$(BUILD)/queue/queue_call.o $(BUILD)/serve/ratelimit_shared.o: $(LUA)

$(BUILD)/queue/lua/%.h: lib/queue/lua/%.lua
	@mkdir -p $(@D)
	@{ echo 'static const char script_$*[] ='; \
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/    "&\\n"/' $<; \
	echo '    ;'; } >$@

clean:
	rm -rf $(BUILD) $(PROGRAMS:%=$(BIN)/%)

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d)
