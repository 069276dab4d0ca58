#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "git/remote.h"
#include "ledger/judge.h"
#include "ledger_write.h"
#include "log_compare.h"
#include "release/manifest.h"
#include "status.h"
#include "ui.h"

#define SHOWN 200   /* bytes of a title */
#define ID_SHOWN 10 /* digits of an entry's id */
#define NAMED 5     /* releases without an entry that the message names */

static const rb_opt opts[] = {
    RB_LIST("tag", 't', "TAG", "only about this release; * and ? stand for others", tags),
    RB_LIST("env", 'e', "NAME", "only about this environment", environments),
    RB_LIST("kind", 'k', "KIND",
            "only release, verdict, approval, policy, gap, transition, drill, override, restore, "
            "watch, note, review or merge",
            kinds),
    RB_TEXT("since", 0, "DATE", "only since then, as in `git log --since`", since),
    RB_NUMBER("max-count", 'n', "NUMBER", "the newest NUMBER only", count),
    RB_FLAG("tip", 0, "print the newest entry's id, time and number, to be published", tip),
    RB_FLAG("verify", 0, "judge every entry again and show those that are not in order", verify),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

struct job {
    rb_cli *cli;
    rb_repo *repo;
    const rb_options *options;
    rb_ledger *ledger;
    rb_policy *policy;
    rb_problems claims; /* what was wrong with policy entries that were not accepted */
    int64_t since;      /* of --since, in seconds */
    const rb_entry **shown;
    size_t n;
};

static void job_clear(struct job *job)
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

static bool matches_any(const rb_strs *patterns, const char *text)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (text &&
            (strcmp(patterns->items[i], text) == 0 || fnmatch(patterns->items[i], text, 0) == 0))
            return true;
    return patterns->n == 0;
}

static const rb_problem *find_problem(const rb_entry *entry, const char *code)
{
    for (size_t i = 0; i < entry->problems.n; i++)
        if (strcmp(entry->problems.items[i].code, code) == 0)
            return &entry->problems.items[i];
    return NULL;
}

static bool has_problem(const rb_entry *entry, const char *code)
{
    return find_problem(entry, code) != NULL;
}

/* Problems of entries that are well-formed and signed, with the words for them. */
static const struct fault {
    const char *code;
    const char *mark;
    const char *name;
} faults[] = {{"approvals", "UNAPPROVED: ", "unapproved"},
              {"rule", "RULE BROKEN: ", "rule broken"},
              {"revoked", "REVOKED KEY: ", "revoked"},
              {"dated", "", "clock"}, /* a warning */
              {NULL, "", NULL}};

/* Returns the first fault that the entry has, or the last item of the list. */
static const struct fault *fault_of(const rb_entry *entry)
{
    const struct fault *fault = faults;
    while (fault->code && !has_problem(entry, fault->code))
        fault++;
    return fault;
}

/* True if `log --verify` fails because of the entry. */
static bool is_fault(const struct job *job, const rb_entry *entry)
{
    if (*fault_of(entry)->mark)
        return true;
    if (entry->trust == RB_ENTRY_UNSIGNED)
        return rb_policy_wanted_signed(job->policy, entry);
    return entry->trust != RB_ENTRY_GOOD;
}

/* Returns the command that fetches damaged or missing objects again. */
static char *fetch_again(const struct job *job)
{
    RB_AUTO(rb_free_str) char *remote = NULL;
    bool found = rb_remote_find(&remote, job->repo, NULL, RB_IGNORED) == RB_OK;
    return rb_format("fetch what is damaged or missing again: `git fetch --refetch %s %s`",
                     found ? remote : "REMOTE", RB_LEDGER_REF);
}

/* Checks that every entry can be read. RB_ERROR if none can, RB_FOUND if some cannot. */
static enum rb_code check_whole(const struct job *job, rb_err *err)
{
    const rb_problem *first = NULL;
    size_t n = 0;
    for (size_t i = job->ledger->n; i > 0; i--) {
        const rb_problem *problem = find_problem(&job->ledger->items[i - 1], RB_ENTRY_UNREADABLE);
        first = first ? first : problem;
        n += problem != NULL;
    }
    if (n == 0)
        return RB_OK;
    if (n == job->ledger->n)
        return rb_fail(err, RB_ERROR, RB_LEDGER_REF " is not a ledger: %s", first->message);
    RB_AUTO(rb_free_str) char *next = fetch_again(job);
    return rb_fail(err, RB_FOUND,
                   "the ledger is not whole: %zu %s cannot be read, and what lies behind is not "
                   "shown: %s\n%s",
                   n, n == 1 ? "entry" : "entries", first->message, next);
}

