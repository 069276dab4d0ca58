#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "migration/engine_suffix.h"
#include "migration/layout.h"
#include "migration/unread.h"

/* sqlx is last, because its file names are also valid in many other layouts. */
static const rb_layout *const layouts[] = {
    &rb_layout_golang, &rb_layout_diesel,      &rb_layout_dbmate,
    &rb_layout_goose,  &rb_layout_sql_migrate, &rb_layout_node_pg_migrate,
    &rb_layout_flyway, &rb_layout_sqitch,      &rb_layout_sqlx};

#define LAYOUTS (sizeof layouts / sizeof *layouts)

static const rb_layout *find_layout(const char *name)
{
    for (size_t i = 0; i < LAYOUTS; i++)
        if (strcmp(layouts[i]->name, name) == 0)
            return layouts[i];
    return NULL;
}

/* Returns the names of all layouts, joined by ", ". */
static char *layout_names(void)
{
    rb_buf names = {0};
    for (size_t i = 0; i < LAYOUTS; i++)
        rb_buf_printf(&names, "%s%s", i ? ", " : "", layouts[i]->name);
    return rb_buf_detach(&names);
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
        rb_json_free(set->items[i].record);
    }
    free(set->items);
    free(set->layout);
    rb_strs_clear(&set->engines);
    rb_strs_clear(&set->ignored);
    rb_keys_clear(&set->index);
    for (size_t i = 0; i < set->unread_count; i++)
        free(set->unread[i].path);
    free(set->unread);
    free(set);
}

static const void *id_at(const void *list, size_t index)
{
    return ((const rb_migration *)list)[index].id;
}

/* The first of several migrations with one id counts. */
static void index_ids(rb_migrations *set)
{
    set->index = (rb_keys){.key = id_at, .list = set->items, .names = true};
    for (size_t i = set->n; i > 0; i--)
        rb_keys_add(&set->index, i - 1);
}

const rb_migration *rb_migrations_find(const rb_migrations *set, const char *id)
{
    size_t at;
    if (set->index.n > 0)
        return rb_keys_find(&at, &set->index, id) ? &set->items[at] : NULL;
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(set->items[i].id, id) == 0)
            return &set->items[i];
    return NULL;
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

/* Sorts the set. qsort() has no context argument, so each item has a pointer to the layout. */
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

/* Fails if the folder has migrations that no layout reads, because it would count as empty. */
static enum rb_code refuse_unknown(const rb_layout_source *source, const char *dir, rb_err *err)
{
    const char *tool = rb_layout_looks_like(source);
    RB_AUTO(rb_free_str) char *known = layout_names();
    if (tool)
        return rb_fail(err, RB_ERROR,
                       "reading migrations in %s: no known layout (%s) fits; its files look like "
                       "those of %s, which rbtool does not read",
                       dir, known, tool);
    for (size_t i = 0; i < source->entries->n; i++) {
        const char *path = source->entries->items[i].path;
        size_t len = strlen(path);
        if (len > 4 && strcasecmp(path + len - 4, ".sql") == 0)
            return rb_fail(
                err, RB_ERROR,
                "reading migrations in %s: no known layout (%s) fits; found %s\nname the "
                "folder that holds one engine's migrations, or, where each file is an up "
                "of sqlx, set \"layout\": \"sqlx\"",
                dir, known, path);
    }
    return RB_OK;
}

/* Refuses symlinks: the tools follow them, but the release would not contain their targets. */
static enum rb_code refuse_links(const rb_layout_source *source, rb_err *err)
{
    for (size_t i = 0; i < source->entries->n; i++) {
        const char *path = source->entries->items[i].path, *rest = rb_layout_rest(source, i);
        rb_golang_name name;
        size_t len = strlen(path);
        bool is_sql = len > 4 && strcasecmp(path + len - 4, ".sql") == 0 &&
                      (!strchr(rest, '/') || strstr(rest, "/up.sql") || strstr(rest, "/down.sql"));
        bool is_numbered = strspn(rest, "0123456789") > 0 && !strchr(rest, '/');
        if (source->entries->items[i].mode != RB_MODE_LINK || (!is_sql && !is_numbered))
            continue;
        if (source->engine && rb_golang_parse(&name, rest) &&
            rb_dialect_is_other(&name, source->engine))
            continue;
        RB_AUTO(rb_free_str) char *safe = rb_safe(path);
        return rb_fail(err, RB_ERROR,
                       "reading migration %s: it is a symbolic link, and what it points to is not "
                       "part of the release\ncommit the file itself in its place",
                       safe);
    }
    return RB_OK;
}

