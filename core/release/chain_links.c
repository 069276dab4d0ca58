/* The order of a chain's releases, and checks of their links. */
#include <stdlib.h>
#include <string.h>

#include "release/chain_internal.h"

#define NONE SIZE_MAX

static rb_chain_item *named(const rb_chain_loading *loading, const char *tag)
{
    size_t at;
    return rb_keys_find(&at, &loading->index, tag) ? &loading->chain->items[at] : NULL;
}

/* Returns the predecessor of a verified item; NULL if it is not here or is another object. */
static rb_chain_item *before(const rb_chain_loading *loading, const rb_chain_item *item)
{
    const rb_link *link = item->listed ? item->listed->previous : NULL;
    rb_chain_item *found = link ? named(loading, link->tag) : NULL;
    return found && strcmp(found->object, link->object) == 0 ? found : NULL;
}

static int by_version(const void *a, const void *b)
{
    return rb_tag_compare(((const rb_chain_item *)a)->tag, ((const rb_chain_item *)b)->tag);
}

static void find_parents(rb_chain_loading *loading)
{
    const rb_chain *chain = loading->chain;
    rb_keys_reserve(&loading->index, chain->n);
    for (size_t i = 0; i < chain->n; i++)
        rb_keys_add(&loading->index, i);
    loading->parents = rb_calloc(chain->n, sizeof *loading->parents);
    for (size_t i = 0; i < chain->n; i++) {
        const rb_chain_item *parent = before(loading, &chain->items[i]);
        loading->parents[i] = parent ? (size_t)(parent - chain->items) : NONE;
    }
}

/* Moves item i to position to[i]. */
static void reorder(rb_chain_loading *loading, const size_t *to)
{
    rb_chain *chain = loading->chain;
    rb_chain_item *items = rb_calloc(chain->n, sizeof *items);
    size_t *parents = rb_calloc(chain->n, sizeof *parents);
    for (size_t i = 0; i < chain->n; i++) {
        items[to[i]] = chain->items[i];
        parents[to[i]] = loading->parents[i] == NONE ? NONE : to[loading->parents[i]];
    }
    free(chain->items);
    free(loading->parents);
    chain->items = items;
    loading->parents = parents;
    rb_keys_reorder(&loading->index, to);
}

/* Sorts the items by version, but every item after those that its links name; then reverses the
 * list. Only links with a matching hash count, so there cannot be a cycle. */
static void sort_items(rb_chain_loading *loading)
{
    rb_chain *chain = loading->chain;
    if (chain->n == 0)
        return;
    qsort(chain->items, chain->n, sizeof *chain->items, by_version);
    find_parents(loading);
    size_t *to = rb_calloc(chain->n, sizeof *to);
    bool *done = rb_calloc(chain->n, sizeof *done);
    size_t *stack = rb_calloc(chain->n, sizeof *stack);
    size_t left = chain->n;
    for (size_t i = 0; i < chain->n; i++) {
        size_t depth = 0;
        for (size_t at = i; at != NONE && !done[at]; at = loading->parents[at]) {
            stack[depth++] = at;
            done[at] = true;
        }
        while (depth > 0)
            to[stack[--depth]] = --left;
    }
    reorder(loading, to);
    free(to);
    free(done);
    free(stack);
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
                        "or recreated; ask its signer, or fetch the first one: git fetch origin "
                        "'+refs/tags/%s:refs/tags/%s'",
                        target->tag, item->tag, expected, found, target->tag, target->tag);
}

char *rb_chain_link_field(const rb_listed_release *listed, size_t i, const char *part)
{
    return listed->previous && i == 0
               ? rb_format("previous.%s", part)
               : rb_format("heads[%zu].%s", i - (listed->previous ? 1 : 0), part);
}

static void check_link(rb_chain_loading *loading, rb_chain_item *item, size_t i)
{
    const rb_link *link = &item->listed->links[i];
    const size_t parent = loading->parents[item - loading->chain->items];
    const bool is_parent = link == item->listed->previous && parent != NONE;
    rb_chain_item *target = is_parent ? &loading->chain->items[parent] : named(loading, link->tag);
    const rb_listed_release *listed = target ? target->listed : NULL;
    const char *object = is_parent && target && !target->lost
                             ? target->object
                             : rb_tags_here_find(&loading->here, link->tag);
    bool moved = object && strcmp(object, link->object) != 0;
    bool changed = object && listed && strcmp(listed->sha256, link->sha256) != 0;
    if (object && target && !moved && !changed)
        target->named = true;
    if (object && !moved && !changed && (!target || !target->lost))
        return;
    RB_AUTO(rb_free_str)
    char *field = rb_chain_link_field(item->listed, i,
                                      moved     ? "object"
                                      : changed ? "sha256"
                                                : "tag");
    if (moved) {
        is_moved(item, target, link, field, link->object, object);
    } else if (changed) {
        is_moved(item, target, link, field, link->sha256, listed->sha256);
    } else if (!object) {
        rb_problems_add(&item->problems, "unknown", field, link->tag, "",
                        "%s: %s: it follows %s, which is not here; %s, or ask who deleted it",
                        item->tag, field, link->tag, rb_chain_fetch(loading));
    } else {
        rb_problems_add(&item->problems, "unknown", field, link->tag, "",
                        "%s: %s: it follows %s, which is not here; the ledger kept its object, "
                        "which verifies",
                        item->tag, field, link->tag);
        rb_problems_warn(&item->problems);
    }
}

