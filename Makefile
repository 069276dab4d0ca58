# make                  builds build/rbtool
# make demo             installs what is missing, builds, shows the main job on a small shop
#                       DB=postgresql: with a private PostgreSQL server
# make test             installs what is missing, builds, runs every test
# make check T=NAME     runs one suite (release_manifest, verify.bats) or bats tests by name
# make asan             the same tests under AddressSanitizer and UBSan
# make fuzz             libFuzzer targets, SECONDS_PER_TARGET=60 each; T=NAME for one
# make sweep            every kill point of a transition (make test takes a sample)
# make lint, bench, clean
# make install          PREFIX=/usr/local, DESTDIR=
# make uninstall        removes what `make install` installed
# make deb              a Debian package in build/
#
# V=1 shows the commands of a build.

CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
ZSH ?= share/zsh/site-functions
CFLAGS ?= -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
SECONDS_PER_TARGET ?= 60
JOBS ?= $(shell nproc)
V ?=
Q = $(if $(V),,@)
SAY = $(if $(V),@:,@printf '%-8s %s\n')

LIBS = libgit2 libcrypto jansson sqlite3
WARN = -Wall -Wextra -Wpedantic -Wshadow -Werror
# The program holds no path of the folder that it was built in: two folders give the same bytes.
CPPFLAGS += '-ffile-prefix-map=$(CURDIR)=.'
CPPFLAGS += -D_GNU_SOURCE -Icore $(shell pkg-config --cflags-only-I libpq)
ALL_CFLAGS = -std=c17 $(WARN) $(CFLAGS) -pthread
LDLIBS = $(shell pkg-config --libs $(LIBS)) -pthread
SANITIZE = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

