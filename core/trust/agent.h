/*
 * Signs with keys in ssh-agent (draft-miller-ssh-agent), found by SSH_AUTH_SOCK.
 */
#ifndef RB_TRUST_AGENT_H
#define RB_TRUST_AGENT_H

#include "trust/keys.h"

#define RB_AGENT_MESSAGE_LIMIT (256u << 10) /* bytes; the limit of OpenSSH, too */
/* seconds, because a person may have to touch the key or confirm */
#define RB_AGENT_TIMEOUT 120

/*
 * Appends an SSH signature blob to *out. sha256: RSA keys sign with rsa-sha2-256, otherwise with
 * rsa-sha2-512. *held is false, and nothing is signed, if no agent runs or it does not have the
 * key. Fails if the agent has the key and refuses to use it.
 */
enum rb_code rb_agent_sign(rb_buf *out, bool *held, const rb_key *key, bool sha256,
                           const void *data, size_t len, rb_err *err);

/* True if the agent's list of identities contains the blob. For the tests. */
bool rb_agent_lists(const void *answer, size_t len, const rb_buf *blob);

#endif
