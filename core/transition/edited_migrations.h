/*
 * Releases whose scripts were edited after they had been released (RB004, accepted): a database
 * that was made by the old bytes does not come out as a new one does, and proofs were made
 * on other bytes than it has.
 */
#ifndef RB_TRANSITION_EDITED_MIGRATIONS_H
#define RB_TRANSITION_EDITED_MIGRATIONS_H

#include "transition/plan.h"

/*
 * Where FROM and TO have other bytes for a migration that both have: runs the transition's steps in
 * scratch databases, on FROM's bytes and on TO's, and adds what comes out otherwise than target to
 * database->residual, and the migrations' ids to database->edited. A history that does not run in
 * a scratch database adds nothing, and neither do override scripts: they must come out exactly.
 */
void rb_plan_edited(rb_plan_database *database, const json_t *target, const char *engine);

#endif
