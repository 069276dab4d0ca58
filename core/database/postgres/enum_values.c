/* Finds the enum values that scripts add and use. The server refuses a use before the commit. */
#include "database/postgres/postgres.h"

#include <string.h>

#include "migration/unwrap.h"

/* True if one of the enum values stands in the text as a word. Text ends with a zero. */
static bool mentions(const char *text, size_t len, const rb_strs *values)
{
    for (size_t i = 0; i < values->n; i++) {
        const char *value = values->items[i];
        const size_t n = strlen(value);
        for (const char *at = text; (at = memmem(at, len - (size_t)(at - text), value, n)); at++)
            if ((at == text || rb_sql_word_end(at - 1, at) == at - 1) &&
                rb_sql_word_end(at + n, at + n + 1) == at + n)
                return true;
    }
    return false;
}

/* Adds the enum values that the statement adds (ALTER TYPE ... ADD VALUE) to `adds`, as they are
 * written. Returns true if it has one of the values in `before` in a string, or asks for all values
 * of a type. Bodies in dollar quotes are read as code. */
static bool read_values(rb_strs *adds, const char *sql, size_t len, const rb_strs *before)
{
    static const char *const all[] = {"ENUM_FIRST", "ENUM_LAST", "ENUM_RANGE", NULL};
    rb_token last = {.kind = RB_TOKEN_END};
    bool of_type = false;
    bool adding = false;
    bool uses = false;
    rb_sql in;
    rb_sql_init(&in, sql, len, RB_POSTGRESQL);
    rb_sql_dialect code = *in.dialect;
    code.dollar_strings = false;
    in.dialect = &code;
    for (rb_token token; rb_sql_next(&token, &in); last = token) {
        const bool text = token.kind == RB_TOKEN_STRING || token.kind == RB_TOKEN_BROKEN;
        of_type = (of_type && !rb_token_is(&token, ";")) ||
                  (rb_token_is(&last, "alter") && rb_token_is(&token, "type"));
        adding |= of_type && rb_token_is(&last, "add") && rb_token_is(&token, "value");
        if (token.kind == RB_TOKEN_STRING && adding)
            rb_strs_take(adds, rb_strndup(token.text + 1, token.len - 2));
        else if (text && !rb_token_is(&last, "before") && !rb_token_is(&last, "after"))
            uses |= mentions(token.text, token.len, before);
        uses |= before->n > 0 && rb_sql_one_of(&token, all);
        adding &= !text;
    }
    return uses;
}

bool rb_pg_uses_values(rb_strs *adds, const char *text, const rb_sql_statement *s,
                       const rb_strs *before)
{
    const bool uses = read_values(adds, text + s->start, s->end - s->start, before);
    return uses || (s->has_data && mentions(text + s->data, s->data_end - s->data, before));
}
