#include <string.h>

#include "base/embed.h"
#include "base/template.h"
#include "base/text.h"
#include "prove.h"
#include "ui.h"

RB_EMBED(rb_prove_text, "cmd/text/prove.txt");
RB_EMBED(rb_prove_markdown, "cmd/text/prove.md");
RB_EMBED(rb_prove_junit, "cmd/text/prove.xml");

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

/* Adds the members that the formats share: texts, and the numbers of what is found. */
static void describe(json_t *document)
{
    const bool several = json_array_size(json_object_get(document, "databases")) > 1;
    size_t found = 0;
    rb_json_each (entry, json_object_get(document, "migrations")) {
        RB_AUTO(rb_free_str)
        char *title = rb_template(several ? "{database}: {id}[ {name}]" : "{id}[ {name}]", entry);
        RB_AUTO(rb_free_str) char *up = places(entry, "destroys");
        RB_AUTO(rb_free_str) char *down = places(entry, "discards");
        RB_AUTO(rb_free_str) char *locks_up = locks(entry, "up");
        RB_AUTO(rb_free_str) char *locks_down = locks(entry, "down");
        const char *restores = rb_json_str(entry, "restores");
        const char *error = rb_json_str(entry, "error");
        const char *way = way_back(entry);
        const bool untested = !restores || strcmp(restores, "untested") == 0;
        size_t n = 0;
        rb_json_each (finding, json_object_get(entry, "findings"))
            n += !json_is_true(json_object_get(finding, "warning"));
        rb_json_set(entry, "title:s way:s up:s down:s locksUp:s locksDown:s skipped:s count:j",
                    title, way, up, down, locks_up, locks_down,
                    !untested           ? NULL
                    : restores && error ? error
                                        : way,
                    n > 0 ? json_integer((json_int_t)n) : NULL);
        found += n;
    }
    rb_json_each (database, json_object_get(document, "databases")) {
        json_t *cases = json_array();
        size_t failures = 0;
        rb_json_each (entry, json_object_get(document, "migrations"))
            if (rb_text_same(rb_json_str(entry, "database"), rb_json_str(database, "name"))) {
                json_array_append(cases, entry);
                failures += json_is_integer(json_object_get(entry, "count"));
            }
        rb_json_set(database, "tests:n failures:n cases:j",
                    json_array_size(cases) + (rb_json_str(database, "error") != NULL), failures,
                    cases);
    }
    const char *base = rb_json_str(document, "base");
    const size_t n = json_array_size(json_object_get(document, "migrations"));
    RB_AUTO(rb_free_str)
    char *total = rb_format("%zu migration%s%s%.12s, %zu finding%s", n, rb_text_s(n),
                            !base    ? ""
                            : n == 1 ? " differs from "
                                     : " differ from ",
                            base ? base : "", found, rb_text_s(found));
    rb_json_set(document, "total:s count:j", total,
                found > 0 ? json_integer((json_int_t)found) : NULL);
}

/* Escapes text for Markdown: it cannot become markup, HTML, a table column or a mention of a user.
 */
static char *markdown(const char *text)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(text);
    rb_buf out = {0};
    for (const char *p = safe; *p; p++) {
        if (strchr("\\`*_[]()#|~@!", *p))
            rb_buf_addc(&out, '\\');
        if (*p == '<' || *p == '>' || *p == '&')
            rb_buf_puts(&out, *p == '<' ? "&lt;" : *p == '>' ? "&gt;" : "&amp;");
        else
            rb_buf_addc(&out, *p);
    }
    return rb_buf_detach(&out);
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

void rb_prove_print(const rb_cli *cli, json_t *document, const char *format)
{
    const bool text = strcmp(format, "text") == 0;
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    describe(document);
    if (text)
        rb_ui_fill(&out, rb_prove_text, document, NULL);
    else if (strcmp(format, "markdown") == 0)
        rb_ui_fill(&out, rb_prove_markdown, document, markdown);
    else
        rb_ui_fill(&out, rb_prove_junit, document, xml);
    rb_ui_text(cli, &out, false);
    if (!text)
        return;
    rb_json_each (note, json_object_get(document, "notes"))
        rb_ui_note(cli, "note: %s", json_string_value(note));
    rb_ui_note(cli, "%s", rb_json_str(document, "total"));
}
