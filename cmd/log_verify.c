/* `log --verify`: what is wrong with entries, one by one and in all. */
#include <string.h>

#include "base/text.h"
#include "ledger/unapproved.h"
#include "log.h"
#include "release/manifest.h"
#include "ui.h"

#define NAMED 5 /* releases that the ledger lacks */

const rb_problem *rb_log_problem(const rb_entry *entry, const char *code)
{
    for (size_t i = 0; i < entry->problems.n; i++)
        if (strcmp(entry->problems.items[i].code, code) == 0)
            return &entry->problems.items[i];
    return NULL;
}

static bool has_problem(const rb_entry *entry, const char *code)
{
    return rb_log_problem(entry, code) != NULL;
}

/* The attachment is not in this clone. */
static bool is_missing(const rb_entry *entry)
{
    return has_problem(entry, "missing");
}

bool rb_log_unapproved(const rb_entry *entry)
{
    return has_problem(entry, "approvals");
}

bool rb_log_by_revoked_key(const rb_entry *entry)
{
    return has_problem(entry, "revoked");
}

/* Adds a problem to good entries whose key the policy had revoked before: they count for nothing.
 * Policies are judged when they are loaded. A merge states nothing: it is what `sync` writes when a
 * clone with that key receives the policy. */
static void judge_keys(rb_log *job)
{
    for (size_t i = 0; i < job->ledger->n; i++) {
        rb_entry *entry = &job->ledger->items[i];
        if (entry->trust != RB_ENTRY_GOOD || entry->kind == RB_ENTRY_POLICY ||
            entry->kind == RB_ENTRY_MERGE || !rb_policy_revoked_key(job->policy, entry))
            continue;
        rb_problems_add(&entry->problems, "revoked", "", "a key that is not revoked",
                        entry->fingerprint,
                        "signed by %s with key %s, which the policy had revoked before, so that it "
                        "does not count",
                        entry->principal, entry->fingerprint);
    }
}

/* Names transitions that lacked approvals among the problems of their entries. */
static void judge_transitions(rb_log *job)
{
    rb_unapproved *items;
    size_t n;
    rb_unapproved_find(&items, &n, job->policy);
    for (size_t i = 0; i < n; i++) {
        const rb_unapproved *found = &items[i];
        rb_entry *entry = &job->ledger->items[found->entry - job->ledger->items];
        RB_AUTO(rb_free_str) char *needed = rb_format("%d", found->needed);
        RB_AUTO(rb_free_str) char *given = rb_format("%d", found->given);
        rb_problems_add(&entry->problems, "approvals", "", needed, given,
                        "%s%s had %s of the %s approval%s that the policy asked for then in %s%s, "
                        "and no override excuses it",
                        found->scripts ? "--scripts-from: " : "", found->tag, given, needed,
                        rb_text_s((size_t)found->needed), entry->environment,
                        strcmp(found->kind, "revert") == 0 ? " for a revert to it" : "");
    }
    free(items);
}

/* A reason for `log --verify` to end with 1. */
bool rb_log_is_fault(const rb_log *job, const rb_entry *entry)
{
    if (rb_log_unapproved(entry) || rb_log_by_revoked_key(entry))
        return true;
    if (entry->trust == RB_ENTRY_UNSIGNED)
        return rb_policy_wanted_signed(job->policy, entry);
    return entry->trust != RB_ENTRY_GOOD;
}

void rb_log_add_problems(rb_log *job, bool whole)
{
    if (whole) /* else approvals may be among what cannot be read */
        judge_transitions(job);
    judge_keys(job);
}

/* What is wrong with an entry, in a word. */
static const char *fault_name(const rb_entry *entry, const rb_problem *problem)
{
    if (strcmp(problem->code, "approvals") == 0)
        return "unapproved";
    return strcmp(problem->code, "revoked") == 0 ? "revoked" : rb_entry_trust_name(entry->trust);
}

