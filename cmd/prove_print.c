#include <string.h>

#include "base/template.h"
#include "base/text.h"
#include "prove.h"
#include "ui.h"

/* Returns in a few words what the down script restores. */
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

/* Returns the list as text, "orders.note, the rows of baskets", or "". */
static char *places(const json_t *entry, const char *key)
{
    rb_buf out = {0};
    rb_json_each (place, json_object_get(entry, key)) {
        const char *column = rb_json_str(place, "column");
        rb_buf_printf(&out, "%s%s%s%s%s", place_at ? ", " : "", column ? "" : "the rows of ",
                      rb_json_str(place, "table"), column ? "." : "", column ? column : "");
    }
    return rb_buf_detach(&out);
}

/* Returns the locks as text: "orders (ACCESS EXCLUSIVE, rewritten), users (ROW SHARE)". */
static char *locks(const json_t *entry, const char *direction)
{
    rb_buf out = {0};
    rb_json_each (lock, json_object_get(entry, "locks"))
        if (rb_text_same(rb_json_str(lock, "direction"), direction)) {
            rb_buf_puts(&out, out.len ? ", " : "");
            rb_template_add(&out, "{table} ({mode}{rewrites?, rewritten:})", lock);
        }
    return rb_buf_detach(&out);
}

/* Adds members with texts for both formats: title, way, up, down. Returns the number of findings
 * that are not warnings. */
static size_t describe(const json_t *document)
{
    const bool several = json_array_size(json_object_get(document, "databases")) > 1;
    size_t found = 0;
    rb_json_each (entry, json_object_get(document, "migrations")) {
        RB_AUTO(rb_free_str)
        char *title = rb_template(several ? "{database}: {id}[ {name}]" : "{id}[ {name}]", entry);
        RB_AUTO(rb_free_str) char *up = places(entry, "destroys");
        RB_AUTO(rb_free_str) char *down = places(entry, "discards");
        size_t n = 0;
        rb_json_each (finding, json_object_get(entry, "findings"))
            n += !json_is_true(json_object_get(finding, "warning"));
        rb_json_set(entry, "title:s way:s up:s down:s count:n", title, way_back(entry), up, down,
                    n);
        found += n;
    }
    return found;
}

/* Returns "2 migrations differ from 1f0c3a2b9d4e, 1 finding". */
static char *summary(const json_t *document, size_t found)
{
    const char *base = rb_json_str(document, "base");
    const size_t n = json_array_size(json_object_get(document, "migrations"));
    return rb_format("%zu migration%s%s%.12s, %zu finding%s", n, rb_text_s(n),
                     !base    ? ""
                     : n == 1 ? " differs from "
                              : " differ from ",
                     base ? base : "", found, rb_text_s(found));
}

void rb_prove_text(const rb_cli *cli, const json_t *document)
{
    RB_AUTO(rb_free_str) char *total = summary(document, describe(document));
    rb_json_each (entry, json_object_get(document, "migrations")) {
        rb_ui_item(rb_json_int(entry, "count", 0) > 0 ? "{title}: <red>{way}</>"
                                                      : "{title}: <green>{way}</>",
                   entry);
        if (rb_json_str(entry, "error"))
            rb_ui_item("  {error}", entry);
        if (*rb_json_str(entry, "up"))
            rb_ui_item("  the up destroys {up}", entry);
        if (*rb_json_str(entry, "down"))
            rb_ui_item("  the down discards {down}", entry);
        for (int down = 0; down < 2; down++) {
            RB_AUTO(rb_free_str) char *list = locks(entry, down ? "down" : "up");
            if (*list)
                rb_ui_line("  the %s locks %s", down ? "down" : "up", list);
        }
        rb_json_each (finding, json_object_get(entry, "findings"))
            rb_ui_item("  [{file}:{line}: ]{rule}: {message}{warning? (a warning):}", finding);
    }
    rb_json_each (note, json_object_get(document, "notes"))
        rb_ui_note(cli, "note: %s", json_string_value(note));
    rb_ui_note(cli, "%s", total);
}

