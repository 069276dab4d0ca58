/*
 * An environment, as its operator defines it (design section 5): a folder, databases, a flag
 * file, config files, service commands, checks. Read from JSON that the operator owns, never from
 * a release's tree. Relative paths are taken from the folder of the file that defines them.
 */
#ifndef RB_CONFIG_ENVIRONMENT_H
#define RB_CONFIG_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "database/database.h"

#define RB_NOTIFY_LIMIT 10 /* commands */

typedef struct rb_env_pair {
    char *name;  /* database name, or path in the repository */
    char *value; /* url, or path on this host */
    int mode;    /* of a config file: its permissions; 0 where none are given */
} rb_env_pair;

typedef struct rb_env_check {
    char *name;
    rb_strs command;
    int timeout;    /* seconds, at least 1: until then it must pass */
    int stable_for; /* seconds that it must hold */
    int attempt;    /* seconds of one run, at least 1 */
    bool retry;
    char *after; /* deploy or revert: it runs at the end of such a transition only; NULL: always */
    /* Instead of a command: two databases, and a query of each whose results have to be equal, but
     * for numbers that differ by the tolerance at most. No name: a command. */
    rb_env_pair compare[2];
    double tolerance;
    /* Thresholds of the value that it prints; NAN: none. The last is the part of the value before
     * the transition by which the value may differ. */
    double max;
    double min;
    double max_change;
} rb_env_check;

typedef struct rb_env_secret {
    char *name;
    rb_strs version; /* a command that prints the live version */
    rb_strs restore; /* one that makes the version live that is its last argument; empty: none */
} rb_env_secret;

typedef struct rb_env_watch {
    int failures;    /* of the last `of` rounds of all checks: then it acts */
    int of;          /* equal to failures: they are consecutive */
    double interval; /* seconds from the end of a round to the next one */
    bool reverts;    /* it may go back by itself; otherwise it holds */
    double escalate; /* seconds of a hold without another transition until it escalates */
} rb_env_watch;

typedef struct rb_env {
    char *name;
    char *root; /* absolute */
    rb_env_pair *databases;
    size_t database_count;
    char *flags; /* path on this host, or NULL */
    rb_env_pair *config;
    size_t config_count;
    rb_strs stop; /* argument vectors; empty: none */
    rb_strs start;
    rb_env_check *checks;
    size_t check_count;
    rb_env_watch watch;
    rb_env_secret *secrets;
    size_t secret_count;
    rb_strs *notify; /* commands that get its events */
    size_t notify_count;
    int rto; /* objectives in seconds; -1: none set */
    int rpo;
    rb_strs owners;
    rb_strs escalation;
    int statement_timeout; /* seconds of a script's statement; 0: any */
    char *timeout_key;     /* what sets it, for messages */
    int lock_timeout;      /* seconds in which a transition tries again to get its locks */
    bool terminate;        /* no setting: a person lets this run end sessions of a killed one */
    int keep;              /* releases kept on disk, at least 2 */
    int64_t backup_limit;  /* bytes of a backup, beside what is at risk */
    int keep_backups;      /* days */
} rb_env;

/*
 * Read the environment `name` of `environments`; NULL: the only one. base: folder for relative
 * paths. lookup gives the value of a "$NAME" url. RB_ERROR names the key at fault, or the
 * environments that exist. All places of the environment differ (environment/overlap.h), and it
 * shares none with another one of `environments`.
 */
enum rb_code rb_env_read(rb_env **out, const json_t *environments, const char *name,
                         const char *base, const char *(*lookup)(const char *name), rb_err *err);
/* Same as rb_env_read(), for commands that only look: does not compare paths, and leaves out
 * databases whose url is not set on this host. */
enum rb_code rb_env_look(rb_env **out, const json_t *environments, const char *name,
                         const char *base, const char *(*lookup)(const char *name), rb_err *err);
void rb_env_free(rb_env *env);
RB_DEFINE_AUTO(rb_env, rb_env_free)

/* Removes the commands of service, checks, secrets and notify, for an environment that is a copy:
 * they would act on the real one. */
void rb_env_drop_commands(rb_env *env);

/* True if a threshold needs the value that the check prints. */
bool rb_env_check_measures(const rb_env_check *check);

const char *rb_env_database(const rb_env *env, const char *name); /* its url, or NULL */

/* Returns the limits of scripts and checks in its databases; borrows from env. */
rb_db_limits rb_env_limits(const rb_env *env);

#endif
