/*
 * The parts of an environment in a transition. A partial transition (--only) leaves other parts at
 * other releases. So parts that move together later can come from several releases: the request's
 * FROM is the release that the user names, and part_from has the others. All parts go to one TO.
 */
#ifndef RB_TRANSITION_PARTS_H
#define RB_TRANSITION_PARTS_H

#include "transition/plan.h"

/* Returns the release that a part comes from: the one that is live in it. NULL if nothing is live.
 */
const rb_release *rb_parts_from(const rb_plan_request *request, enum rb_part part);

/* Returns [{"part","from","to"}] for every part: where it is, and where it will be. Both are null
 * if nothing is live there and nothing will be; both are the same tag if the part stays. */
json_t *rb_parts_list(const rb_plan_request *request);

/* Adds notes about parts that stay, and parts that come from another release than FROM. */
void rb_parts_note(rb_plan *plan, const rb_plan_request *request);

/*
 * Texts made from a plan's document. A transition is partial if it leaves a part at another
 * release.
 */
char *rb_parts_subject(const json_t *plan); /* returns "prod", or "flags of prod" */
char *rb_parts_now(const json_t *plan);  /* returns "prod is at v1", or "flags of prod is at v1" */
char *rb_parts_live(const json_t *plan); /* like rb_parts_now(), or "v1 is live in prod" */
char *rb_parts_was(const json_t *plan);  /* returns "v2", "v2; config at v3" or "nothing" */
/* Returns "was v2"; or, if some parts are at TO already, "flags was at v2, app, db were at v1". */
char *rb_parts_before(const json_t *plan);
/* Returns where the environment will be, as `status` shows it: "v1", or "v2 (flags at v1)". *apart:
 * parts will be at different releases. */
char *rb_parts_after(const json_t *plan, bool *apart);
char *rb_parts_rest(const json_t *plan);   /* returns "", or "; app, db stay at v2" */
char *rb_parts_option(const json_t *plan); /* returns "", or " --only flags" */

/* Returns "app, db at v2, flags at v1", of those of `parts` where a release is live. */
char *rb_parts_where(const rb_live *live, const bool parts[RB_PARTS]);

#endif
