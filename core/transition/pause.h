/*
 * Pauses a transition before one of its steps, until a person resumes or aborts it. The plan has
 * the pause as a member "paused": {"step","why","by","at","resumed"}. It exists from the beginning,
 * so that a run that is killed before the step pauses there when it is resumed. at: time of the
 * stop; resumed: time when it continued; both null until then.
 */
#ifndef RB_TRANSITION_PAUSE_H
#define RB_TRANSITION_PAUSE_H

#include "transition/execute.h"

/* Adds a pause to the plan. RB_ERROR, with the possible steps, if the plan has no such step, or if
 * a database transaction is open before it, which would end with this process. */
enum rb_code rb_pause_ask(const rb_plan *plan, const char *step, const char *why,
                          const rb_plan_request *request, rb_err *err);

/* RB_HALFWAY if the run has to pause before this step; records the pause in the journal. */
enum rb_code rb_pause_before(const rb_run *run, enum rb_step_kind kind, rb_err *err);
/* Records that a person continues a paused transition. */
enum rb_code rb_pause_end(const rb_run *run, rb_err *err);

/* Returns the pause that the plan's transition is stopped in, or NULL. Borrowed. */
const json_t *rb_paused(const json_t *plan);

#endif
