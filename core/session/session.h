/*
 * The state of a command: repository, settings, signers, ledger, policy, and the releases that it
 * has verified. Each is opened once, by the first call that needs it.
 *
 * Order of calls: set the first four members; rb_session_repo(), rb_session_signers(),
 * rb_session_settings(), rb_session_ledger(), after which the member of that name is set;
 * rb_session_close(). A call that fails leaves its members unset and may be repeated.
 */
#ifndef RB_SESSION_SESSION_H
#define RB_SESSION_SESSION_H

#include "ledger/history.h"

#define RB_SESSION_RELEASES 128 /* number of verified releases that are cached */
#define RB_CHAIN_LIMIT 10000    /* number of releases that rb_session_walk() visits at most */

typedef struct rb_session {
    const char *dir;    /* folder in the repository */
    bool trust_code;    /* scripts may do in scratch databases what a superuser may */
    const char *config; /* argument of --config, or NULL */
    void (*note)(void *context, const char *text); /* receives notes for the user; may be NULL */
    void *context;
    rb_repo *repo;
    rb_signers *signers;
    rb_config *settings; /* from rbtool.json of the work tree, or from `config` */
    rb_ledger *ledger;
    rb_policy *policy;
    size_t ledger_reading; /* number of times that the ledger was read */
    rb_problems claims;    /* problems of entries that claim to be a policy and are not in force */
    /* cache as a ring: a new release replaces the oldest */
    rb_release *releases[RB_SESSION_RELEASES];
    size_t release_count;
} rb_session;

enum rb_code rb_session_repo(rb_session *session, rb_err *err);
/* Loads the signers. Opens the repository, too. */
enum rb_code rb_session_signers(rb_session *session, rb_err *err);
/* Reads the settings. RB_ERROR if none exist, with the command that writes them. */
enum rb_code rb_session_settings(rb_session *session, rb_err *err);
/* Loads ledger and policy. Opens repository and signers, too. If no ledger exists, it is empty. */
enum rb_code rb_session_ledger(rb_session *session, rb_err *err);
/* Must be called after an entry was written or fetched: the ledger is then read again on next
 * use. */
void rb_session_ledger_changed(rb_session *session);
void rb_session_close(rb_session *session);

/* Configures core/database before a database is opened: the extensions of git config
 * rbtool.extension, what rbtool.allowExtension and rbtool.trustCode let scripts do in scratch
 * databases, and the limits for rebuilding schemas. A mistake in rbtool.extension becomes an error
 * of the connection that would use it; the others give scripts nothing, with a note. */
void rb_session_extensions(rb_session *session);

/*
 * Returns a verified release, which the caller frees. Each is verified once in a process. If its
 * tag is missing, it is read from the ledger, with a note: the release with that object id, or the
 * newest of that name if object is NULL. RB_FOUND with the first problem; RB_ERROR if neither the
 * repository nor the ledger knows the tag.
 */
enum rb_code rb_session_release(rb_release **out, rb_session *session, const char *tag,
                                const char *object, rb_err *err);
/* Same as rb_session_release(), but returns NULL if the release does not verify or has another
 * object id. */
rb_release *rb_session_release_is(rb_session *session, const char *tag, const char *object);

/*
 * Calls visit for the predecessors of `release`, nearest first. Stops if visit returns false, or a
 * predecessor does not verify or is another object than its successor names.
 */
typedef bool rb_session_visit(void *context, const rb_release *release);
void rb_session_walk(rb_session *session, const rb_release *release, rb_session_visit *visit,
                     void *context);

/* Reads a tag that the user named. RB_ERROR if it does not exist; the hint suggests a similar
 * name. */
enum rb_code rb_session_tag(rb_tag **out, rb_session *session, const char *tag, rb_err *err);
/* Fails with RB_ERROR: the tag does not exist. */
enum rb_code rb_session_no_tag(const rb_session *session, const char *tag, rb_err *err);

#endif
