/*
 * Events that the environment's notify commands (core/watch/notify.h) get: one row for each event
 * and command, written when the event is found and marked when the command has taken it. The newest
 * 1,000 rows stay.
 */
#ifndef RB_ENVIRONMENT_STATE_NOTICE_H
#define RB_ENVIRONMENT_STATE_NOTICE_H

#include "environment/state.h"

/*
 * The newest transitions of this host, oldest first, with what events say about them: a new array
 * of objects with "id", "kind", "from", "to", "object" (of to), "outcome", "error", "started",
 * "finished", "app", "only" (its parts), "step" and "at" (the last one that was begun), "said"
 * (why that failed), "paused" (transition/pause.h), "begun" (true if an event of its beginning was
 * added) and "watch" (state_watch.h). What is not known is null.
 */
enum rb_code rb_state_happened(json_t **out, rb_state *state, rb_err *err);

/* Adds the event, which has that id, for a command; does nothing if it was added before. Durable
 * with rb_state_flush(). */
enum rb_code rb_state_notice_add(rb_state *state, const char *id, const char *command,
                                 const json_t *event, rb_err *err);

/* What no command has taken yet, those that were tried least first: a new array of {"sequence",
 * "id","command","event","attempts","error"}. */
enum rb_code rb_state_notices(json_t **out, rb_state *state, rb_err *err);

/* Records an attempt. error: why it failed; NULL: the command has taken it. Durable with
 * rb_state_flush(). */
enum rb_code rb_state_notice_tried(rb_state *state, int64_t sequence, const char *error,
                                   rb_err *err);

#endif
