/* Shared by the parts of a drill. */
#ifndef RB_TRANSITION_DRILL_INTERNAL_H
#define RB_TRANSITION_DRILL_INTERNAL_H

#include <time.h>

#include "transition/drill.h"

/* The state of the copies. */
typedef struct rb_drill_state {
    const char *release; /* the release that is live in every part; NULL: parts differ */
    char *outcome;
    json_t *steps;
    json_t *drift;
    rb_live live;
} rb_drill_state;

/* Durations in seconds. */
typedef struct rb_drill_times {
    double plan;
    double transition;
    double recovery;
} rb_drill_times;

json_t *rb_drill_seconds(double value); /* returns seconds with three decimals, as a JSON number */

/* The result of a drill. plan and report come from the process that carried it out; report may be
 * NULL. */
typedef struct rb_drill_result {
    const rb_drill *drill;
    const rb_drill_state *before;
    const rb_drill_state *end;
    const json_t *plan;
    const json_t *report;
    const rb_drill_times *times;
    time_t began;
} rb_drill_result;

/* Returns what is wrong, as a new string, or NULL. */
char *rb_drill_judge(const rb_drill_result *result);
/* Returns the document, with "record" for the ledger. wrong: from rb_drill_judge(). */
json_t *rb_drill_document(const rb_drill_result *result, const char *wrong);

#endif
