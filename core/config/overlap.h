/*
 * Places of environments on the host: the root, every database with the files that SQLite keeps
 * beside it, the flag file, config files, and the folders below the root that rbtool manages.
 * Two places are the same if they lead to the same file or folder after symlinks, ".." and hard
 * links are resolved; what does not exist yet goes by the nearest folder above it that exists.
 *
 * The answer holds for the moment of the call only. Nothing is opened or created. A path that may
 * not be looked at is compared as text.
 */
#ifndef RB_CONFIG_OVERLAP_H
#define RB_CONFIG_OVERLAP_H

#include "config/environment.h"

/* RB_ERROR unless every place of env is its own, and no file or database lies in a folder that
 * rbtool manages. */
enum rb_code rb_env_check_places(const rb_env *env, rb_err *err);

/* RB_ERROR if the two environments share a place; the message names both and what they share. */
enum rb_code rb_env_check_shared(const rb_env *env, const rb_env *other, rb_err *err);

#endif
