#include <string.h>

#include "books.h"
#include "environment/delivered.h"
#include "environment/observe.h"
#include "site.h"
#include "transition/known_good.h"
#include "transition/parts.h"
#include "ui.h"

struct options {
    rb_site_options site;
    bool exit_code;
};

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    {RB_OPT_FLAG, "exit-code", 0, NULL,
     "exit 1 on drift, 3 when a transition is half-way, 4 when one is at work",
     offsetof(struct options, exit_code)},
    RB_OPTION_JSON,
    {.kind = RB_OPT_END}};

typedef struct findings {
    json_t *drift;
    json_t *accepted; /* otherwise than the manifest, and known when the release went live */
} findings;

static void clear_findings(findings *found)
{
    json_decref(found->drift);
    json_decref(found->accepted);
}

static enum rb_code observe_databases(const findings *found, const rb_site *site,
                                      const rb_release *release, rb_err *err)
{
    for (size_t i = 0; i < release->manifest->database_count; i++) {
        const rb_manifest_database *d = &release->manifest->databases[i];
        const char *url = rb_env_database(site->env, d->name);
        rb_err why;
        RB_AUTO(rb_db_closep) rb_db *db = NULL;
        if (!url)
            rb_drift_add(found->drift, "db", d->name, "a url in the environment", "none");
        else if (rb_db_open(&db, url, RB_DB_READ, &why) != RB_OK)
            rb_drift_add(found->drift, "db", d->name, "a database", why.message);
        else
            RB_TRY(rb_observe_database(found->drift, found->accepted, db, release, site->repo, d,
                                       err));
    }
    return RB_OK;
}

/* release NULL: it does not verify. */
static enum rb_code observe_part(const findings *found, const rb_site *site, enum rb_part part,
                                 const rb_release *release, rb_err *err)
{
    json_t *drift = found->drift;
    switch (part) {
    case RB_PART_APP:
        return rb_observe_app(drift, site->env, site->live.tag[part], err);
    case RB_PART_DB:
        return release ? observe_databases(found, site, release, err) : RB_OK;
    case RB_PART_FLAGS:
        return release ? rb_observe_flags(drift, site->env, release->manifest, err) : RB_OK;
    case RB_PART_CONFIG:
        return release ? rb_observe_config(drift, site->env, release->manifest, err) : RB_OK;
    case RB_PARTS:
        break;
    }
    return RB_OK;
}

/* Every part against the release that is live in it. *main is main_tag's, or NULL when it does not
 * verify. */
static enum rb_code observe(rb_release **main, const findings *found, rb_cli *cli,
                            const rb_site *site, const char *main_tag, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *other = NULL;
    const char *opened = NULL;
    const rb_release *release = NULL;
    for (int part = 0; part < RB_PARTS; part++) {
        const char *tag = site->live.tag[part];
        if (!tag)
            continue;
        if (strcmp(tag, main_tag) != 0)
            rb_drift_add(found->drift, rb_part_name((enum rb_part)part), "", main_tag, tag);
        if (!opened || strcmp(opened, tag) != 0) {
            rb_err why;
            bool is_main = strcmp(tag, main_tag) == 0;
            rb_release **into = is_main ? main : &other;
            rb_release_free(*into);
            *into = NULL;
            if (rb_site_live_release(into, cli, site, tag, &why) != RB_OK)
                rb_drift_add(found->drift, rb_part_name((enum rb_part)part), tag,
                             "a release that verifies", why.message);
            release = *into;
            opened = tag;
        }
        RB_TRY(observe_part(found, site, (enum rb_part)part, release, err));
    }
    return RB_OK;
}

static const char *live_tag(const rb_site *site)
{
    for (int part = 0; part < RB_PARTS; part++)
        if (site->live.tag[part])
            return site->live.tag[part];
    return NULL;
}

/* The step that was begun and not ended. */
static enum rb_code pending_step(const char **out, const rb_site *site,
                                 const rb_transition_row *row, rb_err *err)
{
    const json_t *steps = json_object_get(row->plan, "steps");
    size_t i;
    json_t *step;
    *out = NULL;
    json_array_foreach ((json_t *)steps, i, step) {
        const char *id = rb_json_str(step, "id");
        enum rb_step_state state = RB_STEP_NONE;
        if (id)
            RB_TRY(rb_state_step_get(&state, site->state, row->id, id, err));
        if (state != RB_STEP_NONE || !*out)
            *out = id;
    }
    return RB_OK;
}

