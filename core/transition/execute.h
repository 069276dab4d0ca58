/*
 * Carries out a plan, or continues one that was interrupted.
 *
 * The journal records the intent before each step and its result after it. Steps are idempotent, so
 * that a run which was killed at any instant is continued by repeating them: the service is stopped
 * or started once more, for example.
 *
 * The commit of the first database is the point of no return; without a database, the switch of
 * ROOT/current is. A failure before it runs the inverses of the steps. After it, the transition can
 * only be continued or, with a new transition, reverted.
 */
#ifndef RB_TRANSITION_EXECUTE_H
#define RB_TRANSITION_EXECUTE_H

#include <signal.h>
#include <stdatomic.h>

#include "environment/journals.h"
#include "transition/plan.h"

typedef struct rb_control {          /* shared with a signal handler */
    volatile sig_atomic_t cancelled; /* number of signals caught */
    _Atomic(rb_db *) active;         /* the handler interrupts it with rb_db_interrupt() */
} rb_control;

/* A person's answer about a script that was interrupted outside a transaction. */
enum rb_said { RB_SAID_NOTHING, RB_SAID_DONE, RB_SAID_RETRY };

typedef struct rb_run {
    const rb_plan *plan;
    const rb_plan_request *request;
    rb_state *state;
    const json_t *agreed; /* losses that were agreed to: items of "dataAtRisk" */
    bool accepted_loss;   /* the user agreed to the plan's digest */
    bool accepted_drift;
    bool accepted_reverted; /* to deploy although a revert marked TO bad */
    enum rb_said said;
    int64_t watch; /* milliseconds to watch the release afterwards; 0: no watch */
    const char
        *watch_of; /* id of the watched transition that this revert undoes automatically; or NULL */
    const rb_journals *journals; /* of this host, to find a known-good release; or NULL */
    const json_t *pins;          /* stored in every database's journal row; or NULL */
    const char *host;    /* name of this host, for the record; each of these three may be NULL */
    const char *user;    /* the operating system's user */
    const char *version; /* version of rbtool */
    rb_control *control;
    void (*progress)(void *context, const char *step,
                     const char *text); /* shows progress in a step; or NULL */
    void (*begins)(void *context); /* called once the journal has the transition, before its first
                                      step; or NULL */
    /* For drills: called before a step's work and, with done set, after it. If it fails, the step
     * fails. May be NULL. */
    enum rb_code (*fault)(void *context, const char *step, bool done, rb_err *err);
    void *context;
    /* The following members belong to execute_plan.c and the steps. */
    rb_db **dbs; /* the open transaction of each database */
    rb_db_outcome *outcomes;
    bool *committed;
    bool begun;                 /* the journal has the transition: a step may have begun */
    bool past;                  /* the point of no return is passed */
    bool down;                  /* after that, the service could not be started */
    char *output;               /* output of the last command that failed, or NULL */
    char *start_output;         /* output of the start command if it failed, or NULL */
    double began;               /* start of the run, in seconds of the monotonic clock */
    json_t *results;            /* results of the steps, for the document */
    json_t *failures;           /* checks that failed */
    json_t *values;             /* {NAME: number} that checks printed */
    json_t *put_back;           /* what was restored from backups */
    char digest[RB_SHA256_HEX]; /* digest that agrees to what was found under lock; "" if nothing
                                   was found */
} rb_run;

void rb_run_clear(rb_run *run);

/*
 * Begins a transition and carries it out. *document: what --json prints; always set. RB_OK: done;
 * RB_FOUND: a step failed and everything was undone, or the release is unhealthy; RB_ERROR: no step
 * began; RB_HALFWAY: interrupted; RB_DECIDE: more would be lost than was agreed to, undone.
 */
enum rb_code rb_execute(json_t **document, rb_run *run, rb_err *err);
/* Like rb_execute(), for a transition that the journal has already: plan->id is its id. */
enum rb_code rb_execute_on(json_t **document, rb_run *run, rb_err *err);

/* Steps, for execute_plan.c and recover.c: */
enum rb_code rb_step_do(rb_run *run, enum rb_step_kind kind, rb_err *err);

/* Handles the folder that the staging step moved aside, once the point of no return is passed. If
 * it was the live one and had drifted, moves it to rb_host_backup_app(); otherwise removes it. */
void rb_step_stage_end(const rb_run *run);

/* What inverses need: the journal's row, since releases may not be available. All borrowed. */
typedef struct rb_undo {
    const rb_env *env;
    rb_state *state;
    const rb_transition_row *row;
    const rb_plan
        *plan; /* plan and request of a transition with scripts to undo (segments.h); or NULL */
    const rb_plan_request *request;
} rb_undo;
/* Runs the inverses of all steps that have an intent in the journal, the last one first. */
enum rb_code rb_undo_all(const rb_undo *undo, rb_err *err);

#endif
