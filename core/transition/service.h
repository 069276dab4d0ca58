/*
 * The steps that run the environment's commands: stop and start of the service, and its checks;
 * what they print when they fail is kept. And what is known of the environment's health afterwards.
 */
#ifndef RB_TRANSITION_SERVICE_H
#define RB_TRANSITION_SERVICE_H

#include "transition/execute.h"

enum rb_code rb_service_stop(rb_run *run, rb_err *err);
/* RB_FOUND where the service cannot be started. */
enum rb_code rb_service_start(rb_run *run, rb_err *err);
enum rb_code rb_service_checks(rb_run *run, rb_err *err);

/* Inverses. What one that fails prints is kept in the journal, under the step that it belongs to.
 */
enum rb_code rb_service_start_again(const rb_undo *undo, rb_err *err);
enum rb_code rb_service_undo_start(const rb_undo *undo, enum rb_step_state state, rb_err *err);

/* RB_FOUND where the release that was staged does not bring the program that starts the service:
 * known before the service is stopped. */
enum rb_code rb_service_can_start(const rb_run *run, rb_err *err);
/* RB_ERROR where it is missing and no release will bring it. */
enum rb_code rb_service_look(const rb_plan_request *request, rb_err *err);
/* Nothing is live yet, and what would stop the service is not there. */
bool rb_service_cannot_run_yet(const rb_plan_request *request);

/* The result of run, for rb_state_health_set(): NULL where nothing was checked. unhealthy: what
 * failed, or NULL. */
json_t *rb_service_health(const rb_run *run, const rb_err *unhealthy);
/* The same of checks that ran outside of a transition. values: as rb_checking.values. down: the
 * service was not started before. */
json_t *rb_health_of_checks(const json_t *failures, const json_t *values, const char *release,
                            bool down);

/*
 * Checks of a transition without a point of no return, which moves neither databases nor the
 * application: a check that fails after it undoes it, unless it failed before. Otherwise a bad flag
 * could not be switched off while anything else is wrong.
 */
/*
 * Runs checks before anything is touched. Returns [NAME] of those that fail; none where that makes
 * no difference. Before a transition that is watched, those of FROM. Sets in values, {NAME:
 * number}, what those with a value print: the checks that have thresholds, or had a value the last
 * time.
 */
json_t *rb_service_before(const rb_run *run, json_t *values);
/* Of a run whose checks failed: each of them failed before it, as the journal's plan says. */
bool rb_failing_still(const rb_run *run);

#endif
