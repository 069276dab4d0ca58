/*
 * Reads and moves refs, by their full names. Used by hooks that check what git is about to do to a
 * ref, so the values are those on disk now.
 */
#ifndef RB_GIT_REFS_H
#define RB_GIT_REFS_H

#include "git/repository.h"

#define RB_PACKED_REFS_LIMIT (1u << 30) /* bytes; a larger packed-refs is refused */

typedef struct rb_ref {
    bool exists;
    bool symbolic; /* a symbolic ref; object is not set */
    rb_oid object;
} rb_ref;

/* Reads a ref. If it does not exist, that is not an error. */
enum rb_code rb_ref_read(rb_ref *out, rb_repo *repo, const char *name, rb_err *err);

/* Adds the names of the refs that match a glob like "refs/heads/" followed by a star, sorted. */
enum rb_code rb_ref_names(rb_strs *out, rb_repo *repo, const char *glob, rb_err *err);

/* Sets *out if packed-refs has the ref with exactly this value. */
enum rb_code rb_ref_is_packed(bool *out, const rb_repo *repo, const char *name,
                              const rb_oid *object, rb_err *err);

/*
 * Moves a ref from its present value `old` (NULL: it does not exist) with `git update-ref`, so that
 * the user's hooks run. RB_BUSY if it has another value, or another process holds its lock;
 * RB_FOUND if a hook refuses.
 */
enum rb_code rb_ref_move(rb_repo *repo, const char *name, const rb_oid *to, const rb_oid *old,
                         rb_err *err);

bool rb_object_exists(rb_repo *repo, const rb_oid *object);

/* Finds the commit that the object is, or to which it leads as a tag object. False if it does not
 * lead to a commit or cannot be read. */
bool rb_object_commit(rb_oid *out, rb_repo *repo, const rb_oid *object);

#endif
