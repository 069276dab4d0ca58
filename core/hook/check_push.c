/* The checks of tags in a push. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "hook/check_internal.h"

#define TAGS_LIMIT ((size_t)64 << 20) /* bytes of all tag objects of one push */

/* State while the tags of one push are checked. */
struct tags {
    rb_guard *guard;
    const char *pattern; /* glob of release names; NULL until matches() reads it */
    /* objects of local tags whose commit is, or follows, that of a first release */
    json_t *following;
};

/* True if a verified release names this tag as its predecessor, or this repository has a tag of
 * that name that carries a manifest. */
static bool is_known(const rb_chain *chain, const char *name)
{
    for (size_t i = 0; i < chain->n; i++) {
        const rb_listed_release *listed = chain->items[i].listed;
        if (strcmp(chain->items[i].tag, name) == 0)
            return true;
        if (listed && listed->previous && strcmp(listed->previous->tag, name) == 0)
            return true;
    }
    return false;
}

/* True if the release has no predecessor, or if that is missing. */
static bool is_first(const rb_chain *chain, const rb_chain_item *item)
{
    const rb_link *previous = item->listed ? item->listed->previous : NULL;
    return item->has_commit && (!previous || !rb_chain_find(chain, previous->tag));
}

/* Lists the tags with one call of git, which walks the history once; asking for each tag would walk
 * it for each. */
static enum rb_code list_following(struct tags *tags, const rb_chain *chain, rb_err *err)
{
    tags->following = json_object();
    for (size_t i = 0; i < chain->n; i++) {
        if (!is_first(chain, &chain->items[i]))
            continue;
        char first[RB_OID_HEX];
        rb_oid_hex(&chain->items[i].commit, first);
        RB_AUTO(rb_buf_clear) rb_buf list = {0};
        const char *const args[] = {
            "for-each-ref", "--format=%(objectname)", "--contains", first, "refs/tags", NULL};
        RB_TRY(rb_repo_git(&list, tags->guard->repo, args, err));
        RB_AUTO(rb_strs_clear) rb_strs ids = {0};
        rb_strs_add_lines(&ids, list.data, list.len);
        for (size_t k = 0; k < ids.n; k++)
            rb_json_set_str(tags->following, ids.items[k], NULL);
    }
    return RB_OK;
}

static enum rb_code reaches_first(bool *out, struct tags *tags, const rb_chain *chain,
                                  const rb_oid *object, rb_err *err)
{
    rb_oid commit;
    *out = false;
    if (!rb_object_commit(&commit, tags->guard->repo, object))
        return RB_OK;
    for (size_t i = 0; i < chain->n && !*out; i++)
        if (is_first(chain, &chain->items[i]))
            RB_TRY(
                rb_commit_reaches(out, tags->guard->repo, &commit, &chain->items[i].commit, err));
    return RB_OK;
}

/* Sets *out if a tag without a manifest on this object is not older than the first release. ref:
 * the tag's ref if it exists in this repository; NULL if that is unknown. */
static enum rb_code is_after_first(bool *out, struct tags *tags, const rb_oid *object,
                                   const char *ref, rb_err *err)
{
    const rb_chain *chain;
    RB_TRY(rb_guard_chain(&chain, tags->guard, err));
    *out = false;
    if (chain->n == 0 || rb_oid_is_zero(object))
        return RB_OK;
    rb_ref here = {0};
    if (ref && strncmp(ref, RB_TAGS, strlen(RB_TAGS)) == 0)
        RB_TRY(rb_ref_read(&here, tags->guard->repo, ref, err));
    if (!here.exists || here.symbolic || !rb_oid_equal(&here.object, object))
        return reaches_first(out, tags, chain, object, err);
    if (!tags->following)
        RB_TRY(list_following(tags, chain, err));
    char hex[RB_OID_HEX];
    rb_oid_hex(object, hex);
    *out = json_object_get(tags->following, hex) != NULL;
    return RB_OK;
}

/* Sets *out if the name matches that of releases, or would block one: git cannot have both v1.0.0
 * and v1.0.0/x. Reads the settings the first time. */
static enum rb_code matches(bool *out, struct tags *tags, const char *name, rb_err *err)
{
    const rb_config *settings;
    const size_t len = strlen(name);
    RB_TRY(rb_guard_settings(&settings, tags->guard, err));
    tags->pattern = settings ? settings->tags : RB_CONFIG_TAGS;
    *out = strncmp(tags->pattern, name, len) == 0 && tags->pattern[len] == '/';
    for (size_t end = 1; end <= len && !*out; end++) {
        RB_AUTO(rb_free_str) char *start = rb_strndup(name, end);
        *out = (name[end] == '/' || end == len) && fnmatch(tags->pattern, start, 0) == 0;
    }
    return RB_OK;
}

