/*
 * Pausing a transition before one of its steps, until a person resumes or aborts it. The pause is a
 * member of its plan:
 *
 *   "paused": {"step","why","by","at","resumed"}
 *
 * which exists from the beginning, so that a run that is killed before the step pauses there when
 * it is resumed. at: when it stopped there; resumed: when it went on; both null until then.
 */
#ifndef RB_TRANSITION_PAUSE_H
#define RB_TRANSITION_PAUSE_H

#include "transition/execute.h"

/* Asks for a pause. RB_ERROR, with the steps that can be named, if the plan has no such step or a
 * database transaction is open before it, which would end with this process. */
enum rb_code rb_pause_ask(const rb_plan *plan, const char *step, const char *why,
                          const rb_plan_request *request, rb_err *err);

/* RB_HALFWAY if the run is to pause before this step; the journal says so from then on. */
enum rb_code rb_pause_before(const rb_run *run, enum rb_step_kind kind, rb_err *err);
/* Records that a person goes on with a transition that is paused. */
enum rb_code rb_pause_end(const rb_run *run, rb_err *err);

/* The pause of a plan that stands there now, or NULL; borrowed. */
const json_t *rb_paused(const json_t *plan);

#endif
