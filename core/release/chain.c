#include "release/chain.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "git/refs.h"
#include "release/internal.h"

/* While a chain is loaded: tag name to index of its item, and to the object of every tag. */
struct loading {
    rb_repo *repo;
    const rb_signers *signers;
    const char *glob;
    rb_tag_refs refs;
    const rb_chain_more *more; /* or NULL */
    rb_chain *chain;
    json_t *index;
    json_t *objects;
};

static void clear_loading(struct loading *loading)
{
    rb_tag_refs_clear(&loading->refs);
    rb_json_free(loading->index);
    rb_json_free(loading->objects);
}

static void clear_item(rb_chain_item *item)
{
    free(item->tag);
    rb_release_free(item->release);
    rb_problems_clear(&item->problems);
}

void rb_chain_free(rb_chain *chain)
{
    if (!chain)
        return;
    for (size_t i = 0; i < chain->n; i++)
        clear_item(&chain->items[i]);
    free(chain->items);
    free(chain);
}

const rb_chain_item *rb_chain_find(const rb_chain *chain, const char *tag)
{
    for (size_t i = 0; i < chain->n; i++)
        if (strcmp(chain->items[i].tag, tag) == 0)
            return &chain->items[i];
    return NULL;
}

const rb_chain_item *rb_chain_before(const rb_chain *chain, const rb_chain_item *item)
{
    const rb_link *link = item->release ? item->release->manifest->previous : NULL;
    const rb_chain_item *found = link ? rb_chain_find(chain, link->tag) : NULL;
    return found && strcmp(found->object, link->object) == 0 &&
                   strcmp(found->sha256, link->sha256) == 0
               ? found
               : NULL;
}

static rb_chain_item *named(const struct loading *loading, const char *tag)
{
    int64_t at = rb_json_int(loading->index, tag, -1);
    return at < 0 ? NULL : &loading->chain->items[at];
}

/* A verified item's predecessor, when it is here and is the one that was named. */
static rb_chain_item *before(const struct loading *loading, const rb_chain_item *item)
{
    const rb_link *link = item->release ? item->release->manifest->previous : NULL;
    rb_chain_item *found = link ? named(loading, link->tag) : NULL;
    return found && strcmp(found->object, link->object) == 0 ? found : NULL;
}

static void open_item(rb_chain_item *item, rb_repo *repo, const rb_signers *signers,
                      const rb_tag *tag)
{
    rb_err err;
    rb_oid_hex(&tag->object, item->object);
    if (rb_release_open_tag(&item->release, repo, signers, tag, &item->problems, &err) == RB_OK) {
        size_t len;
        const char *bytes = rb_verified_signed(item->release->verified, &len);
        rb_sha256_hex_of(bytes, len, item->sha256);
        item->commit = item->release->commit;
        item->has_commit = true;
        return;
    }
    if (item->problems.n == 0) /* its commit or tree cannot be read: the others still can */
        rb_problems_add(&item->problems, "object", "object", "", "", "%s: %s", tag->name,
                        err.message);
    item->has_commit = rb_object_commit(&item->commit, repo, &tag->object);
}

/* Without a manifest there is no item. */
static void read_tag(rb_chain_item *item, const struct loading *loading, const rb_tag_ref *ref)
{
    rb_err err;
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    enum rb_code code =
        ref->resolved
            ? rb_tag_read_object(&tag, loading->repo, &ref->object, ref->name, &err)
            : rb_fail(&err, RB_ERROR, "its ref leads to no object, or has a name that git refuses");
    if (code == RB_OK && !rb_manifest_is_in(tag))
        return;
    item->tag = rb_strdup(ref->name);
    if (code == RB_OK)
        open_item(item, loading->repo, loading->signers, tag);
    else /* it may be a release: it is shown as a bad one */
        rb_problems_add(&item->problems, "object", "object", "", "", "%s: %s", ref->name,
                        err.message);
}

/* What several threads do at once. */
static void read_one(void *context, size_t i)
{
    const struct loading *loading = context;
    const rb_tag_ref *ref = &loading->refs.items[i];
    if (!loading->glob || fnmatch(loading->glob, ref->name, 0) == 0)
        read_tag(&loading->chain->items[i], loading, ref);
}

