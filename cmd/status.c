#include "status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "release_status.h"
#include "transition/parts.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    RB_FLAG("exit-code", 0,
            "show in the exit code whether something is wrong (1), half-way (3) or at work (4)",
            exit_code),
    RB_OPTION_JSON, RB_OPTIONS_END};

/* Returns the parts that a partial transition left at another release than `tag`, or NULL. */
static char *elsewhere(const rb_live *live, const char *tag)
{
    bool apart[RB_PARTS];
    bool any = false;
    for (int part = 0; part < RB_PARTS; part++) {
        apart[part] = tag && live->tag[part] && strcmp(live->tag[part], tag) != 0;
        any = any || apart[part];
    }
    return any ? rb_parts_where(live, apart) : NULL;
}

/* True if drift was found. An item without a path is not drift: a partial transition left that part
 * at another release. */
static bool has_drifted(const rb_status *st)
{
    rb_json_each (item, st->drift)
        if (rb_json_str(item, "path")[0])
            return true;
    return false;
}

/* Returns "settled, healthy", "drifted, unhealthy" or "DOWN", for example. */
static char *state_words(const rb_status *st, bool apart)
{
    if (!st->tag)
        return rb_strdup(st->unknown ? "what is live cannot be read" : "nothing is live");
    const char *health = st->down ? "DOWN" : st->health;
    if (has_drifted(st))
        return rb_format("drifted, %s", health);
    if (json_array_size(st->unreadable) > 0)
        return rb_format("not all of it can be read, %s", health);
    bool settled = !apart && !st->down && !rb_text_same(st->health, "unhealthy");
    return settled ? rb_format("settled, %s", health) : rb_strdup(health);
}

static enum rb_color state_color(const rb_status *st)
{
    if (st->down || st->stopped || rb_text_same(st->health, "unhealthy"))
        return RB_RED;
    return st->row || has_drifted(st) || json_array_size(st->unreadable) > 0 ? RB_YELLOW
           : st->tag                                                         ? RB_GREEN
                                                                             : RB_PLAIN;
}

static void add_databases(rb_buf *out, const rb_strs *names)
{
    rb_buf_puts(out, names->n > 1 ? "databases" : "database");
    for (size_t i = 0; i < names->n; i++)
        rb_buf_printf(out, "%s %s", i > 0 ? "," : "", names->items[i]);
}

/* Returns which databases, and the files, are at FROM or TO of a transition past its commit. */
static char *committed_words(const rb_status *st)
{
    const rb_transition_row *row = st->row;
    if (st->committed.n == 0 || st->waiting.n == 0)
        return rb_format("database and files are at %s", row->to);
    rb_buf out = {0};
    add_databases(&out, &st->committed);
    rb_buf_printf(&out, " %s at %s, ", st->committed.n > 1 ? "are" : "is", row->to);
    add_databases(&out, &st->waiting);
    rb_buf_printf(&out, " still at %s, and files are at %s", row->from ? row->from : "nothing",
                  row->to);
    return rb_buf_detach(&out);
}

