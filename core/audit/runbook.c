#include "audit/runbook.h"

#include <string.h>

#include "environment/drift.h"
#include "transition/parts.h"

static void add_command(rb_buf *out, const rb_strs *command)
{
    rb_buf_puts(out, "`");
    for (size_t i = 0; i < command->n; i++)
        rb_buf_printf(out, "%s%s", i ? " " : "", command->items[i]);
    rb_buf_puts(out, "`");
}

static void detection(rb_buf *out, const rb_env *env, const char *from)
{
    rb_buf_printf(out,
                  "## Detection\n\n- `rbtool status --env %s --exit-code` shows drift from %s.\n",
                  env->name, from);
    for (size_t i = 0; i < env->check_count; i++) {
        rb_buf_printf(out, "- check **%s**: ", env->checks[i].name);
        add_command(out, &env->checks[i].command);
        rb_buf_printf(out, " fails, or takes longer than %d s\n", env->checks[i].timeout);
    }
    rb_buf_puts(out, "\n");
}

static void decision(rb_buf *out, const rb_plan *plan, const rb_env *env)
{
    const json_t *risk = json_object_get(plan->json, "dataAtRisk");
    size_t i;
    json_t *item;
    rb_buf_puts(out, "## Decision\n\n");
    if (env->rto >= 0)
        rb_buf_printf(out, "- Restore within %d s of the decision (objective).\n", env->rto);
    rb_buf_puts(
        out, "- **Whole** revert when the fault may be in code, schema or data together.\n"
             "- **Partial** (`--only flags`, or `--only app,flags,config`) when a flag turns the "
             "fault off, or the previous application runs on this schema.\n");
    if (json_array_size(risk) == 0)
        rb_buf_puts(out, "- No data is lost by going back.\n");
    json_array_foreach ((json_t *)risk, i, item) {
        const char *column = rb_json_str(item, "column");
        rb_buf_printf(out, "- **Data at risk**: %s: %s%s%s, %s%" JSON_INTEGER_FORMAT " %s\n",
                      rb_json_str(item, "database"), rb_json_str(item, "table"), column ? "." : "",
                      column ? column : "",
                      json_is_false(json_object_get(item, "exact")) ? "about " : "",
                      (json_int_t)rb_json_int(item, column ? "values" : "rows", 0),
                      column ? "values" : "rows");
    }
    json_array_foreach (plan->drift, i, item) {
        RB_AUTO(rb_free_str) char *words = rb_drift_words(item);
        rb_buf_printf(out, "- **Drift** that is accepted: %s %s: %s\n", rb_json_str(item, "part"),
                      rb_json_str(item, "path"), words);
    }
    json_array_foreach (json_object_get(plan->json, "decisions"), i, item)
        if (strcmp(rb_json_str(item, "code"), "data-loss") != 0)
            rb_buf_printf(out, "- %s: %s\n", rb_json_str(item, "code"),
                          rb_json_str(item, "message"));
    json_array_foreach (json_object_get(plan->json, "notes"), i, item)
        rb_buf_printf(out, "- %s\n", json_string_value(item));
    rb_buf_puts(out, "\n");
}

static void execution(rb_buf *out, const rb_plan *plan, const rb_env *env, const char *from,
                      const char *to)
{
    RB_AUTO(rb_free_str) char *only = rb_parts_option(plan->json);
    rb_buf_printf(out, "## Execution\n\n```\nrbtool revert %s --to %s --env %s%s%s%s%s\n```\n\n",
                  from, to, env->name, only,
                  json_array_size(plan->drift) > 0 ? " --accept-drift" : "",
                  plan->consent ? " --accept-data-loss " : "", plan->consent ? plan->digest : "");
    size_t i;
    json_t *step;
    json_array_foreach (json_object_get(plan->json, "steps"), i, step) {
        const char *inverse = rb_json_str(step, "inverse");
        rb_buf_printf(out, "%zu. **%s**: %s%s%s%s\n", i + 1, rb_json_str(step, "id"),
                      rb_json_str(step, "description"), inverse ? " (inverse: " : "",
                      inverse ? inverse : "", inverse ? ")" : "");
    }
    rb_buf_printf(
        out,
        "\nIf it stops half-way (exit 3): `rbtool resume --env %s` goes on, `rbtool abort "
        "--env %s` goes back.\n\n",
        env->name, env->name);
}

static void verification(rb_buf *out, const rb_env *env, const char *to)
{
    rb_buf_printf(out,
                  "## Verification\n\n- `rbtool status --env %s --exit-code` says %s, settled, "
                  "without drift.\n- `git verify-tag %s` accepts the release's signature.\n",
                  env->name, to, to);
    for (size_t i = 0; i < env->check_count; i++) {
        rb_buf_printf(out, "- check **%s** passes: ", env->checks[i].name);
        add_command(out, &env->checks[i].command);
        rb_buf_puts(out, "\n");
    }
    rb_buf_puts(out, "\n");
}

static void people(rb_buf *out, const char *title, const rb_strs *names)
{
    rb_buf_printf(out, "- %s:", title);
    for (size_t i = 0; i < names->n; i++)
        rb_buf_printf(out, "%s %s", i ? "," : "", names->items[i]);
    rb_buf_puts(out, names->n ? "\n" : " none configured\n");
}

void rb_runbook_write(rb_buf *out, const rb_plan *plan, const rb_env *env)
{
    const char *from = rb_json_str(plan->json, "from");
    const char *to = rb_json_str(plan->json, "to");
    const char *rule = rb_json_str(plan->json, "rule");
    from = from ? from : "nothing";
    rb_buf_printf(out, "# Runbook: revert %s in %s\n\nFROM %s TO %s (%s). Plan digest `%s`.\n\n",
                  from, env->name, from, to, rule ? rule : "chosen by hand", plan->digest);
    detection(out, env, from);
    decision(out, plan, env);
    execution(out, plan, env, from, to);
    verification(out, env, to);
    rb_buf_puts(out, "## People\n\n");
    people(out, "owners", &env->owners);
    people(out, "escalation", &env->escalation);
}
