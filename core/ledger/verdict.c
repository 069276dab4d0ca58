#include "ledger/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/policy_internal.h"

const char *rb_verdict_name(enum rb_verdict verdict)
{
    static const char *const names[] = {NULL, "good", "bad"};
    return names[verdict];
}

/* True if the transition ran checks and they passed: a deploy without checks proves nothing. */
static bool checks_passed(const json_t *t)
{
    rb_json_each (step, json_object_get(t, "steps"))
        if (rb_text_same(rb_json_str(step, "id"), "checks"))
            return rb_text_same(rb_json_str(step, "outcome"), "done");
    return false;
}

static enum rb_verdict of_transition(const json_t *t, const char *tag, const char *object)
{
    const char *kind = rb_json_str(t, "kind");
    const char *outcome = rb_json_str(t, "outcome");
    if (rb_text_same(kind, "deploy") && rb_text_same(rb_json_str(t, "to"), tag) &&
        rb_text_same(rb_json_str(t, "toObject"), object) && rb_text_same(outcome, "done") &&
        json_is_true(json_object_get(t, "whole")) && checks_passed(t))
        return RB_VERDICT_GOOD;
    if (json_is_true(json_object_get(t, "marksBad")) && rb_text_same(rb_json_str(t, "from"), tag) &&
        rb_text_same(rb_json_str(t, "fromObject"), object) &&
        (rb_text_same(outcome, "done") || rb_text_same(outcome, "unhealthy") ||
         rb_text_same(outcome, "down")))
        return RB_VERDICT_BAD;
    return RB_VERDICT_NONE;
}

/* Returns the verdict that the entry contains about this tag object, by any author. */
static enum rb_verdict said(const rb_entry *entry, const char *tag, const char *object)
{
    if (entry->kind == RB_ENTRY_TRANSITION)
        return of_transition(rb_entry_detail(entry), tag, object);
    if (entry->kind != RB_ENTRY_VERDICT || !rb_text_same(entry->object, object))
        return RB_VERDICT_NONE;
    const char *verdict = rb_json_str(rb_entry_detail(entry), "verdict");
    return rb_text_same(verdict, "good")  ? RB_VERDICT_GOOD
           : rb_text_same(verdict, "bad") ? RB_VERDICT_BAD
                                          : RB_VERDICT_NONE;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, *(char *const *)b);
}

static bool is_own(const rb_strs *own, const rb_entry *entry)
{
    if (!own || own->n == 0)
        return false;
    char hex[RB_OID_HEX];
    rb_oid_hex(&entry->id, hex);
    return bsearch(hex, own->items, own->n, sizeof *own->items, compare_ids) != NULL;
}

struct word {
    size_t entry;
    enum rb_verdict verdict;
};

/* Finds the newest verdict, and whether a concurrent one disagrees with it. */
static void decide(rb_verdict_decision *out, const rb_ledger *ledger, const struct word *words,
                   size_t n)
{
    const struct word *last = &words[n - 1];
    out->verdict = last->verdict;
    out->entry = &ledger->items[last->entry];
    const size_t lowest = words[0].entry;
    unsigned char *older = rb_calloc(last->entry - lowest + 1, 1);
    size_t w = n;
    for (size_t i = last->entry + 1; i > lowest; i--) {
        const size_t at = i - 1;
        bool spoken = w > 0 && words[w - 1].entry == at;
        if (spoken && !older[at - lowest] && words[w - 1].verdict != out->verdict) {
            out->disputed = true;
            if (words[w - 1].verdict == RB_VERDICT_BAD)
                out->entry = &ledger->items[at];
        }
        const rb_entry *entry = &ledger->items[at];
        for (size_t p = 0; (spoken || older[at - lowest]) && p < entry->parent_count; p++)
            if (entry->parents[p] >= lowest)
                older[entry->parents[p] - lowest] = 1;
        w -= spoken;
    }
    if (out->disputed)
        out->verdict = RB_VERDICT_BAD;
    free(older);
}

void rb_verdict_of(rb_verdict_decision *out, const rb_ledger *ledger, const rb_policy *policy,
                   const rb_strs *own, const char *tag, const char *object)
{
    size_t count;
    const rb_about *about = rb_policy_about(&count, policy, tag);
    *out = (rb_verdict_decision){0};
    struct word *words = rb_calloc(count + 1, sizeof *words);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const rb_entry *entry = &ledger->items[about[i].entry];
        bool mine = is_own(own, entry);
        /* Skip the entry without parsing it: hosts without a key write many, and those of other
         * hosts never count. */
        if (!mine && entry->kind == RB_ENTRY_TRANSITION && entry->trust != RB_ENTRY_GOOD)
            continue;
        enum rb_verdict verdict = said(entry, tag, object);
        if (verdict == RB_VERDICT_NONE)
            continue;
        if (mine || rb_policy_counts(policy, entry, RB_ROLE_MARK))
            words[n++] = (struct word){about[i].entry, verdict};
        else
            out->ignored++;
    }
    if (n > 0)
        decide(out, ledger, words, n);
    free(words);
}
