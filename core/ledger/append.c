#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/shape.h"
#include "base/text.h"
#include "git/refs.h"
#include "ledger/entry_verify.h"
#include "ledger/identity.h"

#define NAMESPACE "git"
#define TITLE_LIMIT 200 /* bytes after kind and tag; the full text is in the JSON */
#define PATIENCE                                                                                   \
    10 /* seconds to retry if the ref cannot be moved although its value has not changed */
#define TURN_PATIENCE 10 /* seconds to wait for the lock of this host's writers */
#define PAUSE 5          /* milliseconds between attempts */

static void sleep_milliseconds(long n)
{
    struct timespec t = {.tv_sec = n / 1000, .tv_nsec = n % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Takes the lock for writers of this host, so that they do not repeat signatures because of each
 * other. It only saves work: no entry can be lost without it, because the ref is moved from a known
 * value. */
static int take_turn(const rb_repo *repo)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_join(rb_repo_common_dir(repo), "rbtool");
    RB_AUTO(rb_free_str) char *path = rb_path_join(dir, "ledger.turn");
    if (rb_dir_make(dir, RB_IGNORED) != RB_OK)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    double end = rb_clock_seconds() + TURN_PATIENCE;
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && rb_clock_seconds() < end)
        sleep_milliseconds(PAUSE);
    return fd;
}

/* Finds the committer. A host without user.name and user.email gets a default. */
static enum rb_code find_committer(char **out, rb_repo *repo, const rb_draft *draft, rb_err *err)
{
    if (draft->committer) {
        *out = rb_strdup(draft->committer);
        return RB_OK;
    }
    if (rb_repo_committer(out, repo, err) == RB_OK)
        return RB_OK;
    char host[256] = "";
    bool named_host = gethostname(host, sizeof host - 1) == 0 && rb_shape_is_name(host);
    RB_AUTO(rb_buf_clear) rb_buf who = {0};
    RB_AUTO(rb_free_str)
    char *email = rb_format("user.email=rbtool@%s", named_host ? host : "localhost");
    const char *const named[] = {"-c",  "user.name=rbtool",    "-c", email,
                                 "var", "GIT_COMMITTER_IDENT", NULL};
    RB_TRY(rb_repo_git(&who, repo, named, err));
    *out = rb_strndup(rb_buf_str(&who), strcspn(rb_buf_str(&who), "\n"));
    return RB_OK;
}

static void add_title(rb_buf *out, const rb_draft *draft)
{
    rb_buf_puts(out, rb_entry_kind_name(draft->kind));
    if (draft->tag)
        rb_buf_printf(out, " %s", draft->tag);
    /* TITLE_LIMIT does not include kind and tag, which readers check in full */
    size_t start = out->len;
    if (draft->title) {
        rb_buf_addc(out, ' ');
        rb_buf_add_safe(out, draft->title, strlen(draft->title));
    }
    if (out->len - start > TITLE_LIMIT) {
        size_t len = start + TITLE_LIMIT;
        while (((unsigned char)out->data[len] & 0xc0) == 0x80)
            len--;
        rb_buf_truncate(out, len);
        rb_buf_puts(out, "...");
    }
}

static int by_name(const void *a, const void *b)
{
    const rb_attachment *const *x = a;
    const rb_attachment *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Writes the attachments and returns their names and hashes for the JSON. */
static enum rb_code write_attachments(rb_oid *tree, json_t *named, rb_repo *repo,
                                      const rb_draft *draft, rb_err *err)
{
    const rb_attachment *sorted[RB_ATTACHMENTS];
    rb_flat_file files[RB_ATTACHMENTS];
    size_t n = draft->attachment_count;
    if (n > RB_ATTACHMENTS)
        return rb_fail(err, RB_ERROR, "the entry has %zu attachments; the limit is %d", n,
                       RB_ATTACHMENTS);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &draft->attachments[i];
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < n; i++) {
        char hex[RB_SHA256_HEX];
        if (sorted[i]->len > RB_ATTACHMENT_LIMIT)
            return rb_fail(err, RB_ERROR, "the attachment %s has %zu bytes, the limit is %u",
                           sorted[i]->name, sorted[i]->len, RB_ATTACHMENT_LIMIT);
        files[i].name = sorted[i]->name;
        RB_TRY(rb_object_write(&files[i].blob, repo, RB_OBJECT_BLOB, sorted[i]->data,
                               sorted[i]->len, err));
        rb_sha256_hex_of(sorted[i]->data, sorted[i]->len, hex);
        json_t *item = json_object();
        rb_json_set_str(item, "name", files[i].name);
        rb_json_set_str(item, "sha256", hex);
        json_array_append_new(named, item);
    }
    return rb_flat_write(tree, repo, files, n, err);
}

