#include "environment/state_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"
#include "environment/root.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS live(part TEXT PRIMARY KEY, tag TEXT, object TEXT);"
    "CREATE TABLE IF NOT EXISTS transition_log(sequence INTEGER PRIMARY KEY, id TEXT UNIQUE NOT "
    "NULL, kind TEXT NOT NULL, from_tag TEXT, from_object TEXT, to_tag TEXT, to_object TEXT, "
    "plan TEXT NOT NULL, outcome TEXT, error TEXT, started INTEGER NOT NULL, finished INTEGER, "
    "host TEXT);"
    "CREATE TABLE IF NOT EXISTS plan_data(transition_id TEXT PRIMARY KEY, data TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS step(transition_id TEXT NOT NULL, step TEXT NOT NULL, state TEXT "
    "NOT NULL, at INTEGER NOT NULL, outcome TEXT, milliseconds INTEGER, "
    "PRIMARY KEY(transition_id, step));"
    "CREATE TABLE IF NOT EXISTS entry(transition_id TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT "
    "NULL, PRIMARY KEY(transition_id, kind));"
    "CREATE TABLE IF NOT EXISTS pin(name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS health(one INTEGER PRIMARY KEY CHECK (one = 1), result TEXT NOT "
    "NULL);"
    "CREATE TABLE IF NOT EXISTS said(transition_id TEXT NOT NULL, step TEXT NOT NULL, message "
    "TEXT, output TEXT, PRIMARY KEY(transition_id, step));";

static const char *const part_names[RB_PARTS] = {"app", "db", "flags", "config"};
static const char *const step_states[] = {"none", "intent", "done", "failed", "undone"};

const char *rb_part_name(enum rb_part part)
{
    return part_names[part];
}

const char *rb_step_state_name(enum rb_step_state state)
{
    return step_states[state];
}

/* Adds columns that the journal of an older rbtool lacks. */
static enum rb_code add_columns(rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db,
                           "SELECT 1 FROM pragma_table_info('step') WHERE name = 'milliseconds'",
                           NULL, err));
    if (json_array_size(rows) > 0)
        return RB_OK;
    return rb_sqlite_query(
        NULL, state->db,
        "BEGIN IMMEDIATE; ALTER TABLE step ADD COLUMN outcome TEXT; ALTER TABLE step "
        "ADD COLUMN milliseconds INTEGER; COMMIT",
        NULL, err);
}

/* SQLite gives its journals the mode of the database, and new databases a mode by the umask.
 * Everybody who may enter an environment may read its state, whatever the umask was. */
static void create_readable(const char *path)
{
    int fd = rb_at_open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return;
    (void)!fchmod(fd, 0644);
    close(fd);
}

enum rb_code rb_state_open(rb_state **out, const char *root, bool write, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/state.db", root);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    bool there = false;
    *out = NULL;
    if (write) {
        RB_TRY(rb_dir_make_as(dir, 0755, err));
        RB_TRY(rb_root_trust(root, err));
        create_readable(path);
    } else {
        RB_TRY(rb_root_has_state(&there, root, err));
        if (!there)
            return RB_OK;
    }
    RB_AUTO(rb_state_closep) rb_state *state = rb_calloc(1, sizeof *state);
    state->path = rb_strdup(path);
    RB_TRY(rb_sqlite_open_own(&state->db, path, write ? RB_SQLITE_CREATE : RB_SQLITE_READ, err));
    if (write) {
        /* PERSIST overwrites the journal in place, which needs less syncing than a new file each
         * time. */
        RB_TRY(rb_sqlite_query(NULL, state->db,
                               "PRAGMA synchronous=FULL; PRAGMA journal_mode=PERSIST", NULL, err));
        RB_TRY(rb_sqlite_query(NULL, state->db, schema, NULL, err));
        RB_TRY(add_columns(state, err));
        RB_TRY(rb_state_backup_tables(state, err));
        RB_TRY(rb_sqlite_stay(state->db, err));
    }
    RB_TRY(rb_state_bind(state, root, write, err));
    *out = state;
    state = NULL;
    return RB_OK;
}

void rb_state_close(rb_state *state)
{
    if (!state)
        return;
    rb_sqlite_close(state->db);
    free(state->path);
    free(state);
}

enum rb_code rb_state_has_tables(bool *out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db,
                           "SELECT count(*) FROM sqlite_schema WHERE name IN "
                           "('live','transition_log','step')",
                           NULL, err));
    *out = json_integer_value(json_array_get(json_array_get(rows, 0), 0)) == 3;
    return RB_OK;
}

