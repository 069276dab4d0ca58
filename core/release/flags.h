/*
 * Feature-flag snapshots in flagd's format (https://flagd.dev/schema/v0/flags.json).
 */
#ifndef RB_RELEASE_FLAGS_H
#define RB_RELEASE_FLAGS_H

#include "release/manifest.h"

#define RB_FLAGS_LIMIT (16u << 20) /* bytes */

/* Names, states and default variants, sorted by name; what says which file, for errors. */
enum rb_code rb_flags_parse(rb_manifest_flag **out, size_t *count, const char *text, size_t len,
                            const char *what, rb_err *err) RB_MUST_USE;
void rb_flags_free(rb_manifest_flag *flags, size_t count);

#endif
