/*
 * What git tells the hooks of a push (githooks(5)): pre-push, pre-receive and post-receive.
 */
#ifndef RB_GIT_PUSHES_H
#define RB_GIT_PUSHES_H

#include "git/repository.h"

#define RB_TAGS "refs/tags/"

/* A ref of a push; ids of zero mean that there is nothing on that side. */
typedef struct rb_pushed {
    char *local_ref;  /* as the user spelled it; NULL where it is received */
    char *remote_ref; /* the ref that changes */
    const char *tag;  /* in remote_ref; NULL when it is no tag */
    rb_oid local;     /* what it is to become */
    rb_oid remote;    /* what it is */
    rb_oid commit;    /* of local */
    bool has_commit;
} rb_pushed;

typedef struct rb_pushes {
    rb_pushed *items;
    size_t n;
    size_t cap;
} rb_pushes;

bool rb_oid_is_zero(const rb_oid *oid);

/* sent: lines "LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID", as pre-push has them; else "OLD NEW REF",
 * as pre-receive and post-receive do. */
enum rb_code rb_pushes_read(rb_pushes *out, rb_repo *repo, bool sent, const char *lines, size_t len,
                            rb_err *err) RB_MUST_USE;
void rb_pushes_clear(rb_pushes *pushes);

/* The line about this ref, or NULL. */
const rb_pushed *rb_pushes_find(const rb_pushes *pushes, const char *ref);

#endif
