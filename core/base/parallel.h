/*
 * Runs a function on many items in several threads. Nothing here fails: if threads cannot be
 * started, the calling thread does all the work.
 */
#ifndef RB_BASE_PARALLEL_H
#define RB_BASE_PARALLEL_H

#include <stddef.h>

/* Returns the number of processors that this process may use (taskset, a container's cpuset), from
 * 1 to 8. */
int rb_parallel_threads(void);

typedef void rb_parallel_work(void *context, size_t index);

/* Calls `work` for every index below n, in any order, in at most `threads` threads including the
 * calling one. Uses fewer threads if the system does not provide them. */
void rb_parallel(size_t n, int threads, rb_parallel_work *work, void *context);

#endif
