/*
 * Stores the state of an environment in ROOT/.rbtool/state.db (SQLite, synchronous=FULL): the
 * release that is live in each part, every transition and its steps, backups.
 *
 * A step's intent is written before it begins, and its result after it. Each call is durable when
 * it returns, except for the beginning of a transition and the end of a step. These share a
 * transaction with the intent or the end that follows, and nothing is done before that. A database
 * that a transition changes has its own journal row, which alone shows whether the commit happened
 * there.
 *
 * Times are seconds since 1970.
 */
#ifndef RB_ENVIRONMENT_STATE_H
#define RB_ENVIRONMENT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

typedef struct rb_state rb_state;

/* Parts of an environment that can be at different releases after a partial transition. */
enum rb_part { RB_PART_APP, RB_PART_DB, RB_PART_FLAGS, RB_PART_CONFIG, RB_PARTS };
const char *rb_part_name(enum rb_part part); /* returns app, db, flags or config */

typedef struct rb_live {
    char *tag[RB_PARTS]; /* tag that is live in each part; NULL: none yet */
    char *object[RB_PARTS];
} rb_live;

typedef struct rb_transition_row {
    char *id;
    char *kind; /* deploy, revert, abort */
    char *from; /* tag of FROM, or NULL */
    char *from_object;
    char *to;
    char *to_object;
    json_t *plan;       /* NULL if it was not read */
    const json_t *data; /* for rb_state_begin(): stored until the transition ends, and read by
                           rb_state_data() */
    char *outcome; /* NULL while it runs or is interrupted; else done, failed, unhealthy (checks
                      fail), down (the service was not started), aborted, interrupted */
    char *error;   /* or NULL */
    char *entry;   /* id of its ledger entry; NULL: not written yet */
    int64_t started;
    int64_t finished;
    bool checked;       /* checks ran and passed */
    bool lacks_verdict; /* of rb_state_outbox(): the ledger lacks the verdict that it gives */
} rb_transition_row;

typedef struct rb_transition_rows {
    rb_transition_row *items;
    size_t n;
} rb_transition_rows;

/* True if the transition ended at its TO: done, unhealthy or down. */
bool rb_outcome_reached(const char *outcome);

/* Opens the journal. write: creates it if it is missing. Without write, *out is NULL if it does not
 * exist. */
enum rb_code rb_state_open(rb_state **out, const char *root, bool write, rb_err *err) RB_MUST_USE;
/* Copies the journal of the environment in `from` to root, which has none, in the state of one
 * moment. It counts as a copy until rb_state_take_over(). */
enum rb_code rb_state_copy(const char *root, const char *from, rb_err *err) RB_MUST_USE;
void rb_state_close(rb_state *state);
RB_DEFINE_AUTO(rb_state, rb_state_close)

enum rb_code rb_state_live(rb_live *out, rb_state *state, rb_err *err) RB_MUST_USE;
void rb_live_clear(rb_live *live);

/*
 * Returns the newest transition that has begun and not ended, or NULL. The abort of a committed
 * transition is a transition of its own: the one that it undoes stays pending below it, and is the
 * newest again if the abort does not reach its TO.
 */
enum rb_code rb_state_pending(rb_transition_row **out, rb_state *state, rb_err *err) RB_MUST_USE;
/* Returns all transitions that ended, newest first. parts: also reads "only", "environment",
 * "marksBad" and "before"."by" of the plans. */
enum rb_code rb_state_history(rb_transition_rows *out, rb_state *state, bool parts,
                              rb_err *err) RB_MUST_USE;
void rb_transition_row_free(rb_transition_row *row);
RB_DEFINE_AUTO(rb_transition_row, rb_transition_row_free)
void rb_transition_rows_clear(rb_transition_rows *rows);
/* Returns the row, which the list then has no more. */
rb_transition_row *rb_transition_rows_take(rb_transition_rows *rows, size_t index);

