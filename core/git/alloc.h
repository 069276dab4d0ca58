/*
 * Replaces libgit2's allocator, to limit the memory of threads that read objects.
 *
 * libgit2 allocates as much memory as an object is large. Reading the size beforehand would cost 40
 * % of reading the object, measured on 10,000 loose blobs and on 10,000 in chains of deltas.
 * Instead, a thread that reads is stopped when libgit2 is about to allocate a large block, and
 * waits for its turn.
 *
 * That cannot deadlock: libgit2 1.5 holds no lock while it allocates the bytes of an object. It
 * does hold one while its cache of delta bases grows, but that resizes a block, which is never
 * stopped.
 *
 * Order of calls: rb_git_alloc_install() before libgit2 is started; rb_git_alloc_ask() in each
 * thread.
 */
#ifndef RB_GIT_ALLOC_H
#define RB_GIT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#define RB_GIT_MUCH ((size_t)1 << 20) /* bytes of a block that is large */

/* Called before a large allocation. False: the allocation fails, and libgit2's call with it. */
typedef bool rb_git_before(void *context);

/* Installs the allocator. Called once, before libgit2 is started. */
void rb_git_alloc_install(void);

/* From now on, `before` is called in this thread when libgit2 is about to allocate a new block of
 * RB_GIT_MUCH bytes or more; NULL ends that. It may block. */
void rb_git_alloc_ask(rb_git_before *before, void *context);

#endif
