/*
 * Moves versions of an environment's secrets. A release lists the version of each secret that it
 * needs ("secrets" of its manifest: name and version). The environment has commands that print the
 * live version and make another one live. Standard output of `version` must be one word. Standard
 * output of both could be a value and is never shown. The end of standard error of one that fails
 * is shown as that of other commands: here, and not in the ledger.
 *
 * A transition moves secrets whose version differs between the releases. Its step "secrets" reads
 * the live version and restores TO's if it differs; the inverse restores the version that was live
 * before. Secrets with the same version in both releases are not touched.
 */
#ifndef RB_TRANSITION_SECRETS_H
#define RB_TRANSITION_SECRETS_H

#include "transition/execute.h"

/* Sets "secrets" of the plan: [{"name","from","to"}] of the secrets that the step moves. Adds notes
 * about the others, with what is left to do by hand. Runs no command. */
void rb_plan_secrets(rb_plan *plan, const rb_plan_request *request);
/* Returns the text of the step in the plan, as a new string. */
char *rb_secrets_describe(const rb_plan *plan);

/* Runs the step "secrets", and its inverse. RB_FOUND if a command fails, or if the version differs
 * afterwards. */
enum rb_code rb_secrets_restore(rb_run *run, rb_err *err);
enum rb_code rb_secrets_undo(const rb_undo *undo, rb_err *err);

/* Runs `version` of every secret. *seen: {NAME: version} of those that answered, as a new object.
 * Adds a message to problems for each other one. */
void rb_secrets_look(json_t **seen, rb_strs *problems, const rb_env *env);
/* Records the versions in the state, with the current time. */
enum rb_code rb_secrets_record(rb_state *state, const json_t *seen, rb_err *err);
/* Adds secrets whose recorded version is not the release's to drift, as rb_drift_add() does. */
enum rb_code rb_secrets_drift(json_t *drift, rb_state *state, const rb_env *env,
                              const rb_release *release, rb_err *err);

#endif
