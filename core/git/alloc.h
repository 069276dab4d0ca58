/*
 * libgit2's memory. Reading an object takes as much as it is large, and its size is dear to find
 * out beforehand (through a whole chain of deltas, which the reading itself seldom goes through).
 * So a thread that reads is stopped at the moment when libgit2 asks for much, and waits for its
 * turn.
 */
#ifndef RB_GIT_ALLOC_H
#define RB_GIT_ALLOC_H

#define RB_GIT_MUCH ((size_t)1 << 20) /* bytes */

typedef void rb_git_before(void *context);

/* Once, before libgit2 is started. */
void rb_git_alloc_install(void);

/* From now on libgit2 calls before in this thread when it is about to take RB_GIT_MUCH or more;
 * NULL ends that. It may wait: libgit2 holds no lock while it takes memory for an object's bytes.
 */
void rb_git_alloc_ask(rb_git_before *before, void *context);

#endif
