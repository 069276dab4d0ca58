/* Makes a proof in a process of its own: the request is in memory, and the result is returned as
 * JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "database/driver.h"
#include "proof/confined.h"
#include "proof/proof.h"
#include "proof/rebuild.h"

#define RUNS 8 /* runs of one new migration's scripts, at most */

typedef struct proving_child {
    const rb_proof_request *request;
    rb_db *kept; /* stays open, so that its extensions stay loaded */
    const char *folder;
    rb_err why;
} proving_child;

/* Runs in the child: loads the libraries of git config rbtool.extension while their files can still
 * be opened. */
static void prepare(void *context, const char *dir)
{
    proving_child *child = context;
    if (!dir)
        return;
    child->folder = dir;
    rb_db_temporary_folder(dir);
    child->why.code =
        rb_db_scratch(&child->kept, child->request->engine, child->request->clock, &child->why);
}

static void run(void *context, rb_buf *result)
{
    proving_child *child = context;
    rb_proof proof = {0};
    RB_AUTO(rb_json_freep) json_t *json = json_object();
    enum rb_code code = child->why.code;
    rb_proof_request request = *child->request;
    request.limits.watch = rb_confined_watch;
    request.folder = child->folder;
    if (code == RB_OK)
        code = rb_proof_make_here(&proof, &request, &child->why);
    json_object_set_new(json, "code", json_integer(code));
    rb_json_set_str(json, "message", code == RB_OK ? "" : rb_err_line(&child->why));
    if (code == RB_OK) {
        json_object_set(json, "proof", proof.json);
        json_object_set(json, "catalog", proof.catalog);
        json_object_set(json, "notes", proof.notes);
        rb_json_set_str(json, "class", proof.class_);
        if (proof.lent)
            rb_json_set_str(json, "lent", proof.lent);
    }
    rb_json_canonical(result, json);
    if (proof.state.len > 0) { /* the JSON is one line */
        rb_buf_addc(result, '\n');
        rb_buf_add(result, proof.state.data, proof.state.len);
    }
    rb_proof_clear(&proof);
    rb_db_close(child->kept);
}

/* The shape that this process accepts as a result. */

static const char *const classes[] = {"reversible", "lossy", "irreversible", NULL};
static const char *const outcomes[] = {"identical", "order",    "differs", "fails",
                                       "missing",   "untested", "code",    NULL};
static const rb_shape any_text = {.kind = RB_SHAPE_STRING};
static const rb_shape any_name = {.kind = RB_SHAPE_STRING, .nullable = true};
static const rb_shape integer = {.kind = RB_SHAPE_INTEGER, .min = 0, .max = 5};
static const rb_shape boolean = {.kind = RB_SHAPE_BOOLEAN};
static const rb_shape class_ = {.kind = RB_SHAPE_STRING, .one_of = classes};
static const rb_shape outcome = {.kind = RB_SHAPE_STRING, .one_of = outcomes};
static const rb_shape difference = {
    .kind = RB_SHAPE_OBJECT,
    .open = true,
    .fields = RB_SHAPE_FIELDS({"object", &any_text, false}, {"change", &any_text, false})};
static const rb_shape differences = {.kind = RB_SHAPE_ARRAY, .item = &difference};
static const rb_shape place = {
    .kind = RB_SHAPE_OBJECT,
    .open = true,
    .fields = RB_SHAPE_FIELDS({"table", &any_text, false}, {"column", &any_name, false})};
static const rb_shape places = {.kind = RB_SHAPE_ARRAY, .item = &place};
static const rb_shape texts = {.kind = RB_SHAPE_ARRAY, .item = &any_text};
static const rb_shape migration = {
    .kind = RB_SHAPE_OBJECT,
    .open = true,
    .fields = RB_SHAPE_FIELDS({"id", &any_text, false}, {"restores", &outcome, false},
                              {"reapplies", &boolean, false}, {"differences", &differences, false},
                              {"destroys", &places, false}, {"discards", &places, false},
                              {"unfilled", &texts, false}, {"error", &any_text, true})};
static const rb_shape migrations = {.kind = RB_SHAPE_ARRAY, .item = &migration};
static const rb_shape proof_shape =
    RB_SHAPE_OBJECT_OF({"engine", &any_text, false}, {"version", &any_text, false},
                       {"migrations", &migrations, false});
static const rb_shape note =
    RB_SHAPE_OBJECT_OF({"migration", &any_text, false}, {"message", &any_text, false});
static const rb_shape notes = {.kind = RB_SHAPE_ARRAY, .item = &note};
static const rb_shape anything = {.kind = RB_SHAPE_DATA};
static const rb_shape catalog = {.kind = RB_SHAPE_MAP, .item = &anything};
static const rb_shape result_shape = RB_SHAPE_OBJECT_OF(
    {"code", &integer, false}, {"message", &any_text, false}, {"proof", &proof_shape, true},
    {"catalog", &catalog, true}, {"notes", &notes, true}, {"class", &class_, true},
    {"lent", &any_text, true});

/* True if there is one result for each new migration, in their order. */
static bool fits_request(const json_t *results, const rb_proof_request *request)
{
    size_t n = 0;
    for (size_t i = 0; i < request->set->n; i++) {
        if (!request->is_new[i])
            continue;
        const char *id = rb_json_str(json_array_get(results, n++), "id");
        if (!id || strcmp(id, request->set->items[i].id) != 0)
            return false;
    }
    return n == json_array_size(results);
}

