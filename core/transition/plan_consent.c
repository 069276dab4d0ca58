/* Decides whether a plan may be carried out with what the user agreed to. */
#include <string.h>

#include "base/text.h"
#include "environment/drift.h"
#include "transition/plan_make.h"

#define LISTED 5 /* tables and columns at risk that a refusal lists */

char *rb_plan_list_losses(const json_t *losses)
{
    rb_buf out = {0};
    rb_json_each (item, losses) {
        const char *column = rb_json_str(item, "column");
        int64_t n = rb_json_int(item, column ? "values" : "rows", 0);
        RB_AUTO(rb_free_str) char *count = rb_text_count((uint64_t)n);
        if (item_at == LISTED)
            break;
        rb_buf_printf(&out, "%s%s%s%s (%s%s %s%s)", item_at > 0 ? ", " : "",
                      rb_json_str(item, "table"), column ? "." : "", column ? column : "",
                      json_is_false(json_object_get(item, "exact")) ? "about " : "", count,
                      column ? "value" : "row", rb_text_s((uint64_t)n));
    }
    if (json_array_size(losses) > LISTED)
        rb_buf_printf(&out, " and %zu more", json_array_size(losses) - LISTED);
    return rb_buf_detach(&out);
}

/* True if a proof shows that the down of a migration that the plan applies does not run. */
static bool way_back_fails(const rb_plan *plan)
{
    for (size_t i = 0; i < plan->database_count; i++)
        rb_json_each (proof, plan->databases[i].step_proofs) {
            const char *restores = rb_json_str(proof, "restores");
            if (plan->databases[i].steps[proof_at].up &&
                (rb_text_same(restores, "fails") || rb_text_same(restores, "missing") ||
                 rb_text_same(restores, "code")))
                return true;
        }
    return false;
}

/* Returns the tables whose values come back only by hand, separated by commas; or NULL. */
static char *keyless_of(const rb_plan *plan)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    rb_json_each (backup, json_object_get(plan->json, "backups"))
        rb_json_each (name, json_object_get(backup, "keyless"))
            rb_strs_add(&names, json_string_value(name));
    return names.n > 0 ? rb_strs_join(&names, LISTED) : NULL;
}

/* Returns what the user has to agree to with the digest. */
static char *at_stake(const rb_plan *plan)
{
    const json_t *losses = json_object_get(plan->json, "dataAtRisk");
    if (json_array_size(losses) == 0) {
        rb_json_each (item, json_object_get(plan->json, "decisions"))
            if (strcmp(rb_json_str(item, "code"), "data-loss") != 0)
                return rb_strdup(rb_json_str(item, "message"));
        return rb_strdup("the plan is not proven");
    }
    RB_AUTO(rb_free_str) char *list = rb_plan_list_losses(losses);
    if (json_is_true(json_object_get(plan->json, "noBackup")))
        return rb_format("the plan loses data: %s; it is not backed up", list);
    if (json_array_size(json_object_get(plan->json, "backups")) == 0)
        return rb_format("the plan loses data: %s; the scripts of this plan destroy none of it, "
                         "those of the way back do",
                         list);
    if (way_back_fails(plan))
        return rb_format("the plan loses data: %s; it is backed up below %s first, and comes back "
                         "only by hand, with `rbtool restore`, since the way back is known to fail",
                         list, plan->backups);
    RB_AUTO(rb_free_str) char *keyless = keyless_of(plan);
    return rb_format("the plan loses data: %s; it is backed up below %s first, and is restored "
                     "where the transition is undone and nobody changed it%s%s",
                     list, plan->backups, keyless ? ", except in tables without a key: " : "",
                     keyless ? keyless : "");
}

/* Refuses drift. asked: the digest must be given, too. */
static enum rb_code refuse_drift(const rb_plan *plan, bool asked, rb_err *err)
{
    const json_t *first = json_array_get(plan->drift, 0);
    const char *expected = rb_json_str(first, "expected");
    bool own = strcmp(rb_json_str(first, "part"), "app") != 0 && expected &&
               strcmp(expected, RB_DRIFT_NO_FILE) == 0;
    RB_AUTO(rb_free_str) char *stake = asked ? at_stake(plan) : NULL;
    RB_AUTO(rb_free_str) char *next = rb_plan_command(plan, true);
    RB_AUTO(rb_free_str) char *words = rb_drift_words(first);
    RB_AUTO(rb_free_str)
    char *look = rb_format("look with `rbtool status --env %s`, and go on over it with `%s`",
                           rb_json_str(plan->json, "environment"), next);
    RB_AUTO(rb_free_str)
    char *replace =
        rb_format("no release put that file there, and this one brings another: release what is in "
                  "it, or let it be replaced (it is kept below .rbtool/backups, and comes back "
                  "with a release that has none) with `%s`",
                  next);
    return rb_fail(err, RB_DECIDE,
                   "the environment has drifted in %zu place%s, first %s %s (%s)%s%s; "
                   "nothing was changed\n%s",
                   json_array_size(plan->drift), rb_text_s(json_array_size(plan->drift)),
                   rb_json_str(first, "part"), rb_json_str(first, "path"), words,
                   asked ? "; also, " : "", asked ? stake : "", own ? replace : look);
}

/* True if the text is a prefix of the plan's digest, and long enough. */
bool rb_plan_agrees(const rb_plan *plan, const char *loss)
{
    size_t len = loss ? strlen(loss) : 0;
    return len >= RB_DIGEST_PREFIX && strncmp(loss, plan->digest, len) == 0;
}

int64_t rb_plan_at_stake(const rb_plan *plan)
{
    int64_t total = 0;
    rb_json_each (item, json_object_get(plan->json, "dataAtRisk"))
        total += rb_json_int(item, rb_json_str(item, "column") ? "values" : "rows", 0);
    return total;
}

enum rb_code rb_plan_allowed(const rb_plan *plan, bool accept_drift, const char *loss, rb_err *err)
{
    if (plan->worst != RB_OK)
        return rb_fail(err, plan->worst, "nothing was changed: %s\n%s", plan->refusal.message,
                       plan->refusal.hint);
    bool asked = plan->consent && !rb_plan_agrees(plan, loss);
    if (json_array_size(plan->drift) > 0 && !accept_drift)
        return refuse_drift(plan, asked, err);
    if (!asked)
        return RB_OK;
    RB_AUTO(rb_free_str) char *stake = at_stake(plan);
    RB_AUTO(rb_free_str)
    char *next = rb_plan_command(plan, json_array_size(plan->drift) > 0);
    return rb_fail(err, RB_DECIDE, "%s%s; nothing was changed\nto agree to this plan: `%s`",
                   loss && strlen(loss) < RB_DIGEST_PREFIX
                       ? "--accept-data-loss takes at least 12 digits of the plan's digest; "
                   : loss ? "the plan is not the one whose loss was agreed to; "
                          : "",
                   stake, next);
}
