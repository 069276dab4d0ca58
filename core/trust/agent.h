/*
 * Keys that ssh-agent holds (draft-miller-ssh-agent), found by SSH_AUTH_SOCK.
 */
#ifndef RB_TRUST_AGENT_H
#define RB_TRUST_AGENT_H

#include "trust/keys.h"

#define RB_AGENT_MESSAGE_LIMIT (256u << 10) /* bytes, as OpenSSH */
#define RB_AGENT_TIMEOUT 120                /* seconds: a person may have to touch or confirm */

/*
 * Appends an SSH signature blob to *out. sha256: of RSA keys rsa-sha2-256, else rsa-sha2-512. *held
 * is false, and nothing is signed, when there is no agent or it does not hold the key; a key that
 * it holds and will not use is an error.
 */
enum rb_code rb_agent_sign(rb_buf *out, bool *held, const rb_key *key, bool sha256,
                           const void *data, size_t len, rb_err *err) RB_MUST_USE;

/* Whether a list of identities, as the agent answers it, names the blob. For the tests. */
bool rb_agent_lists(const void *answer, size_t len, const rb_buf *blob);

#endif
