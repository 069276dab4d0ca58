/*
 * Records what a release's folder holds when it is delivered, file by file
 * (ROOT/.rbtool/delivered/TAG~json): mode, size, time and SHA-256. A later check compares modes,
 * sizes and times and reads only files for which these changed, as git's index does. The record
 * also has the globs of files that the application may add ("ignore" of the manifest's
 * artifacts): such a file is not drift. A file that the release delivered is compared even if a
 * glob matches it.
 */
#ifndef RB_ENVIRONMENT_DELIVERED_H
#define RB_ENVIRONMENT_DELIVERED_H

#include "release/manifest.h"

/* Returns the path of a release's record. A tag's name contains no '~', so that another release's
 * record cannot be a folder on this path. */
char *rb_delivered_path(const char *root, const char *tag);

/* Records the files in ROOT/releases/TAG, and syncs the record. */
enum rb_code rb_delivered_note(const char *root, const char *tag, const rb_manifest *manifest,
                               rb_err *err);

/* Appends {"part":"app","path","expected","found"} to drift for every file that differs. */
enum rb_code rb_delivered_check(json_t *drift, const char *root, const char *tag, rb_err *err);

#endif