static enum rb_code read_result(rb_proof *out, const rb_buf *text, const rb_proof_request *request,
                                rb_err *err)
{
    static const char what[] = "the result of the proof";
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    const char *line = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
    const size_t len = line ? (size_t)(line - text->data) : text->len;
    RB_TRY(rb_json_read(&json, text->data, len, what, err));
    RB_TRY(rb_shape_check(&result_shape, json, what, err));
    enum rb_code code = (enum rb_code)rb_json_int(json, "code", RB_ERROR);
    if (code != RB_OK)
        return rb_fail(err, code, "%s", rb_json_str(json, "message"));
    const json_t *proof = json_object_get(json, "proof");
    const char *class_name = rb_json_str(json, "class");
    if (!proof || !class_name || !json_object_get(json, "catalog") ||
        strcmp(rb_json_str(proof, "engine"), request->engine) != 0 ||
        !fits_request(json_object_get(proof, "migrations"), request))
        return rb_fail(err, RB_ERROR, "%s is about other migrations", what);
    out->json = json_incref(json_object_get(json, "proof"));
    out->catalog = json_incref(json_object_get(json, "catalog"));
    out->notes = json_incref(json_object_get(json, "notes"));
    out->lent = rb_strdup(rb_json_str(json, "lent"));
    rb_catalog_fingerprint(out->catalog, out->fingerprint);
    if (line)
        rb_buf_add(&out->state, line + 1, text->len - len - 1);
    for (size_t i = 0; classes[i]; i++)
        if (strcmp(classes[i], class_name) == 0)
            out->class_ = classes[i];
    return RB_OK;
}

static size_t all_runs(const rb_proof_request *request)
{
    size_t n = RUNS;
    for (size_t i = 0; i < request->set->n; i++)
        n += request->is_new[i] ? RUNS : 1;
    return n;
}

/* Lists the ups in the order in which the proof runs them: first those that are not new. Sets *n to
 * their count, *old to the count of those. */
static rb_db_step *list_steps(size_t *n, size_t *old, const rb_proof_request *request)
{
    const rb_migrations *set = request->set;
    rb_db_step *steps = rb_calloc(set->n + 1, sizeof *steps);
    *n = 0;
    for (int new_ones = 0; new_ones < 2; new_ones++) {
        for (size_t i = 0; i < set->n; i++)
            if (request->is_new[i] == (new_ones == 1))
                steps[(*n)++] = (rb_db_step){.migration = &set->items[i], .up = true};
        if (!new_ones)
            *old = *n;
    }
    return steps;
}

/* Keeps what a later command would run the scripts for: the database for the proof of the next
 * release, and the catalog, if the set's own order gives it. */
static void keep_result(const rb_proof *proof, const rb_proof_request *request)
{
    const rb_migrations *set = request->set;
    size_t n;
    size_t old;
    bool same = true;
    rb_db_step *steps = list_steps(&n, &old, request);
    for (size_t i = 0; i < set->n; i++)
        same &= !set->items[i].code && steps[i].migration == &set->items[i];
    if (proof->state.len > 0)
        rb_db_rebuild_keep_state(&proof->state, request->engine, steps, n);
    if (same)
        rb_db_rebuild_note(proof->catalog, request->engine, steps, n);
    free(steps);
}

/* Finds the database before the new migrations that an earlier proof left. */
static void find_state(rb_buf *out, const rb_proof_request *request)
{
    size_t n;
    size_t old;
    rb_db_step *steps = list_steps(&n, &old, request);
    if (old > 0 && rb_db_scratch_place(request->engine) == RB_SCRATCH_HERE)
        rb_db_rebuild_find_state(out, request->engine, steps, old);
    free(steps);
}

enum rb_code rb_proof_make(rb_proof *out, const rb_proof_request *asked, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf state = {0};
    rb_proof_request from_state = *asked;
    const rb_proof_request *request = &from_state;
    proving_child child = {.request = request};
    find_state(&state, request);
    from_state.state = state.len > 0 ? &state : NULL;
    rb_sandbox sandbox = {.what = "the proof", .prepare = prepare, .run = run, .context = &child};
    sandbox.no_dir = rb_db_scratch_place(request->engine) == RB_SCRATCH_PRIVATE;
    sandbox.open = rb_db_scratch_place(request->engine) == RB_SCRATCH_SERVER;
    char *folder = NULL;
    sandbox.kept = request->lend ? &folder : NULL;
    rb_confine(&sandbox, &request->limits, all_runs(request));
    RB_AUTO(rb_buf_clear) rb_buf result = {0};
    *out = (rb_proof){0};
    enum rb_code code = rb_db_scratch_start(request->engine, &request->limits, err);
    if (code == RB_OK)
        code = rb_sandbox_run(&result, &out->missing, &sandbox, err);
    if (code == RB_OK)
        code = read_result(out, &result, request, err);
    rb_err ignored;
    if (code != RB_OK && folder)
        (void)!rb_dir_remove(folder, &ignored);
    if (code != RB_OK)
        rb_proof_clear(out);
    if (code == RB_OK)
        keep_result(out, request);
    if (code == RB_OK)
        out->lent_folder = folder;
    else
        free(folder);
    return code;
}
