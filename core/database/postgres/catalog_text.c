/* Normalises texts of a catalog, so that the same schema has the same text however it was made, and
 * recognises names that the server generated. */
#include <string.h>

#include "catalog/name.h"
#include "database/postgres/catalog_read.h"

#define NAME_BYTES 63
#define CAST "::character varying"

const char *rb_pg_field(const PGresult *row, int column)
{
    return PQgetisnull(row, 0, column) ? NULL : PQgetvalue(row, 0, column);
}

char *rb_pg_qualified(const char *schema, const char *name)
{
    if (!name)
        return rb_strdup(schema ? schema : "");
    bool plain = !schema || (strcmp(schema, "public") == 0 && !strpbrk(name, ".\""));
    return rb_catalog_qualified(plain ? NULL : schema, name);
}

/* Removes members that are null or false, at any depth. */
static void strip(json_t *value)
{
    const char *key;
    json_t *member;
    void *next;
    rb_json_each (item, value)
        strip(item);
    json_object_foreach_safe(value, next, key, member)
    {
        if (json_is_null(member) || json_is_false(member))
            json_object_del(value, key);
        else
            strip(member);
    }
}

enum rb_code rb_pg_read_object(json_t **out, const char *text, rb_err *err)
{
    *out = NULL;
    if (text)
        RB_TRY(rb_json_read(out, text, strlen(text), "a definition", err));
    else
        *out = json_object();
    strip(*out);
    if (json_is_object(*out))
        return RB_OK;
    json_decref(*out);
    *out = NULL;
    return rb_fail(err, RB_ERROR, "the server's answer has a definition that is not an object");
}

static const char *after(const char *text, const char *start)
{
    size_t len = strlen(start);
    return text && strncmp(text, start, len) == 0 ? text + len : NULL;
}

/* Returns the end of a literal with the cast, such as 'text'::character varying, E'text' or NULL;
 * NULL if the text does not begin with one. */
static const char *literal_end(const char *text)
{
    const char *end = after(text, "NULL");
    if (end)
        return after(end, CAST);
    text += *text == 'E';
    if (*text != '\'')
        return NULL;
    for (end = strchr(text + 1, '\''); end && end[1] == '\'';)
        end = strchr(end + 2, '\'');
    return end ? after(end + 1, CAST) : NULL;
}

/* Matches ('a'::character varying)::text and returns its end. *len: bytes to keep, from the second
 * one on. */
static const char *cast_literal(size_t *len, const char *text)
{
    const char *end = *text == '(' ? literal_end(text + 1) : NULL;
    *len = end ? (size_t)(end - text - 1) : 0;
    return after(end, ")::text");
}

/* Matches (ARRAY['a'::character varying, ...])::text[] in the same way. */
static const char *cast_array(size_t *len, const char *text)
{
    const char *end = after(text, "(ARRAY[");
    end = end ? literal_end(end) : NULL;
    for (const char *next; (next = after(end, ", ")) != NULL;)
        end = literal_end(next);
    *len = end ? (size_t)(end - text) : 0;
    return after(end, "])::text[]");
}

typedef const char *find_cast(size_t *len, const char *text);

static char *without(const char *text, find_cast *find)
{
    rb_buf out = {0};
    while (*text) {
        size_t len;
        const char *end = find(&len, text);
        if (end)
            rb_buf_add(&out, text + 1, len);
        else
            rb_buf_addc(&out, *text);
        text = end ? end : text + 1;
    }
    return rb_buf_detach(&out);
}

char *rb_pg_without_casts(const char *text)
{
    const char *array = strstr(text, "ARRAY[");
    if (!array || !strstr(array, CAST))
        return rb_strdup(text);
    RB_AUTO(rb_free_str) char *literals = without(text, cast_literal);
    return without(literals, cast_array);
}