/* read: what read_tag() made of ref, in the chain's items at its end or behind it. */
static void take_item(struct loading *loading, const rb_tag_ref *ref, const rb_chain_item *read)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&ref->object, hex);
    bool is_here = ref->resolved && (!read->tag || *read->object);
    if (read->tag)
        loading->chain->items[loading->chain->n++] = *read;
    if (is_here && json_object_set_new(loading->objects, ref->name, json_string(hex)) != 0)
        return; /* no UTF-8: no manifest can name it */
}

static enum rb_code read_tags(struct loading *loading, rb_err *err)
{
    const char *set;
    RB_TRY(rb_tag_refs_read(&loading->refs, loading->repo, err));
    RB_TRY(rb_repo_setting(&set, loading->repo, "rbtool.app", err)); /* one thread reads them all */
    size_t n = loading->refs.n;
    loading->chain->items = rb_calloc(n, sizeof *loading->chain->items);
    rb_parallel(n, rb_release_threads(), read_one, loading);
    for (size_t i = 0; i < n; i++)
        take_item(loading, &loading->refs.items[i], &loading->chain->items[i]);
    return RB_OK;
}

static void read_pushed(struct loading *loading, const rb_pushes *pushed)
{
    rb_chain *chain = loading->chain;
    chain->items = rb_realloc(chain->items, chain->n + pushed->n + 1, sizeof *chain->items);
    for (size_t i = 0; i < pushed->n; i++) {
        const rb_pushed *one = &pushed->items[i];
        if (!one->tag || !rb_oid_is_zero(&one->remote) || rb_oid_is_zero(&one->local))
            continue;
        const rb_tag_ref ref = {.name = (char *)one->tag, .object = one->local, .resolved = true};
        rb_chain_item item = {0};
        read_tag(&item, loading, &ref);
        take_item(loading, &ref, &item);
    }
}

/* Takes the item that a link names but no tag leads to, if somebody kept it and it verifies. */
static enum rb_code find_lost(struct loading *loading, const rb_link *link, rb_err *err)
{
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    rb_chain *chain = loading->chain;
    if (json_object_get(loading->objects, link->tag))
        return RB_OK;
    RB_TRY(loading->more->keeper(loading->more->context, &tag, link->tag, link->object, err));
    if (!tag)
        return RB_OK;
    rb_chain_item item = {.tag = rb_strdup(link->tag), .lost = true};
    open_item(&item, loading->repo, loading->signers, tag);
    if (!item.release || strcmp(item.object, link->object) != 0 ||
        strcmp(item.sha256, link->sha256) != 0) {
        clear_item(&item);
        return RB_OK;
    }
    rb_problems_add(&item.problems, "lost", "tag", item.object, "",
                    "%s: its tag is not here any more; the ledger kept its object, which verifies: "
                    "`rbtool verify --restore` puts it back",
                    item.tag);
    rb_problems_warn(&item.problems);
    rb_json_set_str(loading->objects, item.tag, item.object);
    chain->items = rb_realloc(chain->items, chain->n + 1, sizeof *chain->items);
    chain->items[chain->n++] = item;
    return RB_OK;
}

/* What is found has links of its own; each name is found once at most. */
static enum rb_code find_all_lost(struct loading *loading, rb_err *err)
{
    for (size_t i = 0; i < loading->chain->n; i++) {
        const rb_release *release = loading->chain->items[i].release;
        if (!release)
            continue;
        if (release->manifest->previous)
            RB_TRY(find_lost(loading, release->manifest->previous, err));
        for (size_t j = 0; j < release->manifest->head_count; j++)
            RB_TRY(find_lost(loading, &release->manifest->heads[j], err));
    }
    return RB_OK;
}

static int by_version(const void *a, const void *b)
{
    return rb_tag_compare(((const rb_chain_item *)a)->tag, ((const rb_chain_item *)b)->tag);
}

