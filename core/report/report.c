#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/judge.h"
#include "ledger/release_entry.h"
#include "ledger/sync.h"
#include "report/controls.h"
#include "report/figures.h"
#include "transition/known_good.h"

/* For each kind of entry, the document's list for it. */
static const char *const lists[RB_ENTRY_KINDS] = {
    [RB_ENTRY_VERDICT] = "verdicts",       [RB_ENTRY_APPROVAL] = "approvals",
    [RB_ENTRY_POLICY] = "policies",        [RB_ENTRY_GAP] = "gaps",
    [RB_ENTRY_TRANSITION] = "transitions", [RB_ENTRY_DRILL] = "drills",
    [RB_ENTRY_OVERRIDE] = "overrides",     [RB_ENTRY_RESTORE] = "restores",
    [RB_ENTRY_WATCH] = "watches",          [RB_ENTRY_NOTE] = "notes",
    [RB_ENTRY_REVIEW] = "reviews",
};

typedef struct job {
    const rb_report_request *rq;
    const rb_ledger *ledger;
    const rb_policy *policy;
    json_t *document;
    json_t *unapproved; /* {entry id: {"needed","given"}} */
    json_t *broken;     /* {entry id: [rules that the transition broke]} */
    json_t *notes;      /* {entry id: [notes about it]} */
    json_t *commits;    /* {tag object: commit} */
    json_t *recorded;   /* {tag object: id of its release entry} */
    json_t *runbooks;   /* {tag object: id of the entry with its runbook} */
    json_t *touched;    /* tag objects of the transitions that are listed */
    json_t *times;      /* {tag object: time of its commit} */
} job;

static void job_clear(job *j)
{
    rb_json_free(j->unapproved);
    rb_json_free(j->broken);
    rb_json_free(j->notes);
    rb_json_free(j->commits);
    rb_json_free(j->recorded);
    rb_json_free(j->runbooks);
    rb_json_free(j->touched);
    rb_json_free(j->times);
}

/* Returns the text with each line made safe for a terminal. */
static json_t *safe_text(const char *text)
{
    RB_AUTO(rb_buf_clear) rb_buf safe = {0};
    rb_buf_add_safe_lines(&safe, text, strlen(text));
    return json_string(rb_buf_str(&safe));
}

/* True for ASCII text that rb_safe() would not change. */
static bool is_printable(const char *text)
{
    while (*text >= ' ' && *text < '\x7f' && *text != '\\')
        text++;
    return *text == '\0';
}

static bool is_safe(const json_t *value)
{
    if (json_is_string(value))
        return is_printable(json_string_value(value));
    rb_json_each (item, value)
        if (!is_safe(item))
            return false;
    rb_json_each_member (key, member, value)
        if (!is_safe(member))
            return false;
    return true;
}

/* Returns the value with safe texts: itself if they are safe, or a copy. */
static json_t *safe_copy(const json_t *value)
{
    if (is_safe(value))
        return json_incref((json_t *)value);
    if (json_is_string(value))
        return safe_text(json_string_value(value));
    if (json_is_array(value)) {
        json_t *out = json_array();
        rb_json_each (item, value)
            json_array_append_new(out, safe_copy(item));
        return out;
    }
    json_t *out = json_object();
    rb_json_each_member (key, member, value)
        json_object_set_new(out, key, safe_copy(member));
    return out;
}

typedef struct hex {
    char text[RB_OID_HEX];
} hex;

static hex id_of(const rb_entry *entry)
{
    hex out = {{0}};
    rb_oid_hex(&entry->id, out.text);
    return out;
}

/* Returns why an entry does not count, or NULL. */
static const char *fault_of(const job *j, const rb_entry *entry)
{
    if (entry->trust == RB_ENTRY_GOOD)
        return entry->kind != RB_ENTRY_POLICY && entry->kind != RB_ENTRY_MERGE &&
                       rb_policy_revoked_key(j->policy, entry)
                   ? "signed with a key that the policy had revoked"
                   : NULL;
    if (entry->trust == RB_ENTRY_UNSIGNED)
        return rb_ledger_fault(entry) ? rb_ledger_fault(entry)
               : rb_policy_wanted_signed(j->policy, entry)
                   ? "it is not signed, and the policy wants it to be"
                   : NULL;
    return entry->problems.n > 0 ? entry->problems.items[0].message
                                 : rb_entry_trust_name(entry->trust);
}

