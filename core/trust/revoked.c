#include "trust/revoked.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/hash.h"
#include "base/process.h"

#define MAGIC "SSHKRL\n" /* including the '\0' */
#define TIMEOUT 60       /* seconds that ssh-keygen may take */

typedef struct answer {
    rb_buf blob; /* blob of the key or certificate */
    bool revoked;
} answer;

struct rb_revoked {
    char *path;
    int krl;       /* memory file with the KRL; -1: the file is a list of keys, in `known` */
    answer *known; /* keys of the list, sorted; for a KRL, the answers of ssh-keygen so far */
    size_t n;
    pthread_mutex_t lock;
};

static void add(rb_revoked *revoked, const rb_buf *blob, bool is_revoked)
{
    revoked->known = rb_grow(revoked->known, revoked->n, sizeof *revoked->known);
    answer *a = &revoked->known[revoked->n++];
    *a = (answer){.revoked = is_revoked};
    rb_buf_add(&a->blob, blob->data, blob->len);
}

static int compare(const void *a, const void *b)
{
    const rb_buf *x = &((const answer *)a)->blob;
    const rb_buf *y = &((const answer *)b)->blob;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->data, y->data, x->len);
}

void rb_revoked_free(rb_revoked *revoked)
{
    if (!revoked)
        return;
    for (size_t i = 0; i < revoked->n; i++)
        rb_buf_clear(&revoked->known[i].blob);
    free(revoked->known);
    rb_close(&revoked->krl);
    free(revoked->path);
    pthread_mutex_destroy(&revoked->lock);
    free(revoked);
}

/* True for a key that OpenSSH knows and rbtool does not (DSA). It cannot sign here, so the line is
 * skipped. */
static bool is_foreign(const char *line)
{
    return strncmp(line, "ssh-dss ", 8) == 0 ||
           strncmp(line, "ssh-dss-cert-v01@openssh.com ", 29) == 0;
}

static enum rb_code parse_list(rb_revoked *revoked, const char *text, size_t len, rb_err *err)
{
    const char *end = text + len;
    for (size_t number = 1; text < end; number++) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((eol ? eol : end) - text);
        RB_AUTO(rb_free_str) char *line = rb_strndup(text, n);
        const char *p = line + strspn(line, " \t");
        text = eol ? eol + 1 : end;
        if (*p == '\0' || *p == '#' || is_foreign(p))
            continue;
        RB_AUTO(rb_key_freep) rb_key *key = NULL;
        if (rb_key_parse_line(&key, &p, err) != RB_OK) {
            (void)rb_err_prefix(err, "cannot read the revoked keys in %s, line %zu", revoked->path,
                                number);
            return err->code = RB_ERROR;
        }
        add(revoked, &key->blob, true);
    }
    if (revoked->n > 1)
        qsort(revoked->known, revoked->n, sizeof *revoked->known, compare);
    return RB_OK;
}

enum rb_code rb_revoked_parse(rb_revoked **out, const char *path, const void *data, size_t len,
                              rb_err *err)
{
    RB_AUTO(rb_revoked_freep) rb_revoked *revoked = rb_calloc(1, sizeof *revoked);
    pthread_mutex_init(&revoked->lock, NULL);
    revoked->path = rb_strdup(path);
    revoked->krl = -1;
    if (len < sizeof MAGIC || memcmp(data, MAGIC, sizeof MAGIC) != 0) {
        RB_TRY(parse_list(revoked, data, len, err));
    } else {
        revoked->krl = memfd_create("krl", MFD_CLOEXEC);
        if (revoked->krl < 0 || write(revoked->krl, data, len) != (ssize_t)len)
            return rb_fail_errno(err, RB_ERROR, "cannot hold the key revocation list %s in memory",
                                 path);
    }
    *out = RB_TAKE(revoked);
    return RB_OK;
}

static bool ends_with(const rb_buf *out, const char *end)
{
    size_t len = strlen(end);
    return out->len >= len && memcmp(out->data + out->len - len, end, len) == 0;
}

static enum rb_code ask(bool *out, const rb_revoked *revoked, const rb_key *key, rb_err *err)
{
    const rb_buf *blob = rb_key_public(key);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_buf_printf(&text, "%s ",
                  key->certificate ? rb_key_types[key->kind].certificate : rb_key_name(key));
    rb_base64_encode(&text, blob->data, blob->len);
    rb_buf_addc(&text, '\n');
    RB_AUTO(rb_free_str)
    char *krl = rb_format("/proc/%ld/fd/%d", (long)getpid(), revoked->krl);
    const char *argv[] = {"ssh-keygen", "-Q", "-f", krl, "/dev/stdin", NULL};
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    if (rb_process_run(
            &result,
            &(rb_process){
                .argv = argv, .input = text.data, .input_len = text.len, .timeout = TIMEOUT},
            err) != RB_OK) {
        (void)rb_err_prefix(err, "cannot look up a key in the key revocation list %s",
                            revoked->path);
        return err->code = RB_ERROR;
    }
    *out = result.status == 1 && ends_with(&result.out, ": REVOKED\n");
    if (*out || (result.status == 0 && ends_with(&result.out, ": ok\n")))
        return RB_OK;
    RB_AUTO(rb_free_str)
    char *why = rb_strndup(rb_buf_str(&result.err), strcspn(rb_buf_str(&result.err), "\r\n"));
    RB_AUTO(rb_free_str) char *safe = rb_safe(why);
    return rb_fail(err, RB_ERROR,
                   "cannot read the key revocation list %s: ssh-keygen -Q exited with status %d: "
                   "%.200s\n`ssh-keygen -Q -l -f %s` shows what it holds",
                   revoked->path, result.status, safe, revoked->path);
}

static bool lists(const rb_revoked *revoked, const rb_key *key)
{
    answer wanted = {.blob = key->blob};
    return revoked->n > 0 &&
           bsearch(&wanted, revoked->known, revoked->n, sizeof wanted, compare) != NULL;
}

/* Asks ssh-keygen while holding the lock: other threads usually wait for the same key. */
static enum rb_code ask_once(bool *out, rb_revoked *revoked, const rb_key *key, rb_err *err)
{
    answer wanted = {.blob = *rb_key_public(key)};
    for (size_t i = 0; i < revoked->n; i++)
        if (compare(&wanted, &revoked->known[i]) == 0) {
            *out = revoked->known[i].revoked;
            return RB_OK;
        }
    RB_TRY(ask(out, revoked, key, err));
    add(revoked, &wanted.blob, *out);
    return RB_OK;
}

enum rb_code rb_revoked_has(bool *out, rb_revoked *revoked, const rb_key *key, rb_err *err)
{
    if (revoked->krl < 0) {
        *out = lists(revoked, key) ||
               (key->certificate && lists(revoked, key->certificate->authority));
        return RB_OK;
    }
    pthread_mutex_lock(&revoked->lock);
    enum rb_code code = ask_once(out, revoked, key, err);
    pthread_mutex_unlock(&revoked->lock);
    return code;
}
