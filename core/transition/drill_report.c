/* Judges a drill's result, and makes its document and its ledger entry. */
#include "transition/drill_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "base/text.h"
#include "base/version.h"

json_t *rb_drill_seconds(double value)
{
    return json_real((double)(int64_t)(value * 1000 + 0.5) / 1000);
}

static double restoring(const rb_drill_times *t)
{
    return t->plan + t->transition + t->recovery;
}

static json_t *objective(int wanted, const json_t *measured, bool met)
{
    return rb_json_make("objective:j measured:J met:j", wanted < 0 ? NULL : json_integer(wanted),
                        measured, wanted < 0 ? NULL : json_boolean(met));
}

/* Returns how many seconds of data would be lost. Zero if a revert puts nothing at risk; otherwise
 * the time since the release went live. For a backup, the time since it was made. Null if unknown.
 */
static json_t *lost_seconds(const rb_drill *drill, const json_t *plan)
{
    if (!drill->backup && json_array_size(json_object_get(plan, "dataAtRisk")) == 0)
        return json_integer(0);
    const int64_t seconds = (int64_t)time(NULL) - drill->since;
    return drill->since > 0 ? json_integer(seconds > 0 ? seconds : 1) : NULL;
}

static json_t *objectives(const rb_drill *drill, const json_t *plan, const rb_drill_times *t)
{
    RB_AUTO(rb_json_freep) json_t *restore = rb_drill_seconds(restoring(t));
    RB_AUTO(rb_json_freep) json_t *lost = lost_seconds(drill, plan);
    const rb_env *env = drill->env;
    return rb_json_make(
        "rto:j rpo:j", objective(env->rto, restore, restoring(t) <= (double)env->rto),
        objective(lost ? env->rpo : -1, lost, lost && json_integer_value(lost) <= env->rpo));
}

static const char *fault_of(const rb_drill *drill)
{
    return drill->fail_at ? "fail" : drill->kill_at ? "kill" : NULL;
}

/* Returns which objective was missed, or NULL. A new string. */
static char *judge_objectives(const rb_drill *drill, const json_t *plan, const rb_drill_times *t)
{
    RB_AUTO(rb_json_freep) json_t *judged = objectives(drill, plan, t);
    const json_t *rto = json_object_get(judged, "rto");
    const json_t *rpo = json_object_get(judged, "rpo");
    if (json_is_false(json_object_get(rto, "met")))
        return rb_format("it took %.1f s, and the objective (objectives.rto) is %d s", restoring(t),
                         drill->env->rto);
    if (json_is_false(json_object_get(rpo, "met")))
        return rb_template("what is lost was entered within {measured} s, and the objective "
                           "(objectives.rpo) is {objective} s",
                           rpo);
    return NULL;
}

/* Returns what is wrong with the end state, or NULL: it must be a release without new drift, with
 * the outcome that the drill's fault leads to. why: the transition's error, or NULL. A new string.
 */
static char *judge(const rb_drill *drill, const rb_drill_state *before, const rb_drill_state *end,
                   const json_t *plan, const char *why)
{
    const char *to = rb_json_str(plan, "to");
    const bool reached = rb_outcome_reached(end->outcome);
    const char *expected = reached ? to : rb_json_str(plan, "from");
    const bool back = drill->undo && drill->kill_at;
    if (rb_text_same(end->outcome, "interrupted"))
        return rb_strdup("the transition is still half-way");
    if (back)
        expected = rb_json_str(plan, "from");
    if (!rb_text_same(end->release, expected))
        return rb_format("%s is live at the end, and %s should be",
                         end->release ? end->release : "not one release", expected);
    const bool same = rb_text_same(end->release, before->release)
                          ? json_equal(end->drift, before->drift)
                          : json_array_size(end->drift) == 0;
    if (!same)
        return rb_format("what is there at the end is not what %s delivers", end->release);
    if (!drill->fail_at && !back && !rb_text_same(end->outcome, "done"))
        return rb_format("the transition ended as %s%s%s", end->outcome, why ? ": " : "",
                         why ? why : "");
    return NULL;
}

/* Returns what was not restored from the backup, or NULL. A new string. */
static char *judge_backup(const rb_drill *drill, const json_t *put_back)
{
    rb_json_each (item, drill->items) {
        const bool values = rb_json_str(item, "column") != NULL;
        const int64_t expected = rb_json_int(item, values ? "values" : "rows", 0);
        int64_t restored = 0;
        rb_json_each (entry, put_back)
            if (rb_json_same(json_object_get(entry, "database"),
                             json_object_get(item, "database")) &&
                rb_json_same(json_object_get(entry, "table"), json_object_get(item, "table")) &&
                rb_json_same(json_object_get(entry, "column"), json_object_get(item, "column")))
                restored += rb_json_int(entry, "restored", 0);
        RB_AUTO(rb_free_str) char *place = rb_template("{table}[.{column}]", item);
        if (restored < expected)
            return rb_format("%lld of %lld %s of %s in backup %s came back", (long long)restored,
                             (long long)expected, values ? "values" : "rows", place,
                             drill->backup_id);
    }
    return NULL;
}

