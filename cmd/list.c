#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "ledger/history.h"
#include "release_status.h"
#include "trust/signers.h"
#include "ui.h"

static const rb_opt opts[] = {RB_FLAG("no-cache", 0, "verify every signature again", no_cache),
                              RB_OPTION_JSON, RB_OPTIONS_END};

static char *date_of(const rb_listed_release *release, const char *format)
{
    time_t when = (time_t)release->time;
    struct tm tm;
    char text[64];
    if (!gmtime_r(&when, &tm) || strftime(text, sizeof text, format, &tm) == 0)
        return rb_strdup("");
    return rb_strdup(text);
}

/* Describes an item. A release that does not verify has no verdict. */
static json_t *to_json(const rb_chain_item *item, rb_cli *cli)
{
    const rb_listed_release *release = item->listed;
    RB_AUTO(rb_free_str) char *why = NULL;
    const char *verdict = release ? rb_release_verdict(&why, cli, item->tag, item->object) : NULL;
    RB_AUTO(rb_free_str) char *tag = rb_safe(item->tag);
    RB_AUTO(rb_free_str)
    char *date = release ? date_of(release, "%Y-%m-%dT%H:%M:%SZ") : NULL;
    json_t *object = json_object();
    rb_json_set_str(object, "tag", tag);
    rb_json_set_str(object, "object", *item->object ? item->object : NULL);
    rb_json_set_str(object, "version", release ? release->version : NULL);
    rb_json_set_str(object, "date", date);
    rb_json_set_str(object, "signer", release ? release->signer : NULL);
    rb_json_set_str(object, "verdict", verdict);
    rb_json_set_str(object, "reason", why);
    json_object_set_new(object, "overrides", rb_release_overrides(cli, item->object, NULL));
    json_object_set_new(object, "unapproved", rb_release_unapproved(cli, item->object, NULL));
    rb_json_set_str(object, "class", release ? release->class_ : NULL);
    json_object_set_new(object, "here", json_boolean(!item->lost));
    json_object_set_new(object, "ok", json_boolean(release && !rb_problems_any(&item->problems)));
    return object;
}

static char *fault_of(const rb_chain_item *item, const char *code)
{
    return rb_chain_is_absent(item) ? rb_strdup("not here") : rb_format("BAD (%s)", code);
}

/* Returns the verdict for the table. An override is as prominent as a bad verdict. */
static char *verdict_of(const rb_chain_item *item, rb_cli *cli)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    const char *verdict = rb_release_verdict(&why, cli, item->tag, item->object);
    RB_AUTO(rb_json_freep) json_t *overrides = rb_release_overrides(cli, item->object, NULL);
    RB_AUTO(rb_json_freep) json_t *unapproved = rb_release_unapproved(cli, item->object, NULL);
    return rb_format("%s%s%s", verdict ? verdict : "-",
                     json_array_size(overrides) > 0 ? " (OVERRIDE)" : "",
                     json_array_size(unapproved) > 0 ? " (UNAPPROVED)" : "");
}

static void add_row(rb_strs *cells, const rb_chain_item *item, rb_cli *cli)
{
    const rb_listed_release *release = item->listed;
    rb_strs_add(cells, item->tag);
    if (!release) {
        rb_strs_add(cells, "-");
        rb_strs_add(cells, "-");
        rb_strs_add(cells, "-");
        rb_strs_take(cells, fault_of(item, item->problems.items[0].code));
        rb_strs_add(cells, "-");
        return;
    }
    rb_strs_add(cells, release->version);
    rb_strs_take(cells, date_of(release, "%Y-%m-%d %H:%M UTC"));
    rb_strs_add(cells, release->signer);
    const char *code = NULL;
    for (size_t i = 0; i < item->problems.n && !code; i++)
        code = item->problems.items[i].warning ? NULL : item->problems.items[i].code;
    rb_strs_take(cells, code ? fault_of(item, code) : verdict_of(item, cli));
    rb_strs_add(cells, release->class_);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_TRY(
        rb_history_load(&chain, cli->session.policy, NULL, o->no_cache ? RB_CHAIN_FRESH : 0, err));
    if (cli->json) {
        RB_AUTO(rb_json_freep) json_t *document = json_object();
        json_t *releases = json_array();
        for (size_t i = 0; i < chain->n; i++)
            json_array_append_new(releases, to_json(&chain->items[i], cli));
        json_object_set_new(document, "releases", releases);
        rb_ui_json(cli, document);
        return RB_OK;
    }
    if (chain->n == 0) {
        rb_ui_note(cli, "there is no release here yet; `rbtool release TAG` makes one");
        return RB_OK;
    }
    static const char *const heads[] = {"TAG", "VERSION", "DATE", "SIGNER", "VERDICT", "CLASS"};
    RB_AUTO(rb_strs_clear) rb_strs cells = {0};
    for (size_t i = 0; i < chain->n; i++)
        add_row(&cells, &chain->items[i], cli);
    rb_ui_table(heads, &cells, sizeof heads / sizeof *heads);
    rb_err why;
    if (rb_signers_need(cli->session.signers, &why) != RB_OK)
        rb_ui_note(cli, "no release is verified: %s", rb_err_line(&why));
    return RB_OK;
}

RB_COMMAND(list, "", "list releases, newest first", RB_GROUP_RELEASE, 0, 0, RB_PAGES);
