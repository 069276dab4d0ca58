/*
 * What a release's folder holds, file by file, noted when it was delivered (ROOT/.rbtool/
 * delivered/TAG~json): mode, size, time and SHA-256. A later look compares modes, sizes and times
 * and reads only what those say has changed, as git's index does. The note also holds the globs of
 * the files that the application may add ("ignore" of the manifest's artifacts): such a file is not
 * drift. A file that the release delivered is compared even if a glob matches it.
 */
#ifndef RB_ENVIRONMENT_DELIVERED_H
#define RB_ENVIRONMENT_DELIVERED_H

#include "release/manifest.h"

/* Where the note of a release is. A tag's name holds no '~', so that no other release's note is a
 * folder on the way to it. */
char *rb_delivered_path(const char *root, const char *tag);

/* Notes ROOT/releases/TAG as it is now; synced. */
enum rb_code rb_delivered_note(const char *root, const char *tag, const rb_manifest *manifest,
                               rb_err *err) RB_MUST_USE;

/* Appends {"part":"app","path","expected","found"} to drift for every file that differs. */
enum rb_code rb_delivered_check(json_t *drift, const char *root, const char *tag,
                                rb_err *err) RB_MUST_USE;

#endif
