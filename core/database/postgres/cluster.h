/*
 * The private PostgreSQL cluster of a command, for scratch databases.
 *
 * rb_pg_cluster_start() starts it once for a process and the processes forked later, which connect
 * over its socket. It is in a folder of its own (0700, in /var/tmp), and listens only on a socket
 * there. Durability is off (fsync). It has two roles: ADMIN, a superuser, and OWNER, which owns the
 * scratch databases and runs the scripts. If root starts it, it runs as nobody. It has no network
 * if the kernel permits that.
 *
 * A guardian process (cluster_guard.c) starts and watches the server. It holds one end of a pipe
 * that closes when this process ends, in whatever way: then it stops the server and removes the
 * folder.
 *
 * Errors: RB_ERROR if no server is installed or it does not start. rb_pg_cluster_ended() returns
 * why the guardian stopped it early.
 */
#ifndef RB_DATABASE_POSTGRES_CLUSTER_H
#define RB_DATABASE_POSTGRES_CLUSTER_H

#include <signal.h>

#include "database/database.h"

#define RB_PG_CLUSTER_ADMIN "rbtool_admin"
#define RB_PG_CLUSTER_OWNER "rbtool"

/* Starts the cluster unless it runs. limits: `memory` for each server process, `size` for all
 * files. A cluster with other limits is stopped first, unless a database in it is open. NULL: no
 * limits, and any running cluster will do. *started: it was started now. */
enum rb_code rb_pg_cluster_start(bool *started, const rb_db_limits *limits, rb_err *err);
/* Adds to the number of databases in the cluster that are open. */
void rb_pg_cluster_use(int databases);
/* Stops the cluster and waits until its folder is removed. keep: it may be moved to the cache. Does
 * nothing in a forked process. */
void rb_pg_cluster_stop(bool keep);
/* Sets the folder that keeps a cluster which stopped normally, for the next command
 * (cluster_cache.h); NULL: not kept. Must be called before the first start. */
void rb_pg_cluster_cache(const char *dir);
/* True if the running cluster will be kept. */
bool rb_pg_cluster_is_kept(void);
/* Returns a new string that names the server's program, with the size and time of its file; NULL if
 * no server is installed. */
char *rb_pg_cluster_maker(void);
/* Returns the folder of the cluster's socket, or NULL if it does not run. */
const char *rb_pg_cluster_dir(void);

#define RB_PG_CLUSTER_ORDERLY SIGUSR1 /* sent before `alive` closes: the cluster may be kept */

/* The parameters of a guardian process. */
typedef struct rb_pg_guard {
    const char *programs; /* the folder of initdb and postgres */
    const char *cache;    /* or NULL */
    int memory;           /* MiB; 0: unlimited */
    int size;
    int alive; /* descriptor; readable when the process that uses the cluster has ended */
    int ready; /* descriptor; gets "+DIR\n" when the server runs, or "-WHY\n" */
} rb_pg_guard;

/* Runs the guardian. Must be called in a process that was forked for it. */
_Noreturn void rb_pg_cluster_guard(const rb_pg_guard *guard);
/* For a guardian of something else: detaches from the parent's terminal, files and signals, and
 * returns when the parent has ended. */
void rb_pg_guard_wait(const rb_pg_guard *guard);

#endif