/* Adds a problem if some releases follow this object and others another one of the same name. */
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

static void check_links(rb_chain_loading *loading)
{
    for (size_t i = 0; i < loading->chain->n; i++) {
        rb_chain_item *item = &loading->chain->items[i];
        for (size_t j = 0; item->listed && j < item->listed->link_count; j++)
            check_link(loading, item, j);
    }
    for (size_t i = 0; i < loading->chain->n; i++)
        if (loading->chain->items[i].named)
            check_fork(&loading->chain->items[i]);
}

/* Returns the root from which most releases descend; of several, the one with the lowest
 * version. */
static rb_chain_item *find_root(const rb_chain_loading *loading)
{
    rb_chain *chain = loading->chain;
    size_t *root = rb_calloc(chain->n, sizeof *root);
    size_t *count = rb_calloc(chain->n, sizeof *count);
    rb_chain_item *best = NULL;
    /* from the oldest on, so that root[] of the parent is set */
    for (size_t i = chain->n; i-- > 0;) {
        const size_t parent = loading->parents[i];
        root[i] = parent != NONE ? root[parent] : i;
        count[root[i]]++;
    }
    for (size_t i = chain->n; i-- > 0;) {
        rb_chain_item *item = &chain->items[i];
        if (!item->listed || item->listed->previous)
            continue;
        if (!best || count[i] > count[best - chain->items])
            best = item;
    }
    free(root);
    free(count);
    return best;
}

static enum rb_code check_roots(rb_chain_loading *loading, rb_err *err)
{
    const char *pinned;
    RB_TRY(rb_repo_setting(&pinned, loading->repo, "rbtool.app", err));
    const rb_chain_item *root = find_root(loading);
    for (size_t i = 0; i < loading->chain->n && root; i++) {
        rb_chain_item *item = &loading->chain->items[i];
        if (!item->listed || item == root)
            continue;
        const char *app = root->listed->app;
        const char *found = item->listed->app;
        if (!pinned && strcmp(app, found) != 0)
            rb_problems_add(&item->problems, "app", "app.name", app, found,
                            "%s: app.name: the first release %s is of %s, this one is of %s; it is "
                            "another application's release (git config rbtool.app pins the name)",
                            item->tag, root->tag, app, found);
        if (!item->listed->previous)
            rb_problems_add(&item->problems, "fork", "previous", root->tag, "",
                            "%s: previous: it says that it is the first release, but %s is; make "
                            "it again with `rbtool release --previous TAG`",
                            item->tag, root->tag);
    }
    return RB_OK;
}

static bool says_moved(const rb_chain_item *item, const char *object)
{
    for (size_t i = 0; i < item->problems.n; i++)
        if (strcmp(item->problems.items[i].code, "moved") == 0 &&
            strcmp(item->problems.items[i].expected, object) == 0)
            return true;
    return false;
}

/* Adds a problem to releases whose tag is another object than the known one, unless a release that
 * follows them has that problem already. */
static void check_known(rb_chain_loading *loading)
{
    for (size_t i = 0; i < loading->known.n; i++) {
        const rb_link *link = &loading->known.items[i];
        const char *here = rb_tags_here_find(&loading->here, link->tag);
        rb_chain_item *item = named(loading, link->tag);
        if (!item || !here || strcmp(here, link->object) == 0 || says_moved(item, link->object))
            continue;
        RB_AUTO(rb_free_str) char *back = rb_chain_back(loading->repo, item->tag, link->object);
        rb_problems_add(&item->problems, "moved", "object", link->object, here,
                        "%s: object: the ledger knows it as %s, but %s is in its place: it was "
                        "moved or recreated; ask its signer, and bring the first one back with %s "
                        "or accept that it is gone with `rbtool mark %s gap --object %s -m WHY`",
                        item->tag, link->object, here, back, item->tag, link->object);
    }
}

enum rb_code rb_chain_link(rb_chain_loading *loading, rb_err *err)
{
    sort_items(loading);
    check_links(loading);
    check_known(loading);
    return check_roots(loading, err);
}