/* Sets *out if the remote has this tag with another object that is a release. */
static enum rb_code is_release_there(bool *out, struct tags *tags, const rb_pushed *pushed,
                                     bool carries, rb_err *err)
{
    const rb_chain *chain;
    *out = carries;
    if (!*out && rb_object_exists(tags->guard->repo, &pushed->remote))
        RB_TRY(rb_guard_carries(out, NULL, tags->guard, &pushed->remote, pushed->tag, err));
    if (*out)
        return RB_OK;
    RB_TRY(rb_guard_chain(&chain, tags->guard, err));
    *out = is_known(chain, pushed->tag);
    if (*out || chain->n == 0)
        return RB_OK;
    bool named = false;
    RB_TRY(matches(&named, tags, pushed->tag, err));
    if (!named)
        return RB_OK;
    if (!rb_object_exists(tags->guard->repo, &pushed->remote)) {
        *out = true; /* assume so: the name matches, and the object is missing here */
        return RB_OK;
    }
    RB_TRY(is_after_first(out, tags, &pushed->remote, pushed->remote_ref, err));
    return *out ? RB_OK : is_after_first(out, tags, &pushed->local, pushed->local_ref, err);
}

static void refuse_deletion(rb_refusals *out, const struct tags *tags, char *what, const char *name)
{
    if (tags->guard->received)
        rb_refusals_add(out, what,
                        "is a release and would be deleted\n"
                        "leave it: a release that was bad is reverted, not deleted; an "
                        "administrator can delete it on the server (RBTOOL=0 git tag -d %s)",
                        rb_hook_shell_word(name));
    else
        rb_refusals_add(out, what,
                        "is a release and would be deleted at the remote\n"
                        "leave it there: a release that was bad is reverted, not deleted; "
                        "RBTOOL=0 git push does it all the same");
}

static void refuse_change(rb_refusals *out, const struct tags *tags, const rb_pushed *pushed)
{
    char *what = rb_format("tag %s", pushed->tag);
    if (rb_oid_is_zero(&pushed->local)) {
        refuse_deletion(out, tags, what, pushed->tag);
        return;
    }
    char there[RB_OID_HEX];
    char here[RB_OID_HEX];
    rb_oid_hex(&pushed->remote, there);
    rb_oid_hex(&pushed->local, here);
    bool received = tags->guard->received != NULL;
    rb_refusals_add(out, what,
                    "is a release and would be moved: the %s has object %.12s, %s it is %.12s\n"
                    "fetch the %s's: git fetch REMOTE '+refs/tags/%s:refs/tags/%s', and release "
                    "under a new name%s",
                    received ? "server" : "remote", there, received ? "in the push" : "here", here,
                    received ? "server" : "remote", rb_hook_shell_word(pushed->tag),
                    rb_hook_shell_word(pushed->tag),
                    received ? "" : "; RBTOOL=0 git push moves it");
}

/* Returns a problem with a tag, or NULL in *out. Problems of the chain are only known for tags of
 * this repository. */
static enum rb_code find_problem(char **out, struct tags *tags, const rb_tag *tag, rb_err *err)
{
    const rb_chain *chain;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    enum rb_code code = rb_guard_verify(&problems, tags->guard, tag, err);
    *out = NULL;
    if (code == RB_FOUND)
        *out = rb_strdup(rb_err_line(err));
    if (code != RB_OK)
        return code == RB_FOUND ? RB_OK : code;
    RB_TRY(rb_guard_chain(&chain, tags->guard, err));
    const rb_chain_item *item = rb_chain_find(chain, tag->name);
    char hex[RB_OID_HEX];
    rb_oid_hex(&tag->object, hex);
    for (size_t i = 0; item && i < item->problems.n && strcmp(item->object, hex) == 0; i++)
        if (!item->problems.items[i].warning) {
            *out = rb_strdup(item->problems.items[i].message);
            break;
        }
    return RB_OK;
}

static enum rb_code check_release(rb_refusals *out, struct tags *tags, const rb_tag *tag,
                                  rb_err *err)
{
    RB_AUTO(rb_free_str) char *problem = NULL;
    RB_TRY(find_problem(&problem, tags, tag, err));
    if (!problem)
        return RB_OK;
    rb_refusals_add(out, rb_format("tag %s", tag->name),
                    "does not verify: %s\n"
                    "look at it with `rbtool verify %s`; make it again with `rbtool release`",
                    problem, rb_hook_shell_word(tag->name));
    return RB_OK;
}

/* True if this repository has a release that is not part of the push. */
static bool had_release(const rb_guard *guard, const rb_chain *chain)
{
    for (size_t i = 0; guard->received && i < chain->n; i++) {
        RB_AUTO(rb_free_str) char *ref = rb_format(RB_TAGS "%s", chain->items[i].tag);
        if (chain->items[i].listed && !rb_pushes_find(guard->received, ref))
            return true;
    }
    return false;
}

