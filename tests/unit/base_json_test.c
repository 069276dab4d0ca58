/* Canonical JSON: RFC 8785, and what reads back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/template.h"
#include "base/text.h"

static json_t *read(const char *text)
{
    json_t *json = NULL;
    rb_err err = {0};
    if (rb_json_read(&json, text, strlen(text), "a test", &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    return json;
}

static void expect(const char *text, const char *canonical)
{
    rb_buf out = {0};
    json_t *json = read(text);
    rb_json_canonical(&out, json);
    assert_string_equal(rb_buf_str(&out), canonical);
    json_t *again = read(rb_buf_str(&out));
    assert_true(json_equal(json, again));
    json_decref(json);
    json_decref(again);
    rb_buf_clear(&out);
}

/* RFC 8785, 3.2.3, its keys in another order: the emoji takes two units that come before U+FB33. */
static void test_key_order(void **state)
{
    (void)state;
    expect("{\"\\ufb33\":7,\"1\":2,\"\\ud83d\\ude02\":6,\"\\u20ac\":5,\"\\r\":1,\"\\u00f6\":4,"
           "\"\\u0080\":3}",
           "{\"\\r\":1,\"1\":2,\"\xc2\x80\":3,\"\xc3\xb6\":4,\"\xe2\x82\xac\":5,"
           "\"\xf0\x9f\x98\x82\":6,\"\xef\xac\xb3\":7}");
    expect("{\"ab\":1,\"a\":2,\"\":3,\"b\":{\"d\":1,\"c\":2}}",
           "{\"\":3,\"a\":2,\"ab\":1,\"b\":{\"c\":2,\"d\":1}}");
    expect("{\"\\ud83d\\ude03\":1,\"\\ud83d\\ude02\":2,\"x\\ue000\":3,\"x\\ud800\\udc00\":4}",
           "{\"x\xf0\x90\x80\x80\":4,\"x\xee\x80\x80\":3,\"\xf0\x9f\x98\x82\":2,"
           "\"\xf0\x9f\x98\x83\":1}");
}

static void test_strings(void **state)
{
    (void)state;
    expect("[\"\",\"plain\",\"a\\\"b\\\\c\\/d\",\"\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\\u20ac\"]",
           "[\"\",\"plain\",\"a\\\"b\\\\c/d\",\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\xe2\x82\xac\"]");
    expect("[\"\\n\",\"end\\n\",\"\\nstart\",\"\\\\\\\\\"]",
           "[\"\\n\",\"end\\n\",\"\\nstart\",\"\\\\\\\\\"]");
}

/* What a terminal would obey is escaped, and the value is the same. */
static void test_screen(void **state)
{
    (void)state;
    rb_buf text = {0};
    rb_buf out = {0};
    json_t *json =
        read("[\"\\u001b[5m\\u007f\\u009b5m\\u00a0\\u200e\\u2028\\u202e\\u202f\\u2066\\u2070\"]");
    rb_json_canonical(&text, json);
    rb_json_screen(&out, &text);
    assert_string_equal(rb_buf_str(&out),
                        "[\"\\u001b[5m\\u007f\\u009b5m\xc2\xa0\\u200e\\u2028\\u202e"
                        "\xe2\x80\xaf\\u2066\xe2\x81\xb0\"]");
    json_t *again = read(rb_buf_str(&out));
    assert_true(json_equal(json, again));
    json_decref(json);
    json_decref(again);
    rb_buf_clear(&text);
    rb_buf_clear(&out);
}

static void test_pretty(void **state)
{
    (void)state;
    rb_buf out = {0};
    json_t *json = read("{\"b\":[1,{}],\"a\":{\"z\":null,\"y\":[]}}");
    rb_json_pretty(&out, json);
    assert_string_equal(rb_buf_str(&out), "{\n  \"a\": {\n    \"y\": [],\n    \"z\": null\n  },\n"
                                          "  \"b\": [\n    1,\n    {}\n  ]\n}\n");
    json_decref(json);
    rb_buf_clear(&out);
}

/* Longer than what is set aside at first. */
static void test_format(void **state)
{
    (void)state;
    rb_buf out = {0};
    char expected[1001] = "";
    for (int i = 0; i < 100; i++) {
        rb_buf_printf(&out, "%0*d", i % 20 == 19 ? 105 : 5, i);
        assert_int_equal(strlen(out.data), out.len);
    }
    assert_int_equal(out.len, 95 * 5 + 5 * 105);
    rb_buf_truncate(&out, 0);
    memset(expected, 'x', sizeof expected - 1);
    rb_buf_printf(&out, "%s", expected);
    assert_string_equal(out.data, expected);
    rb_buf_clear(&out);
    for (size_t len = 60; len < 68; len++) {
        char *text = rb_format("%.*s", (int)len, expected);
        assert_int_equal(strlen(text), len);
        free(text);
    }
}

