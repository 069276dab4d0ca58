/*
 * The layout of diesel: VERSION_NAME/up.sql and VERSION_NAME/down.sql.
 *
 * The version is the folder's name up to the first "_", without dashes. It may be any text, and
 * versions are sorted as text: 2017-09-27 comes after 20170721 (migrations_internals,
 * version_from_string). Folders that begin with "." are skipped. metadata.toml may have
 * run_in_transaction = false.
 */
#include <stdlib.h>
#include <string.h>

#include "migration/layout.h"

#define METADATA_LIMIT (1u << 20)

char *rb_diesel_version(const char *folder, size_t len)
{
    rb_buf version = {0};
    for (size_t i = 0; i < len && folder[i] != '_'; i++)
        if (folder[i] != '-')
            rb_buf_addc(&version, folder[i]);
    return rb_buf_detach(&version);
}

/* Returns the value after "=" if the line sets this key, bare or quoted, at the top of the
 * document. */
static const char *value_of(const char *line, const char *key)
{
    line += strspn(line, " \t");
    const char *quote = *line == '"' ? "\"" : *line == '\'' ? "'" : "";
    line += strlen(quote);
    if (strncmp(line, key, strlen(key)) != 0)
        return NULL;
    line += strlen(key);
    if (strncmp(line, quote, strlen(quote)) != 0)
        return NULL;
    line += strlen(quote);
    line += strspn(line, " \t");
    if (*line != '=')
        return NULL;
    return line + 1 + strspn(line + 1, " \t");
}

/* diesel treats a file without the key as "false", but a missing file as "true". */
bool rb_diesel_in_transaction(const char *toml, size_t len)
{
    RB_AUTO(rb_free_str) char *text = rb_strndup(toml, len);
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (line[strspn(line, " \t")] == '[')
            return false;
        const char *value = value_of(line, "run_in_transaction");
        if (value)
            return strncmp(value, "true", 4) == 0;
    }
    return false;
}

/* Returns the length of the folder's name if entry i is FOLDER/file, else 0. */
static size_t folder_of(const rb_layout_source *source, size_t i, const char *file)
{
    const char *rest = rb_layout_rest(source, i);
    const char *slash = strchr(rest, '/');
    enum rb_mode mode = source->entries->items[i].mode;
    bool regular = mode == RB_MODE_FILE || mode == RB_MODE_EXEC;
    if (!regular || !slash || strcmp(slash + 1, file) != 0 || *rest == '.')
        return 0;
    return (size_t)(slash - rest);
}

static enum rb_code detect(bool *out, const rb_layout *layout, const rb_layout_source *source,
                           rb_err *err)
{
    (void)layout;
    (void)err;
    for (size_t i = 0; i < source->entries->n && !*out; i++)
        *out = folder_of(source, i, "up.sql") > 0;
    return RB_OK;
}

static enum rb_code read_metadata(bool *transactional, const rb_layout_source *source, size_t i,
                                  rb_err *err)
{
    const rb_tree_entry *entry = &source->entries->items[i];
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_blob_read(&text, source->repo, &entry->oid, entry->path, METADATA_LIMIT, err));
    *transactional = rb_diesel_in_transaction(rb_buf_str(&text), text.len);
    source->used[i] = true;
    return RB_OK;
}

/* Reads the entries of one folder, [first, next). */
static enum rb_code read_folder(rb_migrations *set, const rb_layout_source *source, size_t first,
                                size_t next, size_t len, rb_err *err)
{
    const char *folder = rb_layout_rest(source, first);
    RB_AUTO(rb_free_str) char *version = rb_diesel_version(folder, len);
    const char *under = memchr(folder, '_', len);
    size_t name_at = under ? (size_t)(under - folder) + 1 : len;
    rb_migration *item =
        rb_layout_add(set, version, strlen(version), folder + name_at, len - name_at);
    bool transactional = true;
    for (size_t i = first; i < next; i++) {
        if (folder_of(source, i, "up.sql"))
            RB_TRY(rb_layout_load(&item->up, source, i, err));
        else if (folder_of(source, i, "down.sql"))
            RB_TRY(rb_layout_load(&item->down, source, i, err));
        else if (folder_of(source, i, "metadata.toml"))
            RB_TRY(read_metadata(&transactional, source, i, err));
    }
    item->up.transactional = transactional;
    item->down.transactional = transactional;
    return RB_OK;
}

static enum rb_code read(rb_migrations *set, const rb_layout *layout,
                         const rb_layout_source *source, rb_err *err)
{
    (void)layout;
    for (size_t i = 0, next; i < source->entries->n; i = next) {
        const char *rest = rb_layout_rest(source, i);
        const char *slash = strchr(rest, '/');
        next = i + 1;
        if (!slash)
            continue;
        size_t len = (size_t)(slash - rest);
        bool has_up = folder_of(source, i, "up.sql") > 0;
        for (; next < source->entries->n; next++) {
            if (strncmp(rb_layout_rest(source, next), rest, len + 1) != 0)
                break;
            has_up = has_up || folder_of(source, next, "up.sql") > 0;
        }
        if (has_up && *rest != '_')
            RB_TRY(read_folder(set, source, i, next, len, err));
    }
    return RB_OK;
}

static int compare(const rb_migration *a, const rb_migration *b)
{
    return strcmp(a->id, b->id);
}

const rb_layout rb_layout_diesel = {"diesel", detect, read, compare, NULL, NULL};
