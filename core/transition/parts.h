/*
 * The parts of an environment in a transition. A partial one (--only) leaves the rest at other
 * releases, so that parts which later move as one may come from several: the request's FROM is the
 * release that is named, and each part has one of its own. They all go to one TO.
 */
#ifndef RB_TRANSITION_PARTS_H
#define RB_TRANSITION_PARTS_H

#include "transition/plan.h"

/* What a part comes from: the release that is live in it. NULL where nothing is live. */
const rb_release *rb_parts_from(const rb_plan_request *request, enum rb_part part);

/* [{"part","from","to"}] of every part: where it is and where it will be. Both are null where
 * nothing was ever put and nothing will be, and the same tag where it stays. */
json_t *rb_parts_list(const rb_plan_request *request);

/* Notes which parts stay, and which come from elsewhere than FROM. */
void rb_parts_note(rb_plan *plan, const rb_plan_request *request);

/*
 * In words, of a plan's document; one that an older rbtool made does not list its parts and is
 * taken for a whole one. A transition is partial when it leaves a part at another release.
 */
char *rb_parts_subject(const json_t *plan); /* "prod", "flags of prod" */
char *rb_parts_now(const json_t *plan);     /* "prod is at v1", "flags of prod is at v1" */
char *rb_parts_live(const json_t *plan);    /* the same, or "v1 is live in prod" */
char *rb_parts_was(const json_t *plan);     /* "v2", "v2; config at v3", "nothing" */
/* "was v2", or, where only some parts are at TO already, "flags was at v2, app, db were at v1". */
char *rb_parts_before(const json_t *plan);
/* Where the environment will be, as `status` shows it: "v1", "v2 (flags at v1)"; apart: so. */
char *rb_parts_after(const json_t *plan, bool *apart);
char *rb_parts_rest(const json_t *plan);   /* "", "; app, db stay at v2" */
char *rb_parts_option(const json_t *plan); /* "", " --only flags" */

/* "app, db at v2, flags at v1": those of parts that anything was ever put in. */
char *rb_parts_where(const rb_live *live, const bool parts[RB_PARTS]);

#endif
