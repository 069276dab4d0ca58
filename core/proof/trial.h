/* The trial of one migration of a proof. */
#ifndef RB_PROOF_TRIAL_H
#define RB_PROOF_TRIAL_H

#include "proof/proving.h"

/*
 * try.c: proves m and leaves the schema with it applied; adds to p->results. Tried with plain
 * rows first. If that fails, or rows do not come back: with the values that scripts name, which
 * hold if all comes back. If it fails still: with other rows, and without made-up ones. A down that
 * fails on all of them fails; one that fails on some is untested.
 */
enum rb_code rb_proof_try(rb_proving *p, const rb_migration *m, rb_err *err);

/* trial.c: one trial of m, there, back and there again. */
enum rb_trial_end {
    RB_TRIAL_CLEAN,
    RB_TRIAL_ROWS,   /* rows do not come back; the schema does */
    RB_TRIAL_SCHEMA, /* the schema does not come back, or there is no down to run */
    RB_TRIAL_UP,     /* the up fails */
    RB_TRIAL_DOWN,   /* the down fails */
    RB_TRIAL_AGAIN,  /* the up fails, or gives another schema, after the down */
};

typedef struct rb_tried {
    json_t *result;
    enum rb_trial_end end;
    rb_err why; /* of RB_TRIAL_UP, RB_TRIAL_DOWN and RB_TRIAL_AGAIN */
} rb_tried;

/* After RB_TRIAL_UP the database is good for nothing but rb_proving_start(). */
enum rb_code rb_proof_trial(rb_tried *out, rb_proving *p, const rb_migration *m, rb_err *err);

#endif
