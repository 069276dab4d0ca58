/* Writes the parts of a bundle for a person who reverts by hand, without rbtool. */
#include "transition/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "database/tracking.h"
#include "database/url.h"
#include "environment/checks.h"
#include "migration/unwrap.h"

static void add_variable(rb_buf *out, const char *name, const char *value, const char *what)
{
    rb_buf_printf(out, "# %s\n%s=${%s:-}\n", what, name, name);
    if (value) {
        rb_buf_printf(out, "[ -n \"$%s\" ] || %s=", name, name);
        rb_text_quote(out, value);
        rb_buf_puts(out, "\n");
    }
}

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
    sql->apart = sql->apart || !script->transactional;
    rb_buf_printf(&sql->scripts, "-- %s %s\n", m->id, up ? "up" : "down");
    rb_buf_add(&sql->scripts, text, script->len);
    rb_buf_puts(&sql->scripts, "\n;\n");
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

/* revert.sh: */

static const char HEAD[] = "set -eu\n"
                           "cd \"$(dirname \"$0\")\"\n"
                           "sha256sum --quiet -c SHA256SUMS\n\n";

static const char FUNCTIONS[] =
    "[ -n \"$ROOT\" ] || { echo 'set ROOT, and what README.md lists' >&2 && exit 2; }\n"
    "saved=$ROOT/manual-$(date -u +%Y%m%dT%H%M%SZ)\n"
    "mkdir -p \"$ROOT/releases\"\n"
    "(umask 077 && mkdir -p \"$saved\")\n"
    "step() { echo \"== $*\"; }\n"
    "# put FILE TARGET UMASK [MODE]: what is there keeps its owner, and its mode without MODE\n"
    "put() {\n"
    "    [ -n \"$2\" ] || return 0\n"
    "    mkdir -p \"$saved/$(dirname \"$1\")\"\n"
    "    [ ! -e \"$2\" ] || cp -p \"$2\" \"$saved/$1\"\n"
    "    (umask \"$3\" && cat \"$1\" >\"$2\")\n"
    "    [ -z \"${4:-}\" ] || chmod \"$4\" \"$2\"\n"
    "}\n";

/* Returns the environment's setting of a config file, or NULL. */
static const rb_env_pair *config_of(const rb_env *env, const char *path)
{
    for (size_t i = 0; env && i < env->config_count; i++)
        if (strcmp(env->config[i].name, path) == 0)
            return &env->config[i];
    return NULL;
}

static void add_defaults(rb_buf *out, const rb_release *to, const json_t *databases,
                         const rb_env *env)
{
    RB_AUTO(rb_free_str) char *stop = env ? rb_command_line(&env->stop) : NULL;
    RB_AUTO(rb_free_str) char *start = env ? rb_command_line(&env->start) : NULL;
    add_variable(out, "ROOT", env ? env->root : NULL, "the folder of the environment");
    add_variable(out, "STOP", stop && *stop ? stop : NULL, "the command that stops the service");
    add_variable(out, "START", start && *start ? start : NULL, "and the one that starts it");
    if (to->manifest->flags_path)
        add_variable(out, "FLAGS", env ? env->flags : NULL, "the flag file");
    for (size_t i = 0; i < to->manifest->config_count; i++) {
        const char *path = to->manifest->config[i].path;
        RB_AUTO(rb_free_str) char *name = rb_format("CONFIG_%zu", i + 1);
        RB_AUTO(rb_free_str) char *what = rb_format("the config file %s", path);
        const rb_env_pair *setting = config_of(env, path);
        add_variable(out, name, setting ? setting->value : NULL, what);
    }
    rb_json_each (item, databases) {
        const char *database = rb_json_str(item, "name");
        const char *url = env ? rb_env_database(env, database) : NULL;
        const char *file = url ? rb_url_file(url) : NULL;
        RB_AUTO(rb_free_str) char *shown = url ? rb_url_public(url) : NULL;
        RB_AUTO(rb_free_str) char *name = rb_format("DATABASE_%zu", item_at + 1);
        RB_AUTO(rb_free_str) char *what = rb_format("database %s", database);
        add_variable(out, name, file ? file : shown, what);
    }
}

