/*
 * Runs service commands and checks of an environment: argument vectors without a shell, with the
 * variables RBTOOL_FROM, RBTOOL_TO and RBTOOL_ENV_NAME, and with a time limit that kills the whole
 * process group. SQL checks are data tests: a query that returns rows has failed.
 *
 * A check is repeated every second until it passes or its timeout is over, which counts from the
 * start of all checks. Once it passes, it must hold for stableFor seconds. A check whose turn comes
 * after its timeout runs once.
 *
 * A check command may print a line value=NUMBER; the last one is its value. A check with thresholds
 * fails if its value is beyond one of them, or if it prints none.
 */
#ifndef RB_ENVIRONMENT_CHECKS_H
#define RB_ENVIRONMENT_CHECKS_H

#include <stdatomic.h>

#include "base/process.h"
#include "config/environment.h"
#include "database/database.h"
#include "release/release.h"

#define RB_SERVICE_TIMEOUT 300 /* seconds for service.stop and service.start */

#define RB_OUTPUT_KEPT 2048 /* bytes kept from the end of a command's output */

/*
 * Runs a command. from may be NULL. RB_FOUND for a status other than 0, a time-out and a signal
 * to rbtool; RB_ERROR if the program cannot be started. *output, which may be NULL, is the end of
 * what the command printed on both streams, each line safe on a terminal; NULL if it printed
 * nothing.
 */
enum rb_code rb_command_run(char **output, const rb_env *env, const rb_strs *command, int timeout,
                            const char *what, const char *from, const char *to, rb_err *err);
/* Same, for a command that may print a secret value: what it printed on standard output is stored
 * in *printed, and *output and the message have only the end of standard error. last: an additional
 * last argument, or NULL. */
enum rb_code rb_command_run_quietly(rb_buf *printed, char **output, const rb_env *env,
                                    const rb_strs *command, const char *last, int timeout,
                                    const char *what, rb_err *err);
/* Starts a command of the environment, and waits for it. All its commands go through here, so that
 * none runs in a copy of the environment. process.argv is set here; last: an additional last
 * argument, or NULL. */
enum rb_code rb_command_process(rb_process_result *out, const rb_env *env, const rb_strs *command,
                                const char *last, rb_process process, rb_err *err);
/* Fails with RB_ERROR, naming the program, unless the command's program can be found and executed.
 * */
enum rb_code rb_command_find(const rb_strs *command, const char *what, rb_err *err);
char *rb_command_line(const rb_strs *command); /* for people: quoted where necessary */
/* Returns the command line of a check, or the databases that it compares. */
char *rb_check_line(const rb_env_check *check);

typedef struct rb_checking {
    const rb_env *env;
    const char *from; /* may be NULL */
    const char *to;
    const char *kind; /* kind of the transition that ends; NULL: checks with "after" do not run */
    bool once;        /* do not repeat a check that fails */
    json_t *values;   /* receives {NAME: number}, the last value of each check; or NULL */
    const json_t *before; /* values before the transition, for maxChange; or NULL */
    /* If not NULL, only checks with a value run: those with a threshold or a member here. */
    const json_t *measured;
    _Atomic(rb_db *) *active; /* the database of an SQL check, for a signal handler; or NULL */
    void (*progress)(void *context, const char *text); /* or NULL */
    void *context;
} rb_checking;

/* True if the check runs at the end of a transition of that kind: checks with "after" run only at
 * the end of theirs. */
bool rb_check_runs_after(const rb_env_check *check, const char *kind);
/* Returns how many of the environment's checks run at the end of a transition of that kind; NULL:
 * in `check` and in a watch. */
size_t rb_checks_count(const rb_env *env, const char *kind);

/* Runs every check command, in order, and collects failures: [{"name","message","output"}], output
 * NULL if the command printed nothing. Ends early at a signal to rbtool. */
void rb_checks_run(json_t *failures, const rb_checking *checking);

/*
 * Returns the database that an SQL check belongs to: the one whose name is a folder of its path or
 * the first part of its file's name (checks/audit/totals.sql, checks/audit.sql), else the first by
 * name; NULL if the release has none. *named: the path names it, or there is only one.
 */
const char *rb_sql_check_database(bool *named, const rb_manifest *manifest, const char *path);
/* Runs the release's SQL checks of `database` against db. failures: as for rb_checks_run(), with
 * "rows". */
enum rb_code rb_sql_checks_run(json_t *failures, const rb_release *release, rb_repo *repo,
                               const char *database, rb_db *db, rb_err *err);

/* Runs the release's SQL checks in the environment's databases as they are now. A database that
 * cannot be opened counts as a failed check. */
void rb_sql_checks_round(json_t *failures, const rb_checking *checking, const rb_release *release,
                         rb_repo *repo);
/* Runs every check command once, and the live release's SQL checks. */
void rb_checks_round(json_t *failures, const rb_checking *checking, const rb_release *release,
                     rb_repo *repo);

/* Returns a failure's message without the command's output and the contents of rows, which stay on
 * the host. */
char *rb_checks_public(const char *message);

#endif