/* Refuses texts that are not UTF-8, which JSON cannot hold. */
static enum rb_code check_texts(const rb_draft *draft, const char *app, rb_err *err)
{
    const char *const texts[] = {app, draft->tag, draft->object, draft->environment};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i] || rb_text_is_utf8(texts[i], strlen(texts[i])))
            continue;
        RB_AUTO(rb_free_str) char *safe = rb_safe(texts[i]);
        return rb_fail(err, RB_ERROR, "cannot write the entry: %s is not UTF-8", safe);
    }
    if (!draft->detail)
        return rb_fail(err, RB_ERROR, "cannot write the entry: it has no detail");
    return RB_OK;
}

static void add_json(rb_buf *out, const rb_draft *draft, const char *app, const char *ledger,
                     int64_t at, json_t *attachments)
{
    RB_AUTO(rb_json_freep) json_t *json = json_object();
    const char *kind = rb_entry_kind_name(draft->kind);
    rb_json_set_str(json, "type", RB_ENTRY_TYPE);
    rb_json_set_str(json, "app", app);
    json_object_set_new(json, "at", json_integer(at));
    json_object_set(json, "attachments", attachments);
    rb_json_set_str(json, "environment", draft->environment);
    rb_json_set_str(json, "kind", kind);
    rb_json_set_str(json, "ledger", ledger);
    rb_json_set_str(json, "object", draft->object);
    rb_json_set_str(json, "tag", draft->tag);
    json_object_set(json, kind, draft->detail);
    rb_json_pretty(out, json);
}

/* Signs the commit and inserts the header gpgsig after the other headers, like git. */
static enum rb_code sign(rb_buf *commit, rb_repo *repo, const rb_draft *draft, size_t headers,
                         rb_err *err)
{
    bool has_key = draft->key != NULL || draft->must_sign;
    if (!has_key)
        RB_TRY(rb_trust_has_key(&has_key, repo, err));
    if (!has_key)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf armoured = {0};
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    RB_TRY(rb_trust_sign(&armoured, repo, draft->key, NAMESPACE, commit->data, commit->len, err));
    rb_buf_add(&out, commit->data, headers);
    rb_buf_puts(&out, "gpgsig");
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    rb_strs_add_lines(&lines, armoured.data, armoured.len);
    for (size_t i = 0; i < lines.n; i++)
        rb_buf_printf(&out, " %s\n", lines.items[i]);
    rb_buf_add(&out, commit->data + headers, commit->len - headers);
    rb_buf_clear(commit);
    *commit = out;
    out = (rb_buf){0};
    return RB_OK;
}

/* Checks that readers will accept the new commit. */
static enum rb_code check_made(const rb_buf *commit, size_t message, rb_err *err)
{
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_AUTO(rb_entry_form_clear) rb_entry_form form = {0};
    if (message > RB_ENTRY_LIMIT)
        return rb_fail(err, RB_ERROR,
                       "cannot write the entry: it has %zu bytes, the limit is %u\nshorten its "
                       "text",
                       message, RB_ENTRY_LIMIT);
    if (rb_entry_form_read(&form, commit->data, commit->len, &problems) != RB_OK)
        return rb_fail(err, RB_ERROR, "cannot write the entry: %s", problems.items[0].message);
    return RB_OK;
}

/* Values that a new entry takes over from the tip, which must be an entry. */
struct tip {
    char *app;
    char ledger[RB_OID_HEX]; /* id of the ledger's first entry; "" if the ledger is empty */
};

static void tip_clear(struct tip *tip)
{
    free(tip->app);
}

