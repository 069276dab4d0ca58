/*
 * Talks to remotes with the git program, so that the user's credentials, proxies and hooks work.
 * git and ssh may ask on the terminal.
 */
#ifndef RB_GIT_REMOTE_H
#define RB_GIT_REMOTE_H

#include "base/json.h"
#include "git/refs.h"

/* Finds a remote: the named one; if name is NULL the remote of the checked-out branch, else origin,
 * else the only remote. */
enum rb_code rb_remote_find(char **out, rb_repo *repo, const char *name, rb_err *err);

/* Returns the command that fetches tags, for messages: "git fetch origin --tags", with the remote
 * of rb_remote_find(NULL), or REMOTE if there is none. */
char *rb_remote_fetch_tags(rb_repo *repo);

/* Lists the remote's tags as an object: name -> id in its ref. */
enum rb_code rb_remote_tags(json_t **out, rb_repo *repo, const char *remote, rb_err *err);

/* Reads a ref of the remote. If it does not exist, that is not an error. */
enum rb_code rb_remote_read(rb_ref *out, rb_repo *repo, const char *remote, const char *ref,
                            rb_err *err);

/* Fetches one ref with all objects that it leads to, and sets the local ref `into` to it, whatever
 * its value was. Changes no other ref and fetches no tags. */
enum rb_code rb_remote_fetch(rb_repo *repo, const char *remote, const char *ref, const char *into,
                             rb_err *err);

/* Pushes a commit to a ref of the remote, never by force. RB_BUSY if it is not a fast-forward, or
 * another push came first; RB_FOUND if a hook on either side refused it. */
enum rb_code rb_remote_push(rb_repo *repo, const char *remote, const rb_oid *commit,
                            const char *ref, rb_err *err);

#endif