static void print_problems(const rb_log *job)
{
    for (size_t i = 0; i < job->n; i++) {
        const rb_entry *entry = job->shown[i];
        char hex[RB_OID_HEX];
        rb_oid_hex(&entry->id, hex);
        RB_AUTO(rb_free_str) char *words = rb_log_words(entry);
        RB_AUTO(rb_free_str) char *title = rb_safe(words);
        bool bad = rb_log_is_fault(job, entry);
        for (size_t j = 0; j < entry->problems.n; j++) {
            RB_AUTO(rb_free_str) char *why = rb_safe(entry->problems.items[j].message);
            rb_ui_line("%s%.*s %s: %s%s (%s%s%s)", rb_ui_color(job->cli, bad ? RB_RED : RB_YELLOW),
                       RB_LOG_ID, hex, fault_name(entry, &entry->problems.items[j]), why,
                       rb_ui_color(job->cli, RB_PLAIN), rb_entry_kind_name(entry->kind),
                       *title ? ": " : "", title);
        }
    }
}

struct counts {
    size_t trust[RB_ENTRY_FOREIGN + 1];
    size_t missing;
    size_t unapproved;
    size_t by_revoked_key;
    size_t refused; /* policies that are not in force */
    size_t faults;
};

static struct counts count(const rb_log *job)
{
    struct counts counts = {0};
    for (size_t i = 0; i < job->ledger->n; i++) {
        const rb_entry *entry = &job->ledger->items[i];
        counts.trust[entry->trust]++;
        counts.missing += is_missing(entry);
        counts.unapproved += rb_log_unapproved(entry);
        counts.by_revoked_key += rb_log_by_revoked_key(entry);
        counts.faults += is_missing(entry) || rb_log_is_fault(job, entry);
    }
    for (size_t i = 0; i < job->claims.n; i++)
        counts.refused += !job->claims.items[i].warning;
    counts.faults += counts.refused;
    return counts;
}

/* Counts the releases that are tags here and have no entry, and names them if there is a ledger. */
static enum rb_code note_unrecorded(size_t *unrecorded, const rb_log *job, rb_err *err)
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
        rb_err unreadable;
        char hex[RB_OID_HEX];
        RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
        if (rb_tag_read(&tag, job->repo, tags.items[i], &unreadable) != RB_OK ||
            !rb_manifest_is_in(tag))
            continue;
        rb_oid_hex(&tag->object, hex);
        if (!json_object_get(recorded, hex) && ++*unrecorded <= NAMED && job->ledger->n > 0)
            rb_ui_note(job->cli,
                       "the ledger has no entry about release %s; rbtool release %s --record "
                       "writes it",
                       tag->name, tag->name);
    }
    if (*unrecorded > NAMED && job->ledger->n > 0)
        rb_ui_note(job->cli, "nor about %zu other releases", *unrecorded - NAMED);
    return RB_OK;
}

/* "6 entries: 5 good, 1 unsigned; 1 transition lacked approvals" */
static char *summary_of(const rb_log *job, const struct counts *counts)
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
    if (counts->by_revoked_key > 0)
        rb_buf_printf(&out, "; %zu signed with a revoked key", counts->by_revoked_key);
    if (counts->missing > 0)
        rb_buf_printf(&out, "; attachments of %zu missing", counts->missing);
    return rb_buf_detach(&out);
}

enum rb_code rb_log_verify(const rb_log *job, rb_err *err)
{
    const struct counts counts = count(job);
    size_t unrecorded = 0;
    if (!job->cli->json) {
        print_problems(job);
        for (size_t i = 0; i < job->claims.n; i++) {
            RB_AUTO(rb_free_str) char *why = rb_safe(job->claims.items[i].message);
            rb_ui_line("%s", why);
        }
    }
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
    return rb_fail(err, RB_FOUND, "the ledger is not in order: %s", summary);
}
