/*
 * Keeps a cluster between commands: its files, with the states of proven migrations (scratch.c).
 * The next command then need not create a cluster nor apply these migrations.
 *
 * The cache is a folder of this user with at most one cluster. A command moves the cluster to a
 * folder of its own, which also serves as lock: another command at the same time finds none and
 * creates one. When a command ends normally, it moves the cluster back, unless the folder has
 * another one by then. If a command is killed, its cluster is removed.
 *
 * A cluster is used only if the same programs made it (the server's and rbtool's) and the host has
 * not been restarted since, which could have damaged it. Databases with states are named by their
 * scripts (scratch.c), and anything else that scripts leave is dropped.
 *
 * The guardian calls these functions. They report no errors: without a cache the command only takes
 * longer.
 */
#ifndef RB_DATABASE_POSTGRES_CLUSTER_CACHE_H
#define RB_DATABASE_POSTGRES_CLUSTER_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* Creates the cache folder for `user`. Must be called before root's rights are dropped. */
void rb_pg_cache_prepare(const char *cache, uid_t user);
/* Returns a new folder in the cache for this process, or NULL if the cache cannot be used. */
char *rb_pg_cache_home(const char *cache);
/* Moves the cached cluster to `data`. False if there is none that can be used. */
bool rb_pg_cache_take(const char *cache, const char *data, const char *programs);
/* Adds the path of a program, with the size and time of its file. */
void rb_pg_cache_add_program(rb_buf *out, const char *path);
/* Records in a new cluster which programs made it. */
void rb_pg_cache_stamp(const char *data, const char *programs);
/* Moves the cluster to the cache, unless it is too large. */
void rb_pg_cache_give(const char *cache, const char *data, uint64_t bytes);

#endif
