/*
 * Events for the environment's notify commands (core/watch/notify.h). The journal has a row for
 * each event and command, written when the event is found and marked when the command has received
 * it. Only the newest 1,000 rows are kept.
 */
#ifndef RB_ENVIRONMENT_STATE_NOTICE_H
#define RB_ENVIRONMENT_STATE_NOTICE_H

#include "environment/state.h"

/*
 * Returns what events report about the newest transitions of this host, oldest first, as a new
 * array of objects. Members: "id", "kind", "from", "to", "object" (of to), "outcome", "error",
 * "started", "finished", "app", "only" (its parts), "step" and "at" (the last step that began),
 * "said" (why that failed), "paused" (transition/pause.h), "begun" (an event of its beginning
 * exists) and "watch" (state_watch.h). Unknown values are null.
 */
enum rb_code rb_state_happened(json_t **out, rb_state *state, rb_err *err);

/* Adds an event with that id for a command. Does nothing if it exists. Durable with
 * rb_state_flush(). */
enum rb_code rb_state_notice_add(rb_state *state, const char *id, const char *command,
                                 const json_t *event, rb_err *err);

/* Returns the events that were not delivered yet, those with the fewest attempts first: a new array
 * of {"sequence","id","command","event","attempts","error"}. */
enum rb_code rb_state_notices(json_t **out, rb_state *state, rb_err *err);

/* Records an attempt to deliver an event. error: why it failed; NULL: the command received it.
 * Durable with rb_state_flush(). */
enum rb_code rb_state_notice_tried(rb_state *state, int64_t sequence, const char *error,
                                   rb_err *err);

#endif
