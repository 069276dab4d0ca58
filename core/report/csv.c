#include <string.h>

#include "base/template.h"
#include "report/report.h"

static const char *const columns[] = {"entry",   "kind", "at",    "environment",
                                      "tag",     "from", "to",    "outcome",
                                      "seconds", "by",   "trust", "text"};
#define COLUMNS (sizeof columns / sizeof *columns)

/* The rows for each kind of entry: templates for the columns that are not members of their own. */
static const struct rows {
    const char *list;
    const char *kind; /* NULL: the item's own kind */
    const char *outcome;
    const char *text;
} lists[] = {
    {"transitions", NULL, "{outcome}", "{error}"},
    {"drills", "drill", "{outcome}", "{error}"},
    {"verdicts", "verdict", "{verdict}", "{why}"},
    {"approvals", "approval", "", "{why}"},
    {"overrides", "override", "{rule}", "{why}"},
    {"gaps", "gap", "", "{why}"},
    {"policies", "policy", "", "version {version}"},
    {"restores", "restore", "", "{database}: {restored} restored, {missing} missing"},
    {"watches", "watch", "{outcome}", "{rounds} rounds, {failed} failed[: {message}]"},
    {"notes", "note", "", "{text}"},
    {"reviews", "review", "{subject}", "{text}[, due {due}]"},
};

static void add_cell(rb_buf *out, const char *text, bool last)
{
    const bool formula = *text && strchr("=+-@\t\r", *text);
    const bool quoted = formula || strpbrk(text, ",\"\r\n");
    rb_buf_puts(out, quoted ? "\"" : "");
    rb_buf_puts(out, formula ? "'" : "");
    for (; *text; text++) {
        if (*text == '"')
            rb_buf_addc(out, '"');
        rb_buf_addc(out, *text);
    }
    rb_buf_puts(out, quoted ? "\"" : "");
    rb_buf_puts(out, last ? "\r\n" : ",");
}

static void add_row(rb_buf *out, const struct rows *rows, const json_t *item)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        RB_AUTO(rb_free_str) char *member = rb_format("{%s}", columns[i]);
        const char *template = i == 1 && rows->kind                 ? rows->kind
                               : strcmp(columns[i], "outcome") == 0 ? rows->outcome
                               : strcmp(columns[i], "text") == 0    ? rows->text
                                                                    : member;
        RB_AUTO(rb_free_str) char *text = rb_template(template, item);
        add_cell(out, text, i + 1 == COLUMNS);
    }
}

void rb_report_csv(rb_buf *out, const json_t *document)
{
    for (size_t i = 0; i < COLUMNS; i++)
        add_cell(out, columns[i], i + 1 == COLUMNS);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        rb_json_each (item, json_object_get(document, lists[i].list))
            add_row(out, &lists[i], item);
}