/* Wherever it is cut: what a program printed must not end as a message that JSON will not take. */
static void test_long_error(void **state)
{
    (void)state;
    RB_AUTO(rb_buf_clear) rb_buf many = {0};
    for (int i = 0; i < 1100; i++)
        rb_buf_puts(&many, "\xc3\xa9");
    for (size_t pad = 0; pad < 8; pad++) {
        rb_err err;
        errno = ENOENT;
        assert_int_equal(rb_fail_errno(&err, RB_FOUND, "%.*s%s", (int)pad, "xxxxxxxx", many.data),
                         RB_FOUND);
        assert_int_equal(rb_err_prefix(&err, "%.*s", (int)pad, "yyyyyyyy"), RB_FOUND);
        assert_true(rb_text_is_utf8(rb_err_line(&err), strlen(rb_err_line(&err))));
        assert_in_range(strlen(rb_err_line(&err)), sizeof err.message - 5, sizeof err.message - 1);
        assert_string_equal(rb_err_line(&err) + strlen(rb_err_line(&err)) - 3, "...");
        json_t *text = rb_json_text(rb_err_line(&err));
        assert_string_equal(json_string_value(text), rb_err_line(&err));
        json_decref(text);
    }
    rb_err err;
    (void)rb_fail(&err, RB_FOUND, "a\xff%s", "b");
    assert_string_equal(rb_err_line(&err), "a\\xffb");
    json_t *text = rb_json_text("c\xff");
    assert_string_equal(json_string_value(text), "c\\xff");
    json_decref(text);
}

/* Documents are made of a list of members; a text that is not UTF-8 or NULL does not stop that. */
static void test_make(void **state)
{
    (void)state;
    RB_AUTO(rb_json_freep) json_t *borrowed = json_string("kept");
    RB_AUTO(rb_json_freep)
    json_t *made = rb_json_make("a:s b:s c:t d:b e:d f:n g:i h:j i:J k:j l:0", "x", NULL, "\x1b",
                                true, -1, (size_t)2, INT64_C(-3), json_array(), borrowed, NULL);
    rb_json_set(made, "b:s m:s", "again", "\xff");
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, made);
    assert_string_equal(
        rb_buf_str(&text),
        "{\"a\":\"x\",\"b\":\"again\",\"c\":\"\\\\x1b\",\"d\":true,\"e\":-1,\"f\":2,"
        "\"g\":-3,\"h\":[],\"i\":\"kept\",\"k\":null,\"l\":null,\"m\":\"\\\\xff\"}");
}

/* `break` leaves the loop and `continue` goes to the next item. */
static void test_each(void **state)
{
    (void)state;
    RB_AUTO(rb_json_freep) json_t *numbers = json_pack("[i,i,i,i,i]", 1, 2, 3, 4, 5);
    json_int_t sum = 0;
    rb_json_each (n, numbers) {
        if (json_integer_value(n) == 2)
            continue;
        if (json_integer_value(n) == 4)
            break;
        sum += json_integer_value(n) * 10 + (json_int_t)n_at;
    }
    assert_int_equal(sum, 10 + 32);
    rb_json_each (none, NULL)
        fail_msg("%p", (void *)none);
}

static void test_template(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{table}[.{column}]: {rows:count} row{rows:s}[: {why}]", "orders.note: 18,233 rows"},
        {"{one} row{one:s}, {none|-}, {null|nothing}, {empty|-}.", "1 row, -, nothing, ."},
        {"{app.name} {app.none.more|-} {list} {yes}{at:id}", "shop - x, y 2026-11-30"},
        {"[a{no}][b{yes}][c{list}][d{gone}][e{empty}][f{zero}]", "bcx, yf0"},
        {"{column?value:row}{yes?+:-}{no?+:-}{none?:rows}{empty?a:b}", "value+-rowsb"},
        {"{rows:bytes} {at:time} {at:minute|-} {table:time}{none:count|none}",
         "18.2 kB 2026-11-30 19:53:54 UTC 2026-11-30 19:53 UTC ordersnone"},
        {"{rows:duration}, {one:duration}, {zero:duration}, {part} %",
         "5 h 3 min, 1 s, 0 s, 33.3 %"},
        {"{one:3} {column:6}|{rows:2}", "  1 note  |18233"},
    };
    RB_AUTO(rb_json_freep)
    json_t *item = rb_json_make(
        "table:s column:s rows:d one:d zero:d null:0 empty:s yes:b no:b at:s app:j list:j "
        "part:j",
        "orders", "note", 18233, 1, 0, "", true, false, "2026-11-30T19:53:54Z",
        rb_json_make("name:s", "shop"), json_pack("[s,s]", "x", "y"), json_real(33.3));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RB_AUTO(rb_free_str) char *text = rb_template(cases[i][0], item);
        assert_string_equal(text, cases[i][1]);
    }
    RB_AUTO(rb_json_freep) json_t *word = json_string("alone");
    RB_AUTO(rb_buf_clear) rb_buf lines = {0};
    rb_template_fill(&lines, "[why {why}]\n\n%each list\n  [{.}]\n%end\n[{table}]\n", item, NULL);
    assert_string_equal(lines.data, "\n  x\n  y\norders\n");
    RB_AUTO(rb_free_str) char *text = rb_template("{.}!", word);
    assert_string_equal(text, "alone!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_order), cmocka_unit_test(test_strings),
        cmocka_unit_test(test_screen),    cmocka_unit_test(test_pretty),
        cmocka_unit_test(test_format),    cmocka_unit_test(test_long_error),
        cmocka_unit_test(test_make),      cmocka_unit_test(test_each),
        cmocka_unit_test(test_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
