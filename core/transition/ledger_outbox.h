/*
 * What an environment's transitions leave in the ledger (design section 11): an entry "transition"
 * each when it has ended, whatever its outcome, and an entry "verdict" of a revert that reached
 * its TO: its FROM is bad; and an entry "watch" of a watch that has ended. They are written after
 * the journal has the end, so that a ledger that cannot be written never turns a transition into a
 * failure: what is left is written by the next command that holds the environment's lock. Never
 * twice: the ledger is asked for the transition's id first.
 *
 * What commands of the environment print and rows of its databases are not written: they may hold
 * what is nobody else's business.
 */
#ifndef RB_TRANSITION_LEDGER_OUTBOX_H
#define RB_TRANSITION_LEDGER_OUTBOX_H

#include "environment/state.h"
#include "session/session.h"

typedef struct rb_recording {
    size_t written; /* entries */
    bool begins;    /* there was no ledger here, nor at the remote: the first of them begins one */
    size_t left;    /* transitions whose entries are not all written */
} rb_recording;

/* Writes what is left. Needs the environment's lock. An entry is unsigned where no key is
 * configured. *out is filled whatever the result. */
enum rb_code rb_record(rb_recording *out, rb_session *session, const char *environment,
                       rb_state *state, rb_err *err);

/* Returns a message as one line for everyone to read: what commands printed and what rows hold is
 * left out. NULL gives NULL. */
char *rb_record_public(const char *error);

/* Who git would commit as, "Name <email>", or NULL: what a transition's journal says who began it.
 */
char *rb_transition_by(rb_repo *repo);

#endif
