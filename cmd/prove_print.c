#include <string.h>

#include "base/text.h"
#include "prove.h"
#include "ui.h"

/* What happens to the migration's work when its down runs. */
static const char *way_back(const json_t *entry)
{
    static const struct {
        const char *restores;
        const char *text;
    } texts[] = {{"identical", "the down restores schema and data"},
                 {"order", "the down restores schema and data, with other positions of columns"},
                 {"differs", "the down does not restore what was there before"},
                 {"fails", "the down fails"},
                 {"missing", "it has no down"},
                 {"code", "it is code that rbtool cannot run"},
                 {"untested", "the down could not be tried on every row"}};
    const char *restores = rb_json_str(entry, "restores");
    bool comes_back = rb_text_same(restores, "identical") || rb_text_same(restores, "order");
    if (comes_back && json_array_size(json_object_get(entry, "destroys")) > 0)
        return "the down restores the schema, but not all data";
    for (size_t i = 0; restores && i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].restores, restores) == 0)
            return texts[i].text;
    return "not proven";
}

static char *title(const json_t *document, const json_t *entry)
{
    bool several = json_array_size(json_object_get(document, "databases")) > 1;
    const char *name = rb_json_str(entry, "name");
    return rb_format("%s%s%s%s%s", several ? rb_json_str(entry, "database") : "",
                     several ? ": " : "", rb_json_str(entry, "id"), name && *name ? " " : "",
                     name ? name : "");
}

/* "orders.note, the rows of baskets"; "" for an empty list. */
static char *places(const json_t *entry, const char *key)
{
    rb_buf out = {0};
    size_t i;
    json_t *place;
    json_array_foreach (json_object_get(entry, key), i, place) {
        const char *column = rb_json_str(place, "column");
        rb_buf_printf(&out, "%s%s%s%s%s", i ? ", " : "", column ? "" : "the rows of ",
                      rb_json_str(place, "table"), column ? "." : "", column ? column : "");
    }
    return rb_buf_detach(&out);
}

/* "migrations/2_b.down.sql:1"; "" for a finding without a file. */
static char *position(const json_t *finding)
{
    const char *file = rb_json_str(finding, "file");
    return *file ? rb_format("%s:%lld", file, (long long)rb_json_int(finding, "line", 1))
                 : rb_strdup("");
}

static size_t count_findings(const json_t *document)
{
    size_t i, n = 0;
    json_t *entry;
    json_array_foreach (json_object_get(document, "migrations"), i, entry)
        n += json_array_size(json_object_get(entry, "findings"));
    return n;
}

/* "2 migrations differ from 1f0c3a2b9d4e, 1 finding" */
static char *summary(const json_t *document)
{
    const char *base = rb_json_str(document, "base");
    const size_t n = json_array_size(json_object_get(document, "migrations"));
    const size_t found = count_findings(document);
    return rb_format("%zu migration%s%s%.12s, %zu finding%s", n, rb_text_s(n),
                     !base    ? ""
                     : n == 1 ? " differs from "
                              : " differ from ",
                     base ? base : "", found, rb_text_s(found));
}

/* "orders (ACCESS EXCLUSIVE, rewritten), users (ROW SHARE)" */
static char *locks(const json_t *entry, const char *direction)
{
    rb_buf out = {0};
    size_t i;
    json_t *lock;
    json_array_foreach (json_object_get(entry, "locks"), i, lock)
        if (strcmp(rb_json_str(lock, "direction"), direction) == 0)
            rb_buf_printf(&out, "%s%s (%s%s)", out.len ? ", " : "", rb_json_str(lock, "table"),
                          rb_json_str(lock, "mode"),
                          json_is_true(json_object_get(lock, "rewrites")) ? ", rewritten" : "");
    return rb_buf_detach(&out);
}

