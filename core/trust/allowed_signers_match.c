#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "trust/pattern.h"
#include "trust/signers.h"

enum fit {
    FIT_NOT, /* the line is for another key */
    FIT_NAMESPACE,
    FIT_TIME,
    /* the certificate is signed by the line's authority, but not valid for this use */
    FIT_CERTIFICATE,
    FIT_OK,
};

typedef struct question {
    const rb_key *key;
    const char *namespace_; /* NULL: any namespace */
    uint64_t when;
} question;

static bool same_key(const rb_signer *line, const rb_key *key)
{
    if (!line->key->certificate != !key->certificate || !rb_key_equal(line->key, key))
        return false;
    if (!key->certificate)
        return true;
    const rb_buf *a = &key->certificate->blob;
    const rb_buf *b = &line->key->certificate->blob;
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static bool by_authority(const rb_signer *line, const rb_key *key)
{
    return line->authority && key->certificate &&
           rb_key_equal(key->certificate->authority, line->key);
}

static enum fit certificate_fits(const rb_certificate *cert, uint64_t when)
{
    if (cert->host || cert->principals.n == 0)
        return FIT_CERTIFICATE;
    return when >= cert->after && when < cert->before ? FIT_OK : FIT_TIME;
}

/* Checks whether the line allows the key to sign; principals are checked separately. */
static enum fit line_fits(const rb_signer *line, const question *q)
{
    if (by_authority(line, q->key)) {
        enum fit fit = certificate_fits(q->key->certificate, q->when);
        if (fit != FIT_OK)
            return fit;
    } else if (line->authority || !same_key(line, q->key)) {
        return FIT_NOT;
    }
    if (q->namespace_ && line->namespaces &&
        !rb_pattern_list_matches(q->namespace_, line->namespaces))
        return FIT_NAMESPACE;
    if ((line->after && q->when < line->after) || (line->before && q->when > line->before))
        return FIT_TIME;
    return FIT_OK;
}

/* Splits a comma-separated list of names. Stops at an empty name, as ssh-keygen does. */
static void split(rb_strs *out, const char *list)
{
    for (size_t len; (len = strcspn(list, ",")) > 0; list += len + 1) {
        rb_strs_take(out, rb_strndup(list, len));
        if (list[len] == '\0')
            break;
    }
}

/* Returns what `ssh-keygen -Y find-principals` prints for this line. */
static void line_principals(rb_strs *out, const rb_signer *line, const rb_key *key)
{
    if (!by_authority(line, key)) {
        split(out, line->principals);
        return;
    }
    RB_AUTO(rb_strs_clear) rb_strs patterns = {0};
    split(&patterns, line->principals);
    const rb_strs *names = &key->certificate->principals;
    for (size_t i = 0; i < patterns.n; i++)
        for (size_t j = 0; j < names->n; j++)
            if (rb_pattern_matches(names->items[j], patterns.items[i], strlen(patterns.items[i])))
                split(out, names->items[j]);
}

/* True if `ssh-keygen -Y verify -I principal` would accept this line. */
static bool line_accepts(const rb_signer *line, const question *q, const char *principal)
{
    return rb_pattern_list_matches(principal, line->principals) && line_fits(line, q) == FIT_OK &&
           (!by_authority(line, q->key) ||
            rb_strs_has(&q->key->certificate->principals, principal));
}

static bool any_accepts(const rb_signers *signers, const question *q, const char *principal)
{
    for (size_t i = 0; i < signers->n; i++)
        if (line_accepts(&signers->items[i], q, principal))
            return true;
    return false;
}

/* Returns the first line for the key that is valid at that time, in any namespace: git takes the
 * principals from this line. */
static const rb_signer *first_line(const rb_signers *signers, const question *q,
                                   rb_strs *principals)
{
    question anywhere = *q;
    anywhere.namespace_ = NULL;
    for (size_t i = 0; i < signers->n; i++) {
        const rb_signer *line = &signers->items[i];
        if (line_fits(line, &anywhere) != FIT_OK)
            continue;
        line_principals(principals, line, q->key);
        if (principals->n > 0 || !by_authority(line, q->key))
            return line;
    }
    return NULL;
}

static void add_identity(rb_strs *out, const char *name)
{
    if (!rb_strs_has(out, name))
        rb_strs_add(out, name);
}

/* Collects the principals of the key: names as they are, and `email` for a pattern that matches
 * it. */
static void identities(rb_strs *out, const rb_signers *signers, const question *q,
                       const char *email)
{
    for (size_t i = 0; i < signers->n; i++) {
        const rb_signer *line = &signers->items[i];
        RB_AUTO(rb_strs_clear) rb_strs names = {0};
        if (line_fits(line, q) != FIT_OK)
            continue;
        line_principals(&names, line, q->key);
        for (size_t j = 0; j < names.n; j++)
            if (rb_pattern_is_literal(names.items[j]) && line_accepts(line, q, names.items[j]))
                add_identity(out, names.items[j]);
        if (email && rb_pattern_is_literal(email) && !strchr(email, ',') &&
            line_accepts(line, q, email))
            add_identity(out, email);
    }
}

static const rb_signer *find_fit(const rb_signers *signers, const question *q, enum fit wanted)
{
    for (size_t i = 0; i < signers->n; i++)
        if (line_fits(&signers->items[i], q) == wanted)
            return &signers->items[i];
    return NULL;
}

static void format_time(char out[32], uint64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm tm;
    if (seconds > 253402300799 || !gmtime_r(&when, &tm))
        snprintf(out, 32, "%" PRIu64, seconds);
    else
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static enum rb_code refuse_time(const rb_signers *signers, const rb_signer *line, const question *q,
                                const char *fingerprint, rb_problems *problems)
{
    const rb_certificate *cert = q->key->certificate;
    bool of_cert = by_authority(line, q->key) && certificate_fits(cert, q->when) != FIT_OK;
    uint64_t after = of_cert ? cert->after : line->after;
    uint64_t before = of_cert ? cert->before : line->before;
    bool early = q->when < after;
    char limit[32];
    char found[32];
    format_time(limit, early ? after : before);
    format_time(found, q->when);
    RB_AUTO(rb_free_str)
    char *expected = rb_format("%s %s", early ? "not before" : "not after", limit);
    RB_AUTO(rb_free_str) char *principals = rb_safe(line->principals);
    rb_problems_add(problems, "expired", "tagger", expected, found,
                    "%s %s of %s is valid %s, but it was signed at %s (%s, line %zu)",
                    of_cert ? "certificate of key" : "key", fingerprint, principals, expected,
                    found, signers->path, line->line);
    return RB_FOUND;
}

static enum rb_code refuse_namespace(const rb_signers *signers, const rb_signer *line,
                                     const question *q, const char *fingerprint,
                                     rb_problems *problems)
{
    RB_AUTO(rb_free_str) char *allowed = rb_safe(line->namespaces);
    RB_AUTO(rb_free_str) char *principals = rb_safe(line->principals);
    rb_problems_add(problems, "namespace", "signature", allowed, q->namespace_,
                    "key %s of %s may sign in namespace \"%s\" only, not in \"%s\" (%s, line %zu)",
                    fingerprint, principals, allowed, q->namespace_, signers->path, line->line);
    return RB_FOUND;
}

static enum rb_code refuse_pattern(const rb_signers *signers, const rb_signer *line,
                                   const char *fingerprint, const char *email,
                                   rb_problems *problems)
{
    RB_AUTO(rb_free_str) char *principals = rb_safe(line->principals);
    RB_AUTO(rb_free_str) char *found = rb_safe(email ? email : "");
    rb_problems_add(problems, "signer", "tagger", principals, found,
                    "key %s may sign for \"%s\", which names no one, and the tagger's email \"%s\" "
                    "does not match it (%s, line %zu)",
                    fingerprint, principals, found, signers->path, line->line);
    return RB_FOUND;
}

static enum rb_code refuse_unknown(const rb_signers *signers, const question *q,
                                   const char *fingerprint, rb_problems *problems)
{
    RB_AUTO(rb_free_str)
    char *hint = signers->skipped
                     ? rb_format("; %zu lines there cannot be read, the first is line %zu",
                                 signers->skipped, signers->first_skipped)
                     : rb_strdup("");
    const char *kind = q->key->certificate ? "certificate" : "key";
    bool unfit = find_fit(signers, q, FIT_CERTIFICATE) != NULL;
    rb_problems_add(problems, "signer", "signature", "a key in the allowed signers", fingerprint,
                    unfit ? "the %s %s is not a user certificate with names%s%s%s"
                          : "the %s %s is not in the allowed signers%s%s%s",
                    kind, fingerprint, " ",
                    *signers->path ? signers->path : "(git config " RB_SIGNERS_KEY " is not set)",
                    hint);
    return RB_FOUND;
}

static enum rb_code refuse(const rb_signers *signers, const question *q, const rb_signer *line,
                           bool accepted, const char *email, const char *fingerprint,
                           rb_problems *problems)
{
    const rb_signer *unfit = find_fit(signers, q, FIT_NAMESPACE);
    if (line && unfit && !accepted)
        return refuse_namespace(signers, unfit, q, fingerprint, problems);
    if (line)
        return refuse_pattern(signers, line, fingerprint, email, problems);
    unfit = find_fit(signers, q, FIT_TIME);
    if (unfit)
        return refuse_time(signers, unfit, q, fingerprint, problems);
    return refuse_unknown(signers, q, fingerprint, problems);
}

enum rb_code rb_signers_check(char **principal, const rb_signers *signers, const rb_key *key,
                              const char *namespace_, uint64_t when, const char *email,
                              rb_problems *problems)
{
    question q = {.key = key, .namespace_ = namespace_, .when = when};
    char fingerprint[RB_FINGERPRINT_SIZE];
    rb_key_fingerprint(key, fingerprint);
    bool revoked = false;
    rb_err why;
    if (signers->revoked && rb_revoked_has(&revoked, signers->revoked, key, &why) != RB_OK) {
        rb_problems_add(problems, "revoked", "signature", "", fingerprint, "%s", rb_err_line(&why));
        return RB_ERROR;
    }
    if (revoked) {
        rb_problems_add(problems, "revoked", "signature", "a key that is not revoked", fingerprint,
                        "the key %s is revoked by gpg.ssh.revocationFile", fingerprint);
        return RB_FOUND;
    }
    RB_AUTO(rb_strs_clear) rb_strs named = {0};
    RB_AUTO(rb_strs_clear) rb_strs found = {0};
    const rb_signer *line = first_line(signers, &q, &named);
    bool accepted = false;
    for (size_t i = 0; i < named.n && !accepted; i++)
        accepted = any_accepts(signers, &q, named.items[i]);
    if (accepted)
        identities(&found, signers, &q, email);
    if (found.n == 0)
        return refuse(signers, &q, line, accepted, email, fingerprint, problems);
    RB_AUTO(rb_buf_clear) rb_buf joined = {0};
    for (size_t i = 0; i < found.n; i++)
        rb_buf_printf(&joined, "%s%s", i ? "," : "", found.items[i]);
    *principal = rb_buf_detach(&joined);
    return RB_OK;
}
