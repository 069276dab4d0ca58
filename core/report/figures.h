/*
 * Computes DORA's figures of one environment from its transitions.
 *
 *   deployment   a deploy that reached its target
 *   failed       a deployment that ended unhealthy or down, or that a later transition undid
 *   recovery     from the end of a failed deployment to the end of the next transition that
 *                ended `done`
 *   rework       a deployment before a failed one was recovered from
 *   lead time    from the release's commit to the end of its first deployment there
 */
#ifndef RB_REPORT_FIGURES_H
#define RB_REPORT_FIGURES_H

#include "ledger/ledger.h"

typedef struct rb_move { /* a transition that is counted; borrowed from the ledger */
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
    rb_move *items; /* transitions of one environment, in the order in which they ended */
    size_t n;
} rb_moves;

typedef struct rb_figures_request {
    int64_t since; /* in seconds: only later transitions are counted; earlier ones decide which
                      deployments failed */
    int64_t now;
    int64_t rto; /* recovery time objective in seconds; -1: none */
    /* Returns when the commit of a release's tag object was made; -1: unknown. */
    int64_t (*committed)(void *context, const char *object);
    void *context;
} rb_figures_request;

/* Returns {"environment","from","until","days","deployments","deploymentsPerDay","leadSeconds",
 * "leads","failed","failedPercent","recoverySeconds","recoveries","rework","reworkPercent",
 * "reverts": {"ended","done","percent","seconds","rto","within"},"failedEntries", "reworkEntries"}.
 * Seconds are medians, or null if there is nothing to count. */
json_t *rb_figures(rb_moves *moves, const char *environment, const rb_figures_request *request);

#endif
