/* Checks what is read from the journal, which may have been edited or damaged. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "environment/state_internal.h"
#include "environment/state_watch.h"

static bool is_hex(const char *text)
{
    size_t len = strlen(text);
    return len % 2 == 0 && strspn(text, "0123456789abcdef") == len;
}

/* The members of a plan that are read. Plans of other versions of rbtool may have other members. */
#define OBJECT(...)                                                                                \
    {                                                                                              \
        .kind = RB_SHAPE_OBJECT, .open = true, .fields = RB_SHAPE_FIELDS(__VA_ARGS__)              \
    }
#define LIST_OF(shape)                                                                             \
    {                                                                                              \
        .kind = RB_SHAPE_ARRAY, .nullable = true, .item = &(shape)                                 \
    }

static const rb_shape text = {.kind = RB_SHAPE_STRING};
static const rb_shape text_or_null = {.kind = RB_SHAPE_STRING, .nullable = true};
static const rb_shape boolean = {.kind = RB_SHAPE_BOOLEAN};
static const rb_shape bytes = {
    .kind = RB_SHAPE_STRING, .check = is_hex, .expected = "hexadecimal digits"};
static const rb_shape bytes_or_null = {
    .kind = RB_SHAPE_STRING, .nullable = true, .check = is_hex, .expected = "hexadecimal digits"};

static const rb_shape parts = LIST_OF(text);
static const rb_shape step = OBJECT({"id", &text, false});
static const rb_shape steps = LIST_OF(step);
static const rb_shape script = OBJECT({"id", &text, false}, {"direction", &text, false});
static const rb_shape scripts = LIST_OF(script);
static const rb_shape database = OBJECT({"name", &text, false}, {"scripts", &scripts, true});
static const rb_shape databases = LIST_OF(database);
static const rb_shape drifted = OBJECT({"part", &text, false}, {"path", &text, false});
static const rb_shape drift = LIST_OF(drifted);
static const rb_shape lost = OBJECT({"table", &text, false}, {"column", &text_or_null, true});
static const rb_shape items = LIST_OF(lost);
static const rb_shape url =
    OBJECT({"name", &text, false}, {"url", &bytes, false}, {"create", &boolean, false});
static const rb_shape urls = LIST_OF(url);
static const rb_shape moved =
    OBJECT({"part", &text, false}, {"from", &text_or_null, true}, {"to", &text_or_null, true});
static const rb_shape moves = LIST_OF(moved);
static const rb_shape watch_time = {.kind = RB_SHAPE_INTEGER, .min = 1};
static const rb_shape number = {.kind = RB_SHAPE_INTEGER};
static const rb_shape seconds = {.kind = RB_SHAPE_INTEGER, .max = 366 * 86400};
static const rb_shape positive = {.kind = RB_SHAPE_INTEGER, .min = 1};
static const rb_shape any_number = {.kind = RB_SHAPE_NUMBER};
static const rb_shape values = {.kind = RB_SHAPE_MAP, .item = &any_number, .nullable = true};
static const rb_shape before =
    OBJECT({"lockTimeout", &seconds, true}, {"statementTimeout", &seconds, true},
           {"current", &bytes_or_null, true}, {"staged", &boolean, true},
           {"databases", &urls, true}, {"scriptsFrom", &text_or_null, true},
           {"failing", &parts, true}, {"by", &text_or_null, true}, {"again", &boolean, true},
           {"watch", &watch_time, true}, {"watchOf", &text, true}, {"values", &values, true});
static const rb_shape accepted =
    OBJECT({"loss", &text_or_null, true}, {"drift", &boolean, true}, {"reverted", &boolean, true});
static const rb_shape recovery_point =
    OBJECT({"database", &text, false}, {"restorePoint", &text_or_null, true}, {"lsn", &text, true},
           {"timeline", &number, true}, {"system", &text, true});
static const rb_shape recovery_points = LIST_OF(recovery_point);
static const rb_shape put_back = OBJECT(
    {"database", &text, false}, {"from", &text, false}, {"table", &text, false},
    {"column", &text_or_null, true}, {"restored", &number, false}, {"missingCount", &number, false},
    {"reason", &text_or_null, true}, {"copy", &text_or_null, true});
static const rb_shape all_put_back = LIST_OF(put_back);
static const rb_shape secret =
    OBJECT({"name", &text, false}, {"from", &text_or_null, false}, {"to", &text, false});
static const rb_shape secrets = LIST_OF(secret);
static const rb_shape pause_time = {
    .kind = RB_SHAPE_INTEGER, .min = 0, .max = 253402300799, .nullable = true};
static const rb_shape pause_member =
    OBJECT({"step", &text, false}, {"why", &text, false}, {"by", &text_or_null, false},
           {"at", &pause_time, false}, {"resumed", &pause_time, false});
