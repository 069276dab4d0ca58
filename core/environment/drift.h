/*
 * Describes a difference between what is deployed and what the manifest says:
 * {"part","path","expected","found"}. For a changed flag or config file also "lines", and for a
 * flag file "flags" (rb_flags_compare()), so that a reader sees what changed and not two digests.
 */
#ifndef RB_ENVIRONMENT_DRIFT_H
#define RB_ENVIRONMENT_DRIFT_H

#include "release/release.h"

#define RB_DRIFT_NO_FILE "no such file" /* for "expected", if no file should exist */

/* Appends an item. The path is formatted; texts are made safe for a terminal. */
void rb_drift_add(json_t *drift, const char *part, const char *expected, const char *found,
                  const char *path, ...) RB_PRINTF(5, 6);

typedef struct rb_drift_file {
    const rb_release *release;
    rb_repo *repo;
    const char *source; /* path of the file in the release's repository */
    const char *sha256; /* of the file in the release */
    const char *path;   /* path on this host */
    bool is_flags;
} rb_drift_file;

/* Adds "lines" and "flags" to the last item of drift. Leaves them out if the files cannot be read
 * or parsed: the digests in the item still show that the file changed. */
void rb_drift_compare(json_t *drift, const rb_drift_file *file);

/* Returns "it was changed after it was delivered" if the item has lines, else "expected X, found Y"
 * with digests shortened to 12 digits. A new string. */
char *rb_drift_words(const json_t *item);

#endif
