/*
 * Revoked keys: a list of public keys, one a line, or a binary KRL (PROTOCOL.krl).
 *
 * Lists are parsed here. For a KRL, `ssh-keygen -Q` is run once for each key that a command checks.
 * It gets the bytes that were read first, so that a later change of the file has no effect.
 */
#ifndef RB_TRUST_REVOKED_H
#define RB_TRUST_REVOKED_H

#include "trust/keys.h"

#define RB_REVOKED_LIMIT (32u << 20) /* bytes of the file */

typedef struct rb_revoked rb_revoked;

/* Parses the bytes of the file. RB_ERROR if a line of a list is not a key. path is for messages. */
enum rb_code rb_revoked_parse(rb_revoked **out, const char *path, const void *data, size_t len,
                              rb_err *err);
void rb_revoked_free(rb_revoked *revoked);
RB_DEFINE_AUTO(rb_revoked, rb_revoked_free)

/*
 * Sets *out if the key is revoked; for a certificate also if its serial number, key id or authority
 * is. Several threads may call this. RB_ERROR if ssh-keygen cannot be run or cannot read the KRL,
 * so that the answer is unknown.
 */
enum rb_code rb_revoked_has(bool *out, rb_revoked *revoked, const rb_key *key, rb_err *err);

#endif
