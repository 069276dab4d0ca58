/*
 * One run at a time on a host: flock(2) on ROOT/.rbtool/lock, close-on-exec, so that it dies with
 * its holder, kill -9 included.
 */
#ifndef RB_ENVIRONMENT_LOCK_H
#define RB_ENVIRONMENT_LOCK_H

#include "base/err.h"

typedef struct rb_lock rb_lock;

/* Makes ROOT/.rbtool when it is missing, and refuses one that is not to be trusted (root.h).
 * RB_BUSY names the holder's process id and since when. */
enum rb_code rb_lock_take(rb_lock **out, const char *root, rb_err *err) RB_MUST_USE;
void rb_lock_release(rb_lock *lock);
RB_DEFINE_AUTO(rb_lock, rb_lock_release)

/* Who holds it, "process 123 since ..."; NULL: nobody, as far as can be told. Never in the way of
 * one who takes it. */
char *rb_lock_holder(const char *root);

#endif
