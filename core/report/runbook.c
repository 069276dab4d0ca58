#include "report/runbook.h"

#include <string.h>

#include "base/embed.h"
#include "base/template.h"
#include "base/text.h"
#include "environment/checks.h"
#include "environment/drift.h"
#include "transition/parts.h"
#include "transition/plan_make.h"

/* One template for both runbooks: a plan's has a digest. */
RB_EMBED(rb_runbook, "core/report/runbook.md");

static json_t *list_checks(const rb_env *env)
{
    json_t *list = json_array();
    for (size_t i = 0; i < env->check_count; i++) {
        const rb_env_check *check = &env->checks[i];
        RB_AUTO(rb_free_str) char *command = rb_check_line(check);
        json_array_append_new(list, rb_json_make("name:s after:s command:s timeout:i", check->name,
                                                 check->after, command, (int64_t)check->timeout));
    }
    return list;
}

/* Returns whether the criteria of a way are met in this plan, as text. */
static const char *criteria(const json_t *way)
{
    const char *name = rb_json_str(way, "way");
    const char *compatible = rb_json_str(way, "compatible");
    if (strcmp(name, "flags") == 0)
        return "the fault is in a feature that a flag turns off";
    if (strcmp(name, "application") == 0)
        return compatible && strcmp(compatible, "tested") == 0
                   ? "the fault is in code, and the previous application was tested on this schema"
                   : "the fault is in code; that the previous application runs on this schema is "
                     "not known to be tested";
    if (strcmp(name, "everything") == 0)
        return "the fault may be in code, schema or data together";
    return "the fault is known and can wait for a fix";
}

/* Returns what a failure of each step leads to. After the first commit, or the switch, steps are
 * not undone. */
static json_t *list_failures(const rb_plan *plan, const json_t *document)
{
    const enum rb_step_kind turn = plan->database_count > 0 ? RB_DO_COMMIT : RB_DO_SWITCH;
    bool past = false;
    json_t *list = json_array();
    for (size_t i = 0; i < plan->order_count; i++) {
        const enum rb_step_kind kind = plan->order[i];
        const char *what =
            kind == RB_DO_START
                ? "{to} is live and the service is DOWN (exit 1). Read what the command printed, "
                  "then `{program} status --env {environment}`; `{program} deploy {to} --env "
                  "{environment}` "
                  "starts it again."
            : kind == RB_DO_CHECKS
                ? "{to} is live and unhealthy (exit 1). `{program} check --env {environment}` runs "
                  "the checks again; call the escalation."
            : past ? "it stops half-way (exit 3). Fix the cause, then `{program} resume --env "
                     "{environment}`."
            : kind == RB_DO_DATABASE || kind == RB_DO_COMMIT
                ? "what was done is undone, and the service runs as before (exit 1). Fix the cause "
                  "and run the command again. If a server does not answer, it stops half-way (exit "
                  "3): `{program} resume --env {environment}` when it answers."
                : "what was done is undone, and the service runs as before (exit 1). Fix the "
                  "cause and run the command again.";
        RB_AUTO(rb_free_str) char *text = rb_template(what, document);
        if (kind != RB_DO_RECORD)
            json_array_append_new(list,
                                  rb_json_make("step:s text:s", rb_step_kind_name(kind), text));
        past = past || kind == turn;
    }
    return list;
}

/* Adds to the items of a copied plan what only the runbook shows, and leaves out data at risk from
 * the decisions: that has its own lines. */
static void complete(json_t *document)
{
    json_t *decisions = json_object_get(document, "decisions");
    rb_json_each (step, json_object_get(document, "steps"))
        rb_json_set(step, "number:n", step_at + 1);
    rb_json_each (way, json_object_get(document, "waysBack"))
        rb_json_set_str(way, "criteria", criteria(way));
    rb_json_each (item, json_object_get(document, "dataAtRisk"))
        rb_json_set_str(item, "about",
                        json_is_false(json_object_get(item, "exact")) ? "about " : "");
    rb_json_each (item, json_object_get(document, "drift")) {
        RB_AUTO(rb_free_str) char *words = rb_drift_words(item);
        rb_json_set_str(item, "words", words);
    }
    for (size_t i = json_array_size(decisions); i > 0; i--)
        if (rb_text_same(rb_json_str(json_array_get(decisions, i - 1), "code"), "data-loss"))
            json_array_remove(decisions, i - 1);
}

