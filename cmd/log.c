#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/shape.h"
#include "base/text.h"
#include "cli.h"
#include "log.h"
#include "ui.h"

#define SHOWN 200 /* bytes of a title */

static const rb_opt opts[] = {
    RB_LIST("tag", 't', "TAG", "only about this release; * and ? stand for others", tags),
    RB_LIST("env", 'e', "NAME", "only about this environment", environments),
    RB_LIST("kind", 'k', "KIND",
            "only release, verdict, approval, policy, gap, transition, drill, override or merge",
            kinds),
    RB_TEXT("since", 0, "DATE", "only since then, as in `git log --since`", since),
    RB_NUMBER("max-count", 'n', "NUMBER", "the newest NUMBER only", count),
    RB_FLAG("verify", 0, "judge every entry again and show those that are not in order", verify),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

static void job_clear(rb_log *job)
{
    rb_policy_free(job->policy);
    rb_ledger_free(job->ledger);
    rb_problems_clear(&job->claims);
    free(job->shown);
}

static enum rb_code check_kinds(const rb_strs *kinds, rb_err *err)
{
    const char *names[RB_ENTRY_KINDS + 1] = {NULL};
    for (int i = 0; i < RB_ENTRY_KINDS; i++)
        names[i] = rb_entry_kind_name((enum rb_entry_kind)i);
    for (size_t i = 0; i < kinds->n; i++) {
        enum rb_entry_kind kind;
        if (!rb_entry_kind_of(&kind, kinds->items[i]))
            return rb_fail(err, RB_ERROR, "--kind %s: the kind does not exist\nthe nearest is %s",
                           kinds->items[i], rb_shape_nearest(kinds->items[i], names));
    }
    return RB_OK;
}

/* Parses a date with git, which knows "yesterday" and "2 weeks ago". */
static enum rb_code find_since(rb_log *job, rb_err *err)
{
    static const char prefix[] = "--max-age=";
    job->since = INT64_MIN;
    if (!job->options->since)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf said = {0};
    RB_AUTO(rb_free_str) char *asked = rb_format("--since=%s", job->options->since);
    const char *const args[] = {"rev-parse", asked, NULL};
    RB_TRY(rb_repo_git(&said, job->repo, args, err));
    if (strncmp(rb_buf_str(&said), prefix, strlen(prefix)) != 0)
        return rb_fail(err, RB_ERROR, "--since %s: git reads no date in it", job->options->since);
    job->since = strtoll(rb_buf_str(&said) + strlen(prefix), NULL, 10);
    return RB_OK;
}

static bool matches_any(const rb_strs *patterns, const char *text)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (text &&
            (strcmp(patterns->items[i], text) == 0 || fnmatch(patterns->items[i], text, 0) == 0))
            return true;
    return patterns->n == 0;
}

