/*
 * Checks of a transition without a point of no return, that moves neither databases nor the
 * application: what fails after it puts it back, unless it failed before. Otherwise a bad flag
 * could not be switched off while anything else is wrong.
 */
#ifndef RB_TRANSITION_FAILING_CHECKS_H
#define RB_TRANSITION_FAILING_CHECKS_H

#include "transition/execute.h"

/* [NAME] of the checks that fail now, before anything is touched; none where that makes no
 * difference. */
json_t *rb_failing_now(const rb_run *run);
/* Of a run whose checks failed: each of them failed before it, as the journal's plan says. */
bool rb_failing_still(const rb_run *run);

#endif
