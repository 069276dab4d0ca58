#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/shape.h"
#include "env_session.h"
#include "report/metrics.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_TEXT("output", 'o', "FILE", "replace FILE at once, for a textfile collector", output),
    RB_TEXT("env", 'e', "NAME", "only of this environment", env), RB_OPTIONS_END};

/* Adds figures from the environment's journal. Leaves out what cannot be read, with a note. */
static void add_environment(json_t *metrics, rb_cli *cli, const char *name)
{
    RB_AUTO(rb_json_freep) json_t *unreadable = json_array();
    RB_AUTO(rb_transition_row_freep) rb_transition_row *row = NULL;
    RB_AUTO(rb_free_str) char *holder = NULL;
    rb_env_session site = {0};
    rb_err why;
    if (rb_env_session_look(&site, unreadable, cli, name, &why) != RB_OK ||
        (site.state && rb_env_session_pending(&row, &holder, &site, &why) != RB_OK))
        rb_ui_note(cli, "%s is left out: %s", name, rb_err_line(&why));
    else if (site.state)
        rb_metrics_environment(metrics, name, site.state, row, holder != NULL);
    rb_json_each (part, unreadable)
        rb_ui_note(cli, "%s is left out: %s", name, rb_json_str(part, "message"));
    rb_env_session_close(&site);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *metrics = rb_metrics_new();
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_err none;
    if (o->env && !rb_shape_is_name(o->env))
        return rb_fail(err, RB_ERROR, "'%s' is not a name of an environment", o->env);
    RB_TRY(rb_metrics_ledger(metrics, &cli->session, o->env, (int64_t)time(NULL), err));
    if (rb_env_session_names(&names, &roots, cli, &none) != RB_OK)
        rb_ui_note(cli, "no environment of this host is shown: %s", rb_err_line(&none));
    for (size_t i = 0; i < names.n; i++)
        if (!o->env || strcmp(names.items[i], o->env) == 0)
            add_environment(metrics, cli, names.items[i]);
    rb_metrics_write(&text, metrics);
    if (o->output)
        return rb_file_replace(o->output, text.data, text.len, err);
    fwrite(text.data, 1, text.len, stdout);
    return RB_OK;
}

RB_COMMAND(metrics, "", "print figures and state as OpenMetrics text", RB_GROUP_AUDIT, 0, 0, 0);
