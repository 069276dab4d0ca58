/* `rbtool env diff A B`: shows how two environments differ. */
#include <string.h>

#include "base/file.h"
#include "base/template.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "env_session.h"
#include "git/lines.h"
#include "release/flags.h"
#include "report/diff.h"
#include "ui.h"

#define FILE_LIMIT (64u << 20) /* bytes of a flag or config file */

/* One of the two environments, and what could not be read of it. */
typedef struct side {
    rb_env_session site;
    const char *name;
} side;

static void side_clear(side *s)
{
    rb_env_session_close(&s->site);
}

static void add_unreadable(json_t *out, const char *environment, const char *part, rb_err *why)
{
    json_array_append_new(
        out, rb_json_make("environment:s part:s message:s", environment, part, rb_err_line(why)));
}

/* Reads engine, version, settings and catalog of a database. Returns NULL, and adds a line to
 * unreadable, if it cannot be read. */
static json_t *read_database(const side *s, const char *name, json_t *unreadable)
{
    const char *url = rb_env_database(s->site.env, name);
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    RB_AUTO(rb_json_freep) json_t *settings = NULL;
    RB_AUTO(rb_json_freep) json_t *catalog = NULL;
    rb_err why;
    if (!url)
        return NULL;
    if (rb_db_open(&db, url, RB_DB_READ, &why) != RB_OK ||
        rb_db_facts(&settings, db, &why) != RB_OK || rb_db_catalog(&catalog, db, &why) != RB_OK) {
        RB_AUTO(rb_free_str) char *part = rb_format("database %s", name);
        add_unreadable(unreadable, s->name, part, &why);
        return NULL;
    }
    return rb_json_make("engine:s version:s settings:J catalog:J", rb_db_engine(db),
                        rb_db_version(db), settings, catalog);
}

/* Returns [{"name","from","to"}] of the members that differ; null where one object lacks it. */
static json_t *compare_members(const json_t *a, const json_t *b)
{
    json_t *out = json_array();
    rb_json_each_member (name, value, a)
        if (!json_equal(value, json_object_get(b, name)))
            json_array_append_new(
                out, rb_json_make("name:s from:J to:J", name, value, json_object_get(b, name)));
    rb_json_each_member (name, value, b)
        if (!json_object_get(a, name))
            json_array_append_new(out, rb_json_make("name:s from:0 to:J", name, value));
    return out;
}

/* Compares a database. If only one side has it, the other is null and nothing more is compared. */
static json_t *compare_database(const char *name, const json_t *a, const json_t *b)
{
    RB_AUTO(rb_json_freep) json_t *schema = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    RB_AUTO(rb_free_str) char *from = a ? rb_template("{engine} {version}", a) : NULL;
    RB_AUTO(rb_free_str) char *to = b ? rb_template("{engine} {version}", b) : NULL;
    if (a && b)
        rb_catalog_compare(&schema, &order, json_object_get(a, "catalog"),
                           json_object_get(b, "catalog"));
    json_t *settings =
        a && b ? compare_members(json_object_get(a, "settings"), json_object_get(b, "settings"))
               : json_array();
    return rb_json_make("name:s engine:j settings:j schema:j", name,
                        rb_json_make("from:s to:s", from, to), settings,
                        schema ? json_incref(schema) : json_array());
}

static json_t *compare_databases(const side sides[2], json_t *unreadable)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    json_t *out = json_array();
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; i < sides[s].site.env->database_count; i++)
            if (!rb_strs_has(&names, sides[s].site.env->databases[i].name))
                rb_strs_add(&names, sides[s].site.env->databases[i].name);
    rb_strs_sort(&names);
    for (size_t i = 0; i < names.n; i++) {
        RB_AUTO(rb_json_freep) json_t *a = read_database(&sides[0], names.items[i], unreadable);
        RB_AUTO(rb_json_freep) json_t *b = read_database(&sides[1], names.items[i], unreadable);
        json_array_append_new(out, compare_database(names.items[i], a, b));
    }
    return out;
}

/* Reads a file of the host. *has is false if it does not exist or cannot be read. */
static void read_file(bool *has, rb_buf *out, const side *s, const char *part, const char *path,
                      json_t *unreadable)
{
    rb_err why;
    *has = path && rb_file_exists(path);
    if (*has && rb_file_read(out, path, FILE_LIMIT, &why) != RB_OK) {
        add_unreadable(unreadable, s->name, part, &why);
        *has = false;
    }
}

static json_t *compare_flags(const side sides[2], json_t *unreadable)
{
    rb_buf text[2] = {0};
    bool has[2];
    json_t *out = NULL;
    rb_err why;
    for (size_t s = 0; s < 2; s++)
        read_file(&has[s], &text[s], &sides[s], "flags", sides[s].site.env->flags, unreadable);
    if ((has[0] || has[1]) &&
        rb_flags_compare(&out, has[0] ? &text[0] : NULL, has[1] ? &text[1] : NULL, "the flags",
                         &why) != RB_OK)
        add_unreadable(unreadable, "both", "flags", &why);
    rb_buf_clear(&text[0]);
    rb_buf_clear(&text[1]);
    return out ? out : json_array();
}

