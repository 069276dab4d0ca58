/* Checks what is read from the journal, which may have been edited or damaged. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "environment/state_internal.h"
#include "git/repository.h"

static bool is_hex(const char *text)
{
    size_t len = strlen(text);
    return len % 2 == 0 && strspn(text, "0123456789abcdef") == len;
}

/* Of a plan, what is read of it again: other versions of rbtool know other keys, and had fewer. */
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
static const rb_shape file = OBJECT({"path", &bytes, false});
static const rb_shape files = LIST_OF(file);
static const rb_shape url = OBJECT({"name", &text, false}, {"url", &bytes, false});
static const rb_shape urls = LIST_OF(url);
static const rb_shape moved =
    OBJECT({"part", &text, false}, {"from", &text_or_null, true}, {"to", &text_or_null, true});
static const rb_shape moves = LIST_OF(moved);
static const rb_shape before =
    OBJECT({"current", &bytes_or_null, true}, {"staged", &boolean, true}, {"creates", &files, true},
           {"databases", &urls, true}, {"scriptsFrom", &text_or_null, true},
           {"failing", &parts, true}, {"by", &text_or_null, true}, {"again", &boolean, true});
static const rb_shape accepted =
    OBJECT({"loss", &text_or_null, true}, {"drift", &boolean, true}, {"reverted", &boolean, true});
static const rb_shape plan_shape =
    OBJECT({"only", &parts, true}, {"steps", &steps, true}, {"databases", &databases, true},
           {"drift", &drift, true}, {"takenOver", &drift, true}, {"dataAtRisk", &items, true},
           {"before", &before, true}, {"accepted", &accepted, true}, {"rule", &text_or_null, true},
           {"scriptsFrom", &text_or_null, true}, {"digest", &text_or_null, true},
           {"app", &text_or_null, true}, {"parts", &moves, true});

/* Of what carrying a plan out takes (transition/plan_store.c). */
static const char *const file_part_words[] = {"flags", "config", NULL};
static const char *const set_words[] = {"from", "to", "overrides", NULL};
static const rb_shape file_part = {.kind = RB_SHAPE_STRING, .one_of = file_part_words};
static const rb_shape set = {.kind = RB_SHAPE_STRING, .one_of = set_words};
static const rb_shape permissions = {.kind = RB_SHAPE_INTEGER, .max = 07777};
static const rb_shape anything = {.kind = RB_SHAPE_DATA};
static const rb_shape object_or_null = {.kind = RB_SHAPE_MAP, .item = &anything, .nullable = true};

/* Of an absolute path, as rb_json_set_bytes() writes it. */
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
static const rb_shape planned_database = OBJECT(
    {"name", &text, false}, {"url", &bytes, false}, {"create", &boolean, false},
    {"tracking", &text_or_null, false}, {"expected", &object_or_null, true},
    {"leaving", &object_or_null, true}, {"residual", &differences, true}, {"atRisk", &items, true},
    {"bound", &items, true}, {"places", &items, true}, {"unproven", &items, true},
    {"rehearsed", &boolean, true}, {"steps", &planned_steps, false});
static const rb_shape planned_databases = LIST_OF(planned_database);
static const rb_shape data_shape =
    OBJECT({"files", &host_files, false}, {"databases", &planned_databases, false});

enum rb_code rb_state_damaged(const rb_state *state, const char *what, rb_err *err)
{
    return rb_fail(err, RB_ERROR,
                   "%s is damaged: %s\nrestore a copy of it, or move it away with `mv '%s' "
                   "'%s.damaged'` and deploy the release that is live here again",
                   state->path, what, state->path, state->path);
}

enum rb_code rb_state_text(char **out, const rb_state *state, const json_t *row, size_t column,
                           const char *name, bool required, rb_err *err)
{
    const json_t *cell = json_array_get(row, column);
    if (json_is_string(cell) || (json_is_null(cell) && !required)) {
        *out = rb_strdup(json_string_value(cell));
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *what = rb_format("a row's %s is not text", name);
    return rb_state_damaged(state, what, err);
}

static enum rb_code checked(char **out, const rb_state *state, const json_t *row, size_t column,
                            const char *name, bool required, bool (*check)(const char *),
                            rb_err *err)
{
    RB_AUTO(rb_free_str) char *found = NULL;
    RB_TRY(rb_state_text(&found, state, row, column, name, required, err));
    if (found && !check(found)) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(found);
        RB_AUTO(rb_free_str)
        char *what = rb_format("a row's %s, %s, is not of its form", name, safe);
        return rb_state_damaged(state, what, err);
    }
    *out = found;
    found = NULL;
    return RB_OK;
}

enum rb_code rb_state_tag(char **out, const rb_state *state, const json_t *row, size_t column,
                          const char *name, bool required, rb_err *err)
{
    return checked(out, state, row, column, name, required, rb_path_is_tag, err);
}

static bool is_object(const char *id)
{
    return strlen(id) == RB_OID_HEX - 1 && is_hex(id);
}

enum rb_code rb_state_object(char **out, const rb_state *state, const json_t *row, size_t column,
                             const char *name, rb_err *err)
{
    return checked(out, state, row, column, name, false, is_object, err);
}

enum rb_code rb_state_id(char **out, const rb_state *state, const json_t *row, size_t column,
                         const char *name, bool required, rb_err *err)
{
    return checked(out, state, row, column, name, required, rb_shape_is_name, err);
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
    *out = json;
    json = NULL;
    return RB_OK;
}

enum rb_code rb_state_read_plan(json_t **out, const rb_state *state, const json_t *cell,
                                rb_err *err)
{
    return rb_state_read_json(out, state, cell, &plan_shape, "the plan of a transition", err);
}

enum rb_code rb_state_read_data(json_t **out, const rb_state *state, const json_t *cell,
                                rb_err *err)
{
    return rb_state_read_json(out, state, cell, &data_shape, "the plan of a transition", err);
}

enum rb_code rb_state_read_items(json_t **out, const rb_state *state, const json_t *cell,
                                 rb_err *err)
{
    static const rb_shape all = {.kind = RB_SHAPE_ARRAY, .item = &lost};
    return rb_state_read_json(out, state, cell, &all, "what a backup holds", err);
}
