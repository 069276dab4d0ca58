#include "catalog/name.h"

#include <stdlib.h>
#include <string.h>

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t plain_length(const char *text)
{
    size_t n = 0;
    if (*text >= '0' && *text <= '9')
        return 0;
    while (is_name_char(text[n]))
        n++;
    return n;
}

void rb_catalog_add_part(rb_buf *out, const char *part)
{
    size_t plain = plain_length(part);
    if (plain > 0 && part[plain] == '\0') {
        rb_buf_puts(out, part);
        return;
    }
    rb_buf_addc(out, '"');
    for (const char *p = part; *p;) {
        size_t n = strcspn(p, "\"\\");
        rb_buf_add_safe(out, p, n);
        p += n;
        if (*p) {
            rb_buf_addc(out, *p);
            rb_buf_addc(out, *p++);
        }
    }
    rb_buf_addc(out, '"');
}

static bool in(const char *const *list, const char *kind, size_t len)
{
    for (; *list; list++)
        if (strncmp(*list, kind, len) == 0 && (*list)[len] == '\0')
            return true;
    return false;
}

/* Kinds of objects whose names are unique only within a table. */
static const char *const of_tables[] = {"column", "constraint", "trigger", "rule", "policy", NULL};
/* Kinds whose keys end with a text instead of a name. */
static const char *const of_text[] = {
    "constraint",     "function",        "procedure", "aggregate", "operator",
    "operator_class", "operator_family", "cast",      "transform", NULL};

static bool needs_quotes(const char *part)
{
    return part[strcspn(part, ".\"")] != '\0';
}

static void add_quoted(rb_buf *out, const char *part)
{
    if (!needs_quotes(part)) {
        rb_buf_puts(out, part);
        return;
    }
    rb_buf_addc(out, '"');
    for (; *part; part++) {
        if (*part == '"')
            rb_buf_addc(out, '"');
        rb_buf_addc(out, *part);
    }
    rb_buf_addc(out, '"');
}

char *rb_catalog_qualified(const char *schema, const char *name)
{
    rb_buf out = {0};
    if (schema) {
        add_quoted(&out, schema);
        rb_buf_addc(&out, '.');
        add_quoted(&out, name);
    } else {
        rb_buf_puts(&out, name);
    }
    return rb_buf_detach(&out);
}

/* Reads one part of a qualified name, quoted or plain, and moves *at behind it. Returns NULL if
 * there is none. */
static char *read_quoted(const char **at)
{
    rb_buf out = {0};
    const char *p = *at;
    if (*p != '"') {
        *at = p + strcspn(p, ".\"");
        return *at > p ? rb_strndup(p, (size_t)(*at - p)) : NULL;
    }
    for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
        p += *p == '"';
        rb_buf_addc(&out, *p);
    }
    *at = *p ? p + 1 : p;
    bool right = *p && needs_quotes(rb_buf_str(&out));
    if (!right)
        rb_buf_clear(&out);
    return right ? rb_buf_detach(&out) : NULL;
}

void rb_catalog_split(char **schema, char **name, const char *qualified)
{
    const char *at = qualified;
    char *first = read_quoted(&at);
    char *second = first && *at == '.' ? (at++, read_quoted(&at)) : NULL;
    bool two = second && *at == '\0';
    if (!two) {
        free(first);
        free(second);
    }
    *schema = two ? first : NULL;
    *name = two ? second : rb_strdup(qualified);
}

/* Appends the qualified name of a table or other object to a key. */
static void add_name(rb_buf *out, const char *qualified)
{
    RB_AUTO(rb_free_str) char *schema = NULL;
    RB_AUTO(rb_free_str) char *name = NULL;
    rb_catalog_split(&schema, &name, qualified);
    if (schema) {
        rb_catalog_add_part(out, schema);
        rb_buf_addc(out, '.');
    }
    rb_catalog_add_part(out, name);
}

char *rb_catalog_key(const char *kind, const char *table, const char *name)
{
    rb_buf key = {0};
    bool is_text = in(of_text, kind, strlen(kind));
    rb_buf_puts(&key, kind);
    rb_buf_addc(&key, ' ');
    if (table) {
        add_name(&key, table);
        rb_buf_addc(&key, is_text ? ' ' : '.');
    }
    if (is_text)
        rb_buf_add_safe(&key, name, strlen(name));
    else if (table || in(of_tables, kind, strlen(kind)))
        rb_catalog_add_part(&key, name);
    else
        add_name(&key, name);
    return rb_buf_detach(&key);
}

char *rb_catalog_place_key(const char *table, const char *column)
{
    return column ? rb_catalog_key("column", table, column) : rb_catalog_key("table", NULL, table);
}

bool rb_catalog_is(const char *key, const char *kind)
{
    size_t n = strlen(kind);
    return strncmp(key, kind, n) == 0 && key[n] == ' ';
}

/* Decodes an escape \xHH or \u{H} of rb_safe(), which has none above U+2069. Returns its end, or p
 * if p does not start an escape. */
static const char *take_escape(rb_buf *out, const char *p)
{
    char *end = NULL;
    bool is_byte = p[0] == '\\' && p[1] == 'x';
    if (!is_byte && strncmp(p, "\\u{", 3) != 0)
        return p;
    unsigned long c = strtoul(p + (is_byte ? 2 : 3), &end, 16);
    if (c == 0 || c > (is_byte ? 0xff : 0xffff) || (is_byte ? end != p + 4 : *end++ != '}'))
        return p;
    if (c >= 0x800)
        rb_buf_addc(out, (char)(0xe0 | c >> 12));
    if (!is_byte)
        rb_buf_addc(out, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6));
    rb_buf_addc(out, (char)(is_byte ? c : 0x80 | (c & 0x3f)));
    return end;
}

