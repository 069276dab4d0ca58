/*
 * Tools that keep both directions in one file, each behind a line of its own:
 *
 *   dbmate           VERSION... .sql, "-- migrate:up", "-- migrate:down" with options such as
 *                    transaction:false (pkg/dbmate/migration.go). By file name; the version is the
 *                    leading digits as written.
 *   goose            VERSION_name.sql, "-- +goose Up", "-- +goose Down"; "-- +goose NO TRANSACTION"
 *                    holds for the file (internal/sqlparser). By number.
 *   sql-migrate      *.sql, "-- +migrate Up", "-- +migrate Down", each may say "notransaction"
 *                    (sqlparse). The file's name is the id; by number, then by name.
 *   node-pg-migrate  *.sql, "-- Up Migration", "-- Down Migration" (src/sqlMigration.ts). The name
 *                    without ".sql" is the id; by number, where 17 digits are a date in UTC, then
 * by name.
 *
 * A section begins with its line, so that a comment marks it in what is run. As the tools do,
 * anything but comments before the first section is refused; sql-migrate and node-pg-migrate pass
 * over it, which loses it, and rbtool refuses it there too. A file without a down section is a
 * migration without a down. Several sections of one direction in a file are refused: dbmate
 * documents them but stops at its own tracking table. goose's substitution of environment variables
 * is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "migration/layout.h"

enum marker { NONE, UP, DOWN, UNTRANSACTIONAL, SUBSTITUTED, UNKNOWN };

/* The part of the file's name that is the id in the tool's table. */
enum version { LEADING_DIGITS, NUMBER, FILE_NAME, BASE_NAME };

struct rb_section_form {
    const char *before; /* characters that may be between "--" and the first word */
    bool indented;      /* white space may be before "--" */
    bool any_case;
    const char *word;  /* first word of all lines that belong to the tool; NULL: none */
    const char *up[2]; /* words of the up line; the second may be NULL */
    const char *down[2];
    bool bare; /* nothing may follow these words */
    bool any_order;
    enum version version;
};

static const rb_section_form dbmate = {
    .before = " \t\f\r", .up = {"migrate:up"}, .down = {"migrate:down"}, .version = LEADING_DIGITS};
static const rb_section_form goose = {.before = " \t",
                                      .any_case = true,
                                      .word = "+goose",
                                      .up = {"+goose", "Up"},
                                      .down = {"+goose", "Down"},
                                      .bare = true,
                                      .version = NUMBER};
static const rb_section_form sql_migrate = {.before = " ",
                                            .up = {"+migrate", "Up"},
                                            .down = {"+migrate", "Down"},
                                            .any_order = true,
                                            .version = FILE_NAME};
static const rb_section_form node_pg_migrate = {.before = " \t\r-",
                                                .indented = true,
                                                .any_case = true,
                                                .up = {"Up", "Migration"},
                                                .down = {"Down", "Migration"},
                                                .any_order = true,
                                                .version = BASE_NAME};