static void add_database(rb_buf *out, const json_t *item, size_t number)
{
    const char *name = rb_json_str(item, "name");
    const char *engine = rb_json_str(item, "engine");
    const char *table = rb_json_str(item, "table");
    if (rb_json_int(item, "scripts", 0) == 0)
        return;
    rb_buf_printf(out,
                  "\nstep 'database %s'\n%s_save \"$DATABASE_%zu\" \"$saved/%s\"\n"
                  "set -- 'manual/%s/scripts.sql'\n",
                  name, engine, number, name, name);
    rb_buf_printf(out,
                  "if %s_has \"$DATABASE_%zu\" rbtool_applied; then set -- \"$@\" "
                  "'manual/%s/rbtool_applied.sql'; fi\n",
                  engine, number, name);
    if (table)
        rb_buf_printf(out,
                      "if %s_has \"$DATABASE_%zu\" %s; then set -- \"$@\" 'manual/%s/%s.sql'; fi\n",
                      engine, number, table, name, table);
    rb_buf_printf(out, "%s_%s \"$DATABASE_%zu\" \"$@\"\n", engine,
                  json_is_true(json_object_get(item, "apart")) ? "each" : "apply", number);
}

static void add_script(rb_buf *out, const rb_release *from, const rb_release *to,
                       const json_t *databases, const rb_env *env)
{
    const rb_manifest *m = to->manifest;
    RB_AUTO(rb_strs_clear) rb_strs engines = {0};
    rb_buf_printf(out, "#!/bin/sh\n# Takes %s from %s back to %s without rbtool. See README.md.\n",
                  m->app_name, from->tag, to->tag);
    rb_buf_puts(out, HEAD);
    add_defaults(out, to, databases, env);
    rb_buf_printf(out, "\n%s", FUNCTIONS);
    rb_json_each (item, databases) {
        const char *engine = rb_json_str(item, "engine");
        if (!rb_strs_has(&engines, engine))
            rb_buf_puts(out, rb_engine_shell(engine));
        rb_strs_add(&engines, engine);
    }
    rb_buf_printf(out,
                  "\nstep stage\ntarget=$ROOT/releases/%s\n"
                  "if [ ! -e \"$target\" ]; then\n    mkdir -p \"$(dirname \"$target\")\"\n"
                  "    cp -R artifacts \"$saved/artifacts\"\n    mv \"$saved/artifacts\" "
                  "\"$target\"\nfi\n",
                  to->tag);
    if (m->flags_path) {
        rb_buf_puts(out, "\nstep flags\nput 'flags/'");
        rb_text_quote(out, m->flags_path);
        rb_buf_puts(out, " \"$FLAGS\" 022\n");
    }
    rb_buf_puts(out, "\nif [ -n \"$STOP\" ]; then step stop && sh -c \"$STOP\"; fi\n");
    rb_json_each (item, databases)
        add_database(out, item, item_at + 1);
    rb_buf_printf(out,
                  "\nstep switch\nln -sfn 'releases/%s' \"$ROOT/current.new\"\n"
                  "mv -T \"$ROOT/current.new\" \"$ROOT/current\"\n",
                  to->tag);
    for (size_t i = 0; i < m->config_count; i++) {
        rb_buf_puts(out, i ? "put 'config/'" : "\nstep config\nput 'config/'");
        rb_text_quote(out, m->config[i].path);
        const rb_env_pair *setting = config_of(env, m->config[i].path);
        RB_AUTO(rb_free_str)
        char *mode = setting && setting->mode ? rb_format(" %04o", (unsigned)setting->mode) : NULL;
        rb_buf_printf(out, " \"$CONFIG_%zu\" 077%s\n", i + 1, mode ? mode : "");
    }
    rb_buf_printf(out,
                  "\nif [ -n \"$START\" ]; then step start && sh -c \"$START\"; fi\n"
                  "echo \"%s is live; what was there before is in $saved\"\n",
                  to->tag);
}

/* README.md: */

