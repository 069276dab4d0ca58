/*
 * Carrying a plan out, and going on with one that was interrupted.
 *
 * Every step's intent is journaled before it and its result after; each is idempotent, so a run
 * that was killed at any instant is continued by doing them again: a service that is stopped is
 * stopped again, one that runs is started again. The commit of the first database (the
 * switch of current, where there is no database) is the one point of no return: a failure before
 * it runs the inverses and ends where it began, after it only forward.
 */
#ifndef RB_TRANSITION_EXECUTE_H
#define RB_TRANSITION_EXECUTE_H

#include <signal.h>
#include <stdatomic.h>

#include "transition/plan.h"

typedef struct rb_control {          /* shared with a signal handler */
    volatile sig_atomic_t cancelled; /* how many signals came */
    _Atomic(rb_db *) active;         /* may be interrupted with rb_db_interrupt() */
} rb_control;

/* What a person says of a script that was cut off outside of transactions. */
enum rb_said { RB_SAID_NOTHING, RB_SAID_DONE, RB_SAID_RETRY };

typedef struct rb_run {
    const rb_plan *plan;
    const rb_plan_request *request;
    rb_state *state;
    const json_t *agreed; /* what may be lost: items as dataAtRisk */
    bool accepted_loss;   /* of the plan's digest; and what else was agreed to */
    bool accepted_drift;
    bool accepted_reverted; /* TO was marked bad */
    enum rb_said said;
    int64_t watch;        /* milliseconds that it is watched when it is done; 0: it is not */
    const char *watch_of; /* id of the watched transition that this revert undoes by itself */
    const json_t *pins;   /* written into every database's journal row; or NULL */
    const char *host;     /* that it runs on, recorded; these three perhaps NULL */
    const char *user;     /* of the operating system */
    const char *version;  /* rbtool's */
    rb_control *control;
    void (*progress)(void *context, const char *step, const char *text); /* NULL: none */
    void (*begins)(
        void *context); /* it is in the journal, and its first step follows; NULL: none */
    /* For drills: called before a step's work, and after it (done) before the result is recorded; a
     * failure is the step's. NULL: none. */
    enum rb_code (*fault)(void *context, const char *step, bool done, rb_err *err);
    void *context;
    /* Kept by execute.c and steps.c. */
    rb_db **dbs; /* open transactions, one a database */
    rb_db_outcome *outcomes;
    bool *committed;
    bool begun;                 /* its row is durable: a step may have been begun */
    bool past;                  /* the point of no return */
    bool down;                  /* past it the service was not started */
    char *output;               /* of the last command that failed, or NULL */
    char *start_output;         /* the same of the one that starts the service */
    double began;               /* seconds of the monotonic clock */
    json_t *results;            /* steps of the document */
    json_t *failures;           /* of checks */
    json_t *values;             /* {NAME: number} that they print */
    json_t *put_back;           /* what was restored from backups */
    char digest[RB_SHA256_HEX]; /* agrees to what was found under lock; "" where nothing was */
} rb_run;

void rb_run_clear(rb_run *run);

/*
 * Begins and carries out. *document is what --json prints, set whatever the result:
 * RB_OK done; RB_FOUND a step failed and was undone, or unhealthy; RB_ERROR no step was begun;
 * RB_HALFWAY interrupted; RB_DECIDE more would be lost than was agreed to, undone.
 */
enum rb_code rb_execute(json_t **document, rb_run *run, rb_err *err);
/* The same for one that is already in the journal: plan->id is its id. */
enum rb_code rb_execute_on(json_t **document, rb_run *run, rb_err *err);

/* Steps, for execute.c and recover.c. */
enum rb_code rb_step_do(rb_run *run, enum rb_step_kind kind, rb_err *err);

/* Before the end, past the point of no return: the folder that the staging step set aside is
 * removed, or kept as rb_step_kept_app() where it was live and had drifted. */
void rb_step_stage_end(const rb_run *run);
char *rb_step_kept_app(const rb_run *run); /* a path, whether there is anything or not */

/* What an inverse needs: the journal's row, not the releases, which may be gone. Borrowed. */
typedef struct rb_undo {
    const rb_env *env;
    rb_state *state;
    const rb_transition_row *row;
    const rb_plan *plan; /* and its request: of one with scripts to undo (segments.h); or NULL */
    const rb_plan_request *request;
} rb_undo;
/* A member of the plan's "before": what was there before the transition. */
const json_t *rb_plan_before(const json_t *plan, const char *key);
/* What that has of a database, {"name","url","create"}, or NULL. */
const json_t *rb_plan_before_database(const json_t *plan, const char *name);
/* Runs the inverses of every step that has an intent, last first. */
enum rb_code rb_undo_all(const rb_undo *undo, rb_err *err);

enum rb_step_kind rb_step_kind_of(const char *name); /* RB_STEP_KINDS when there is none such */

#endif
