/*
 * Runs the commands of the environment in a transition: stop and start of the service, and checks.
 * Keeps the output of commands that fail. Also records the environment's health.
 */
#ifndef RB_TRANSITION_SERVICE_H
#define RB_TRANSITION_SERVICE_H

#include "transition/execute.h"

enum rb_code rb_service_stop(rb_run *run, rb_err *err);
/* Starts the service. RB_FOUND if that fails. */
enum rb_code rb_service_start(rb_run *run, rb_err *err);
enum rb_code rb_service_checks(rb_run *run, rb_err *err);

/* Inverses. The output of one that fails is stored in the journal, under its step. */
enum rb_code rb_service_start_again(const rb_undo *undo, rb_err *err);
enum rb_code rb_service_undo_start(const rb_undo *undo, enum rb_step_state state, rb_err *err);

/* Checks that the staged release has the program that starts the service, before the service is
 * stopped. RB_FOUND if not. */
enum rb_code rb_service_can_start(const rb_run *run, rb_err *err);
/* Checks that the program of service.start exists or that the release brings it. RB_ERROR if not.
 */
enum rb_code rb_service_look(const rb_plan_request *request, rb_err *err);
/* True if nothing is live yet and the program that stops the service does not exist. */
bool rb_service_cannot_run_yet(const rb_plan_request *request);

/* Returns the health for rb_state_health_set(); NULL if nothing was checked. unhealthy: what
 * failed, or NULL. */
json_t *rb_service_health(const rb_run *run, const rb_err *unhealthy);
/* Like rb_service_health(), for checks outside a transition. values: as in rb_checking.values.
 * down: the service had not been started. */
json_t *rb_health_of_checks(const json_t *failures, const json_t *values, const char *release,
                            bool down);

/*
 * Checks in transitions that move neither databases nor the application, and so have no point of no
 * return. A check that fails afterwards undoes the transition, unless it failed before, too.
 * Otherwise a bad flag could not be switched off while another check fails.
 */
/*
 * Runs the checks before anything is changed. Returns [NAME] of those that fail; empty if that has
 * no consequence. Before a watched transition runs those of FROM. Sets `values` to {NAME: number}
 * printed by checks that have thresholds, or that had a value the last time.
 */
json_t *rb_service_before(const rb_run *run, json_t *values);
/* True if each check that failed in the run had failed before it, by the journal's plan. */
bool rb_failing_still(const rb_run *run);

#endif
