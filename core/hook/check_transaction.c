/* The check of reference-transaction, a hook that git calls for every change of a ref. */
#include <string.h>

#include "git/refs.h"
#include "hook/check_internal.h"

struct update {
    rb_oid old;
    rb_oid new;
    const char *ref;  /* full name of the ref */
    const char *name; /* name of the tag */
};

/* Parses a line; *out is true if it changes a tag to or from an object. Since git 2.46, the value
 * of a symbolic ref is "ref:TARGET"; such a line is allowed. */
static enum rb_code parse(bool *out, struct update *update, char *line, rb_err *err)
{
    *out = false;
    char *new = strchr(line, ' ');
    char *ref = new ? strchr(new + 1, ' ') : NULL;
    if (!ref)
        return rb_fail(err, RB_ERROR,
                       "a line of the transaction is not OLD NEW REF as githooks(5) says: %.80s",
                       line);
    *new ++ = '\0';
    *ref++ = '\0';
    if (strncmp(ref, RB_TAGS, strlen(RB_TAGS)) != 0 || strncmp(line, "ref:", 4) == 0 ||
        strncmp(new, "ref:", 4) == 0)
        return RB_OK;
    if (!rb_oid_parse(&update->old, line) || !rb_oid_parse(&update->new, new))
        return rb_fail(err, RB_ERROR, "the transaction has no object ids for %s: %.80s %.80s", ref,
                       line, new);
    update->ref = ref;
    update->name = ref + strlen(RB_TAGS);
    *out = true;
    return RB_OK;
}

static void refuse_move(rb_refusals *out, const struct update *update)
{
    rb_refusals_add(out, rb_format("tag %s", update->name),
                    "is a release and would be moved\n"
                    "make the next release under a name of its own: rbtool release TAG; "
                    "RBTOOL=0 before the command does it all the same");
}

/* Refuses to delete a release, unless the ledger gave it up before it was used. */
static enum rb_code check_deletion(rb_refusals *out, rb_guard *guard, const struct update *update,
                                   const rb_oid *now, rb_err *err)
{
    RB_AUTO(rb_free_str) char *next = NULL;
    char hex[RB_OID_HEX];
    bool given_up = false;
    rb_oid_hex(now, hex);
    if (guard->given_up) {
        const rb_signers *signers;
        RB_TRY(rb_guard_signers(&signers, guard, err));
        RB_TRY(guard->given_up(&given_up, &next, guard->repo, signers, update->name, hex, err));
    }
    if (given_up)
        return RB_OK;
    rb_refusals_add(out, rb_format("tag %s", update->name), "is a release and would be deleted\n%s",
                    next ? next
                         : "keep it: a release that was bad is reverted, not deleted; RBTOOL=0 "
                           "before the command does it all the same");
    return RB_OK;
}

/* Reads whether the user wants a warning instead of a refusal for a tag that does not verify; a
 * fetch may bring such tags. */
static enum rb_code only_warns(bool *out, rb_guard *guard, rb_err *err)
{
    const char *value;
    RB_TRY(rb_repo_setting(&value, guard->repo, "rbtool.badtags", err));
    *out = value && strcmp(value, "warn") == 0;
    if (value && !*out && strcmp(value, "refuse") != 0)
        return rb_fail(err, RB_ERROR,
                       "git config rbtool.badTags is %s, it must be refuse (the default) or warn",
                       value);
    return RB_OK;
}

/* Sets *out if the object is a release of this name; otherwise *why is the reason. */
static enum rb_code is_good(bool *out, char **why, rb_guard *guard, const rb_oid *object,
                            const char *name, rb_err *err)
{
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    bool carries;
    *out = false;
    RB_TRY(rb_guard_carries(&carries, &tag, guard, object, name, err));
    if (!carries)
        return RB_OK;
    enum rb_code code = rb_guard_verify(&problems, guard, tag, err);
    *out = code == RB_OK;
    if (code == RB_FOUND)
        *why = rb_strdup(rb_err_line(err));
    return code == RB_FOUND ? RB_OK : code;
}