/* Reads one part of a key, quoted or plain, and moves *at behind it. Returns NULL if there is
 * none. */
static char *take_part(const char **at)
{
    const char *p = *at;
    RB_AUTO(rb_buf_clear) rb_buf part = {0};
    size_t plain = plain_length(p);
    if (plain > 0) {
        *at += plain;
        return rb_strndup(p, plain);
    }
    if (*p++ != '"')
        return NULL;
    for (; *p; p++) {
        bool doubled = (*p == '"' || *p == '\\') && p[1] == *p;
        if (*p == '"' && !doubled) {
            *at = p + 1;
            return rb_buf_detach(&part);
        }
        const char *end = doubled ? p : take_escape(&part, p);
        if (end > p) {
            p = end - 1;
            continue;
        }
        rb_buf_addc(&part, *p);
        p += doubled;
    }
    return NULL;
}

/* Reads up to three parts, separated by dots; returns their number. */
static size_t take_parts(char *parts[3], const char **at)
{
    const char *p = *at;
    size_t n = 0;
    while (n < 3 && (n == 0 || *p++ == '.') && (parts[n] = take_part(&p)) != NULL) {
        n++;
        *at = p;
    }
    return n;
}

bool rb_catalog_name_parse(rb_catalog_name *out, const char *key)
{
    size_t kind = strcspn(key, " ");
    const char *at = key[kind] ? key + kind + 1 : "";
    bool is_text = in(of_text, key, kind);
    bool of_table = in(of_tables, key, kind);
    char *parts[3] = {0};
    *out = (rb_catalog_name){.kind = rb_strndup(key, kind)};
    size_t n = is_text && !of_table ? 0 : take_parts(parts, &at);
    size_t table = !of_table ? 0 : is_text || n == 0 ? n : n - 1;
    if (table > 0 && table < 3)
        out->table = rb_catalog_qualified(table == 2 ? parts[0] : NULL, parts[table - 1]);
    if (is_text) {
        at += of_table && n > 0 && *at == ' ';
        out->name = of_table && !out->table ? NULL : rb_strdup(at);
        at = "";
    } else if (n - table == 1 || n - table == 2) {
        out->name = rb_catalog_qualified(n - table == 2 ? parts[0] : NULL, parts[n - 1]);
    }
    for (size_t i = 0; i < 3; i++)
        free(parts[i]);
    bool whole = out->name && (*out->name || !is_text) && *out->kind && *at == '\0';
    if (!whole)
        rb_catalog_name_clear(out);
    return whole;
}

char *rb_catalog_bare_name(const char *key)
{
    RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
    RB_AUTO(rb_free_str) char *schema = NULL;
    char *bare = NULL;
    if (!rb_catalog_name_parse(&name, key))
        return rb_strdup(key);
    bool is_text = in(of_text, name.kind, strlen(name.kind));
    const char *at = name.name;
    if (is_text && !name.table) {
        char *parts[3] = {0};
        size_t n = take_parts(parts, &at);
        for (size_t i = 0; i + 1 < n; i++)
            free(parts[i]);
        return n ? parts[n - 1] : rb_strdup(name.name);
    }
    rb_catalog_split(&schema, &bare, is_text ? name.table : name.name);
    return bare;
}

/* Splits the schema off the text of a function or operator. It has none if it is in the default
 * schema. */
static char *split_text(char **schema, const char *text)
{
    const char *at = text;
    char *first = take_part(&at);
    if (first && *at == '.') {
        *schema = first;
        return rb_strdup(at + 1);
    }
    free(first);
    return rb_strdup(text);
}

void rb_catalog_item_store(json_t *item)
{
    RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
    const char *object = rb_json_str(item, "object");
    if (object && !json_object_get(item, "kind") && rb_catalog_name_parse(&name, object)) {
        RB_AUTO(rb_free_str) char *schema = NULL;
        RB_AUTO(rb_free_str) char *bare = NULL;
        if (!name.table && in(of_text, name.kind, strlen(name.kind)))
            bare = split_text(&schema, name.name);
        else if (name.table || !in(of_tables, name.kind, strlen(name.kind)))
            rb_catalog_split(&schema, &bare, name.table ? name.table : name.name);
        else
            bare = rb_strdup(name.name);
        json_object_set_new(item, "kind", rb_json_text(name.kind));
        json_object_set_new(item, "schema", rb_json_text(schema));
        json_object_set_new(item, "table", rb_json_text(name.table ? bare : NULL));
        json_object_set_new(item, "name", rb_json_text(name.table ? name.name : bare));
    }
    json_object_del(item, "object");
}

void rb_catalog_item_load(json_t *item)
{
    const char *kind = rb_json_str(item, "kind");
    const char *schema = rb_json_str(item, "schema");
    const char *table = rb_json_str(item, "table");
    const char *name = rb_json_str(item, "name");
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (schema && !table && in(of_text, kind, strlen(kind))) {
        rb_catalog_add_part(&text, schema);
        rb_buf_printf(&text, ".%s", name);
        schema = NULL;
    }
    RB_AUTO(rb_free_str) char *owner = table ? rb_catalog_qualified(schema, table) : NULL;
    RB_AUTO(rb_free_str) char *own = table ? rb_strdup(name) : rb_catalog_qualified(schema, name);
    RB_AUTO(rb_free_str) char *key = rb_catalog_key(kind, owner, text.len ? text.data : own);
    rb_json_set_str(item, "object", key);
}

void rb_catalog_name_clear(rb_catalog_name *name)
{
    free(name->kind);
    free(name->table);
    free(name->name);
    *name = (rb_catalog_name){0};
}
