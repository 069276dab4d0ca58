/*
 * Remotes, through the git program, so that the user's credentials, proxies and hooks work; git
 * and ssh may ask on the terminal.
 */
#ifndef RB_GIT_REMOTE_H
#define RB_GIT_REMOTE_H

#include "base/json.h"
#include "git/refs.h"

/* The remote that name means: one of that name, or for NULL the checked-out branch's, else origin,
 * else the only one. */
enum rb_code rb_remote_find(char **out, rb_repo *repo, const char *name, rb_err *err) RB_MUST_USE;

/* What to tell people who lack a tag: "git fetch origin --tags", with the remote of
 * rb_remote_find(NULL), or REMOTE where that is none. */
char *rb_remote_fetch_tags(rb_repo *repo);

/* Every tag there: its name to the id of what its ref names. */
enum rb_code rb_remote_tags(json_t **out, rb_repo *repo, const char *remote,
                            rb_err *err) RB_MUST_USE;

/* The value of a ref there; none is no error. */
enum rb_code rb_remote_read(rb_ref *out, rb_repo *repo, const char *remote, const char *ref,
                            rb_err *err) RB_MUST_USE;

/* Fetches one ref with all that it leads to, into a ref of ours, whatever that was. Nothing else of
 * ours moves, and no tags come along. */
enum rb_code rb_remote_fetch(rb_repo *repo, const char *remote, const char *ref, const char *into,
                             rb_err *err) RB_MUST_USE;

/* Pushes a commit to a ref there, never by force. RB_BUSY when it does not follow what is there, or
 * others were quicker; RB_FOUND when a hook, ours or theirs, refused. */
enum rb_code rb_remote_push(rb_repo *repo, const char *remote, const rb_oid *commit,
                            const char *ref, rb_err *err) RB_MUST_USE;

#endif
