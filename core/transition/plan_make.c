#include "transition/plan_make.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "environment/checks.h"
#include "environment/drift.h"
#include "environment/observe.h"
#include "transition/host_files.h"
#include "transition/parts.h"
#include "transition/recovery_point.h"
#include "transition/secrets.h"
#include "transition/service.h"

#define RUN_SHOWN 8 /* consecutive scripts that a plan's text names individually */

/* Orders of steps (design section 10): a revert turns flags off first, a deploy turns them on last.
 * Without a database the switch is the commit, so that all steps that may fail come before it. */
static const enum rb_step_kind revert_order[] = {
    RB_DO_STAGE,   RB_DO_FLAGS,  RB_DO_STOP,  RB_DO_DATABASE, RB_DO_SWITCH, RB_DO_CONFIG,
    RB_DO_SECRETS, RB_DO_COMMIT, RB_DO_START, RB_DO_CHECKS,   RB_DO_RECORD};
static const enum rb_step_kind file_revert_order[] = {
    RB_DO_STAGE,  RB_DO_FLAGS,  RB_DO_STOP,  RB_DO_DATABASE, RB_DO_CONFIG, RB_DO_SECRETS,
    RB_DO_SWITCH, RB_DO_COMMIT, RB_DO_START, RB_DO_CHECKS,   RB_DO_RECORD};
static const enum rb_step_kind deploy_order[] = {
    RB_DO_STAGE,  RB_DO_STOP,  RB_DO_DATABASE, RB_DO_CONFIG, RB_DO_SECRETS, RB_DO_SWITCH,
    RB_DO_COMMIT, RB_DO_FLAGS, RB_DO_START,    RB_DO_CHECKS, RB_DO_RECORD};

