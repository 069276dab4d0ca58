#include "transition/known_good.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MAX_SHOWN 5 /* candidates that an error lists */

static const bool all_parts[RB_PARTS] = {true, true, true, true};

void rb_verdict_summary_clear(rb_verdict_summary *summary)
{
    free(summary->why);
    *summary = (rb_verdict_summary){0};
}

void rb_known_good_clear(rb_known_good *good)
{
    rb_release_free(good->release);
    free(good->rule);
    rb_strs_clear(&good->candidates);
    rb_strs_clear(&good->bad);
    free(good->newest_bad);
    *good = (rb_known_good){0};
}

bool rb_known_reached(const rb_transition_row *row)
{
    return rb_outcome_reached(row->outcome);
}

/* Returns the verdict on a release that follows from a row. A partial deploy gives none. */
static enum rb_verdict said_by(const rb_transition_row *row, const char *tag, bool whole)
{
    if (json_is_true(json_object_get(row->plan, "marksBad")) && rb_text_same(row->from, tag) &&
        rb_known_reached(row))
        return RB_VERDICT_BAD;
    if (rb_text_same(row->kind, "deploy") && rb_text_same(row->to, tag) &&
        rb_text_same(row->outcome, "done") && row->checked && whole)
        return RB_VERDICT_GOOD;
    return RB_VERDICT_NONE;
}

/* rows: newest first, so that the first verdict on a tag counts. */
const char *rb_known_good_recorded(const rb_transition_rows *rows, const char *from)
{
    for (size_t i = 0; i < rows->n; i++) {
        const char *to = rows->items[i].to;
        enum rb_verdict verdict = RB_VERDICT_NONE;
        if (!rb_text_same(rows->items[i].outcome, "done") || rb_text_same(to, from))
            continue;
        for (size_t j = 0; j < rows->n && verdict == RB_VERDICT_NONE; j++)
            verdict = said_by(&rows->items[j], to, true);
        if (verdict != RB_VERDICT_BAD)
            return to;
    }
    return NULL;
}

/* Returns how many transitions ago the release came here for the first time. */
static size_t first_arrival(const rb_transition_rows *rows, const char *tag)
{
    size_t i = rows->n;
    while (i > 0 &&
           !(rb_text_same(rows->items[i - 1].to, tag) && rb_known_reached(&rows->items[i - 1])))
        i--;
    return i;
}

const char *rb_known_to_revert(const rb_live *live, const bool parts[RB_PARTS],
                               const rb_transition_rows *rows)
{
    const char *found = NULL;
    for (int part = 0; part < RB_PARTS; part++) {
        const char *tag = parts[part] ? live->tag[part] : NULL;
        if (tag && (!found || first_arrival(rows, tag) < first_arrival(rows, found)))
            found = tag;
    }
    return found;
}

/* True if the row, or the part of it done before an interruption, moved this part to its TO. */
static bool moved(const rb_transition_row *row, int part)
{
    const char *name = rb_part_name((enum rb_part)part);
    if (rb_known_reached(row) || rb_text_same(row->outcome, "interrupted"))
        rb_json_each (item, json_object_get(row->plan, "only"))
            if (rb_text_same(json_string_value(item), name))
                return true;
    return false;
}

/* True if all these parts were at rows[at]'s TO when that transition had ended. Parts that reached
 * it at different times, and never ran together, do not count as the release. The same holds for
 * parts that came from the tag before and after it was moved. */
static bool live_together(const rb_transition_rows *rows, size_t at, const bool parts[RB_PARTS])
{
    for (int part = 0; part < RB_PARTS; part++) {
        size_t i = at;
        while (parts[part] && i < rows->n && !moved(&rows->items[i], part))
            i++;
        if (parts[part] &&
            (i == rows->n || !rb_text_same(rows->items[i].to_object, rows->items[at].to_object)))
            return false;
    }
    return true;
}

bool rb_known_whole(const rb_transition_rows *rows, size_t at)
{
    return live_together(rows, at, all_parts);
}

static void pending_verdict(rb_verdict_summary *out, const rb_journals *known, const char *tag,
                            const char *object)
{
    for (size_t i = 0; i < known->pending.n && out->verdict == RB_VERDICT_NONE; i++) {
        const rb_transition_row *row = &known->pending.items[i];
        const char *about = rb_text_same(row->kind, "revert") ? row->from_object : row->to_object;
        if (!rb_text_same(about, object))
            continue;
        bool whole = json_array_size(json_object_get(row->plan, "only")) == RB_PARTS;
        out->verdict = said_by(row, tag, whole);
        out->at = row->finished;
        const char *name = rb_json_str(row->plan, "environment");
        if (out->verdict == RB_VERDICT_BAD)
            out->why = rb_format("reverted in %s%s", name ? name : "this environment",
                                 row->entry ? " by another clone, see it with `rbtool sync`" : "");
        else if (out->verdict == RB_VERDICT_GOOD)
            out->why = rb_format("deployed in %s with every check passed",
                                 name ? name : "this environment");
    }
}