/* Begins a transition. Uses id, kind, from, to, objects, plan and data of row, and sets started. */
enum rb_code rb_state_begin(rb_state *state, const rb_transition_row *row, rb_err *err) RB_MUST_USE;
/* Returns the data of a pending transition, as it was when it began. */
enum rb_code rb_state_data(json_t **out, rb_state *state, const char *transition,
                           rb_err *err) RB_MUST_USE;
/* Replaces a member of the plan of a pending transition: "recovery" (transition/recovery_point.h),
 * "values" of its checks, "paused". Durable with the next intent, end or rb_state_flush(). */
enum rb_code rb_state_plan_set(rb_state *state, const char *transition, const char *key,
                               const json_t *value, rb_err *err) RB_MUST_USE;
/* Ends a transition. live: the releases that are live from now on, stored in the same transaction;
 * NULL: unchanged. A transition that reached its TO also ends those that are pending below it, as
 * interrupted. */
enum rb_code rb_state_end(rb_state *state, const char *transition, const char *outcome,
                          const char *error, const rb_live *live, rb_err *err) RB_MUST_USE;

enum rb_step_state { RB_STEP_NONE, RB_STEP_INTENT, RB_STEP_DONE, RB_STEP_FAILED, RB_STEP_UNDONE };
const char *rb_step_state_name(enum rb_step_state state);

enum rb_code rb_state_step(rb_state *state, const char *transition, const char *step,
                           enum rb_step_state now, rb_err *err) RB_MUST_USE;
/* Records that the current step is done or has failed, and its duration. Undoing the step later
 * does not change this record. */
enum rb_code rb_state_step_ended(rb_state *state, const char *transition, const char *step,
                                 enum rb_step_state now, int64_t milliseconds,
                                 rb_err *err) RB_MUST_USE;
/* Commits changes that would otherwise wait for the next intent or end. */
enum rb_code rb_state_flush(rb_state *state, rb_err *err) RB_MUST_USE;
enum rb_code rb_state_step_get(enum rb_step_state *out, rb_state *state, const char *transition,
                               const char *step, rb_err *err) RB_MUST_USE;

/* Returns [{"id","outcome","milliseconds"}] of the steps that began, in their order. outcome: done,
 * failed, undone, interrupted. */
enum rb_code rb_state_steps(json_t **out, rb_state *state, const rb_transition_row *row,
                            rb_err *err) RB_MUST_USE;

/*
 * Returns the last result of the environment's checks: {"health":"healthy" or "unhealthy","down":
 * the service was not
 * started,"at","release","message","output","failures":[{"name","message","output"}]}; output:
 * all lines of the end of what a command printed, safe on a terminal. NULL if no check ran yet.
 * Setting it is durable with the next intent, end or rb_state_flush().
 */
enum rb_code rb_state_health(json_t **out, rb_state *state, rb_err *err) RB_MUST_USE;
enum rb_code rb_state_health_set(rb_state *state, const json_t *health, rb_err *err) RB_MUST_USE;

/* Returns the last step that failed, {"step","message","output"}, or NULL. */
enum rb_code rb_state_said(json_t **out, rb_state *state, const char *transition,
                           rb_err *err) RB_MUST_USE;
enum rb_code rb_state_said_set(rb_state *state, const char *transition, const char *step,
                               const char *message, const char *output, rb_err *err) RB_MUST_USE;

/* Returns [{STEP: milliseconds}] of the last transitions of a kind that reached their TO, newest
 * first. */
enum rb_code rb_state_times(json_t **out, rb_state *state, const char *kind, size_t limit,
                            rb_err *err) RB_MUST_USE;

/*
 * Pins: values that this host recorded about the environment and compares later, one text for each
 * name ("host", "environment", "settings", "root", "policy", ...). rb_state_pin(): *out is NULL if
 * the name has none. rb_state_pin_set() replaces the value; it is durable at once, or with the
 * transaction that is open.
 */
enum rb_code rb_state_pin(char **out, rb_state *state, const char *name, rb_err *err) RB_MUST_USE;
enum rb_code rb_state_pin_set(rb_state *state, const char *name, const char *value,
                              rb_err *err) RB_MUST_USE;

