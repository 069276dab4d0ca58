#include "trust/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "trust/openpgp.h"
#include "trust/signers.h"
#include "trust/sshsig.h"
#include "trust/tag_parse.h"

#define REVOKED_KEY "gpg.ssh.revocationFile"
#define NAMESPACE "git"

struct rb_verified {
    rb_form form;
    rb_oid object;
    rb_buf raw;
    char *principal;
    char *fingerprint;
};

/*
 * Reads a file of allowed or revoked keys. Refuses a file in the work tree, or one reached by a
 * symlink there: any user who can commit could change it, and a revert would restore an old
 * version.
 */
static enum rb_code read_policy(rb_buf *out, rb_repo *repo, const char *path, size_t limit,
                                const char *key, rb_err *err)
{
    RB_AUTO(rb_free_str) char *top = NULL;
    RB_AUTO(rb_free_str) char *real = NULL;
    rb_repo_work_tree_of(&top, &real, repo, path);
    if (top)
        return rb_fail(err, RB_ERROR,
                       "git config %s names %s, which lies in the work tree %s, where a commit can "
                       "change it\nmove it outside, such as to ~/.config/git/, and set %s to it",
                       key, path, top, key);
    if (rb_file_read(out, real, limit, err) != RB_OK)
        return rb_err_prefix(err, "git config %s", key);
    return RB_OK;
}

static enum rb_code load_revoked(rb_signers *signers, rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = NULL;
    RB_AUTO(rb_buf_clear) rb_buf data = {0};
    RB_TRY(rb_repo_setting_path(&path, repo, "gpg.ssh.revocationfile", err));
    if (!path || !*path)
        return RB_OK;
    RB_TRY(read_policy(&data, repo, path, RB_REVOKED_LIMIT, REVOKED_KEY, err));
    RB_AUTO(rb_buf_clear) rb_buf both = {0};
    rb_buf_puts(&both, signers->digest);
    rb_buf_add(&both, rb_buf_str(&data), data.len);
    rb_sha256_hex_of(both.data, both.len, signers->digest);
    return rb_revoked_parse(&signers->revoked, path, rb_buf_str(&data), data.len, err);
}

enum rb_code rb_signers_load(rb_signers **out, rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_signers_freep) rb_signers *signers = NULL;
    RB_TRY(rb_repo_setting_path(&path, repo, "gpg.ssh.allowedsignersfile", err));
    bool set = path && *path;
    if (set)
        RB_TRY(read_policy(&text, repo, path, RB_SIGNERS_LIMIT, RB_SIGNERS_KEY, err));
    RB_TRY(rb_signers_parse(&signers, set ? path : "", rb_buf_str(&text), text.len, err));
    rb_sha256_hex_of(rb_buf_str(&text), text.len, signers->digest);
    RB_TRY(load_revoked(signers, repo, err));
    *out = RB_TAKE(signers);
    return RB_OK;
}

const char *rb_signers_digest(const rb_signers *signers)
{
    return signers->digest;
}

enum rb_code rb_signers_need(const rb_signers *signers, rb_err *err)
{
    if (*signers->path)
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "git config %s is not set, so that no signer is trusted here\n`rbtool init` prints "
        "the commands that set it up (a file outside the repository with lines such as "
        "\"alice@example.com ssh-ed25519 AAAA...\")",
        RB_SIGNERS_KEY);
}

void rb_verified_free(rb_verified *verified)
{
    if (!verified)
        return;
    rb_form_clear(&verified->form);
    rb_buf_clear(&verified->raw);
    free(verified->principal);
    free(verified->fingerprint);
    free(verified);
}

enum rb_code rb_trust_check_key(char **principal, char **fingerprint, const rb_signers *signers,
                                const char *namespace_, const char *armoured, size_t armoured_len,
                                const void *data, size_t len, int64_t when, const char *email,
                                rb_problems *problems)
{
    rb_err why;
    RB_AUTO(rb_sshsig_clear) rb_sshsig sig = {0};
    RB_AUTO(rb_key_freep) rb_key *parsed = NULL;
    if (rb_sshsig_parse(&sig, armoured, armoured_len, &why) != RB_OK) {
        rb_problems_add(problems, "signature", "signature", "", "", "%s", rb_err_line(&why));
        return RB_FOUND;
    }
    if (!rb_wire_is(&sig.namespace_, namespace_)) {
        RB_AUTO(rb_free_str) char *found = rb_wire_safe(&sig.namespace_);
        rb_problems_add(problems, "namespace", "signature", namespace_, found,
                        "the signature was made for the namespace \"%s\", expected \"%s\"", found,
                        namespace_);
        return RB_FOUND;
    }
    const rb_key *key = rb_signers_key(signers, sig.key.p, sig.key.left);
    enum rb_code code = key ? RB_OK : rb_key_parse(&parsed, sig.key.p, sig.key.left, &why);
    if (!key)
        key = parsed;
    if (code == RB_OK)
        code = rb_sshsig_verify(&sig, key, data, len, &why);
    if (code != RB_OK) {
        rb_problems_add(problems, "signature", "signature", "", "", "%s", rb_err_line(&why));
        return RB_FOUND;
    }
    char print[RB_FINGERPRINT_SIZE];
    rb_key_fingerprint(key, print);
    *fingerprint = rb_strdup(print);
    /* For a time of zero, git passes no time, and ssh-keygen then uses the current one. */
    uint64_t at = when > 0 ? (uint64_t)when : (uint64_t)time(NULL);
    return rb_signers_check(principal, signers, key, namespace_, at, email, problems);
}

