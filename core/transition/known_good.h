/*
 * Finds the release that a revert goes to: the previous known-good one (design section 11).
 *
 * In this order: the newest that was live in this environment as a whole and is not bad, if its
 * last run here ended well or a person marked it good since (a run without checks counts as well);
 * the nearest along the chain that is good; with the setting "knownGood": "verified", the nearest
 * that verifies. A target must verify and must not be bad.
 */
#ifndef RB_TRANSITION_KNOWN_GOOD_H
#define RB_TRANSITION_KNOWN_GOOD_H

#include "environment/journals.h"
#include "ledger/verdict.h"
#include "session/session.h"

typedef struct rb_verdict_summary { /* the newest valid verdict on a release */
    int64_t at;                     /* time of a verdict that only the journal has */
    enum rb_verdict verdict;
    char *why;   /* text such as "reverted in prod", "marked bad by bob@example.com: slow"; NULL: no
                    verdict */
    bool manual; /* a person marked it, or verdicts disagree; false if a transition gave it */
} rb_verdict_summary;

/* Finds the verdict from the ledger, which the session has opened, and the journals. journals NULL:
 * from the ledger only. */
void rb_known_verdict(rb_verdict_summary *out, const rb_session *session,
                      const rb_journals *journals, const char *tag, const char *object);
/* Returns why the ledger says that a release is bad, "" if no reason is given, or NULL. For
 * rb_chain_mark_bad(). context: the session, whose ledger is open. */
char *rb_known_bad(const void *context, const char *tag, const char *object);
void rb_verdict_summary_clear(rb_verdict_summary *summary);

typedef struct rb_known_good {
    rb_release *release; /* the target; NULL if a person must decide */
    char *rule;          /* one line: why this release */
    rb_strs candidates;  /* releases that verify, nearest first, each with its verdict */
    rb_strs bad;         /* releases that are marked bad, each with the reason */
    char *newest_bad;    /* tag of the newest bad release */
} rb_known_good;

typedef struct rb_known_request {
    rb_session *session; /* its ledger must be open */
    const rb_journals *journals;
    rb_state *state; /* NULL: no environment */
    const rb_release *from;
    const bool *parts; /* parts that will move (RB_PARTS items); a release was live if all of them
                          were at it together */
    const char *env;   /* the environment's name for hints; NULL: no environment */
} rb_known_request;

/* Finds the target. RB_DECIDE if there is none; candidates are set then, too. */
enum rb_code rb_known_good_find(rb_known_good *out, const rb_known_request *request, rb_err *err);
/* Returns a hint on how to leave a release that is live: the command that reverts it, or what
 * rb_known_good_find() proposes if no release is known to be good. The session's ledger is open. */
char *rb_known_way_back(rb_session *session, const rb_journals *journals, rb_state *state,
                        const rb_release *from, const char *env);
void rb_known_good_clear(rb_known_good *good);

/* Conclusions from the history alone. rb_known_reached(): the row's transition ended with its TO
 * live. rb_known_whole(): all parts were at row `at`'s TO afterwards. rb_known_good_recorded(): the
 * tag to go to from a tag, not verified; borrowed, or NULL. rows: newest first. */
bool rb_known_reached(const rb_transition_row *row);
/* Sets *out if the last transition that reached its TO ended with outcome "done", or if none
 * exists. Otherwise a revert does not go to its release, even if `rbtool check` passed since. */
enum rb_code rb_known_ended_well(bool *out, rb_state *state, rb_err *err);
bool rb_known_whole(const rb_transition_rows *rows, size_t at);
/* Returns the release that a revert without a tag undoes: of those that are live in these parts,
 * the one that came here last for the first time. So what a partial revert left is reverted, too,
 * and the release that it went to is not. Borrowed from `live`; NULL if nothing is live. rows:
 * newest first. */
const char *rb_known_to_revert(const rb_live *live, const bool parts[RB_PARTS],
                               const rb_transition_rows *rows);
const char *rb_known_good_recorded(const rb_transition_rows *rows, const char *from);

#endif
