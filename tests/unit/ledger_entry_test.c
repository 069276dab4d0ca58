/* The form of entries: the schema's cases, and commits that are nearly entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "ledger/entry_parse.h"
#include "ledger/entry_shape.h"

#define C40 "cccccccccccccccccccccccccccccccccccccccc"
#define TREE "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
#define WHO "Alice <alice@example.com> 1700000000 +0000"
#define HEADERS "tree " TREE "\nauthor " WHO "\ncommitter " WHO "\n"
#define TITLE "verdict v1 good: seen"
#define JSON JSON_OF("null")
#define NEXT JSON_OF("\"" C40 "\"")
#define JSON_OF(LEDGER)                                                                            \
    "{\n  \"app\": \"shop\",\n  \"at\": 1700000000,\n  \"attachments\": [],\n"                     \
    "  \"environment\": null,\n  \"kind\": \"verdict\",\n  \"ledger\": " LEDGER ",\n"              \
    "  \"object\": \"" C40 "\",\n"                                                                 \
    "  \"tag\": \"v1\",\n  \"type\": \"urn:rbtool:ledger:v1\",\n  \"verdict\": {\n"                \
    "    \"transition\": null,\n    \"verdict\": \"good\",\n    \"why\": \"seen\"\n  }\n}\n"
#define ENTRY HEADERS "\n" TITLE "\n\n" JSON

/* The same documents go through schemas/ in tests/cli/schemas.bats. */
static void each_line(const char *path, bool expected, size_t least)
{
    rb_err err = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    assert_int_equal(rb_file_read(&text, path, 1 << 24, &err), RB_OK);
    size_t count = 0;
    for (char *line = text.data; *line; count++) {
        size_t len = strcspn(line, "\n");
        enum rb_entry_kind kind;
        RB_AUTO(rb_json_freep) json_t *json = NULL;
        assert_int_equal(rb_json_read(&json, line, len, "a case", &err), RB_OK);
        bool good = rb_entry_kind_of(&kind, rb_json_str(json, "kind")) &&
                    rb_shape_check(rb_entry_shape(kind), json, "a case", &err) == RB_OK;
        if (good != expected)
            fail_msg("%.*s: %s", (int)len, line, good ? "is accepted" : rb_err_line(&err));
        line += len + 1;
    }
    assert_true(count >= least);
}

static void test_cases(void **state)
{
    (void)state;
    each_line("tests/data/ledger-entry/valid.jsonl", true, 20);
    each_line("tests/data/ledger-entry/invalid.jsonl", false, 600);
}

/* The code and a part of the message of the first problem; NULL: none. */
static void judge(const char *raw, const char *code, const char *message, bool claims)
{
    RB_AUTO(rb_entry_form_clear) rb_entry_form form = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    enum rb_code got = rb_entry_form_read(&form, raw, strlen(raw), &problems);
    if (!code) {
        if (got != RB_OK)
            fail_msg("%s: %s", raw, problems.items[0].message);
        return;
    }
    if (got != RB_FOUND || strcmp(problems.items[0].code, code) != 0 ||
        !strstr(problems.items[0].message, message) || form.claims != claims || form.json)
        fail_msg("expected %s, %s: %s: %s", code, message, raw,
                 problems.n ? problems.items[0].message : "accepted");
}

