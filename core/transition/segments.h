/*
 * Databases whose scripts take more than one commit, and scripts that run outside of transactions.
 *
 * Each segment (rb_db_segments()) but the last commits in the database step, with a row of its own
 * in the database's journal: "TRANSITION.1", "TRANSITION.2". The last one has the transition's row
 * and is committed by the commit step, as always. What is applied records which scripts have run. A
 * script outside of transactions is noted in the environment's state before it runs: one that
 * was cut off is recognised by that.
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

/* The id of a segment's row in the journal; a new string. */
char *rb_segment_id(const char *transition, const rb_plan_database *database, size_t number);
/* Counts the segments that are committed. */
enum rb_code rb_segments_look(rb_plan_database *database, rb_db *db, const char *transition,
                              rb_err *err);
/* Whether the script of that step was begun outside of transactions, and not recorded. */
enum rb_code rb_segment_begun(bool *out, const rb_segments *segments,
                              const rb_plan_database *database, size_t step, rb_err *err);
/* Runs it, or goes on with it. RB_HALFWAY where only a person can say whether it has happened, or
 * where it failed and cannot be undone alone. */
enum rb_code rb_segment_run(const rb_segments *segments, const rb_plan_database *database,
                            rb_db *db, size_t step, rb_err *err);

/* Runs the inverse of each script that was recorded or begun, last first, in every database of the
 * transition that has such segments. */
enum rb_code rb_segments_undo_all(const rb_undo *undo, rb_err *err);
/* Completes an undo that was cut off, as far as the transition needs that to go on. db: outside of
 * a transaction. */
enum rb_code rb_segments_settle(const rb_segments *segments, rb_plan_database *database, rb_db *db,
                                const rb_plan_request *request, rb_err *err);
/* Whether a plan, as it stands in the journal, has such a database: undoing it takes the releases.
 */
bool rb_segments_in(const json_t *plan);

#endif