static void build_index(struct loading *loading)
{
    json_object_clear(loading->index);
    for (size_t i = 0; i < loading->chain->n; i++)
        if (json_object_set_new(loading->index, loading->chain->items[i].tag,
                                json_integer((json_int_t)i)) != 0)
            continue; /* no UTF-8: no manifest can name it */
}

/* Oldest version first; every item after the ones that its links lead to; then turned round. Links
 * name objects by hash, so following only those that match cannot run in a circle. */
static void sort_items(struct loading *loading)
{
    rb_chain *chain = loading->chain;
    if (chain->n == 0)
        return;
    qsort(chain->items, chain->n, sizeof *chain->items, by_version);
    build_index(loading);
    rb_chain_item *sorted = rb_calloc(chain->n, sizeof *sorted);
    bool *done = rb_calloc(chain->n, sizeof *done);
    size_t *stack = rb_calloc(chain->n, sizeof *stack);
    size_t left = chain->n;
    for (size_t i = 0; i < chain->n; i++) {
        size_t depth = 0;
        for (const rb_chain_item *at = &chain->items[i];
             at && !done[at - chain->items] && depth < chain->n; at = before(loading, at))
            stack[depth++] = (size_t)(at - chain->items);
        while (depth > 0) {
            size_t at = stack[--depth];
            if (!done[at])
                sorted[--left] = chain->items[at];
            done[at] = true;
        }
    }
    free(done);
    free(stack);
    free(chain->items);
    chain->items = sorted;
    build_index(loading);
}

static void is_moved(rb_chain_item *item, rb_chain_item *target, const rb_link *link,
                     const char *field, const char *expected, const char *found)
{
    rb_problems_add(&item->problems, "moved", field, expected, found,
                    "%s: %s: it follows %s as %s, but that tag is %s here: it was moved or made "
                    "again; ask its signer, or fetch the first one: git fetch origin "
                    "'+refs/tags/%s:refs/tags/%s'",
                    item->tag, field, link->tag, expected, found, link->tag, link->tag);
    if (target)
        rb_problems_add(&target->problems, "moved", "object", expected, found,
                        "%s: object: release %s follows it as %s, but it is %s here: it was moved "
                        "or made again; ask its signer, or fetch the first one: git fetch origin "
                        "'+refs/tags/%s:refs/tags/%s'",
                        target->tag, item->tag, expected, found, target->tag, target->tag);
}

static void check_link(struct loading *loading, rb_chain_item *item, const rb_link *link,
                       const char *field)
{
    const char *object = rb_json_str(loading->objects, link->tag);
    rb_chain_item *target = named(loading, link->tag);
    if (!object) {
        RB_AUTO(rb_free_str) char *inner = rb_format("%s.tag", field);
        rb_problems_add(&item->problems, "unknown", inner, link->tag, "",
                        "%s: %s: it follows %s, which is not here; git fetch --tags, or ask who "
                        "deleted it",
                        item->tag, inner, link->tag);
        return;
    }
    if (strcmp(object, link->object) != 0) {
        RB_AUTO(rb_free_str) char *inner = rb_format("%s.object", field);
        is_moved(item, target, link, inner, link->object, object);
        return;
    }
    if (target && target->release && strcmp(target->sha256, link->sha256) != 0) {
        RB_AUTO(rb_free_str) char *inner = rb_format("%s.sha256", field);
        is_moved(item, target, link, inner, link->sha256, target->sha256);
        return;
    }
    if (!target)
        return;
    target->named = true;
    if (target->lost) {
        RB_AUTO(rb_free_str) char *inner = rb_format("%s.tag", field);
        rb_problems_add(&item->problems, "unknown", inner, link->tag, "",
                        "%s: %s: it follows %s, which is not here; the ledger kept its object, "
                        "which verifies",
                        item->tag, inner, link->tag);
        rb_problems_warn(&item->problems);
    }
}

/* Some follow the object that is here, others another one. */
static void check_fork(rb_chain_item *item)
{
    for (size_t i = 0; i < item->problems.n; i++) {
        const rb_problem *moved = &item->problems.items[i];
        if (strcmp(moved->code, "moved") != 0 || strcmp(moved->field, "object") != 0)
            continue;
        RB_AUTO(rb_free_str) char *other = rb_strdup(moved->expected);
        rb_problems_add(&item->problems, "fork", "object", other, item->object,
                        "%s: object: there are two releases of this name, %s and %s, each with "
                        "followers; decide which line is true, and delete the other one's tags",
                        item->tag, other, item->object);
        return;
    }
}

