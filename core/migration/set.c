#include <stdlib.h>
#include <string.h>

#include "artifact/lfs.h"
#include "migration/layout.h"

static const rb_layout *const layouts[] = {&rb_layout_golang, &rb_layout_diesel, &rb_layout_dbmate,
                                           &rb_layout_sqlx};

#define LAYOUTS (sizeof layouts / sizeof *layouts)

static const rb_layout *find_layout(const char *name)
{
    for (size_t i = 0; i < LAYOUTS; i++)
        if (strcmp(layouts[i]->name, name) == 0)
            return layouts[i];
    return NULL;
}

bool rb_layout_known(const char *layout)
{
    return strcmp(layout, "auto") == 0 || find_layout(layout);
}

void rb_script_clear(rb_script *script)
{
    free(script->path);
    free(script->text);
    *script = (rb_script){0};
}

void rb_migrations_free(rb_migrations *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->n; i++) {
        free(set->items[i].id);
        free(set->items[i].name);
        rb_script_clear(&set->items[i].up);
        rb_script_clear(&set->items[i].down);
    }
    free(set->items);
    free(set->layout);
    rb_strs_clear(&set->engines);
    rb_strs_clear(&set->ignored);
    free(set);
}

const rb_migration *rb_migrations_find(const rb_migrations *set, const char *id)
{
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(set->items[i].id, id) == 0)
            return &set->items[i];
    return NULL;
}

const char *rb_layout_rest(const rb_layout_source *source, size_t i)
{
    return source->entries->items[i].path + source->prefix;
}

bool rb_layout_is_file(const rb_layout_source *source, size_t i)
{
    enum rb_mode mode = source->entries->items[i].mode;
    return (mode == RB_MODE_FILE || mode == RB_MODE_EXEC) &&
           !strchr(rb_layout_rest(source, i), '/');
}

rb_migration *rb_layout_add(rb_migrations *set, const char *id, size_t id_len, const char *name,
                            size_t name_len)
{
    /* Room for a power of two: no capacity to keep beside the public struct. */
    if ((set->n & (set->n - 1)) == 0)
        set->items = rb_realloc(set->items, set->n ? set->n * 2 : 1, sizeof *set->items);
    rb_migration *item = &set->items[set->n++];
    *item = (rb_migration){.id = rb_strndup(id, id_len), .name = rb_strndup(name, name_len)};
    return item;
}

enum rb_code rb_layout_load(rb_script *out, const rb_layout_source *source, size_t i, rb_err *err)
{
    const rb_tree_entry *entry = &source->entries->items[i];
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_blob_read(&text, source->repo, &entry->oid, entry->path, RB_SCRIPT_LIMIT, err));
    rb_lfs_pointer pointer;
    if (rb_lfs_parse(&pointer, rb_buf_str(&text), text.len))
        return rb_fail(err, RB_ERROR,
                       "reading migration %s: it is a Git LFS pointer; scripts have to be in git "
                       "itself: exclude the file in .gitattributes and commit it again",
                       entry->path);
    if (text.len > 0 && memchr(text.data, '\0', text.len))
        return rb_fail(err, RB_ERROR,
                       "reading migration %s: it holds a NUL byte, so it is no SQL text; save it "
                       "as UTF-8",
                       entry->path);
    *out = (rb_script){.present = true,
                       .path = rb_strdup(entry->path),
                       .line = 1,
                       .len = text.len,
                       .transactional = true};
    rb_sha256_hex_of(text.data, text.len, out->sha256);
    out->text = rb_buf_detach(&text);
    source->used[i] = true;
    return RB_OK;
}

void rb_layout_section(rb_script *out, const rb_script *whole, size_t start, size_t end)
{
    size_t line = whole->line;
    for (size_t i = 0; i < start; i++)
        line += whole->text[i] == '\n';
    *out = (rb_script){.present = true,
                       .path = rb_strdup(whole->path),
                       .line = line,
                       .text = rb_strndup(whole->text + start, end - start),
                       .len = end - start,
                       .transactional = true};
    rb_sha256_hex_of(out->text, out->len, out->sha256);
}

struct ranked {
    const rb_layout *layout;
    rb_migration item;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int order = x->layout->compare(&x->item, &y->item);
    return order ? order : strcmp(x->item.up.path, y->item.up.path);
}

/* qsort has no context argument in C17, hence the layout beside every item. */
static void sort(rb_migrations *set, const rb_layout *layout)
{
    struct ranked *ranked = rb_calloc(set->n + 1, sizeof *ranked);
    for (size_t i = 0; i < set->n; i++)
        ranked[i] = (struct ranked){layout, set->items[i]};
    qsort(ranked, set->n, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < set->n; i++)
        set->items[i] = ranked[i].item;
    free(ranked);
}

