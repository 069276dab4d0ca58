/* Summarises a plan in one line, and makes the command that carries it out. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "transition/host_files.h"
#include "transition/parts.h"
#include "transition/plan_make.h"

char *rb_plan_command(const rb_plan *plan, bool drift)
{
    bool takes = drift && strcmp(plan->kind, "abort") != 0; /* an abort needs no consent to drift */
    return rb_format("%s%s%s%.*s", plan->command ? plan->command : "repeat it with",
                     takes ? " --accept-drift" : "", plan->consent ? " --accept-data-loss " : "",
                     RB_DIGEST_PREFIX, plan->consent ? plan->digest : "");
}

char *rb_plan_with(const rb_plan_request *rq, const char *option)
{
    return rq->command ? rb_format("`%s %s`", rq->command, option) : rb_strdup(option);
}

/* Returns the length of the first word of a command line, with its quotes. */
static size_t word_length(const char *line)
{
    bool quoted = false;
    size_t n = 0;
    for (; line[n] && (quoted || line[n] != ' '); n++)
        if (line[n] == '\'')
            quoted = !quoted;
        else if (line[n] == '\\' && !quoted && line[n + 1])
            n++;
    return n;
}

char *rb_plan_with_value(const rb_plan_request *rq, const char *option, const char *value)
{
    RB_AUTO(rb_free_str) char *pair = rb_format("%s %s", option, value);
    RB_AUTO(rb_free_str) char *start = rb_format(" %s ", option);
    const char *at = rq->command ? strstr(rq->command, start) : NULL;
    if (!at)
        return rb_plan_with(rq, pair);
    const char *rest = at + strlen(start);
    return rb_format("`%.*s %s%s`", (int)(at - rq->command), rq->command, pair,
                     rest + word_length(rest));
}

char *rb_plan_scripts_hint(const rb_plan_database *d, const rb_plan_request *rq)
{
    const char *command = rq->command ? rq->command : "";
    bool down = false;
    for (size_t i = 0; i < d->step_count; i++)
        down = down || !d->steps[i].up;
    if (!down || (!strstr(command, " revert ") && !strstr(command, " deploy ")))
        return rb_strdup("");
    RB_AUTO(rb_free_str) char *scripts = rb_plan_with_value(rq, "--scripts-from", "TAG");
    RB_AUTO(rb_free_str) char *rest = rb_plan_with(rq, "--only app,flags,config");
    const bool whole = !strstr(command, " --only ");
    return rb_format("fix the down script in a later release and take it from there with %s%s%s",
                     scripts, whole ? ", or leave the databases as they are with " : "",
                     whole ? rest : "");
}

/* Counts the flags that only `one` has; changed: also those that have another state in `other`. */
static size_t count_other(const rb_manifest *one, const rb_manifest *other, bool changed)
{
    size_t n = 0;
    for (size_t i = 0; one && i < one->flag_count; i++) {
        const rb_manifest_flag *flag = &one->flags[i];
        size_t j = 0;
        while (other && j < other->flag_count && strcmp(other->flags[j].name, flag->name) != 0)
            j++;
        const rb_manifest_flag *found = other && j < other->flag_count ? &other->flags[j] : NULL;
        n += !found || (changed && (!rb_text_same(flag->state, found->state) ||
                                    !rb_text_same(flag->default_, found->default_)));
    }
    return n;
}

/* Counts the files of a part whose content changes. */
static size_t count_files(const rb_plan *plan, enum rb_part part)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->file_count; i++)
        n +=
            plan->files[i].part == part && !rb_text_same(plan->files[i].had, plan->files[i].brings);
    return n;
}

/* Counts changed flags. If the file changes, at least one: the targeting of a flag may differ. */
static size_t count_flags(const rb_plan *plan, const rb_plan_request *rq)
{
    if (count_files(plan, RB_PART_FLAGS) == 0)
        return 0;
    const rb_release *from = rq->unused[RB_PART_FLAGS] ? NULL : rb_parts_from(rq, RB_PART_FLAGS);
    const rb_manifest *had = from ? from->manifest : NULL;
    size_t n = count_other(had, rq->to->manifest, true) + count_other(rq->to->manifest, had, false);
    return n > 0 ? n : 1;
}

static void add_count(rb_buf *out, size_t n, const char *what, const char *between)
{
    RB_AUTO(rb_free_str) char *count = rb_text_count(n);
    if (n > 0)
        rb_buf_printf(out, "%s%s %s%s", out->len > 0 ? between : "", count, what, rb_text_s(n));
}

static void add_moves(rb_buf *out, const rb_plan *plan, const rb_plan_request *rq)
{
    size_t migrations = 0;
    for (size_t i = 0; i < plan->database_count; i++)
        for (size_t j = 0; j < plan->databases[i].step_count; j++)
            migrations += !plan->databases[i].steps[j].was;
    if (plan->parts[RB_PART_APP] && rq->again == RB_AGAIN_NOT)
        rb_buf_puts(out, "application");
    add_count(out, migrations, "migration", ", ");
    add_count(out, rq->again == RB_AGAIN_NOT ? count_flags(plan, rq) : 0, "flag", ", ");
    add_count(out, rq->again == RB_AGAIN_NOT ? count_files(plan, RB_PART_CONFIG) : 0, "config file",
              ", ");
    if (out->len == 0)
        rb_buf_puts(out, "nothing to write");
}

static void add_risk(rb_buf *out, const rb_plan *plan)
{
    const json_t *list = json_object_get(plan->json, "dataAtRisk");
    int64_t n[2] = {0};
    bool exact = true;
    rb_json_each (item, list) {
        bool column = rb_json_str(item, "column") != NULL;
        n[column] += rb_json_int(item, column ? "values" : "rows", 0);
        exact = exact && !json_is_false(json_object_get(item, "exact"));
    }
    bool tried = true;
    for (size_t i = 0; i < plan->database_count; i++)
        tried = tried && (plan->databases[i].at_risk || plan->databases[i].committed);
    if (n[0] + n[1] == 0) {
        rb_buf_puts(out, tried ? "; no data at risk" : "; data at risk is not counted");
        return;
    }
    RB_AUTO(rb_buf_clear) rb_buf counts = {0};
    add_count(&counts, (size_t)n[0], "row", " and ");
    add_count(&counts, (size_t)n[1], "value", " and ");
    rb_buf_printf(out, "; %s%s at risk", exact ? "" : "about ", counts.data);
}

void rb_plan_sum(rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    add_moves(&out, plan, rq);
    add_risk(&out, plan);
    const json_t *expected = json_object_get(plan->json, "expected");
    if (rb_json_int(expected, "runs", 0) == 0)
        rb_buf_puts(&out, "; duration unknown");
    else
        rb_buf_printf(&out, "; about %.1f s, %.1f s down",
                      json_number_value(json_object_get(expected, "seconds")),
                      json_number_value(json_object_get(expected, "downSeconds")));
    rb_json_set_str(plan->json, "summary", rb_buf_str(&out));
}
