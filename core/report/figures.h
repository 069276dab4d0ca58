/*
 * DORA's figures of one environment, from its transitions: how often it is deployed to, how long a
 * commit takes to get there, how often that goes wrong, and how long it takes to recover.
 *
 *   deployment   a deploy that ended at its target
 *   failed       of those: it ended unhealthy or down, or a later transition undid it
 *   recovery     from the end of the failed deployment to the end of the next transition that
 *                ended `done`
 *   rework       a deployment while a failed one was not recovered from
 *   lead time    from the release's commit to the end of its first deployment there
 */
#ifndef RB_REPORT_FIGURES_H
#define RB_REPORT_FIGURES_H

#include "ledger/ledger.h"

typedef struct rb_move { /* a transition that counts, borrowed from the ledger */
    const rb_entry *entry;
    const char *kind;
    const char *outcome;
    const char *from_object;
    const char *to_object;
    int64_t started;
    int64_t finished;
    bool failed; /* set by rb_figures() */
} rb_move;

typedef struct rb_moves {
    rb_move *items; /* of one environment, in the order in which they ended */
    size_t n;
} rb_moves;

typedef struct rb_figures_request {
    int64_t since; /* of the transitions that are counted; those before decide what failed */
    int64_t now;
    int64_t rto; /* seconds; -1: none */
    /* When the release of this tag object was committed; -1: not known. */
    int64_t (*committed)(void *context, const char *object);
    void *context;
} rb_figures_request;

/* {"environment","from","until","days","deployments","deploymentsPerDay","leadSeconds","leads",
 * "failed","failedPercent","recoverySeconds","recoveries","rework","reworkPercent","reverts":
 * {"ended","done","percent","seconds","rto","within"},"failedEntries","reworkEntries"}; seconds are
 * medians, null where there is nothing to count. */
json_t *rb_figures(rb_moves *moves, const char *environment, const rb_figures_request *request);

#endif