const char *rb_state_cell(const json_t *row, size_t column)
{
    return json_string_value(json_array_get(row, column));
}

static enum rb_code read_live(rb_live *out, const rb_state *state, const json_t *row, rb_err *err)
{
    RB_AUTO(rb_free_str) char *part = NULL;
    RB_TRY(rb_state_text(&part, state, row, 0, "part", true, err));
    for (int i = 0; i < RB_PARTS; i++)
        if (strcmp(part, part_names[i]) == 0 && !out->tag[i]) {
            RB_TRY(rb_state_tag(&out->tag[i], state, row, 1, "tag", true, err));
            RB_TRY(rb_state_object(&out->object[i], state, row, 2, "object", err));
        }
    return RB_OK;
}

enum rb_code rb_state_live(rb_live *out, rb_state *state, rb_err *err)
{
    *out = (rb_live){0};
    bool there;
    RB_TRY(rb_state_has_tables(&there, state, err));
    if (!there)
        return RB_OK;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT part, tag, object FROM live", NULL, err));
    enum rb_code code = RB_OK;
    for (size_t i = 0; i < json_array_size(rows) && code == RB_OK; i++)
        code = read_live(out, state, json_array_get(rows, i), err);
    if (code != RB_OK)
        rb_live_clear(out);
    return code;
}

void rb_live_clear(rb_live *live)
{
    for (int part = 0; part < RB_PARTS; part++) {
        free(live->tag[part]);
        free(live->object[part]);
    }
    *live = (rb_live){0};
}

static enum rb_code read_row(rb_transition_row **out, const rb_state *state, const json_t *row,
                             rb_err *err)
{
    RB_AUTO(rb_transition_row_freep) rb_transition_row *t = rb_calloc(1, sizeof *t);
    const struct {
        char **to;
        size_t column;
        const char *name;
        bool required;
    } texts[] = {{&t->kind, 1, "kind", true},
                 {&t->outcome, 7, "outcome", false},
                 {&t->error, 8, "error", false},
                 {&t->entry, 11, "entry", false}};
    RB_TRY(rb_state_id(&t->id, state, row, 0, "id", true, err));
    RB_TRY(rb_state_tag(&t->from, state, row, 2, "from_tag", false, err));
    RB_TRY(rb_state_tag(&t->to, state, row, 4, "to_tag", true, err));
    RB_TRY(rb_state_object(&t->from_object, state, row, 3, "from_object", err));
    RB_TRY(rb_state_object(&t->to_object, state, row, 5, "to_object", err));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        RB_TRY(rb_state_text(texts[i].to, state, row, texts[i].column, texts[i].name,
                             texts[i].required, err));
    if (!json_is_null(json_array_get(row, 6)))
        RB_TRY(rb_state_read_plan(&t->plan, state, json_array_get(row, 6), err));
    t->started = json_integer_value(json_array_get(row, 9));
    t->finished = json_integer_value(json_array_get(row, 10));
    t->checked = json_integer_value(json_array_get(row, 12)) == 1;
    *out = t;
    t = NULL;
    return RB_OK;
}

enum rb_code rb_state_rows(rb_transition_row ***out, size_t *count, rb_state *state,
                           const char *plan, const char *where, rb_err *err)
{
    *out = NULL;
    *count = 0;
    bool there;
    RB_TRY(rb_state_has_tables(&there, state, err));
    if (!there)
        return RB_OK;
    RB_TRY(rb_state_has_outbox(&there, state, err));
    RB_AUTO(rb_free_str)
    char *sql = rb_format(
        "SELECT id, kind, from_tag, from_object, to_tag, to_object, %s, outcome, error, started, "
        "finished, %s, EXISTS (SELECT 1 FROM step s WHERE s.transition_id = t.id AND s.step = "
        "'checks' AND s.state = 'done') FROM transition_log AS t WHERE %s ORDER BY sequence DESC",
        plan,
        there ? "(SELECT e.id FROM entry e WHERE e.transition_id = t.id AND e.kind = 'transition')"
              : "NULL",
        where);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db, sql, NULL, err));
    rb_transition_row **list = rb_calloc(json_array_size(rows) + 1, sizeof(rb_transition_row *));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        enum rb_code code = read_row(&list[i], state, json_array_get(rows, i), err);
        if (code != RB_OK) {
            rb_transition_rows_free(list, i);
            return code;
        }
    }
    *out = list;
    *count = json_array_size(rows);
    return RB_OK;
}