static bool is_about(const rb_entry *entry, const char *tag)
{
    const json_t *detail = entry->kind == RB_ENTRY_TRANSITION || entry->kind == RB_ENTRY_DRILL
                               ? rb_entry_detail(entry)
                               : NULL;
    return rb_text_same(entry->tag, tag) || rb_text_same(rb_json_str(detail, "from"), tag) ||
           rb_text_same(rb_json_str(detail, "to"), tag);
}

static bool is_wanted(const job *j, const rb_entry *entry)
{
    const rb_report_request *rq = j->rq;
    if (entry->at < rq->since)
        return false;
    if (rq->environment && entry->environment && !rb_text_same(entry->environment, rq->environment))
        return false;
    return !rq->tag || is_about(entry, rq->tag);
}

static json_t *list(const job *j, const char *name)
{
    return json_object_get(j->document, name);
}

/* Returns the members that entries of all kinds have. */
static json_t *head_of(const rb_entry *entry)
{
    RB_AUTO(rb_free_str) char *at = rb_text_iso(entry->at);
    return rb_json_make("entry:s at:s tag:t object:s environment:t by:t trust:s", id_of(entry).text,
                        at, entry->tag, entry->object, entry->environment,
                        entry->principal ? entry->principal : entry->committer,
                        rb_entry_trust_name(entry->trust));
}

/* Formats the times of a transition, and adds what other entries say about it. */
static void finish_transition(const job *j, json_t *item, const rb_entry *entry)
{
    const json_t *detail = rb_entry_detail(entry);
    const int64_t started = rb_json_int(detail, "started", 0);
    const int64_t finished = rb_json_int(detail, "finished", 0);
    RB_AUTO(rb_free_str) char *from = rb_text_iso(started);
    RB_AUTO(rb_free_str) char *until = rb_text_iso(finished);
    RB_AUTO(rb_free_str) char *part = rb_entry_part(entry);
    rb_json_set(item, "started:s finished:s seconds:i part:s unapproved:J broken:J notes:J", from,
                until, finished > started ? finished - started : (int64_t)0, part,
                json_object_get(j->unapproved, id_of(entry).text),
                json_object_get(j->broken, id_of(entry).text),
                json_object_get(j->notes, id_of(entry).text));
}

/* Converts values of checks back to numbers. Entries have them as texts. */
static void add_numbers(json_t *item)
{
    static const char *const keys[] = {"before", "after", "first", "last", "min", "max", "value"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = rb_json_str(item, keys[i]);
        if (text)
            json_object_set_new(item, keys[i],
                                text[strspn(text, "-0123456789")]
                                    ? json_real(strtod(text, NULL))
                                    : json_integer(strtoll(text, NULL, 10)));
    }
    rb_json_each (point, json_object_get(item, "points"))
        add_numbers(point);
}

static void finish_watch(json_t *item, const json_t *detail)
{
    RB_AUTO(rb_free_str) char *began = rb_text_iso(rb_json_int(detail, "began", 0));
    RB_AUTO(rb_free_str) char *deadline = rb_text_iso(rb_json_int(detail, "deadline", 0));
    rb_json_set(item, "began:s deadline:s", began, deadline);
}

