/*
 * Who signed this tag? Verify first, then parse: only this room makes an rb_verified, and the
 * manifest decoder takes nothing else.
 *
 * Native SSHSIG (PROTOCOL.sshsig, namespace "git"); OpenPGP and X.509 tags go to `git verify-tag`
 * by object id. Settings are git's own: gpg.ssh.allowedSignersFile, gpg.ssh.revocationFile,
 * user.signingKey. A signers or revocation file inside the work tree is refused. What cannot be
 * read fails closed, a revocation file that is not there too (git only warns of that).
 *
 * Judged as `git verify-tag` does, by differential tests, but for what is refused here and not
 * there: RSA below 2048 bits, SHA-1 under a certificate, patterns that name no one, and tags that
 * are not exactly of the form below.
 */
#ifndef RB_TRUST_TRUST_H
#define RB_TRUST_TRUST_H

#include <stdint.h>

#include "base/problem.h"
#include "git/repository.h"
#include "git/tag.h"

typedef struct rb_signers rb_signers;   /* who may sign, and which keys are revoked */
typedef struct rb_verified rb_verified; /* a tag whose signature, name and form are good */

/*
 * Reads and parses the files once; any number of tags, in any thread, can then be judged. No
 * gpg.ssh.allowedSignersFile at all is said (RB_ERROR) when an SSH signature is to be judged, so
 * that repositories with OpenPGP tags only need none.
 */
enum rb_code rb_signers_load(rb_signers **out, rb_repo *repo, rb_err *err) RB_MUST_USE;
void rb_signers_free(rb_signers *signers);
RB_DEFINE_AUTO(rb_signers, rb_signers_free)

/* Changes when the content of either file does: what is kept of a judgement is kept under it. */
const char *rb_signers_digest(const rb_signers *signers);

/*
 * Checks signature, signer, validity at the tagger's time, revocation, the tag's headers (exactly
 * object, type, tag, tagger; object is a commit; name equals tag->name), that nothing follows the
 * signature, and that nothing stands between a manifest and it. RB_FOUND with at least one problem
 * when any of it fails: "unsigned", "signature", "signer", "expired", "revoked", "namespace",
 * "name", "header", "object", "trailing".
 */
enum rb_code rb_trust_verify(rb_verified **out, const rb_signers *signers, rb_repo *repo,
                             const rb_tag *tag, rb_problems *problems, rb_err *err) RB_MUST_USE;
void rb_verified_free(rb_verified *verified);
RB_DEFINE_AUTO(rb_verified, rb_verified_free)

/* All borrowed. */
const char *rb_verified_tag(const rb_verified *v);      /* name */
const rb_oid *rb_verified_object(const rb_verified *v); /* of the tag object */
const rb_oid *rb_verified_commit(const rb_verified *v);
const char *rb_verified_message(const rb_verified *v, size_t *len); /* without the signature */
const char *rb_verified_signed(const rb_verified *v, size_t *len);  /* the bytes signed: headers
                                                                        and message */
/* All that match, joined by ","; of an OpenPGP key the trusted email, else "openpgp:FINGERPRINT".
 */
const char *rb_verified_principal(const rb_verified *v);
const char *rb_verified_fingerprint(const rb_verified *v); /* SHA256:... as ssh-keygen prints, or
                                                              the OpenPGP key's */
const char *rb_verified_tagger(const rb_verified *v);      /* Name <email> */
/* The same signers, revoked keys and tag give the same answer at any time: an SSH signature, judged
 * at the tagger's time, not at today's or by a keyring. */
bool rb_verified_lasts(const rb_verified *v);
int64_t rb_verified_time(const rb_verified *v); /* the tagger's, seconds; forgeable */

/* Lower-level, for other rooms and the differential tests. */

/*
 * Signs data as `ssh-keygen -Y sign -n namespace` would and appends the armoured signature.
 * key: a private or public key file, "key::ssh-... AAAA" for an agent's key, or NULL for git's
 * user.signingKey. Keys that are not in an unencrypted file go to gpg.ssh.program when it is
 * set, else to ssh-agent, else to ssh-keygen, which may ask for a passphrase on the terminal. What
 * was made is verified before it is handed out. Only SSH keys sign: a gpg.format of "openpgp"
 * without a key given is an error.
 */
enum rb_code rb_trust_sign(rb_buf *out, rb_repo *repo, const char *key, const char *namespace_,
                           const void *data, size_t len, rb_err *err) RB_MUST_USE;

/*
 * Who rb_trust_sign() would sign as, now: its public key judged as rb_trust_check() judges a
 * signature, which proves nothing before it is made. *known is false, and nothing is judged, where
 * that key cannot be seen without signing (encrypted, with no .pub beside it).
 */
enum rb_code rb_trust_who(bool *known, char **principal, char **fingerprint,
                          const rb_signers *signers, rb_repo *repo, const char *key,
                          const char *namespace_, const char *email, rb_err *err) RB_MUST_USE;

/* Whether git's settings name an SSH key to sign with at all. */
enum rb_code rb_trust_has_key(bool *out, rb_repo *repo, rb_err *err) RB_MUST_USE;

/*
 * Verifies an armoured SSHSIG over data; when is seconds since the epoch, for validity options
 * (0: now, as git).
 * Every principal that matches is put into *principal joined by ",". RB_FOUND when it is no good.
 */
enum rb_code rb_trust_check(char **principal, char **fingerprint, const rb_signers *signers,
                            const char *namespace_, const char *armoured, size_t armoured_len,
                            const void *data, size_t len, int64_t when, const char *email,
                            rb_err *err) RB_MUST_USE;
/* The same with problems as rb_trust_verify() has them; *fingerprint is set as well when the
 * signature matches and only its key may not sign. Without allowed signers no key may. */
enum rb_code rb_trust_judge(char **principal, char **fingerprint, const rb_signers *signers,
                            const char *namespace_, const char *armoured, size_t armoured_len,
                            const void *data, size_t len, int64_t when, const char *email,
                            rb_problems *problems) RB_MUST_USE;

/*
 * A raw signature over data (no SSHSIG around it), for DSSE: Ed25519 as it is, ECDSA in DER with
 * the curve's digest, RSA PKCS#1 v1.5 with SHA-256: what in-toto's and sigstore's verifiers take.
 * key as above; from an unencrypted file or ssh-agent, never a security key, which can make SSH
 * signatures only. What was made is verified before it is handed out.
 */
typedef struct rb_raw {
    rb_buf signature;
    char *fingerprint; /* SHA256:... of the key */
} rb_raw;

enum rb_code rb_trust_sign_raw(rb_raw *out, rb_repo *repo, const char *key, const void *data,
                               size_t len, rb_err *err) RB_MUST_USE;
void rb_raw_clear(rb_raw *raw);
/* The key that would sign: its fingerprint, and its public part appended as PEM. Either may be
 * NULL. */
enum rb_code rb_trust_key(char **fingerprint, rb_buf *pem, rb_repo *repo, const char *key,
                          rb_err *err) RB_MUST_USE;

/*
 * A raw signature by the allowed signer whose key has this fingerprint, valid now. *principal
 * stays NULL, and nothing was checked, when no line has it. RB_FOUND when it is no good.
 */
enum rb_code rb_trust_check_raw(char **principal, const rb_signers *signers,
                                const char *fingerprint, const void *signature,
                                size_t signature_len, const void *data, size_t len,
                                rb_err *err) RB_MUST_USE;

#endif
