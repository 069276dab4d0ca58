#include "release/chain.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "git/refs.h"
#include "release/chain_internal.h"
#include "release/internal.h"

#define BLOCK 2048 /* number of releases that are open at the same time */

static void clear_loading(rb_chain_loading *loading)
{
    rb_tag_refs_clear(&loading->refs);
    rb_record_cache_free(loading->cache);
    rb_keys_clear(&loading->index);
    rb_tags_here_clear(&loading->here);
    rb_known_releases_clear(&loading->known);
    free(loading->fetch);
    free(loading->parents);
}

void rb_known_releases_add(rb_known_releases *known, const char *tag, const char *object, bool used)
{
    known->items = rb_realloc(known->items, known->n + 1, sizeof *known->items);
    known->used = rb_realloc(known->used, known->n + 1, sizeof *known->used);
    rb_link *link = &known->items[known->n];
    *link = (rb_link){.tag = rb_strdup(tag)};
    snprintf(link->object, sizeof link->object, "%s", object);
    known->used[known->n++] = used;
}

void rb_known_releases_clear(rb_known_releases *known)
{
    for (size_t i = 0; i < known->n; i++)
        free(known->items[i].tag);
    free(known->items);
    free(known->used);
    *known = (rb_known_releases){0};
}

static void clear_item(rb_chain_item *item)
{
    free(item->tag);
    rb_release_free(item->release);
    rb_listed_release_free(item->listed);
    rb_problems_clear(&item->problems);
    free(item->bad);
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

void rb_chain_drop_unused(rb_chain *chain, const char *tag)
{
    size_t kept = 0;
    for (size_t i = 0; i < chain->n; i++) {
        rb_chain_item *item = &chain->items[i];
        if (item->lost && !item->named && !item->used && strcmp(item->tag, tag) == 0)
            clear_item(item);
        else
            chain->items[kept++] = *item;
    }
    chain->n = kept;
}

void rb_chain_mark_bad(rb_chain *chain, rb_chain_bad *ask, const void *context)
{
    for (size_t i = 0; i < chain->n; i++) {
        free(chain->items[i].bad);
        chain->items[i].bad = ask(context, chain->items[i].tag, chain->items[i].object);
    }
}

const rb_chain_item *rb_chain_find(const rb_chain *chain, const char *tag)
{
    for (size_t i = 0; i < chain->n; i++)
        if (strcmp(chain->items[i].tag, tag) == 0)
            return &chain->items[i];
    return NULL;
}

/* Verifies the tag. Fills the item with the release and its listed data, or with problems. */
static void open_item(rb_chain_item *item, rb_repo *repo, const rb_signers *signers,
                      const rb_tag *tag)
{
    rb_err err;
    rb_oid_hex(&tag->object, item->object);
    if (rb_release_open_tag(&item->release, repo, signers, tag, &item->problems, &err) == RB_OK) {
        item->listed = rb_listed_release_new(item->release);
        item->commit = item->release->commit;
        item->has_commit = true;
        return;
    }
    /* the commit or tree cannot be read; report that without failing the whole chain */
    if (item->problems.n == 0)
        rb_problems_add(&item->problems, "object", "object", "", "", "%s: %s", tag->name,
                        rb_err_line(&err));
    item->has_commit = rb_object_commit(&item->commit, repo, &tag->object);
}

/* Reads a tag into the item. The item stays empty if the tag does not carry a manifest. */
static void read_tag(rb_chain_item *item, const rb_chain_loading *loading, const rb_tag_ref *ref)
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
    else /* the tag may be a release, so list it with a problem */
        rb_problems_add(&item->problems, "object", "object", "", "", "%s: %s", ref->name,
                        rb_err_line(&err));
}

static bool is_remembered(rb_chain_item *item, const rb_chain_loading *loading,
                          const rb_tag_ref *ref)
{
    enum rb_listed_kind listed = rb_listcache_get(&item->listed, loading->cache, ref);
    if (listed == RB_LISTED_RELEASE) {
        item->tag = rb_strdup(ref->name);
        rb_oid_hex(&ref->object, item->object);
        item->commit = item->listed->commit;
        item->has_commit = true;
    }
    return listed != RB_LISTED_UNKNOWN;
}

static bool is_wanted(const rb_chain_loading *loading, const rb_tag_ref *ref)
{
    return !loading->more->glob || fnmatch(loading->more->glob, ref->name, 0) == 0;
}

/* Reads one tag; runs in several threads. */
static void read_one(void *context, size_t i)
{
    const rb_chain_loading *loading = context;
    const size_t at = loading->unread[i];
    read_tag(&loading->chain->items[at], loading, &loading->refs.items[at]);
}

static enum rb_code visit(const rb_chain_loading *loading, rb_chain_item *item, rb_err *err)
{
    const rb_chain_more *more = loading->more;
    return more->visit && item->release ? more->visit(more->visitor, item, err) : RB_OK;
}

