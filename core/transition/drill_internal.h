/* Shared by the parts of a drill. */
#ifndef RB_TRANSITION_DRILL_INTERNAL_H
#define RB_TRANSITION_DRILL_INTERNAL_H

#include <time.h>

#include "transition/drill.h"

/* What the copies are at. */
typedef struct rb_drill_state {
    const char *release; /* that is live in every part; NULL: parts differ */
    char *outcome;
    json_t *steps;
    json_t *drift;
    rb_live live;
} rb_drill_state;

/* Seconds. */
typedef struct rb_drill_times {
    double plan;
    double transition;
    double recovery;
} rb_drill_times;

json_t *rb_drill_seconds(double value); /* whole milliseconds as a decimal number */

/* What a drill showed. plan and report: of the process that carried it out; report may be NULL. */
typedef struct rb_drill_result {
    const rb_drill *drill;
    const rb_drill_state *before;
    const rb_drill_state *end;
    const json_t *plan;
    const json_t *report;
    const rb_drill_times *times;
    time_t began;
} rb_drill_result;

/* What is wrong, or NULL. A new string. */
char *rb_drill_judge(const rb_drill_result *result);
/* The document, with what the ledger gets as "record". wrong: as above. */
json_t *rb_drill_document(const rb_drill_result *result, const char *wrong);

#endif