static enum rb_code read_tip(struct tip *out, rb_repo *repo, const rb_oid *tip, rb_err *err)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(tip, hex);
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_AUTO(rb_entry_form_clear) rb_entry_form form = {0};
    enum rb_code code = rb_object_read(&raw, repo, tip, RB_OBJECT_COMMIT, "the ledger's entry",
                                       RB_ENTRY_READ_LIMIT, err);
    if (code == RB_ERROR)
        return code;
    if (code == RB_OK)
        code = rb_entry_form_read(&form, rb_buf_str(&raw), raw.len, &problems);
    if (code != RB_OK && !form.claims)
        return rb_fail(err, RB_ERROR,
                       "nothing is written on top of " RB_LEDGER_REF ": %s there is not an entry "
                       "of a ledger\nset it back with git update-ref",
                       hex);
    const char *ledger = form.json ? rb_json_str(form.json, "ledger") : NULL;
    if (!form.json)
        RB_TRY(rb_ledger_pinned(&ledger, repo, err));
    if (!form.json && !ledger)
        return rb_fail(err, RB_ERROR,
                       "nothing is written on top of " RB_LEDGER_REF ": its newest entry %s cannot "
                       "be read, and this clone is not pinned to a ledger\nrun `rbtool sync`",
                       hex);
    memcpy(out->ledger, ledger ? ledger : hex, RB_OID_HEX);
    out->app = rb_strdup(rb_json_str(form.json, "app"));
    return RB_OK;
}

enum rb_code rb_ledger_write(rb_oid *out, rb_repo *repo, const rb_draft *draft,
                             const rb_oid *parents, size_t parent_count, rb_err *err)
{
    RB_AUTO(rb_free_str) char *committer = NULL;
    RB_AUTO(rb_ident_clear) rb_ident ident = {0};
    RB_AUTO(rb_json_freep) json_t *attachments = json_array();
    RB_AUTO(rb_buf_clear) rb_buf commit = {0};
    char hex[RB_OID_HEX];
    rb_oid tree;
    const char *app = draft->app;
    const char *ledger = draft->ledger;
    RB_AUTO(tip_clear) struct tip tip = {0};
    if (!ledger && parent_count > 0) {
        RB_TRY(read_tip(&tip, repo, &parents[0], err));
        ledger = tip.ledger;
    }
    if (!app)
        RB_TRY(rb_repo_setting(&app, repo, "rbtool.app", err));
    if (!app || !*app)
        return rb_fail(err, RB_ERROR,
                       "which application is the ledger about? `rbtool release` pins its name, or "
                       "`git config rbtool.app NAME`");
    RB_TRY(check_texts(draft, app, err));
    RB_TRY(find_committer(&committer, repo, draft, err));
    if (!rb_ident_parse(&ident, committer))
        return rb_fail(err, RB_ERROR, "git gave no name, email and time to write with, but \"%s\"",
                       committer);
    if (draft->at > 0) {
        free(committer);
        committer = rb_format("%s %" PRId64 " +0000", ident.who, draft->at);
        ident.time = draft->at;
    }
    RB_TRY(write_attachments(&tree, attachments, repo, draft, err));
    rb_oid_hex(&tree, hex);
    rb_buf_printf(&commit, "tree %s\n", hex);
    for (size_t i = 0; i < parent_count; i++) {
        rb_oid_hex(&parents[i], hex);
        rb_buf_printf(&commit, "parent %s\n", hex);
    }
    rb_buf_printf(&commit, "author %s\ncommitter %s\n", committer, committer);
    size_t headers = commit.len;
    rb_buf_addc(&commit, '\n');
    add_title(&commit, draft);
    rb_buf_puts(&commit, "\n\n");
    add_json(&commit, draft, app, ledger, ident.time, attachments);
    RB_TRY(check_made(&commit, commit.len - headers - 1, err));
    RB_TRY(sign(&commit, repo, draft, headers, err));
    return rb_object_write(out, repo, RB_OBJECT_COMMIT, commit.data, commit.len, err);
}

/* Writes all drafts and stores their ids in out. Committer and time are determined once for all of
 * them. */
static enum rb_code write_all(rb_oid *out, rb_repo *repo, const rb_draft *drafts, size_t n,
                              const rb_ref *ref, const char *app, const char *ledger, rb_err *err)
{
    RB_AUTO(rb_free_str) char *committer = NULL;
    char first[RB_OID_HEX] = "";
    if (n > 1)
        RB_TRY(find_committer(&committer, repo, &drafts[0], err));
    for (size_t i = 0; i < n; i++) {
        rb_draft own = drafts[i];
        const rb_oid *parent = i > 0 ? &out[i - 1] : &ref->object;
        if (!own.app)
            own.app = app;
        if (!own.committer)
            own.committer = committer;
        if (i > 0 && !ref->exists)
            rb_oid_hex(&out[0], first);
        own.ledger = ref->exists ? ledger : i > 0 ? first : NULL;
        RB_TRY(rb_ledger_write(&out[i], repo, &own, parent, i > 0 || ref->exists ? 1 : 0, err));
    }
    return RB_OK;
}

