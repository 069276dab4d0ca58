#include "proof/rebuild.h"

#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "proof/confined.h"

static rb_db_limits script_limits = {.seconds = RB_DB_LIMITS_SECONDS,
                                     .memory = RB_DB_LIMITS_MEMORY,
                                     .size = RB_DB_LIMITS_SIZE,
                                     .where = "databases.NAME.limits"};

typedef struct rebuilding {
    const char *engine;
    const rb_db_work *work;
    rb_db *db;
    rb_err why;
} rebuilding;

void rb_db_rebuild_limits(const rb_db_limits *limits)
{
    script_limits = *limits;
}

/* In the child. The extensions' libraries are loaded before files are out of reach. */
static void prepare(void *context, const char *dir)
{
    rebuilding *r = context;
    if (!dir) /* a server has it; the child's sandbox would close a connection */
        return;
    rb_db_temporary_folder(dir);
    r->why.code = rb_db_scratch(&r->db, r->engine, RB_DB_CLOCK_REAL, &r->why);
}

static enum rb_code run_steps(rb_db_outcome *outcome, rebuilding *r)
{
    rb_db_limits limits = script_limits;
    limits.watch = rb_confined_watch;
    if (!r->db)
        RB_TRY(rb_db_scratch(&r->db, r->engine, RB_DB_CLOCK_REAL, &r->why));
    RB_TRY(rb_db_limit(r->db, &limits, &r->why));
    RB_TRY(rb_db_begin(r->db, &r->why));
    return rb_db_run(outcome, r->db, r->work, &r->why);
}

static void run(void *context, rb_buf *result)
{
    rebuilding *r = context;
    RB_AUTO(rb_db_outcome_clear) rb_db_outcome outcome = {0};
    RB_AUTO(rb_json_freep) json_t *json = json_object();
    enum rb_code code = r->why.code;
    if (code == RB_OK)
        code = run_steps(&outcome, r);
    if (code != RB_OK && r->db && rb_db_limited(r->db))
        code = RB_FOUND;
    json_object_set_new(json, "code", json_integer(code));
    rb_json_set_str(json, "message", code == RB_OK ? "" : rb_err_line(&r->why));
    if (code == RB_OK)
        json_object_set(json, "catalog", outcome.after);
    rb_json_canonical(result, json);
    rb_db_close(r->db);
}

/* The result, as this process believes it. */

static const rb_shape text = {.kind = RB_SHAPE_STRING};
static const rb_shape integer = {.kind = RB_SHAPE_INTEGER, .min = 0, .max = RB_DECIDE};
static const rb_shape anything = {.kind = RB_SHAPE_DATA};
static const rb_shape objects = {.kind = RB_SHAPE_MAP, .item = &anything};
static const rb_shape result_shape = RB_SHAPE_OBJECT_OF(
    {"code", &integer, false}, {"message", &text, false}, {"catalog", &objects, true});

static enum rb_code read_result(json_t **out, const rb_buf *result, rb_err *err)
{
    static const char what[] = "the rebuilt schema";
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_TRY(rb_json_read(&json, result->data, result->len, what, err));
    RB_TRY(rb_shape_check(&result_shape, json, what, err));
    enum rb_code code = (enum rb_code)rb_json_int(json, "code", RB_ERROR);
    if (code != RB_OK)
        return rb_fail(err, code, "%s", rb_json_str(json, "message"));
    if (!json_object_get(json, "catalog"))
        return rb_fail(err, RB_ERROR, "%s is missing", what);
    *out = json_incref(json_object_get(json, "catalog"));
    return RB_OK;
}

static void free_steps(rb_db_step **steps)
{
    free(*steps);
}

enum rb_code rb_db_rebuild(json_t **catalog, const char *engine, const rb_db_step *steps, size_t n,
                           const rb_migrations *order, rb_err *err)
{
    RB_AUTO(free_steps) rb_db_step *own = rb_calloc(n + 1, sizeof *own);
    if (n > 0)
        memcpy(own, steps, n * sizeof *own);
    rb_db_segments(own, n, engine);
    const rb_db_work work = {.steps = own, .n = n, .tracking = "", .order = order};
    rebuilding r = {.engine = engine, .work = &work};
    rb_sandbox sandbox = {
        .what = "the rebuilding of a schema", .prepare = prepare, .run = run, .context = &r};
    sandbox.no_dir = rb_db_scratch_place(engine) == RB_SCRATCH_PRIVATE;
    sandbox.open = rb_db_scratch_place(engine) == RB_SCRATCH_SERVER;
    rb_confine(&sandbox, &script_limits, n);
    RB_AUTO(rb_buf_clear) rb_buf result = {0};
    RB_AUTO(rb_strs_clear) rb_strs missing = {0};
    RB_TRY(rb_db_scratch_start(engine, &script_limits, err));
    RB_TRY(rb_sandbox_run(&result, &missing, &sandbox, err));
    return read_result(catalog, &result, err);
}
