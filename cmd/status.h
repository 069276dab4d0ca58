/*
 * Collects what `rbtool status` knows about one environment. A part that cannot be read is
 * listed, and the rest is still examined, because status is needed most when something is broken.
 */
#ifndef RB_CMD_STATUS_H
#define RB_CMD_STATUS_H

#include "env_session.h"

enum rb_side { /* of the point of no return, where a transition stopped */
               RB_SIDE_BEFORE,
               RB_SIDE_ABORTING, /* before that of an abort: what it goes back from is half-way */
               RB_SIDE_AFTER,
               RB_SIDE_UNKNOWN
};

typedef struct rb_status {
    rb_env_session site; /* env may be NULL: its settings cannot be read */
    char *name;
    rb_transition_row *row; /* begun and not ended, or NULL */
    char *holder;           /* who holds the environment, or NULL */
    const char *step;       /* of row */
    enum rb_side side;
    rb_strs committed;       /* row's databases that are at its TO, where others are not */
    rb_strs waiting;         /* those others */
    bool stopped;            /* the service, by row */
    bool flags_pending;      /* row is past its commit, and its flags are not written yet */
    json_t *said;            /* what row's last failure reported, or NULL */
    bool unknown;            /* what is live: the state cannot be read */
    const char *tag;         /* what is live; TO of a row that is committed */
    rb_live live;            /* borrows: the same, part by part */
    json_t *drift;           /* as in the document */
    json_t *accepted;        /* otherwise than the manifest, and known when the release went live */
    json_t *unreadable;      /* [{"part","message"}] */
    json_t *backups;         /* [{"id","bytes","at","age" in seconds}], by id */
    json_t *undelivered;     /* rb_env_session_undelivered() */
    json_t *drill;           /* rb_drill_last(), or NULL */
    json_t *checks;          /* rb_state_health(), or NULL */
    json_t *watch;           /* the newest, as rb_deploy_watch_view() shows it, or NULL */
    const char *health;      /* healthy, unhealthy, unchecked */
    bool down;               /* the service was not started */
    int64_t since;           /* 0: not known */
    char *by;                /* or NULL */
    size_t unwritten;        /* transitions that the ledger lacks */
    rb_release *release;     /* tag's, or NULL where it does not verify */
    rb_transition_row *last; /* the newest that ended, where it did not reach its TO; or NULL */
} rb_status;

/* name NULL: the only environment. RB_ERROR only where the environment cannot be determined. */
/* The pause that the pending transition stands in, or NULL; borrowed. */
const json_t *rb_status_pause(const rb_status *status);
enum rb_code rb_status_look(rb_status *out, rb_cli *cli, const char *name, rb_err *err);
void rb_status_clear(rb_status *status);

json_t *rb_status_document(rb_cli *cli, const rb_status *status);
/* The code for --exit-code; the message is empty where the text is enough. */
enum rb_code rb_status_code(const rb_status *status, rb_err *err);

char *rb_status_time(int64_t when); /* "2026-11-30 19:53:54 UTC" */
char *rb_status_iso(int64_t when);  /* "2026-11-30T19:53:54Z", or NULL */
#endif
