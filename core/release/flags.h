/*
 * Feature-flag snapshots in flagd's format (https://flagd.dev/schema/v0/flags.json).
 */
#ifndef RB_RELEASE_FLAGS_H
#define RB_RELEASE_FLAGS_H

#include "release/manifest.h"

#define RB_FLAGS_LIMIT (16u << 20) /* bytes */

/* Reads the flags of a file, as an object of definitions by name; also accepts a list of flags.
 * RB_FOUND with the fault in the message. what: the file's name, for messages. */
enum rb_code rb_flags_read(json_t **out, const char *text, size_t len, const char *what,
                           rb_err *err);
/*
 * Lists comparisons of $flagd.timestamp with a number in targeting rules: [{"flag","op","at",
 * "holds","now"}]. "at" is in seconds since 1970; "holds": the result at time `now`. flags: from
 * rb_flags_read().
 */
json_t *rb_flags_times(const json_t *flags, int64_t now);

/* Reads names, states and default variants of the flags, sorted by name. what: the file's name, for
 * messages. */
enum rb_code rb_flags_parse(rb_manifest_flag **out, size_t *count, const char *text, size_t len,
                            const char *what, rb_err *err);
/*
 * Compares two flag files; NULL stands for a release without flags. *out is a list sorted by name:
 * [{"name","from","to","changed","lines"}]. "from" and "to" are {"state","default","definition"} or
 * null, "changed" has the names of members that differ, "lines" the lines that differ.
 */
enum rb_code rb_flags_compare(json_t **out, const rb_buf *old, const rb_buf *new, const char *what,
                              rb_err *err);
/* Formats an item of that list: "search  ENABLED off -> ENABLED on (targeting changed)". The caller
 * owns it. */
char *rb_flag_words(const json_t *change);
char rb_flag_sign(const json_t *change); /* '+' added, '-' removed, '~' changed */

void rb_flags_free(rb_manifest_flag *flags, size_t count);

#endif