static bool is_space(char c)
{
    return c != '\0' && strchr(" \t\f\r", c);
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

/* Returns the end of the words, each of which must end at white space; NULL if the text begins with
 * others. */
static const char *match(const rb_section_form *form, const char *const words[2], const char *p,
                         const char *end)
{
    for (size_t i = 0; i < 2 && words[i]; i++) {
        size_t len = strlen(words[i]);
        p = i ? skip_space(p, end) : p;
        if ((size_t)(end - p) < len ||
            (form->any_case ? strncasecmp : strncmp)(p, words[i], len) != 0)
            return NULL;
        p += len;
        if (p < end && !is_space(*p))
            return NULL;
    }
    return p;
}

static enum marker other_marker(const rb_section_form *form, const char *p, const char *end)
{
    static const struct {
        const char *text;
        enum marker marker;
    } known[] = {{"NO TRANSACTION", UNTRANSACTIONAL},
                 {"ENVSUB ON", SUBSTITUTED},
                 {"ENVSUB OFF", NONE},
                 {"StatementBegin", NONE},
                 {"StatementEnd", NONE}};
    const char *const word[2] = {form->word, NULL};
    const char *rest = form->word ? match(form, word, p, end) : NULL;
    if (!rest)
        return NONE;
    rest = skip_space(rest, end);
    while (end > rest && is_space(end[-1]))
        end--;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((size_t)(end - rest) == strlen(known[i].text) &&
            strncasecmp(rest, known[i].text, (size_t)(end - rest)) == 0)
            return known[i].marker;
    return UNKNOWN;
}

/* Returns the kind of marker on a line; *options is where its options begin. */
static enum marker marker_of(const rb_section_form *form, const char *line, const char *end,
                             const char **options)
{
    const char *p = form->indented ? skip_space(line, end) : line;
    *options = end;
    if (end - p < 2 || p[0] != '-' || p[1] != '-')
        return NONE;
    for (p += 2; p < end && *p && strchr(form->before, *p); p++)
        ;
    const char *up = match(form, form->up, p, end), *down = match(form, form->down, p, end);
    const char *rest = up ? up : down;
    if (!rest || (form->bare && skip_space(rest, end) < end))
        return other_marker(form, p, end);
    *options = rest;
    return up ? UP : DOWN;
}

/* True if the options contain dbmate's transaction:false or sql-migrate's notransaction. */
static bool transaction_option(const char *p, const char *end)
{
    static const char key[] = "transaction:";
    const size_t key_len = sizeof key - 1;
    bool transaction = true;
    while (p < end) {
        const char *word = p = skip_space(p, end);
        while (p < end && !is_space(*p))
            p++;
        size_t len = (size_t)(p - word);
        if (len == 13 && memcmp(word, "notransaction", len) == 0)
            transaction = false;
        if (len >= key_len && memcmp(word, key, key_len) == 0 &&
            !memchr(word + key_len, ':', len - key_len))
            transaction = !(len == key_len + 5 && memcmp(word + key_len, "false", 5) == 0);
    }
    return transaction;
}

/* True if the line has anything besides white space and a comment. */
static bool says_something(const char *p, const char *end)
{
    while (p < end && (is_space(*p) || *p == '\v'))
        p++;
    return p < end && !(end - p >= 2 && p[0] == '-' && p[1] == '-');
}

static const char *note(const rb_section_form *form, rb_sections *out, enum marker marker,
                        size_t at, bool transactional)
{
    rb_section *own = marker == UP ? &out->up : &out->down;
    rb_section *other = marker == UP ? &out->down : &out->up;
    if (own->present)
        return marker == UP
                   ? "it has more than one section for the up; make it one migration a file"
                   : "it has more than one section for the down; make it one migration a file";
    if (marker == DOWN && !other->present && !form->any_order)
        return "the section for the down stands before the one for the up";
    if (other->present)
        other->end = at;
    own->present = true;
    own->start = at;
    own->transactional = transactional;
    return NULL;
}

const char *rb_sections_split(rb_sections *out, size_t *line, const rb_section_form *form,
                              const char *text, size_t len)
{
    *out = (rb_sections){.up = {.end = len}, .down = {.end = len}};
    bool transactional = true;
    *line = 0;
    for (size_t at = 0, next; at < len; at = next) {
        const char *newline = memchr(text + at, '\n', len - at);
        const char *end = newline ? newline : text + len, *options = NULL;
        next = (size_t)(end - text) + (newline != NULL);
        ++*line;
        enum marker marker = marker_of(form, text + at, end, &options);
        const char *wrong = NULL;
        if (marker == UP || marker == DOWN)
            wrong = note(form, out, marker, at, transaction_option(options, end));
        else if (marker == UNKNOWN)
            wrong = "the tool does not know this annotation, and stops at it";
        else if (marker == SUBSTITUTED)
            wrong = "it substitutes environment variables, which rbtool does not do";
        else if (!out->up.present && !out->down.present && says_something(text + at, end))
            wrong = "there is text before the first section, which its tool does not run";
        if (wrong)
            return wrong;
        transactional = transactional && marker != UNTRANSACTIONAL;
    }
    out->up.transactional = out->up.transactional && transactional;
    out->down.transactional = out->down.transactional && transactional;
    return out->up.present ? NULL : "it has no section for the up";
}

/* The id in a file's name. len is 0 if the tool does not read the file. */
struct id {
    const char *text;
    size_t len;
    size_t name; /* offset of the descriptive name in the file's name */
};

static struct id id_of(const rb_section_form *form, const rb_layout_source *source, size_t i)
{
    const char *name = rb_layout_rest(source, i);
    size_t len = strlen(name), digits = strspn(name, "0123456789");
    struct id id = {name, 0, digits + (name[digits] != '\0' && strchr("_-", name[digits]) != NULL)};
    if (!rb_layout_is_file(source, i) || *name == '.' || !rb_layout_ends_with(name, len, ".sql"))
        return id;
    if (form->version == FILE_NAME || form->version == BASE_NAME) {
        id.len = form->version == FILE_NAME ? len : len - 4;
    } else if (form->version == LEADING_DIGITS) {
        id.len = len >= digits + 4 ? digits : 0;
    } else if (name[digits] == '_') {
        size_t zeros = strspn(name, "0");
        id.text += zeros; /* goose does not accept version 0 */
        id.len = rb_layout_version_fits(id.text, digits - zeros) ? digits - zeros : 0;
    }
    return id;
}

/* Detects the tool by its markers, because its file names are ambiguous: a pair of .up.sql and
 * .down.sql has such names, too. */
static enum rb_code detect(bool *out, const rb_layout *layout, const rb_layout_source *source,
                           rb_err *err)
{
    for (size_t i = 0; i < source->entries->n && !*out; i++) {
        rb_golang_name other;
        if (!id_of(layout->sections, source, i).len ||
            rb_golang_parse(&other, rb_layout_rest(source, i)))
            continue;
        const rb_tree_entry *entry = &source->entries->items[i];
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_TRY(rb_blob_read(&text, source->repo, &entry->oid, entry->path, RB_SCRIPT_LIMIT, err));
        for (const char *p = rb_buf_str(&text), *end = p + text.len; p < end && !*out;) {
            const char *newline = memchr(p, '\n', (size_t)(end - p));
            const char *options;
            *out = marker_of(layout->sections, p, newline ? newline : end, &options) == UP;
            p = newline ? newline + 1 : end;
        }
    }
    return RB_OK;
}

static void add_section(rb_script *out, const rb_script *whole, const rb_section *section)
{
    if (!section->present)
        return;
    rb_layout_section(out, whole, section->start, section->end);
    out->transactional = section->transactional;
}

static enum rb_code read_file(rb_migrations *set, const rb_layout *layout,
                              const rb_layout_source *source, size_t i, struct id id, rb_err *err)
{
    const char *file = rb_layout_rest(source, i);
    size_t len = strlen(file) - 4;
    RB_AUTO(rb_script_clear) rb_script whole = {0};
    RB_TRY(rb_layout_load(&whole, source, i, err));
    rb_sections sections;
    size_t line;
    const char *wrong =
        rb_sections_split(&sections, &line, layout->sections, whole.text, whole.len);
    if (wrong)
        return rb_fail(err, RB_ERROR,
                       "reading migration %s, line %zu: %s\na section of %s begins with a line "
                       "\"-- %s%s%s\"",
                       whole.path, line, wrong, layout->name, layout->sections->up[0],
                       layout->sections->up[1] ? " " : "",
                       layout->sections->up[1] ? layout->sections->up[1] : "");
    rb_migration *item = rb_layout_add(set, id.text, id.len, file + (id.name < len ? id.name : len),
                                       id.name < len ? len - id.name : 0);
    add_section(&item->up, &whole, &sections.up);
    add_section(&item->down, &whole, &sections.down);
    return RB_OK;
}

static enum rb_code read(rb_migrations *set, const rb_layout *layout,
                         const rb_layout_source *source, rb_err *err)
{
    for (size_t i = 0; i < source->entries->n; i++) {
        struct id id = id_of(layout->sections, source, i);
        if (id.len)
            RB_TRY(read_file(set, layout, source, i, id, err));
    }
    return RB_OK;
}

/* Compares file names, like dbmate. That order may differ from the order of the numbers. */
static int compare_paths(const rb_migration *a, const rb_migration *b)
{
    return strcmp(a->up.path, b->up.path);
}

/* Compares numbers; names without a number come last. Compares names if that gives no
 * difference. */
static int compare_prefixes(const rb_migration *a, const rb_migration *b)
{
    size_t a_len = strspn(a->id, "0123456789"), b_len = strspn(b->id, "0123456789");
    if (!a_len || !b_len)
        return a_len || b_len ? (a_len ? -1 : 1) : strcmp(a->id, b->id);
    int order = rb_golang_compare(a->id, a_len, b->id, b_len);
    return order ? order : strcmp(a->id, b->id);
}

/* Returns the number that node-pg-migrate sorts by: the milliseconds since 1970 of a prefix of 17
 * digits (YYYYMMDDhhmmssmmm, UTC), or the prefix as a number. */
static long long node_number(const char *id)
{
    struct tm at = {0};
    int ms = 0;
    if (strspn(id, "0123456789") != 17)
        return strtoll(id, NULL, 10);
    char digits[18];
    memcpy(digits, id, 17);
    digits[17] = '\0';
    if (sscanf(digits, "%4d%2d%2d%2d%2d%2d%3d", &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour,
               &at.tm_min, &at.tm_sec, &ms) != 7)
        return 0;
    at.tm_year -= 1900;
    at.tm_mon -= 1;
    return (long long)timegm(&at) * 1000 + ms;
}

static int compare_node(const rb_migration *a, const rb_migration *b)
{
    long long x = node_number(a->id), y = node_number(b->id);
    return x != y ? (x < y ? -1 : 1) : strcmp(a->id, b->id);
}

const rb_layout rb_layout_dbmate = {"dbmate", detect, read, compare_paths, &dbmate, NULL};
const rb_layout rb_layout_goose = {"goose", detect, read, rb_layout_compare_numbered, &goose, NULL};
const rb_layout rb_layout_sql_migrate = {"sql-migrate",    detect,       read,
                                         compare_prefixes, &sql_migrate, NULL};
const rb_layout rb_layout_node_pg_migrate = {"node-pg-migrate", detect,           read,
                                             compare_node,      &node_pg_migrate, NULL};
