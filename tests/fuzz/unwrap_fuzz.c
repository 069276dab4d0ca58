/*
 * What is unwrapped keeps its length and its lines, holds no more transaction control, and stays as
 * it is when unwrapped again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "migration/unwrap.h"

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check(const char *text, size_t len, const char *engine)
{
    rb_script script = {
        .present = true, .path = (char *)"m/1.sql", .line = 1, .text = (char *)text, .len = len};
    char *out = NULL, *again = NULL;
    rb_err err = {0};
    (void)rb_script_is_blank(&script, engine);
    if (rb_script_unwrap(&out, &script, engine, &err) != RB_OK) {
        must(err.code == RB_FOUND && strstr(err.message, "m/1.sql, line ") == err.message);
        return;
    }
    must(strlen(out) == len);
    for (size_t i = 0; i < len; i++)
        must(out[i] == text[i] || (out[i] == ' ' && text[i] != '\n'));
    rb_sql sql;
    rb_sql_init(&sql, out, len, engine);
    rb_sql_statement s;
    while (rb_sql_statement_next(&s, &sql))
        must(rb_sql_control(&s) == RB_CONTROL_NONE);
    script.text = out;
    must(rb_script_unwrap(&again, &script, engine, &err) == RB_OK);
    must(strcmp(out, again) == 0);
    free(out);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || memchr(data, '\0', size))
        return 0;
    char *text = rb_strndup((const char *)data, size);
    check(text, size, "sqlite");
    check(text, size, "postgresql");
    free(text);
    return 0;
}
