/*
 * The same work on many things, in several threads.
 */
#ifndef RB_BASE_PARALLEL_H
#define RB_BASE_PARALLEL_H

#include <stddef.h>

/* Threads that are of use: as many as processors may be used now (taskset, a container's cpuset),
 * from 1 to 8. */
int rb_parallel_threads(void);

typedef void rb_parallel_work(void *context, size_t index);

/* Calls work for every index below n, in any order, from at most threads threads at once, this one
 * among them; fewer where they cannot be had. */
void rb_parallel(size_t n, int threads, rb_parallel_work *work, void *context);

#endif
