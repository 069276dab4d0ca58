/*
 * What a command works with: repository, settings, signers, ledger, policy, and the releases that
 * it has verified. Each is opened once, by the first call that needs it.
 *
 * Order of calls: set the four members at the top; rb_session_repo(), rb_session_signers(),
 * rb_session_settings(), rb_session_ledger(), after which the members of that name can be used;
 * rb_session_close(). A call that fails leaves its members unset, and may be repeated.
 */
#ifndef RB_SESSION_SESSION_H
#define RB_SESSION_SESSION_H

#include "ledger/history.h"

#define RB_SESSION_RELEASES 128 /* verified releases that are remembered */
#define RB_CHAIN_LIMIT 10000    /* releases that rb_session_walk() follows */

typedef struct rb_session {
    const char *dir;                               /* a folder of the repository */
    const char *config;                            /* --config FILE, or NULL */
    void (*note)(void *context, const char *text); /* what the user should know; or NULL */
    void *context;
    rb_repo *repo;
    rb_signers *signers;
    rb_config *settings; /* rbtool.json of the work tree, or `config` */
    rb_ledger *ledger;
    rb_policy *policy;
    size_t ledger_reading; /* how often the ledger was read */
    rb_problems claims;    /* entries that claim to be policy and are not in force */
    rb_release *releases[RB_SESSION_RELEASES]; /* a ring: the oldest is replaced */
    size_t release_count;
} rb_session;

enum rb_code rb_session_repo(rb_session *session, rb_err *err);
/* And the repository. */
enum rb_code rb_session_signers(rb_session *session, rb_err *err);
/* RB_ERROR where there are none, with the command that writes them. */
enum rb_code rb_session_settings(rb_session *session, rb_err *err);
/* And repository, signers and policy. An empty ledger where there is none. */
enum rb_code rb_session_ledger(rb_session *session, rb_err *err);
/* An entry was written or fetched: what is known of the ledger is read again when it is needed. */
void rb_session_ledger_changed(rb_session *session);
void rb_session_close(rb_session *session);

/* Gives core/database, before a database is opened, the extensions that git config rbtool.extension
 * names, and the limits of scripts that rebuild a schema. What is wrong with them is the error of
 * the connection that would have loaded them. */
void rb_session_extensions(rb_session *session);

/*
 * The release of that tag, verified once in a process; the caller frees it. One whose tag is
 * missing here is taken from the ledger, and noted: the one with that object id, or the newest
 * where object is NULL. RB_FOUND names the first problem; RB_ERROR where neither knows the tag.
 */
enum rb_code rb_session_release(rb_release **out, rb_session *session, const char *tag,
                                const char *object, rb_err *err);
/* The same, of exactly that object; NULL where it does not verify, or the tag is another one. */
rb_release *rb_session_release_is(rb_session *session, const char *tag, const char *object);

/*
 * Calls visit with the releases that `release` follows, nearest first, until it returns false, or
 * a predecessor does not verify or is not the object that is named.
 */
typedef bool rb_session_visit(void *context, const rb_release *release);
void rb_session_walk(rb_session *session, const rb_release *release, rb_session_visit *visit,
                     void *context);

/* Reads a tag that the user named. RB_ERROR where it does not exist, with the one that was probably
 * meant. */
enum rb_code rb_session_tag(rb_tag **out, rb_session *session, const char *tag, rb_err *err);
/* The error for a tag that does not exist. */
enum rb_code rb_session_no_tag(const rb_session *session, const char *tag, rb_err *err);

#endif
