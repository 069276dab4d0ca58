/* The check of reference-transaction, a hook that git calls for every change of a ref. */
#include <string.h>

#include "hook/check_internal.h"

/* A line of a transaction; zero is an id that does not exist. */
typedef struct ref_update {
    rb_oid old;
    rb_oid new;
    const char *ref; /* full name */
} ref_update;

static void refuse_move(rb_refusals *out, const char *name)
{
    rb_refusals_add(out, rb_format("tag %s", name),
                    "is a release and would be moved\n"
                    "make the next release under a name of its own: rbtool release TAG; "
                    "RBTOOL=0 before the command does it all the same");
}

/* Refuses to delete a release, unless the ledger gave it up before it was used. */
static enum rb_code check_deletion(rb_refusals *out, rb_guard *guard, const char *name,
                                   const rb_oid *now, rb_err *err)
{
    const rb_chain *chain;
    RB_AUTO(rb_free_str) char *used = NULL;
    char hex[RB_OID_HEX];
    rb_oid_hex(now, hex);
    RB_TRY(rb_guard_chain(&chain, guard, err));
    rb_history_in_use(&used, guard->session->policy, chain, name, hex);
    if (used)
        rb_refusals_add(out, rb_format("tag %s", name),
                        "is a release and would be deleted\n"
                        "keep it: %s; a release that was bad is reverted, not deleted; RBTOOL=0 "
                        "before the command does it all the same",
                        used);
    else if (!rb_ledger_gap(guard->session->policy, name, hex))
        rb_refusals_add(out, rb_format("tag %s", name),
                        "is a release and would be deleted\n"
                        "give it up first: rbtool mark %s gap -m WHY; then git tag -d %s passes, "
                        "and its name is free",
                        name, name);
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
static enum rb_code check_new(rb_refusals *out, rb_guard *guard, const char *name,
                              const rb_oid *new, rb_err *err)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    bool good;
    bool warns;
    RB_TRY(is_good(&good, &why, guard, new, name, err));
    if (good || !why)
        return RB_OK;
    RB_TRY(only_warns(&warns, guard, err));
    RB_AUTO(rb_free_str)
    char *hint =
        warns ? rb_strdup("it is here all the same (git config rbtool.badTags); nothing deploys it")
              : rb_format("make it with `rbtool release %s`, or fetch it from who signed it",
                          rb_hook_shell_word(name));
    rb_refusals_add(out, rb_format("tag %s", name),
                    "carries a manifest and does not verify: %s\n%s", why, hint);
    out->items[out->n - 1].warning = warns;
    return RB_OK;
}

/* Refuses to move a tag that is a release. A release that does not verify may be replaced by one
 * that does. */
static enum rb_code check_move(rb_refusals *out, rb_guard *guard, const char *name,
                               const rb_oid *now, const rb_oid *new, rb_err *err)
{
    RB_AUTO(rb_free_str) char *why_now = NULL;
    RB_AUTO(rb_free_str) char *why_new = NULL;
    bool good;
    RB_TRY(is_good(&good, &why_now, guard, now, name, err));
    if (good) {
        refuse_move(out, name);
        return RB_OK;
    }
    RB_TRY(is_good(&good, &why_new, guard, new, name, err));
    if (!good)
        refuse_move(out, name);
    return RB_OK;
}

/* Sets *out if the update changes nothing: git packs the ref, or sets the value that it has. git
 * deletes a packed ref in two transactions. In the one for packed-refs, both values are zero. A
 * change from OLD to zero is for the loose ref; if the ref is packed with this value, nothing is
 * lost. */
static enum rb_code is_void(bool *out, rb_repo *repo, const ref_update *update, const rb_ref *now,
                            rb_err *err)
{
    const bool deletes = rb_oid_is_zero(&update->new);
    *out = now->exists ? rb_oid_equal(&now->object, &update->new) : deletes;
    if (*out || !deletes || rb_oid_is_zero(&update->old))
        return RB_OK;
    return rb_ref_is_packed(out, repo, update->ref, &update->old, err);
}

static enum rb_code check_tag(rb_refusals *out, rb_guard *guard, const ref_update *update,
                              const rb_ref *now, rb_err *err)
{
    const char *name = update->ref + strlen(RB_TAGS);
    const bool deletes = rb_oid_is_zero(&update->new);
    bool release = false;
    rb_err unreadable; /* a tag whose object is missing or corrupt may be deleted or replaced */
    if (now->exists &&
        rb_guard_carries(&release, NULL, guard, &now->object, name, &unreadable) == RB_OK &&
        release)
        return deletes ? check_deletion(out, guard, name, &now->object, err)
                       : check_move(out, guard, name, &now->object, &update->new, err);
    return deletes ? RB_OK : check_new(out, guard, name, &update->new, err);
}

/* Checks one line, "OLD NEW REF". Since git 2.46, the value of a symbolic ref is "ref:TARGET"; a
 * tag may become one. */
static enum rb_code check_line(rb_refusals *out, rb_guard *guard, char *line, rb_err *err)
{
    char *new = strchr(line, ' ');
    char *ref = new ? strchr(new + 1, ' ') : NULL;
    if (!ref)
        return rb_fail(err, RB_ERROR,
                       "a line of the transaction is not OLD NEW REF as githooks(5) says: %.80s",
                       line);
    *new ++ = '\0';
    *ref++ = '\0';
    ref_update update = {.ref = ref};
    const bool is_tag = strncmp(ref, RB_TAGS, strlen(RB_TAGS)) == 0;
    if (!is_tag && strcmp(ref, RB_LEDGER_REF) != 0) {
        if (strspn(new, "0") < RB_OID_HEX - 1)
            rb_guard_ledger_name(out, ref);
        return RB_OK;
    }
    if (is_tag && (strncmp(line, "ref:", 4) == 0 || strncmp(new, "ref:", 4) == 0))
        return RB_OK;
    if (!rb_oid_parse(&update.old, line) || !rb_oid_parse(&update.new, new))
        return rb_fail(err, RB_ERROR, "the transaction has no object ids for %s: %.80s %.80s", ref,
                       line, new);
    rb_ref now;
    bool nothing;
    RB_TRY(rb_ref_read(&now, guard->repo, ref, err));
    RB_TRY(is_void(&nothing, guard->repo, &update, &now, err));
    if (nothing && !now.symbolic)
        return RB_OK;
    if (!is_tag)
        return rb_guard_ledger_update(out, guard, &now, &update.new, err);
    return now.symbolic ? RB_OK : check_tag(out, guard, &update, &now, err);
}

enum rb_code rb_guard_transaction(rb_refusals *out, rb_guard *guard, const char *lines, size_t len,
                                  rb_err *err)
{
    size_t before = out->n;
    RB_AUTO(rb_strs_clear) rb_strs split = {0};
    rb_strs_add_lines(&split, lines, len);
    for (size_t i = 0; i < split.n; i++)
        RB_TRY(check_line(out, guard, split.items[i], err));
    return rb_refusals_result(out, before, err);
}
