/* `rbtool backups`: the rows that transitions backed up. */
#include <stdlib.h>
#include <time.h>

#include "base/template.h"
#include "database/backup.h"
#include "env_session.h"
#include "status.h"
#include "transition/backups.h"
#include "ui.h"

static const rb_opt opts[] = {RB_OPTION_ENV,
                              RB_FLAG("prune", 0, "remove the backups that have expired", prune),
                              RB_OPTION_JSON, RB_OPTIONS_END};

/* Writes times in the format of the other documents. */
static void set_times(json_t *list)
{
    rb_json_each (item, list) {
        RB_AUTO(rb_free_str) char *at = rb_status_iso(rb_json_int(item, "at", 0));
        RB_AUTO(rb_free_str) char *until = rb_status_iso(rb_json_int(item, "keptUntil", 0));
        rb_json_set(item, "at:s keptUntil:s", at, until);
    }
}

static void show(const json_t *list)
{
    static const rb_ui_column columns[] = {
        {"ID", "{id}"},     {"DATABASE", "{database}"}, {"OF", "{kind} {from|nothing} -> {to}"},
        {"AT", "{at}"},     {"SIZE", "{bytes:bytes}"},  {"STATE", "{state}"},
        {"WHAT", "{what}"},
    };
    rb_json_each (item, list) {
        RB_AUTO(rb_free_str) char *what = rb_backup_names(json_object_get(item, "items"));
        bool expired = json_is_true(json_object_get(item, "expired"));
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        rb_buf_puts(&text, what);
        rb_json_each (done, json_object_get(item, "restored")) {
            RB_AUTO(rb_free_str)
            char *line =
                rb_template("{table}[.{column}]: {restored:count}[ of {of:count}] restored", done);
            rb_buf_printf(&text, "; %s", line);
        }
        rb_json_set(item, "state:s what:s", expired ? "expired" : rb_json_str(item, "state"),
                    text.data);
    }
    rb_ui_table(columns, sizeof columns / sizeof *columns, list, NULL);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_AUTO(rb_json_freep) json_t *list = NULL;
    RB_AUTO(rb_json_freep) json_t *pruned = json_array();
    RB_TRY(rb_env_session_open(&site, cli, o->env, o->prune, err));
    if (o->prune) {
        RB_TRY(rb_env_session_settled(&site, err));
        json_decref(pruned);
        pruned = NULL;
        RB_TRY(rb_backups_prune(&pruned, site.env, site.state, err));
    }
    RB_TRY(rb_backups_list(&list, site.env, site.state, err));
    set_times(list);
    set_times(pruned);
    if (cli->json) {
        rb_ui_document(
            cli, rb_json_make("environment:s backups:J pruned:J", site.env->name, list, pruned));
        return RB_OK;
    }
    if (json_array_size(list) > 0)
        show(list);
    else
        rb_ui_line("%s has no backups", site.env->name);
    if (o->prune)
        rb_ui_note(cli, "%zu removed", json_array_size(pruned));
    return RB_OK;
}

RB_COMMAND(backups, "", "list the rows that transitions backed up", RB_GROUP_BREAKS, 0, 0,
           RB_CHANGES);
