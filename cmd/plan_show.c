/* Prints a plan as text, made from its JSON document. */
#include <string.h>

#include "base/template.h"
#include "base/text.h"
#include "env_session.h"
#include "environment/drift.h"
#include "release/flags.h"
#include "transition/parts.h"
#include "ui.h"

#define FLAGS_SHOWN 20 /* flags that the text lists; --json has all */

/* Appends a heading, and a line for each item of the list. */
static void add_list(rb_buf *out, const char *head, const char *template, const json_t *list)
{
    if (head && json_array_size(list) > 0)
        rb_ui_add(out, "%s", head);
    rb_json_each (item, list)
        rb_ui_add_item(out, template, item);
}

void rb_env_session_add_drift(rb_buf *out, const char *head, const json_t *item)
{
    const json_t *flags = json_object_get(item, "flags");
    RB_AUTO(rb_free_str) char *words = rb_drift_words(item);
    rb_ui_add(out, "%s %s %s: %s", head, rb_json_str(item, "part"), rb_json_str(item, "path"),
              words);
    if (json_array_size(flags) == 0)
        add_list(out, NULL, "      {.}", json_object_get(item, "lines"));
    rb_json_each (flag, flags) {
        if (flag_at == FLAGS_SHOWN) {
            rb_ui_add(out, "      and %zu more flags (--json lists all)",
                      json_array_size(flags) - flag_at);
            break;
        }
        RB_AUTO(rb_free_str) char *change = rb_flag_words(flag);
        rb_ui_add(out, "      %c %s", rb_flag_sign(flag), change);
        add_list(out, NULL, "          {.}", json_object_get(flag, "lines"));
    }
}

void rb_env_session_add_recovery(rb_buf *out, const json_t *document, bool reached)
{
    const char *lead = reached ? "  recovery: the moment before the commit" : "recovery point";
    RB_AUTO(rb_free_str)
    char *template = rb_format("%s of {database}: {setting}[, `{pgbackrest}`][ (LSN {lsn}, "
                               "timeline {timeline}, system {system})]",
                               lead);
    rb_json_each (item, json_object_get(document, "recovery"))
        if (rb_json_str(item, "setting"))
            rb_ui_add_item(out, template, item);
}