#define HAS_EVERY_KIND(array)                                                                      \
    _Static_assert(sizeof(array) / sizeof *(array) == RB_STEP_KINDS,                               \
                   "a kind of step is missing in " #array)
HAS_EVERY_KIND(revert_order);
HAS_EVERY_KIND(file_revert_order);
HAS_EVERY_KIND(deploy_order);

/* Handles an error in reading a part: a plan that is only shown adds a decision and continues. */
static enum rb_code part_read(rb_plan *plan, const rb_plan_request *rq, enum rb_code code,
                              const rb_err *why)
{
    if (code == RB_OK || !rq->partial)
        return code;
    rb_plan_decide(plan, "unreadable", code, "%s\n%s", why->message, why->hint);
    return RB_OK;
}

/* Compares flag and config files with what they should hold, before anything is changed. */
static enum rb_code observe_files(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    json_t *taken = json_array();
    json_object_set_new(plan->json, "takenOver", taken);
    if (!rq->observe)
        return RB_OK;
    if (plan->parts[RB_PART_APP] && !rq->unused[RB_PART_APP])
        RB_TRY(part_read(
            plan, rq,
            rb_observe_app(plan->drift, rq->env, rb_parts_from(rq, RB_PART_APP)->tag, err), err));
    RB_TRY(part_read(plan, rq, rb_host_files_observe(plan, taken, rq, RB_PART_FLAGS, err), err));
    RB_TRY(part_read(plan, rq, rb_host_files_observe(plan, taken, rq, RB_PART_CONFIG, err), err));
    rb_json_each (item, taken) {
        rb_plan_note(plan,
                     "%s exists, and no release delivered it: it is replaced, backed up below "
                     ".rbtool/backups, and restored with a release that has no such file",
                     rb_json_str(item, "path"));
    }
    return RB_OK;
}

static bool has_files(const rb_plan *plan, enum rb_part part)
{
    for (size_t i = 0; i < plan->file_count; i++)
        if (plan->files[i].part == part)
            return true;
    return false;
}

static bool has_work(const rb_plan *plan, const rb_plan_request *rq, enum rb_step_kind kind)
{
    if (rq->again != RB_AGAIN_NOT && kind != RB_DO_CHECKS && kind != RB_DO_RECORD &&
        (kind != RB_DO_START || rq->again != RB_AGAIN_START))
        return false;
    bool serves =
        plan->parts[RB_PART_APP] || plan->parts[RB_PART_CONFIG] || plan->database_count > 0;
    switch (kind) {
    case RB_DO_STAGE:
    case RB_DO_SWITCH:
        return plan->parts[RB_PART_APP];
    case RB_DO_FLAGS:
        return has_files(plan, RB_PART_FLAGS);
    case RB_DO_CONFIG:
        return has_files(plan, RB_PART_CONFIG);
    case RB_DO_SECRETS:
        return json_array_size(json_object_get(plan->json, "secrets")) > 0;
    case RB_DO_STOP:
        return rq->env->stop.n > 0 && serves && !rb_service_cannot_run_yet(rq);
    case RB_DO_START:
        return rq->env->start.n > 0 && (serves || rq->again == RB_AGAIN_START);
    case RB_DO_DATABASE:
    case RB_DO_COMMIT:
        return plan->database_count > 0;
    case RB_DO_CHECKS:
        return rb_checks_count(rq->env, rq->kind) > 0;
    case RB_DO_RECORD:
    case RB_STEP_KINDS:
        break;
    }
    return true;
}

static const char *direction(const rb_db_step *step)
{
    return step->was ? "renumber" : step->up ? "up" : "down";
}

/* Describes consecutive scripts of one direction. If there are many, only the first two and the
 * last, since the plan's JSON lists all with their paths. Returns their number. */
static size_t describe_run(rb_buf *out, const rb_db_step *steps, size_t n)
{
    size_t run = 1;
    while (run < n && strcmp(direction(&steps[run]), direction(&steps[0])) == 0)
        run++;
    for (size_t i = 0; i < run; i++) {
        if (run > RUN_SHOWN && i == 2) {
            i = run - 1;
            rb_buf_puts(out, " ...");
        }
        rb_buf_printf(out, " %s", direction(&steps[i]));
        if (steps[i].was)
            rb_buf_printf(out, " %s to", steps[i].was->id);
        rb_buf_printf(out, " %s%s", steps[i].migration->id, i + 1 < run ? "," : "");
    }
    if (run > RUN_SHOWN)
        rb_buf_printf(out, " (%zu scripts)", run);
    return run;
}

/* Appends "one transaction: up 1, up 2", or "2 commits: up 1; outside of a transaction: up 2". */
static void describe_segments(rb_buf *out, const rb_plan_database *d)
{
    const size_t count = rb_db_segment_count(d->steps, d->step_count);
    rb_db_segment s;
    if (count > 1)
        rb_buf_printf(out, "%zu commits:", count);
    else
        rb_buf_puts(out, "one transaction:");
    for (size_t k = 0; rb_db_segment_at(&s, d->steps, d->step_count, k); k++) {
        rb_buf_puts(out, k > 0 ? ";" : "");
        if (s.alone)
            rb_buf_puts(out, " outside of a transaction");
        for (size_t j = s.from; j < s.to;) {
            j += describe_run(out, &d->steps[j], s.to - j);
            rb_buf_puts(out, j < s.to ? "," : "");
        }
    }
}

static char *describe_database(const rb_plan *plan)
{
    rb_buf out = {0};
    for (size_t i = 0; i < plan->database_count; i++) {
        const rb_plan_database *d = &plan->databases[i];
        if (d->unreadable) {
            rb_buf_printf(&out, "%s%s: cannot be read, so its scripts are not known", i ? "; " : "",
                          d->name);
            continue;
        }
        rb_buf_printf(&out, "%s%s%s in ", i ? "; " : "", d->name, d->create ? " (new)" : "");
        describe_segments(&out, d);
        rb_buf_puts(&out, d->step_count ? "; verify schema, foreign keys and SQL checks"
                                        : " no script; verify the schema");
    }
    return rb_buf_detach(&out);
}

static char *describe_command(const char *verb, const rb_strs *command)
{
    RB_AUTO(rb_free_str) char *line = rb_command_line(command);
    return rb_format("%s the service: %s", verb, line);
}

static char *describe(const rb_plan *plan, const rb_plan_request *rq, enum rb_step_kind kind)
{
    const char *to = rq->to->tag;
    RB_AUTO(rb_free_str) char *now = rb_parts_live(plan->json);
    switch (kind) {
    case RB_DO_STAGE:
        return rb_format("rebuild and verify %zu artifact%s of %s into releases/%s",
                         rq->to->manifest->artifact_count,
                         rb_text_s(rq->to->manifest->artifact_count), to, to);
    case RB_DO_FLAGS:
        return rb_host_files_describe(plan, rq, RB_PART_FLAGS);
    case RB_DO_STOP:
        return describe_command("stop", &rq->env->stop);
    case RB_DO_DATABASE:
        return describe_database(plan);
    case RB_DO_SWITCH:
        return rb_format("switch current to releases/%s", to);
    case RB_DO_CONFIG:
        return rb_host_files_describe(plan, rq, RB_PART_CONFIG);
    case RB_DO_SECRETS:
        return rb_secrets_describe(plan);
    case RB_DO_COMMIT:
        return rb_strdup("commit the database: the point of no return");
    case RB_DO_START:
        return describe_command("start", &rq->env->start);
    case RB_DO_CHECKS:
        return rb_format("run %zu check%s", rb_checks_count(rq->env, rq->kind),
                         rb_text_s(rb_checks_count(rq->env, rq->kind)));
    case RB_DO_RECORD:
    case RB_STEP_KINDS:
        break;
    }
    return rb_format("record that %s", now);
}

static void add_steps(rb_plan *plan, const rb_plan_request *rq)
{
    bool forward = strcmp(rq->kind, "deploy") == 0;
    const enum rb_step_kind *order = forward                     ? deploy_order
                                     : plan->database_count == 0 ? file_revert_order
                                                                 : revert_order;
    for (size_t i = 0; i < RB_STEP_KINDS; i++) {
        if (!has_work(plan, rq, order[i]))
            continue;
        const char *id = rb_step_kind_name(order[i]);
        RB_AUTO(rb_free_str) char *text = describe(plan, rq, order[i]);
        plan->order[plan->order_count++] = order[i];
        json_array_append_new(json_object_get(plan->json, "steps"),
                              rb_json_make("id:s kind:s description:t inverse:s", id, id, text,
                                           rb_step_kind_inverse(order[i])));
    }
}

/* Returns the scripts in the order of execution: ids, directions and hashes. */
static json_t *scripts(const rb_plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < plan->database_count; i++) {
        const rb_plan_database *d = &plan->databases[i];
        json_t *steps = json_array();
        for (size_t j = 0; j < d->step_count; j++) {
            const rb_migration *m = d->steps[j].migration;
            if (d->steps[j].was)
                continue;
            const rb_script *script = d->steps[j].up ? &m->up : &m->down;
            json_t *item =
                rb_json_make("id:s direction:s sha256:s path:s", m->id,
                             d->steps[j].up ? "up" : "down", script->sha256, script->path);
            if (d->steps[j].alone)
                json_object_set_new(item, "outside", json_true());
            json_array_append_new(steps, item);
        }
        const size_t commits = rb_db_segment_count(d->steps, d->step_count);
        json_array_append_new(
            list, rb_json_make("name:s commits:i scripts:j", d->name, (int64_t)commits, steps));
    }
    return list;
}

