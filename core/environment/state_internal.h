/*
 * The journal's file, for state.c, state_transition.c and state_backup.c. What is read is checked:
 * a journal that is damaged is an error that names it and what to do.
 */
#ifndef RB_ENVIRONMENT_STATE_INTERNAL_H
#define RB_ENVIRONMENT_STATE_INTERNAL_H

#include "base/hash.h"
#include "base/shape.h"
#include "environment/state.h"
#include "sqlite/sqlite.h"

/* Transitions that reached their target. */
#define RB_STATE_REACHED "t.outcome IN ('done', 'unhealthy', 'down')"

struct rb_state {
    rb_sqlite *db;
    char *path;
    char host[RB_SHA256_HEX]; /* rows of this host have this value */
    bool copy;
    bool open; /* a transaction that the next intent or end commits */
};

/* Runs a query. The parameters are given as for json_pack(), whose format has the brackets; format
 * NULL: none. */
enum rb_code rb_state_query(json_t **rows, const rb_state *state, rb_err *err, const char *sql,
                            const char *format, ...);
/* Runs a statement that changes the journal. */
enum rb_code rb_state_change(rb_state *state, rb_err *err, const char *sql, const char *format,
                             ...);
/* Begins a transaction that the next intent, the end or rb_state_flush() commits. */
enum rb_code rb_state_hold(rb_state *state, rb_err *err);
/* Passes code on. If it is a failure, rolls the open transaction back; commit: else commits it. */
enum rb_code rb_state_held(rb_state *state, enum rb_code code, bool commit, rb_err *err);

const char *rb_state_cell(const json_t *row, size_t column); /* a row's text, or NULL */

/* A row's text: where a copy goes and what it must be like. */
typedef struct rb_state_text {
    char **to;
    size_t column;
    const char *name;
    bool (*check)(const char *text); /* NULL: any text */
    bool required;                   /* NULL is an error */
} rb_state_text;
bool rb_state_is_object(const char *text); /* an object id */
enum rb_code rb_state_texts(const rb_state *state, const json_t *row, const rb_state_text *texts,
                            size_t count, rb_err *err);

/* Reads JSON of that shape. what: for the message. */
enum rb_code rb_state_read_json(json_t **out, const rb_state *state, const json_t *cell,
                                const rb_shape *shape, const char *what, rb_err *err);
/* The shapes of what is stored. Of a plan and its data, the members that are read again. */
extern const rb_shape rb_state_plan_shape, rb_state_data_shape, rb_state_items_shape,
    rb_state_health_shape, rb_state_watch_shape, rb_state_happened_shape, rb_state_event_shape;

enum rb_code rb_state_damaged(const rb_state *state, const char *what, rb_err *err);

#endif
