/*
 * Refs by their full names, as they are on disk now, and the objects that they may name. For
 * checks on what git is about to do to them.
 */
#ifndef RB_GIT_REFS_H
#define RB_GIT_REFS_H

#include "git/repository.h"

#define RB_PACKED_REFS_LIMIT (1u << 30) /* bytes; a larger packed-refs is refused */

typedef struct rb_ref {
    bool exists;
    bool symbolic; /* then object is not set */
    rb_oid object;
} rb_ref;

/* No such ref is no error. */
enum rb_code rb_ref_read(rb_ref *out, rb_repo *repo, const char *name, rb_err *err) RB_MUST_USE;

/* Whether packed-refs has the ref with this very value. */
enum rb_code rb_ref_is_packed(bool *out, const rb_repo *repo, const char *name,
                              const rb_oid *object, rb_err *err) RB_MUST_USE;

/*
 * Moves a ref with `git update-ref`, so that the user's hooks run, from the value it has now: old,
 * or NULL when there is none. RB_BUSY when it has another, or another process holds its lock;
 * RB_FOUND when a hook refuses.
 */
enum rb_code rb_ref_move(rb_repo *repo, const char *name, const rb_oid *to, const rb_oid *old,
                         rb_err *err) RB_MUST_USE;

bool rb_object_exists(rb_repo *repo, const rb_oid *object);

/* The commit that an object is, or that a tag object leads to; false where there is none, or where
 * it cannot be read. */
bool rb_object_commit(rb_oid *out, rb_repo *repo, const rb_oid *object);

#endif