/* Checks the new object: if it carries a manifest, it must be a release of this name. */
static enum rb_code check_new(rb_refusals *out, rb_guard *guard, const struct update *update,
                              rb_err *err)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    bool good;
    bool warns;
    RB_TRY(is_good(&good, &why, guard, &update->new, update->name, err));
    if (good || !why)
        return RB_OK;
    RB_TRY(only_warns(&warns, guard, err));
    RB_AUTO(rb_free_str)
    char *hint =
        warns ? rb_strdup("it is here all the same (git config rbtool.badTags); nothing deploys it")
              : rb_format("make it with `rbtool release %s`, or fetch it from who signed it",
                          rb_hook_shell_word(update->name));
    rb_refusals_add(out, rb_format("tag %s", update->name),
                    "carries a manifest and does not verify: %s\n%s", why, hint);
    out->items[out->n - 1].warning = warns;
    return RB_OK;
}

/* Refuses to move a tag that is a release. A release that does not verify may be replaced by one
 * that does. */
static enum rb_code check_move(rb_refusals *out, rb_guard *guard, const struct update *update,
                               const rb_oid *now, rb_err *err)
{
    RB_AUTO(rb_free_str) char *why_now = NULL;
    RB_AUTO(rb_free_str) char *why_new = NULL;
    bool good;
    RB_TRY(is_good(&good, &why_now, guard, now, update->name, err));
    if (good) {
        refuse_move(out, update);
        return RB_OK;
    }
    RB_TRY(is_good(&good, &why_new, guard, &update->new, update->name, err));
    if (!good)
        refuse_move(out, update);
    return RB_OK;
}

static enum rb_code check(rb_refusals *out, rb_guard *guard, const struct update *update,
                          rb_err *err)
{
    rb_ref now;
    RB_TRY(rb_ref_read(&now, guard->repo, update->ref, err));
    bool deletes = rb_oid_is_zero(&update->new);
    if (now.symbolic || (deletes && !now.exists))
        return RB_OK;
    if (now.exists && rb_oid_equal(&now.object, &update->new))
        return RB_OK; /* the ref is packed by git, or gets the same value */
    if (deletes && !rb_oid_is_zero(&update->old)) {
        /* git deletes a packed ref in two transactions. In the one for packed-refs, both values are
         * zero. A change from OLD to zero is for the loose ref; if the ref is packed with this
         * value, nothing is lost. */
        bool packed;
        RB_TRY(rb_ref_is_packed(&packed, guard->repo, update->ref, &update->old, err));
        if (packed)
            return RB_OK;
    }
    bool release = false;
    rb_err unreadable; /* a tag whose object is missing or corrupt may be deleted or replaced */
    if (now.exists &&
        rb_guard_carries(&release, NULL, guard, &now.object, update->name, &unreadable) == RB_OK &&
        release)
        return deletes ? check_deletion(out, guard, update, &now.object, err)
                       : check_move(out, guard, update, &now.object, err);
    return deletes ? RB_OK : check_new(out, guard, update, err);
}

enum rb_code rb_guard_transaction(rb_refusals *out, rb_guard *guard, const char *lines, size_t len,
                                  rb_err *err)
{
    size_t before = out->n;
    for (size_t i = 0; i < len;) {
        const char *end = memchr(lines + i, '\n', len - i);
        size_t n = end ? (size_t)(end - (lines + i)) : len - i;
        RB_AUTO(rb_free_str) char *line = rb_strndup(lines + i, n);
        struct update update;
        bool wanted;
        RB_TRY(parse(&wanted, &update, line, err));
        if (wanted)
            RB_TRY(check(out, guard, &update, err));
        i += n + 1;
    }
    return rb_refusals_result(out, before, err);
}