void rb_prove_text(const rb_cli *cli, const json_t *document)
{
    static const char *const lists[][2] = {{"destroys", "the up destroys"},
                                           {"discards", "the down discards"}};
    size_t i, j;
    json_t *entry, *finding, *note;
    json_array_foreach (json_object_get(document, "migrations"), i, entry) {
        RB_AUTO(rb_free_str) char *name = title(document, entry);
        const json_t *findings = json_object_get(entry, "findings");
        const char *error = rb_json_str(entry, "error");
        rb_ui_line("%s: %s%s%s", name,
                   rb_ui_color(cli, json_array_size(findings) ? RB_RED : RB_GREEN), way_back(entry),
                   rb_ui_color(cli, RB_PLAIN));
        if (error)
            rb_ui_line("  %s", error);
        for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
            RB_AUTO(rb_free_str) char *list = places(entry, lists[k][0]);
            if (*list)
                rb_ui_line("  %s %s", lists[k][1], list);
        }
        for (int down = 0; down < 2; down++) {
            RB_AUTO(rb_free_str) char *list = locks(entry, down ? "down" : "up");
            if (*list)
                rb_ui_line("  the %s locks %s", down ? "down" : "up", list);
        }
        json_array_foreach (findings, j, finding) {
            RB_AUTO(rb_free_str) char *at = position(finding);
            rb_ui_line("  %s%s%s: %s", at, *at ? ": " : "", rb_json_str(finding, "rule"),
                       rb_json_str(finding, "message"));
        }
    }
    json_array_foreach (json_object_get(document, "notes"), i, note)
        rb_ui_note(cli, "note: %s", json_string_value(note));
    RB_AUTO(rb_free_str) char *total = summary(document);
    rb_ui_note(cli, "%s", total);
}

/* Escapes text so that it is only text: no markup, HTML, table columns or mentions of users. */
static char *markdown(const char *text)
{
    rb_buf out = {0};
    for (; *text; text++) {
        if (strchr("\\`*_[]()#|~@!", *text))
            rb_buf_addc(&out, '\\');
        if (*text == '<' || *text == '>' || *text == '&')
            rb_buf_puts(&out, *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : "&amp;");
        else
            rb_buf_addc(&out, *text);
    }
    return rb_buf_detach(&out);
}

void rb_prove_markdown(const json_t *document)
{
    size_t i, j;
    json_t *entry, *finding, *note, *database;
    RB_AUTO(rb_free_str) char *total = summary(document);
    rb_ui_line("### rbtool prove: %s", total);
    if (json_array_size(json_object_get(document, "migrations")) > 0) {
        rb_ui_line("%s", "");
        rb_ui_line("| Migration | Way back | The up destroys | The down discards | Findings |");
        rb_ui_line("|---|---|---|---|---|");
    }
    json_array_foreach (json_object_get(document, "migrations"), i, entry) {
        RB_AUTO(rb_free_str) char *name = title(document, entry);
        RB_AUTO(rb_free_str) char *destroys = places(entry, "destroys");
        RB_AUTO(rb_free_str) char *discards = places(entry, "discards");
        RB_AUTO(rb_free_str) char *safe_name = markdown(name);
        RB_AUTO(rb_free_str) char *safe_destroys = markdown(destroys);
        RB_AUTO(rb_free_str) char *safe_discards = markdown(discards);
        rb_ui_line("| %s | %s | %s | %s | %zu |", safe_name, way_back(entry), safe_destroys,
                   safe_discards, json_array_size(json_object_get(entry, "findings")));
    }
    if (count_findings(document) > 0)
        rb_ui_line("%s", "");
    json_array_foreach (json_object_get(document, "migrations"), i, entry) {
        json_array_foreach (json_object_get(entry, "findings"), j, finding) {
            RB_AUTO(rb_free_str) char *at = position(finding);
            RB_AUTO(rb_free_str) char *safe_at = markdown(at);
            RB_AUTO(rb_free_str) char *safe_id = markdown(rb_json_str(finding, "migration"));
            RB_AUTO(rb_free_str) char *message = markdown(rb_json_str(finding, "message"));
            rb_ui_line("- **%s** %s%smigration %s: %s", rb_json_str(finding, "rule"), safe_at,
                       *safe_at ? ", " : "", safe_id, message);
        }
    }
    json_array_foreach (json_object_get(document, "notes"), i, note) {
        RB_AUTO(rb_free_str) char *message = markdown(json_string_value(note));
        if (i == 0)
            rb_ui_line("%s", "");
        rb_ui_line("- note: %s", message);
    }
    json_array_foreach (json_object_get(document, "databases"), i, database) {
        const char *error = rb_json_str(database, "error");
        RB_AUTO(rb_free_str) char *message = error ? markdown(error) : NULL;
        if (error) {
            rb_ui_line("%s", "");
            rb_ui_line("**Not proven:** %s", message);
        }
    }
}