/*
 * A journal belongs to the host and folder where it began. It still belongs to them if ROOT/.rbtool
 * is the same folder, by inode and time of birth (the host was renamed, reinstalled, or is a
 * container with a volume), or if host and path are the same (the folder was restored in place).
 * Otherwise it is a copy: the transitions that it records may not have happened here. Rows name the
 * host that made them; the outbox has only those of this host.
 *
 * Commands that change an environment refuse a copy. rb_state_take_over() makes it this host's own,
 * for a person who restored or moved it on purpose. Rows of another host remain that host's.
 */
bool rb_state_is_copy(const rb_state *state);
enum rb_code rb_state_take_over(rb_state *state, const char *root, rb_err *err) RB_MUST_USE;

/* Returns the outbox, oldest first: the transitions with entries that the ledger lacks. Without
 * `entry` that is the transition's own; see also lacks_verdict. */
enum rb_code rb_state_outbox(rb_transition_rows *out, rb_state *state, rb_err *err) RB_MUST_USE;
/* Records that an entry was written. Durable with rb_state_flush(): if it is lost, the ledger is
 * searched for the entry. */
enum rb_code rb_state_written(rb_state *state, const char *transition, const char *kind,
                              const char *entry, rb_err *err) RB_MUST_USE;
/* Adds the ids of all entries that were written. */
enum rb_code rb_state_entries(rb_strs *out, rb_state *state, rb_err *err) RB_MUST_USE;

/* A backup: what a transition's scripts could destroy, and the file that has it. */
typedef struct rb_backup_row {
    int64_t id;
    char *transition;
    char *database;
    char *file; /* path below ROOT */
    char *sha256;
    json_t *items; /* [{"table","column","rows","values","atRisk"}] */
    int64_t bytes;
    int64_t pruned; /* time when the file was removed; 0: it exists */
    /* [{"table","column","restored","missing"}]: what other transitions restored from it, 0 if they
     * tried to and nothing could be restored; and what the last of them could not */
    json_t *restored;
    json_t *scripts; /* scripts of the transition in this database: [{"id","direction","sha256"}] */
    char *kind;      /* kind of the transition, and its releases; from may be NULL */
    char *from;
    char *to;
    int64_t at;
} rb_backup_row;

typedef struct rb_backup_rows {
    rb_backup_row *items;
    size_t n;
} rb_backup_rows;

/* Adds a backup. Uses transition, database, file, sha256, items and bytes. */
enum rb_code rb_state_backup_add(rb_state *state, const rb_backup_row *backup,
                                 rb_err *err) RB_MUST_USE;
/* Lists the backups of transitions that committed at least a part, newest first. database NULL: of
 * all databases. asking: a transition whose own backup is left out, or NULL. */
enum rb_code rb_state_backups(rb_backup_rows *out, rb_state *state, const char *database,
                              const char *asking, rb_err *err) RB_MUST_USE;
void rb_backup_rows_clear(rb_backup_rows *backups);
/* Records that a transition restored these items. Call it before the transition's commit; it counts
 * once the transition has ended well. */
enum rb_code rb_state_backup_restored(rb_state *state, int64_t id, const char *transition,
                                      const json_t *items, rb_err *err) RB_MUST_USE;
/*
 * Records restores by `rbtool restore`. Begin is called, with rb_state_flush(), before the database
 * commits, and end afterwards. If the end is missing, the database's own journal shows whether it
 * was committed. detail: of the ledger entry. rb_state_restores() returns those without an entry,
 * oldest first: [{"id","database","committed","detail"}]. A copied journal has none.
 */
enum rb_code rb_state_restore_begin(rb_state *state, const char *id, int64_t backup,
                                    const json_t *detail, rb_err *err) RB_MUST_USE;
enum rb_code rb_state_restore_end(rb_state *state, const char *id, bool committed,
                                  rb_err *err) RB_MUST_USE;
enum rb_code rb_state_restores(json_t **out, rb_state *state, rb_err *err) RB_MUST_USE;
enum rb_code rb_state_backup_pruned(rb_state *state, int64_t id, int64_t at,
                                    rb_err *err) RB_MUST_USE;

#endif
