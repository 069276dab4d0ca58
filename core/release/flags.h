/*
 * Feature-flag snapshots in flagd's format (https://flagd.dev/schema/v0/flags.json).
 */
#ifndef RB_RELEASE_FLAGS_H
#define RB_RELEASE_FLAGS_H

#include "release/manifest.h"

#define RB_FLAGS_LIMIT (16u << 20) /* bytes */

/* The flags of a file by name, each with its definition; a list of flags in the file is read, too.
 * RB_FOUND names what is wrong. */
enum rb_code rb_flags_read(json_t **out, const char *text, size_t len, const char *what,
                           rb_err *err);
/*
 * What targeting makes of the time: [{"flag","op","at","holds","now"}], one for each comparison of
 * $flagd.timestamp with a number, in seconds since 1970; holds: at `now`. flags: of
 * rb_flags_read().
 */
json_t *rb_flags_times(const json_t *flags, int64_t now);

/* Names, states and default variants, sorted by name; what says which file, for errors. */
enum rb_code rb_flags_parse(rb_manifest_flag **out, size_t *count, const char *text, size_t len,
                            const char *what, rb_err *err);
/*
 * Compares two flag files by flag, sorted by name; NULL is a release without flags. *out is
 * [{"name","from","to","changed","lines"}]: from and to are {"state","default","definition"} or
 * null, changed are the names of the members that differ, lines are those of the definitions.
 */
enum rb_code rb_flags_compare(json_t **out, const rb_buf *old, const rb_buf *new, const char *what,
                              rb_err *err);
/* "search  ENABLED off -> ENABLED on (targeting changed)" of one such item; the caller owns it. */
char *rb_flag_words(const json_t *change);
char rb_flag_sign(const json_t *change); /* '+', '-' or '~' */

void rb_flags_free(rb_manifest_flag *flags, size_t count);

#endif