enum rb_code rb_state_pending(rb_transition_row **out, rb_state *state, rb_err *err)
{
    rb_transition_row **rows;
    size_t count;
    RB_TRY(rb_state_rows(&rows, &count, state, "plan", "outcome IS NULL", err));
    *out = count > 0 ? rows[0] : NULL;
    if (count > 0)
        rows[0] = NULL;
    rb_transition_rows_free(rows, count);
    return RB_OK;
}

enum rb_code rb_state_history(rb_transition_row ***out, size_t *count, rb_state *state, bool parts,
                              rb_err *err)
{
    const char *plan = parts ? "json_object('only', json_extract(plan, '$.only'), "
                               "'environment', json_extract(plan, '$.environment'), "
                               "'marksBad', plan -> '$.marksBad', 'before', "
                               "json_object('by', json_extract(plan, '$.before.by')))"
                             : "NULL";
    return rb_state_rows(out, count, state, plan, "outcome IS NOT NULL", err);
}

bool rb_outcome_reached(const char *outcome)
{
    return outcome && (strcmp(outcome, "done") == 0 || strcmp(outcome, "unhealthy") == 0 ||
                       strcmp(outcome, "down") == 0);
}

void rb_transition_row_free(rb_transition_row *row)
{
    if (!row)
        return;
    free(row->id);
    free(row->kind);
    free(row->from);
    free(row->from_object);
    free(row->to);
    free(row->to_object);
    free(row->outcome);
    free(row->error);
    free(row->entry);
    json_decref(row->plan);
    free(row);
}

void rb_transition_rows_free(rb_transition_row **rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rb_transition_row_free(rows[i]);
    free(rows);
}

enum rb_code rb_state_change(rb_state *state, const char *sql, json_t *params, rb_err *err)
{
    enum rb_code code = rb_sqlite_query(NULL, state->db, sql, params, err);
    json_decref(params);
    if (code == RB_OK)
        return RB_OK;
    rb_sqlite_leave(state->db);
    return rb_err_prefix(err, "cannot write the environment's journal");
}

static enum rb_code set_live(rb_state *state, const rb_live *live, rb_err *err)
{
    for (int part = 0; live && part < RB_PARTS; part++)
        if (live->tag[part])
            RB_TRY(rb_state_change(state, "REPLACE INTO live(part, tag, object) VALUES (?, ?, ?)",
                                   json_pack("[s,s,o]", part_names[part], live->tag[part],
                                             rb_json_text(live->object[part])),
                                   err));
    return RB_OK;
}

static enum rb_code set_end(rb_state *state, const char *transition, const char *outcome,
                            const char *error, rb_err *err)
{
    return rb_state_change(
        state, "UPDATE transition_log SET outcome = ?, error = ?, finished = ? WHERE id = ?",
        json_pack("[s,o,I,s]", outcome, rb_json_text(error), (json_int_t)time(NULL), transition),
        err);
}

static enum rb_code insert(rb_state *state, const rb_transition_row *row, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf plan = {0};
    rb_json_canonical(&plan, row->plan);
    return rb_state_change(
        state,
        "INSERT INTO transition_log(id, kind, from_tag, from_object, to_tag, to_object, "
        "plan, started, host) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        json_pack("[s,s,o,o,o,o,s,I,s]", row->id, row->kind, rb_json_text(row->from),
                  rb_json_text(row->from_object), rb_json_text(row->to),
                  rb_json_text(row->to_object), plan.data, (json_int_t)time(NULL), state->host),
        err);
}

enum rb_code rb_state_hold(rb_state *state, rb_err *err)
{
    if (!state->open)
        RB_TRY(rb_state_change(state, "BEGIN IMMEDIATE", NULL, err));
    state->open = true;
    return RB_OK;
}

/* Commits the open transaction completely, or rolls it back. */
static enum rb_code open_or_not(rb_state *state, enum rb_code code)
{
    rb_err ignored;
    if (code != RB_OK) {
        (void)!rb_state_change(state, "ROLLBACK", NULL, &ignored);
        state->open = false;
    }
    return code;
}

static enum rb_code commit_or_not(rb_state *state, enum rb_code code, rb_err *err)
{
    if (code == RB_OK)
        code = rb_state_change(state, "COMMIT", NULL, err);
    if (code == RB_OK)
        state->open = false;
    return open_or_not(state, code);
}

enum rb_code rb_state_flush(rb_state *state, rb_err *err)
{
    return state->open ? commit_or_not(state, RB_OK, err) : RB_OK;
}

