/*
 * libgit2's memory. Reading an object takes as much as it is large. To read its size beforehand
 * costs 40 % of reading the object, measured on 10,000 loose blobs and on 10,000 in chains of
 * deltas. So a thread that reads is stopped at the moment when libgit2 asks for much memory, and
 * waits for its turn.
 *
 * libgit2 1.5 holds no lock while it takes memory for an object's bytes, but it does while its
 * cache of delta bases grows. A block that grows is never stopped: those of objects are new ones.
 */
#ifndef RB_GIT_ALLOC_H
#define RB_GIT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#define RB_GIT_MUCH ((size_t)1 << 20) /* bytes */

/* False: libgit2 gets no memory, and its call fails. */
typedef bool rb_git_before(void *context);

/* Once, before libgit2 is started. */
void rb_git_alloc_install(void);

/* From now on before is called in this thread when libgit2 is about to take a new block of
 * RB_GIT_MUCH or more; NULL ends that. It may wait. */
void rb_git_alloc_ask(rb_git_before *before, void *context);

#endif