/* Sets *out if a new tag without a manifest has a name for releases. A server accepts tags that are
 * older than the first release only before it has a release, or together with the first one.
 * Otherwise it would have to accept a tag on any old commit. */
static enum rb_code takes_name(bool *out, struct tags *tags, const rb_pushed *pushed, rb_err *err)
{
    const rb_chain *chain;
    rb_oid commit;
    RB_TRY(matches(out, tags, pushed->tag, err));
    if (!*out)
        return RB_OK;
    RB_TRY(rb_guard_chain(&chain, tags->guard, err));
    *out = chain->n > 0 && (had_release(tags->guard, chain) ||
                            !rb_object_commit(&commit, tags->guard->repo, &pushed->local));
    return *out ? RB_OK : is_after_first(out, tags, &pushed->local, pushed->local_ref, err);
}

static enum rb_code check_tag(rb_refusals *out, struct tags *tags, const rb_pushed *pushed,
                              rb_err *err)
{
    bool deletes = rb_oid_is_zero(&pushed->local);
    bool creates = rb_oid_is_zero(&pushed->remote);
    bool carries = false;
    bool release = false;
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    if (deletes && creates)
        return RB_OK;
    if (!deletes)
        RB_TRY(rb_guard_carries(&carries, &tag, tags->guard, &pushed->local, pushed->tag, err));
    if (!creates) {
        RB_TRY(is_release_there(&release, tags, pushed, carries, err));
        if (release)
            refuse_change(out, tags, pushed);
        return RB_OK;
    }
    if (carries)
        return check_release(out, tags, tag, err);
    RB_TRY(takes_name(&release, tags, pushed, err));
    if (release)
        rb_refusals_add(out, rb_format("tag %s", pushed->tag),
                        "does not verify: it has the name of a release (\"tags\": \"%s\") "
                        "and carries no "
                        "manifest\nmake it with `rbtool release %s`, or narrow \"tags\" in %s",
                        tags->pattern, rb_hook_shell_word(pushed->tag), RB_CONFIG_FILE);
    return RB_OK;
}

static enum rb_code check_tags(rb_refusals *out, rb_guard *guard, const rb_pushes *pushes,
                               rb_err *err)
{
    struct tags tags = {.guard = guard};
    enum rb_code code = RB_OK;
    for (size_t i = 0; i < pushes->n && code == RB_OK; i++)
        if (pushes->items[i].tag)
            code = check_tag(out, &tags, &pushes->items[i], err);
    rb_json_free(tags.following);
    return code;
}

static enum rb_code check_all(rb_refusals *out, rb_guard *guard, const char *remote,
                              const rb_pushes *pushes, rb_err *err)
{
    size_t before = out->n;
    RB_TRY(check_tags(out, guard, pushes, err));
    RB_TRY(rb_guard_push_migrations(out, guard, remote, pushes, err));
    RB_TRY(rb_guard_push_ledger(out, guard, remote, pushes, err));
    return rb_refusals_result(out, before, err);
}

enum rb_code rb_guard_push(rb_refusals *out, rb_guard *guard, const char *remote,
                           const rb_pushes *pushes, rb_err *err)
{
    return check_all(out, guard, remote, pushes, err);
}

/* Checks the total size before any tag is read. */
static enum rb_code check_tag_bytes(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                                    rb_err *err)
{
    size_t bytes = 0;
    const size_t before = out->n;
    for (size_t i = 0; i < pushes->n; i++)
        if (pushes->items[i].tag)
            bytes += rb_tag_size(repo, &pushes->items[i].local);
    if (bytes > TAGS_LIMIT)
        rb_refusals_add(out, rb_strdup("this push"),
                        "has tag objects of %zu bytes together, the limit is %zu\n"
                        "push fewer tags at a time",
                        bytes, TAGS_LIMIT);
    return rb_refusals_result(out, before, err);
}

enum rb_code rb_guard_receive(rb_refusals *out, rb_guard *guard, const rb_pushes *pushes,
                              rb_err *err)
{
    RB_TRY(check_tag_bytes(out, guard->repo, pushes, err));
    guard->received = pushes;
    enum rb_code code = check_all(out, guard, NULL, pushes, err);
    guard->received = NULL;
    if (guard->settings_fault && code == RB_OK) {
        rb_refusals_add(out, rb_strdup(RB_CONFIG_FILE),
                        "of this server's HEAD cannot be read: %s\n"
                        "its rule for tags was not checked; push one that can be read",
                        guard->settings_fault);
        out->items[out->n - 1].warning = true;
    }
    return code;
}
