/*
 * A cluster that is kept between commands: its files, with the states of migrations that were
 * proven (scratch.c), so that the next command neither creates a cluster nor applies these
 * migrations.
 *
 * The cache is a folder of this user's with one cluster at most. A command moves the cluster to a
 * folder of its own, which is also the lock: a command that runs at the same time finds none, and
 * creates one. Who ends in good order moves it back, unless another one has come there meanwhile. A
 * command that is killed removes it.
 *
 * Nothing is taken over that another program made, or that a crash of the host may have damaged:
 * the cluster names the server's program, rbtool's and the boot. What scripts can leave behind is
 * in databases that are named by the scripts (scratch.c says how), or is dropped.
 *
 * Nothing here fails: without a cache there is only more to do. The guardian calls it.
 */
#ifndef RB_DATABASE_POSTGRES_CLUSTER_CACHE_H
#define RB_DATABASE_POSTGRES_CLUSTER_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Creates the folder; to be called before rights are dropped. user: who will use it. */
void rb_pg_cache_prepare(const char *cache, uid_t user);
/* Returns a new folder of this process in the cache; NULL if the cache cannot be used. */
char *rb_pg_cache_home(const char *cache);
/* Moves the cluster to `data`. False if there is none that can be used. */
bool rb_pg_cache_take(const char *cache, const char *data, const char *programs);
/* Says in a new cluster what made it. */
void rb_pg_cache_stamp(const char *data, const char *programs);
/* Moves the cluster back, if it is not too large. */
void rb_pg_cache_give(const char *cache, const char *data, uint64_t bytes);

#endif
