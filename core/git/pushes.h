/*
 * Parses the input of git's hooks for a push (githooks(5)): pre-push, pre-receive, post-receive.
 */
#ifndef RB_GIT_PUSHES_H
#define RB_GIT_PUSHES_H

#include "git/repository.h"

#define RB_TAGS "refs/tags/"

/* A ref of a push. An id of zeros means that the ref does not exist on that side. */
typedef struct rb_pushed {
    char *local_ref;  /* as the user typed it; NULL on the receiving side */
    char *remote_ref; /* the remote's ref that the push changes */
    const char *tag;  /* name of the tag, within remote_ref; NULL if the ref is not a tag */
    rb_oid local;     /* the value after the push */
    rb_oid remote;    /* the value before the push */
    rb_oid commit;    /* the commit that `local` leads to, through tag objects */
    bool has_commit;
} rb_pushed;

typedef struct rb_pushes {
    rb_pushed *items;
    size_t n;
} rb_pushes;

bool rb_oid_is_zero(const rb_oid *oid);

/* Reads lines "LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID" of pre-push if `sent` is set, else "OLD NEW
 * REF" of pre-receive and post-receive. */
enum rb_code rb_pushes_read(rb_pushes *out, rb_repo *repo, bool sent, const char *lines, size_t len,
                            rb_err *err);
void rb_pushes_clear(rb_pushes *pushes);

/* Returns the line about this remote ref; NULL if the push does not change it. */
const rb_pushed *rb_pushes_find(const rb_pushes *pushes, const char *ref);

#endif
