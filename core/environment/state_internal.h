/*
 * The journal's file, shared by state*.c. What is read is checked: an error names a damaged journal
 * and what to do.
 */
#ifndef RB_ENVIRONMENT_STATE_INTERNAL_H
#define RB_ENVIRONMENT_STATE_INTERNAL_H

#include "base/hash.h"
#include "base/shape.h"
#include "environment/state.h"
#include "sqlite/sqlite.h"

/* SQL: the transition reached its target. */
#define RB_STATE_REACHED "t.outcome IN ('done', 'unhealthy', 'down')"

struct rb_state {
    rb_sqlite *db;
    char *path;
    char host[RB_SHA256_HEX]; /* value in rows that this host wrote */
    bool copy;
    bool open; /* a transaction is open, which the next intent or end commits */
};

/* Runs a query. Parameters are given as for json_pack(), without the outer brackets in the format;
 * format NULL: none. */
enum rb_code rb_state_query(json_t **rows, const rb_state *state, rb_err *err, const char *sql,
                            const char *format, ...);
/* Runs a statement that changes the journal. */
enum rb_code rb_state_change(rb_state *state, rb_err *err, const char *sql, const char *format,
                             ...);
/* Begins a transaction that the next intent, end or rb_state_flush() commits. */
enum rb_code rb_state_hold(rb_state *state, rb_err *err);
/* Returns code. If it is an error, rolls the open transaction back; otherwise commits it if
 * `commit` is set. */
enum rb_code rb_state_held(rb_state *state, enum rb_code code, bool commit, rb_err *err);

const char *rb_state_cell(const json_t *row,
                          size_t column); /* returns a text of the row, or NULL */

/* Runs a query whose rows have one cell, an object as text, and returns the objects as a new array.
 * Fails with rb_state_damaged() if one does not fit the shape. what: for messages. */
enum rb_code rb_state_list(json_t **out, const rb_state *state, const rb_shape *shape,
                           const char *what, rb_err *err, const char *sql, const char *format, ...);

/* Reads JSON and checks its shape. what: for messages. */
enum rb_code rb_state_read_json(json_t **out, const rb_state *state, const json_t *cell,
                                const rb_shape *shape, const char *what, rb_err *err);
/* Shapes of what is stored. Of a plan and its data, only the members that are read. */
extern const rb_shape rb_state_data_shape, rb_state_health_shape, rb_state_watch_shape,
    rb_state_happened_shape, rb_state_notice_shape, rb_state_live_shape, rb_state_row_shape,
    rb_state_step_shape, rb_state_said_shape, rb_state_backup_shape, rb_state_restore_shape;

enum rb_code rb_state_damaged(const rb_state *state, const char *what, rb_err *err);

#endif