static void test_form(void **state)
{
    (void)state;
    judge(ENTRY, NULL, NULL, true);
    judge(HEADERS "gpgsig -----BEGIN X-----\n \n AAAA\n -----END X-----\n\n" TITLE "\n\n" JSON,
          NULL, NULL, true);
    judge("", "header", "expected tree", false);
    judge("tree " TREE "\n", "header", "expected author", false);
    judge(HEADERS, "header", "expected an empty line", false);
    judge(HEADERS "\nFix the shop\n", "foreign", "not an entry of a ledger", false);
    judge(HEADERS "encoding latin1\n\n" TITLE "\n\n" JSON, "header", "found \"encoding latin1\"",
          true);
    judge(HEADERS "mergetag object\n\n" TITLE "\n\n" JSON, "header", "mergetag", true);
    judge(HEADERS "gpgsig-sha256 A\n\n" TITLE "\n\n" JSON, "header", "gpgsig-sha256", true);
    judge(HEADERS "gpgsig A\ngpgsig B\n\n" TITLE "\n\n" JSON, "header", "gpgsig B", true);
    judge(HEADERS "gpgsig A", "header", "expected an empty line", false);
    judge("tree " TREE "\nparent x\nauthor " WHO "\ncommitter " WHO "\n\n" TITLE "\n\n" JSON,
          "header", "a parent's id", true);
    judge("tree " TREE "\nauthor " WHO "\ncommitter Alice 1 +0000\n\n" TITLE "\n\n" JSON, "header",
          "Name <email>", true);
    judge(HEADERS "\n" TITLE "\n" JSON, "form", "a title, an empty line, and its JSON", true);
    judge(HEADERS "\n" TITLE "\n\n" JSON "\n", "form", "one form", true);
    judge(HEADERS "\n" TITLE "\n\n" JSON "{}", "form", "end of file", true);
    judge(HEADERS "\nverdict v1 bad: seen\n\n" JSON, "title", "about \"verdict v1 good\"", true);
    judge(HEADERS "\nverdict v11 good\n\n" JSON, "title", "v11", true);
    judge(HEADERS "\nverdict v1 goodish\n\n" JSON, "title", "goodish", true);
    judge("tree " TREE "\nauthor " WHO
          "\ncommitter Alice <alice@example.com> 1700000001 +0000\n\n" TITLE "\n\n" JSON,
          "time", "of 1700000000, its commit that it is of 1700000001", true);
    judge("tree " TREE "\nparent " C40 "\nparent " TREE "\nauthor " WHO "\ncommitter " WHO
          "\n\n" TITLE "\n\n" NEXT,
          "parents", "only merge entries have several", true);
    judge("tree " TREE "\nparent " C40 "\nparent " C40 "\nauthor " WHO "\ncommitter " WHO
          "\n\n" TITLE "\n\n" NEXT,
          "parents", "twice", true);
    judge("tree " TREE "\nparent " C40 "\nauthor " WHO "\ncommitter " WHO "\n\n" TITLE "\n\n" NEXT,
          NULL, NULL, true);
    judge("tree " TREE "\nparent " C40 "\nauthor " WHO "\ncommitter " WHO "\n\n" TITLE "\n\n" JSON,
          "ledger", "does not name the ledger's first entry", true);
    judge(HEADERS "\n" TITLE "\n\n" NEXT, "ledger", "names another one as the ledger's first",
          true);
}

/* A headline and a text that are just within the limits, and one byte more. */
static void test_size(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        RB_AUTO(rb_buf_clear) rb_buf raw = {0};
        rb_buf_puts(&raw, HEADERS "\n" TITLE);
        for (size_t i = strlen(TITLE); i < RB_ENTRY_TITLE_LIMIT + more; i++)
            rb_buf_addc(&raw, '!');
        rb_buf_puts(&raw, "\n\n" JSON);
        judge(raw.data, more ? "size" : NULL, "its title 1025", true);
        rb_buf_truncate(&raw, 0);
        rb_buf_puts(&raw, HEADERS "\n" TITLE "\n\n" JSON);
        while (raw.len < strlen(HEADERS) + 1 + RB_ENTRY_LIMIT + more)
            rb_buf_addc(&raw, ' ');
        judge(raw.data, more ? "size" : "form", more ? "has 65537 bytes" : "one form", true);
    }
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    rb_buf_puts(&raw, HEADERS "gpgsig A");
    for (size_t i = 0; i < RB_ENTRY_HEADERS_LIMIT; i++)
        rb_buf_addc(&raw, 'A');
    rb_buf_puts(&raw, "\n\n" TITLE "\n\n" JSON);
    judge(raw.data, "size", "the headers", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_form),
                                       cmocka_unit_test(test_size)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