static const rb_shape plan = {
    .kind = RB_SHAPE_OBJECT,
    .open = true,
    .nullable = true,
    .fields = RB_SHAPE_FIELDS(
        {"secrets", &secrets, true}, {"recovery", &recovery_points, true}, {"only", &parts, true},
        {"steps", &steps, true}, {"databases", &databases, true}, {"drift", &drift, true},
        {"takenOver", &drift, true}, {"dataAtRisk", &items, true}, {"before", &before, true},
        {"accepted", &accepted, true}, {"rule", &text_or_null, true},
        {"scriptsFrom", &text_or_null, true}, {"digest", &text_or_null, true},
        {"app", &text_or_null, true}, {"parts", &moves, true}, {"values", &values, true},
        {"paused", &pause_member, true}, {"putBack", &all_put_back, true})};

/* The members of what carrying out a plan needs (transition/plan_store.c). */
static const char *const file_part_words[] = {"flags", "config", NULL};
static const char *const set_words[] = {"from", "to", "overrides", NULL};
static const rb_shape file_part = {.kind = RB_SHAPE_STRING, .one_of = file_part_words};
static const rb_shape set = {.kind = RB_SHAPE_STRING, .one_of = set_words};
static const rb_shape permissions = {.kind = RB_SHAPE_INTEGER, .max = 07777};
static const rb_shape anything = {.kind = RB_SHAPE_DATA};
static const rb_shape object_or_null = {.kind = RB_SHAPE_MAP, .item = &anything, .nullable = true};

/* True if the text is an absolute path as rb_json_set_bytes() writes it. */
static bool is_path(const char *hex)
{
    return is_hex(hex) && strncmp(hex, "2f", 2) == 0;
}
static const rb_shape path = {
    .kind = RB_SHAPE_STRING, .check = is_path, .expected = "the digits of an absolute path"};
static const rb_shape host_file =
    OBJECT({"part", &file_part, false}, {"path", &path, false}, {"had", &bytes_or_null, false},
           {"held", &text_or_null, false}, {"brings", &bytes_or_null, false},
           {"source", &text_or_null, false}, {"fresh", &permissions, false},
           {"mode", &permissions, false});
static const rb_shape host_files = LIST_OF(host_file);
static const rb_shape planned =
    OBJECT({"id", &text, false}, {"set", &set, false}, {"up", &boolean, false},
           {"sha256", &bytes, false}, {"was", &text_or_null, false});
static const rb_shape planned_steps = LIST_OF(planned);
static const rb_shape difference = OBJECT({"object", &text, false}, {"change", &text, false});
static const rb_shape differences = LIST_OF(difference);
static const rb_shape proofs = {.kind = RB_SHAPE_ARRAY, .item = &object_or_null};
static const rb_shape planned_database = OBJECT(
    {"name", &text, false}, {"tracking", &text_or_null, false}, {"expected", &object_or_null, true},
    {"leaving", &object_or_null, true}, {"residual", &differences, true}, {"atRisk", &items, true},
    {"bound", &items, true}, {"places", &items, true}, {"unproven", &items, true},
    {"proofs", &proofs, true}, {"rehearsed", &boolean, true}, {"steps", &planned_steps, false});
static const rb_shape planned_databases = LIST_OF(planned_database);
const rb_shape rb_state_data_shape =
    OBJECT({"files", &host_files, false}, {"databases", &planned_databases, false});

static const rb_shape time_shape = {.kind = RB_SHAPE_INTEGER, .min = 0, .max = 253402300799};
static const rb_shape failure =
    OBJECT({"name", &text, false}, {"message", &text, false}, {"output", &text_or_null, true});
static const rb_shape failures = {.kind = RB_SHAPE_ARRAY, .item = &failure};
const rb_shape rb_state_health_shape = OBJECT(
    {"health", &text, false}, {"down", &boolean, false}, {"at", &time_shape, false},
    {"release", &text, false}, {"message", &text_or_null, true}, {"output", &text_or_null, true},
    {"failures", &failures, false}, {"values", &values, true});

static const rb_shape moment = {.kind = RB_SHAPE_INTEGER, .max = 253402300799999};
static const rb_shape moment_or_null = {
    .kind = RB_SHAPE_INTEGER, .max = 253402300799999, .nullable = true};
static const rb_shape point = {.kind = RB_SHAPE_ARRAY, .item = &any_number, .min = 2, .max = 2};
static const rb_shape points = {.kind = RB_SHAPE_ARRAY, .item = &point, .max = RB_WATCH_POINTS};
static const rb_shape series =
    OBJECT({"first", &any_number, false}, {"last", &any_number, false}, {"min", &any_number, false},
           {"max", &any_number, false}, {"count", &number, false}, {"step", &positive, false},
           {"points", &points, false});
static const rb_shape all_series = {.kind = RB_SHAPE_MAP, .item = &series};
const rb_shape rb_state_watch_shape =
    OBJECT({"transition", &text, false}, {"release", &text, false}, {"object", &text, false},
           {"from", &text_or_null, false}, {"only", &parts, false}, {"began", &moment, false},
           {"deadline", &moment, false}, {"detected", &moment_or_null, false},
           {"restored", &moment_or_null, false}, {"outcome", &text_or_null, false},
           {"blocked", &text_or_null, false}, {"message", &text_or_null, false},
           {"valuesBefore", &values, true}, {"values", &all_series, true});

