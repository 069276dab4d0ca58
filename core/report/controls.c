#include "report/controls.h"

#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "base/text.h"

/* Counts the items of a list that have the member. */
static size_t count_with(const json_t *document, const char *list, const char *key)
{
    size_t n = 0;
    rb_json_each (item, json_object_get(document, list)) {
        const json_t *value = json_object_get(item, key);
        n += json_is_true(value) || json_object_size(value) > 0 || json_array_size(value) > 0;
    }
    return n;
}

/* Counts the items of a list whose member has this text. */
static size_t count_that(const json_t *document, const char *list, const char *key,
                         const char *text)
{
    size_t n = 0;
    rb_json_each (item, json_object_get(document, list))
        n += rb_text_same(rb_json_str(item, key), text);
    return n;
}

/* Drills that moved copies: a tabletop exercise is none. Sets the numbers, and the newest of them.
 */
static void count_drills(json_t *out, const json_t *document)
{
    size_t all = 0, fine = 0;
    const char *last = NULL;
    rb_json_each (drill, json_object_get(document, "drills")) { /* newest first */
        if (rb_text_same(rb_json_str(drill, "mode"), "tabletop"))
            continue;
        last = last ? last : rb_json_str(drill, "at");
        all++;
        fine += json_is_true(json_object_get(drill, "ok"));
    }
    rb_json_set(out, "drills:n drilled:n lastDrill:s", all, fine, last);
}

/* Returns {"transitions","drills",...: numbers, "unapproved","broken","losses","drifts","verified",
 * "lastDrill",...}. */
static json_t *count(const json_t *document)
{
    static const char *const lists[] = {"releases",  "transitions", "approvals",
                                        "overrides", "restores",    "reviews",
                                        "notes",     "ignored",     "policies"};
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        json_object_set_new(
            out, lists[i],
            json_integer((json_int_t)json_array_size(json_object_get(document, lists[i]))));
    const json_t *ledger = json_object_get(document, "ledger");
    count_drills(out, document);
    rb_json_set(
        out,
        "verified:n unapproved:n broken:n losses:n backups:n restored:n overdue:n unsigned:n "
        "good:J "
        "entries:J reverts:n",
        count_with(document, "releases", "ok"), count_with(document, "transitions", "unapproved"),
        count_with(document, "transitions", "broken"),
        count_with(document, "transitions", "accepted"),
        count_with(document, "transitions", "backups"),
        count_with(document, "transitions", "restored"), count_with(document, "reviews", "overdue"),
        count_that(document, "transitions", "trust", "unsigned"), json_object_get(ledger, "good"),
        json_object_get(ledger, "entries"), count_that(document, "transitions", "kind", "revert"));
    return out;
}

/* A control holds if one number is 0, or if another is not. */
static const struct control {
    const char *name;
    const char *evidence; /* a template, filled from the result of count() */
    const char *command;
    const char *none;  /* name of the number that must be 0 */
    const char *some;  /* name of the number that must not be 0 */
    bool needs_policy; /* without a policy it cannot be judged */
} controls[] = {
    {"Every release is signed by an allowed signer, and no tag was moved",
     "{verified:count} of {releases:count} releases verify", "rbtool verify --all --deep", NULL,
     NULL, false},
    {"Every change to production is recorded, by whom and when",
     "{transitions:count} transition{transitions:s}, {unsigned:count} of them unsigned",
     "rbtool log --kind transition", "unsigned", NULL, false},
    {"The record cannot be changed afterwards",
     "{good:count} of {entries:count} entries have a good signature, {ignored:count} count for "
     "nothing",
     "rbtool log --verify", "ignored", NULL, false},
    {"Changes are approved by another person",
     "{approvals:count} approval{approvals:s}, {unapproved:count} transition{unapproved:s} without "
     "those that the policy asked for",
     "rbtool log --verify --kind transition", "unapproved", NULL, true},
    {"Changes follow the policy's other rules: drills, backups, reviews, rows at risk",
     "{broken:count} transition{broken:s} broke one without an override",
     "rbtool log --verify --kind transition", "broken", NULL, true},
    {"Emergency changes are justified",
     "{overrides:count} override{overrides:s}, each with a reason", "rbtool log --kind override",
     "overrides", NULL, false},
    {"Loss of data is agreed to beforehand, by name and number",
     "{losses:count} transition{losses:s} with a loss that a person accepted",
     "rbtool log --kind transition --json", NULL, NULL, false},
    {"Data is backed up before a change destroys it",
     "{backups:count} transition{backups:s} wrote a backup, {restored:count} restored from one, "
     "{restores:count} restore{restores:s} by hand",
     "rbtool backups", NULL, NULL, false},
    {"Going back works, and was practised",
     "{reverts:count} revert{reverts:s}, {drills:count} drill{drills:s}, {drilled:count} of them "
     "without a problem[, the last at {lastDrill:minute}]",
     "rbtool log --kind drill", NULL, "drilled", false},
    {"Plans, backups and the history of migrations are reviewed",
     "{reviews:count} review{reviews:s}, {overdue:count} of them overdue",
     "rbtool log --kind review", "overdue", "reviews", false},
    {"Incidents leave a finding", "{notes:count} note{notes:s}", "rbtool log --kind note", NULL,
     NULL, false},
};

static bool is_zero(const json_t *counts, const char *key)
{
    return rb_json_int(counts, key, 0) == 0;
}

/* Returns true, false or null. */
static json_t *judge(const struct control *control, const json_t *counts, bool policy)
{
    if (control == controls)
        return json_boolean(rb_json_int(counts, "verified", 0) ==
                            rb_json_int(counts, "releases", 0));
    if ((!control->none && !control->some) || (control->needs_policy && !policy))
        return json_null();
    return json_boolean((!control->none || is_zero(counts, control->none)) &&
                        (!control->some || !is_zero(counts, control->some)));
}

void rb_report_controls(json_t *document, bool policy)
{
    RB_AUTO(rb_json_freep) json_t *counts = count(document);
    json_t *rows = json_array();
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        RB_AUTO(rb_free_str) char *evidence = rb_template(controls[i].evidence, counts);
        json_array_append_new(rows, rb_json_make("control:s evidence:s command:s ok:j",
                                                 controls[i].name, evidence, controls[i].command,
                                                 judge(&controls[i], counts, policy)));
    }
    json_object_set_new(document, "controls", rows);
}