/* Prints the first line of an environment whose transition has not ended. */
static void show_pending(const rb_cli *cli, const rb_status *st)
{
    const rb_transition_row *row = st->row;
    const char *from = row->from ? row->from : "nothing";
    const char *step = st->step ? st->step : "none";
    RB_AUTO(rb_free_str)
    char *words = rb_format("Finish: `rbtool resume --env %s`. Undo: `rbtool abort --env %s`",
                            st->name, st->name);
    RB_AUTO(rb_free_str) char *out = rb_env_session_commands(cli, words);
    RB_AUTO(rb_free_str) char *where = committed_words(st);
    const json_t *pause = rb_status_pause(st);
    RB_AUTO(rb_free_str) char *at = rb_status_time(rb_json_int(pause, "at", 0));
    RB_AUTO(rb_free_str) char *why = rb_safe(pause ? rb_json_str(pause, "why") : "");
    if (st->holder)
        rb_ui_line("<bold>%s</>: %s, another run holds the environment (%s): it is in step %s of "
                   "the %s from %s to %s (transition %s)",
                   st->name, st->tag ? st->tag : "nothing is live", st->holder, step, row->kind,
                   from, row->to, row->id);
    else if (pause)
        rb_ui_line(
            "<bold>%s</>: %s, <yellow>paused</> before step %s of the %s from %s to %s by %s "
            "at %s: %s; %s. %s",
            st->name, st->tag ? st->tag : "nothing is live", step, row->kind, from, row->to,
            rb_json_str(pause, "by") ? rb_json_str(pause, "by") : "an unknown person", at, why,
            st->side == RB_SIDE_BEFORE ? "nothing is committed" : where, out);
    else if (st->side == RB_SIDE_AFTER)
        rb_ui_line("<bold>%s</>: %s, not finished: %s from %s stopped in step %s; %s%s. %s",
                   st->name, row->to, row->kind, from, step, where,
                   st->flags_pending ? ", the flags are not yet" : "", out);
    else if (st->side == RB_SIDE_ABORTING)
        rb_ui_line("<bold>%s</>: %s, not finished: the abort that goes back to %s stopped in step "
                   "%s, before its commit. %s",
                   st->name, from, row->to, step, out);
    else if (st->side == RB_SIDE_BEFORE)
        rb_ui_line(
            "<bold>%s</>: %s, interrupted: %s to %s stopped in step %s; nothing is committed. %s",
            st->name, st->tag ? st->tag : "nothing is live", row->kind, row->to, step, out);
    else
        rb_ui_line("<bold>%s</>: %s or %s, interrupted: %s stopped in step %s; whether it is "
                   "committed cannot be read now. %s",
                   st->name, from, row->to, row->kind, step, out);
    if (!st->holder)
        rb_ui_line("transition  %s, %s %s", row->id, *row->kind == 'a' ? "an" : "a", row->kind);
    if (st->stopped)
        rb_ui_line("<red>service     DOWN</>: it was stopped for this transition and is %s",
                   st->holder ? "started at its end" : "not started again");
    if (st->said) {
        rb_ui_line("failed      step %s: %s", rb_json_str(st->said, "step"),
                   rb_json_str(st->said, "message"));
        rb_ui_output(NULL, "            ", rb_json_str(st->said, "output"));
    }
}

static void show_first(const rb_status *st)
{
    RB_AUTO(rb_free_str) char *apart = elsewhere(&st->live, st->tag);
    RB_AUTO(rb_free_str) char *words = state_words(st, apart != NULL);
    rb_ui_line("<bold>%s</>: %s%s%s%s%s%s%s</>", st->name, st->tag ? st->tag : "",
               apart ? " (" : "", apart ? apart : "", apart ? ")" : "", st->tag ? ", " : "",
               rb_ui_color(state_color(st)), words);
    if (apart)
        rb_ui_line("  <yellow>apart</> by a transition with --only, not by hand; a whole one "
                   "brings all parts to one release");
    if (st->holder)
        rb_ui_line("another run holds the environment (%s)", st->holder);
}

static void show_health(rb_cli *cli, const rb_status *st)
{
    if (!st->checks) {
        RB_AUTO(rb_free_str) char *program = rb_env_session_program(cli);
        if (st->tag && !st->row)
            rb_ui_line("checks      none have run: `%s check --env %s` runs those that are "
                       "configured",
                       program, st->name);
        return;
    }
    RB_AUTO(rb_free_str) char *at = rb_status_time(rb_json_int(st->checks, "at", 0));
    const char *message = rb_json_str(st->checks, "message");
    if (st->down)
        rb_ui_line("<red>service     DOWN</> since %s: %s", at, message ? message : "");
    else if (message)
        rb_ui_line("<red>checks      failed</> at %s: %s", at, message);
    else
        rb_ui_line("checks      passed at %s", at);
    rb_json_each_member (name, value, json_object_get(st->checks, "values"))
        rb_ui_line("value       %s: %.10g", name, json_number_value(value));
    rb_ui_output(NULL, "            ", rb_json_str(st->checks, "output"));
    rb_json_each (item, json_object_get(st->checks, "failures")) {
        const char *one = rb_json_str(item, "message");
        if (!rb_text_same(one, message))
            rb_ui_line("checks      %s", one);
        rb_ui_output(NULL, "            ", rb_json_str(item, "output"));
    }
    if (!message || !st->tag || st->row)
        return;
    RB_AUTO(rb_free_str) char *back = rb_release_way_back(cli, st->site.env, st->tag, st->down);
    RB_AUTO(rb_free_str) char *next = rb_env_session_commands(cli, back);
    rb_ui_line("next        %s", next);
}

