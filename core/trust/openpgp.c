#include "trust/openpgp.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/process.h"
#include "trust/pattern.h"

#define PREFIX "[GNUPG:] "
#define SIGNERS_KEY "rbtool.openpgpsigners"
#define TIMEOUT 60 /* seconds */

typedef struct status {
    size_t good;
    size_t valid;
    size_t bad;
    bool expired;
    bool revoked;
    bool unknown;
    bool trusted;
    const char *why; /* first line of output that reports a problem; borrowed */
    char *user;
    char *fingerprint; /* fingerprint of the primary key */
} status;

static void status_clear(status *s)
{
    free(s->user);
    free(s->fingerprint);
}

static const char *last_word(const char *line, size_t *len)
{
    size_t end = strcspn(line, "\r\n");
    while (end > 0 && line[end - 1] == ' ')
        end--;
    size_t start = end;
    while (start > 0 && line[start - 1] != ' ')
        start--;
    *len = end - start;
    return line + start;
}

static bool is_hex(const char *text, size_t len)
{
    return len > 0 && strspn(text, "0123456789ABCDEFabcdef") >= len;
}

/* Returns the fingerprint of the primary key, whichever subkey signed. gpg prints it as the last
 * word of the line, gpgsm as the first. */
static char *primary_of(const char *line)
{
    size_t len;
    const char *word = last_word(line, &len);
    const char *first = line + strspn(line, " ");
    size_t first_len = strcspn(first, " \r\n");
    return is_hex(word, len) && len >= first_len ? rb_strndup(word, len)
                                                 : rb_strndup(first, first_len);
}

static bool is_word(const char *line, const char *word)
{
    size_t len = strlen(word);
    return strncmp(line, word, len) == 0 && strchr(" \r\n", line[len]);
}

/* Handles a line that reports that the signature is not valid, and why. */
static bool read_fault(status *s, const char *line)
{
    if (is_word(line, "EXPSIG") || is_word(line, "EXPKEYSIG"))
        s->expired = true;
    else if (is_word(line, "REVKEYSIG"))
        s->revoked = true;
    else if (is_word(line, "NO_PUBKEY"))
        s->unknown = true;
    else if (is_word(line, "BADSIG") || is_word(line, "ERRSIG"))
        s->bad++;
    else
        return false;
    if (!s->why)
        s->why = line;
    return true;
}

static void read_line(status *s, const char *line)
{
    if (read_fault(s, line))
        return;
    if (is_word(line, "GOODSIG")) {
        const char *user = line + strlen("GOODSIG");
        user += strspn(user, " ");
        user += strcspn(user, " \r\n"); /* skip the key id */
        user += strspn(user, " ");
        free(s->user);
        s->user = rb_strndup(user, strcspn(user, "\r\n"));
        s->good++;
    } else if (is_word(line, "VALIDSIG")) {
        free(s->fingerprint);
        s->fingerprint = primary_of(line + strlen("VALIDSIG"));
        s->valid++;
    } else if (is_word(line, "TRUST_FULLY") || is_word(line, "TRUST_ULTIMATE")) {
        s->trusted = true;
    }
}

static enum rb_code refuse(const status *s, const char *text, rb_problems *problems)
{
    const char *code = s->revoked   ? "revoked"
                       : s->expired ? "expired"
                       : s->unknown ? "signer"
                                    : "signature";
    const char *why = s->revoked   ? "its key is revoked"
                      : s->expired ? "it or its key has expired"
                      : s->unknown ? "its key is not in the keyring"
                                   : "it does not match";
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    const char *line = s->why ? s->why : text;
    rb_buf_add_safe(&found, line, strcspn(line, "\r\n"));
    rb_problems_add(problems, code, "signature", "GOODSIG", rb_buf_str(&found),
                    "`git verify-tag` does not accept the tag's OpenPGP or X.509 signature: %s "
                    "(%s)",
                    why, rb_buf_str(&found));
    return RB_FOUND;
}