/* Adds the item `read`, if it is not empty, to the chain, and the tag to the tags of this clone. */
static void take_item(rb_chain_loading *loading, const rb_tag_ref *ref, const rb_chain_item *read)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&ref->object, hex);
    bool is_here = ref->resolved && (!read->tag || *read->object);
    if (read->tag)
        loading->chain->items[loading->chain->n++] = *read;
    if (is_here)
        rb_tags_here_add(&loading->here, ref->name, hex);
}

/* Reads tags in several threads. Closes the releases, because a chain may have thousands. */
static enum rb_code read_block(rb_chain_loading *loading, size_t n, rb_err *err)
{
    rb_parallel(n, rb_parallel_threads(), read_one, loading);
    for (size_t i = 0; i < n; i++) {
        rb_chain_item *item = &loading->chain->items[loading->unread[i]];
        RB_TRY(visit(loading, item, err));
        if (loading->cache && (!item->tag || item->listed))
            rb_listcache_put(loading->cache, &loading->refs.items[loading->unread[i]],
                             item->listed);
        rb_release_free(item->release);
        item->release = NULL;
    }
    return RB_OK;
}

static enum rb_code read_tags(rb_chain_loading *loading, rb_err *err)
{
    const char *set;
    size_t unread[BLOCK];
    size_t count = 0;
    rb_chain *chain = loading->chain;
    RB_TRY(rb_tag_refs_read(&loading->refs, loading->repo, err));
    /* read the settings in this thread, before others use them */
    RB_TRY(rb_repo_setting(&set, loading->repo, "rbtool.app", err));
    const size_t n = chain->n = loading->refs.n;
    chain->items = rb_calloc(n, sizeof *chain->items);
    loading->unread = unread;
    for (size_t i = 0; i < n; i++) {
        const rb_tag_ref *ref = &loading->refs.items[i];
        if (is_wanted(loading, ref) &&
            !(loading->cache && is_remembered(&chain->items[i], loading, ref)))
            unread[count++] = i;
        if (count == BLOCK || i + 1 == n) {
            RB_TRY(read_block(loading, count, err));
            count = 0;
        }
    }
    rb_keys_reserve(&loading->here.keys, n);
    chain->n = 0;
    for (size_t i = 0; i < n; i++) {
        const rb_chain_item read = chain->items[i];
        take_item(loading, &loading->refs.items[i], &read);
    }
    return RB_OK;
}

static void read_pushed(rb_chain_loading *loading, const rb_pushes *pushed)
{
    rb_chain *chain = loading->chain;
    chain->items = rb_realloc(chain->items, chain->n + pushed->n + 1, sizeof *chain->items);
    for (size_t i = 0; i < pushed->n; i++) {
        const rb_pushed *one = &pushed->items[i];
        if (!one->tag || !rb_oid_is_zero(&one->remote) || rb_oid_is_zero(&one->local))
            continue;
        const rb_tag_ref ref = {.name = one->tag, .object = one->local, .resolved = true};
        rb_chain_item item = {0};
        read_tag(&item, loading, &ref);
        take_item(loading, &ref, &item);
    }
}

/* Adds a lost item, whose release stays open, because no tag leads to it. */
static enum rb_code add_item(rb_chain_loading *loading, rb_chain_item *item, rb_err *err)
{
    rb_chain *chain = loading->chain;
    RB_TRY(visit(loading, item, err));
    if (item->listed && !rb_tags_here_find(&loading->here, item->tag))
        rb_tags_here_add(&loading->here, item->tag, item->object);
    chain->items = rb_realloc(chain->items, chain->n + 1, sizeof *chain->items);
    chain->items[chain->n++] = *item;
    *item = (rb_chain_item){0};
    return RB_OK;
}

/* Looks for the tag object that the link names, outside of the tags. *out is true if an object was
 * found (*kept), verifies, and is the one that the link names. */
static enum rb_code open_missing(bool *out, rb_chain_item *item, rb_tag **kept,
                                 rb_chain_loading *loading, const rb_link *link, rb_err *err)
{
    *out = false;
    *item = (rb_chain_item){.tag = rb_strdup(link->tag), .lost = true};
    RB_TRY(loading->more->find_tag(loading->more->context, kept, link->tag, link->object, err));
    if (!*kept)
        return RB_OK;
    open_item(item, loading->repo, loading->signers, *kept);
    *out = item->listed && strcmp(item->object, link->object) == 0 &&
           (!*link->sha256 || strcmp(item->listed->sha256, link->sha256) == 0);
    return RB_OK;
}

/* Adds the release that a link names as a lost item, if no tag of that name exists and its object
 * is found. */
static enum rb_code find_missing(rb_chain_loading *loading, const rb_link *link, rb_err *err)
{
    RB_AUTO(clear_item) rb_chain_item item = {0};
    RB_AUTO(rb_tag_freep) rb_tag *kept = NULL;
    bool found;
    if (rb_tags_here_find(&loading->here, link->tag))
        return RB_OK;
    RB_TRY(open_missing(&found, &item, &kept, loading, link, err));
    if (!found)
        return RB_OK;
    rb_chain_describe_missing(loading, &item, kept, true);
    return add_item(loading, &item, err);
}

