/* Prints a plan as text: cmd/text/plan.txt, filled from its JSON document. */
#include <string.h>

#include "base/embed.h"
#include "base/template.h"
#include "base/text.h"
#include "env_session.h"
#include "environment/drift.h"
#include "release/flags.h"
#include "transition/parts.h"
#include "ui.h"

RB_EMBED(rb_plan_text, "cmd/text/plan.txt");

#define FLAGS_SHOWN 20 /* flags that the text lists; --json has all */

/* Appends the lines of one changed flag. */
static void add_flag(json_t *out, const json_t *flag)
{
    RB_AUTO(rb_free_str) char *change = rb_flag_words(flag);
    json_array_append_new(out, json_sprintf("%c %s", rb_flag_sign(flag), change));
    rb_json_each (line, json_object_get(flag, "lines"))
        json_array_append_new(out, json_sprintf("    %s", json_string_value(line)));
}

json_t *rb_env_session_drift(const json_t *drift)
{
    json_t *list = json_array();
    rb_json_each (item, drift) {
        const json_t *flags = json_object_get(item, "flags");
        RB_AUTO(rb_free_str) char *words = rb_drift_words(item);
        json_t *more = json_array();
        if (json_array_size(flags) == 0 && json_object_get(item, "lines"))
            json_array_extend(more, json_object_get(item, "lines"));
        rb_json_each (flag, flags)
            if (flag_at < FLAGS_SHOWN)
                add_flag(more, flag);
        if (json_array_size(flags) > FLAGS_SHOWN)
            json_array_append_new(more, json_sprintf("and %zu more flags (--json lists all)",
                                                     json_array_size(flags) - FLAGS_SHOWN));
        json_t *line =
            json_sprintf("%s %s: %s", rb_json_str(item, "part"), rb_json_str(item, "path"), words);
        json_array_append_new(list, rb_json_make("line:j more:j", line, more));
    }
    return list;
}

/* True for decisions that no consent can pass. */
static bool is_failure(const char *code)
{
    static const char *const failures[] = {"script", "schema", "check", "unreadable", "space"};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (strcmp(code, failures[i]) == 0)
            return true;
    return false;
}

/* Returns "about 2 rows and 7 values". */
static char *amount(int64_t rows, int64_t values, bool exact)
{
    RB_AUTO(rb_json_freep)
    json_t *n = rb_json_make("rows:i values:i about:b", rows, values, !exact);
    return rb_template(rows > 0 && values > 0
                           ? "{about?about :}{rows:count} row{rows:s} and {values:count} "
                             "value{values:s}"
                       : values > 0 ? "{about?about :}{values:count} value{values:s}"
                       : rows > 0   ? "{about?about :}{rows:count} row{rows:s}"
                                    : "nothing",
                       n);
}

/* Sets "amount" of each item. Returns the sum. */
static char *amounts(json_t *items)
{
    int64_t rows = 0, values = 0;
    bool all_exact = true;
    rb_json_each (item, items) {
        const bool exact = !json_is_false(json_object_get(item, "exact"));
        const bool column = rb_json_str(item, "column") != NULL;
        const int64_t n = rb_json_int(item, column ? "values" : "rows", 0);
        RB_AUTO(rb_free_str) char *text = amount(column ? 0 : n, column ? n : 0, exact);
        rb_json_set(item, "amount:s", text);
        rows += column ? 0 : n;
        values += column ? n : 0;
        all_exact = all_exact && exact;
    }
    return amount(rows, values, all_exact);
}

static void describe_risk(json_t *plan)
{
    json_t *list = json_object_get(plan, "dataAtRisk");
    json_t *bound = json_object_get(plan, "bound");
    RB_AUTO(rb_free_str) char *leaves = amounts(bound);
    RB_AUTO(rb_free_str) char *lost = amounts(list);
    if (json_array_size(bound) + json_array_size(list) == 0)
        return;
    const char *from = rb_json_str(plan, "from");
    const bool back = strcmp(rb_json_str(plan, "kind"), "deploy") != 0;
    RB_AUTO(rb_free_str)
    char *words = rb_format("%s %s", back ? "redeploying" : "reverting",
                            back && from ? from : rb_json_str(plan, "to"));
    rb_json_set(plan, "leaves:s lost:s back:s", leaves, lost, words);
}

static void describe_ways(json_t *ways)
{
    rb_json_each (way, ways) {
        const int64_t rows = rb_json_int(way, "rows", -1);
        const double seconds = json_number_value(json_object_get(way, "seconds"));
        const double down = json_number_value(json_object_get(way, "downSeconds"));
        RB_AUTO(rb_free_str) char *n = amount(rows, rb_json_int(way, "values", -1), true);
        RB_AUTO(rb_free_str)
        char *stake =
            rows < 0 ? rb_strdup("data at risk is not counted") : rb_format("%s at risk", n);
        RB_AUTO(rb_free_str)
        char *duration = json_is_null(json_object_get(way, "seconds"))
                             ? rb_strdup("duration unknown")
                             : rb_format("about %.1f s, %.1f s down", seconds, down);
        rb_json_set(way, "stake:s duration:s", stake, duration);
    }
}

/* seen: the user has agreed to this plan's digest, so that only counts and drift are printed. */
void rb_env_session_show_plan(const rb_cli *cli, const rb_plan *plan, bool seen, bool to_stderr)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    RB_AUTO(rb_json_freep) json_t *json = json_deep_copy(plan->json);
    RB_AUTO(rb_free_str) char *subject = rb_parts_subject(json);
    json_t *failures = json_array();
    json_t *choices = json_array();
    rb_json_each (item, json_object_get(json, "decisions")) {
        const char *code = rb_json_str(item, "code");
        if (strcmp(code, "data-loss") != 0) /* that has its own section */
            json_array_append(is_failure(code) ? failures : choices, item);
    }
    rb_json_each (step, json_object_get(json, "steps"))
        rb_json_set(step, "number:n", step_at + 1);
    describe_risk(json);
    describe_ways(json_object_get(json, "waysBack"));
    rb_json_set(json, "subject:s all:b drift:j failures:j choices:j digest:s", subject, !seen,
                rb_env_session_drift(plan->drift), failures, choices, plan->digest);
    if (to_stderr)
        json_object_del(json, "next");
    rb_ui_fill(&out, rb_plan_text, json, NULL);
    rb_ui_text(cli, &out, to_stderr);
}