static char *principal_of(const status *s)
{
    const char *open = s->user ? strrchr(s->user, '<') : NULL;
    size_t len = open ? strcspn(open + 1, ">") : 0;
    char *email = open && open[1 + len] == '>' && len > 0 ? rb_strndup(open + 1, len) : NULL;
    if (s->trusted && email && rb_pattern_is_literal(email) && !strchr(email, ','))
        return email;
    free(email);
    return rb_format("openpgp:%s", s->fingerprint);
}

enum rb_code rb_openpgp_result(char **principal, char **fingerprint, const char *text, bool ok,
                               rb_problems *problems)
{
    RB_AUTO(status_clear) status s = {0};
    for (const char *p = text; *p;) {
        if (strncmp(p, PREFIX, strlen(PREFIX)) == 0)
            read_line(&s, p + strlen(PREFIX));
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    if (!ok || s.good != 1 || s.valid != 1 || s.bad || s.expired || s.revoked || s.unknown ||
        !s.fingerprint || !*s.fingerprint)
        return refuse(&s, text, problems);
    *principal = principal_of(&s);
    *fingerprint = RB_TAKE(s.fingerprint);
    return RB_OK;
}

static enum rb_code check_named(rb_repo *repo, const char *fingerprint, rb_problems *problems,
                                rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs named = {0};
    bool found = false;
    RB_TRY(rb_repo_settings(&named, repo, SIGNERS_KEY, err));
    for (size_t i = 0; i < named.n; i++) {
        const size_t len = strlen(named.items[i]);
        if ((len != 40 && len != 64) || !is_hex(named.items[i], len))
            return rb_fail(err, RB_ERROR,
                           "git config rbtool.openpgpSigners has %.80s, which is not a full "
                           "fingerprint (40 hexadecimal digits, without spaces)\n`gpg "
                           "--list-keys --with-colons` shows them in its lines \"fpr\"",
                           named.items[i]);
        found = found || (fingerprint && strcasecmp(named.items[i], fingerprint) == 0);
    }
    if (found)
        return RB_OK;
    RB_AUTO(rb_free_str) char *safe = rb_safe(fingerprint);
    rb_problems_add(problems, "signer", "signature", "a key that rbtool.openpgpSigners names", safe,
                    "the OpenPGP or X.509 signature is by the key %s, which git config "
                    "rbtool.openpgpSigners does not name; compare the fingerprint with its owner "
                    "first, and then: git config --add rbtool.openpgpSigners %s",
                    safe, safe);
    return RB_FOUND;
}

enum rb_code rb_openpgp_verify(char **principal, char **fingerprint, rb_repo *repo,
                               const rb_oid *object, rb_problems *problems, rb_err *err)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(object, hex);
    RB_AUTO(rb_free_str) char *dir = rb_format("--git-dir=%s", rb_repo_common_dir(repo));
    const char *argv[] = {"git", dir, "verify-tag", "--raw", hex, NULL};
    const char *env[] = {"GIT_NO_REPLACE_OBJECTS=1", NULL};
    rb_process process = {.argv = argv, .env = env, .timeout = TIMEOUT};
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    RB_TRY(rb_process_run(&result, &process, err));
    if (result.timed_out)
        return rb_fail(err, RB_ERROR, "`git verify-tag %s` did not end within %d seconds", hex,
                       TIMEOUT);
    RB_AUTO(rb_free_str) char *who = NULL;
    RB_AUTO(rb_free_str) char *key = NULL;
    enum rb_code code =
        rb_openpgp_result(&who, &key, rb_buf_str(&result.err), result.status == 0, problems);
    if (code == RB_OK)
        code = check_named(repo, key, problems, err);
    if (code != RB_OK)
        return code;
    *principal = who;
    *fingerprint = key;
    who = key = NULL;
    return RB_OK;
}
