/* An allowed signers file: no principal is made up, and nobody else's key is taken. */
#include <stdlib.h>
#include <string.h>

#include "trust/signers.h"

static const char ours[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rb_err err;
    const char *line = ours;
    rb_signers *signers = NULL;
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    RB_AUTO(rb_free_str) char *principal = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    if (rb_key_parse_line(&key, &line, &err) != RB_OK)
        abort();
    if (rb_signers_parse(&signers, "signers", (const char *)data, size, &err) != RB_OK)
        return 0;
    bool good = rb_signers_check(&principal, signers, key, "git", 1700000000, "a@example.com",
                                 &problems) == RB_OK;
    bool there = rb_signers_key(signers, key->blob.data, key->blob.len) != NULL;
    if (good != (principal != NULL) || good == (problems.n > 0) || (good && !there) ||
        (good && (!*principal || strpbrk(principal, "*?!"))))
        abort();
    rb_signers_free(signers);
    return 0;
}
