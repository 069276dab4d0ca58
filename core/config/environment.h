/*
 * An environment, as its operator defines it (design section 5): a folder, databases, a flag file,
 * config files, service commands, checks. It is read from JSON that the operator owns, never from a
 * release's tree. Relative paths start at the folder of the file that defines them.
 */
#ifndef RB_CONFIG_ENVIRONMENT_H
#define RB_CONFIG_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "database/database.h"

#define RB_NOTIFY_LIMIT 10 /* number of notify commands */

typedef struct rb_env_pair {
    char *name;  /* database name, or path in the repository */
    char *value; /* database url, or path on this host */
    int mode;    /* permissions of a config file; 0: not set */
} rb_env_pair;

typedef struct rb_env_check {
    char *name;
    rb_strs command;
    int timeout;    /* seconds, at least 1, in which the check must pass */
    int stable_for; /* seconds for which it must go on passing */
    int attempt;    /* seconds for one run of the command, at least 1 */
    bool retry;
    char *after; /* "deploy" or "revert": runs only at the end of such a transition; NULL: always */
    /* Instead of a command: a query for each of two databases. The results must be equal; numbers
     * may differ by the tolerance. Without a name, the check is a command. */
    rb_env_pair compare[2];
    double tolerance;
    /* Thresholds of the value that the command prints; NAN: none. max_change is a fraction of the
     * value before the transition: the value may not change by more. */
    double max;
    double min;
    double max_change;
} rb_env_check;

typedef struct rb_env_secret {
    char *name;
    rb_strs version; /* command that prints the live version */
    /* command that makes a version live; gets it as its last argument; empty: none */
    rb_strs restore;
} rb_env_secret;

typedef struct rb_env_watch {
    /* number of failed rounds among the last `of` rounds that triggers an action */
    int failures;
    int of;          /* if equal to failures, these are consecutive */
    double interval; /* seconds between rounds of checks */
    bool reverts;    /* the watch may revert the release; otherwise it only holds */
    double escalate; /* seconds of a hold without another transition until it escalates */
} rb_env_watch;

typedef struct rb_env {
    char *name;
    char *root; /* absolute path */
    rb_env_pair *databases;
    size_t database_count;
    char *flags; /* path on this host, or NULL */
    rb_env_pair *config;
    size_t config_count;
    rb_strs stop; /* argument vectors of service commands; empty: none */
    rb_strs start;
    rb_env_check *checks;
    size_t check_count;
    rb_env_watch watch;
    rb_env_secret *secrets;
    size_t secret_count;
    rb_strs *notify; /* commands that receive the environment's events */
    size_t notify_count;
    int rto; /* objectives (RTO, RPO) in seconds; -1: not set */
    int rpo;
    rb_strs owners;
    rb_strs escalation;
    int statement_timeout; /* seconds for one statement of a script; 0: no limit */
    char *timeout_key;     /* setting that sets statement_timeout, for messages */
    int lock_timeout;      /* seconds in which a transition retries to get its locks */
    /* not a setting: the user allowed this run to end sessions of a killed run */
    bool terminate;
    bool is_copy;         /* not a setting: no command runs (rb_command_process()) */
    int keep;             /* number of releases on disk, at least 2 */
    int64_t backup_limit; /* bytes of a backup, apart from data at risk */
    int keep_backups;     /* days after which backups are removed */
} rb_env;

/*
 * Reads the environment `name` of `environments`; NULL: the only one. base: folder for relative
 * paths. lookup returns the value of the variable NAME of a url "$NAME".
 *
 * Fails with RB_ERROR, naming the key at fault, or the environments that exist; also if two host
 * files of the environment are the same, or it shares one with another of `environments`
 * (config/overlap.h).
 */
enum rb_code rb_env_read(rb_env **out, const json_t *environments, const char *name,
                         const char *base, const char *(*lookup)(const char *name), rb_err *err);
/* Same as rb_env_read(), for commands that change nothing: does not compare paths, and omits
 * databases whose url is not set on this host. */
enum rb_code rb_env_look(rb_env **out, const json_t *environments, const char *name,
                         const char *base, const char *(*lookup)(const char *name), rb_err *err);
void rb_env_free(rb_env *env);
RB_DEFINE_AUTO(rb_env, rb_env_free)

/* Removes the commands of service, checks, secrets and notify, and sets is_copy. A copy of an
 * environment must not run them, because they act on the real one. */
void rb_env_drop_commands(rb_env *env);

/* True if the check has a threshold for the value that its command prints. */
bool rb_env_check_measures(const rb_env_check *check);

const char *rb_env_database(const rb_env *env, const char *name); /* returns its url, or NULL */

/* Returns the limits for scripts and checks in the environment's databases; borrows from env. */
rb_db_limits rb_env_limits(const rb_env *env);

#endif
