/*
 * Revoked keys: a list of public keys, one a line, or a binary KRL (PROTOCOL.krl).
 *
 * A list is read here. A KRL is given to `ssh-keygen -Q`, once for each key that a command meets.
 * Both get the bytes that were read first, so that a file which changes in between has no effect.
 */
#ifndef RB_TRUST_REVOKED_H
#define RB_TRUST_REVOKED_H

#include "trust/keys.h"

#define RB_REVOKED_LIMIT (32u << 20) /* bytes of the file */

typedef struct rb_revoked rb_revoked;

/* Fails with RB_ERROR if a line of a list is not a key. path is for messages. */
enum rb_code rb_revoked_parse(rb_revoked **out, const char *path, const void *data, size_t len,
                              rb_err *err);
void rb_revoked_free(rb_revoked *revoked);
RB_DEFINE_AUTO(rb_revoked, rb_revoked_free)

/*
 * Whether the key is revoked; of a certificate also if its serial number, key id or authority is.
 * May be called from several threads. Fails with RB_ERROR if ssh-keygen cannot be run or cannot
 * read the KRL: then nothing is known about the key.
 */
enum rb_code rb_revoked_has(bool *out, rb_revoked *revoked, const rb_key *key, rb_err *err);

#endif