/* Lists secrets whose version differs, since revert.sh does not restore them. */
static void add_secrets(rb_buf *out, const rb_release *from, const rb_release *to)
{
    rb_json_each_member (name, version, to->manifest->secrets)
        if (!rb_json_same(version, json_object_get(from->manifest->secrets, name)))
            rb_buf_printf(out,
                          "\n**Secret %s**: %s needs version %s. Make it live by hand before START "
                          "runs.\n",
                          name, to->tag, json_string_value(version));
}

static void add_readme(rb_buf *out, const rb_release *from, const rb_release *to,
                       const json_t *databases, const rb_env *env)
{
    const rb_manifest *m = to->manifest;
    rb_buf_printf(out,
                  "# %s: back from %s to %s by hand\n\nFor a host on which rbtool cannot run. It "
                  "takes a shell, git, and the databases' own programs",
                  m->app_name, from->tag, to->tag);
    rb_json_each (item, databases)
        rb_buf_printf(out, "%s %s", item_at ? "," : ":",
                      rb_engine_programs(rb_json_str(item, "engine")));
    rb_buf_printf(out,
                  ".\n\n## Before\n\n1. In a clone: `git verify-tag %s` accepts the "
                  "signature of the release.\n2. `sha256sum -c SHA256SUMS` finds every file of "
                  "this folder as it was written.\n3. Read `manual/DATABASE/scripts.sql`: rows "
                  "and columns that it drops are lost, but for the copy of the whole database "
                  "that revert.sh makes first.\n",
                  to->tag);
    rb_json_each (item, databases)
        if (json_is_true(json_object_get(item, "apart")))
            rb_buf_printf(out,
                          "4. A script of database %s cannot run in a transaction: if one fails, "
                          "the ones before it stay applied.\n",
                          rb_json_str(item, "name"));
    rb_buf_printf(out,
                  "\n## The revert\n\n    %ssh revert.sh\n\nThese variables say where things are. "
                  "An empty one is left out.\n\n- `ROOT`: the folder of the environment\n- `STOP`, "
                  "`START`: commands of the service\n",
                  env ? "" : "ROOT=/srv/app ");
    if (m->flags_path)
        rb_buf_printf(out, "- `FLAGS`: the flag file, of %s\n", m->flags_path);
    for (size_t i = 0; i < m->config_count; i++)
        rb_buf_printf(out, "- `CONFIG_%zu`: %s\n", i + 1, m->config[i].path);
    rb_json_each (item, databases)
        rb_buf_printf(out, "- `DATABASE_%zu`: %s, as %s takes it (a file, or a url)\n", item_at + 1,
                      rb_json_str(item, "name"), rb_json_str(item, "engine"));
    add_secrets(out, from, to);
    rb_buf_printf(out,
                  "\nThe steps are those of `rbtool revert`: stage, flags, stop, the scripts of "
                  "each database in one transaction, switch, config, start. What it replaces is "
                  "copied to `ROOT/manual-TIME` first. If a step fails it stops there; run it "
                  "again when the cause is fixed, after you have restored the databases that it "
                  "had changed.\n\n## After\n\n- Check the service, and compare the schema with "
                  "what %s expects.\n- Where rbtool runs again, `rbtool status` shows its old "
                  "record. Move `ROOT/.rbtool/state.db` away and record what is live with `rbtool "
                  "adopt %s`. Then mark the release that was undone with `rbtool mark %s bad -m "
                  "WHY`, as a revert does, and `rbtool sync`.\n",
                  to->tag, to->tag, from->tag);
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
    RB_AUTO(rb_buf_clear) rb_buf script = {0};
    RB_AUTO(rb_buf_clear) rb_buf readme = {0};
    RB_AUTO(rb_buf_clear) rb_buf sums = {0};
    add_script(&script, from, to, databases, env);
    add_readme(&readme, from, to, databases, env);
    RB_TRY(write_file(root, "revert.sh", &script, 0755, err));
    RB_TRY(write_file(root, "README.md", &readme, 0644, err));
    RB_TRY(add_sums(&sums, root, "", err));
    return write_file(root, "SHA256SUMS", &sums, 0644, err);
}