/* On which side of the point of no return it stopped: what an abort would mean. */
static enum rb_code side_of(const char **out, const rb_site *site, const rb_transition_row *row,
                            rb_err *err)
{
    enum rb_step_state committed;
    enum rb_step_state switched;
    bool database = json_array_size(json_object_get(row->plan, "databases")) > 0;
    RB_TRY(
        rb_state_step_get(&committed, site->state, row->id, rb_step_kind_name(RB_DO_COMMIT), err));
    RB_TRY(
        rb_state_step_get(&switched, site->state, row->id, rb_step_kind_name(RB_DO_SWITCH), err));
    enum rb_step_state state = database ? committed : switched;
    *out = state == RB_STEP_NONE || state == RB_STEP_UNDONE
               ? "nothing is committed: an abort puts all back as it was"
           : state == RB_STEP_DONE
               ? "it is committed: a resume ends it, an abort is a transition back"
               : "whether it is committed is looked up by resume and abort, and told";
    return RB_OK;
}

static json_t *list_parts(const rb_live *live)
{
    json_t *list = json_array();
    for (int part = 0; part < RB_PARTS; part++)
        json_array_append_new(list,
                              json_pack("{s:s,s:s?}", "part", rb_part_name((enum rb_part)part),
                                        "release", live->tag[part]));
    return list;
}

/* The parts that a partial transition left at other releases, or brought there; NULL: none. */
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

/* An entry without a path is no drift that somebody made: which part is where was said before. */
static void show_list(const rb_cli *cli, const char *word, enum rb_color color, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)list, i, item)
        if (rb_json_str(item, "path")[0])
            rb_ui_line("  %s%s%s %s %s: expected %s, found %s", rb_ui_color(cli, color), word,
                       rb_ui_color(cli, RB_PLAIN), rb_json_str(item, "part"),
                       rb_json_str(item, "path"), rb_json_str(item, "expected"),
                       rb_json_str(item, "found"));
}

static void show(rb_cli *cli, const rb_site *site, const rb_transition_row *row, const char *tag,
                 const char *step, const char *side, const char *holder, const findings *found)
{
    RB_AUTO(rb_free_str) char *apart = elsewhere(&site->live, tag);
    rb_ui_line("%s%s%s: %s%s%s%s%s", rb_ui_color(cli, RB_BOLD), site->env->name,
               rb_ui_color(cli, RB_PLAIN), tag ? tag : "nothing is live", apart ? " (" : "",
               apart ? apart : "", apart ? ")" : "", tag && !row ? ", settled" : "");
    if (apart)
        rb_ui_line("  %sapart%s by a transition with --only, not by hand; a whole one brings all "
                   "parts to one release",
                   rb_ui_color(cli, RB_YELLOW), rb_ui_color(cli, RB_PLAIN));
    if (row && holder)
        rb_ui_line("another run holds the environment (%s): it is in step %s of the %s from %s to "
                   "%s (transition %s)",
                   holder, step ? step : "none", row->kind, row->from ? row->from : "nothing",
                   row->to, row->id);
    else if (holder)
        rb_ui_line("another run holds the environment (%s)", holder);
    else if (row)
        rb_ui_line("interrupted in step %s of the %s from %s to %s (transition %s): go on with "
                   "`rbtool resume --env %s`, or back with `rbtool abort --env %s`",
                   step ? step : "none", row->kind, row->from ? row->from : "nothing", row->to,
                   row->id, site->env->name, site->env->name);
    if (row && !holder)
        rb_ui_line("  %s", side);
    show_list(cli, "drift", RB_YELLOW, found->drift);
    show_list(cli, "accepted", RB_PLAIN, found->accepted);
}

/* Transitions that the ledger was not told of. */
static enum rb_code unwritten(size_t *out, const rb_site *site, rb_err *err)
{
    rb_outbox_item *items = NULL;
    *out = 0;
    if (site->state)
        RB_TRY(rb_state_outbox(&items, out, site->state, err));
    rb_outbox_free(items, *out);
    return RB_OK;
}