/* Adds a note if the scripts need more than one commit: for a time, only some are committed. */
static void decide_commits(rb_plan *plan)
{
    for (size_t i = 0; i < plan->database_count; i++) {
        const rb_plan_database *d = &plan->databases[i];
        const size_t commits = rb_db_segment_count(d->steps, d->step_count);
        if (commits < 2)
            continue;
        const bool inverse = d->inverse_count == d->step_count && !d->no_way_back;
        plan->consent = true;
        rb_plan_decide(plan, "commits", RB_OK,
                       "database %s: its scripts take %zu commits, because a script cannot run in "
                       "a transaction or needs what another has committed; if one fails after the "
                       "first commit, %s\nto have one commit, release these migrations one by one",
                       d->name, commits,
                       inverse ? "the inverses of the committed scripts run"
                               : "the transition stays half-way, since not all have an inverse");
        if (inverse && json_array_size(d->at_risk) > 0)
            rb_plan_note(
                plan,
                "database %s: data at risk does not come back with the inverse scripts of "
                "a transition that fails after its first commit; `rbtool restore` brings it "
                "back then",
                d->name);
    }
}

/* Adds the command that shows the ways back without the database, when a whole revert fails on it.
 * A plan shows them itself. */
static enum rb_code without_database(const rb_plan_request *rq, rb_err *err)
{
    const rb_err why = *err;
    if (rq->partial || strcmp(rq->kind, "revert") != 0 || !rq->parts[RB_PART_APP])
        return err->code;
    return rb_fail(err, why.code,
                   "%s\n%s%s`rbtool plan %s --env %s` shows the ways back that leave it alone",
                   why.message, why.hint, why.hint[0] ? "; " : "", rq->from->tag, rq->env->name);
}

/* Uses the down scripts, schema and proofs of the release that the databases are at. */
static enum rb_code plan_databases(rb_plan *plan, const rb_plan_request *request, rb_err *err)
{
    rb_plan_request own = *request;
    const rb_plan_request *rq = &own;
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    own.from = rb_parts_from(request, RB_PART_DB);
    if (plan->parts[RB_PART_DB] && rq->again == RB_AGAIN_NOT)
        rb_plan_database_names(&names, rq->from, rq->to);
    plan->databases = rb_calloc(names.n, sizeof *plan->databases);
    for (size_t i = 0; i < names.n; i++) {
        plan->database_count++;
        enum rb_code code =
            rb_plan_database_make(plan, &plan->databases[i], rq, names.items[i], err);
        plan->databases[i].unreadable = code != RB_OK;
        RB_TRY(code == RB_OK ? code : part_read(plan, rq, without_database(rq, err), err));
    }
    return RB_OK;
}

