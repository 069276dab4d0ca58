/*
 * dbmate: VERSION... .sql, ordered by file name; the version is the leading digits as written. In
 * it a line "-- migrate:up" and a line "-- migrate:down", each with options such as
 * transaction:false, each section beginning with its line (pkg/dbmate/migration.go). As dbmate
 * does, anything but comments before the first section is refused. A file without a down section,
 * which older versions of dbmate took, is a migration without a down. Several pairs of sections in
 * one file are refused: dbmate documents them but stops at its own tracking table.
 */
#include <string.h>

#include "migration/layout.h"
#include "sql/statement.h"

enum marker { NONE, UP, DOWN };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

/* Returns which marker a line is; *options is where its options begin. */
static enum marker marker_of(const char *line, const char *end, const char **options)
{
    const char *p = line;
    if (end - p < 2 || p[0] != '-' || p[1] != '-')
        return NONE;
    p += 2;
    while (p < end && is_space(*p))
        p++;
    enum marker marker = NONE;
    size_t left = (size_t)(end - p);
    if (left >= 12 && memcmp(p, "migrate:down", 12) == 0) {
        marker = DOWN;
        p += 12;
    } else if (left >= 10 && memcmp(p, "migrate:up", 10) == 0) {
        marker = UP;
        p += 10;
    }
    if (p < end && !is_space(*p))
        return NONE;
    *options = p;
    return marker;
}

static bool transaction_option(const char *p, const char *end)
{
    static const char key[] = "transaction:";
    bool transaction = true;
    while (p < end) {
        while (p < end && is_space(*p))
            p++;
        const char *word = p;
        while (p < end && !is_space(*p))
            p++;
        size_t len = (size_t)(p - word), key_len = sizeof key - 1;
        if (len >= key_len && memcmp(word, key, key_len) == 0 &&
            !memchr(word + key_len, ':', len - key_len))
            transaction = !(len == key_len + 5 && memcmp(word + key_len, "false", 5) == 0);
    }
    return transaction;
}

/* True if the line has anything but white space and a comment. */
static bool says_something(const char *p, const char *end)
{
    while (p < end && (is_space(*p) || *p == '\v'))
        p++;
    return p < end && !(end - p >= 2 && p[0] == '-' && p[1] == '-');
}

static const char *note(rb_dbmate_sections *out, enum marker marker, bool *has_up, size_t at,
                        bool transactional)
{
    if (marker == UP) {
        if (*has_up)
            return "it has more than one '-- migrate:up' section; make it one migration a file";
        *has_up = true;
        out->up = at;
        out->up_transactional = transactional;
        return NULL;
    }
    if (!*has_up)
        return "'-- migrate:down' stands before '-- migrate:up'";
    if (out->has_down)
        return "it has more than one '-- migrate:down' section; make it one migration a file";
    out->has_down = true;
    out->down = at;
    out->down_transactional = transactional;
    return NULL;
}

const char *rb_dbmate_split(rb_dbmate_sections *out, size_t *line, const char *text, size_t len)
{
    *out = (rb_dbmate_sections){.up_transactional = true, .down_transactional = true, .down = len};
    bool has_up = false;
    *line = 0;
    for (size_t at = 0, next; at < len; at = next) {
        const char *newline = memchr(text + at, '\n', len - at);
        const char *end = newline ? newline : text + len;
        next = (size_t)(end - text) + (newline != NULL);
        ++*line;
        const char *options = NULL;
        enum marker marker = marker_of(text + at, end, &options);
        const char *wrong = NULL;
        if (marker != NONE)
            wrong = note(out, marker, &has_up, at, transaction_option(options, end));
        else if (!has_up && says_something(text + at, end))
            wrong = "there is text before the '-- migrate:up' line, which dbmate refuses";
        if (wrong)
            return wrong;
    }
    return has_up ? NULL : "it has no '-- migrate:up' line";
}

/* Returns the number of digits at the start of a file's name if dbmate would read it, else 0. */
static size_t version_of(const rb_layout_source *source, size_t i)
{
    const char *name = rb_layout_rest(source, i);
    size_t len = strlen(name), digits = strspn(name, "0123456789");
    bool sql = len >= digits + 4 && strcmp(name + len - 4, ".sql") == 0;
    return sql && rb_layout_is_file(source, i) ? digits : 0;
}

/* Decides by the markers, because a pair of .up.sql and .down.sql has such names too. */
static enum rb_code detect(bool *out, const rb_layout_source *source, rb_err *err)
{
    for (size_t i = 0; i < source->entries->n && !*out; i++) {
        rb_golang_name other;
        if (!version_of(source, i) || rb_golang_parse(&other, rb_layout_rest(source, i)))
            continue;
        const rb_tree_entry *entry = &source->entries->items[i];
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_TRY(rb_blob_read(&text, source->repo, &entry->oid, entry->path, RB_SCRIPT_LIMIT, err));
        for (const char *p = rb_buf_str(&text), *end = p + text.len; p < end && !*out;) {
            const char *newline = memchr(p, '\n', (size_t)(end - p));
            const char *options;
            *out = marker_of(p, newline ? newline : end, &options) == UP;
            p = newline ? newline + 1 : end;
        }
    }
    return RB_OK;
}

static enum rb_code read_file(rb_migrations *set, const rb_layout_source *source, size_t i,
                              rb_err *err)
{
    const char *file = rb_layout_rest(source, i);
    size_t digits = version_of(source, i), len = strlen(file) - 4;
    size_t name_at = digits + (len > digits && strchr("_-", file[digits]));
    RB_AUTO(rb_script_clear) rb_script whole = {0};
    RB_TRY(rb_layout_load(&whole, source, i, err));
    rb_dbmate_sections sections;
    size_t line;
    const char *wrong = rb_dbmate_split(&sections, &line, whole.text, whole.len);
    if (wrong)
        return rb_fail(err, RB_ERROR, "reading migration %s, line %zu: %s", whole.path, line,
                       wrong);
    rb_migration *item = rb_layout_add(set, file, digits, file + name_at, len - name_at);
    rb_layout_section(&item->up, &whole, sections.up, sections.down);
    item->up.transactional = sections.up_transactional;
    if (sections.has_down) {
        rb_layout_section(&item->down, &whole, sections.down, whole.len);
        item->down.transactional = sections.down_transactional;
    }
    return RB_OK;
}

static enum rb_code read(rb_migrations *set, const rb_layout_source *source, rb_err *err)
{
    for (size_t i = 0; i < source->entries->n; i++)
        if (version_of(source, i))
            RB_TRY(read_file(set, source, i, err));
    return RB_OK;
}

/* By file name, as dbmate does, which need not be the order of the numbers. */
static int compare(const rb_migration *a, const rb_migration *b)
{
    return strcmp(a->up.path, b->up.path);
}

const rb_layout rb_layout_dbmate = {"dbmate", detect, read, compare};