/* Fails with RB_ERROR if no entry can be read, RB_FOUND if some cannot. */
static enum rb_code check_whole(const rb_log *job, rb_err *err)
{
    const rb_problem *first = NULL;
    size_t n = 0;
    for (size_t i = job->ledger->n; i > 0; i--) {
        const rb_problem *problem = rb_log_problem(&job->ledger->items[i - 1], RB_ENTRY_UNREADABLE);
        first = first ? first : problem;
        n += problem != NULL;
    }
    if (n == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *why = rb_safe(first->message);
    if (n == job->ledger->n)
        return rb_fail(err, RB_ERROR, RB_LEDGER_REF " is not a ledger: %s", why);
    return rb_fail(err, RB_FOUND,
                   "the ledger is not whole: %zu %s cannot be read, and what lies behind is not "
                   "shown: %s\nfetch " RB_LEDGER_REF " again",
                   n, n == 1 ? "entry" : "entries", why);
}

static bool is_wanted(const rb_log *job, const rb_entry *entry)
{
    const rb_options *o = job->options;
    if (o->verify && entry->problems.n == 0)
        return false;
    if (!o->verify && entry->kind == RB_ENTRY_MERGE && o->kinds.n == 0 &&
        entry->trust == RB_ENTRY_GOOD)
        return false;
    return entry->at >= job->since && matches_any(&o->tags, entry->tag) &&
           matches_any(&o->environments, entry->environment) &&
           (o->kinds.n == 0 || rb_strs_has(&o->kinds, rb_entry_kind_name(entry->kind)));
}

/* Selects the entries to show, newest first. */
static void choose(rb_log *job)
{
    size_t limit = job->options->count > 0 ? (size_t)job->options->count : SIZE_MAX;
    job->shown = rb_calloc(job->ledger->n + 1, sizeof *job->shown);
    for (size_t i = job->ledger->n; i > 0 && job->n < limit; i--)
        if (is_wanted(job, &job->ledger->items[i - 1]))
            job->shown[job->n++] = &job->ledger->items[i - 1];
}

static json_t *problems_json(const rb_problems *problems)
{
    json_t *array = json_array();
    for (size_t i = 0; i < problems->n; i++) {
        const rb_problem *p = &problems->items[i];
        json_t *object = json_object();
        RB_AUTO(rb_free_str) char *message = rb_safe(p->message);
        rb_json_set_str(object, "code", p->code);
        rb_json_set_str(object, "message", message);
        json_object_set_new(object, "warning", json_boolean(p->warning));
        json_array_append_new(array, object);
    }
    return array;
}

static void set_safe(json_t *object, const char *key, const char *text)
{
    RB_AUTO(rb_free_str) char *safe = text ? rb_safe(text) : NULL;
    rb_json_set_str(object, key, safe);
}

static void print_json(const rb_log *job, const rb_entry *entry)
{
    RB_AUTO(rb_json_freep) json_t *line = json_object();
    json_t *parents = json_array();
    char hex[RB_OID_HEX];
    for (size_t i = 0; i < entry->parent_count; i++) {
        rb_oid_hex(&job->ledger->items[entry->parents[i]].id, hex);
        json_array_append_new(parents, json_string(hex));
    }
    rb_oid_hex(&entry->id, hex);
    rb_json_set_str(line, "id", hex);
    set_safe(line, "title", entry->title);
    rb_json_set_str(line, "trust", rb_entry_trust_name(entry->trust));
    set_safe(line, "committer", entry->committer);
    set_safe(line, "principal", entry->principal);
    rb_json_set_str(line, "fingerprint", entry->fingerprint);
    json_object_set_new(line, "parents", parents);
    json_object_set_new(line, "problems", problems_json(&entry->problems));
    json_t *json = (json_t *)rb_entry_json(entry); /* borrowed; not changed in the end */
    json_object_set_new(line, "entry", json ? json_incref(json) : json_null());
    rb_ui_json(job->cli, line);
}

static char *date_of(const rb_entry *entry)
{
    time_t when = (time_t)entry->at;
    struct tm tm;
    char text[64];
    if (entry->kind == RB_ENTRY_KINDS && entry->at == 0)
        return rb_strdup("-");
    if (!gmtime_r(&when, &tm) || strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm) == 0)
        return rb_strdup("-");
    return rb_strdup(text);
}

static char *signer_of(const rb_entry *entry)
{
    switch (entry->trust) {
    case RB_ENTRY_GOOD:
        return rb_strdup(entry->principal);
    case RB_ENTRY_UNSIGNED:
        return rb_format("UNSIGNED %s", entry->committer);
    case RB_ENTRY_UNKNOWN:
        return rb_format("UNKNOWN %s", entry->fingerprint ? entry->fingerprint : entry->committer);
    default:
        return rb_strdup(entry->trust == RB_ENTRY_BROKEN ? "BROKEN" : "FOREIGN");
    }
}

