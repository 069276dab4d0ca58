/* Tries one migration of a proof. */
#ifndef RB_PROOF_TRIAL_H
#define RB_PROOF_TRIAL_H

#include "proof/proving.h"

/*
 * Proves m, leaves the schema with m applied, and adds to p->results. Tries plain rows first. If
 * that fails, or rows do not come back, tries rows with the values that scripts name; their result
 * counts if all comes back. If it still fails, tries other rows, and then no made-up ones. A down
 * that fails on all of them fails; one that fails on some is untested. In try.c.
 */
enum rb_code rb_proof_try(rb_proving *p, const rb_migration *m, rb_err *err);

/* Runs all new downs after their trials, and adds to p->results what fails or differs then. In
 * downs.c. */
enum rb_code rb_proof_try_downs(rb_proving *p, rb_err *err);

/* How a trial of m ended: up, down and up again. In trial.c. */
enum rb_trial_end {
    RB_TRIAL_CLEAN,
    RB_TRIAL_ROWS,   /* rows do not come back, but the schema does */
    RB_TRIAL_SCHEMA, /* the schema does not come back, or the down is missing */
    RB_TRIAL_UP,     /* the up fails */
    RB_TRIAL_DOWN,   /* the down fails */
    RB_TRIAL_AGAIN,  /* after the down, the up fails or gives another schema */
};

typedef struct rb_tried {
    json_t *result;
    enum rb_trial_end end;
    rb_err why; /* error for RB_TRIAL_UP, RB_TRIAL_DOWN and RB_TRIAL_AGAIN */
} rb_tried;

/* Runs a trial. After RB_TRIAL_UP the database can be used only for rb_proving_start(). */
enum rb_code rb_proof_trial(rb_tried *out, rb_proving *p, const rb_migration *m, rb_err *err);

#endif
