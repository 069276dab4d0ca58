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

char *rb_catalog_key(const char *kind, const char *table, const char *name)
{
    rb_buf key = {0};
    bool is_constraint = strcmp(kind, "constraint") == 0;
    rb_buf_puts(&key, kind);
    rb_buf_addc(&key, ' ');
    if (table) {
        rb_catalog_add_part(&key, table);
        rb_buf_addc(&key, is_constraint ? ' ' : '.');
    }
    if (is_constraint)
        rb_buf_add_safe(&key, name, strlen(name));
    else
        rb_catalog_add_part(&key, name);
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

/* Undoes one \xHH or \u{H} of rb_safe(), which writes no character above U+2069 so. Returns where
 * it ends; p itself if there is none. */
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

/* A table or name at *at, which is moved behind it; NULL if there is none. */
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

bool rb_catalog_name_parse(rb_catalog_name *out, const char *key)
{
    const char *space = strchr(key, ' ');
    const char *at = space ? space + 1 : "";
    *out = (rb_catalog_name){.kind = rb_strndup(key, space ? (size_t)(space - key) : 0)};
    char *first = take_part(&at);
    if (first && (*at == '.' || (*at == ' ' && strcmp(out->kind, "constraint") == 0))) {
        bool is_text = *at++ == ' ';
        out->table = first;
        out->name = is_text ? rb_strdup(at) : take_part(&at);
        at = is_text ? "" : at;
    } else {
        out->name = first;
    }
    bool whole = out->name && *out->kind && *at == '\0';
    if (!whole)
        rb_catalog_name_clear(out);
    return whole;
}

void rb_catalog_item_store(json_t *item)
{
    RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
    const char *object = rb_json_str(item, "object");
    if (object && !json_object_get(item, "kind") && rb_catalog_name_parse(&name, object)) {
        json_object_set_new(item, "kind", rb_json_text(name.kind));
        json_object_set_new(item, "schema", json_null());
        json_object_set_new(item, "table", rb_json_text(name.table));
        json_object_set_new(item, "name", rb_json_text(name.name));
    }
    json_object_del(item, "object");
}

void rb_catalog_item_load(json_t *item)
{
    RB_AUTO(rb_free_str)
    char *key = rb_catalog_key(rb_json_str(item, "kind"), rb_json_str(item, "table"),
                               rb_json_str(item, "name"));
    rb_json_set_str(item, "object", key);
}

void rb_catalog_name_clear(rb_catalog_name *name)
{
    free(name->kind);
    free(name->table);
    free(name->name);
    *name = (rb_catalog_name){0};
}