/* The title behind "KIND TAG", which have columns of their own. */
char *rb_log_words(const rb_entry *entry)
{
    const char *text = entry->title;
    if (entry->kind != RB_ENTRY_KINDS) {
        text += strlen(rb_entry_kind_name(entry->kind));
        text += strspn(text, " ");
        if (entry->tag && strncmp(text, entry->tag, strlen(entry->tag)) == 0)
            text += strlen(entry->tag);
        text += strspn(text, " ");
    }
    size_t len = strlen(text);
    RB_AUTO(rb_free_str) char *cut = rb_strndup(text, len < SHOWN ? len : SHOWN);
    return rb_format("%s%s%s",
                     entry->kind == RB_ENTRY_OVERRIDE ? "PAST THE RULES: "
                     : rb_log_unapproved(entry)       ? "UNAPPROVED: "
                     : rb_log_by_revoked_key(entry)   ? "REVOKED KEY: "
                                                      : "",
                     cut, len > SHOWN ? "..." : "");
}

static enum rb_color color_of(const rb_log *job, const rb_entry *entry)
{
    if (entry->kind == RB_ENTRY_OVERRIDE || rb_log_is_fault(job, entry))
        return RB_RED;
    return entry->trust == RB_ENTRY_UNSIGNED ? RB_YELLOW : RB_PLAIN;
}

static void print_table(const rb_log *job)
{
    static const char *const heads[] = {"ENTRY", "TIME", "KIND", "RELEASE", "ENV", "BY", "WHAT"};
    RB_AUTO(rb_strs_clear) rb_strs cells = {0};
    enum rb_color *colors = rb_calloc(job->n + 1, sizeof *colors);
    for (size_t i = 0; i < job->n; i++) {
        const rb_entry *entry = job->shown[i];
        char hex[RB_OID_HEX];
        rb_oid_hex(&entry->id, hex);
        rb_strs_take(&cells, rb_strndup(hex, RB_LOG_ID));
        rb_strs_take(&cells, date_of(entry));
        rb_strs_add(&cells, entry->kind == RB_ENTRY_OVERRIDE ? "OVERRIDE"
                            : entry->kind == RB_ENTRY_KINDS  ? "-"
                                                             : rb_entry_kind_name(entry->kind));
        rb_strs_add(&cells, entry->tag ? entry->tag : "-");
        rb_strs_add(&cells, entry->environment ? entry->environment : "-");
        rb_strs_take(&cells, signer_of(entry));
        rb_strs_take(&cells, rb_log_words(entry));
        colors[i] = color_of(job, entry);
    }
    rb_ui_rows(job->cli, heads, &cells, sizeof heads / sizeof *heads, colors);
    free(colors);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(job_clear) rb_log job = {.cli = cli, .options = o};
    RB_TRY(check_kinds(&o->kinds, err));
    RB_TRY(rb_session_signers(&cli->session, err));
    job.repo = cli->session.repo;
    const rb_signers *signers = cli->session.signers;
    RB_TRY(find_since(&job, err));
    unsigned how = RB_LEDGER_PARTIAL | (o->verify ? RB_LEDGER_FRESH : 0);
    RB_TRY(rb_ledger_load(&job.ledger, job.repo, signers, NULL, how, err));
    enum rb_code whole = check_whole(&job, err);
    if (whole == RB_ERROR && !o->verify) /* else it is what verifying found */
        return whole;
    rb_err cannot = *err;
    RB_TRY(rb_policy_load(&job.policy, &job.claims, job.ledger, err));
    rb_log_add_problems(&job, whole == RB_OK);
    if (job.ledger->n == 0)
        rb_ui_note(cli, "there is no ledger here yet; `rbtool sync --fetch` fetches the remote's");
    choose(&job);
    for (size_t i = 0; cli->json && i < job.n; i++)
        print_json(&job, job.shown[i]);
    cli->answered = cli->answered || cli->json;
    if (o->verify)
        return rb_log_verify(&job, err);
    if (!cli->json && job.n > 0)
        print_table(&job);
    *err = cannot;
    return whole;
}

RB_COMMAND(log, "", "show the ledger, newest entry first", RB_GROUP_AUDIT, 0, 0, RB_PAGES);
