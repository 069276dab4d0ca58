#include "ledger/guard.h"

#include <string.h>

#include "git/refs.h"

#define SHORT 10 /* digits of an id */

/* The ids of the line "OLD NEW REF" about the ledger; *found false: there is none. */
static enum rb_code find_line(bool *found, rb_oid *old, rb_oid *new, const char *lines, size_t len,
                              rb_err *err)
{
    static const char ref[] = " " RB_LEDGER_REF;
    *found = false;
    for (size_t i = 0; i < len && !*found;) {
        const char *end = memchr(lines + i, '\n', len - i);
        size_t n = end ? (size_t)(end - (lines + i)) : len - i;
        if (n > strlen(ref) && memcmp(lines + i + n - strlen(ref), ref, strlen(ref)) == 0) {
            RB_AUTO(rb_free_str) char *line = rb_strndup(lines + i, n - strlen(ref));
            char *space = strchr(line, ' ');
            if (space)
                *space = '\0';
            *found = space && rb_oid_parse(old, line) && rb_oid_parse(new, space + 1);
            if (!*found)
                return rb_fail(err, RB_ERROR,
                               "the transaction has no object ids for " RB_LEDGER_REF
                               ": a ledger is no symbolic ref");
        }
        i += n + 1;
    }
    return RB_OK;
}

static void refuse(rb_refusals *out, char *why, char *next)
{
    rb_refusals_add(out, rb_strdup(RB_LEDGER_REF), why, next);
}

/* Deleting what is packed begins with another transaction, on packed-refs, of zero to zero: from
 * OLD to zero only the loose copy goes. */
static enum rb_code is_packing(bool *out, rb_repo *repo, const rb_oid *old, const rb_oid *new,
                               rb_err *err)
{
    *out = false;
    if (!rb_oid_is_zero(new) || rb_oid_is_zero(old))
        return RB_OK;
    return rb_ref_is_packed(out, repo, RB_LEDGER_REF, old, err);
}

enum rb_code rb_ledger_guard_transaction(rb_refusals *out, rb_repo *repo, const char *lines,
                                         size_t len, rb_err *err)
{
    size_t before = out->n;
    rb_oid old;
    rb_oid new;
    bool found;
    bool fine;
    rb_ref now;
    RB_TRY(find_line(&found, &old, &new, lines, len, err));
    if (!found)
        return RB_OK;
    RB_TRY(rb_ref_read(&now, repo, RB_LEDGER_REF, err));
    if (!now.exists || now.symbolic || rb_oid_equal(&now.object, &new))
        return RB_OK;
    RB_TRY(is_packing(&fine, repo, &old, &new, err));
    if (fine)
        return RB_OK;
    if (rb_oid_is_zero(&new)) {
        refuse(out, rb_strdup("is the ledger and would be deleted"),
               rb_strdup("keep it: nothing of it is rewritten; RBTOOL=0 before the command does "
                         "it all the same"));
        return rb_refusals_judge(out, before, err);
    }
    RB_TRY(rb_commit_reaches(&fine, repo, &new, &now.object, err));
    if (!fine) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&now.object, hex);
        refuse(out,
               rb_format("is the ledger and would lose entries: its new tip does not follow %.*s",
                         SHORT, hex),
               rb_strdup("join two histories with `rbtool sync`; RBTOOL=0 before the command does "
                         "it all the same"));
    }
    return rb_refusals_judge(out, before, err);
}

/* Whether what the other side has would still be in what it gets. */
static enum rb_code grows(bool *out, rb_repo *repo, const rb_pushed *pushed, rb_err *err)
{
    *out = rb_oid_is_zero(&pushed->remote);
    if (*out || !pushed->has_commit || !rb_object_exists(repo, &pushed->remote))
        return RB_OK;
    return rb_commit_reaches(out, repo, &pushed->commit, &pushed->remote, err);
}

enum rb_code rb_ledger_guard_push(rb_refusals *out, rb_repo *repo, const char *remote,
                                  const rb_pushes *pushes, rb_err *err)
{
    size_t before = out->n;
    const rb_pushed *pushed = rb_pushes_find(pushes, RB_LEDGER_REF);
    bool fine;
    if (!pushed)
        return RB_OK;
    if (rb_oid_is_zero(&pushed->local)) {
        if (!rb_oid_is_zero(&pushed->remote))
            refuse(out, rb_strdup("is the ledger and would be deleted at the remote"),
                   rb_strdup("leave it there: nothing of it is rewritten; RBTOOL=0 git push does "
                             "it all the same"));
        return rb_refusals_judge(out, before, err);
    }
    RB_TRY(grows(&fine, repo, pushed, err));
    if (!fine) {
        RB_AUTO(rb_free_str) char *name = rb_safe(remote);
        char hex[RB_OID_HEX];
        rb_oid_hex(&pushed->remote, hex);
        refuse(out,
               rb_format("would fork: %s has entries up to %.*s that are not in what is pushed",
                         name, SHORT, hex),
               rb_format("join the histories first: rbtool sync %s", name));
    }
    return rb_refusals_judge(out, before, err);
}

enum rb_code rb_ledger_guard_receive(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                                     rb_err *err)
{
    size_t before = out->n;
    const rb_pushed *pushed = rb_pushes_find(pushes, RB_LEDGER_REF);
    bool fine;
    if (!pushed)
        return RB_OK;
    if (rb_oid_is_zero(&pushed->local)) {
        refuse(out, rb_strdup("is the ledger and would be deleted"),
               rb_strdup("leave it: nothing of it is rewritten; `git push --mirror` needs "
                         "`rbtool sync` before"));
        return rb_refusals_judge(out, before, err);
    }
    RB_TRY(grows(&fine, repo, pushed, err));
    if (!fine) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&pushed->remote, hex);
        refuse(out,
               rb_format("would fork: the server has entries up to %.*s that are not in what was "
                         "pushed",
                         SHORT, hex),
               rb_strdup("join the histories first: rbtool sync"));
    }
    return rb_refusals_judge(out, before, err);
}
