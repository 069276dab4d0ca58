/*
 * Accepts an object that matches TO's released schema even where drift was to be preserved, or a
 * residual that an edited script had left: the scripts have repaired it.
 */
#ifndef RB_TRANSITION_RELEASED_SCHEMA_H
#define RB_TRANSITION_RELEASED_SCHEMA_H

#include "transition/plan.h"

/*
 * wrong: what differs between database->expected and after. Takes into database->expected each such
 * object that is in after as TO's own scripts make it, and either was like that before the steps,
 * or is named in one of their scripts: a script that rebuilds a table must not lose an index that
 * it does not name. Nothing is taken where TO's scripts do not run by themselves.
 */
void rb_plan_take_released(rb_plan_database *database, const rb_plan_request *request,
                           const json_t *wrong, const json_t *before, const json_t *after);

#endif
