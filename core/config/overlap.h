/*
 * Checks that environments do not share files on the host: the root, every database with the files
 * that SQLite keeps beside it, the flag file, config files, and the folders below the root that
 * rbtool manages.
 *
 * Paths are compared after symlinks, ".." and hard links are resolved. A path that does not exist
 * yet is identified by its nearest existing ancestor. Nothing is opened or created. A path without
 * permission to inspect it is compared as text. The result can change after the call.
 */
#ifndef RB_CONFIG_OVERLAP_H
#define RB_CONFIG_OVERLAP_H

#include "config/environment.h"

/* Fails with RB_ERROR if two files of env are the same, or a file or database lies in a folder that
 * rbtool manages. */
enum rb_code rb_env_check_places(const rb_env *env, rb_err *err);

/* Fails with RB_ERROR if the two environments share a file or folder; the message names both
 * environments and the path. */
enum rb_code rb_env_check_shared(const rb_env *env, const rb_env *other, rb_err *err);

#endif