/* Fails unless the ref contains the clone's ledger, or one of the drafts may begin a ledger. The
 * whole ledger is read only if the tip names another ledger than the clone is pinned to, as after
 * joining ledgers. Otherwise the cost does not depend on its size. */
static enum rb_code check_ledger(rb_repo *repo, const rb_ref *ref, const struct tip *tip,
                                 const rb_draft *drafts, size_t n, rb_err *err)
{
    const char *pinned = NULL;
    bool begins = false;
    RB_TRY(rb_ledger_pinned(&pinned, repo, err));
    for (size_t i = 0; i < n; i++)
        begins = begins || drafts[i].begins;
    if (!ref->exists && pinned)
        return rb_ledger_fail_missing(pinned, err);
    if (!ref->exists && !begins)
        return rb_fail(
            err, RB_ERROR,
            "this clone has no ledger to write to\n`rbtool sync` fetches the remote's, and "
            "`rbtool release` or `rbtool policy set` begins the first one");
    if (!ref->exists || !pinned || strcmp(pinned, tip->ledger) == 0)
        return RB_OK;
    RB_AUTO(rb_signers_freep) rb_signers *signers = NULL;
    RB_AUTO(rb_ledger_freep) rb_ledger *ledger = NULL;
    RB_TRY(rb_signers_load(&signers, repo, err));
    RB_TRY(rb_ledger_load(&ledger, repo, signers, &ref->object, 0, err));
    return rb_strs_has(&ledger->ids, tip->ledger) ? RB_OK
                                                  : rb_ledger_fail_other(pinned, tip->ledger, err);
}

static enum rb_code try_append(rb_oid *out, rb_ref *ref, rb_repo *repo, const rb_draft *drafts,
                               size_t n, rb_err *err)
{
    const char *pinned = NULL;
    RB_AUTO(tip_clear) struct tip tip = {0};
    RB_TRY(rb_ref_read(ref, repo, RB_LEDGER_REF, err));
    if (ref->symbolic)
        return rb_fail(err, RB_ERROR,
                       RB_LEDGER_REF " is a symbolic ref, a ledger is not\ngit symbolic-ref "
                                     "--delete " RB_LEDGER_REF " removes it");
    if (ref->exists)
        RB_TRY(read_tip(&tip, repo, &ref->object, err));
    RB_TRY(check_ledger(repo, ref, &tip, drafts, n, err));
    RB_TRY(rb_repo_setting(&pinned, repo, "rbtool.app", err));
    RB_TRY(write_all(out, repo, drafts, n, ref, pinned && *pinned ? pinned : tip.app, tip.ledger,
                     err));
    RB_TRY(rb_ref_move(repo, RB_LEDGER_REF, &out[n - 1], ref->exists ? &ref->object : NULL, err));
    if (!ref->exists)
        rb_oid_hex(&out[0], tip.ledger);
    rb_ledger_pin(repo, tip.ledger);
    return RB_OK;
}

/* Retries while other writers make progress. Gives up on a lock file that a killed git process
 * left. */
enum rb_code rb_ledger_append_all(rb_oid *out, rb_repo *repo, const rb_draft *drafts, size_t n,
                                  rb_err *err)
{
    RB_AUTO(rb_close) int turn = take_turn(repo);
    (void)turn; /* the lock is released at the end of this function */
    rb_ref last = {0};
    rb_ref ref = {0};
    double end = rb_clock_seconds() + PATIENCE;
    enum rb_code code = try_append(out, &last, repo, drafts, n, err);
    for (long pause = PAUSE; code == RB_BUSY && rb_clock_seconds() < end; pause += PAUSE) {
        /* Wait a random time, so that concurrent writers do not collide again. */
        sleep_milliseconds(pause % 100 + getpid() % 17);
        code = try_append(out, &ref, repo, drafts, n, err);
        if (ref.exists != last.exists || (ref.exists && !rb_oid_equal(&ref.object, &last.object)))
            end = rb_clock_seconds() + PATIENCE;
        last = ref;
    }
    return code;
}

enum rb_code rb_ledger_append(rb_oid *out, rb_repo *repo, const rb_draft *draft, rb_err *err)
{
    return rb_ledger_append_all(out, repo, draft, 1, err);
}
