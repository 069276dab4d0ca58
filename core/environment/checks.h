/*
 * Service commands and checks of an environment: argument vectors, no shell, with RBTOOL_FROM,
 * RBTOOL_TO and RBTOOL_ENV_NAME set, and a time limit that kills the whole group. SQL checks are
 * data tests: a query that returns rows has failed.
 */
#ifndef RB_ENVIRONMENT_CHECKS_H
#define RB_ENVIRONMENT_CHECKS_H

#include "database/database.h"
#include "environment/definition.h"
#include "release/release.h"

#define RB_SERVICE_TIMEOUT 300 /* seconds for service.stop and service.start */

/* from may be NULL. A status other than 0 or a time-out is RB_FOUND, with the end of what the
 * command printed. */
enum rb_code rb_command_run(const rb_env *env, const rb_strs *command, int timeout,
                            const char *what, const char *from, const char *to,
                            rb_err *err) RB_MUST_USE;

/* Every check command, in order; failures are gathered: [{"name","message"}]. */
void rb_checks_run(json_t *failures, const rb_env *env, const char *from, const char *to);

/*
 * The SQL checks of the release that are database's, against db; failures as above with "rows". A
 * check is that database's whose name is a folder of its path or the first part of its file's name
 * (checks/audit/totals.sql, checks/audit.sql), else the first one's by name.
 */
enum rb_code rb_sql_checks_run(json_t *failures, const rb_release *release, rb_repo *repo,
                               const char *database, rb_db *db, rb_err *err) RB_MUST_USE;

/* A failure's message without what a command printed and what rows hold: those stay on the host. */
char *rb_checks_public(const char *message);

#endif
