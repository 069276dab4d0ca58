/*
 * SSH keys: public keys and certificates as blobs (RFC 4253, 5656, 8709, PROTOCOL.certkeys,
 * PROTOCOL.u2f), one-line text, private key files, and what keys do: verify and sign.
 *
 * Kinds: ssh-rsa, ssh-ed25519, ecdsa-sha2-nistp256/384/521, sk-ssh-ed25519, sk-ecdsa-sha2-nistp256.
 * Signatures: rsa-sha2-256 and -512 with 2048 bits and more; ssh-rsa (SHA-1) is refused, also
 * from an authority under a certificate. Security keys verify, but do not sign here.
 */
#ifndef RB_TRUST_KEYS_H
#define RB_TRUST_KEYS_H

#include "trust/wire.h"

#define RB_KEY_FILE_LIMIT (256u << 10) /* bytes of a key file */
/* number of names in a certificate; the limit of OpenSSH, too */
#define RB_CERTIFICATE_PRINCIPALS 256
#define RB_RSA_BITS 2048 /* minimum size of RSA keys for signatures, in bits */
/* "SHA256:", 43 characters of base64 without padding, and '\0' */
#define RB_FINGERPRINT_SIZE (7 + 43 + 1)

enum rb_key_kind {
    RB_KEY_RSA,
    RB_KEY_ED25519,
    RB_KEY_ECDSA_256,
    RB_KEY_ECDSA_384,
    RB_KEY_ECDSA_521,
    RB_KEY_SK_ED25519,
    RB_KEY_SK_ECDSA,
};

typedef struct rb_key rb_key;

typedef struct rb_certificate {
    rb_buf blob; /* the encoded certificate */
    bool host;
    rb_strs principals;
    uint64_t after; /* seconds since 1970; valid if after <= time < before */
    uint64_t before;
    rb_key *authority;
} rb_certificate;

struct rb_key {
    enum rb_key_kind kind;
    rb_buf blob; /* encoded plain public key, in canonical form */
    /* OpenSSL's key, with the private part if it was read from a private key file */
    struct evp_pkey_st *evp;
    char *application;           /* application of a security key, else NULL */
    rb_certificate *certificate; /* NULL for a plain key */
};

/*
 * Parses a blob and checks everything in it, including the signature of a certificate. RB_FOUND
 * if it is not a key of a supported kind.
 */
enum rb_code rb_key_parse(rb_key **out, const void *blob, size_t len, rb_err *err);
/* Parses "ssh-ed25519 AAAA... comment" at *line, which is advanced past the key. */
enum rb_code rb_key_parse_line(rb_key **out, const char **line, rb_err *err);
void rb_key_free(rb_key *key);
RB_DEFINE_AUTO(rb_key, rb_key_free)

/* Decodes base64 strictly, except that white space is skipped, as OpenSSH does. */
bool rb_key_base64(rb_buf *out, const char *text, size_t len);

const char *rb_key_name(const rb_key *key); /* "ssh-ed25519" */
/* compares kind and numbers, not the certificate */
bool rb_key_equal(const rb_key *a, const rb_key *b);
/* fingerprint of the plain key */
void rb_key_fingerprint(const rb_key *key, char out[RB_FINGERPRINT_SIZE]);
/* Returns the bytes for a signature's "publickey": the certificate if the key has one. */
const rb_buf *rb_key_public(const rb_key *key);

/* Verifies an SSH signature blob: its algorithm's name and the rest. RB_FOUND if it is not
 * valid. */
enum rb_code rb_key_verify(const rb_key *key, const void *sig, size_t sig_len, const void *data,
                           size_t len, rb_err *err);
/* Appends an SSH signature blob; RSA signs with rsa-sha2-512. */
enum rb_code rb_key_sign(rb_buf *out, const rb_key *key, const void *data, size_t len, rb_err *err);

/*
 * Creates a raw signature for formats other than SSH's (DSSE, X.509). Ed25519: 64 bytes (RFC 8032).
 * ECDSA: DER, with the digest that SSH uses for the curve. RSA: PKCS#1 v1.5 with SHA-256.
 */
enum rb_code rb_key_sign_raw(rb_buf *out, const rb_key *key, const void *data, size_t len,
                             rb_err *err);
enum rb_code rb_key_verify_raw(const rb_key *key, const void *sig, size_t sig_len, const void *data,
                               size_t len, rb_err *err);
/* Converts an SSH signature blob to its raw form (for RSA, it must be rsa-sha2-256). */
enum rb_code rb_key_raw_of(rb_buf *out, const rb_key *key, const rb_buf *blob, rb_err *err);
/* Appends the public part as PEM (SubjectPublicKeyInfo, RFC 5280). */
void rb_key_pem(rb_buf *out, const rb_key *key);

enum rb_private_state {
    RB_PRIVATE_PLAIN, /* *out has the private part and can sign */
    /* *out has the public part; NULL if the file does not contain it unencrypted */
    RB_PRIVATE_ENCRYPTED,
    RB_PRIVATE_HARDWARE, /* a file for a security key; *out has the public part */
    RB_PRIVATE_NONE,     /* not a private key file; *out is NULL */
};

/*
 * Reads a private key file: OpenSSH's own format, PKCS#8, or the older PEM forms. RB_ERROR if it
 * has such a format and is malformed. `what` names it in the error.
 */
enum rb_code rb_key_private(rb_key **out, enum rb_private_state *state, const char *text,
                            size_t len, const char *what, rb_err *err);

/* A type of key, for keys.c, private.c, verify.c and raw.c. */
typedef struct rb_key_type {
    const char *name;
    const char *certificate; /* name of the type in a certificate */
    const char *curve;       /* SSH's name of the curve; NULL unless ECDSA */
    const char *group;       /* OpenSSL's name of the curve */
    /* digest of signatures; NULL if the signature names it, or none is used */
    const char *digest;
    size_t field; /* bytes of a coordinate */
    bool security_key;
} rb_key_type;
#define RB_KEY_TYPES 7
extern const rb_key_type rb_key_types[RB_KEY_TYPES]; /* by enum rb_key_kind; in key_types.c */

/* Signs data. digest: OpenSSL's name; NULL for Ed25519. */
bool rb_key_digest_sign(rb_buf *out, const rb_key *key, const char *digest, const void *data,
                        size_t len) RB_MUST_USE;
bool rb_key_digest_verify(const rb_key *key, const char *digest, const void *sig, size_t sig_len,
                          const void *data, size_t len) RB_MUST_USE;
/* Fails unless the key can sign here: a security key cannot, and RSA keys must be long enough. */
enum rb_code rb_key_can_sign(const rb_key *key, rb_err *err);

/* Builds key->blob and key->evp from the numbers; RB_FOUND if they do not form a key. */
enum rb_code rb_key_set_rsa(rb_key *key, const rb_wire *n, const rb_wire *e, rb_err *err);
enum rb_code rb_key_set_ed25519(rb_key *key, const rb_wire *point, rb_err *err);
enum rb_code rb_key_set_ecdsa(rb_key *key, const rb_wire *point, rb_err *err);

#endif