static void show_watch(const rb_status *st)
{
    if (!st->watch)
        return;
    rb_ui_item(rb_text_same(rb_json_str(st->watch, "outcome"), "open")
                   ? "watch       {release} until {until:time}[: failed, {held}]"
                   : "watch       {release}, {outcome}: {rounds} rounds of the checks, {failed} "
                     "failed[: {held}]",
               st->watch);
}

static void show_undelivered(const json_t *list)
{
    const json_t *first = json_array_get(list, 0);
    if (!first)
        return;
    rb_ui_line("<yellow>notify      %zu event%s not delivered</>", json_array_size(list),
               rb_text_s(json_array_size(list)));
    rb_ui_item("            {type} of {time} for {command}[: {error}]", first);
}

/* head: a template of the first line. Items without a path are skipped (has_drifted()). */
static void show_list(const char *head, const json_t *list)
{
    RB_AUTO(rb_json_freep) json_t *texts = rb_env_session_drift(list);
    rb_json_each (item, texts) {
        if (!*rb_json_str(json_array_get(list, item_at), "path"))
            continue;
        rb_ui_item(head, item);
        rb_json_each (line, json_object_get(item, "more"))
            rb_ui_item("      {.}", line);
    }
}

/* Prints "backups     2, 43.1 MB; newest: ID, 3 days old". */
static void show_backups(const json_t *list)
{
    const json_t *newest = NULL;
    int64_t bytes = 0;
    rb_json_each (item, list) {
        bytes += rb_json_int(item, "bytes", 0);
        if (!newest || rb_json_int(item, "age", 0) < rb_json_int(newest, "age", 0))
            newest = item;
    }
    if (!newest)
        return;
    RB_AUTO(rb_free_str) char *size = rb_text_bytes((uint64_t)bytes);
    const int64_t minutes = rb_json_int(newest, "age", 0) / 60;
    RB_AUTO(rb_free_str)
    char *age = minutes < 120    ? rb_format("%d min", (int)minutes)
                : minutes < 2880 ? rb_format("%d h", (int)(minutes / 60))
                                 : rb_format("%" PRId64 " days", minutes / 1440);
    rb_ui_line("backups     %zu, %s; newest: %s, %s old", json_array_size(list), size,
               rb_json_str(newest, "id"), age);
}

/* Prints the last transition if it did not reach its TO and is newer than the live release. */
static void show_last(const rb_status *st)
{
    const rb_transition_row *last = st->last;
    if (!last || st->row)
        return;
    RB_AUTO(rb_free_str) char *at = rb_status_time(last->finished);
    rb_ui_line("last        %s to %s %s at %s%s%s", last->kind, last->to, last->outcome, at,
               last->error ? ": " : "", last->error ? last->error : "");
}

static void show(rb_cli *cli, const rb_status *st)
{
    rb_err ignored; /* the document lists it as unreadable already */
    if (st->row)
        show_pending(cli, st);
    else
        show_first(st);
    if (st->since > 0 && !(st->row && st->side != RB_SIDE_BEFORE)) {
        RB_AUTO(rb_free_str) char *since = rb_status_time(st->since);
        rb_ui_line("since       %s%s%s", since, st->by ? ", by " : "", st->by ? st->by : "");
    }
    show_health(cli, st);
    show_watch(st);
    show_undelivered(st->undelivered);
    show_list("  <yellow>drift</> {line}", st->drift);
    show_list("  accepted {line}", st->accepted);
    rb_json_each (item, st->unreadable) {
        RB_AUTO(rb_free_str)
        char *message = rb_env_session_commands(cli, rb_json_str(item, "message"));
        rb_ui_line("<red>unreadable</>  %s: %s", rb_json_str(item, "part"), message);
    }
    show_backups(st->backups);
    if (st->drill)
        rb_ui_item("drill       {at:minute}, {ok?works:found a problem}", st->drill);
    show_last(st);
    if (st->release && !st->row && rb_session_ledger(&cli->session, &ignored) == RB_OK)
        rb_release_show(cli, st->release, st->name);
    rb_env_session_show_distrust(cli, &st->site);
    if (st->unwritten > 0)
        rb_ui_line(
            "ledger      does not have %zu transition(s) of %s yet; the next deploy, revert, "
            "resume, abort or sync writes it",
            st->unwritten, st->name);
}