enum rb_code rb_trust_check(char **principal, char **fingerprint, const rb_signers *signers,
                            const char *namespace_, const char *armoured, size_t armoured_len,
                            const void *data, size_t len, int64_t when, const char *email,
                            rb_err *err)
{
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_AUTO(rb_free_str) char *print = NULL;
    RB_TRY(rb_signers_need(signers, err));
    enum rb_code code = rb_trust_check_key(principal, &print, signers, namespace_, armoured,
                                           armoured_len, data, len, when, email, &problems);
    if (code != RB_OK)
        return rb_fail(err, code, "%s", problems.items[0].message);
    *fingerprint = RB_TAKE(print);
    return RB_OK;
}

/* Checks that the object exists and is a commit, because the tag's type "commit" is only a
 * claim. */
static void check_target(rb_repo *repo, const rb_oid *target, rb_problems *problems)
{
    rb_oid tree;
    rb_err why;
    if (rb_commit_tree(&tree, repo, target, &why) == RB_OK)
        return;
    char hex[RB_OID_HEX];
    rb_oid_hex(target, hex);
    rb_problems_add(problems, "object", "object", "a commit", hex,
                    "the tag's object cannot be read as a commit: %s", rb_err_line(&why));
}

static enum rb_code check_signature(rb_verified *v, const rb_signers *signers, rb_repo *repo,
                                    rb_problems *problems, rb_err *err)
{
    const char *raw = v->raw.data;
    size_t at = v->form.signature_at;
    if (v->form.signature == RB_SIGNATURE_GPG)
        return rb_openpgp_verify(&v->principal, &v->fingerprint, repo, &v->object, problems, err);
    RB_TRY(rb_signers_need(signers, err));
    enum rb_code code = rb_trust_check_key(&v->principal, &v->fingerprint, signers, NAMESPACE,
                                           raw + at, v->raw.len - at, raw, at, v->form.tagger.time,
                                           v->form.tagger.email, problems);
    return code == RB_ERROR ? rb_fail(err, code, "%s", problems->items[problems->n - 1].message)
                            : code;
}

enum rb_code rb_trust_verify(rb_verified **out, const rb_signers *signers, rb_repo *repo,
                             const rb_tag *tag, rb_problems *problems, rb_err *err)
{
    RB_AUTO(rb_verified_freep) rb_verified *v = rb_calloc(1, sizeof *v);
    RB_AUTO(rb_free_str) char *name = rb_safe(tag->name);
    size_t before = problems->n;
    v->object = tag->object;
    if (!tag->annotated) {
        rb_problems_add(problems, "unsigned", "", "a signed tag object", "a lightweight tag",
                        "the tag is lightweight and carries no signature; `rbtool release` and "
                        "`git tag -s` sign");
    } else {
        rb_buf_add(&v->raw, rb_buf_str(&tag->raw), tag->raw.len);
        enum rb_code form =
            rb_form_parse(&v->form, rb_buf_str(&v->raw), v->raw.len, tag->name, problems);
        if (v->form.signature != RB_SIGNATURE_NONE)
            if (check_signature(v, signers, repo, problems, err) == RB_ERROR)
                return rb_err_prefix(err, "tag %s", name);
        if (form == RB_OK)
            check_target(repo, &v->form.target, problems);
    }
    if (problems->n > before)
        return rb_fail(err, RB_FOUND, "tag %s: %s", name, problems->items[before].message);
    *out = RB_TAKE(v);
    return RB_OK;
}

const char *rb_verified_tag(const rb_verified *v)
{
    return v->form.name;
}

const rb_oid *rb_verified_object(const rb_verified *v)
{
    return &v->object;
}

const rb_oid *rb_verified_commit(const rb_verified *v)
{
    return &v->form.target;
}

const char *rb_verified_message(const rb_verified *v, size_t *len)
{
    *len = v->form.signature_at - v->form.message_at;
    return v->raw.data + v->form.message_at;
}

const char *rb_verified_signed(const rb_verified *v, size_t *len)
{
    *len = v->form.signature_at;
    return v->raw.data;
}

const char *rb_verified_principal(const rb_verified *v)
{
    return v->principal;
}

const char *rb_verified_fingerprint(const rb_verified *v)
{
    return v->fingerprint;
}

const char *rb_verified_tagger(const rb_verified *v)
{
    return v->form.tagger.who;
}

int64_t rb_verified_time(const rb_verified *v)
{
    return v->form.tagger.time;
}

bool rb_verified_lasts(const rb_verified *v)
{
    return v->form.signature == RB_SIGNATURE_SSH && v->form.tagger.time > 0;
}
