/*
 * Verifies who signed a tag. Only this module makes an rb_verified, and the manifest decoder
 * accepts nothing else: tags are verified before they are parsed.
 *
 * SSH signatures (PROTOCOL.sshsig, namespace "git") are verified here; OpenPGP and X.509 tags by
 * `git verify-tag`. Settings are git's own: gpg.ssh.allowedSignersFile, gpg.ssh.revocationFile,
 * user.signingKey. A signers or revocation file in the work tree is refused. Verification fails if
 * a file cannot be read, or the revocation file is missing (git only warns about that).
 *
 * The results are those of `git verify-tag`, checked by differential tests, but more is refused:
 * RSA below 2048 bits, SHA-1 under a certificate, patterns that match no principal, and tags in
 * another form than rb_trust_verify() requires.
 */
#ifndef RB_TRUST_TRUST_H
#define RB_TRUST_TRUST_H

#include <stdint.h>

#include "base/problem.h"
#include "git/repository.h"
#include "git/tag.h"

typedef struct rb_signers rb_signers;   /* allowed signers and revoked keys */
typedef struct rb_verified rb_verified; /* a tag that rb_trust_verify() accepted */

/*
 * Reads and parses the files once, for verifying any number of tags in any thread. If
 * gpg.ssh.allowedSignersFile is not set, only verifying an SSH signature fails (RB_ERROR):
 * repositories with OpenPGP tags do not need the file.
 */
enum rb_code rb_signers_load(rb_signers **out, rb_repo *repo, rb_err *err);
void rb_signers_free(rb_signers *signers);
RB_DEFINE_AUTO(rb_signers, rb_signers_free)

/* Returns a digest of both files. Results are cached under it. */
const char *rb_signers_digest(const rb_signers *signers);

/*
 * Checks signature, signer, validity at the tagger's time, revocation, the tag's headers (exactly
 * object, type, tag, tagger; object is a commit; name equals tag->name), that nothing follows the
 * signature, and that nothing stands between a manifest and it. RB_FOUND with at least one
 * problem if a check fails: "unsigned", "signature", "signer", "expired", "revoked", "namespace",
 * "name", "header", "object", "trailing".
 */
enum rb_code rb_trust_verify(rb_verified **out, const rb_signers *signers, rb_repo *repo,
                             const rb_tag *tag, rb_problems *problems, rb_err *err);
void rb_verified_free(rb_verified *verified);
RB_DEFINE_AUTO(rb_verified, rb_verified_free)

/* Contents of a verified tag; all are borrowed. */
const char *rb_verified_tag(const rb_verified *v);      /* name of the tag */
const rb_oid *rb_verified_object(const rb_verified *v); /* id of the tag object */
const rb_oid *rb_verified_commit(const rb_verified *v);
/* message without the signature */
const char *rb_verified_message(const rb_verified *v, size_t *len);
/* signed bytes: headers and message */
const char *rb_verified_signed(const rb_verified *v, size_t *len);
/* Returns all matching principals, joined by ","; for an OpenPGP key the trusted email, else
 * "openpgp:FINGERPRINT". */
const char *rb_verified_principal(const rb_verified *v);
/* "SHA256:..." as ssh-keygen prints it, or the OpenPGP key's */
const char *rb_verified_fingerprint(const rb_verified *v);
const char *rb_verified_tagger(const rb_verified *v); /* "Name <email>" */
/* True if the result depends on signers, revoked keys and tag only, so that it can be cached: an
 * SSH signature, verified at the tagger's time and not by a keyring. */
bool rb_verified_lasts(const rb_verified *v);
/* the tagger's time in seconds since 1970, which can be forged */
int64_t rb_verified_time(const rb_verified *v);

/* Lower-level functions, for other modules and the differential tests. */

/*
 * Signs data as `ssh-keygen -Y sign -n namespace` would and appends the armoured signature. key:
 * a private or public key file, "key::ssh-... AAAA" for an agent's key, or NULL for git's
 * user.signingKey. A key that is not in an unencrypted file is used by gpg.ssh.program if that is
 * set, else by ssh-agent, else by ssh-keygen, which may ask for a passphrase on the terminal. The
 * signature is verified before it is returned. Only SSH keys can sign: a gpg.format of "openpgp"
 * without `key` is an error.
 */
enum rb_code rb_trust_sign(rb_buf *out, rb_repo *repo, const char *key, const char *namespace_,
                           const void *data, size_t len, rb_err *err);

/*
 * Finds out who rb_trust_sign() would sign as now: checks its public key as rb_trust_check()
 * checks a signature. This proves nothing until something is signed. *known is false, and nothing
 * is checked, if the public key cannot be read without signing (encrypted, with no .pub beside
 * it).
 */
enum rb_code rb_trust_who(bool *known, char **principal, char **fingerprint,
                          const rb_signers *signers, rb_repo *repo, const char *key,
                          const char *namespace_, const char *email, rb_err *err);

/* Sets *out if git's settings name an SSH key to sign with. */
enum rb_code rb_trust_has_key(bool *out, rb_repo *repo, rb_err *err);

/*
 * Verifies an armoured SSHSIG over data; `when` is seconds since the epoch, for validity options
 * (0: now, as git). *principal receives all principals that match, joined by ",". RB_FOUND if it
 * is not valid.
 */
enum rb_code rb_trust_check(char **principal, char **fingerprint, const rb_signers *signers,
                            const char *namespace_, const char *armoured, size_t armoured_len,
                            const void *data, size_t len, int64_t when, const char *email,
                            rb_err *err);
/* Same as rb_trust_check(), with problems as rb_trust_verify() reports them. *fingerprint is set as
 * well if the signature matches and only its key is not allowed. Without allowed signers no key is
 * allowed. */
enum rb_code rb_trust_check_key(char **principal, char **fingerprint, const rb_signers *signers,
                                const char *namespace_, const char *armoured, size_t armoured_len,
                                const void *data, size_t len, int64_t when, const char *email,
                                rb_problems *problems);

/*
 * Makes a raw signature over data (without SSHSIG), for DSSE: Ed25519 as it is, ECDSA in DER with
 * the curve's digest, RSA PKCS#1 v1.5 with SHA-256, as the verifiers of in-toto and sigstore
 * expect. key as above, from an unencrypted file or ssh-agent; not a security key, which can make
 * SSH signatures only. The signature is verified before it is returned.
 */
typedef struct rb_raw {
    rb_buf signature;
    char *fingerprint; /* "SHA256:..." of the key */
} rb_raw;

enum rb_code rb_trust_sign_raw(rb_raw *out, rb_repo *repo, const char *key, const void *data,
                               size_t len, rb_err *err);
void rb_raw_clear(rb_raw *raw);
/* Returns the fingerprint of the key that would sign and appends its public part as PEM. Either may
 * be NULL. */
enum rb_code rb_trust_key(char **fingerprint, rb_buf *pem, rb_repo *repo, const char *key,
                          rb_err *err);

/*
 * Verifies a raw signature by the allowed signer whose key has this fingerprint and is valid now.
 * *principal stays NULL, and nothing is checked, if no line has the key. RB_FOUND if the signature
 * is not valid.
 */
enum rb_code rb_trust_check_raw(char **principal, const rb_signers *signers,
                                const char *fingerprint, const void *signature,
                                size_t signature_len, const void *data, size_t len, rb_err *err);

#endif
