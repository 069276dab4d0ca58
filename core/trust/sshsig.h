/*
 * SSH signatures (PROTOCOL.sshsig): armour, envelope, and the bytes that are signed.
 */
#ifndef RB_TRUST_SSHSIG_H
#define RB_TRUST_SSHSIG_H

#include "trust/keys.h"

#define RB_SSHSIG_BEGIN "-----BEGIN SSH SIGNATURE-----"
#define RB_SSHSIG_END "-----END SSH SIGNATURE-----"
#define RB_SSHSIG_LIMIT (256u << 10) /* bytes of the armoured text */

/* The envelope of a signature. Its slices point into blob. */
typedef struct rb_sshsig {
    rb_buf blob;
    rb_wire key; /* blob of the public key or certificate */
    rb_wire namespace_;
    rb_wire hash; /* "sha256" or "sha512" */
    rb_wire signature;
} rb_sshsig;

/*
 * Parses armoured text that begins with the BEGIN line. Text after the END line is ignored, as by
 * ssh-keygen. RB_FOUND if it is malformed.
 */
enum rb_code rb_sshsig_parse(rb_sshsig *out, const char *text, size_t len, rb_err *err);
void rb_sshsig_clear(rb_sshsig *sig);

/* Verifies the signature over data. `key` must be the one in the envelope. */
enum rb_code rb_sshsig_verify(const rb_sshsig *sig, const rb_key *key, const void *data, size_t len,
                              rb_err *err);

/* Builds the bytes that a key signs for data; hash is "sha256" or "sha512". */
void rb_sshsig_message(rb_buf *out, const rb_wire *namespace_, const char *hash, const void *data,
                       size_t len);

/* Appends the armoured envelope of a signature made over rb_sshsig_message() with sha512. */
void rb_sshsig_armour(rb_buf *out, const rb_key *key, const char *namespace_,
                      const rb_buf *signature);

#endif