const char *rb_pg_index_text(const char *definition)
{
    bool quoted = false;
    for (; *definition; definition++) {
        quoted ^= *definition == '"';
        if (!quoted && strncmp(definition, " USING ", 7) == 0)
            return definition + 1;
    }
    return definition;
}

char *rb_pg_constraint_text(const char *text, char kind)
{
    static const char *const ends[] = {" NOT VALID", " INITIALLY DEFERRED", " DEFERRABLE"};
    RB_AUTO(rb_free_str) char *plain = rb_pg_without_casts(text);
    size_t len = strlen(plain);
    for (size_t i = 0; i < sizeof ends / sizeof *ends && kind != 'x'; i++) {
        const size_t end = strlen(ends[i]);
        if (len > end && strcmp(plain + len - end, ends[i]) == 0)
            plain[len -= end] = '\0';
    }
    bool quoted = false;
    int lists = 0; /* number of column lists so far */
    for (size_t i = 0; i < len && kind == 'f'; i++) {
        quoted ^= plain[i] == '"';
        lists += !quoted && plain[i] == '(';
        if (lists == 2)
            return rb_format("%.*s %s", (int)i, plain, plain + i);
    }
    return rb_strndup(plain, len);
}

/* Appends a name, quoted if SQL needs that, and the closing quote of a literal. */
static void end_literal(rb_buf *out, const char *name, bool quoted)
{
    if (quoted)
        rb_buf_addc(out, '"');
    for (; *name; name++) {
        if (*name == '\'' || *name == '"')
            rb_buf_addc(out, *name);
        rb_buf_addc(out, *name);
    }
    rb_buf_puts(out, quoted ? "\"'" : "'");
}

char *rb_pg_with_sequence(const char *value, const char *literal, const char *name, const char *to)
{
    const size_t len = strlen(literal);
    const bool quoted = len >= 2 && literal[len - 2] == '"';
    RB_AUTO(rb_buf_clear) rb_buf own = {0};
    rb_buf out = {0};
    end_literal(&own, name, quoted);
    if (own.len > len || strcmp(literal + len - own.len, own.data) != 0)
        return NULL;
    for (const char *at; (at = strstr(value, literal)) != NULL; value = at + len) {
        rb_buf_add(&out, value, (size_t)(at - value));
        rb_buf_add(&out, literal, len - own.len);
        end_literal(&out, to, quoted);
    }
    rb_buf_puts(&out, value);
    return rb_buf_detach(&out);
}

/* Returns the length of the text, cut to at most `most` bytes at the start of a character. */
static int clipped(const char *text, size_t most)
{
    size_t n = strlen(text);
    for (n = n < most ? n : most; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
        n--;
    return (int)n;
}

/* Returns the name that the server would generate: cuts the longer one of table and columns until
 * all parts and `digits` fit into 63 bytes. */
static char *generate(const char *table, const char *columns, const char *label, size_t digits)
{
    const size_t room = NAME_BYTES - 1 - strlen(label) - (columns ? 1 : 0) - digits;
    size_t table_bytes = strlen(table);
    size_t column_bytes = columns ? strlen(columns) : 0;
    while (table_bytes + column_bytes > room) {
        if (table_bytes > column_bytes)
            table_bytes--;
        else
            column_bytes--;
    }
    return rb_format("%.*s%s%.*s_%s", clipped(table, table_bytes), table, columns ? "_" : "",
                     columns ? clipped(columns, column_bytes) : 0, columns ? columns : "", label);
}

char *rb_pg_generated_name(const char *name, const char *table, const char *columns,
                           const char *label)
{
    size_t len = strlen(name);
    size_t digits = 0;
    while (digits < len && strchr("0123456789", name[len - 1 - digits]))
        digits++;
    if (digits > NAME_BYTES / 2)
        return NULL;
    RB_AUTO(rb_free_str) char *numbered = generate(table, columns, label, digits);
    if (strncmp(name, numbered, len - digits) != 0 || strlen(numbered) != len - digits)
        return NULL;
    return generate(table, columns, label, 0);
}
