/* An armoured signature: what parses is verified, and is good for one message at most. */
#include <stdlib.h>

#include "trust/sshsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rb_err err;
    RB_AUTO(rb_sshsig_clear) rb_sshsig sig = {0};
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    if (rb_sshsig_parse(&sig, (const char *)data, size, &err) != RB_OK)
        return 0;
    if (rb_key_parse(&key, sig.key.p, sig.key.left, &err) != RB_OK)
        return 0;
    bool good = rb_sshsig_verify(&sig, key, "what is signed\n", 15, &err) == RB_OK;
    if (good && rb_sshsig_verify(&sig, key, "what is signed", 14, &err) == RB_OK)
        abort();
    return 0;
}
