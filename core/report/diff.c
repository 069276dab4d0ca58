#include "report/diff.h"

#include <string.h>

#include "base/text.h"
#include "report/diff_parts.h"

static const char *const class_names[] = {"reversible", "lossy", "irreversible"};

enum rb_code rb_diff(json_t **out, rb_repo *repo, const rb_release *from, const rb_release *to,
                     const rb_release *const *between, size_t count, rb_err *err)
{
    const rb_diff_sides sides = {repo, from, to, between, count};
    RB_AUTO(rb_json_freep)
    json_t *document =
        json_pack("{s:o,s:o,s:{s:o,s:o}}", "from", rb_json_text(from->tag), "to",
                  rb_json_text(to->tag), "app", "from", rb_json_text(from->manifest->app_version),
                  "to", rb_json_text(to->manifest->app_version));
    RB_AUTO(rb_json_freep) json_t *reasons = json_array();
    rb_diff_risk risk = {RB_RISK_REVERSIBLE, reasons};
    json_t *part = NULL;
    RB_TRY(rb_diff_commits(&part, &sides, err));
    json_object_set_new(document, "commits", part);
    RB_TRY(rb_diff_artifacts(&part, &sides, err));
    json_object_set_new(document, "artifacts", part);
    RB_TRY(rb_diff_databases(&part, &risk, &sides, err));
    json_object_set_new(document, "databases", part);
    RB_TRY(rb_diff_flags(&part, &sides, err));
    rb_json_set(document, "flags:j config:j secrets:j risk:j", part, rb_diff_config(&sides),
                rb_diff_secrets(&sides),
                rb_json_make("class:s reasons:J", class_names[risk.worst], reasons));
    *out = RB_TAKE(document);
    return RB_OK;
}

static bool lists_any(const json_t *object)
{
    static const char *const lists[] = {"added", "removed", "changed"};
    for (size_t i = 0; i < 3; i++)
        if (json_array_size(json_object_get(object, lists[i])) > 0)
            return true;
    const json_t *ignore = json_object_get(object, "ignore");
    return ignore && lists_any(ignore);
}

bool rb_diff_any(const json_t *document)
{
    const json_t *app = json_object_get(document, "app");
    bool any = !json_equal(json_object_get(app, "from"), json_object_get(app, "to")) ||
               json_array_size(json_object_get(document, "flags")) > 0 ||
               json_array_size(json_object_get(document, "config")) > 0 ||
               json_array_size(json_object_get(document, "secrets")) > 0;
    rb_json_each (item, json_object_get(document, "artifacts"))
        any = any || lists_any(item);
    rb_json_each (item, json_object_get(document, "databases"))
        any = any || lists_any(json_object_get(item, "migrations")) ||
              json_array_size(json_object_get(item, "schema")) > 0;
    return any;
}