static json_t *record(const rb_drill *drill, const json_t *plan, const rb_drill_state *end,
                      const rb_drill_times *t, time_t began, const char *wrong)
{
    RB_AUTO(rb_free_str) char *id = rb_transition_id();
    json_t *json = rb_json_make(
        "id:s kind:s from:J fromObject:J to:J toObject:J digest:J outcome:s started:i finished:i "
        "steps:j error:s acceptedLoss:0 acceptedDrift:b acceptedReverted:b whole:b rto:j "
        "version:s ok:b milliseconds:i",
        id, drill->backup ? "deploy" : "revert", json_object_get(plan, "from"),
        json_object_get(plan, "fromObject"), json_object_get(plan, "to"),
        json_object_get(plan, "toObject"), json_object_get(plan, "digest"),
        end->outcome ? end->outcome : "refused", (int64_t)began, (int64_t)time(NULL),
        end->steps ? json_incref(end->steps) : json_array(), wrong,
        json_is_true(json_object_get(plan, "drifted")), false, true,
        drill->env->rto < 0 ? NULL : json_integer(drill->env->rto), RB_VERSION, !wrong,
        (int64_t)(restoring(t) * 1000 + 0.5));
    rb_json_set_str(json, "mode", drill->backup ? "backup" : "revert");
    if (drill->backup)
        rb_json_set_str(json, "backup", drill->backup_id);
    if (fault_of(drill))
        rb_json_set(json, "fault:s faultStep:s", fault_of(drill),
                    drill->fail_at ? drill->fail_at : drill->kill_at);
    return json;
}

static json_t *document_of(const rb_drill *drill, const json_t *plan, const rb_drill_state *end,
                           const rb_drill_times *t, const json_t *report, const char *wrong)
{
    const json_t *document = json_object_get(report, "document");
    json_t *json = rb_json_make(
        "environment:s mode:s backup:s from:J to:J rule:J ok:b problem:s outcome:s live:s drift:J "
        "fault:s "
        "faultStep:s then:s steps:j dataAtRisk:J needs:J notTried:J putBack:J objectives:j "
        "seconds:j",
        drill->env->name, drill->backup ? "backup" : "revert", drill->backup_id,
        json_object_get(plan, "from"), json_object_get(plan, "to"), json_object_get(plan, "rule"),
        !wrong, wrong, end->outcome, end->release, end->drift, fault_of(drill),
        drill->fail_at ? drill->fail_at : drill->kill_at,
        !drill->kill_at ? NULL
        : drill->undo   ? "abort"
                        : "resume",
        end->steps ? json_incref(end->steps) : json_array(), json_object_get(plan, "dataAtRisk"),
        json_object_get(plan, "needs"), drill->not_tried, json_object_get(document, "putBack"),
        objectives(drill, plan, t),
        rb_json_make("copy:j plan:j transition:j recovery:j restore:j",
                     rb_drill_seconds(drill->copying), rb_drill_seconds(t->plan),
                     rb_drill_seconds(t->transition), rb_drill_seconds(t->recovery),
                     rb_drill_seconds(restoring(t))));
    return json;
}

char *rb_drill_judge(const rb_drill_result *r)
{
    const json_t *document = json_object_get(r->report, "document");
    char *wrong = judge(r->drill, r->before, r->end, r->plan,
                        rb_json_str(json_object_get(document, "error"), "message"));
    if (!wrong && r->drill->backup &&
        rb_text_same(r->end->release, rb_json_str(r->plan, "to"))) /* else it was undone */
        wrong = judge_backup(r->drill, json_object_get(document, "putBack"));
    return wrong ? wrong : judge_objectives(r->drill, r->plan, r->times);
}

json_t *rb_drill_document(const rb_drill_result *r, const char *wrong)
{
    json_t *json = document_of(r->drill, r->plan, r->end, r->times, r->report, wrong);
    json_object_set_new(json, "record",
                        record(r->drill, r->plan, r->end, r->times, r->began, wrong));
    return json;
}

const json_t *rb_drill_record(const json_t *document)
{
    return json_object_get(document, "record");
}
