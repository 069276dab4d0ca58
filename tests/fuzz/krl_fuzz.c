/* A revocation file: a list of keys or a KRL. */
#include <stdlib.h>

#include "trust/revoked.h"

static const char ours[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rb_err err;
    const char *line = ours;
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    RB_AUTO(rb_revoked_freep) rb_revoked *revoked = NULL;
    if (rb_key_parse_line(&key, &line, &err) != RB_OK)
        abort();
    if (rb_revoked_parse(&revoked, "revoked", data, size, &err) != RB_OK)
        return 0;
    (void)rb_revoked_has(revoked, key);
    /* The same key under a certificate with a serial number and an id. */
    RB_AUTO(rb_key_freep) rb_key *authority = NULL;
    line = ours;
    if (rb_key_parse_line(&authority, &line, &err) != RB_OK)
        abort();
    key->certificate = rb_calloc(1, sizeof *key->certificate);
    key->certificate->id = rb_strdup("id");
    key->certificate->authority = authority;
    authority = NULL;
    for (uint64_t serial = 0; serial < 100; serial += 9) {
        key->certificate->serial = serial;
        (void)rb_revoked_has(revoked, key);
    }
    return 0;
}
