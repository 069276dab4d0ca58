#include "trust/keys.h"

const rb_key_type rb_key_types[RB_KEY_TYPES] = {
    [RB_KEY_RSA] = {.name = "ssh-rsa", .certificate = "ssh-rsa-cert-v01@openssh.com"},
    [RB_KEY_ED25519] = {.name = "ssh-ed25519", .certificate = "ssh-ed25519-cert-v01@openssh.com"},
    [RB_KEY_ECDSA_256] = {.name = "ecdsa-sha2-nistp256",
                          .certificate = "ecdsa-sha2-nistp256-cert-v01@openssh.com",
                          .curve = "nistp256",
                          .group = "P-256",
                          .digest = "SHA256",
                          .field = 32},
    [RB_KEY_ECDSA_384] = {.name = "ecdsa-sha2-nistp384",
                          .certificate = "ecdsa-sha2-nistp384-cert-v01@openssh.com",
                          .curve = "nistp384",
                          .group = "P-384",
                          .digest = "SHA384",
                          .field = 48},
    [RB_KEY_ECDSA_521] = {.name = "ecdsa-sha2-nistp521",
                          .certificate = "ecdsa-sha2-nistp521-cert-v01@openssh.com",
                          .curve = "nistp521",
                          .group = "P-521",
                          .digest = "SHA512",
                          .field = 66},
    [RB_KEY_SK_ED25519] = {.name = "sk-ssh-ed25519@openssh.com",
                           .certificate = "sk-ssh-ed25519-cert-v01@openssh.com",
                           .security_key = true},
    [RB_KEY_SK_ECDSA] = {.name = "sk-ecdsa-sha2-nistp256@openssh.com",
                         .certificate = "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
                         .curve = "nistp256",
                         .group = "P-256",
                         .digest = "SHA256",
                         .field = 32,
                         .security_key = true},
};

const char *rb_key_name(const rb_key *key)
{
    return rb_key_types[key->kind].name;
}
