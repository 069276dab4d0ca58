/*
 * Describes a difference between what is deployed and what the manifest says:
 * {"part","path","expected","found"}. For a changed flag or config file also "lines", and for a
 * flag file "flags" (rb_flags_compare()), so that a reader sees what changed and not two digests.
 */
#ifndef RB_ENVIRONMENT_DRIFT_H
#define RB_ENVIRONMENT_DRIFT_H

#include "release/release.h"

#define RB_DRIFT_NO_FILE "no such file" /* expected, where there is one */

/* Appends an item, whose path is formatted; its texts are made safe for a terminal. */
void rb_drift_add(json_t *drift, const char *part, const char *expected, const char *found,
                  const char *path, ...) RB_PRINTF(5, 6);

typedef struct rb_drift_file {
    const rb_release *release;
    rb_repo *repo;
    const char *source; /* the release's path of the file in the repository */
    const char *sha256; /* of the release's content */
    const char *path;   /* on this host */
    bool is_flags;
} rb_drift_file;

/* Adds "lines" and "flags" to the last item of drift. What cannot be read or parsed is left out:
 * the digests of the item say that the file changed. */
void rb_drift_compare(json_t *drift, const rb_drift_file *file);

/* "it was changed after it was delivered" where the item has lines, else "expected X, found Y" with
 * digests shortened to 12 digits. The caller owns it. */
char *rb_drift_words(const json_t *item);

#endif
