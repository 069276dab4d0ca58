/*
 * The private PostgreSQL cluster of a command, for scratch databases.
 *
 * rb_pg_cluster_start() starts it once a process; a process that was forked afterwards uses the
 * same one over its socket. It lies in a folder of its own (0700, in /var/tmp), listens on a socket
 * in that folder only, trusts nothing to the disk (fsync off), and has two roles: ADMIN, a
 * superuser, and OWNER, which owns the scratch databases and runs the scripts. Started by root, it
 * runs as nobody. Where the kernel permits, it has no network.
 *
 * A guardian process (cluster_guard.c) starts and watches the server. It holds the end of a pipe
 * that closes with this process, however that ends: then it stops the server and removes the
 * folder.
 *
 * Errors: RB_ERROR if no server is installed or it does not start. rb_pg_cluster_ended() says why
 * the guardian stopped it before its time.
 */
#ifndef RB_DATABASE_POSTGRES_CLUSTER_H
#define RB_DATABASE_POSTGRES_CLUSTER_H

#include <signal.h>

#include "database/database.h"

#define RB_PG_CLUSTER_ADMIN "rbtool_admin"
#define RB_PG_CLUSTER_OWNER "rbtool"

/* limits: memory is that of each of its processes, size that of all its files. A cluster that runs
 * with other limits is stopped first. NULL: none, and any that runs will do. *started: it
 * did not run before. */
enum rb_code rb_pg_cluster_start(bool *started, const rb_db_limits *limits, rb_err *err);
/* Stops it and waits until its folder is gone. keep: it may go to the cache. Does nothing in a
 * forked process. */
void rb_pg_cluster_stop(bool keep);
/* Sets the folder in which a cluster that ended in good order is kept for the next command
 * (cluster_cache.h); NULL: none. To be called before the first start. */
void rb_pg_cluster_cache(const char *dir);
/* True if the cluster that runs will be kept. */
bool rb_pg_cluster_is_kept(void);
/* The folder of its socket; NULL if it does not run. */
const char *rb_pg_cluster_dir(void);

#define RB_PG_CLUSTER_ORDERLY                                                                      \
    SIGUSR1 /* says before `alive` closes that the cluster can be kept                             \
             */

/* The order of a guardian. */
typedef struct rb_pg_guard {
    const char *programs; /* the folder of initdb and postgres */
    const char *cache;    /* or NULL */
    int memory;           /* MiB; 0: any */
    int size;
    int alive; /* readable when the process that it serves has ended */
    int ready; /* gets "+DIR\n" when the server runs, or "-WHY\n" */
} rb_pg_guard;

/* To be called in a process forked for it. */
_Noreturn void rb_pg_cluster_guard(const rb_pg_guard *guard);
/* The same, for other work than a cluster: leaves terminal, files and signals of the parent, and
 * returns when that has ended. */
void rb_pg_guard_wait(const rb_pg_guard *guard);

#endif