static bool is_wanted(const struct job *job, const rb_entry *entry)
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
static void choose(struct job *job)
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
        json_array_append_new(
            array, rb_json_make("code:s message:t warning:b", p->code, p->message, p->warning));
    }
    return array;
}

static void print_json(const struct job *job, const rb_entry *entry)
{
    json_t *parents = json_array();
    for (size_t i = 0; i < entry->parent_count; i++)
        json_array_append_new(
            parents,
            rb_json_text(rb_ledger_write_id(&job->ledger->items[entry->parents[i]].id).hex));
    rb_ui_document(job->cli, rb_json_make("id:s title:t trust:s committer:t principal:t "
                                          "fingerprint:s parents:j problems:j entry:J",
                                          rb_ledger_write_id(&entry->id).hex, entry->title,
                                          rb_entry_trust_name(entry->trust), entry->committer,
                                          entry->principal, entry->fingerprint, parents,
                                          problems_json(&entry->problems), rb_entry_json(entry)));
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

/* Returns the entry's title without "KIND TAG", which have columns of their own. */
static char *words_of(const rb_entry *entry)
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
                     entry->kind == RB_ENTRY_OVERRIDE ? "PAST THE RULES: " : fault_of(entry)->mark,
                     cut, len > SHOWN ? "..." : "");
}

static enum rb_color color_of(const struct job *job, const rb_entry *entry)
{
    if (entry->kind == RB_ENTRY_OVERRIDE || is_fault(job, entry))
        return RB_RED;
    return entry->trust == RB_ENTRY_UNSIGNED ? RB_YELLOW : RB_PLAIN;
}

static void print_table(const struct job *job)
{
    static const rb_ui_column columns[] = {
        {"ENTRY", "{entry}"},   {"TIME", "{at:minute|-}"},  {"KIND", "{kind|-}"},
        {"RELEASE", "{tag|-}"}, {"ENV", "{environment|-}"}, {"BY", "{by}"},
        {"WHAT", "{what}"},
    };
    RB_AUTO(rb_json_freep) json_t *rows = json_array();
    enum rb_color *colors = rb_calloc(job->n + 1, sizeof *colors);
    for (size_t i = 0; i < job->n; i++) {
        const rb_entry *entry = job->shown[i];
        const bool known = entry->kind != RB_ENTRY_KINDS;
        rb_ledger_write_hex id = rb_ledger_write_id(&entry->id);
        id.hex[ID_SHOWN] = '\0';
        RB_AUTO(rb_free_str) char *at = known || entry->at ? rb_status_iso(entry->at) : NULL;
        RB_AUTO(rb_free_str) char *by = signer_of(entry);
        RB_AUTO(rb_free_str) char *what = words_of(entry);
        json_array_append_new(
            rows, rb_json_make("entry:s at:s kind:s tag:s environment:s by:s what:s", id.hex, at,
                               entry->kind == RB_ENTRY_OVERRIDE ? "OVERRIDE"
                               : known                          ? rb_entry_kind_name(entry->kind)
                                                                : NULL,
                               entry->tag, entry->environment, by, what));
        colors[i] = color_of(job, entry);
    }
    rb_ui_table(columns, sizeof columns / sizeof *columns, rows, colors);
    free(colors);
}

/* Returns a name for what is wrong with an entry. */
static const char *fault_name(const rb_entry *entry, const rb_problem *problem)
{
    const struct fault *fault = faults;
    while (fault->code && strcmp(fault->code, problem->code) != 0)
        fault++;
    return fault->code ? fault->name : rb_entry_trust_name(entry->trust);
}

static void print_problems(const struct job *job)
{
    for (size_t i = 0; i < job->n; i++) {
        const rb_entry *entry = job->shown[i];
        RB_AUTO(rb_free_str) char *title = words_of(entry);
        for (size_t j = 0; j < entry->problems.n; j++)
            rb_ui_line(
                "%s%.*s %s: %s</> (%s%s%s)", rb_ui_color(is_fault(job, entry) ? RB_RED : RB_YELLOW),
                ID_SHOWN, rb_ledger_write_id(&entry->id).hex,
                fault_name(entry, &entry->problems.items[j]), entry->problems.items[j].message,
                rb_entry_kind_name(entry->kind), *title ? ": " : "", title);
    }
}

struct counts {
    size_t trust[RB_ENTRY_FOREIGN + 1];
    size_t unreadable;
    size_t missing;
    size_t unapproved;
    size_t broken; /* transitions that broke another rule */
    size_t by_revoked_key;
    size_t refused; /* policies that are not in force */
    size_t lacking; /* entries that others know and the ledger does not have */
    size_t faults;
};

