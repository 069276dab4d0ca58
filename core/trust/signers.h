/*
 * Decides who may sign. Reads the ALLOWED SIGNERS format of ssh-keygen(1), and decides like
 * `ssh-keygen -Y find-principals` followed by `-Y verify`, as git runs them.
 *
 * Lines that cannot be parsed are skipped, as by ssh-keygen, and counted.
 */
#ifndef RB_TRUST_SIGNERS_H
#define RB_TRUST_SIGNERS_H

#include "base/hash.h"
#include "base/problem.h"
#include "trust/keys.h"
#include "trust/revoked.h"

#define RB_SIGNERS_KEY "gpg.ssh.allowedSignersFile"
#define RB_SIGNERS_LIMIT (8u << 20) /* bytes of the file */

typedef struct rb_signer { /* a line of the file */
    char *principals;      /* pattern list of names */
    char *namespaces;      /* pattern list; NULL: any namespace */
    bool authority;        /* option cert-authority */
    uint64_t after;        /* seconds since 1970; 0: no limit */
    uint64_t before;
    rb_key *key;
    size_t line;
} rb_signer;

typedef struct rb_signers {
    char *path; /* path of the file, for messages */
    rb_signer *items;
    size_t n;
    size_t *by_key;             /* indices of items, ordered by key blob */
    size_t skipped;             /* number of lines that could not be parsed */
    size_t first_skipped;       /* line number of the first of them */
    rb_revoked *revoked;        /* revoked keys; NULL: no list */
    char digest[RB_SHA256_HEX]; /* SHA-256 of both files as rb_signers_load() read them */
} rb_signers;

/* Parses the file's content; `path` is for messages. */
enum rb_code rb_signers_parse(rb_signers **out, const char *path, const char *text, size_t len,
                              rb_err *err);
void rb_signers_free(rb_signers *signers);

/* Fails with RB_ERROR and a hint if no allowed signers are configured. */
enum rb_code rb_signers_need(const rb_signers *signers, rb_err *err);

/* Returns the parsed key of the line whose blob is exactly this one, or NULL. */
const rb_key *rb_signers_key(const rb_signers *signers, const void *blob, size_t len);

/*
 * Decides whether `key` may sign in the namespace at the time `when`. *principal receives all
 * matching principals, joined by ","; a pattern that matches `email` (which may be NULL) is
 * replaced by the email.
 *
 * RB_FOUND with one problem, "revoked", "signer", "expired" or "namespace", if it may not. RB_ERROR
 * with one problem if the KRL cannot be checked: such an answer must not be cached.
 */
enum rb_code rb_signers_check(char **principal, const rb_signers *signers, const rb_key *key,
                              const char *namespace_, uint64_t when, const char *email,
                              rb_problems *problems);

/* Returns the time at which the key (by its fingerprint) ceases to be valid for all the principals
 * (joined by ","); 0: never, or no line has the key. */
uint64_t rb_signers_end(const rb_signers *signers, const char *principals, const char *fingerprint);

/* Parses YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, in local time, or in UTC if followed by Z or
 * UTC. */
bool rb_signers_time(uint64_t *out, const char *text);

#endif
