/*
 * The journal's file, for state.c, state_backup.c and outbox.c.
 */
#ifndef RB_ENVIRONMENT_STATE_INTERNAL_H
#define RB_ENVIRONMENT_STATE_INTERNAL_H

#include "base/hash.h"
#include "base/shape.h"
#include "environment/state.h"
#include "sqlite/sqlite.h"

struct rb_state {
    rb_sqlite *db;
    char *path;
    char host[RB_SHA256_HEX]; /* rows of this host have this value */
    bool copy;
    bool open; /* a transaction that the next intent or end commits */
};

/* Compares the journal's host and folder with what they are now; write: pins them if it is new. */
enum rb_code rb_state_bind(rb_state *state, const char *root, bool write, rb_err *err) RB_MUST_USE;

/* A row's text, or NULL. */
const char *rb_state_cell(const json_t *row, size_t column);

/*
 * What is read is checked: a journal that is damaged is an error that names it, and what to do.
 * cell: of a row. A plan has the members that anybody reads again in the right kind, or not at all;
 * a backup's items have a table and perhaps a column. required: NULL is an error.
 */
enum rb_code rb_state_damaged(const rb_state *state, const char *what, rb_err *err) RB_MUST_USE;
enum rb_code rb_state_text(char **out, const rb_state *state, const json_t *row, size_t column,
                           const char *name, bool required, rb_err *err) RB_MUST_USE;
/* The same of a tag, and of a transition's id: names that become paths. */
enum rb_code rb_state_tag(char **out, const rb_state *state, const json_t *row, size_t column,
                          const char *name, bool required, rb_err *err) RB_MUST_USE;
/* NULL, or an object id. */
enum rb_code rb_state_object(char **out, const rb_state *state, const json_t *row, size_t column,
                             const char *name, rb_err *err) RB_MUST_USE;
enum rb_code rb_state_id(char **out, const rb_state *state, const json_t *row, size_t column,
                         const char *name, bool required, rb_err *err) RB_MUST_USE;
enum rb_code rb_state_read_plan(json_t **out, const rb_state *state, const json_t *cell,
                                rb_err *err) RB_MUST_USE;
enum rb_code rb_state_read_data(json_t **out, const rb_state *state, const json_t *cell,
                                rb_err *err) RB_MUST_USE;
enum rb_code rb_state_read_items(json_t **out, const rb_state *state, const json_t *cell,
                                 rb_err *err) RB_MUST_USE;

/* stored text of that shape; what: for the message. */
enum rb_code rb_state_read_json(json_t **out, const rb_state *state, const json_t *cell,
                                const rb_shape *shape, const char *what, rb_err *err) RB_MUST_USE;

/* state_backup.c: creates its tables, and takes over what an older rbtool wrote. */
enum rb_code rb_state_backup_tables(rb_state *state, rb_err *err) RB_MUST_USE;

/* A killed first run can leave the file without its tables. */
enum rb_code rb_state_has_tables(bool *out, rb_state *state, rb_err *err) RB_MUST_USE;

/* A journal that an older rbtool began has no table of entries, until it is opened for writing. */
enum rb_code rb_state_has_outbox(bool *out, rb_state *state, rb_err *err) RB_MUST_USE;

/* Of the log, newest first, those that the SQL condition on its row t names. plan:
 * what of the plan is read, as SQL. */
enum rb_code rb_state_rows(rb_transition_row ***out, size_t *count, rb_state *state,
                           const char *plan, const char *where, rb_err *err) RB_MUST_USE;

/* Begins a transaction that the next intent, the end or rb_state_flush() commits. */
enum rb_code rb_state_hold(rb_state *state, rb_err *err) RB_MUST_USE;

/* Runs a statement that changes the journal; takes ownership of params. */
enum rb_code rb_state_change(rb_state *state, const char *sql, json_t *params,
                             rb_err *err) RB_MUST_USE;

#endif