void rb_runbook_write(rb_buf *out, const rb_plan *plan, const rb_env *env, const rb_policy *policy,
                      const char *program)
{
    bool apart = false;
    RB_AUTO(rb_json_freep) json_t *document = json_deep_copy(plan->json);
    RB_AUTO(rb_free_str) char *where = rb_parts_after(plan->json, &apart);
    RB_AUTO(rb_free_str) char *members = rb_policy_members(policy, RB_ROLE_APPROVE);
    RB_AUTO(rb_free_str) char *revert = rb_plan_command(plan, json_array_size(plan->drift) > 0);
    const char *from = rb_json_str(plan->json, "from");
    rb_json_set(document, "program:s environment:s from:s digest:s backups:s revert:s where:s",
                program, env->name, from ? from : "nothing", plan->digest, plan->backups, revert,
                where);
    rb_json_set(document, "owners:j escalation:j checks:j drift:j approvers:s approvals:i",
                rb_json_strs(&env->owners), rb_json_strs(&env->escalation), list_checks(env),
                json_deep_copy(plan->drift), rb_policy_count(policy) > 0 ? members : NULL,
                (int64_t)rb_policy_approvals(policy, env->name, "revert"));
    rb_json_set(document, "objective:j stops:b flagsMove:b checksRun:b apart:b",
                env->rto < 0 ? NULL : json_integer(env->rto), env->stop.n > 0 || env->start.n > 0,
                plan->parts[RB_PART_FLAGS], rb_checks_count(env, NULL) > 0, apart);
    json_object_set_new(document, "failures", list_failures(plan, document));
    complete(document);
    rb_template_fill(out, rb_runbook, document, NULL);
}

/* Returns, as text, the proof's result for the down of a new migration. */
static const char *way_back(const char *restores)
{
    static const char *const words[][2] = {
        {"identical", "its down restores schema and data"},
        {"order", "its down restores schema and data, with columns in another order"},
        {"differs", "its down leaves another schema, which was accepted"},
        {"fails", "its down fails: it cannot go back"},
        {"missing", "it has no down: it cannot go back"},
        {"untested", "its down could not be tried on every row"},
        {"code", "it is code that rbtool cannot run: it goes back by hand"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (rb_text_same(words[i][0], restores))
            return words[i][1];
    return "its way back is not known";
}

static json_t *places(const json_t *list)
{
    json_t *names = json_array();
    rb_json_each (item, list) {
        RB_AUTO(rb_free_str) char *name = rb_template("{table}[.{column}]", item);
        json_array_append_new(names, rb_json_text(name));
    }
    return names;
}

static json_t *new_migrations(const rb_manifest *manifest)
{
    json_t *list = json_array();
    for (size_t i = 0; i < manifest->database_count; i++)
        rb_json_each (item, json_object_get(manifest->databases[i].proof, "migrations"))
            json_array_append_new(list,
                                  rb_json_make("database:s id:t back:s destroys:j discards:j",
                                               manifest->databases[i].name, rb_json_str(item, "id"),
                                               way_back(rb_json_str(item, "restores")),
                                               places(json_object_get(item, "destroys")),
                                               places(json_object_get(item, "discards"))));
    return list;
}

void rb_runbook_write_release(rb_buf *out, const rb_release *release)
{
    const rb_manifest *manifest = release->manifest;
    json_t *secrets = json_array();
    RB_AUTO(rb_free_str) char *revert = rb_format("rbtool revert %s --env ENV", release->tag);
    rb_json_each_member (name, version, manifest->secrets)
        json_array_append_new(secrets, rb_json_make("name:s version:J", name, version));
    RB_AUTO(rb_json_freep)
    json_t *document = rb_json_make(
        "program:s environment:s from:s app:s version:s commit:s previous:s class:s flags:b "
        "migrations:j secrets:j revert:s",
        "rbtool", "ENV", release->tag, manifest->app_name, manifest->app_version, manifest->commit,
        manifest->previous ? manifest->previous->tag : NULL, manifest->class_,
        manifest->flags_path != NULL, new_migrations(manifest), secrets, revert);
    rb_template_fill(out, rb_runbook, document, NULL);
}