static void add_words(json_t *doc, rb_cli *cli, const rb_books *books, const rb_site *site,
                      const rb_release *release)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    const char *verdict =
        release ? rb_books_verdict(&why, books, release->tag, release->object) : NULL;
    rb_json_set_str(doc, "verdict", verdict);
    rb_json_set_str(doc, "reason", why);
    json_object_set_new(doc, "approvals",
                        release ? rb_books_approvals(cli, books, release, site->env->name)
                                : json_array());
    json_object_set_new(doc, "overrides",
                        release ? rb_books_overrides(books, release->object, site->env->name)
                                : json_array());
}

static enum rb_code status(rb_cli *cli, const rb_site *site, const struct options *o, rb_err *err)
{
    RB_AUTO(rb_transition_row_freep) rb_transition_row *row = NULL;
    RB_AUTO(rb_free_str) char *holder = NULL;
    RB_AUTO(clear_findings) findings found = {json_array(), json_array()};
    const char *step = NULL;
    const char *side = NULL;
    const char *tag = live_tag(site);
    RB_TRY(rb_site_pending(&row, &holder, site, err));
    if (row)
        RB_TRY(pending_step(&step, site, row, err));
    if (row)
        RB_TRY(side_of(&side, site, row, err));
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    if (tag)
        RB_TRY(observe(&release, &found, cli, site, tag, err));
    const char *state = row ? "interrupted" : tag ? "settled" : "empty";
    const rb_books *books;
    RB_TRY(rb_cli_books(&books, cli, err));
    size_t left = 0;
    RB_TRY(unwritten(&left, site, err));
    RB_AUTO(rb_free_str) char *failed = NULL;
    RB_TRY(rb_known_unhealthy(&failed, site->state, err));
    if (cli->json) {
        RB_AUTO(rb_json_freep)
        json_t *doc = json_pack("{s:s,s:s?,s:s,s:s?,s:O,s:O,s:I}", "environment", site->env->name,
                                "release", tag, "state", state, "step", step, "drift", found.drift,
                                "accepted", found.accepted, "unwritten", (json_int_t)left);
        json_object_set_new(doc, "parts", list_parts(&site->live));
        rb_json_set_str(doc, "holder", holder);
        rb_json_set_str(doc, "failedChecks", failed);
        add_words(doc, cli, books, site, release);
        rb_ui_json(cli, doc);
    } else {
        show(cli, site, row, tag, step, side, holder, &found);
        if (failed)
            rb_ui_line("%schecks%s      failed when it went live: %s", rb_ui_color(cli, RB_YELLOW),
                       rb_ui_color(cli, RB_PLAIN), failed);
        if (release)
            rb_books_show(cli, books, release, site->env->name);
        if (left > 0)
            rb_ui_line("ledger      does not have %zu transition(s) of %s yet; the next deploy, "
                       "revert, resume, abort or sync tells it",
                       left, site->env->name);
    }
    if (o->exit_code && row)
        return rb_site_settled(site, err);
    return o->exit_code && json_array_size(found.drift) > 0 ? RB_FOUND : RB_OK;
}

static enum rb_code run(rb_cli *cli, void *options, int argc, char **argv, rb_err *err)
{
    (void)argc;
    (void)argv;
    const struct options *o = options;
    RB_AUTO(rb_site_close) rb_site site = {0};
    RB_TRY(rb_site_open(&site, cli, o->site.env, false, err));
    return status(cli, &site, o, err);
}

const rb_command rb_cmd_status = {
    .name = "status",
    .args = "",
    .summary = "show what runs in an environment, and every drift from its manifest",
    .group = RB_GROUP_DAILY,
    .details =
        "What a database was left with when the release went live, by consent, and its manifest\n"
        "does not have, is told apart as accepted: known residuals, drift that was gone on over.",
    .examples = "rbtool status --env prod\n"
                "rbtool status --env prod --exit-code >/dev/null || echo \"look at prod\"",
    .opts = opts,
    .options_size = sizeof(struct options),
    .min_args = 0,
    .max_args = 0,
    .run = run,
    .clear = rb_site_options_clear,
};