static struct counts count(const struct job *job)
{
    struct counts counts = {0};
    for (size_t i = 0; i < job->ledger->n; i++) {
        const rb_entry *entry = &job->ledger->items[i];
        counts.trust[entry->trust]++;
        counts.unreadable += has_problem(entry, RB_ENTRY_UNREADABLE);
        counts.missing += has_problem(entry, "missing");
        counts.unapproved += has_problem(entry, "approvals");
        counts.broken += has_problem(entry, "rule");
        counts.by_revoked_key += has_problem(entry, "revoked");
        counts.faults += has_problem(entry, "missing") || is_fault(job, entry);
    }
    for (size_t i = 0; i < job->claims.n; i++)
        counts.refused += !job->claims.items[i].warning;
    counts.faults += counts.refused;
    return counts;
}

/* Counts the tags here whose release has no entry, and names them if a ledger exists. */
static enum rb_code note_unrecorded(size_t *unrecorded, const struct job *job, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs tags = {0};
    RB_AUTO(rb_json_freep) json_t *recorded = json_object();
    for (size_t i = 0; i < job->ledger->n; i++) {
        const rb_entry *entry = &job->ledger->items[i];
        if (entry->kind == RB_ENTRY_RELEASE && entry->trust <= RB_ENTRY_UNSIGNED && entry->object)
            rb_json_set_str(recorded, entry->object, NULL);
    }
    RB_TRY(rb_tag_names(&tags, job->repo, "*", err));
    for (size_t i = 0; i < tags.n; i++) {
        RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
        if (rb_tag_read(&tag, job->repo, tags.items[i], RB_IGNORED) != RB_OK ||
            !rb_manifest_is_in(tag))
            continue;
        if (!json_object_get(recorded, rb_ledger_write_id(&tag->object).hex) &&
            ++*unrecorded <= NAMED && job->ledger->n > 0)
            rb_ui_note(job->cli,
                       "the ledger has no entry about release %s; rbtool release %s --record "
                       "writes it",
                       tag->name, tag->name);
    }
    if (*unrecorded > NAMED && job->ledger->n > 0)
        rb_ui_note(job->cli, "nor about %zu other releases", *unrecorded - NAMED);
    return RB_OK;
}

/* Returns "6 entries: 5 good, 1 unsigned; 1 transition lacked approvals". */
static char *summary_of(const struct job *job, const struct counts *counts)
{
    rb_buf out = {0};
    RB_AUTO(rb_free_str) char *all = rb_text_count(job->ledger->n);
    rb_buf_printf(&out, "%s %s", all, job->ledger->n == 1 ? "entry" : "entries");
    for (size_t i = 0; i <= RB_ENTRY_FOREIGN; i++) {
        RB_AUTO(rb_free_str) char *n = rb_text_count(counts->trust[i]);
        if (counts->trust[i] > 0)
            rb_buf_printf(&out, "%s%s %s", strchr(out.data, ':') ? ", " : ": ", n,
                          rb_entry_trust_name((enum rb_entry_trust)i));
    }
    if (counts->refused > 0)
        rb_buf_printf(&out, "; %zu of them claim%s to be policy and %s not in force",
                      counts->refused, counts->refused == 1 ? "s" : "",
                      counts->refused == 1 ? "is" : "are");
    size_t unjudged = job->claims.n - counts->refused;
    if (unjudged > 0)
        rb_buf_printf(&out,
                      "; %zu of them set%s a policy, which is not judged here: git config "
                      "rbtool.root is not set",
                      unjudged, unjudged == 1 ? "s" : "");
    if (counts->unapproved > 0)
        rb_buf_printf(&out, "; %zu transition%s lacked approvals", counts->unapproved,
                      rb_text_s(counts->unapproved));
    if (counts->broken > 0)
        rb_buf_printf(&out, "; %zu transition%s broke another rule of the policy", counts->broken,
                      rb_text_s(counts->broken));
    if (counts->by_revoked_key > 0)
        rb_buf_printf(&out, "; %zu signed with a revoked key", counts->by_revoked_key);
    if (counts->missing > 0)
        rb_buf_printf(&out, "; attachments of %zu missing", counts->missing);
    if (counts->lacking > 0)
        rb_buf_puts(&out, "; entries that were here are lacking");
    return rb_buf_detach(&out);
}