static void check_links(struct loading *loading)
{
    for (size_t i = 0; i < loading->chain->n; i++) {
        rb_chain_item *item = &loading->chain->items[i];
        if (!item->release)
            continue;
        const rb_manifest *manifest = item->release->manifest;
        if (manifest->previous)
            check_link(loading, item, manifest->previous, "previous");
        for (size_t j = 0; j < manifest->head_count; j++) {
            RB_AUTO(rb_free_str) char *field = rb_format("heads[%zu]", j);
            check_link(loading, item, &manifest->heads[j], field);
        }
    }
    for (size_t i = 0; i < loading->chain->n; i++)
        if (loading->chain->items[i].named)
            check_fork(&loading->chain->items[i]);
}

/* The root that most releases come from; the lowest version where that is a tie. */
static rb_chain_item *find_root(const struct loading *loading)
{
    rb_chain *chain = loading->chain;
    size_t *root = rb_calloc(chain->n, sizeof *root);
    size_t *count = rb_calloc(chain->n, sizeof *count);
    rb_chain_item *best = NULL;
    for (size_t i = chain->n; i-- > 0;) { /* oldest first: what is before it is done */
        const rb_chain_item *parent = before(loading, &chain->items[i]);
        root[i] = parent ? root[parent - chain->items] : i;
        count[root[i]]++;
    }
    for (size_t i = chain->n; i-- > 0;) {
        rb_chain_item *item = &chain->items[i];
        if (!item->release || item->release->manifest->previous)
            continue;
        if (!best || count[i] > count[best - chain->items])
            best = item;
    }
    free(root);
    free(count);
    return best;
}

static enum rb_code check_roots(struct loading *loading, rb_err *err)
{
    const char *pinned;
    RB_TRY(rb_repo_setting(&pinned, loading->repo, "rbtool.app", err));
    const rb_chain_item *root = find_root(loading);
    for (size_t i = 0; i < loading->chain->n && root; i++) {
        rb_chain_item *item = &loading->chain->items[i];
        if (!item->release || item == root)
            continue;
        const char *app = root->release->manifest->app_name;
        const char *found = item->release->manifest->app_name;
        if (!pinned && strcmp(app, found) != 0)
            rb_problems_add(&item->problems, "app", "app.name", app, found,
                            "%s: app.name: the first release %s is of %s, this one is of %s; it is "
                            "another application's release (git config rbtool.app pins the name)",
                            item->tag, root->tag, app, found);
        if (!item->release->manifest->previous)
            rb_problems_add(&item->problems, "fork", "previous", root->tag, "",
                            "%s: previous: it says that it is the first release, but %s is; make "
                            "it again with `rbtool release --previous TAG`",
                            item->tag, root->tag);
    }
    return RB_OK;
}

enum rb_code rb_chain_load(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                           const char *glob, rb_err *err)
{
    return rb_chain_load_with(out, repo, signers, glob, NULL, err);
}

enum rb_code rb_chain_load_with(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                                const char *glob, const rb_chain_more *more, rb_err *err)
{
    RB_AUTO(rb_chain_freep) rb_chain *chain = rb_calloc(1, sizeof *chain);
    RB_AUTO(clear_loading)
    struct loading loading = {.repo = repo,
                              .signers = signers,
                              .glob = glob,
                              .more = more,
                              .chain = chain,
                              .index = json_object(),
                              .objects = json_object()};
    RB_TRY(read_tags(&loading, err));
    if (more && more->pushed)
        read_pushed(&loading, more->pushed);
    if (more && more->keeper)
        RB_TRY(find_all_lost(&loading, err));
    sort_items(&loading);
    check_links(&loading);
    RB_TRY(check_roots(&loading, err));
    *out = chain;
    chain = NULL;
    return RB_OK;
}
