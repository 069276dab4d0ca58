/* Finds the releases that a commit comes after. */
#include <stdlib.h>

#include "base/keys.h"
#include "release/chain.h"

enum which { ANY, VERIFIED, NOT_BAD };

/* A search for the commits of releases that are nearest to a commit. */
struct search {
    rb_keys commits; /* the chain's items by commit */
    rb_oid *found;
    size_t n;
};

static const void *commit_of(const void *chain, size_t index)
{
    return ((const rb_chain *)chain)->items[index].commit.id;
}

static bool is_counted(const rb_chain_item *item, enum which which)
{
    return item->has_commit && (which == ANY || item->listed) && (which != NOT_BAD || !item->bad);
}

/* Ends the walk at the commit of a release. */
static bool visit(void *context, const rb_oid *commit, const char *message)
{
    (void)message;
    struct search *search = context;
    size_t index;
    if (!rb_keys_find(&index, &search->commits, commit->id))
        return true;
    search->found[search->n++] = *commit;
    return false;
}

/* Finds the commits of the nearest releases. Walks from the commit to a release, and repeats that
 * without what this release reaches, until none is found. The cost depends on the number of commits
 * since then, not on the number of releases. */
static enum rb_code find_commits(struct search *search, const rb_chain *chain, rb_repo *repo,
                                 const rb_oid *commit, enum which which, rb_err *err)
{
    size_t before;
    rb_keys_reserve(&search->commits, chain->n);
    for (size_t i = 0; i < chain->n; i++)
        if (is_counted(&chain->items[i], which))
            rb_keys_add(&search->commits, i);
    search->found = rb_calloc(chain->n + 1, sizeof *search->found);
    do {
        before = search->n;
        RB_TRY(rb_commit_walk(repo, commit, search->found, search->n, visit, search, err));
    } while (search->n > before);
    return RB_OK;
}

static void search_clear(struct search *search)
{
    rb_keys_clear(&search->commits);
    free(search->found);
}

/* Finds the releases that are ancestors of the commit, without those that another of them
 * follows. */
static enum rb_code find_candidates(const rb_chain_item **candidates, size_t *count,
                                    const rb_chain *chain, rb_repo *repo, const rb_oid *commit,
                                    enum which which, rb_err *err)
{
    RB_AUTO(search_clear) struct search search = {.commits = {.key = commit_of, .list = chain}};
    RB_AUTO(rb_json_freep) json_t *passed = json_object();
    RB_TRY(find_commits(&search, chain, repo, commit, which, err));
    for (size_t i = 0; i < chain->n; i++) {
        const rb_chain_item *item = &chain->items[i];
        bool is_found = false;
        for (size_t j = 0; j < search.n && !is_found; j++)
            is_found = rb_oid_equal(&item->commit, &search.found[j]);
        bool is_passed = json_object_get(passed, item->tag) != NULL;
        if (!is_counted(item, which) || (!is_passed && !is_found))
            continue;
        if (!is_passed)
            candidates[(*count)++] = item;
        if (item->listed && item->listed->previous)
            rb_json_set_str(passed, item->listed->previous->tag, NULL);
    }
    return RB_OK;
}

static bool is_nearer(const rb_chain_item *a, const rb_chain_item *b)
{
    if (a->named != b->named)
        return !a->named;
    return rb_tag_compare(a->tag, b->tag) > 0;
}

/* Returns the best candidate among those that are not an ancestor of another one. */
static enum rb_code pick(const rb_chain_item **out, const rb_chain_item **candidates, size_t count,
                         rb_repo *repo, rb_err *err)
{
    const rb_chain_item *best = NULL;
    for (size_t i = 0; i < count; i++) {
        bool inner = false;
        for (size_t j = 0; j < count && !inner; j++)
            if (!rb_oid_equal(&candidates[i]->commit, &candidates[j]->commit))
                RB_TRY(rb_commit_reaches(&inner, repo, &candidates[j]->commit,
                                         &candidates[i]->commit, err));
        if (!inner && (!best || is_nearer(candidates[i], best)))
            best = candidates[i];
    }
    *out = best;
    return RB_OK;
}

static enum rb_code nearest(const rb_chain_item **out, const rb_chain *chain, rb_repo *repo,
                            const rb_oid *commit, enum which which, rb_err *err)
{
    const rb_chain_item **candidates = rb_calloc(chain->n, sizeof *candidates);
    size_t count = 0;
    *out = NULL;
    enum rb_code code = find_candidates(candidates, &count, chain, repo, commit, which, err);
    if (code == RB_OK)
        code = pick(out, candidates, count, repo, err);
    free(candidates);
    return code;
}

enum rb_code rb_chain_previous(const rb_release **out, const rb_chain_item **passed_over,
                               const rb_chain *chain, rb_repo *repo, const rb_oid *commit,
                               rb_err *err)
{
    const rb_chain_item *any;
    const rb_chain_item *item;
    do { /* repeat: the search skips a release once it fails to verify */
        RB_TRY(nearest(&any, chain, repo, commit, VERIFIED, err));
        item = any;
        if (any && any->bad)
            RB_TRY(nearest(&item, chain, repo, commit, NOT_BAD, err));
        item = item ? item : any;
        *out = item ? rb_chain_open(chain, item) : NULL;
    } while (item && !*out);
    *passed_over = item != any ? any : NULL;
    return RB_OK;
}

enum rb_code rb_chain_nearest(const rb_chain_item **out, const rb_chain *chain, rb_repo *repo,
                              const rb_oid *commit, rb_err *err)
{
    return nearest(out, chain, repo, commit, ANY, err);
}

enum rb_code rb_chain_nearest_good(const rb_chain_item ***items, size_t *n, const rb_chain *chain,
                                   rb_repo *repo, const rb_oid *commit, rb_err *err)
{
    *n = 0;
    *items = rb_calloc(chain->n, sizeof **items);
    return find_candidates(*items, n, chain, repo, commit, NOT_BAD, err);
}