/* A folder that holds SQL which no layout reads must not pass for one without migrations. */
static enum rb_code refuse_unknown(const rb_layout_source *source, const char *dir, rb_err *err)
{
    for (size_t i = 0; i < source->entries->n; i++) {
        const char *path = source->entries->items[i].path;
        size_t len = strlen(path);
        if (len > 4 && strcmp(path + len - 4, ".sql") == 0)
            return rb_fail(err, RB_ERROR,
                           "reading migrations in %s: no known layout (golang-migrate, diesel, "
                           "dbmate) fits; found %s; name the folder that holds one engine's "
                           "migrations",
                           dir, path);
    }
    return RB_OK;
}

static enum rb_code detect(const rb_layout **out, const rb_layout_source *source, const char *dir,
                           rb_err *err)
{
    *out = NULL;
    for (size_t i = 0; i < LAYOUTS; i++) {
        bool found = false;
        RB_TRY(layouts[i]->detect(&found, source, err));
        if (found && *out && layouts[i] == &rb_layout_sqlx && *out != &rb_layout_diesel) {
            /* sqlx reads golang-migrate's pairs too, and dbmate's files have its names. */
            *out = *out == &rb_layout_dbmate ? *out : layouts[i];
            continue;
        }
        if (found && *out)
            return rb_fail(err, RB_ERROR,
                           "reading migrations in %s: both the %s and the %s layout fit; say which "
                           "with \"layout\" in rbtool.json",
                           dir, (*out)->name, layouts[i]->name);
        if (found)
            *out = layouts[i];
    }
    return *out ? RB_OK : refuse_unknown(source, dir, err);
}

static enum rb_code refuse_others(const rb_migrations *set, const char *dir, const char *engine,
                                  rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    for (size_t i = 0; i < set->engines.n; i++)
        rb_buf_printf(&found, "%s%s", i ? ", " : "", set->engines.items[i]);
    return rb_fail(err, RB_ERROR,
                   "reading migrations in %s: none is for %s; the names of the files say %s; name "
                   "another folder, or the engine that the database has",
                   dir, engine, rb_buf_str(&found));
}

static enum rb_code read_set(rb_migrations *set, const rb_layout_source *source, const char *dir,
                             const char *name, rb_err *err)
{
    const rb_layout *layout = find_layout(name);
    if (!layout && strcmp(name, "auto") != 0)
        return rb_fail(err, RB_ERROR,
                       "reading migrations in %s: unknown layout '%s'; known are auto, "
                       "golang-migrate, diesel, dbmate, sqlx",
                       dir, name);
    if (!layout)
        RB_TRY(detect(&layout, source, dir, err));
    if (layout) {
        RB_TRY(layout->read(set, source, err));
        if (set->n == 0 && set->engines.n > 0)
            return refuse_others(set, dir, source->engine, err);
        if (set->n > RB_MIGRATION_LIMIT)
            return rb_fail(err, RB_ERROR,
                           "reading migrations in %s: %zu are more than the %d allowed", dir,
                           set->n, RB_MIGRATION_LIMIT);
        sort(set, layout);
    }
    set->layout = rb_strdup(layout && set->n > 0 ? layout->name : "");
    for (size_t i = 0; i < source->entries->n; i++)
        if (!source->used[i])
            rb_strs_add(&set->ignored, source->entries->items[i].path);
    return RB_OK;
}

/* dir without "./" before and "/" behind it; "" for the top of the tree. */
static char *clean_dir(const char *dir)
{
    while (strncmp(dir, "./", 2) == 0)
        dir += 2 + strspn(dir + 2, "/");
    size_t len = strlen(dir);
    while (len > 0 && dir[len - 1] == '/')
        len--;
    return rb_strndup(dir, len == 1 && dir[0] == '.' ? 0 : len);
}

static enum rb_code list(rb_tree_entries *entries, rb_repo *repo, const rb_oid *tree,
                         const char *dir, rb_err *err)
{
    rb_strs paths = {0};
    if (*dir)
        rb_strs_add(&paths, dir);
    enum rb_code code = rb_tree_list(entries, repo, tree, &paths, err);
    rb_strs_clear(&paths);
    if (code == RB_OK && entries->n > 0 && strcmp(entries->items[0].path, dir) == 0)
        return rb_fail(err, RB_ERROR, "reading migrations in %s: it is a file, not a folder", dir);
    return code;
}

enum rb_code rb_migrations_read(rb_migrations **out, rb_repo *repo, const rb_oid *tree,
                                const char *dir, const char *layout, const char *engine,
                                rb_err *err)
{
    RB_AUTO(rb_free_str) char *clean = clean_dir(dir);
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries entries = {0};
    RB_TRY(list(&entries, repo, tree, clean, err));
    RB_AUTO(rb_migrations_freep) rb_migrations *set = rb_calloc(1, sizeof *set);
    bool *used = rb_calloc(entries.n + 1, sizeof *used);
    rb_layout_source source = {repo,  &entries, *clean ? strlen(clean) + 1 : 0, used, tree,
                               clean, engine};
    enum rb_code code = read_set(set, &source, *clean ? clean : ".", layout, err);
    free(used);
    if (code != RB_OK)
        return code;
    *out = set;
    set = NULL;
    return RB_OK;
}