/* Returns a row of the table. Its cells are texts that the document does not have. */
static json_t *to_row(const rb_status *st)
{
    RB_AUTO(rb_free_str) char *apart = elsewhere(&st->live, st->tag);
    RB_AUTO(rb_free_str) char *words = state_words(st, apart != NULL);
    RB_AUTO(rb_free_str) char *since = rb_status_iso(st->since);
    RB_AUTO(rb_free_str)
    char *pending = !st->row ? NULL
                             : rb_format("%s: %s to %s in step %s%s",
                                         st->holder            ? "at work"
                                         : rb_status_pause(st) ? "paused"
                                                               : "interrupted",
                                         st->row->kind, st->row->to, st->step ? st->step : "none",
                                         st->stopped ? ", service DOWN" : "");
    return rb_json_make("environment:s release:s apart:s state:s since:s by:s", st->name, st->tag,
                        apart, pending ? pending : words, since, st->by);
}

/* Prints a table with a row for each environment. */
static enum rb_code show_all(rb_cli *cli, const rb_strs *names, bool exit_code, rb_err *err)
{
    static const rb_ui_column columns[] = {
        {"ENVIRONMENT", "{environment}"},
        {"RELEASE", "{release|-}[ ({apart})]"},
        {"STATE", "{state}"},
        {"SINCE", "{since:time}"},
        {"BY", "{by}"},
    };
    RB_AUTO(rb_json_freep) json_t *list = json_array();
    RB_AUTO(rb_json_freep) json_t *rows = json_array();
    enum rb_color *colors = rb_calloc(names->n, sizeof *colors);
    enum rb_code worst = RB_OK;
    for (size_t i = 0; i < names->n; i++) {
        RB_AUTO(rb_status_clear) rb_status st = {0};
        rb_err why = {0};
        enum rb_code code = rb_status_look(&st, cli, names->items[i], &why);
        if (code == RB_OK) {
            json_array_append_new(list, rb_status_document(cli, &st));
            json_array_append_new(rows, to_row(&st));
            colors[i] = state_color(&st);
            code = rb_status_code(&st, &why);
        } else { /* its settings cannot be read: only the message is known */
            RB_AUTO(rb_free_str) char *safe = rb_safe(rb_err_line(&why));
            RB_AUTO(rb_free_str) char *state = rb_format("unreadable: %s", safe);
            json_array_append_new(
                list, json_pack("{s:s,s:n,s:n,s:n,s:s,s:s,s:b,s:n,s:[],s:[{s:s,s:s}]}",
                                "environment", names->items[i], "release", "since", "by", "state",
                                "unknown", "health", "unchecked", "down", 0, "step", "drift",
                                "unreadable", "part", "settings", "message", safe));
            json_array_append_new(
                rows, rb_json_make("environment:s release:s state:s", names->items[i], "?", state));
            colors[i] = RB_RED;
            code = RB_FOUND;
        }
        worst = code > worst ? code : worst;
    }
    RB_AUTO(rb_json_freep) json_t *document = rb_json_make("environments:J", list);
    if (cli->json)
        rb_ui_json(cli, document);
    else
        rb_ui_table(columns, sizeof columns / sizeof *columns, rows, colors);
    free(colors);
    if (!cli->json)
        rb_ui_note(cli, "`rbtool status --env NAME` shows one of them in full");
    err->message[0] = '\0';
    err->code = worst;
    return exit_code ? worst : RB_OK;
}

static enum rb_code show_one(rb_cli *cli, const rb_options *o, rb_err *err)
{
    RB_AUTO(rb_status_clear) rb_status st = {0};
    RB_TRY(rb_status_look(&st, cli, o->env, err));
    RB_AUTO(rb_json_freep) json_t *document = rb_status_document(cli, &st);
    if (cli->json)
        rb_ui_json(cli, document);
    else
        show(cli, &st);
    return o->exit_code ? rb_status_code(&st, err) : RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    const char *chosen = getenv("RBTOOL_ENV");
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    if (!o->env && !(chosen && *chosen))
        RB_TRY(rb_env_session_environments(&names, cli, err));
    return names.n > 1 ? show_all(cli, &names, o->exit_code, err) : show_one(cli, o, err);
}

RB_COMMAND(status, "", "show what is live in an environment, since when, its health and drift",
           RB_GROUP_DAILY, 0, 0, 0);