/* Returns the reason for a verdict as text. */
static char *why_of(const rb_verdict_decision *judgement)
{
    const rb_entry *entry = judgement->entry;
    const json_t *detail = rb_entry_detail(entry);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    const char *name = entry->environment ? entry->environment : "an environment";
    const char *why = rb_json_str(detail, "why");
    if (judgement->disputed)
        rb_buf_puts(&text, "verdicts that do not know of each other disagree; ");
    if (entry->kind == RB_ENTRY_TRANSITION && judgement->verdict == RB_VERDICT_GOOD)
        rb_buf_printf(&text, "deployed in %s with every check passed", name);
    else if (entry->kind == RB_ENTRY_TRANSITION)
        rb_buf_printf(&text, "reverted in %s", name);
    else if (rb_json_str(detail, "transition"))
        rb_buf_puts(&text, why ? why : "reverted");
    else
        rb_buf_printf(&text, "marked %s by %s: %s", rb_json_str(detail, "verdict"),
                      entry->principal ? entry->principal : entry->committer, why ? why : "");
    return rb_safe(rb_buf_str(&text));
}

void rb_known_verdict(rb_verdict_summary *out, const rb_session *session,
                      const rb_journals *journals, const char *tag, const char *object)
{
    rb_verdict_decision judgement = {0};
    *out = (rb_verdict_summary){0};
    rb_verdict_of(&judgement, session->ledger, session->policy, journals ? &journals->own : NULL,
                  tag, object);
    if (journals)
        pending_verdict(out, journals, tag, object);
    /* A deploy does not cancel a bad verdict that was written later. */
    if (out->verdict == RB_VERDICT_GOOD && judgement.verdict == RB_VERDICT_BAD && judgement.entry &&
        judgement.entry->at >= out->at)
        rb_verdict_summary_clear(out);
    if (out->verdict != RB_VERDICT_NONE)
        return;
    out->verdict = judgement.verdict;
    if (!judgement.entry)
        return;
    out->why = why_of(&judgement);
    out->manual =
        judgement.disputed || (judgement.entry->kind == RB_ENTRY_VERDICT &&
                               !rb_json_str(rb_entry_detail(judgement.entry), "transition"));
}

char *rb_known_bad(const void *context, const char *tag, const char *object)
{
    RB_AUTO(rb_verdict_summary_clear) rb_verdict_summary found = {0};
    rb_known_verdict(&found, context, NULL, tag, object);
    return found.verdict == RB_VERDICT_BAD ? rb_strdup(found.why ? found.why : "") : NULL;
}

/* True if the policy's rules allow the release's signer. If a root key exists without a policy,
 * every signer is accepted here: the transition will be refused for that. */
static bool allowed(const rb_known_request *rq, const rb_release *release)
{
    const rb_policy *policy = rq->session->policy;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    return (rb_policy_rooted(policy) && !rb_policy_entry(policy)) ||
           rb_policy_check_release(&problems, policy, release, RB_IGNORED) == RB_OK;
}

static void add_candidate(rb_known_good *out, const rb_release *release,
                          const rb_verdict_summary *summary)
{
    bool bad = summary->verdict == RB_VERDICT_BAD;
    rb_strs *list = bad ? &out->bad : &out->candidates;
    char *text = summary->verdict == RB_VERDICT_NONE ? rb_format("%s (no verdict)", release->tag)
                 : bad ? rb_format("%s (%s)", release->tag, summary->why)
                       : rb_format("%s (good: %s)", release->tag, summary->why);
    if (rb_strs_has(list, text))
        free(text);
    else
        rb_strs_take(list, text);
    if (bad && !out->newest_bad)
        out->newest_bad = rb_strdup(release->tag);
}

static void take(rb_known_good *out, const rb_release *release, const rb_verdict_summary *summary,
                 const char *which, const char *otherwise)
{
    out->release = rb_release_hold((rb_release *)release);
    out->rule = summary->verdict == RB_VERDICT_GOOD && (summary->manual || !*otherwise)
                    ? rb_format("the %s, %s", which, summary->why)
                    : rb_format("the %s %s", which, otherwise);
}

enum rb_code rb_known_ended_well(bool *out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    size_t last = 0;
    RB_TRY(rb_state_history(&rows, state, false, err));
    while (last < rows.n && !rb_known_reached(&rows.items[last]))
        last++;
    *out = last == rows.n || rb_text_same(rows.items[last].outcome, "done");
    return RB_OK;
}

