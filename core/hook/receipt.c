/* Receipts of releases, for post-receive. The server's entry proves the latest time at which it
 * received a release; a tagger's clock can be wrong. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "hook/check_internal.h"
#include "ledger/identity.h"
#include "ledger/release_entry.h"

#define WAITING_LIMIT ((size_t)1 << 20) /* bytes of the file of waiting receipts */

struct receipts {
    rb_refusals *out;
    rb_session *session;
    char *path; /* path of the file of waiting receipts */
    bool waits; /* the repository has no ledger yet, so receipts wait */
};

static void receipts_clear(struct receipts *w)
{
    free(w->path);
}

/* Stores a receipt, a line "SECONDS OBJECT TAG": a tag's name contains no space and no line
 * break. */
static enum rb_code wait_for_ledger(struct receipts *w, const rb_tag *tag, rb_err *err)
{
    char hex[RB_OID_HEX];
    struct stat st;
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(w->path);
    RB_TRY(rb_dir_make(dir, err));
    RB_AUTO(rb_close)
    int fd = open(w->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    rb_oid_hex(&tag->object, hex);
    RB_AUTO(rb_free_str)
    char *line = rb_format("%" PRId64 " %s %s\n", (int64_t)time(NULL), hex, tag->name);
    if (fd < 0 || flock(fd, LOCK_EX) != 0 || fstat(fd, &st) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot record in %s that %s arrived", w->path,
                             tag->name);
    if ((size_t)st.st_size + strlen(line) > WAITING_LIMIT)
        return rb_fail(err, RB_ERROR,
                       "too many releases arrived here before a ledger did, so that %s is not "
                       "recorded\npush the ledger with `rbtool sync`",
                       tag->name);
    if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
        return rb_fail_errno(err, RB_ERROR, "cannot record in %s that %s arrived", w->path,
                             tag->name);
    return RB_OK;
}

static enum rb_code witness(struct receipts *w, const rb_tag *tag, int64_t at, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    rb_oid id;
    rb_repo *repo = w->session->repo;
    RB_TRY(rb_session_signers(w->session, err));
    enum rb_code code =
        rb_release_open_tag(&release, repo, w->session->signers, tag, &problems, err);
    if (code == RB_OK)
        return w->waits
                   ? wait_for_ledger(w, tag, err)
                   : rb_ledger_see(&id, repo, release, &(rb_seen){.witness = true}, NULL, at, err);
    if (code != RB_FOUND)
        return code;
    rb_refusals_add(w->out, rb_format("tag %s", tag->name),
                    "is not in the ledger, since it does not verify: %s\n"
                    "is the hook pre-receive in its place? `rbtool init` on the server puts it "
                    "there",
                    rb_err_line(err));
    w->out->items[w->out->n - 1].warning = true;
    return RB_OK;
}

/* Writes the entry for one receipt. Skips a tag that no longer exists, and an incomplete line. */
static enum rb_code write_line(struct receipts *w, const char *line, rb_err *err)
{
    int64_t at = 0;
    char hex[RB_OID_HEX] = "";
    int name = 0;
    rb_oid object;
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    if (sscanf(line, "%" SCNd64 " %40[0-9a-f] %n", &at, hex, &name) != 2 || name == 0 || at <= 0 ||
        !rb_oid_parse(&object, hex) ||
        rb_tag_read_object(&tag, w->session->repo, &object, line + name, RB_IGNORED) != RB_OK)
        return RB_OK;
    return witness(w, tag, at, err);
}

/* Writes the waiting receipts, holding the file's lock so that none is written twice or lost. */
static enum rb_code write_waiting(struct receipts *w, rb_err *err)
{
    struct stat st;
    RB_AUTO(rb_close) int fd = open(w->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || flock(fd, LOCK_EX) != 0 || fstat(fd, &st) != 0 || st.st_size == 0)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_file_read(&text, w->path, WAITING_LIMIT, err));
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    rb_strs_add_lines(&lines, text.data, text.len);
    for (size_t i = 0; i < lines.n; i++)
        RB_TRY(write_line(w, lines.items[i], err));
    if (ftruncate(fd, 0) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot empty %s", w->path);
    return RB_OK;
}

/* Pins the server to the first ledger that is pushed to it. */
static enum rb_code pin(struct receipts *w, rb_err *err)
{
    const char *pinned;
    RB_TRY(rb_ledger_pinned(&pinned, w->session->repo, err));
    if (pinned)
        return RB_OK;
    RB_TRY(rb_session_ledger(w->session, err));
    const rb_strs *ids = &w->session->ledger->ids;
    if (ids->n > 0)
        rb_ledger_pin(w->session->repo, ids->items[0]);
    return RB_OK;
}

enum rb_code rb_guard_receipts(rb_refusals *out, rb_guard *guard, const rb_pushes *pushes,
                               rb_err *err)
{
    rb_repo *repo = guard->repo;
    rb_ref ledger;
    RB_AUTO(receipts_clear)
    struct receipts w = {.out = out,
                         .session = guard->session,
                         .path = rb_path_join(rb_repo_common_dir(repo), "rbtool/receipts")};
    RB_TRY(rb_ref_read(&ledger, repo, RB_LEDGER_REF, err));
    w.waits = !ledger.exists;
    if (!w.waits) {
        RB_TRY(pin(&w, err));
        RB_TRY(write_waiting(&w, err));
    }
    for (size_t i = 0; i < pushes->n; i++) {
        const rb_pushed *pushed = &pushes->items[i];
        RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
        if (!pushed->tag || rb_oid_is_zero(&pushed->local) || !rb_oid_is_zero(&pushed->remote))
            continue;
        RB_TRY(rb_tag_read_object(&tag, repo, &pushed->local, pushed->tag, err));
        if (tag->annotated && rb_manifest_is_in(tag))
            RB_TRY(witness(&w, tag, 0, err));
    }
    return RB_OK;
}