static const rb_shape moment_of_row = {
    .kind = RB_SHAPE_INTEGER, .max = 253402300799, .nullable = true};
static const rb_shape watch_or_null = {
    .kind = RB_SHAPE_OBJECT,
    .open = true,
    .nullable = true,
    .fields =
        RB_SHAPE_FIELDS({"detected", &moment_or_null, false}, {"outcome", &text_or_null, false})};
static const rb_shape pause_or_null = {
    .kind = RB_SHAPE_OBJECT,
    .open = true,
    .nullable = true,
    .fields = RB_SHAPE_FIELDS({"at", &pause_time, false}, {"resumed", &pause_time, false})};
const rb_shape rb_state_happened_shape = OBJECT(
    {"id", &text, false}, {"kind", &text, false}, {"from", &text_or_null, false},
    {"to", &text, false}, {"object", &text_or_null, false}, {"outcome", &text_or_null, false},
    {"error", &text_or_null, false}, {"started", &moment_of_row, false},
    {"finished", &moment_of_row, false}, {"app", &text_or_null, false}, {"only", &parts, false},
    {"step", &text_or_null, false}, {"at", &moment_of_row, false}, {"said", &text_or_null, false},
    {"begun", &boolean, false}, {"paused", &pause_or_null, true}, {"watch", &watch_or_null, false});
static const rb_shape event =
    OBJECT({"id", &text, false}, {"type", &text, false}, {"time", &text, false});
const rb_shape rb_state_notice_shape =
    OBJECT({"sequence", &number, false}, {"id", &text, false}, {"command", &text, false},
           {"event", &event, false}, {"attempts", &number, false}, {"error", &text_or_null, false});

/* Rows. Names and ids become parts of paths and of commands in hints. */
static const rb_shape name = {
    .kind = RB_SHAPE_STRING, .check = rb_shape_is_name, .expected = "a name"};
static const rb_shape tag = {.kind = RB_SHAPE_STRING, .check = rb_path_is_tag, .expected = "a tag"};
static const rb_shape tag_or_null = {
    .kind = RB_SHAPE_STRING, .nullable = true, .check = rb_path_is_tag, .expected = "a tag"};
static const rb_shape object_or_none = {.kind = RB_SHAPE_STRING,
                                        .nullable = true,
                                        .check = rb_shape_is_sha1,
                                        .expected = "an object id"};
const rb_shape rb_state_live_shape =
    OBJECT({"part", &text, false}, {"tag", &tag, false}, {"object", &object_or_none, false});
const rb_shape rb_state_row_shape = OBJECT(
    {"id", &name, false}, {"kind", &text, false}, {"from", &tag_or_null, false},
    {"fromObject", &object_or_none, false}, {"to", &tag, false},
    {"toObject", &object_or_none, false}, {"plan", &plan, false}, {"outcome", &text_or_null, false},
    {"error", &text_or_null, false}, {"started", &moment_of_row, false},
    {"finished", &moment_of_row, false}, {"entry", &text_or_null, false},
    {"checked", &boolean, false}, {"lacksVerdict", &boolean, false});
const rb_shape rb_state_step_shape = OBJECT({"id", &text, false}, {"outcome", &text, false},
                                            {"milliseconds", &moment_or_null, false});
const rb_shape rb_state_said_shape = OBJECT(
    {"step", &text, false}, {"message", &text_or_null, false}, {"output", &text_or_null, false});
static const rb_shape held_items = {.kind = RB_SHAPE_ARRAY, .item = &lost};
const rb_shape rb_state_backup_shape = OBJECT(
    {"id", &number, false}, {"transition", &name, false}, {"database", &name, false},
    {"file", &text, false}, {"sha256", &text, false}, {"items", &held_items, false},
    {"bytes", &number, false}, {"pruned", &moment_of_row, false}, {"kind", &text, false},
    {"from", &tag_or_null, false}, {"to", &tag_or_null, false}, {"at", &moment_of_row, false},
    {"scripts", &scripts, false}, {"restored", &anything, false});
static const rb_shape restore_detail = OBJECT({"id", &text, false});
const rb_shape rb_state_restore_shape =
    OBJECT({"id", &name, false}, {"database", &name, false}, {"committed", &boolean, false},
           {"detail", &restore_detail, false});

enum rb_code rb_state_damaged(const rb_state *state, const char *what, rb_err *err)
{
    return rb_fail(err, RB_ERROR,
                   "%s is damaged: %s\nrestore a copy of it, or move it away with `mv '%s' "
                   "'%s.damaged'` and deploy the release that is live here again",
                   state->path, what, state->path, state->path);
}

enum rb_code rb_state_read_json(json_t **out, const rb_state *state, const json_t *cell,
                                const rb_shape *shape, const char *what, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    const char *stored = json_string_value(cell);
    rb_err why;
    if (!stored)
        return rb_state_damaged(state, what, err);
    if (rb_json_read(&json, stored, strlen(stored), what, &why) != RB_OK ||
        rb_shape_check(shape, json, what, &why) != RB_OK)
        return rb_state_damaged(state, rb_err_line(&why), err);
    *out = RB_TAKE(json);
    return RB_OK;
}