static void line(const char *template, const json_t *value, char *(*escape)(const char *))
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_template_with(&text, template, value, escape);
    rb_ui_line("%s", rb_buf_str(&text));
}

/* Escapes text for Markdown: it cannot become markup, HTML, a table column or a mention of a user.
 */
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
    const json_t *migrations = json_object_get(document, "migrations");
    const size_t found = describe(document);
    RB_AUTO(rb_free_str) char *total = summary(document, found);
    rb_ui_line("### rbtool prove: %s", total);
    if (json_array_size(migrations) > 0) {
        rb_ui_line("%s", "");
        rb_ui_line("| Migration | Way back | The up destroys | The down discards | Findings |");
        rb_ui_line("|---|---|---|---|---|");
    }
    rb_json_each (entry, migrations)
        line("| {title} | {way} | {up} | {down} | {count} |", entry, markdown);
    if (found > 0)
        rb_ui_line("%s", "");
    rb_json_each (entry, migrations)
        rb_json_each (finding, json_object_get(entry, "findings"))
            line("- **{rule}** [{file}:{line}, ]migration {migration}: {message}{warning? (a "
                 "warning):}",
                 finding, markdown);
    rb_json_each (note, json_object_get(document, "notes")) {
        if (note_at == 0)
            rb_ui_line("%s", "");
        line("- note: {.}", note, markdown);
    }
    rb_json_each (database, json_object_get(document, "databases"))
        if (rb_json_str(database, "error")) {
            rb_ui_line("%s", "");
            line("**Not proven:** {error}", database, markdown);
        }
}

/* Escapes text for XML 1.0, and replaces U+FFFE and U+FFFF, which XML cannot contain. */
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

static void junit_case(const json_t *entry)
{
    const json_t *findings = json_object_get(entry, "findings");
    const bool good = rb_json_int(entry, "count", 0) == 0;
    line("    <testcase classname=\"{database}\" name=\"{id} {name}\" file=\"{file}\">", entry,
         xml);
    if (good && !rb_json_str(entry, "restores"))
        rb_ui_line("      <skipped message=\"not proven\"/>");
    else if (good && rb_text_same(rb_json_str(entry, "restores"), "untested"))
        line(rb_json_str(entry, "error") ? "      <skipped message=\"{error}\"/>"
                                         : "      <skipped message=\"{way}\"/>",
             entry, xml);
    rb_json_each (finding, good ? NULL : findings)
        line("      <failure type=\"{rule}\" message=\"{message}\">[{file}:{line}]</failure>",
             finding, xml);
    rb_ui_line("    </testcase>");
}

static void junit_suite(const json_t *migrations, json_t *database)
{
    const char *name = rb_json_str(database, "name");
    const bool failed = rb_json_str(database, "error") != NULL;
    size_t tests = failed, failures = 0;
    rb_json_each (entry, migrations)
        if (rb_text_same(rb_json_str(entry, "database"), name)) {
            tests++;
            failures += rb_json_int(entry, "count", 0) > 0;
        }
    rb_json_set(database, "tests:n failures:n errors:d", tests, failures, failed);
    line("  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" "
         "errors=\"{errors}\">",
         database, xml);
    if (failed)
        line("    <testcase classname=\"{name}\" name=\"proof\"><error message=\"{error}\"/>"
             "</testcase>",
             database, xml);
    rb_json_each (entry, migrations)
        if (rb_text_same(rb_json_str(entry, "database"), name))
            junit_case(entry);
    rb_ui_line("  </testsuite>");
}

void rb_prove_junit(const json_t *document)
{
    (void)describe(document);
    rb_ui_line("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    rb_ui_line("<testsuites name=\"rbtool prove\">");
    rb_json_each (database, json_object_get(document, "databases"))
        junit_suite(json_object_get(document, "migrations"), database);
    rb_ui_line("</testsuites>");
}
