/*
 * The journal's file, for state.c, state_backout.c and outbox.c.
 */
#ifndef RB_ENVIRONMENT_STATE_INTERNAL_H
#define RB_ENVIRONMENT_STATE_INTERNAL_H

#include "database/database.h"
#include "environment/state.h"

struct rb_state {
    rb_db *db;
    bool open; /* a transaction that the next intent or end commits */
};

/* A row's text, or NULL. */
const char *rb_state_cell(const json_t *row, size_t column);

/* A killed first run can leave the file without its tables. */
enum rb_code rb_state_has_tables(bool *out, rb_state *state, rb_err *err) RB_MUST_USE;

/* A journal that an older rbtool began has no table of entries, until it is opened for writing. */
enum rb_code rb_state_has_outbox(bool *out, rb_state *state, rb_err *err) RB_MUST_USE;

/* Of the log, newest first, those that the SQL condition on its row t names. plan:
 * what of the plan is read, as SQL. */
enum rb_code rb_state_rows(rb_transition_row ***out, size_t *count, rb_state *state,
                           const char *plan, const char *where, rb_err *err) RB_MUST_USE;

/* What follows waits for the next intent, the end or rb_state_flush(). */
enum rb_code rb_state_hold(rb_state *state, rb_err *err) RB_MUST_USE;

/* params is taken over. */
enum rb_code rb_state_change(rb_state *state, const char *sql, json_t *params,
                             rb_err *err) RB_MUST_USE;

#endif