static void among_live(rb_known_good *out, const rb_transition_rows *rows,
                       const rb_known_request *rq)
{
    for (size_t i = 0; i < rows->n && !out->release; i++) {
        const rb_transition_row *row = &rows->items[i];
        const char *tag = row->to;
        if (!rb_known_reached(row) || rb_text_same(tag, rq->from->tag) ||
            !live_together(rows, i, rq->parts))
            continue;
        RB_AUTO(rb_verdict_summary_clear) rb_verdict_summary summary = {0};
        rb_known_verdict(&summary, rq->session, rq->journals, tag, row->to_object);
        RB_AUTO(rb_release_freep)
        rb_release *release = rb_session_release_is(rq->session, tag, row->to_object);
        if (!release || !allowed(rq, release))
            continue;
        size_t last = 0; /* index of its last run here, which parts of it alone are not */
        while (last < i && !(rb_known_reached(&rows->items[last]) &&
                             rb_text_same(rows->items[last].to_object, row->to_object) &&
                             live_together(rows, last, rq->parts)))
            last++;
        bool passed =
            rb_text_same(rows->items[last].outcome, "done") && summary.verdict != RB_VERDICT_BAD;
        bool marked = summary.verdict == RB_VERDICT_GOOD && summary.manual;
        if (passed || marked)
            take(out, release, &summary, "newest release that was live here as a whole",
                 row->checked ? "and is not bad (every check passed)"
                              : "and is not bad (nothing was checked)");
        else
            add_candidate(out, release, &summary);
    }
}

typedef struct seeking {
    rb_known_good *out;
    const rb_known_request *rq;
    enum rb_verdict wanted;
} seeking;

/* Takes the first release with the wanted verdict and an allowed signer. Adds others to the
 * candidates. */
static bool is_not_it(void *context, const rb_release *release)
{
    const seeking *s = context;
    RB_AUTO(rb_verdict_summary_clear) rb_verdict_summary summary = {0};
    if (!allowed(s->rq, release))
        return true;
    rb_known_verdict(&summary, s->rq->session, s->rq->journals, release->tag, release->object);
    if (summary.verdict != s->wanted)
        add_candidate(s->out, release, &summary);
    else if (s->wanted == RB_VERDICT_GOOD)
        take(s->out, release, &summary, "nearest release along the chain that is good", "");
    else
        take(s->out, release, &summary, "nearest release along the chain that verifies",
             "and has no verdict (knownGood: verified)");
    return !s->out->release;
}

static void along_chain(rb_known_good *out, const rb_known_request *rq, enum rb_verdict wanted)
{
    rb_session_walk(rq->session, rq->from, is_not_it, &(seeking){out, rq, wanted});
}

static enum rb_code nothing_good(const rb_known_good *found, const rb_known_request *rq,
                                 rb_err *err)
{
    const char *from = rq->from->tag;
    RB_AUTO(rb_free_str) char *named = rb_strs_join(&found->bad, MAX_SHOWN);
    RB_AUTO(rb_free_str) char *others = rb_strs_join(&found->candidates, MAX_SHOWN);
    RB_AUTO(rb_free_str)
    char *bad = found->bad.n == 0
                    ? rb_strdup("")
                    : rb_format("; bad %s %s", found->bad.n == 1 ? "is" : "are", named);
    const char *option = rq->env ? " --env " : "";
    const char *env = rq->env ? rq->env : "";
    if (found->candidates.n == 0)
        return rb_fail(
            err, RB_DECIDE,
            "nothing to go back to: %s is the first release that was live here%s\nfix "
            "forward with a new release (`rbtool release TAG`, then `rbtool deploy "
            "TAG%s%s`)%s%s%s",
            from, bad, option, env, found->newest_bad ? ", or lift that with `rbtool mark " : "",
            found->newest_bad ? found->newest_bad : "", found->newest_bad ? " good -m WHY`" : "");
    const char *first = found->candidates.items[0];
    int len = (int)strcspn(first, " ");
    return rb_fail(err, RB_DECIDE,
                   "no release before %s is known good here; these verify: %s%s\nchoose one with "
                   "`rbtool revert %s --to %.*s%s%s`, or mark one as good with `rbtool mark %.*s "
                   "good -m WHY`",
                   from, others, bad, from, len, first, option, env, len, first);
}

enum rb_code rb_known_good_find(rb_known_good *out, const rb_known_request *rq, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    *out = (rb_known_good){0};
    if (rq->state)
        RB_TRY(rb_state_history(&rows, rq->state, true, err));
    among_live(out, &rows, rq);
    const char *setting = rb_session_settings(rq->session, RB_IGNORED) == RB_OK
                              ? rq->session->settings->known_good
                              : rq->from->manifest->known_good;
    if (!out->release)
        along_chain(out, rq, RB_VERDICT_GOOD);
    if (!out->release && rb_text_same(setting, "verified"))
        along_chain(out, rq, RB_VERDICT_NONE);
    return out->release ? RB_OK : nothing_good(out, rq, err);
}

char *rb_known_way_back(rb_session *session, const rb_journals *journals, rb_state *state,
                        const rb_release *from, const char *env)
{
    RB_AUTO(rb_known_good_clear) rb_known_good good = {0};
    RB_AUTO(rb_live_clear) rb_live live = {0};
    bool parts[RB_PARTS];
    rb_err why;
    enum rb_code code = rb_state_live(&live, state, &why);
    for (int part = 0; part < RB_PARTS; part++)
        parts[part] = live.tag[part] != NULL;
    const rb_known_request rq = {session, journals, state, from, parts, env};
    if (code == RB_OK)
        code = rb_known_good_find(&good, &rq, &why);
    return code == RB_DECIDE
               ? rb_strdup(why.hint)
               : rb_format("go back with `rbtool revert %s --env %s`", from->tag, env);
}
