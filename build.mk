# How things are built; what is built stands in the Makefile.

.PHONY: build clean
.DELETE_ON_ERROR:
.SECONDEXPANSION:

build: $(PROGRAMS:%=$(BIN)/%)

modules = $(filter-out -l%,$($(1)))
objects = $(patsubst %,$(BUILD)/%.o,$(call modules,$(1)))

$(PROGRAMS:%=$(BIN)/%): $(BIN)/%: $(BUILD)/%.o $$(call objects,$$*)
	@mkdir -p $(@D)
	@echo "  $* = $(strip $($*))"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(filter -l%,$($*))

$(BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	@$(CC) $(STD) $(WARN) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: lib/%.c
	@mkdir -p $(@D)
	@$(CC) $(STD) $(WARN) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The Redis scripts as C string literals: "lua/take.h" is script_take[].
LUA = $(patsubst lib/lua/%.lua,$(BUILD)/lua/%.h,$(wildcard lib/lua/*.lua))

$(BUILD)/queue.o $(BUILD)/share.o: $(LUA)

$(BUILD)/lua/%.h: lib/lua/%.lua
	@mkdir -p $(@D)
	@{ echo 'static const char script_$*[] ='; \
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/    "&\\n"/' $<; \
	echo '    ;'; } >$@

clean:
	rm -rf $(BUILD) $(PROGRAMS:%=$(BIN)/%)

-include $(wildcard $(BUILD)/*.d)
