#include "report/runbook.h"

#include <string.h>

#include "base/template.h"
#include "base/text.h"
#include "environment/checks.h"
#include "environment/drift.h"
#include "transition/parts.h"
#include "transition/plan_make.h"

static void detection(rb_buf *out, const rb_env *env, const char *program)
{
    rb_buf_printf(out,
                  "## Detection\n\n- `%s check --env %s` runs the checks now, and exits with 1 "
                  "where one fails.\n- `%s status --env %s --exit-code` exits with 1 and shows "
                  "`unhealthy` or `DOWN`, by the checks that ran last.\n",
                  program, env->name, program, env->name);
    for (size_t i = 0; i < env->check_count; i++) {
        const rb_env_check *check = &env->checks[i];
        RB_AUTO(rb_free_str) char *command = rb_check_line(check);
        rb_buf_printf(out, "- check **%s**%s%s: `%s` fails, or does not pass within %d s\n",
                      check->name, check->after ? ", at the end of a " : "",
                      check->after ? check->after : "", command, check->timeout);
    }
    rb_buf_puts(out, "\n");
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

static void ways(rb_buf *out, const rb_plan *plan)
{
    const json_t *list = json_object_get(plan->json, "waysBack");
    if (json_array_size(list) > 0)
        rb_buf_puts(out, "\nThe ways back, and when to take which:\n\n");
    rb_json_each (way, list) {
        rb_template_add(out, "- **{way}**", way);
        rb_buf_printf(out, ": %s.", criteria(way));
        rb_template_add(out, "[ **Refused as it is**: {problem}.]", way);
        rb_template_add(out,
                        " {values:count} values and {rows:count} rows at risk[, about {seconds} s]."
                        "\n\n      {command}\n\n",
                        way);
    }
}

static void decision(rb_buf *out, const rb_plan *plan, const rb_env *env)
{
    const json_t *risk = json_object_get(plan->json, "dataAtRisk");
    rb_buf_puts(out, "## Decision\n\n");
    if (env->rto >= 0)
        rb_buf_printf(out, "- Restore within %d s of the decision (objective).\n", env->rto);
    rb_buf_printf(out, "- %s.\n- How long: %s.\n", rb_json_str(plan->json, "summary"),
                  rb_json_str(json_object_get(plan->json, "expected"), "text"));
    rb_buf_puts(
        out, "- **Whole** revert when the fault may be in code, schema or data together.\n"
             "- **Partial** (`--only flags`, or `--only app,flags,config`) when a flag turns the "
             "fault off, or the previous application runs on this schema.\n");
    if (json_array_size(risk) == 0)
        rb_buf_puts(out, "- No data is lost by going back.\n");
    else
        rb_buf_printf(
            out,
            "- What is lost is backed up below `%s` first. It is restored where the "
            "transition is undone and nobody changed it; `rbtool restore` does the rest.\n",
            plan->backups);
    rb_json_each (item, risk) {
        bool about = json_is_false(json_object_get(item, "exact"));
        bool column = rb_json_str(item, "column") != NULL;
        RB_AUTO(rb_free_str)
        char *template =
            rb_format("- **Data at risk**: {database}: {table}[.{column}], %s%s\n",
                      about ? "about " : "", column ? "{values} values" : "{rows} rows");
        rb_template_add(out, template, item);
    }
    rb_json_each (item, plan->drift) {
        RB_AUTO(rb_free_str) char *words = rb_drift_words(item);
        rb_buf_printf(out, "- **Drift** that is accepted: %s %s: %s\n", rb_json_str(item, "part"),
                      rb_json_str(item, "path"), words);
    }
    rb_json_each (item, json_object_get(plan->json, "decisions"))
        if (strcmp(rb_json_str(item, "code"), "data-loss") != 0)
            rb_template_add(out, "- {code}: {message}[ Next: {hint}]\n", item);
    rb_json_each (item, json_object_get(plan->json, "notes"))
        rb_template_add(out, "- {.}\n", item);
    ways(out, plan);
    rb_buf_puts(out, "\n");
}

static void exit_codes(rb_buf *out, const char *env, const char *program)
{
    rb_buf_printf(out,
                  "\n- Exit 0: it is done.\n- Exit 1: a step failed and everything was undone, or "
                  "the checks fail at the "
                  "target: `%s status --env %s` says which.\n"
                  "- Exit 2: it was refused before the first step; the message says what to fix.\n"
                  "- Exit 3, it stopped half-way: `%s resume --env %s` continues, `%s abort "
                  "--env %s` goes back.\n"
                  "- Exit 4, another run holds the environment: `%s status --env %s` shows "
                  "which one and its step; wait for it.\n"
                  "- Exit 5, a person must decide: the message says what, who may, and with which "
                  "command. Approvals of others arrive here with `%s sync`.\n\n",
                  program, env, program, env, program, env, program, env, program);
}

static void execution(rb_buf *out, const rb_plan *plan, const char *env, const char *program)
{
    RB_AUTO(rb_free_str) char *command = rb_plan_command(plan, json_array_size(plan->drift) > 0);
    rb_buf_printf(out, "## Execution\n\n```\n%s\n```\n\n", command);
    rb_json_each (step, json_object_get(plan->json, "steps")) {
        rb_buf_printf(out, "%zu. ", step_at + 1);
        rb_template_add(out, "**{id}**: {description}[ (inverse: {inverse})]\n", step);
    }
    exit_codes(out, env, program);
}

/* Appends what a failure of each step leads to. After the first commit, or the switch, steps are
 * not undone. */
static void failures(rb_buf *out, const rb_plan *plan, const rb_env *env, const char *program)
{
    const char *to = rb_json_str(plan->json, "to");
    const enum rb_step_kind turn = plan->database_count > 0 ? RB_DO_COMMIT : RB_DO_SWITCH;
    bool past = false;
    rb_buf_puts(out, "## If a step fails\n\n");
    for (size_t i = 0; i < plan->order_count; i++) {
        const enum rb_step_kind kind = plan->order[i];
        const char *name = rb_step_kind_name(kind);
        if (kind == RB_DO_START)
            rb_buf_printf(out,
                          "- **%s**: %s is live and the service is DOWN (exit 1). Read what the "
                          "command printed, then `%s status --env %s`; start the service by hand "
                          "if that is quicker.\n",
                          name, to, program, env->name);
        else if (kind == RB_DO_CHECKS)
            rb_buf_printf(out,
                          "- **%s**: %s is live and unhealthy (exit 1). `%s check --env %s` "
                          "runs the checks again; call the escalation.\n",
                          name, to, program, env->name);
        else if (kind != RB_DO_RECORD)
            rb_buf_printf(out, "- **%s**: %s\n", name,
                          past ? "it stops half-way (exit 3). Fix the cause and resume."
                               : "what was done is undone, and the service runs as before (exit "
                                 "1). Fix the cause and run the command again.");
        past = past || kind == turn;
    }
    rb_buf_puts(out, "\n");
}

static void users(rb_buf *out, const rb_plan *plan, const rb_env *env)
{
    bool stops = env->stop.n > 0 || env->start.n > 0;
    rb_buf_puts(out, "## What users see\n\n");
    if (stops)
        rb_buf_printf(out, "- The service is down from step stop to step start. How long: %s.\n",
                      rb_json_str(json_object_get(plan->json, "expected"), "text"));
    else
        rb_buf_puts(out, "- The service is not stopped: who uses it meanwhile may meet files of "
                         "one release and a schema of the other.\n");
    if (plan->parts[RB_PART_FLAGS])
        rb_buf_puts(out, "- Flags change first: features go before the rest does.\n");
    if (json_array_size(json_object_get(plan->json, "dataAtRisk")) > 0)
        rb_buf_puts(out, "- Values that were entered since the release are gone until they are "
                         "restored. Say so before users enter them again.\n");
    rb_buf_puts(out, "\n");
}

static void verification(rb_buf *out, const rb_plan *plan, const rb_env *env, const char *program)
{
    bool apart = false;
    const char *to = rb_json_str(plan->json, "to");
    RB_AUTO(rb_free_str) char *where = rb_parts_after(plan->json, &apart);
    rb_buf_printf(out,
                  "## Verification\n\n- `%s status --env %s --exit-code` begins with `%s: %s` "
                  "and exits with %s.\n- `git verify-tag %s` accepts the release's signature.\n",
                  program, env->name, env->name, where,
                  apart ? "1, since its parts are at different releases" : "0", to);
    if (rb_checks_count(env, NULL) > 0)
        rb_buf_printf(out, "- `%s check --env %s` exits with 0.\n", program, env->name);
    rb_json_each (item, json_object_get(plan->json, "recovery"))
        rb_template_add(out,
                        "- If the server of {database} has to be restored to the moment before the "
                        "commit: `{setting}`[, or `{pgbackrest}`].\n",
                        item);
    rb_buf_printf(
        out,
        "- %s\n\n## Afterwards\n\n- Write down what was found, as a note in the ledger "
        "(rbtool-note(1)).\n- `%s sync` sends the transition and its verdict to the others.\n\n",
        apart ? "The parts that stay were not moved: their release is still FROM, and the "
                "next deploy takes them along."
              : "Every part is at one release: application, databases, flags and config.",
        program);
}

static void people(rb_buf *out, const char *title, const rb_strs *names)
{
    rb_buf_printf(out, "- %s:", title);
    for (size_t i = 0; i < names->n; i++)
        rb_buf_printf(out, "%s %s", i ? "," : "", names->items[i]);
    rb_buf_puts(out, names->n ? "\n" : " none configured\n");
}

static void approvers(rb_buf *out, const char *to, const char *env, const rb_policy *policy,
                      const char *program)
{
    const int needed = rb_policy_approvals(policy, env, "revert");
    RB_AUTO(rb_free_str) char *members = rb_policy_members(policy, RB_ROLE_APPROVE);
    if (rb_policy_count(policy) == 0)
        rb_buf_puts(out, "- may approve: every allowed signer; no policy asks for an approval\n");
    else
        rb_buf_printf(out,
                      "- may approve: %s; a revert takes %d approval%s: `%s approve %s --env %s`, "
                      "then `%s sync` there and here\n",
                      members, needed, rb_text_s((uint64_t)needed), program, to, env, program);
}

void rb_runbook_write(rb_buf *out, const rb_plan *plan, const rb_env *env, const rb_policy *policy,
                      const char *program)
{
    const char *from = rb_json_str(plan->json, "from");
    const char *to = rb_json_str(plan->json, "to");
    const char *rule = rb_json_str(plan->json, "rule");
    from = from ? from : "nothing";
    rb_buf_printf(out, "# Runbook: revert %s in %s\n\nFROM %s TO %s (%s). Plan digest `%s`.\n\n",
                  from, env->name, from, to, rule ? rule : "chosen by hand", plan->digest);
    rb_buf_puts(out, "## People\n\n");
    people(out, "owners", &env->owners);
    people(out, "escalation", &env->escalation);
    approvers(out, to, env->name, policy, program);
    rb_buf_puts(out, "\n");
    detection(out, env, program);
    decision(out, plan, env);
    execution(out, plan, env->name, program);
    failures(out, plan, env, program);
    users(out, plan, env);
    verification(out, plan, env, program);
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

static void places(rb_buf *out, const char *what, const json_t *list)
{
    rb_json_each (item, list) {
        rb_buf_printf(out, "%s", item_at ? ", " : what);
        rb_template_add(out, "{table}[.{column}]", item);
    }
}

static void new_migrations(rb_buf *out, const rb_manifest *manifest)
{
    for (size_t i = 0; i < manifest->database_count; i++) {
        const rb_manifest_database *d = &manifest->databases[i];
        rb_json_each (item, json_object_get(d->proof, "migrations")) {
            RB_AUTO(rb_free_str) char *id = rb_safe(rb_json_str(item, "id"));
            rb_buf_printf(out, "- Database %s, migration %s: %s", d->name, id,
                          way_back(rb_json_str(item, "restores")));
            places(out, "; its up destroys ", json_object_get(item, "destroys"));
            places(out, "; going back discards what was entered in ",
                   json_object_get(item, "discards"));
            rb_buf_puts(out, ".\n");
        }
    }
}

static void release_decision(rb_buf *out, const rb_release *release, const char *back)
{
    const rb_manifest *manifest = release->manifest;
    rb_buf_printf(
        out,
        "## Decision\n\n- The release is %s. `rbtool plan %s --env ENV` counts what is at "
        "risk now and lists the ways back with their cost.\n",
        manifest->class_, release->tag);
    new_migrations(out, manifest);
    rb_json_each_member (name, version, manifest->secrets)
        rb_buf_printf(out, "- Secret %s: this release needs version %s.\n", name,
                      json_string_value(version));
    rb_buf_puts(out, "\nThe ways back, and when to take which:\n\n");
    if (manifest->flags_path)
        rb_buf_printf(out,
                      "- **flags**: the fault is in a feature that a flag turns off.\n\n"
                      "      rbtool revert %s --env ENV --only flags\n\n",
                      release->tag);
    rb_buf_printf(out,
                  "- **application**: the fault is in code, and %s runs on this schema.\n\n"
                  "      rbtool revert %s --env ENV --only app,flags,config\n\n"
                  "- **everything**: the fault may be in code, schema or data together.\n\n"
                  "      rbtool revert %s --env ENV\n\n"
                  "- **forward**: the fault is known and can wait for a fix.\n\n",
                  back, release->tag, release->tag);
}

void rb_runbook_write_release(rb_buf *out, const rb_release *release)
{
    const rb_manifest *manifest = release->manifest;
    const rb_env any = {.name = (char *)"ENV"};
    const char *back = manifest->previous ? manifest->previous->tag : "the release before";
    rb_buf_printf(out,
                  "# Runbook: revert %s\n\n%s %s, from commit `%s`. Previous release: %s.\n\nThis "
                  "was written when the release was made, and knows no environment: put its name "
                  "in the place of ENV. `rbtool plan %s --env ENV --format markdown` writes the "
                  "same with people, times and data at risk.\n\n",
                  release->tag, manifest->app_name, manifest->app_version, manifest->commit,
                  manifest->previous ? manifest->previous->tag : "none", release->tag);
    detection(out, &any, "rbtool");
    release_decision(out, release, back);
    rb_buf_printf(out, "## Execution\n\n```\nrbtool revert %s --env ENV\n```\n", release->tag);
    exit_codes(out, any.name, "rbtool");
    rb_buf_printf(out,
                  "## Verification\n\n- `rbtool status --env ENV --exit-code` begins with the "
                  "release that it went back to, and exits with 0.\n- `rbtool check --env ENV` "
                  "exits with 0.\n- `rbtool sync` sends the transition and its verdict to the "
                  "others.\n");
}