/* Same as find_missing(), for release i of the known ones. With kept_only unset, the item is added
 * even if its object is not found. */
static enum rb_code find_known(rb_chain_loading *loading, size_t i, bool kept_only, rb_err *err)
{
    const rb_link *link = &loading->known.items[i];
    RB_AUTO(clear_item) rb_chain_item item = {0};
    RB_AUTO(rb_tag_freep) rb_tag *kept = NULL;
    bool found;
    const char *here = rb_tags_here_find(&loading->here, link->tag);
    if ((here && strcmp(here, link->object) == 0) || rb_chain_find(loading->chain, link->tag))
        return RB_OK;
    RB_TRY(open_missing(&found, &item, &kept, loading, link, err));
    if (kept_only && !found)
        return RB_OK;
    memcpy(item.object, link->object, sizeof item.object);
    item.used = loading->known.used[i];
    if (!here)
        rb_chain_describe_missing(loading, &item, kept, found);
    return add_item(loading, &item, err);
}

/* Finds what all links name. Items that are added here have links, too; each name is added once. */
static enum rb_code find_all_missing(rb_chain_loading *loading, rb_err *err)
{
    for (size_t i = 0; i < loading->chain->n; i++) {
        const rb_listed_release *listed = loading->chain->items[i].listed;
        for (size_t j = 0; listed && j < listed->link_count; j++)
            RB_TRY(find_missing(loading, &listed->links[j], err));
    }
    return RB_OK;
}

/* Adds all missing releases. If several objects had the same name, prefers the one that other
 * releases follow, then the newest one whose object is found. */
static enum rb_code find_gone(rb_chain_loading *loading, rb_err *err)
{
    const rb_chain_more *more = loading->more;
    if (!more->find_tag)
        return RB_OK;
    if (more->list_known)
        more->list_known(more->context, &loading->known, &loading->here);
    RB_TRY(find_all_missing(loading, err));
    for (int kept = 1; kept >= 0; kept--)
        for (size_t i = 0; i < loading->known.n; i++)
            RB_TRY(find_known(loading, i, kept == 1, err));
    return loading->known.n > 0 ? find_all_missing(loading, err) : RB_OK;
}

static const void *tag_of(const void *chain, size_t i)
{
    return ((const rb_chain *)chain)->items[i].tag;
}

static enum rb_code open_cache(rb_chain_loading *loading, rb_err *err)
{
    const char *pinned;
    RB_AUTO(rb_free_str)
    char *path = rb_path_join(rb_repo_common_dir(loading->repo), "rbtool/releases");
    RB_TRY(rb_repo_setting(&pinned, loading->repo, "rbtool.app", err));
    loading->cache = rb_listcache_open(path, loading->signers, pinned);
    return RB_OK;
}

enum rb_code rb_chain_load(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                           const rb_chain_more *more, rb_err *err)
{
    static const rb_chain_more none = {0};
    RB_AUTO(rb_chain_freep) rb_chain *chain = rb_calloc(1, sizeof *chain);
    RB_AUTO(clear_loading)
    rb_chain_loading loading = {.repo = repo,
                                .signers = signers,
                                .more = more ? more : &none,
                                .chain = chain,
                                .index = {.key = tag_of, .list = chain, .names = true}};
    *chain = (rb_chain){.repo = repo, .signers = signers};
    if (!loading.more->fresh)
        RB_TRY(open_cache(&loading, err));
    RB_TRY(read_tags(&loading, err));
    if (loading.more->pushed)
        read_pushed(&loading, loading.more->pushed);
    RB_TRY(find_gone(&loading, err));
    RB_TRY(rb_chain_link(&loading, err));
    if (loading.cache)
        rb_record_cache_save(loading.cache);
    *out = RB_TAKE(chain);
    return RB_OK;
}

const rb_release *rb_chain_open(const rb_chain *chain, const rb_chain_item *which)
{
    rb_chain_item *item = &chain->items[which - chain->items];
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    rb_oid object;
    rb_err err;
    if (item->release || !item->listed)
        return item->release;
    rb_listed_release_free(item->listed);
    item->listed = NULL;
    if (rb_oid_parse(&object, item->object) &&
        rb_tag_read_object(&tag, chain->repo, &object, item->tag, &err) == RB_OK)
        open_item(item, chain->repo, chain->signers, tag);
    else
        rb_problems_add(&item->problems, "object", "object", "", "", "%s: %s", item->tag,
                        rb_err_line(&err));
    return item->release;
}

static void open_one(void *context, size_t i)
{
    const rb_chain *const *chain = context;
    (void)rb_chain_open(*chain, &(*chain)->items[i]);
}

void rb_chain_open_all(const rb_chain *chain)
{
    rb_parallel(chain->n, rb_parallel_threads(), open_one, &chain);
}
