/*
 * The layout of Flyway: V1.2__description.sql and its undo U1.2__description.sql, also in folders
 * below (ResourceNameParser.java). The order is that of the versions' numbers, of any count, which
 * "." or "_" separates (MigrationVersion.java); the id is the version with dots.
 *
 * A script does not run in a transaction if FILE.conf or a comment at its beginning has
 * executeInTransaction=false. Placeholders (${name}) are refused unless FILE.conf has
 * placeholderReplacement=false, because Flyway would run another text. Repeatable migrations
 * (R__description.sql) are refused. Callbacks and baseline migrations are reported as not read.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "migration/layout.h"
#include "sql/statement.h"

#define CONF_LIMIT (64u << 10)
#define VERSION_LIMIT 50 /* bytes, of the column in Flyway's table */

struct name {
    char kind; /* V, U, R or B, as the name begins */
    char *version;
    const char *description;
    size_t description_len;
};

struct file {
    struct name name;
    size_t entry;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Returns the number of bytes of numbers that "." or "_" separates. */
static size_t version_length(const char *text)
{
    size_t len = strspn(text, "0123456789");
    while (len > 0 && (text[len] == '.' || text[len] == '_') &&
           isdigit((unsigned char)text[len + 1]))
        len += 1 + strspn(text + len + 1, "0123456789");
    return len;
}

/* Parses the last part of a path; false if it is not a migration. out->version is the caller's. */
static bool parse(struct name *out, const char *file)
{
    size_t len = strlen(file);
    if (len < 5 || !strchr("VURB", *file) || !rb_layout_ends_with(file, len, ".sql"))
        return false;
    const char *end = file + len - strlen(".sql");
    const char *after = file + 1 + version_length(file + 1);
    bool repeatable = *file == 'R';
    bool bars = strncmp(after, "__", 2) == 0;
    if (after > end || (repeatable ? after > file + 1 || !bars : after == file + 1) ||
        (!bars && after != end) || after - file > VERSION_LIMIT)
        return false;
    *out = (struct name){.kind = *file,
                         .version = rb_strndup(file + 1, (size_t)(after - file) - 1),
                         .description = bars ? after + 2 : end};
    out->description_len = (size_t)(end - out->description);
    for (char *p = out->version; *p; p++)
        *p = *p == '_' ? '.' : *p;
    return true;
}

int rb_flyway_compare(const char *a, const char *b)
{
    while (*a || *b) {
        a += strspn(a, "0");
        b += strspn(b, "0");
        size_t a_len = strspn(a, "0123456789"), b_len = strspn(b, "0123456789");
        int order = rb_golang_compare(a, a_len, b, b_len);
        if (order)
            return order;
        a += a_len + (a[a_len] != '\0');
        b += b_len + (b[b_len] != '\0');
    }
    return 0;
}

int32_t rb_flyway_checksum(const char *text, size_t len)
{
    uint32_t crc = 0;
    size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (size_t next; at < len; at = next + 1) {
        for (next = at; next < len && text[next] != '\n' && text[next] != '\r';)
            next++;
        crc = rb_crc32(crc, text + at, next - at);
    }
    return (int32_t)crc;
}

static const char *why_unread(const char *rest)
{
    const char *name = base_name(rest);
    struct name parsed;
    size_t len = strlen(name), hook = strncmp(name, "before", 6) == 0  ? 6
                                      : strncmp(name, "after", 5) == 0 ? 5
                                                                       : 0;
    if (!rb_layout_ends_with(name, len, ".sql"))
        return NULL;
    if (hook && isupper((unsigned char)name[hook]))
        return "it is a callback of Flyway, which rbtool does not run";
    if (!parse(&parsed, name))
        return strchr("VU", *name) && isdigit((unsigned char)name[1])
                   ? "its name is not one that Flyway accepts: VERSION__DESCRIPTION.sql"
                   : NULL;
    free(parsed.version);
    return parsed.kind == 'B'   ? "it is a baseline migration, which rbtool does not run"
           : parsed.kind == 'U' ? "it is an undo script without a migration of its version"
                                : NULL;
}

static enum rb_code detect(bool *out, const rb_layout *layout, const rb_layout_source *source,
                           rb_err *err)
{
    (void)layout;
    (void)err;
    for (size_t i = 0; i < source->entries->n && !*out; i++) {
        const char *file = base_name(rb_layout_rest(source, i));
        struct name name = {0};
        rb_golang_name other;
        *out = rb_layout_is_regular(source, i) && strstr(file, "__") && parse(&name, file) &&
               strchr("VR", name.kind) && !rb_golang_parse(&other, file);
        free(name.version);
    }
    return RB_OK;
}

/* The settings of one script. */
struct conf {
    bool outside; /* of a transaction */
    bool plain;   /* ${ begins no placeholder */
};

static enum rb_code read_setting(struct conf *conf, const char *line, size_t len, const char *path,
                                 rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = rb_strndup(line, len);
    size_t n = 0;
    for (const char *p = text; *p; p++)
        if (!isspace((unsigned char)*p))
            text[n++] = *p;
    text[n] = '\0';
    if (n == 0 || *text == '#')
        return RB_OK;
    if (strcmp(text, "executeInTransaction=false") == 0)
        conf->outside = true;
    else if (strcmp(text, "placeholderReplacement=false") == 0)
        conf->plain = true;
    else if (strcmp(text, "executeInTransaction=true") != 0 &&
             strcasecmp(text, "encoding=UTF-8") != 0)
        return rb_fail(err, RB_ERROR,
                       "reading migration %s: its setting %.60s is not supported\nknown are "
                       "executeInTransaction, placeholderReplacement=false and encoding=UTF-8",
                       path, text);
    return RB_OK;
}

/* Reads FILE.conf, if it exists. */
static enum rb_code read_conf(struct conf *conf, const rb_layout_source *source, size_t i,
                              rb_err *err)
{
    const char *path = source->entries->items[i].path;
    size_t len = strlen(path);
    for (size_t k = i + 1; k < source->entries->n; k++) {
        const rb_tree_entry *entry = &source->entries->items[k];
        if (strncmp(entry->path, path, len) != 0)
            break;
        if (strcmp(entry->path + len, ".conf") != 0)
            continue;
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_TRY(rb_blob_read(&text, source->repo, &entry->oid, entry->path, CONF_LIMIT, err));
        source->used[k] = true;
        for (const char *line = rb_buf_str(&text); *line; line += *line == '\n') {
            size_t n = strcspn(line, "\n");
            RB_TRY(read_setting(conf, line, n, entry->path, err));
            line += n;
        }
    }
    return RB_OK;
}

/* Reads settings in the comments before the first statement: -- flyway:KEY=VALUE */
static enum rb_code read_comments(struct conf *conf, const rb_script *script, rb_err *err)
{
    static const char mark[] = "flyway:";
    const char *line = script->text;
    for (; *line; line += *line == '\n') {
        size_t n = strcspn(line, "\n");
        const char *p = line + strspn(line, " \t\r");
        if (p < line + n && strncmp(p, "--", 2) != 0)
            break;
        p += p < line + n ? 2 + strspn(p + 2, " \t") : 0;
        if (strncmp(p, mark, sizeof mark - 1) == 0)
            RB_TRY(read_setting(conf, p + sizeof mark - 1,
                                (size_t)(line + n - p) - (sizeof mark - 1), script->path, err));
        line += n;
    }
    return RB_OK;
}

static enum rb_code refuse_placeholder(const rb_script *script, rb_err *err)
{
    const char *at = strstr(script->text, "${"), *end = at ? strchr(at, '}') : NULL;
    if (!end)
        return RB_OK;
    RB_AUTO(rb_free_str) char *raw = rb_strndup(at, end - at < 60 ? (size_t)(end - at) + 1 : 60);
    RB_AUTO(rb_free_str) char *shown = rb_safe(raw);
    return rb_fail(err, RB_ERROR,
                   "reading migration %s, line %zu: it has the placeholder %s, which Flyway "
                   "replaces and rbtool does not\nwrite its value into the script, or add %s.conf "
                   "with placeholderReplacement=false if it is meant as it is",
                   script->path,
                   script->line + rb_sql_line(script->text, (size_t)(at - script->text)) - 1, shown,
                   base_name(script->path));
}

static enum rb_code load(rb_script *out, const rb_layout_source *source, size_t i, rb_err *err)
{
    struct conf conf = {0};
    RB_TRY(rb_layout_load(out, source, i, err));
    RB_TRY(read_conf(&conf, source, i, err));
    RB_TRY(read_comments(&conf, out, err));
    out->transactional = !conf.outside;
    return conf.plain ? RB_OK : refuse_placeholder(out, err);
}

/* Returns the description as Flyway records it. */
static char *description_of(const struct name *name)
{
    char *text = rb_strndup(name->description, name->description_len);
    for (char *p = text; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    return text;
}

static void add_record(json_t *record, const char *prefix, const rb_layout_source *source,
                       const struct file *file, const rb_script *script)
{
    RB_AUTO(rb_free_str) char *description = description_of(&file->name);
    RB_AUTO(rb_free_str)
    char *members = rb_format("%sdescription:s %sscript:s %schecksum:i", prefix, prefix, prefix);
    rb_json_set(record, members, description, rb_layout_rest(source, file->entry),
                (int64_t)rb_flyway_checksum(script->text, script->len));
}

static int compare_files(const void *a, const void *b)
{
    const struct file *x = a, *y = b;
    int order = rb_flyway_compare(x->name.version, y->name.version);
    if (order == 0) /* a V comes before its U */
        order = (x->name.kind < y->name.kind) - (x->name.kind > y->name.kind);
    return order ? order : (x->entry > y->entry) - (x->entry < y->entry);
}

/* Adds the files of one version: the V, then its U. */
static enum rb_code add_version(rb_migrations *set, const rb_layout_source *source,
                                const struct file *files, size_t n, rb_err *err)
{
    const struct file *up = &files[0], *down = n > 1 ? &files[1] : NULL;
    if (up->name.kind != 'V')
        return RB_OK;
    if (n > 2 || (down && down->name.kind == 'V'))
        return rb_fail(err, RB_ERROR,
                       "reading migrations: %s and %s have the same version\ngive one of them "
                       "another version",
                       rb_layout_rest(source, files[n - 2].entry),
                       rb_layout_rest(source, files[n - 1].entry));
    rb_migration *item = rb_layout_add(set, up->name.version, strlen(up->name.version),
                                       up->name.description, up->name.description_len);
    RB_TRY(load(&item->up, source, up->entry, err));
    item->record = json_object();
    add_record(item->record, "", source, up, &item->up);
    if (down) {
        RB_TRY(load(&item->down, source, down->entry, err));
        add_record(item->record, "undo_", source, down, &item->down);
    }
    return RB_OK;
}

/* Lists the versioned files in the order of their versions. */
static enum rb_code list(struct file *files, size_t *n, const rb_layout_source *source, rb_err *err)
{
    for (size_t i = 0; i < source->entries->n; i++) {
        const char *rest = rb_layout_rest(source, i);
        struct name name;
        if (!rb_layout_is_regular(source, i) || !parse(&name, base_name(rest)))
            continue;
        files[*n] = (struct file){name, i};
        *n += name.kind == 'V' || name.kind == 'U';
        if (name.kind == 'V' || name.kind == 'U')
            continue;
        free(name.version);
        if (name.kind == 'R')
            return rb_fail(err, RB_ERROR,
                           "reading migration %s: it is a repeatable migration of Flyway, which "
                           "rbtool does not run\nmake it a versioned one, such as V2__%.*s.sql",
                           source->entries->items[i].path, (int)name.description_len,
                           name.description);
    }
    qsort(files, *n, sizeof *files, compare_files);
    return RB_OK;
}

static enum rb_code read(rb_migrations *set, const rb_layout *layout,
                         const rb_layout_source *source, rb_err *err)
{
    (void)layout;
    size_t n = 0;
    struct file *files = rb_calloc(source->entries->n + 1, sizeof *files);
    enum rb_code code = list(files, &n, source, err);
    for (size_t i = 0, next; i < n && code == RB_OK; i = next) {
        for (next = i + 1; next < n; next++)
            if (rb_flyway_compare(files[i].name.version, files[next].name.version) != 0)
                break;
        code = add_version(set, source, files + i, next - i, err);
    }
    for (size_t i = 0; i < n; i++)
        free(files[i].name.version);
    free(files);
    return code;
}

static int compare(const rb_migration *a, const rb_migration *b)
{
    return rb_flyway_compare(a->id, b->id);
}

const rb_layout rb_layout_flyway = {"flyway", detect, read, compare, NULL, why_unread};
