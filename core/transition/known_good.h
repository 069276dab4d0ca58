/*
 * Where a revert goes: the previous known-good release (design section 11). First the newest that
 * was live in this environment as a whole, is not bad, and whose last run here did not end
 * unhealthy or down (or that a person marked good since); a run without checks counts. Then the
 * nearest along the chain that is good; then, where the settings say "knownGood": "verified", the
 * nearest that verifies. A release that is bad is never TO, and only one that verifies is.
 */
#ifndef RB_TRANSITION_KNOWN_GOOD_H
#define RB_TRANSITION_KNOWN_GOOD_H

#include "environment/journals.h"
#include "ledger/verdict.h"
#include "session/session.h"

typedef struct rb_verdict_summary { /* the newest valid verdict on a release */
    int64_t at;                     /* of one that is only in the journal */
    enum rb_verdict verdict;
    char *why;   /* "reverted in prod", "marked bad by bob@example.com: slow"; NULL: no verdict */
    bool manual; /* somebody marked it, or verdicts disagree: not by a transition alone */
} rb_verdict_summary;

/* Of the ledger, which session has opened, and the journals; NULL: of the ledger alone. */
void rb_known_verdict(rb_verdict_summary *out, const rb_session *session,
                      const rb_journals *journals, const char *tag, const char *object);
/* Why a release is bad by the ledger, "" where no reason is known, or NULL; for
 * rb_chain_mark_bad(). context: the session, whose ledger is open. */
char *rb_known_bad(const void *context, const char *tag, const char *object);
void rb_verdict_summary_clear(rb_verdict_summary *summary);

typedef struct rb_known_good {
    rb_release *release; /* NULL when a person must decide */
    char *rule;          /* one line: why this one */
    rb_strs candidates;  /* releases that verify, nearest first, each with its verdict */
    rb_strs bad;         /* the same of those that are marked bad, each with the reason */
    char *newest_bad;    /* its tag */
} rb_known_good;

typedef struct rb_known_request {
    rb_session *session; /* its ledger is open */
    const rb_journals *journals;
    rb_state *state; /* NULL: no environment */
    const rb_release *from;
    const bool *parts; /* RB_PARTS: those that will move; a release counts as having been live when
                          all of them were at it together */
    const char *env;   /* its name, for the command that a refusal prints; NULL: no environment */
} rb_known_request;

/* RB_DECIDE when there is none; candidates are filled all the same. */
enum rb_code rb_known_good_find(rb_known_good *out, const rb_known_request *request, rb_err *err);
void rb_known_good_clear(rb_known_good *good);

/* What the history alone says: whether row ended with its TO live; whether every part was at
 * rows[at]'s TO when that had ended; and the release to go to from tag, unverified and borrowed,
 * or NULL. rows: newest first. */
bool rb_known_reached(const rb_transition_row *row);
/* Whether the last transition that ended at its TO ended `done`; true where none did. A release
 * whose last run here did not is passed over by a revert, even where `rbtool check` passed since.
 */
enum rb_code rb_known_ended_well(bool *out, rb_state *state, rb_err *err);
bool rb_known_whole(rb_transition_row *const *rows, size_t count, size_t at);
const char *rb_known_good_recorded(rb_transition_row *const *rows, size_t count, const char *from);

#endif
