/* Writes the parts of a bundle for a person who reverts by hand, without rbtool. */
#include "transition/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/file.h"
#include "base/template.h"
#include "base/text.h"
#include "database/tracking.h"
#include "database/url.h"
#include "environment/checks.h"
#include "migration/unwrap.h"

RB_EMBED(rb_manual_revert, "core/transition/manual_revert.txt");
RB_EMBED(rb_manual_readme, "core/transition/manual_readme.md");

static void add_literal(rb_buf *out, const char *text)
{
    rb_buf_addc(out, '\'');
    for (const char *p = text; *p; p++) {
        rb_buf_addc(out, *p);
        if (*p == '\'')
            rb_buf_addc(out, *p);
    }
    rb_buf_addc(out, '\'');
}

enum rb_code rb_manual_add(rb_manual_sql *sql, const rb_migration *m, bool up, const char *last,
                           rb_err *err)
{
    const rb_script *script = up ? &m->up : &m->down;
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_TRY(rb_script_unwrap(&text, script, sql->engine, err));
    rb_buf_printf(&sql->scripts, "-- %s %s\n%s\n;\n%s", m->id, up ? "up" : "down", text,
                  rb_engine_between(sql->engine));
    if (up) {
        rb_buf_puts(&sql->applied,
                    "INSERT INTO rbtool_applied (sequence, id, up_sha256, release, applied_at) "
                    "SELECT coalesce(max(sequence), 0) + 1, ");
        add_literal(&sql->applied, m->id);
        rb_buf_printf(&sql->applied, ", '%s', ", m->up.sha256);
        add_literal(&sql->applied, sql->release);
        rb_buf_puts(&sql->applied, ", CURRENT_TIMESTAMP FROM rbtool_applied;\n");
    } else {
        rb_buf_puts(&sql->applied, "DELETE FROM rbtool_applied WHERE id = ");
        add_literal(&sql->applied, m->id);
        rb_buf_puts(&sql->applied, ";\n");
    }
    RB_AUTO(rb_free_str)
    char *step = rb_tracking_step_sql(&sql->table, sql->engine, sql->layout, m, up, last);
    rb_buf_printf(&sql->tool, "%s\n", step ? step : "");
    return RB_OK;
}

static enum rb_code write_file(const char *root, const char *name, const rb_buf *text, mode_t mode,
                               rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(root, name);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    RB_TRY(rb_dir_make(dir, err));
    return rb_file_write(path, text->data ? text->data : "", text->len, mode, err);
}

enum rb_code rb_manual_write(const rb_manual_sql *sql, const char *root, const char *database,
                             rb_err *err)
{
    RB_AUTO(rb_free_str) char *scripts = rb_format("manual/%s/scripts.sql", database);
    RB_AUTO(rb_free_str) char *applied = rb_format("manual/%s/rbtool_applied.sql", database);
    RB_AUTO(rb_free_str) char *tool = rb_format("manual/%s/%s.sql", database, sql->table);
    RB_TRY(write_file(root, scripts, &sql->scripts, 0644, err));
    RB_TRY(write_file(root, applied, &sql->applied, 0644, err));
    return sql->table ? write_file(root, tool, &sql->tool, 0644, err) : RB_OK;
}

void rb_manual_clear(rb_manual_sql *sql)
{
    rb_buf_clear(&sql->scripts);
    rb_buf_clear(&sql->applied);
    rb_buf_clear(&sql->tool);
}

/* revert.sh and README.md: */

static char *quoted(const char *text)
{
    rb_buf out = {0};
    rb_text_quote(&out, text);
    return rb_buf_detach(&out);
}

/* Adds the lines of a variable that the caller of revert.sh may set. value: its default, or NULL.
 */
static void add_variable(json_t *lines, const char *name, const char *value, const char *what)
{
    RB_AUTO(rb_free_str) char *shown = value ? quoted(value) : NULL;
    RB_AUTO(rb_free_str) char *text = rb_format("# %s\n%s=${%s:-}", what, name, name);
    RB_AUTO(rb_free_str)
    char *otherwise = shown ? rb_format("[ -n \"$%s\" ] || %s=%s", name, name, shown) : NULL;
    json_array_append_new(lines, rb_json_text(text));
    if (otherwise)
        json_array_append_new(lines, rb_json_text(otherwise));
}

/* Returns the environment's setting of a config file, or NULL. */
static const rb_env_pair *config_of(const rb_env *env, const char *path)
{
    for (size_t i = 0; env && i < env->config_count; i++)
        if (strcmp(env->config[i].name, path) == 0)
            return &env->config[i];
    return NULL;
}

/* Lists the config files: [{"path","quoted","variable","mode"}]. */
static json_t *list_config(json_t *variables, const rb_manifest *m, const rb_env *env)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->config_count; i++) {
        const char *path = m->config[i].path;
        const rb_env_pair *setting = config_of(env, path);
        RB_AUTO(rb_free_str) char *name = rb_format("CONFIG_%zu", i + 1);
        RB_AUTO(rb_free_str) char *what = rb_format("the config file %s", path);
        RB_AUTO(rb_free_str) char *word = quoted(path);
        RB_AUTO(rb_free_str)
        char *mode = setting && setting->mode ? rb_format("%04o", (unsigned)setting->mode) : NULL;
        add_variable(variables, name, setting ? setting->value : NULL, what);
        json_array_append_new(
            list, rb_json_make("path:s quoted:s variable:s mode:s", path, word, name, mode));
    }
    return list;
}

