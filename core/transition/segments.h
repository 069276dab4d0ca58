/*
 * Handles databases whose scripts need more than one commit, and scripts that run outside
 * transactions.
 *
 * Each segment (rb_db_segments()) except the last commits in the database step, with its own row in
 * the database's journal: "TRANSITION.1", "TRANSITION.2". The last one has the transition's row,
 * and the commit step commits it. The list of applied migrations shows which scripts have run. A
 * script outside a transaction is recorded in the environment's state before it runs, so that an
 * interruption is detected.
 */
#ifndef RB_TRANSITION_SEGMENTS_H
#define RB_TRANSITION_SEGMENTS_H

#include "transition/execute.h"

typedef struct rb_segments {
    const rb_env *env;
    rb_state *state;
    const char *transition;
    enum rb_said said;
} rb_segments;

/* Returns the id of a segment's row in the journal. A new string. */
char *rb_segment_id(const char *transition, const rb_plan_database *database, size_t number);
/* Counts the committed segments, in database->done. */
enum rb_code rb_segments_look(rb_plan_database *database, rb_db *db, const char *transition,
                              rb_err *err);
/* Sets *out if the script of that step was started outside a transaction, and not recorded as
 * finished. */
enum rb_code rb_segment_begun(bool *out, const rb_segments *segments,
                              const rb_plan_database *database, size_t step, rb_err *err);
/* Runs the script, or continues it. RB_HALFWAY if a person must find out whether it took effect, or
 * if it failed and cannot be undone alone. */
enum rb_code rb_segment_run(const rb_segments *segments, const rb_plan_database *database,
                            rb_db *db, size_t step, rb_err *err);

/* Runs the inverse of each script that was recorded or started, the last one first, in every
 * database of the transition that has such segments. */
enum rb_code rb_segments_undo_all(const rb_undo *undo, rb_err *err);
/* Completes an interrupted undo, as far as the transition needs it to continue. db is outside a
 * transaction. */
enum rb_code rb_segments_settle(const rb_segments *segments, rb_plan_database *database, rb_db *db,
                                const rb_plan_request *request, rb_err *err);
/* True if a plan of the journal has such a database, so that undoing it needs the releases. */
bool rb_segments_in(const json_t *plan);

#endif
