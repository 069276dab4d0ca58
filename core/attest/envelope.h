/*
 * Reads, writes and signs DSSE envelopes (github.com/secure-systems-lab/dsse, protocol v1): a
 * payload, its type, and any number of signatures over both.
 *
 *   { "payload": base64, "payloadType": "application/vnd.in-toto+json",
 *     "signatures": [ { "keyid": "SHA256:...", "sig": base64 } ] }
 *
 * keyid is the fingerprint that ssh-keygen prints for the key. Unknown members are kept. base64 may
 * be standard or URL-safe when read, and is standard when written.
 */
#ifndef RB_ATTEST_ENVELOPE_H
#define RB_ATTEST_ENVELOPE_H

#include "base/json.h"
#include "trust/trust.h"

#define RB_ENVELOPE_TYPE "application/vnd.in-toto+json"
#define RB_ENVELOPE_LIMIT (32u << 20)    /* bytes of a file */
#define RB_ENVELOPE_SIGNATURES 100       /* in one envelope */
#define RB_ENVELOPE_SIGNATURE_LIMIT 8192 /* bytes of one signature, in base64 */

typedef struct rb_envelope {
    json_t *json;
    rb_buf payload;
} rb_envelope;

void rb_envelope_clear(rb_envelope *envelope);

/* Creates an envelope without signatures. */
void rb_envelope_make(rb_envelope *out, const void *payload, size_t len);
/* Reads an envelope. `what` names it in errors. RB_ERROR if it is not an envelope with in-toto's
 * payload type. */
enum rb_code rb_envelope_read(rb_envelope *out, const char *text, size_t len, const char *what,
                              rb_err *err);
void rb_envelope_write(rb_buf *out, const rb_envelope *envelope); /* one line of canonical JSON */

/* Appends what is signed: the pre-authentication encoding (PAE) of type and payload. */
void rb_envelope_message(rb_buf *out, const rb_envelope *envelope);

size_t rb_envelope_count(const rb_envelope *envelope);
bool rb_envelope_signed_by(const rb_envelope *envelope, const char *keyid);

/* Adds a signature of the caller's key (key: as for rb_trust_sign_raw()). *added is false if the
 * envelope has one of that key already. */
enum rb_code rb_envelope_sign(rb_envelope *envelope, bool *added, rb_repo *repo, const char *key,
                              rb_err *err);

/* Verifies the signatures whose keyid is an allowed signer's. RB_FOUND if one is invalid. *people:
 * their principals; *unknown: the number of other signatures, which cannot be verified here. */
enum rb_code rb_envelope_check(rb_strs *people, size_t *unknown, const rb_envelope *envelope,
                               const rb_signers *signers, rb_err *err);

#endif