/* With --rehearse, rebuilds and verifies every artifact as well. */
static enum rb_code rehearse_artifacts(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    const int64_t began = rb_clock_ms();
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    enum rb_code code = rb_release_verify(&problems, rq->to, rq->session->repo,
                                          RB_VERIFY_DEEP | RB_VERIFY_NO_CACHE, err);
    if (code == RB_FOUND && problems.n > 0)
        return rb_fail(err, RB_FOUND, "release %s: %s", rq->to->tag, problems.items[0].message);
    if (code != RB_OK)
        return code;
    rb_plan_note(plan,
                 "rehearsed on copies: scripts, schema and SQL checks of %zu database%s; "
                 "artifacts rebuilt and verified in %" PRId64 " ms",
                 plan->database_count, rb_text_s(plan->database_count), rb_clock_ms() - began);
    return RB_OK;
}

/* Notes the verdict that a revert will write. */
static void note_verdict(rb_plan *plan, const rb_plan_request *rq)
{
    if (strcmp(rq->kind, "revert") != 0 || !rq->from)
        return;
    json_object_set_new(plan->json, "marksBad", json_boolean(rq->marks_bad));
    if (rq->marks_bad)
        rb_plan_note(plan, "%s will be marked bad when this has ended", rq->from->tag);
    else
        rb_plan_note(
            plan, "%s will not be marked bad, since only a part of it is reverted; --bad marks it",
            rq->from->tag);
}

enum rb_code rb_plan_make(rb_plan **out, const rb_plan_request *rq, rb_err *err)
{
    RB_AUTO(rb_plan_freep) rb_plan *plan = rb_calloc(1, sizeof *plan);
    plan->kind = rb_strdup(rq->kind);
    plan->id = rb_transition_id();
    plan->command = rb_strdup(rq->command);
    plan->backups = rb_format("%s/.rbtool/backups", rq->env->root);
    plan->json = rb_json_make(
        "from:s to:s environment:s rule:s kind:s steps:j dataAtRisk:j bound:j decisions:j notes:j "
        "only:j parts:j scriptsFrom:s",
        rq->from ? rq->from->tag : NULL, rq->to->tag, rq->env->name, rq->rule, rq->kind,
        json_array(), json_array(), json_array(), json_array(), json_array(), json_array(),
        rb_parts_list(rq), rq->overrides ? rq->overrides->tag : NULL);
    plan->drift = json_array();
    memcpy(plan->parts, rq->parts, sizeof plan->parts);
    rb_host_files_find(plan, rq);
    RB_TRY(part_read(plan, rq, rb_plan_look_at_host(plan, rq, err), err));
    RB_TRY(rb_plan_unmapped_files(plan, rq, err));
    RB_TRY(observe_files(plan, rq, err));
    rb_err why;
    enum rb_code code = plan_databases(plan, rq, &why);
    if (code != RB_OK)
        return rb_fail(err, code, "%s%s\n%s", why.message,
                       code == RB_FOUND ? "; nothing was changed" : "", why.hint);
    json_object_set_new(plan->json, "databases", scripts(plan));
    bool rehearsed = true;
    for (size_t i = 0; i < plan->database_count; i++)
        rehearsed = rehearsed && plan->databases[i].rehearsed;
    json_object_set_new(plan->json, "rehearsed", json_boolean(rehearsed));
    RB_TRY(rb_plan_losses(plan, rq, err));
    RB_TRY(part_read(plan, rq, rb_plan_backups(plan, rq, err), err));
    const bool lossy = plan->consent;
    decide_commits(plan);
    rb_plan_notes(plan, rq);
    rb_plan_secrets(plan, rq);
    note_verdict(plan, rq);
    add_steps(plan, rq);
    rb_plan_times(plan, rq);
    rb_plan_sum(plan, rq);
    json_object_set(plan->json, "drift", plan->drift);
    const char *class_ = lossy ? "lossy" : "reversible";
    rb_json_each (item, json_object_get(plan->json, "decisions"))
        if (strcmp(rb_json_str(item, "code"), "irreversible") == 0)
            class_ = "irreversible";
    rb_json_set(plan->json, "class:s currentBefore:t", class_, plan->current_before);
    rb_plan_digest(plan->digest, plan, rq, NULL);
    rb_json_set_str(plan->json, "digest", plan->digest);
    RB_TRY(part_read(plan, rq, rb_recovery_points_plan(plan, rq, err), err));
    if (rq->rehearse)
        RB_TRY(rehearse_artifacts(plan, rq, err));
    *out = RB_TAKE(plan);
    return RB_OK;
}