/* Returns a hint about the worst fault. */
static char *next_step(const struct job *job, const struct counts *counts)
{
    if (counts->unreadable + counts->missing > 0)
        return fetch_again(job);
    if (counts->lacking > 0)
        return rb_strdup("fetch them with `rbtool sync --fetch`; if the remote lacks them, too, "
                         "they were cut off, and a clone that has them can send them");
    if (counts->trust[RB_ENTRY_UNKNOWN] + counts->trust[RB_ENTRY_BROKEN] +
            counts->trust[RB_ENTRY_FOREIGN] >
        0)
        return rb_strdup("entries that are not good count for nothing and stay; ask who pushed "
                         "them, and let the server refuse more: `rbtool init` there");
    return rb_strdup("`rbtool policy show` shows the rules that the entries named above pass over");
}

/* Prints what is wrong with the entries that are shown, and a summary of all entries. RB_FOUND if
 * an entry has a fault, or if releases exist without a ledger. */
static enum rb_code verify(const struct job *job, rb_err *err)
{
    struct counts counts = count(job);
    size_t unrecorded = 0;
    if (!job->cli->json) {
        print_problems(job);
        for (size_t i = 0; i < job->claims.n; i++)
            rb_ui_line("%s", job->claims.items[i].message);
    }
    counts.lacking = rb_log_compare(job->cli, job->ledger);
    counts.faults += counts.lacking;
    RB_TRY(note_unrecorded(&unrecorded, job, err));
    RB_AUTO(rb_free_str) char *summary = summary_of(job, &counts);
    if (!job->cli->json)
        rb_ui_line("%s", summary);
    if (job->ledger->n == 0 && unrecorded > 0)
        return rb_fail(err, RB_FOUND,
                       "%zu release%s here and no ledger, so that nothing about them can be "
                       "verified\nfetch the ledger with `rbtool sync --fetch`",
                       unrecorded, unrecorded == 1 ? " is" : "s are");
    if (counts.faults == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *next = next_step(job, &counts);
    return rb_fail(err, RB_FOUND, "the ledger is not in order: %s\n%s", summary, next);
}

/* Prints the ledger's tip and its number of entries. Compared later, they prove that no entry was
 * removed. */
static enum rb_code print_tip(const struct job *job, rb_err *err)
{
    const rb_ledger *ledger = job->ledger;
    if (ledger->n == 0)
        return rb_fail(err, RB_ERROR,
                       "this clone has no ledger\n`rbtool sync --fetch` fetches the remote's");
    const rb_entry *tip = rb_ledger_find(ledger, &ledger->tip);
    RB_AUTO(rb_free_str) char *at = rb_status_iso(tip ? tip->at : 0);
    RB_AUTO(rb_json_freep)
    json_t *document = rb_json_make("app:s ref:s tip:s at:s entries:n by:t trust:s", ledger->app,
                                    RB_LEDGER_REF, rb_ledger_write_id(&ledger->tip).hex, at,
                                    ledger->n, tip ? tip->principal : NULL,
                                    rb_entry_trust_name(tip ? tip->trust : RB_ENTRY_BROKEN));
    if (job->cli->json)
        rb_ui_json(job->cli, document);
    else
        rb_ui_item("{tip} {at} {entries}", document);
    return RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(job_clear) struct job job = {.cli = cli, .options = o};
    RB_TRY(check_kinds(&o->kinds, err));
    RB_TRY(rb_session_signers(&cli->session, err));
    job.repo = cli->session.repo;
    const rb_signers *signers = cli->session.signers;
    RB_TRY(rb_repo_since(&job.since, job.repo, o->since, err));
    unsigned how = RB_LEDGER_PARTIAL | (o->verify ? RB_LEDGER_FRESH : 0);
    RB_TRY(rb_ledger_load(&job.ledger, job.repo, signers, NULL, how, err));
    enum rb_code whole = check_whole(&job, err);
    if (whole == RB_ERROR && !o->verify) /* --verify reports it below */
        return whole;
    if (o->tip)
        return whole == RB_OK ? print_tip(&job, err) : whole;
    rb_err cannot = *err;
    RB_TRY(rb_policy_load(&job.policy, &job.claims, job.ledger, err));
    /* Approvals may be among entries that cannot be read. */
    rb_judge_mark(job.ledger, job.policy, whole == RB_OK);
    if (job.ledger->n == 0)
        rb_ui_note(cli, "there is no ledger here yet; `rbtool sync --fetch` fetches the remote's");
    choose(&job);
    for (size_t i = 0; cli->json && i < job.n; i++)
        print_json(&job, job.shown[i]);
    cli->answered = cli->answered || cli->json;
    if (o->verify)
        return verify(&job, err);
    if (!cli->json && job.n > 0)
        print_table(&job);
    *err = cannot;
    return whole;
}

RB_COMMAND(log, "", "show the ledger, newest entry first", RB_GROUP_AUDIT, 0, 0, RB_PAGES);