static enum rb_code detect(const rb_layout **out, const rb_layout_source *source, const char *dir,
                           rb_err *err)
{
    *out = NULL;
    for (size_t i = 0; i < LAYOUTS; i++) {
        bool found = false;
        RB_TRY(layouts[i]->detect(&found, layouts[i], source, err));
        if (found && *out && layouts[i] == &rb_layout_sqlx && *out != &rb_layout_diesel) {
            /* sqlx accepts the file names of both. A layout with sections is right if it was
             * detected; golang-migrate's pairs beside simple files are sqlx's. */
            *out = (*out)->sections ? *out : layouts[i];
            continue;
        }
        if (found && layouts[i] == &rb_layout_sqlx && rb_layout_looks_like(source))
            return refuse_unknown(source, dir, err);
        if (found && *out)
            return rb_fail(err, RB_ERROR,
                           "reading migrations in %s: both the %s and the %s layout fit\nsay which "
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
    RB_AUTO(rb_free_str) char *found = rb_strs_join(&set->engines, 0);
    return rb_fail(err, RB_ERROR,
                   "reading migrations in %s: none is for %s; the names of the files say %s\nname "
                   "another folder, or the engine that the database has",
                   dir, engine, found);
}

static enum rb_code read_set(rb_migrations *set, const rb_layout_source *source, const char *dir,
                             const char *name, rb_err *err)
{
    const rb_layout *layout = find_layout(name);
    if (!layout && strcmp(name, "auto") != 0) {
        RB_AUTO(rb_free_str) char *known = layout_names();
        return rb_fail(err, RB_ERROR,
                       "reading migrations in %s: unknown layout '%s'\nknown are auto, %s", dir,
                       name, known);
    }
    RB_TRY(refuse_links(source, err));
    if (!layout)
        RB_TRY(detect(&layout, source, dir, err));
    if (layout) {
        RB_TRY(layout->read(set, layout, source, err));
        if (set->n == 0 && set->engines.n > 0)
            return refuse_others(set, dir, source->engine, err);
        if (set->n > RB_MIGRATION_LIMIT)
            return rb_fail(err, RB_ERROR,
                           "reading migrations in %s: %zu are more than the %d allowed", dir,
                           set->n, RB_MIGRATION_LIMIT);
        sort(set, layout);
    }
    index_ids(set);
    set->layout = rb_strdup(layout && set->n > 0 ? layout->name : "");
    for (size_t i = 0; i < source->entries->n; i++)
        if (!source->used[i])
            rb_strs_add(&set->ignored, source->entries->items[i].path);
    rb_layout_unread(set, source, set->n > 0 ? layout : NULL);
    return RB_OK;
}

/* Returns dir without "./" at its start and "/" at its end; "" for the top of the tree. */
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

/* The entries of a folder, and which of them were read. */
struct folder {
    char *dir;
    rb_tree_entries entries;
    unsigned char *used;
};

static void folder_clear(struct folder *folder)
{
    free(folder->dir);
    free(folder->used);
    rb_tree_entries_clear(&folder->entries);
}

static enum rb_code read_folder(rb_migrations **out, rb_layout_source *source,
                                struct folder *folder, const char *layout, rb_err *err)
{
    RB_TRY(list(&folder->entries, source->repo, source->tree, folder->dir, err));
    RB_AUTO(rb_migrations_freep) rb_migrations *set = rb_calloc(1, sizeof *set);
    folder->used = rb_calloc(folder->entries.n + 1, sizeof *folder->used);
    source->entries = &folder->entries;
    source->prefix = *folder->dir ? strlen(folder->dir) + 1 : 0;
    source->used = folder->used;
    source->dir = folder->dir;
    source->bytes = &set->bytes;
    RB_TRY(read_set(set, source, *folder->dir ? folder->dir : ".", layout, err));
    *out = RB_TAKE(set);
    return RB_OK;
}

enum rb_code rb_migrations_read(rb_migrations **out, rb_repo *repo, const rb_oid *tree,
                                const char *dir, const char *layout, const char *engine,
                                rb_err *err)
{
    RB_AUTO(folder_clear) struct folder folder = {.dir = clean_dir(dir)};
    rb_layout_source source = {.repo = repo, .tree = tree, .engine = engine};
    return read_folder(out, &source, &folder, layout, err);
}

void rb_migrations_why(const char **tool, char **failed, rb_repo *repo, const rb_oid *tree,
                       const char *dir, const char *layout, const char *engine)
{
    RB_AUTO(folder_clear) struct folder folder = {.dir = clean_dir(dir)};
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    rb_layout_source source = {.repo = repo, .tree = tree, .engine = engine};
    const rb_layout *detected = NULL;
    rb_err err;
    *tool = NULL;
    *failed = NULL;
    if (read_folder(&set, &source, &folder, layout, &err) == RB_OK || !source.entries)
        return;
    if (detect(&detected, &source, folder.dir, RB_IGNORED) == RB_OK && detected)
        *failed = rb_strdup(err.message);
    else
        *tool = rb_layout_looks_like(&source);
}