static const char *config_path(const rb_env *env, const char *name)
{
    for (size_t i = 0; i < env->config_count; i++)
        if (strcmp(env->config[i].name, name) == 0)
            return env->config[i].value;
    return NULL;
}

static void compare_config_file(json_t *out, const side sides[2], const char *name,
                                json_t *unreadable)
{
    rb_buf text[2] = {0};
    bool has[2];
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    for (size_t s = 0; s < 2; s++)
        read_file(&has[s], &text[s], &sides[s], name, config_path(sides[s].site.env, name),
                  unreadable);
    if ((has[0] || has[1]) &&
        (has[0] != has[1] || text[0].len != text[1].len ||
         memcmp(rb_buf_str(&text[0]), rb_buf_str(&text[1]), text[0].len) != 0)) {
        json_t *item = rb_json_make("path:s change:s", name,
                                    !has[1]   ? "removed"
                                    : !has[0] ? "added"
                                              : "changed");
        json_t *keys = rb_diff_keys(name, &text[0], &text[1]);
        (void)!rb_lines_compare(&lines, rb_buf_str(&text[0]), text[0].len, rb_buf_str(&text[1]),
                                text[1].len, RB_IGNORED);
        json_object_set_new(item, "lines", rb_json_strs(&lines));
        if (keys)
            json_object_set_new(item, "keys", keys);
        json_array_append_new(out, item);
    }
    rb_buf_clear(&text[0]);
    rb_buf_clear(&text[1]);
}

static json_t *compare_config(const side sides[2], json_t *unreadable)
{
    json_t *out = json_array();
    for (size_t s = 0; s < 2; s++) {
        const rb_env *env = sides[s].site.env;
        for (size_t i = 0; i < env->config_count; i++)
            if (s == 0 || !config_path(sides[0].site.env, env->config[i].name))
                compare_config_file(out, sides, env->config[i].name, unreadable);
    }
    return out;
}

static void print(const json_t *document)
{
    rb_ui_item("<bold>{from} -> {to}</>  (release {release.from|none} -> {release.to|none})",
               document);
    rb_json_each (database, json_object_get(document, "databases")) {
        rb_ui_item("<bold>database {name}</>: {engine.from|absent} -> {engine.to|absent}",
                   database);
        rb_json_each (item, json_object_get(database, "settings"))
            rb_ui_item("  setting {name}: {from|unset} -> {to|unset}", item);
        rb_json_each (item, json_object_get(database, "schema"))
            rb_ui_item("  {object} {change}", item);
    }
    rb_json_each (item, json_object_get(document, "flags")) {
        RB_AUTO(rb_free_str) char *words = rb_flag_words(item);
        rb_ui_line("<bold>flag</> %c %s", rb_flag_sign(item), words);
    }
    rb_json_each (item, json_object_get(document, "config")) {
        const json_t *keys = json_object_get(item, "keys");
        rb_ui_item("<bold>config</> {path} {change}", item);
        rb_json_each (key, keys)
            rb_ui_item("  {key}: {from|unset} -> {to|unset}", key);
        rb_json_each (line, keys ? NULL : json_object_get(item, "lines"))
            rb_ui_item("  {.}", line);
    }
    rb_json_each (item, json_object_get(document, "unreadable"))
        rb_ui_item("{environment}: {part} cannot be read: {message}", item);
}

enum rb_code rb_env_diff(rb_cli *cli, const char *from, const char *to, rb_err *err)
{
    RB_AUTO(side_clear) side a = {.name = from};
    RB_AUTO(side_clear) side b = {.name = to};
    RB_AUTO(rb_json_freep) json_t *unreadable = json_array();
    rb_session_extensions(&cli->session);
    RB_TRY(rb_env_session_look(&a.site, unreadable, cli, from, err));
    RB_TRY(rb_env_session_look(&b.site, unreadable, cli, to, err));
    const side sides[2] = {a, b};
    json_array_clear(unreadable);
    json_t *databases = compare_databases(sides, unreadable);
    json_t *flags = compare_flags(sides, unreadable);
    json_t *config = compare_config(sides, unreadable);
    RB_AUTO(rb_json_freep)
    json_t *document =
        rb_json_make("from:s to:s release:j databases:j flags:j config:j unreadable:J", from, to,
                     rb_json_make("from:s to:s", rb_env_session_live_tag(&a.site.live),
                                  rb_env_session_live_tag(&b.site.live)),
                     databases, flags, config, unreadable);
    if (cli->json)
        rb_ui_json(cli, document);
    else
        print(document);
    return RB_OK;
}