/* Character data and attribute values of XML 1.0, which cannot hold U+FFFE and U+FFFF at all. */
static char *xml(const char *text)
{
    static const char special[] = "&<>\"";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    RB_AUTO(rb_free_str) char *safe = rb_safe(text);
    rb_buf out = {0};
    for (const char *p = safe; *p; p++) {
        const char *hit = strchr(special, *p);
        if (strncmp(p, "\xef\xbf\xbe", 3) == 0 || strncmp(p, "\xef\xbf\xbf", 3) == 0) {
            rb_buf_puts(&out, "?");
            p += 2;
        } else if (hit) {
            rb_buf_puts(&out, names[hit - special]);
        } else {
            rb_buf_addc(&out, *p);
        }
    }
    return rb_buf_detach(&out);
}

static void junit_case(const json_t *entry, const char *suite)
{
    const json_t *findings = json_object_get(entry, "findings");
    const char *error = rb_json_str(entry, "error");
    const char *file = rb_json_str(entry, "file");
    const char *name = rb_json_str(entry, "name");
    RB_AUTO(rb_free_str)
    char *full = rb_format("%s %s", rb_json_str(entry, "id"), name ? name : "");
    RB_AUTO(rb_free_str) char *safe_name = xml(full);
    RB_AUTO(rb_free_str) char *safe_file = xml(file ? file : "");
    RB_AUTO(rb_free_str) char *safe_error = xml(error ? error : way_back(entry));
    size_t i;
    json_t *finding;
    rb_ui_line("    <testcase classname=\"%s\" name=\"%s\" file=\"%s\">", suite, safe_name,
               safe_file);
    if (json_array_size(findings) == 0 && !rb_json_str(entry, "restores"))
        rb_ui_line("      <skipped message=\"not proven\"/>");
    else if (json_array_size(findings) == 0 &&
             rb_text_same(rb_json_str(entry, "restores"), "untested"))
        rb_ui_line("      <skipped message=\"%s\"/>", safe_error);
    json_array_foreach (findings, i, finding) {
        RB_AUTO(rb_free_str) char *at = position(finding);
        RB_AUTO(rb_free_str) char *safe_at = xml(at);
        RB_AUTO(rb_free_str) char *message = xml(rb_json_str(finding, "message"));
        rb_ui_line("      <failure type=\"%s\" message=\"%s\">%s</failure>",
                   rb_json_str(finding, "rule"), message, safe_at);
    }
    rb_ui_line("    </testcase>");
}

static void junit_suite(const json_t *document, const json_t *database)
{
    const char *name = rb_json_str(database, "name");
    const char *error = rb_json_str(database, "error");
    size_t i, tests = error != NULL, failures = 0;
    json_t *entry;
    json_array_foreach (json_object_get(document, "migrations"), i, entry) {
        if (!rb_text_same(rb_json_str(entry, "database"), name))
            continue;
        tests++;
        failures += json_array_size(json_object_get(entry, "findings")) > 0;
    }
    RB_AUTO(rb_free_str) char *safe = xml(name);
    RB_AUTO(rb_free_str) char *message = xml(error ? error : "");
    rb_ui_line("  <testsuite name=\"%s\" tests=\"%zu\" failures=\"%zu\" errors=\"%d\">", safe,
               tests, failures, error != NULL);
    if (error)
        rb_ui_line("    <testcase classname=\"%s\" name=\"proof\"><error message=\"%s\"/>"
                   "</testcase>",
                   safe, message);
    json_array_foreach (json_object_get(document, "migrations"), i, entry)
        if (rb_text_same(rb_json_str(entry, "database"), name))
            junit_case(entry, safe);
    rb_ui_line("  </testsuite>");
}

void rb_prove_junit(const json_t *document)
{
    size_t i;
    json_t *database;
    rb_ui_line("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    rb_ui_line("<testsuites name=\"rbtool prove\">");
    json_array_foreach (json_object_get(document, "databases"), i, database)
        junit_suite(document, database);
    rb_ui_line("</testsuites>");
}
