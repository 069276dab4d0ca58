#include "config/overlap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "database/database.h"
#include "database/url.h"

typedef struct place {
    char *key;    /* "databases.main" */
    char *path;   /* resolved path; NULL: a database that is not a file */
    char *id;     /* identity of the file or folder; equal if two paths lead to the same one */
    int owner;    /* index of the database that the file belongs to; -1: none */
    bool managed; /* true for a folder below the root that rbtool manages */
} place;

typedef struct places {
    place *items;
    size_t n;
} places;

static void places_clear(places *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].key);
        free(list->items[i].path);
        free(list->items[i].id);
    }
    free(list->items);
}

/* Returns device and inode of the nearest existing ancestor (or the file itself), and the names
 * below it. `path` must be resolved. */
static char *id_of(const char *path)
{
    struct stat st = {0};
    char *found = rb_strdup(path);
    while (lstat(found, &st) != 0 && strcmp(found, "/") != 0) {
        char *up = rb_path_dir(found);
        free(found);
        found = up;
    }
    char *id = rb_format("%llu:%llu%s", (unsigned long long)st.st_dev,
                         (unsigned long long)st.st_ino, path + strlen(found));
    free(found);
    return id;
}

/* Adds a resolved path. Takes ownership of key and path. */
static place *add(places *list, char *key, char *path)
{
    list->items = rb_realloc(list->items, list->n + 1, sizeof *list->items);
    place *item = &list->items[list->n++];
    *item = (place){.key = key, .path = path, .id = path ? id_of(path) : NULL, .owner = -1};
    return item;
}

static void add_database(places *list, const rb_env *env, size_t index)
{
    const char *url = env->databases[index].value;
    const char *name = env->databases[index].name;
    const char *file = rb_url_file(url);
    RB_AUTO(rb_free_str) char *path = file ? rb_path_resolve(file, NULL, NULL) : NULL;
    place *item = add(list, rb_format("databases.%s", name), rb_strdup(path));
    item->owner = (int)index;
    if (!file)
        item->id = rb_strdup(url);
    for (const char *const *end = rb_db_files_beside(url); path && *end; end++) {
        item = add(list, rb_format("databases.%s (its %s file)", name, *end),
                   rb_format("%s%s", path, *end));
        item->owner = (int)index;
    }
}

static void find_places(places *list, const rb_env *env)
{
    static const char *const managed[] = {".rbtool", "releases", "current"};
    char *root = rb_path_resolve(env->root, NULL, NULL);
    *list = (places){0};
    add(list, rb_strdup("root"), root);
    for (size_t i = 0; i < sizeof managed / sizeof *managed; i++)
        add(list, rb_format("root/%s", managed[i]), rb_format("%s/%s", root, managed[i]))->managed =
            true;
    for (size_t i = 0; i < env->database_count; i++)
        add_database(list, env, i);
    if (env->flags)
        add(list, rb_strdup("flags"), rb_path_resolve(env->flags, NULL, NULL));
    for (size_t i = 0; i < env->config_count; i++)
        add(list, rb_format("config.%s", env->config[i].name),
            rb_path_resolve(env->config[i].value, NULL, NULL));
}

/* True if the resolved `path` is the folder or lies below it. */
static bool is_within(const char *path, const place *folder)
{
    RB_AUTO(rb_free_str) char *at = rb_strdup(path);
    for (;;) {
        RB_AUTO(rb_free_str) char *id = id_of(at);
        if (strcmp(id, folder->id) == 0)
            return true;
        if (strcmp(at, "/") == 0)
            return false;
        char *up = rb_path_dir(at);
        free(at);
        at = up;
    }
}

/* Refuses files in folders that rbtool manages. A release's folder is removed with the release and
 * compared with its manifest; .rbtool is for rbtool's own files. */
static enum rb_code check_managed(const rb_env *env, const places *list, rb_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        const place *item = &list->items[i];
        for (size_t j = 0; j < list->n; j++)
            if (list->items[j].managed && !item->managed && item->path &&
                is_within(item->path, &list->items[j]))
                return rb_fail(err, RB_ERROR,
                               "environments.%s.%s lies in %s of the environment's own root, which "
                               "comes and goes with the releases\nput it beside",
                               env->name, item->key, strrchr(list->items[j].key, '/') + 1);
    }
    return RB_OK;
}

enum rb_code rb_env_check_places(const rb_env *env, rb_err *err)
{
    RB_AUTO(places_clear) places list;
    find_places(&list, env);
    for (size_t i = 0; i < list.n; i++)
        for (size_t j = 0; j < i; j++) {
            const place *a = &list.items[j];
            const place *b = &list.items[i];
            if (strcmp(a->id, b->id) != 0 || (a->managed && b->managed))
                continue;
            if (a->owner >= 0 && b->owner >= 0 && a->owner != b->owner)
                return rb_fail(err, RB_ERROR,
                               "environments.%s.%s and %s are one and the same database\ngive each "
                               "its own",
                               env->name, a->key, b->key);
            return rb_fail(err, RB_ERROR,
                           "environments.%s.%s and %s are the same place, %s\ngive each its own",
                           env->name, a->key, b->key, b->path);
        }
    return check_managed(env, &list, err);
}

enum rb_code rb_env_check_shared(const rb_env *env, const rb_env *other, rb_err *err)
{
    RB_AUTO(places_clear) places ours;
    RB_AUTO(places_clear) places theirs;
    find_places(&ours, env);
    find_places(&theirs, other);
    for (size_t i = 0; i < ours.n; i++)
        for (size_t j = 0; j < theirs.n; j++) {
            const place *a = &ours.items[i];
            const place *b = &theirs.items[j];
            bool within = (a->path && b->managed && is_within(a->path, b)) ||
                          (b->path && a->managed && is_within(b->path, a));
            if (strcmp(a->id, b->id) != 0 && !within)
                continue;
            const char *path = a->path ? a->path : "the same database";
            return rb_fail(err, RB_ERROR,
                           "environments %s and %s share a place: %s.%s and %s.%s are %s %s\ngive "
                           "each environment its own",
                           env->name, other->name, env->name, a->key, other->name, b->key,
                           within && strcmp(a->id, b->id) != 0 ? "one inside the other at" : "both",
                           path);
        }
    return RB_OK;
}
