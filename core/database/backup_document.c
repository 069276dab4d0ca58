/* The document of a backup: what it must look like before anything of it is used. */
#include "base/shape.h"
#include "database/backup.h"

static const rb_shape text = {.kind = RB_SHAPE_STRING};
static const rb_shape maybe_text = {.kind = RB_SHAPE_STRING, .nullable = true};
static const rb_shape yes_or_no = {.kind = RB_SHAPE_BOOLEAN};
static const rb_shape names = {.kind = RB_SHAPE_ARRAY, .item = &text};
static const rb_shape texts = {.kind = RB_SHAPE_MAP, .item = &text, .nullable = true};
static const rb_shape any = {.kind = RB_SHAPE_DATA, .nullable = true};
static const rb_shape place = {.kind = RB_SHAPE_INTEGER};
static const char *const kinds[] = {"rows", "values", "referenced", NULL};
static const rb_shape kind = {.kind = RB_SHAPE_STRING, .one_of = kinds};

static const rb_shape table = {
    .kind = RB_SHAPE_OBJECT,
    .open = true,
    .fields = RB_SHAPE_FIELDS(
        {"name", &text, false}, {"data", &text, false}, {"kind", &kind, false},
        {"key", &names, false}, {"columns", &names, false}, {"automatic", &names, false},
        {"compared", &names, false}, {"counter", &any, true}, {"gone", &yes_or_no, true},
        {"moved", &maybe_text, true}, {"where", &maybe_text, true}, {"sql", &maybe_text, true},
        {"types", &texts, true})};

static const rb_shape reference = {
    .kind = RB_SHAPE_OBJECT,
    .open = true,
    .fields = RB_SHAPE_FIELDS({"child", &place, false}, {"parent", &place, false},
                              {"columns", &names, false}, {"parentColumns", &names, false})};

static const rb_shape tables = {.kind = RB_SHAPE_ARRAY, .item = &table};
static const rb_shape references = {.kind = RB_SHAPE_ARRAY, .item = &reference};
static const rb_shape applied = {.kind = RB_SHAPE_MAP, .item = &maybe_text};

static const rb_shape document = {
    .kind = RB_SHAPE_OBJECT,
    .open = true,
    .fields = RB_SHAPE_FIELDS({"format", &text, false}, {"applied", &applied, false},
                              {"before", &names, false}, {"tables", &tables, false},
                              {"references", &references, false})};

enum rb_code rb_backup_document_check(const json_t *about, const char *path, rb_err *err)
{
    const json_t *list = json_object_get(about, "tables");
    RB_TRY(rb_shape_check(&document, about, path, err));
    rb_json_each (item, json_object_get(about, "references")) {
        const int64_t child = rb_json_int(item, "child", 0);
        const int64_t parent = rb_json_int(item, "parent", 0);
        const int64_t count = (int64_t)json_array_size(list);
        if (child >= count || parent >= count ||
            json_array_size(json_object_get(item, "columns")) !=
                json_array_size(json_object_get(item, "parentColumns")))
            return rb_fail(err, RB_FOUND, "%s: reference %zu is of a table that it does not have",
                           path, item_at);
    }
    return RB_OK;
}
