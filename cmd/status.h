/*
 * Collects what `rbtool status` knows about one environment. A part that cannot be read is
 * listed, and the rest is still examined, because status is needed most when something is broken.
 */
#ifndef RB_CMD_STATUS_H
#define RB_CMD_STATUS_H

#include "env_session.h"

enum rb_side { /* where a transition stopped, seen from the point of no return */
               RB_SIDE_BEFORE,
               RB_SIDE_ABORTING, /* an abort that stopped before its own commit, so that its FROM is
                                    half-way */
               RB_SIDE_AFTER,
               RB_SIDE_UNKNOWN
};

typedef struct rb_status {
    rb_env_session site; /* env is NULL if its settings cannot be read */
    char *name;
    rb_transition_row *row; /* the transition that has begun and not ended, or NULL */
    char *holder;           /* the process that holds the environment, or NULL */
    const char *step;       /* the step of `row` that it stopped in */
    enum rb_side side;
    rb_strs committed;  /* databases that `row` has committed, if others are not committed yet */
    rb_strs waiting;    /* the databases that are not committed yet */
    bool stopped;       /* `row` stopped the service and has not started it */
    bool flags_pending; /* `row` is past its commit and has not written the flags yet */
    json_t *said;       /* message of `row`'s last failure, or NULL */
    bool unknown;       /* the state cannot be read, so that the live release is unknown */
    const char *tag;    /* the live release; TO of `row` if it is committed */
    rb_live live;       /* the live release of each part; borrowed */
    json_t *drift;      /* differences, as in the JSON document */
    json_t *accepted; /* differences from the manifest that were known when the release went live */
    json_t *unreadable;      /* [{"part","message"}] */
    json_t *backups;         /* [{"id","bytes","at","age" in seconds}], by id */
    json_t *undelivered;     /* from rb_env_session_undelivered() */
    json_t *drill;           /* from rb_drill_last(), or NULL */
    json_t *checks;          /* from rb_state_health(), or NULL */
    json_t *watch;           /* the newest watch, from rb_status_watch(), or NULL */
    const char *health;      /* healthy, unhealthy, unchecked */
    bool down;               /* the service could not be started */
    int64_t since;           /* time when the release went live; 0: unknown */
    char *by;                /* who made it live, or NULL */
    size_t unwritten;        /* transitions that the ledger lacks */
    rb_release *release;     /* the release `tag`, or NULL if it does not verify */
    rb_transition_row *last; /* the newest that ended, if it did not reach its TO, else NULL */
} rb_status;

/* Returns the pause that the pending transition stopped in, or NULL. Borrowed. */
const json_t *rb_status_pause(const rb_status *status);
/* Collects the status. name NULL: the only environment. RB_ERROR only if the environment cannot be
 * determined. */
enum rb_code rb_status_look(rb_status *out, rb_cli *cli, const char *name, rb_err *err);
void rb_status_clear(rb_status *status);

json_t *rb_status_document(rb_cli *cli, const rb_status *status);
/* Returns the exit code for --exit-code. The message is empty if the text says enough. */
enum rb_code rb_status_code(const rb_status *status, rb_err *err);

char *rb_status_time(int64_t when); /* "2026-11-30 19:53:54 UTC" */
char *rb_status_iso(int64_t when);  /* "2026-11-30T19:53:54Z", or NULL */
/* Returns a watch in the form that documents show, as a new object. */
json_t *rb_status_watch(const json_t *watch);

#endif