/* Adds the entry to the list of its kind. */
static void add_entry(const job *j, const rb_entry *entry)
{
    json_t *item = head_of(entry);
    rb_json_each_member (key, value, rb_entry_detail(entry))
        if (!json_object_get(item, key))
            json_object_set_new(item, key, safe_copy(value));
    if (json_object_get(item, "values")) { /* a copy, since the ledger's entry must not change */
        json_t *values = json_deep_copy(json_object_get(item, "values"));
        rb_json_each (value_of, values)
            add_numbers(value_of);
        json_object_set_new(item, "values", values);
    }
    if (entry->kind == RB_ENTRY_WATCH)
        finish_watch(item, rb_entry_detail(entry));
    if (entry->kind == RB_ENTRY_TRANSITION || entry->kind == RB_ENTRY_DRILL)
        finish_transition(j, item, entry);
    if (entry->kind == RB_ENTRY_REVIEW) {
        RB_AUTO(rb_free_str)
        char *due = rb_text_iso(rb_json_int(rb_entry_detail(entry), "due", 0));
        rb_json_set(item, "due:s overdue:b", due,
                    rb_json_int(rb_entry_detail(entry), "due", 0) < j->rq->now);
    }
    if (entry->kind == RB_ENTRY_POLICY)
        json_object_del(item, "policy");
    json_array_append_new(list(j, lists[entry->kind]), item);
}

static void ignore(const job *j, const rb_entry *entry, const char *why)
{
    json_t *item = head_of(entry);
    rb_json_set(item, "kind:s why:t", rb_entry_kind_name(entry->kind), why);
    json_array_append_new(list(j, "ignored"), item);
}

static void index_transition(const job *j, const rb_entry *entry)
{
    static const char *const keys[] = {"fromObject", "toObject"};
    for (size_t i = 0; i < 2; i++) {
        const char *object = rb_json_str(rb_entry_detail(entry), keys[i]);
        if (object)
            json_object_set_new(j->touched, object, json_true());
    }
}

static void index_note(const job *j, const rb_entry *entry)
{
    const char *about = rb_json_str(rb_entry_detail(entry), "about");
    if (!about)
        return;
    if (!json_object_get(j->notes, about))
        json_object_set_new(j->notes, about, json_array());
    json_t *note = head_of(entry);
    json_object_set_new(note, "text", safe_text(rb_json_str(rb_entry_detail(entry), "text")));
    json_array_append_new(json_object_get(j->notes, about), note);
}

static void index_release(const job *j, const rb_entry *entry)
{
    rb_json_set_str(j->commits, entry->object, rb_json_str(rb_entry_detail(entry), "commit"));
    if (!json_object_get(j->recorded, entry->object))
        rb_json_set_str(j->recorded, entry->object, id_of(entry).text);
    if (rb_entry_has_runbook(entry))
        rb_json_set_str(j->runbooks, entry->object, id_of(entry).text);
}

static void index_broken(const job *j)
{
    RB_AUTO(rb_judgement_clear) rb_judgement found;
    rb_judge_transitions(&found, j->policy, true);
    for (size_t i = 0; i < found.n; i++) {
        const rb_judged *item = &found.items[i];
        const hex id = id_of(item->entry);
        if (strcmp(item->rule, "approvals") == 0) {
            json_object_set_new(j->unapproved, id.text,
                                rb_json_make("needed:i given:i", item->needed, item->found));
            continue;
        }
        if (!json_object_get(j->broken, id.text))
            json_object_set_new(j->broken, id.text, json_array());
        RB_AUTO(rb_free_str) char *needed = rb_judged_needed(item);
        RB_AUTO(rb_free_str) char *had = rb_judged_found(item);
        json_array_append_new(json_object_get(j->broken, id.text),
                              rb_json_make("rule:s needed:s found:s", item->rule, needed, had));
    }
}

/* Indexes what entries say about others: broken rules, notes, and records of releases. */
static void index_entries(job *j)
{
    index_broken(j);
    for (size_t i = 0; i < j->ledger->n; i++) {
        const rb_entry *entry = &j->ledger->items[i];
        if (fault_of(j, entry))
            continue;
        if (entry->kind == RB_ENTRY_RELEASE && entry->object)
            index_release(j, entry);
        else if (entry->kind == RB_ENTRY_NOTE)
            index_note(j, entry);
        else if (entry->kind == RB_ENTRY_TRANSITION && is_wanted(j, entry))
            index_transition(j, entry);
    }
}