static enum rb_code insert_data(rb_state *state, const rb_transition_row *row, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf data = {0};
    if (!row->data)
        return RB_OK;
    rb_json_canonical(&data, row->data);
    return rb_state_change(state, "INSERT INTO plan_data(transition_id, data) VALUES (?, ?)",
                           json_pack("[s,s]", row->id, data.data), err);
}

enum rb_code rb_state_begin(rb_state *state, const rb_transition_row *row, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    enum rb_code code = insert(state, row, err);
    if (code == RB_OK)
        code = insert_data(state, row, err);
    return open_or_not(state, code);
}

enum rb_code rb_state_data(json_t **out, rb_state *state, const char *transition, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", transition);
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT data FROM plan_data WHERE transition_id = ?",
                           params, err));
    if (json_array_size(rows) == 0)
        return rb_fail(err, RB_HALFWAY,
                       "transition %s was begun on another host, so that its plan is not carried "
                       "out here\ngo back with `rbtool abort`",
                       transition);
    return rb_state_read_data(out, state, json_array_get(json_array_get(rows, 0), 0), err);
}

/* Ends the transitions that an abort reverted. */
static enum rb_code end_undone(rb_state *state, rb_err *err)
{
    return rb_state_change(state,
                           "UPDATE transition_log SET outcome = 'interrupted', finished = ? WHERE "
                           "outcome IS NULL",
                           json_pack("[I]", (json_int_t)time(NULL)), err);
}

/* A commit that reports a failure may have happened: SQLite deletes its journal, and then the sync
 * of the folder fails. What the file holds now decides. */
static bool has_ended(rb_state *state, const char *transition, const char *outcome)
{
    rb_err ignored;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", transition);
    if (rb_sqlite_query(&rows, state->db, "SELECT outcome FROM transition_log WHERE id = ?", params,
                        &ignored) != RB_OK)
        return false;
    const char *stored = rb_state_cell(json_array_get(rows, 0), 0);
    return stored && strcmp(stored, outcome) == 0;
}

enum rb_code rb_state_end(rb_state *state, const char *transition, const char *outcome,
                          const char *error, const rb_live *live, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    enum rb_code code = set_live(state, live, err);
    if (code == RB_OK)
        code = set_end(state, transition, outcome, error, err);
    if (code == RB_OK && rb_outcome_reached(outcome))
        code = end_undone(state, err);
    if (code == RB_OK)
        code = rb_state_change(state,
                               "DELETE FROM plan_data WHERE transition_id NOT IN (SELECT id FROM "
                               "transition_log WHERE outcome IS NULL)",
                               json_array(), err);
    if (code != RB_OK)
        return commit_or_not(state, code, err);
    code = commit_or_not(state, RB_OK, err);
    return code == RB_OK || has_ended(state, transition, outcome) ? RB_OK : code;
}

/* An inverse does not change what is recorded about the step's last end. */
enum rb_code rb_state_step(rb_state *state, const char *transition, const char *step,
                           enum rb_step_state now, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    enum rb_code code = rb_state_change(
        state,
        "INSERT INTO step(transition_id, step, state, at) VALUES (?, ?, ?, ?) ON "
        "CONFLICT(transition_id, step) DO UPDATE SET state = excluded.state, at = excluded.at",
        json_pack("[s,s,s,I]", transition, step, step_states[now], (json_int_t)time(NULL)), err);
    return commit_or_not(state, code, err);
}

enum rb_code rb_state_step_ended(rb_state *state, const char *transition, const char *step,
                                 enum rb_step_state now, int64_t milliseconds, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    return open_or_not(
        state, rb_state_change(state,
                               "UPDATE step SET state = ?1, outcome = ?1, at = ?2, milliseconds = "
                               "?3 WHERE transition_id = ?4 AND step = ?5",
                               json_pack("[s,I,I,s,s]", step_states[now], (json_int_t)time(NULL),
                                         (json_int_t)milliseconds, transition, step),
                               err));
}

enum rb_code rb_state_step_get(enum rb_step_state *out, rb_state *state, const char *transition,
                               const char *step, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s,s]", transition, step);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db,
                           "SELECT state FROM step WHERE transition_id = ? AND step = ?", params,
                           err));
    *out = RB_STEP_NONE;
    const char *name = rb_state_cell(json_array_get(rows, 0), 0);
    for (int i = 0; name && i <= RB_STEP_UNDONE; i++)
        if (strcmp(name, step_states[i]) == 0)
            *out = (enum rb_step_state)i;
    return RB_OK;
}
