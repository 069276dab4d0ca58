/* reference-transaction: git's hook for everything that happens to a ref here. */
#include <string.h>

#include "git/refs.h"
#include "release/guard_internal.h"

struct update {
    rb_oid old;
    rb_oid new;
    const char *ref;  /* whole */
    const char *name; /* of the tag */
};

/* false: no line about a tag's object. A value of a symbolic ref is "ref:TARGET" from git 2.46 on,
 * and such a line is let pass. */
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

static void refuse_change(rb_refusals *out, const struct update *update)
{
    RB_AUTO(rb_free_str) char *name = rb_safe(update->name);
    bool deletes = rb_guard_is_zero(&update->new);
    rb_guard_refuse(
        out, rb_format("tag %s", name),
        rb_format("is a release and would be %s", deletes ? "deleted" : "moved"),
        deletes ? rb_format("keep it: a release that was bad is reverted, not deleted; RBTOOL=0 "
                            "before the command does it all the same")
                : rb_format("make the next release under a name of its own: rbtool release TAG; "
                            "RBTOOL=0 before the command does it all the same"));
}

/* The new object, when it carries a manifest, must be a release of this name. */
static enum rb_code check_new(rb_refusals *out, rb_guard *guard, const struct update *update,
                              rb_err *err)
{
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    bool carries;
    RB_TRY(rb_guard_carries(&carries, &tag, guard, &update->new, update->name, err));
    if (!carries)
        return RB_OK;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    enum rb_code code = rb_guard_verify(&problems, guard, tag, err);
    if (code != RB_FOUND)
        return code;
    RB_AUTO(rb_free_str) char *name = rb_safe(update->name);
    rb_guard_refuse(
        out, rb_format("tag %s", name),
        rb_format("carries a manifest and does not verify: %s", err->message),
        rb_format("make it with `rbtool release %s`, or fetch it from who signed it", name));
    return RB_OK;
}

static enum rb_code check(rb_refusals *out, rb_guard *guard, const struct update *update,
                          rb_err *err)
{
    rb_ref now;
    RB_TRY(rb_ref_read(&now, guard->repo, update->ref, err));
    bool deletes = rb_guard_is_zero(&update->new);
    if (now.symbolic || (deletes && !now.exists))
        return RB_OK;
    if (now.exists && rb_oid_equal(&now.object, &update->new))
        return RB_OK; /* being packed, or written again */
    if (deletes && !rb_guard_is_zero(&update->old)) {
        /* Deleting what is packed begins with another transaction, on packed-refs, of zero to
         * zero: from OLD to zero only the loose copy goes. */
        bool packed;
        RB_TRY(rb_ref_is_packed(&packed, guard->repo, update->ref, &update->old, err));
        if (packed)
            return RB_OK;
    }
    bool release = false;
    rb_err unreadable; /* a tag whose object is gone or broken may be deleted or put right */
    if (now.exists &&
        rb_guard_carries(&release, NULL, guard, &now.object, update->name, &unreadable) == RB_OK &&
        release) {
        refuse_change(out, update);
        return RB_OK;
    }
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
    return out->n > before
               ? rb_fail(err, RB_FOUND, "%s %s", out->items[before].what, out->items[before].why)
               : RB_OK;
}
