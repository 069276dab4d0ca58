#include "env_session.h"

#include <string.h>

#include "status.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    RB_OPTION_YES,
    RB_TEXT("message", 'm', "WHY",
            "with trust: the reason why a root or a database gets other rules; it is recorded",
            why),
    RB_FLAG("names", 0, "print only the names of the environments, one on each line", names),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

static json_t *describe_last(const rb_transition_row *row)
{
    json_t *last = json_object();
    RB_AUTO(rb_free_str) char *at = rb_status_iso(row->finished ? row->finished : row->started);
    rb_json_set(last, "kind:s from:s to:s outcome:s at:s by:s", row->kind, row->from, row->to,
                row->outcome ? row->outcome : "interrupted", at,
                rb_json_str(json_object_get(row->plan, "before"), "by"));
    return last;
}

static enum rb_code add_last(json_t *out, const rb_status *st, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    if (st->site.state && !st->row)
        RB_TRY(rb_state_history(&rows, st->site.state, true, err));
    const rb_transition_row *last = st->row ? st->row : rows.n > 0 ? &rows.items[0] : NULL;
    json_object_set_new(out, "last", last ? describe_last(last) : json_null());
    return RB_OK;
}

static enum rb_code describe(json_t *out, rb_cli *cli, const char *name, rb_err *err)
{
    RB_AUTO(rb_status_clear) rb_status st = {0};
    RB_TRY(rb_status_look(&st, cli, name, err));
    rb_json_set(out, "root:s release:s state:s health:s", st.site.env->root, st.tag,
                rb_status_pause(&st) ? "paused"
                : st.row             ? "interrupted"
                : st.tag             ? "settled"
                                     : "empty",
                st.health);
    if (st.tag)
        json_object_set_new(out, "drift", json_integer((json_int_t)json_array_size(st.drift)));
    json_object_set_new(out, "differences", rb_env_session_distrust(&st.site));
    const json_t *unreadable = json_array_get(st.unreadable, 0);
    if (unreadable)
        return rb_fail(err, RB_ERROR, "%s: %s", rb_json_str(unreadable, "part"),
                       rb_json_str(unreadable, "message"));
    return add_last(out, &st, err);
}

/* Returns the row of an environment. If it cannot be read, the row has only its name and the
 * reason. */
static json_t *row_of(rb_cli *cli, const char *name)
{
    json_t *row = rb_json_make(
        "root:0 release:0 state:0 health:0 drift:0 last:0 differences:j error:0", json_array());
    rb_err why;
    rb_json_set_str(row, "environment", name);
    if (describe(row, cli, name, &why) != RB_OK)
        json_object_set_new(row, "error", rb_err_json(&why));
    return row;
}

static enum rb_code list(rb_cli *cli, const rb_strs *names)
{
    static const rb_ui_column columns[] = {
        {"ENVIRONMENT", "{environment}"},
        {"LIVE", "{release|-}"},
        {"HEALTH", "{health|-}"},
        {"DRIFT", "{drifted|-}"},
        {"LAST TRANSITION",
         "[cannot be looked at: {error.message}][{last.kind} to {last.to} {last.outcome} at "
         "{last.at:time}][ by {last.by}]{none}"},
    };
    RB_AUTO(rb_json_freep) json_t *rows = json_array();
    for (size_t i = 0; i < names->n; i++)
        json_array_append_new(rows, row_of(cli, names->items[i]));
    if (cli->json) {
        rb_ui_document(cli, rb_json_make("environments:J", rows));
        return RB_OK;
    }
    rb_json_each (row, rows) { /* cells that only the table has, not the JSON document */
        const int64_t drift = rb_json_int(row, "drift", -1);
        RB_AUTO(rb_free_str) char *drifted = drift > 0 ? rb_format("%d", (int)drift) : NULL;
        const bool known = json_is_object(json_object_get(row, "last")) ||
                           json_is_object(json_object_get(row, "error"));
        rb_json_set(row, "drifted:s none:s", drift == 0 ? "none" : drifted, known ? NULL : "none");
    }
    rb_ui_table(columns, sizeof columns / sizeof *columns, rows, NULL);
    rb_json_each (row, rows)
        if (json_array_size(json_object_get(row, "differences")) > 0)
            rb_ui_note(cli,
                       "what this host recorded of %s differs from its settings; see `rbtool env "
                       "check --env %s`",
                       rb_json_str(row, "environment"), rb_json_str(row, "environment"));
    return RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    const char *what = o->argc > 0 ? o->argv[0] : NULL;
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    const bool compares = what && strcmp(what, "diff") == 0;
    if (what && !compares && strcmp(what, "trust") != 0 && strcmp(what, "check") != 0)
        return rb_fail(err, RB_ERROR, "env takes `check`, `diff` or `trust`, not '%s'", what);
    if (compares != (o->argc > 1) || (compares && o->argc != 3))
        return rb_fail(err, RB_ERROR,
                       "only `env diff` takes two environments\n`rbtool env diff staging prod`");
    if (o->yes && (!what || strcmp(what, "trust") != 0))
        return rb_fail(err, RB_ERROR, "--yes is for `env trust`");
    if (o->why && (!what || strcmp(what, "trust") != 0))
        return rb_fail(err, RB_ERROR, "option -m belongs to `rbtool env trust` only");
    if (o->names && what)
        return rb_fail(err, RB_ERROR, "--names is for `env` alone, without `%s`", what);
    if (what && strcmp(what, "trust") == 0)
        return rb_env_trust(cli, o, err);
    if (compares)
        return rb_env_diff(cli, o->argv[1], o->argv[2], err);
    if (what)
        return rb_env_check_host(cli, o->env, err);
    if (o->env)
        rb_strs_add(&names, o->env);
    else
        RB_TRY(rb_env_session_environments(&names, cli, err));
    for (size_t i = 0; o->names && i < names.n; i++)
        rb_ui_line("%s", names.items[i]);
    return o->names ? RB_OK : list(cli, &names);
}

RB_COMMAND(env, "[check|trust|diff A B]",
           "list, compare and check environments, accept settings that changed", RB_GROUP_SETUP, 0,
           3, RB_CHANGES);
