/* Suggests settings that no file of the repository shows: which paths to deliver, and an
 * environment to try a first deploy in. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "base/text.h"
#include "init.h"

#define PATHS_LIMIT 40 /* paths of an artifact in rbtool.json; a person would not read more */

/* True for files at the top of a repository that are for developers, not for the application. */
static bool for_developers(const char *name)
{
    static const char *const names[] = {"rbtool.json",
                                        "test",
                                        "tests",
                                        "spec",
                                        "specs",
                                        "t",
                                        "doc",
                                        "docs",
                                        "examples",
                                        "checks",
                                        "Makefile",
                                        "Dockerfile",
                                        "Jenkinsfile",
                                        "compose.yaml",
                                        "docker-compose.yml",
                                        "docker-compose.yaml"};
    static const char *const starts[] = {".",       "README",          "CHANGELOG", "CONTRIBUTING",
                                         "LICENSE", "CODE_OF_CONDUCT", "SECURITY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static bool is_migration(const json_t *config, const char *path)
{
    rb_json_each_member (key, database, json_object_get(config, "databases")) {
        const char *folder = rb_json_str(database, "migrations");
        const size_t len = strlen(folder);
        if (strncmp(path, folder, len) == 0 && path[len] == '/')
            return true;
    }
    return false;
}

static bool is_glob(const json_t *globs, const char *path)
{
    for (size_t i = 0; i < json_array_size(globs); i++)
        if (rb_path_match(json_string_value(json_array_get(globs, i)), path))
            return true;
    return false;
}

/* Splits the top-level names of the paths into those to deliver and those to leave out. A folder is
 * delivered if it has a file that is not a migration, config or flag file: a deploy handles these
 * in other ways. */
static void split_top(rb_strs *delivered, rb_strs *left_out, const json_t *config,
                      const rb_strs *paths)
{
    const char *flags = rb_json_str(json_object_get(config, "flags"), "file");
    for (size_t i = 0; i < paths->n; i++) {
        const char *path = paths->items[i];
        RB_AUTO(rb_free_str) char *top = rb_strndup(path, strcspn(path, "/"));
        if (rb_strs_has(delivered, top))
            continue;
        const bool other = for_developers(top) || is_migration(config, path) ||
                           is_glob(json_object_get(config, "config"), path) ||
                           rb_text_same(path, flags);
        if (!other)
            rb_strs_add(delivered, top);
        else if (!rb_strs_has(left_out, top))
            rb_strs_add(left_out, top);
    }
}

static void suggest_artifact(rb_found *found, const rb_strs *paths)
{
    RB_AUTO(rb_strs_clear) rb_strs delivered = {0};
    RB_AUTO(rb_strs_clear) rb_strs left_out = {0};
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    split_top(&delivered, &left_out, found->config, paths);
    bool readable = delivered.n > 0 && delivered.n <= PATHS_LIMIT && left_out.n > 0;
    json_t *list = json_array();
    for (size_t i = 0; i < delivered.n; i++) {
        const char *path = delivered.items[i];
        readable = readable && rb_shape_is_path(path) && rb_text_is_utf8(path, strlen(path));
        if (readable)
            json_array_append_new(list, json_string(path));
    }
    for (size_t i = 0; i < left_out.n; i++)
        if (!rb_strs_has(&delivered, left_out.items[i]))
            rb_buf_printf(&names, "%s%s", names.len ? ", " : "", left_out.items[i]);
    if (!readable || names.len == 0) {
        json_decref(list);
        rb_strs_add(&found->said, "artifacts: the whole tree is delivered, as artifact \"source\"; "
                                  "add \"artifacts\" to deliver less");
        return;
    }
    json_object_set_new(found->config, "artifacts",
                        json_pack("[{s:s,s:o}]", "name", "app", "paths", list));
    rb_strs_take(&found->said,
                 rb_format("artifacts: app, %zu path%s; not delivered: %s", delivered.n,
                           delivered.n == 1 ? "" : "s", rb_buf_str(&names)));
}

/* Returns "postgresql:///shop_local", with a name that needs no quotes in SQL, and notes how to
 * create the database. */
static char *local_server_url(rb_found *found, const char *app, const char *name)
{
    RB_AUTO(rb_free_str)
    char *database = strcmp(name, "main") == 0 ? rb_format("%s_local", app)
                                               : rb_format("%s_local_%s", app, name);
    for (char *p = database; *p; p++)
        *p = (char)(isalnum((unsigned char)*p) ? tolower((unsigned char)*p) : '_');
    rb_strs_take(&found->said, rb_format("databases: %s of environment local is postgresql:///%s; "
                                         "create it with `createdb %s`, or change its url",
                                         name, database, database));
    return rb_format("postgresql:///%s", database);
}

/* Suggests an environment whose root is beside the work tree: a host's state must not be in it. */
static void suggest_environment(rb_found *found, const rb_strs *paths)
{
    const char *app = rb_json_str(json_object_get(found->config, "app"), "name");
    RB_AUTO(rb_free_str) char *root = rb_format("../%s-local", app);
    json_t *local = rb_json_make("root:s", root);
    json_t *urls = json_object();
    json_t *places = json_object();
    rb_json_each_member (name, value, json_object_get(found->config, "databases")) {
        RB_AUTO(rb_free_str)
        char *url = strcmp(rb_json_str(value, "engine"), "postgresql") == 0
                        ? local_server_url(found, app, name)
                        : rb_format("sqlite:%s/data/%s.db", root, name);
        rb_json_set_str(urls, name, url);
    }
    for (size_t i = 0; i < paths->n; i++)
        if (is_glob(json_object_get(found->config, "config"), paths->items[i])) {
            RB_AUTO(rb_free_str) char *place = rb_format("%s/etc/%s", root, paths->items[i]);
            rb_json_set_str(places, paths->items[i], place);
        }
    if (json_object_size(urls) > 0)
        json_object_set(local, "databases", urls);
    if (json_object_size(places) > 0 && json_object_size(places) <= PATHS_LIMIT)
        json_object_set(local, "config", places);
    json_decref(urls);
    json_decref(places);
    if (json_object_get(found->config, "flags")) {
        RB_AUTO(rb_free_str) char *flags = rb_format("%s/etc/flags.json", root);
        rb_json_set_str(local, "flags", flags);
    }
    json_object_set_new(found->config, "environments", rb_json_make("local:j", local));
    rb_strs_take(&found->said,
                 rb_format("environments: local, in %s, to try a deploy; add yours beside it "
                           "(\"service\" and \"checks\" too)",
                           root));
}

void rb_init_suggest(rb_found *found, const rb_strs *paths)
{
    suggest_artifact(found, paths);
    suggest_environment(found, paths);
}