CORE = $(sort $(wildcard core/*/*.c core/*/*/*.c))
CMD = $(sort $(wildcard cmd/*.c))
CORE_OBJ = $(CORE:%.c=$(BUILD)/%.o)
CMD_OBJ = $(CMD:%.c=$(BUILD)/%.o)
HOOKS = $(filter-out hooks/recipes,$(wildcard hooks/*))
MAN = $(patsubst cmd/man/%.md,$(BUILD)/man/%,$(sort $(wildcard cmd/man/*.md)))
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/*_test.c)))
FUZZ = $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
REPLAY = $(FUZZ:%=$(BUILD)/replay/%)

.PHONY: all install uninstall deb demo test check tests unit asan sweep fuzz fuzzers lint bench clean
.DELETE_ON_ERROR:

all: $(BUILD)/rbtool $(MAN)

$(BUILD)/rbtool: $(CMD_OBJ) $(BUILD)/librb.a
	$(SAY) link $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@.new $^ $(LDLIBS)
	$(Q)mv $@.new $@

$(BUILD)/librb.a: $(CORE_OBJ)
	$(SAY) archive $@
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# libpg_query is loaded by the name that linking would have recorded.
PG_QUERY = $(shell objdump -p "$$($(CC) -print-file-name=libpg_query.so)" | awk '$$1 == "SONAME" { print $$2 }')
$(BUILD)/core/database/postgres/libraries.o: CPPFLAGS += '-DRB_PG_QUERY="$(PG_QUERY)"'

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(SAY) compile $<
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The program holds the hooks that `rbtool init` installs.
$(BUILD)/cmd/init_hooks.o: $(HOOKS)
# It also holds the pages that `rbtool help COMMAND` prints.
$(BUILD)/cmd/help.o: $(wildcard cmd/man/*.md)
# And what commands print.
$(BUILD)/cmd/adopt.o: cmd/text/adopt.txt
$(BUILD)/cmd/plan_show.o: cmd/text/plan.txt
$(BUILD)/cmd/prove_print.o: cmd/text/prove.txt cmd/text/prove.md cmd/text/prove.xml
$(BUILD)/cmd/show.o: cmd/text/show.txt
# And the schemas of what it reads, the page of a report, and the query for a catalog of PostgreSQL.
$(BUILD)/core/config/config_shape.o: schemas/config.schema.json
$(BUILD)/core/ledger/entry_shape.o: schemas/ledger-entry.schema.json
$(BUILD)/core/ledger/policy_read.o: schemas/policy.schema.json
$(BUILD)/core/release/manifest_decode.o: schemas/manifest.schema.json
$(BUILD)/core/report/page.o: core/report/page.html
$(BUILD)/core/report/runbook.o: core/report/runbook.md
$(BUILD)/core/transition/bundle_manual.o: \
    core/transition/manual_readme.md core/transition/manual_revert.txt
$(BUILD)/core/database/postgres/catalog.o: core/database/postgres/catalog.sql
$(BUILD)/core/database/postgres/catalog_units.o: core/database/postgres/catalog_units.sql

# Tests: unit test programs, and fuzz targets that replay their corpus.
tests: $(BUILD)/rbtool $(MAN) $(UNIT) $(REPLAY)

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/librb.a
	@mkdir -p $(@D)
	$(SAY) link $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS) $(shell pkg-config --libs libpq)

$(BUILD)/replay/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o $(BUILD)/librb.a
	@mkdir -p $(@D)
	$(SAY) link $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

test:
	.ci/install
	$(MAKE) -j$(JOBS) tests
	BUILD=$(BUILD) tests/run

check: tests
	BUILD=$(BUILD) tests/run '$(T)'

# make unit U=trust runs tests/unit/trust*_test.c
unit: $(filter $(BUILD)/unit/$(U)%,$(UNIT))
	@set -e; for t in $^; do echo "== $$t"; $$t; done

# A suite has more time here: the sanitizers are slow.
asan:
	.ci/install
	$(MAKE) BUILD=build-asan CC=clang CFLAGS='$(SANITIZE)' -j$(JOBS) tests
	BUILD=build-asan LIMIT=1200 tests/run

sweep:
	$(MAKE) -j$(JOBS) tests
	set -e; for sweep in sweep sweep_deploy sweep_databases sweep_abort sweep_postgres sweep_practice; do \
		BUILD=$(BUILD) FAULT_EVERY=1 LIMIT=14400 tests/run $$sweep; done

# Fuzzing wants the library instrumented too, hence a build folder of its own.
fuzz:
	.ci/install
	$(MAKE) BUILD=build-fuzz CC=clang CFLAGS='$(SANITIZE) -fsanitize=fuzzer-no-link' -j$(JOBS) fuzzers
	BUILD=build-fuzz SECONDS_PER_TARGET=$(SECONDS_PER_TARGET) tests/fuzz/run $(T)

fuzzers: $(FUZZ:%=$(BUILD)/fuzz/%)

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/librb.a
	@mkdir -p $(@D)
	$(SAY) link $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

lint:
	.ci/install
	tests/lint/run

bench:
	.ci/install
	$(MAKE) -j$(JOBS) all $(BUILD)/bench/fill_ledger $(BUILD)/bench/fingerprint
	BUILD=$(BUILD) tests/bench/run

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/librb.a
	@mkdir -p $(@D)
	$(SAY) link $@
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

demo:
	.ci/install demo
	$(if $(filter postgresql,$(DB)),.ci/install postgresql)
	$(MAKE) -j$(JOBS) all
	BUILD=$(BUILD) DB=$(DB) tests/demo/run

$(BUILD)/man/%: cmd/man/%.md cmd/man/build $(BUILD)/rbtool
	@mkdir -p $(@D)
	$(Q)cmd/man/build $(BUILD)/rbtool $< >$@

install: all $(MAN)
	install -d $(DESTDIR)$(PREFIX)/bin $(addprefix $(DESTDIR)$(PREFIX)/share/man/man,1 5 7)
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -d $(DESTDIR)$(PREFIX)/$(ZSH) $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/rbtool/,hooks hooks/recipes schemas)
	install -m 755 $(BUILD)/rbtool $(DESTDIR)$(PREFIX)/bin/rbtool
	for f in $(MAN); do install -m 644 "$$f" "$(DESTDIR)$(PREFIX)/share/man/man$${f##*.}/"; done
	install -m 644 cmd/completion/rbtool.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/rbtool
	install -m 644 cmd/completion/_rbtool $(DESTDIR)$(PREFIX)/$(ZSH)/_rbtool
	install -m 644 cmd/completion/rbtool.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/rbtool.fish
	for f in $(HOOKS); do install -m 755 "$$f" $(DESTDIR)$(PREFIX)/share/rbtool/hooks/; done
	for f in $(wildcard hooks/recipes/*); do install -m 644 "$$f" $(DESTDIR)$(PREFIX)/share/rbtool/hooks/recipes/; done
	for f in $(wildcard schemas/*.json); do install -m 644 "$$f" $(DESTDIR)$(PREFIX)/share/rbtool/schemas/; done

deb: all $(MAN)
	BUILD=$(BUILD) .ci/deb/build

# Folders are removed only where nothing else is in them.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/rbtool
	for f in $(notdir $(MAN)); do rm -f "$(DESTDIR)$(PREFIX)/share/man/man$${f##*.}/$$f"; done
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/rbtool
	rm -f $(DESTDIR)$(PREFIX)/$(ZSH)/_rbtool
	rm -f $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/rbtool.fish
	for f in $(HOOKS) $(wildcard hooks/recipes/*) $(wildcard schemas/*.json); do rm -f "$(DESTDIR)$(PREFIX)/share/rbtool/$$f"; done
	for d in /hooks/recipes /hooks /schemas ''; do [ ! -d "$(DESTDIR)$(PREFIX)/share/rbtool$$d" ] || \
		rmdir --ignore-fail-on-non-empty "$(DESTDIR)$(PREFIX)/share/rbtool$$d"; done

clean:
	rm -rf build build-asan build-fuzz

# Objects of the tests are kept, so that only what changed is compiled again.
.SECONDARY:

-include $(CORE_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(wildcard $(BUILD)/tests/*/*.d)
