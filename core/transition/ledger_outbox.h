/*
 * Writes an environment's transitions to the ledger (design section 11): an entry "transition" for
 * each one that ended, an entry "verdict" (bad) about FROM for a revert that reached its TO, and an
 * entry "watch" for a watch that ended.
 *
 * Entries are written after the journal has recorded the end, so that a ledger that cannot be
 * written never makes a transition fail. The next command that holds the environment's lock writes
 * what is missing. The ledger is searched first, so that no entry is written twice.
 *
 * Output of the environment's commands and rows of its databases are left out: they may be
 * confidential.
 */
#ifndef RB_TRANSITION_LEDGER_OUTBOX_H
#define RB_TRANSITION_LEDGER_OUTBOX_H

#include "environment/state.h"
#include "session/session.h"

typedef struct rb_recording {
    size_t written; /* number of entries written */
    bool begins;    /* no ledger existed here or at the remote: the first entry begins one */
    size_t left;    /* transitions that still lack an entry */
} rb_recording;

/* Writes the missing entries. Needs the environment's lock. Entries are unsigned if no key is
 * configured. *out is always set. */
enum rb_code rb_record(rb_recording *out, rb_session *session, const char *environment,
                       rb_state *state, rb_err *err);

/* Returns an error message as one line that may be public: without output of commands and values of
 * rows. NULL gives NULL. */
char *rb_record_public(const char *error);

/* Returns git's committer, "Name <email>", whom a transition's journal names as the one who began
 * it. NULL if not configured. */
char *rb_transition_by(rb_repo *repo);

#endif