void rb_env_session_add_backups(rb_buf *out, const json_t *plan)
{
    add_list(out, NULL, "backup of {database}: about {bytes:bytes}, in {path}",
             json_object_get(plan, "backups"));
    add_list(out, NULL,
             "restores from backup {backup}: {database}: {table}[.{column}], up to {upTo:count} "
             "{column?values:rows}, where nobody changed them",
             json_object_get(plan, "restores"));
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

/* Appends the decisions, without data at risk: that has its own section. */
static void add_decisions(rb_buf *out, const json_t *decisions, bool failures)
{
    size_t shown = 0;
    rb_json_each (item, decisions) {
        const char *code = rb_json_str(item, "code");
        if (strcmp(code, "data-loss") == 0 || is_failure(code) != failures)
            continue;
        if (shown++ == 0)
            rb_ui_add(out, failures ? "failures" : "decisions");
        rb_ui_add_item(out, "  - {message}", item);
        if (rb_json_str(item, "hint"))
            rb_ui_add_item(out, "    hint: {hint}", item);
    }
}

/* Returns "2 rows and 7 values". */
static char *sum_of(const json_t *items)
{
    uint64_t n[2] = {0};
    bool exact = true;
    rb_json_each (item, items) {
        bool column = rb_json_str(item, "column") != NULL;
        n[column] += (uint64_t)rb_json_int(item, column ? "values" : "rows", 0);
        exact = exact && !json_is_false(json_object_get(item, "exact"));
    }
    RB_AUTO(rb_free_str) char *rows = rb_text_count(n[0]);
    RB_AUTO(rb_free_str) char *values = rb_text_count(n[1]);
    if (n[0] + n[1] == 0)
        return rb_strdup("nothing");
    return rb_format("%s%s%s%s%s%s%s%s", exact ? "" : "about ", n[0] ? rows : "",
                     n[0] ? " row" : "", n[0] ? rb_text_s(n[0]) : "", n[0] && n[1] ? " and " : "",
                     n[1] ? values : "", n[1] ? " value" : "", n[1] ? rb_text_s(n[1]) : "");
}

static void add_risk(rb_buf *out, const json_t *plan)
{
    const json_t *list = json_object_get(plan, "dataAtRisk");
    const json_t *bound = json_object_get(plan, "bound");
    const char *from = rb_json_str(plan, "from");
    bool back = strcmp(rb_json_str(plan, "kind"), "deploy") != 0;
    if (json_array_size(bound) + json_array_size(list) > 0) {
        RB_AUTO(rb_free_str) char *leaves = sum_of(bound);
        RB_AUTO(rb_free_str) char *lost = sum_of(list);
        rb_ui_add(out, "leaves the database: %s; does not come back by %s %s: %s", leaves,
                  back ? "redeploying" : "reverting", back && from ? from : rb_json_str(plan, "to"),
                  lost);
    }
    if (json_array_size(list) > 0)
        rb_ui_add(out, "<red>data at risk</>");
    rb_json_each (item, list) {
        bool about = json_is_false(json_object_get(item, "exact"));
        RB_AUTO(rb_free_str)
        char *template = rb_format("  - {database}: {table}[.{column}]: %s%s will be lost",
                                   about ? "about " : "",
                                   rb_json_str(item, "column") ? "{values:count} value{values:s}"
                                                               : "{rows:count} row{rows:s}");
        rb_ui_add_item(out, template, item);
    }
}

static void add_feature(rb_buf *out, const json_t *feature)
{
    rb_ui_add_item(out,
                   json_is_true(json_object_get(feature, "changes"))
                       ? "      flag {flag} ({from} -> {to}) switches what migration {migration}[ "
                         "{name}] of {database} brought"
                       : "      flag {flag} is {from} in both releases: it switches what migration "
                         "{migration}[ {name}] of {database} brought, in a release that changes it",
                   feature);
}

/* Returns "2 rows and 7 values at risk". */
static char *stake_of(const json_t *way)
{
    int64_t rows = rb_json_int(way, "rows", -1);
    int64_t values = rb_json_int(way, "values", -1);
    return rb_template(rows < 0                   ? "data at risk is not counted"
                       : rows == 0 && values == 0 ? "nothing at risk"
                       : values == 0              ? "{rows:count} row{rows:s} at risk"
                       : rows == 0                ? "{values:count} value{values:s} at risk"
                                   : "{rows:count} row{rows:s} and {values:count} value{values:s} "
                                     "at risk",
                       way);
}

/* Appends every way back with its cost. rbtool does not choose one. */
static void add_ways(rb_buf *out, const json_t *ways)
{
    if (json_array_size(ways) > 0)
        rb_ui_add(out, "ways back");
    rb_json_each (way, ways) {
        RB_AUTO(rb_free_str) char *stake = stake_of(way);
        double seconds = json_number_value(json_object_get(way, "seconds"));
        double down = json_number_value(json_object_get(way, "downSeconds"));
        if (json_is_null(json_object_get(way, "seconds")))
            rb_ui_add(out, "  - <bold>%s</>: %s; duration unknown", rb_json_str(way, "way"), stake);
        else
            rb_ui_add(out, "  - <bold>%s</>: %s; about %.1f s, %.1f s down",
                      rb_json_str(way, "way"), stake, seconds, down);
        rb_ui_add_item(out, "      {text}", way);
        if (rb_json_str(way, "problem"))
            rb_ui_add_item(out, "      <red>refused as it is</>: {problem}", way);
        rb_json_each (feature, json_object_get(way, "features"))
            add_feature(out, feature);
        rb_ui_add_item(out, "      `{command}`", way);
    }
}

/* seen: the user has agreed to this plan's digest, so that only counts and drift are printed. */
void rb_env_session_show_plan(const rb_cli *cli, const rb_plan *plan, bool seen, bool to_stderr)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    const json_t *json = plan->json;
    RB_AUTO(rb_free_str) char *what = rb_parts_subject(json);
    rb_ui_add(&out, "<bold>%s %s</>: FROM %s TO %s", plan->kind, what,
              rb_json_str(json, "from") ? rb_json_str(json, "from") : "nothing",
              rb_json_str(json, "to"));
    if (rb_json_str(json, "rule"))
        rb_ui_add_item(&out, "TO is {rule}", json);
    if (!seen) {
        rb_ui_add(&out, "steps");
        rb_json_each (step, json_object_get(json, "steps"))
            rb_ui_add(&out, "  %2zu. %-9s %s", step_at + 1, rb_json_str(step, "id"),
                      rb_json_str(step, "description"));
    }
    rb_ui_add_item(&out, "expected: {expected.text}", json);
    if (json_is_object(json_object_get(json, "lastDrill")))
        rb_ui_add_item(&out, "last drill: {at:minute}, {ok?works:found a problem}",
                       json_object_get(json, "lastDrill"));
    add_risk(&out, json);
    if (!seen) {
        rb_env_session_add_backups(&out, json);
        rb_env_session_add_recovery(&out, json, false);
    }
    if (json_array_size(plan->drift) > 0)
        rb_ui_add(&out, "drift");
    rb_json_each (item, plan->drift)
        rb_env_session_add_drift(&out, "  -", item);
    if (!seen) {
        add_list(&out, "notes", "  - {.}", json_object_get(json, "notes"));
        add_decisions(&out, json_object_get(json, "decisions"), true);
        add_decisions(&out, json_object_get(json, "decisions"), false);
        add_ways(&out, json_object_get(json, "waysBack"));
    }
    rb_ui_add(&out, "digest %s%s", plan->digest, seen ? ", agreed to" : "");
    rb_ui_add_item(&out, "Plan: {summary}", json);
    if (rb_json_str(json, "next") && !to_stderr)
        rb_ui_add_item(&out, "next: `{next}`", json);
    rb_ui_text(cli, &out, to_stderr);
}
