#include "proof/rebuild.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/shape.h"
#include "base/version.h"
#include "database/driver.h"
#include "proof/confined.h"
#include "proof/proving.h"

#define CATALOG_LIMIT ((size_t)64 << 20) /* bytes */
#define CACHED 64                        /* catalogs in the cache, at most */
#define STATES 8                         /* databases in it, at most */

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

/* Runs in the child: loads the libraries of extensions while their files can still be opened. */
static void prepare(void *context, const char *dir)
{
    rebuilding *r = context;
    if (!dir) /* databases on a server are opened later: the sandbox would close a connection */
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

/* The shape that this process accepts as a result. */

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

/* The cache: a file for each catalog. When it is full, it is emptied. */

static char *cache;

void rb_db_rebuild_cache(const char *dir)
{
    free(cache);
    cache = rb_strdup(dir);
}

/* The file in folder `dir` of what the steps give; NULL where it cannot be kept. */
static char *cached_path(const char *dir, const char *engine, const rb_db_step *steps, size_t n)
{
    const rb_db_driver *driver = rb_engine_driver(engine);
    RB_AUTO(rb_free_str) char *maker = dir && driver ? driver->scratch_maker() : NULL;
    RB_AUTO(rb_buf_clear) rb_buf buf = {0};
    char digest[RB_SHA256_HEX];
    if (!maker)
        return NULL;
    rb_buf_printf(&buf, "%s\n%s\n%s\n", RB_VERSION, engine, maker);
    for (size_t i = 0; i < n; i++) {
        const rb_migration *m = steps[i].migration;
        rb_buf_printf(&buf, "%c %s\n", steps[i].noted || steps[i].was ? '-' : '+',
                      steps[i].up ? m->up.sha256 : m->down.sha256);
    }
    rb_sha256_hex_of(buf.data, buf.len, digest);
    return rb_path_join(dir, digest);
}

static bool find_cached(json_t **out, const char *path)
{
    RB_AUTO(rb_buf_clear) rb_buf buf = {0};
    if (!path || rb_file_read_own(&buf, path, CATALOG_LIMIT, RB_IGNORED) != RB_OK ||
        rb_json_read(out, buf.data, buf.len, path, RB_IGNORED) != RB_OK)
        return false;
    if (rb_shape_check(&objects, *out, path, RB_IGNORED) == RB_OK)
        return true;
    json_decref(*out);
    *out = NULL;
    return false;
}

static void write_file(const char *dir, size_t most, const char *path, const rb_buf *bytes)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    if (rb_dir_list(&names, dir, RB_IGNORED) == RB_OK && names.n >= most)
        (void)!rb_dir_remove(dir, RB_IGNORED);
    if (rb_dir_make(dir, RB_IGNORED) == RB_OK)
        (void)!rb_file_write(path, bytes->data, bytes->len, 0600, RB_IGNORED);
}

static void keep(const char *path, const json_t *catalog)
{
    RB_AUTO(rb_buf_clear) rb_buf buf = {0};
    rb_json_canonical(&buf, catalog);
    if (path)
        write_file(cache, CACHED, path, &buf);
}

static char *states_folder(void)
{
    return cache ? rb_path_join(cache, "states") : NULL;
}

void rb_db_rebuild_keep_state(const rb_buf *bytes, const char *engine, const rb_db_step *steps,
                              size_t n)
{
    RB_AUTO(rb_free_str) char *dir = states_folder();
    RB_AUTO(rb_free_str) char *path = cached_path(dir, engine, steps, n);
    RB_AUTO(rb_buf_clear) rb_buf file = {0};
    char digest[RB_SHA256_HEX];
    if (!path || bytes->len > RB_PROVING_STATE)
        return;
    rb_sha256_hex_of(bytes->data, bytes->len, digest);
    rb_buf_puts(&file, digest);
    rb_buf_add(&file, bytes->data, bytes->len);
    write_file(dir, STATES, path, &file);
}

void rb_db_rebuild_find_state(rb_buf *out, const char *engine, const rb_db_step *steps, size_t n)
{
    RB_AUTO(rb_free_str) char *dir = states_folder();
    RB_AUTO(rb_free_str) char *path = cached_path(dir, engine, steps, n);
    RB_AUTO(rb_buf_clear) rb_buf file = {0};
    const size_t head = RB_SHA256_HEX - 1;
    char digest[RB_SHA256_HEX];
    if (!path || rb_file_read_own(&file, path, RB_PROVING_STATE + head, RB_IGNORED) != RB_OK ||
        file.len <= head)
        return;
    rb_sha256_hex_of(file.data + head, file.len - head, digest);
    if (memcmp(digest, file.data, head) == 0)
        rb_buf_add(out, file.data + head, file.len - head);
}

void rb_db_rebuild_note(const json_t *catalog, const char *engine, const rb_db_step *steps,
                        size_t n)
{
    RB_AUTO(rb_free_str) char *path = cached_path(cache, engine, steps, n);
    if (path && !rb_file_exists(path))
        keep(path, catalog);
}

bool rb_db_rebuild_find(json_t **catalog, const char *engine, const rb_db_step *steps, size_t n)
{
    RB_AUTO(rb_free_str) char *path = cached_path(cache, engine, steps, n);
    return find_cached(catalog, path);
}

static void free_steps(rb_db_step **steps)
{
    free(*steps);
}

enum rb_code rb_db_rebuild(json_t **catalog, const char *engine, const rb_db_step *steps, size_t n,
                           const rb_migrations *order, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = cached_path(cache, engine, steps, n);
    if (find_cached(catalog, path))
        return RB_OK;
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
    RB_TRY(read_result(catalog, &result, err));
    keep(path, *catalog);
    return RB_OK;
}