/* Adds the entries, newest first. */
static void add_entries(const job *j)
{
    for (size_t i = j->ledger->n; i > 0; i--) {
        const rb_entry *entry = &j->ledger->items[i - 1];
        const char *why = fault_of(j, entry);
        if (entry->kind == RB_ENTRY_KINDS || !is_wanted(j, entry)) {
            if (why && entry->kind == RB_ENTRY_KINDS)
                ignore(j, entry, why);
            continue;
        }
        if (why)
            ignore(j, entry, why);
        else if (lists[entry->kind])
            add_entry(j, entry);
        rb_entry_forget(entry); /* frees the entry's text, which the document does not need */
    }
}

static json_t *release_json(const job *j, const rb_chain_item *item)
{
    const rb_listed_release *listed = item->listed;
    rb_verdict_summary verdict = {0};
    char commit[RB_OID_HEX] = "";
    if (listed)
        rb_known_verdict(&verdict, j->rq->session, j->rq->journals, item->tag, item->object);
    if (item->has_commit)
        rb_oid_hex(&item->commit, commit);
    RB_AUTO(rb_free_str) char *at = listed ? rb_text_iso(listed->time) : NULL;
    const char *problem = NULL;
    for (size_t i = 0; i < item->problems.n && !problem; i++)
        problem = item->problems.items[i].warning ? NULL : item->problems.items[i].message;
    json_t *out = rb_json_make(
        "tag:t object:s commit:s version:t at:s signer:t class:t verdict:s "
        "reason:t ok:b problem:t previous:t entry:J runbook:J",
        item->tag, *item->object ? item->object : NULL, *commit ? commit : NULL,
        listed ? listed->version : NULL, at, listed ? listed->signer : NULL,
        listed ? listed->class_ : NULL, rb_verdict_name(verdict.verdict), verdict.why,
        listed && !problem, problem, listed && listed->previous ? listed->previous->tag : NULL,
        json_object_get(j->recorded, item->object), json_object_get(j->runbooks, item->object));
    rb_verdict_summary_clear(&verdict);
    return out;
}

static bool release_is_wanted(const job *j, const rb_chain_item *item)
{
    if (j->rq->tag)
        return rb_text_same(item->tag, j->rq->tag);
    return (item->listed ? item->listed->time : 0) >= j->rq->since ||
           json_object_get(j->touched, item->object);
}

static enum rb_code add_releases(const job *j, rb_err *err)
{
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    RB_TRY(rb_history_load(&chain, j->policy, NULL, err));
    for (size_t i = 0; i < chain->n; i++)
        if (release_is_wanted(j, &chain->items[i]))
            json_array_append_new(list(j, "releases"), release_json(j, &chain->items[i]));
    if (j->rq->tag && json_array_size(list(j, "releases")) == 0)
        return rb_fail(err, RB_ERROR, "%s is not a release here\n`rbtool list` shows the releases",
                       j->rq->tag);
    return RB_OK;
}

/* Returns when the commit of a tag object was made. */
static int64_t committed(void *context, const char *object)
{
    job *j = context;
    rb_oid oid;
    int64_t at = -1;
    const json_t *known = json_object_get(j->times, object);
    const char *commit = rb_json_str(j->commits, object);
    if (known)
        return json_integer_value(known);
    if (!commit || !rb_oid_parse(&oid, commit) ||
        rb_commit_time(&at, j->rq->session->repo, &oid, RB_IGNORED) != RB_OK)
        at = -1;
    json_object_set_new(j->times, object, json_integer(at));
    return at;
}

static int by_end(const void *a, const void *b)
{
    const rb_move *x = a, *y = b;
    if (x->finished != y->finished)
        return x->finished < y->finished ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry; /* in the order of the ledger */
}