/* Returns what both templates show. */
static json_t *describe(const rb_release *from, const rb_release *to, const json_t *databases,
                        const rb_env *env)
{
    const rb_manifest *m = to->manifest;
    RB_AUTO(rb_strs_clear) rb_strs engines = {0};
    RB_AUTO(rb_free_str) char *flags = m->flags_path ? quoted(m->flags_path) : NULL;
    RB_AUTO(rb_free_str) char *stop = env ? rb_command_line(&env->stop) : NULL;
    RB_AUTO(rb_free_str) char *start = env ? rb_command_line(&env->start) : NULL;
    json_t *variables = json_array();
    json_t *shells = json_array();
    json_t *programs = json_array();
    json_t *secrets = json_array();
    json_t *list = json_deep_copy(databases);
    add_variable(variables, "ROOT", env ? env->root : NULL, "the folder of the environment");
    add_variable(variables, "STOP", stop && *stop ? stop : NULL,
                 "the command that stops the service");
    add_variable(variables, "START", start && *start ? start : NULL, "and the one that starts it");
    if (flags)
        add_variable(variables, "FLAGS", env ? env->flags : NULL, "the flag file");
    json_t *config = list_config(variables, m, env);
    rb_json_each (item, list) {
        const char *database = rb_json_str(item, "name");
        const char *engine = rb_json_str(item, "engine");
        const char *url = env ? rb_env_database(env, database) : NULL;
        const char *file = url ? rb_url_file(url) : NULL;
        RB_AUTO(rb_free_str) char *shown = url ? rb_url_public(url) : NULL;
        RB_AUTO(rb_free_str) char *name = rb_format("DATABASE_%zu", item_at + 1);
        RB_AUTO(rb_free_str) char *what = rb_format("database %s", database);
        add_variable(variables, name, file ? file : shown, what);
        rb_json_set(item, "number:n runs:b", item_at + 1, rb_json_int(item, "scripts", 0) > 0);
        if (!rb_strs_has(&engines, engine)) {
            json_array_append_new(programs, rb_json_text(rb_engine_programs(engine)));
            json_array_append_new(shells, rb_json_text(rb_engine_shell(engine)));
        }
        rb_strs_add(&engines, engine);
    }
    /* Secrets whose version differs, since revert.sh does not restore them. */
    rb_json_each_member (name, version, m->secrets)
        if (!rb_json_same(version, json_object_get(from->manifest->secrets, name)))
            json_array_append_new(secrets,
                                  rb_json_make("name:s version:J to:s", name, version, to->tag));
    return rb_json_make("app:s from:s to:s environment:s flags:s flagsQuoted:s variables:j "
                        "shells:j programs:j secrets:j config:j databases:j",
                        m->app_name, from->tag, to->tag, env ? env->name : NULL, m->flags_path,
                        flags, variables, shells, programs, secrets, config, list);
}

static enum rb_code add_sums(rb_buf *out, const char *root, const char *below, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_free_str) char *dir = rb_path_join(root, below);
    RB_TRY(rb_dir_list(&names, dir, err));
    rb_strs_sort(&names);
    for (size_t i = 0; i < names.n; i++) {
        RB_AUTO(rb_free_str)
        char *path = *below ? rb_path_join(below, names.items[i]) : rb_strdup(names.items[i]);
        RB_AUTO(rb_free_str) char *full = rb_path_join(root, path);
        RB_AUTO(rb_free_str) char *target = NULL;
        RB_AUTO(rb_strs_clear) rb_strs ignored = {0};
        char sha256[RB_SHA256_HEX];
        RB_TRY(rb_link_read(&target, full, err));
        if (target || strpbrk(path, "\n\\"))
            continue;
        if (rb_dir_list(&ignored, full, RB_IGNORED) == RB_OK) {
            RB_TRY(add_sums(out, root, path, err));
            continue;
        }
        RB_TRY(rb_sha256_file(sha256, full, err));
        rb_buf_printf(out, "%s  %s\n", sha256, path);
    }
    return RB_OK;
}

enum rb_code rb_manual_finish(const char *root, const rb_release *from, const rb_release *to,
                              const json_t *databases, const rb_env *env, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *document = describe(from, to, databases, env);
    RB_AUTO(rb_buf_clear) rb_buf script = {0};
    RB_AUTO(rb_buf_clear) rb_buf readme = {0};
    RB_AUTO(rb_buf_clear) rb_buf sums = {0};
    rb_template_fill(&script, rb_manual_revert, document, NULL);
    rb_template_fill(&readme, rb_manual_readme, document, NULL);
    RB_TRY(write_file(root, "revert.sh", &script, 0755, err));
    RB_TRY(write_file(root, "README.md", &readme, 0644, err));
    RB_TRY(add_sums(&sums, root, "", err));
    return write_file(root, "SHA256SUMS", &sums, 0644, err);
}
