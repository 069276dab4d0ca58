/*
 * Runs a function on many items, in several threads. Nothing here fails: without threads the
 * calling thread does all the work.
 */
#ifndef RB_BASE_PARALLEL_H
#define RB_BASE_PARALLEL_H

#include <stddef.h>

/* Returns how many threads are useful, from 1 to 8: the number of processors that may be used now
 * (taskset, a container's cpuset). */
int rb_parallel_threads(void);

typedef void rb_parallel_work(void *context, size_t index);

/* Calls `work` for every index below n, in any order, from at most `threads` threads at once, the
 * calling thread included. Uses fewer threads if the system does not provide them. */
void rb_parallel(size_t n, int threads, rb_parallel_work *work, void *context);

#endif
