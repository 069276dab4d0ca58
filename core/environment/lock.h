/*
 * Allows one run at a time on a host, with flock(2) on ROOT/.rbtool/lock, so that scripts can hold
 * the lock with flock(1). The descriptor is close-on-exec, so that the lock is released when its
 * holder dies, even by kill -9.
 */
#ifndef RB_ENVIRONMENT_LOCK_H
#define RB_ENVIRONMENT_LOCK_H

#include "base/err.h"

typedef struct rb_lock rb_lock;

/* Takes the lock. Creates ROOT/.rbtool if it is missing, and refuses one that is not trusted
 * (root.h). RB_BUSY names the holder's process id and its start time. */
enum rb_code rb_lock_take(rb_lock **out, const char *root, rb_err *err);
/* Takes the lock of the process that watches the environment (ROOT/.rbtool/watch). It does not stop
 * transitions. RB_BUSY names the process that holds it. */
enum rb_code rb_lock_take_watch(rb_lock **out, const char *root, rb_err *err);
void rb_lock_release(rb_lock *lock);
RB_DEFINE_AUTO(rb_lock, rb_lock_release)

/* Describes the holder, "process 123 since ..."; NULL if there is none or it is unknown. Never
 * blocks a run that takes the lock. */
char *rb_lock_holder(const char *root);

#endif
