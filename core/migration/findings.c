#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "migration/lint.h"

#define SARIF_SCHEMA                                                                               \
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

static const rb_rule rules[] = {
    {"RB001", "NoDown", "A migration has no down, or a blank one over a real change.", false},
    {"RB002", "DownDoesNotRestore", "A down leaves another schema than was there before its up.",
     true},
    {"RB003", "UpDestroysData", "An up destroys data that its down cannot bring back.", false},
    {"RB004", "ReleasedMigrationChanged", "A migration that was released is another one now.",
     true},
    {"RB005", "NotDeterministic", "An up writes random values, which differ in each environment.",
     false},
    {"RB006", "NotTransactional", "A script runs outside of a transaction, or cannot run at all.",
     false},
    {"RB007", "NotIdempotent", "An up does not run again after its own down.", false},
    {"RB008", "OutOfOrder",
     "A migration's id is taken, was changed, or sorts before released ones.", true},
    {"RB009", "TransactionControl", "A migration begins or ends transactions of its own.", true},
    {"RB010", "BlocksWrites", "A migration takes a lock that blocks writes.", false},
    {"RB011", "ActsOutside",
     "A migration acts outside its transaction, or reaches outside the database.", true},
};

#define RULES (sizeof rules / sizeof *rules)

const rb_rule *rb_rule_find(const char *id)
{
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].id, id) == 0)
            return &rules[i];
    return NULL;
}

void rb_findings_clear(rb_findings *findings)
{
    for (size_t i = 0; i < findings->n; i++) {
        free(findings->items[i].migration);
        free(findings->items[i].file);
        free(findings->items[i].message);
    }
    free(findings->items);
    *findings = (rb_findings){0};
}

void rb_findings_add(rb_findings *findings, const char *rule, const char *migration,
                     const char *file, size_t line, const char *fmt, ...)
{
    findings->items = rb_grow(findings->items, findings->n, sizeof *findings->items);
    rb_buf message = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&message, fmt, args);
    va_end(args);
    findings->items[findings->n++] = (rb_finding){.rule = rule,
                                                  .migration = rb_strdup(migration),
                                                  .file = rb_strdup(file),
                                                  .line = line,
                                                  .message = rb_buf_detach(&message)};
}

size_t rb_findings_refusing(const rb_findings *findings)
{
    size_t n = 0;
    for (size_t i = 0; i < findings->n; i++)
        n += !findings->items[i].warning;
    return n;
}

void rb_findings_move(rb_findings *findings, rb_findings *from)
{
    for (size_t i = 0; i < from->n; i++) {
        findings->items = rb_grow(findings->items, findings->n, sizeof *findings->items);
        findings->items[findings->n++] = from->items[i];
    }
    free(from->items);
    *from = (rb_findings){0};
}

json_t *rb_findings_json(const rb_findings *findings)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->n; i++) {
        const rb_finding *f = &findings->items[i];
        json_array_append_new(list, rb_json_make("rule:s migration:t file:t line:n message:t "
                                                 "warning:b",
                                                 f->rule, f->migration, f->file, f->line,
                                                 f->message, f->warning));
    }
    return list;
}

/* Returns the path as a relative URI reference. */
static json_t *uri_json(const char *path)
{
    RB_AUTO(rb_free_str) char *uri = rb_text_uri(path, "/");
    return json_string(uri);
}

static json_t *sarif_result(const rb_finding *f, size_t rule_index)
{
    RB_AUTO(rb_free_str) char *message = rb_format("%s: %s", f->migration, f->message);
    const rb_rule *rule = rb_rule_find(f->rule);
    json_t *result = json_pack("{s:s,s:I,s:s,s:{s:o}}", "ruleId", f->rule, "ruleIndex",
                               (json_int_t)rule_index, "level",
                               f->warning            ? "note"
                               : rule && rule->error ? "error"
                                                     : "warning",
                               "message", "text", rb_json_text(message));
    if (*f->file)
        json_object_set_new(result, "locations",
                            json_pack("[{s:{s:{s:o},s:{s:I}}}]", "physicalLocation",
                                      "artifactLocation", "uri", uri_json(f->file), "region",
                                      "startLine", (json_int_t)(f->line ? f->line : 1)));
    return result;
}

json_t *rb_findings_sarif(const rb_findings *findings, const char *version)
{
    json_t *described = json_array(), *results = json_array();
    for (size_t i = 0; i < RULES; i++)
        json_array_append_new(described, json_pack("{s:s,s:s,s:{s:s},s:{s:s}}", "id", rules[i].id,
                                                   "name", rules[i].name, "shortDescription",
                                                   "text", rules[i].summary, "defaultConfiguration",
                                                   "level", rules[i].error ? "error" : "warning"));
    for (size_t i = 0; i < findings->n; i++) {
        const rb_rule *rule = rb_rule_find(findings->items[i].rule);
        size_t index = rule ? (size_t)(rule - rules) : 0;
        json_array_append_new(results, sarif_result(&findings->items[i], index));
    }
    return json_pack("{s:s,s:s,s:[{s:{s:{s:s,s:s,s:o}},s:o}]}", "$schema", SARIF_SCHEMA, "version",
                     "2.1.0", "runs", "tool", "driver", "name", "rbtool", "version", version,
                     "rules", described, "results", results);
}