/* Finds the transitions of an environment. */
static void find_moves(rb_moves *out, const job *j, const char *environment)
{
    *out = (rb_moves){.items = rb_calloc(j->ledger->n + 1, sizeof *out->items)};
    for (size_t i = 0; i < j->ledger->n; i++) {
        const rb_entry *entry = &j->ledger->items[i];
        if (entry->kind != RB_ENTRY_TRANSITION || fault_of(j, entry) ||
            !rb_text_same(entry->environment, environment))
            continue;
        const json_t *d = rb_entry_detail(entry);
        out->items[out->n++] = (rb_move){.entry = entry,
                                         .kind = rb_json_str(d, "kind"),
                                         .outcome = rb_json_str(d, "outcome"),
                                         .from_object = rb_json_str(d, "fromObject"),
                                         .to_object = rb_json_str(d, "toObject"),
                                         .started = rb_json_int(d, "started", 0),
                                         .finished = rb_json_int(d, "finished", 0)};
    }
    qsort(out->items, out->n, sizeof *out->items, by_end);
}

static void add_figures(job *j)
{
    RB_AUTO(rb_strs_clear) rb_strs environments = {0};
    const rb_report_request *rq = j->rq;
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    for (size_t i = 0; i < j->ledger->n; i++) {
        const rb_entry *entry = &j->ledger->items[i];
        if (entry->kind != RB_ENTRY_TRANSITION || !entry->environment ||
            json_object_get(seen, entry->environment) ||
            (rq->environment && !rb_text_same(entry->environment, rq->environment)))
            continue;
        json_object_set_new(seen, entry->environment, json_true());
        rb_strs_add(&environments, entry->environment);
    }
    rb_strs_sort(&environments);
    for (size_t i = 0; i < environments.n; i++) {
        rb_moves moves;
        const char *name = environments.items[i];
        const rb_figures_request request = {
            .since = rq->since,
            .now = rq->now,
            .rto = rb_json_int(json_object_get(rq->objectives, name), "rto", -1),
            .committed = committed,
            .context = j};
        find_moves(&moves, j, name);
        if (moves.n > 0)
            json_array_append_new(list(j, "figures"), rb_figures(&moves, name, &request));
        free(moves.items);
    }
}

static json_t *ledger_json(const rb_ledger *ledger)
{
    size_t trust[RB_ENTRY_FOREIGN + 1] = {0};
    char tip[RB_OID_HEX] = "";
    if (ledger->n > 0)
        rb_oid_hex(&ledger->tip, tip);
    for (size_t i = 0; i < ledger->n; i++)
        trust[ledger->items[i].trust]++;
    return rb_json_make("ref:s tip:s entries:n good:n unsigned:n unknown:n broken:n foreign:n",
                        RB_LEDGER_REF, ledger->n > 0 ? tip : NULL, ledger->n, trust[0], trust[1],
                        trust[2], trust[3], trust[4]);
}

enum rb_code rb_report_make(json_t **out, const rb_report_request *rq, rb_err *err)
{
    RB_AUTO(rb_free_str) char *at = rb_text_iso(rq->now);
    RB_AUTO(rb_free_str) char *since = rb_text_iso(rq->since);
    RB_AUTO(rb_json_freep)
    json_t *document = rb_json_make(
        "app:t at:s environment:t release:t since:s ledger:j releases:j figures:j ignored:j",
        rq->session->ledger->app, at, rq->environment, rq->tag, since,
        ledger_json(rq->session->ledger), json_array(), json_array(), json_array());
    RB_AUTO(job_clear)
    job j = {.rq = rq,
             .ledger = rq->session->ledger,
             .policy = rq->session->policy,
             .document = document,
             .unapproved = json_object(),
             .broken = json_object(),
             .notes = json_object(),
             .commits = json_object(),
             .recorded = json_object(),
             .runbooks = json_object(),
             .touched = json_object(),
             .times = json_object()};
    for (size_t i = 0; i < RB_ENTRY_KINDS; i++)
        if (lists[i])
            json_object_set_new(document, lists[i], json_array());
    index_entries(&j);
    if (rq->releases)
        RB_TRY(add_releases(&j, err));
    add_figures(&j);
    add_entries(&j);
    rb_report_controls(document, rb_policy_entry(j.policy) != NULL);
    *out = RB_TAKE(document);
    return RB_OK;
}
