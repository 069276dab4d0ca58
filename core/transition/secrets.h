/*
 * Secrets of an environment. A release says which version of each it needs ("secrets" of its
 * manifest: name and version); the environment has commands that print the live version and make
 * another one live. rbtool never sees a value: what `version` prints is read up to 256 bytes, must
 * be one word, and is shown only then.
 *
 * A transition moves those whose version differs between the releases. Its step "secrets" asks for
 * the live version, and restores the one of TO if it is another; the inverse restores what was live
 * before. A secret with the same version in both stays as it is.
 */
#ifndef RB_TRANSITION_SECRETS_H
#define RB_TRANSITION_SECRETS_H

#include "transition/execute.h"

/* Sets "secrets" of the plan, [{"name","from","to"}] of those that the step moves, and notes those
 * that it cannot move, with what is left to do by hand. Runs nothing. */
void rb_plan_secrets(rb_plan *plan, const rb_plan_request *request);
/* The step's line in the plan: a new string. */
char *rb_secrets_describe(const rb_plan *plan);

/* The step and its inverse. RB_FOUND if a command fails, or the version is another afterwards. */
enum rb_code rb_secrets_restore(rb_run *run, rb_err *err);
enum rb_code rb_secrets_undo(const rb_undo *undo, rb_err *err);

/* Runs `version` of every secret. *seen: {NAME: version} of those that answered, a new object; a
 * message of each other one is added to problems. */
void rb_secrets_look(json_t **seen, rb_strs *problems, const rb_env *env);
/* Records them in the state, at this time. */
enum rb_code rb_secrets_record(rb_state *state, const json_t *seen, rb_err *err);
/* Adds those whose recorded version is not the release's, as rb_drift_add() does it. */
enum rb_code rb_secrets_drift(json_t *drift, rb_state *state, const rb_env *env,
                              const rb_release *release, rb_err *err);

#endif
