/* Which release a commit comes after. */
#include <stdlib.h>

#include "release/chain.h"

enum which { ANY, VERIFIED, NOT_BAD };

/* A search for the commits of releases that are nearest to a commit. */
struct search {
    json_t *commits; /* of the releases: object id to whether it was found */
    rb_oid *found;
    size_t n;
};

static bool is_counted(const rb_chain_item *item, enum which which)
{
    return item->has_commit && (which == ANY || item->listed) && (which != NOT_BAD || !item->bad);
}

/* Stops the walk at a release. */
static bool visit(void *context, const rb_oid *commit, const char *message)
{
    (void)message;
    struct search *search = context;
    char hex[RB_OID_HEX];
    rb_oid_hex(commit, hex);
    if (!json_object_get(search->commits, hex))
        return true;
    json_object_set_new(search->commits, hex, json_true());
    search->found[search->n++] = *commit;
    return false;
}

/* Walks from the commit to the first release, and again without what that one reaches, until none
 * is found. So the search costs what was committed since, whatever the number of releases. */
static enum rb_code find_commits(struct search *search, const rb_chain *chain, rb_repo *repo,
                                 const rb_oid *commit, enum which which, rb_err *err)
{
    size_t before;
    for (size_t i = 0; i < chain->n; i++) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&chain->items[i].commit, hex);
        if (is_counted(&chain->items[i], which))
            json_object_set_new(search->commits, hex, json_false());
    }
    search->found = rb_calloc(json_object_size(search->commits) + 1, sizeof *search->found);
    do {
        before = search->n;
        RB_TRY(rb_commit_walk(repo, commit, search->found, search->n, visit, search, err));
    } while (search->n > before);
    return RB_OK;
}

static void search_clear(struct search *search)
{
    rb_json_free(search->commits);
    free(search->found);
}

/* Ancestors of commit among the items, without those that a nearer one follows. */
static enum rb_code find_candidates(const rb_chain_item **candidates, size_t *count,
                                    const rb_chain *chain, rb_repo *repo, const rb_oid *commit,
                                    enum which which, rb_err *err)
{
    RB_AUTO(search_clear) struct search search = {.commits = json_object()};
    RB_AUTO(rb_json_freep) json_t *passed = json_object();
    RB_TRY(find_commits(&search, chain, repo, commit, which, err));
    for (size_t i = 0; i < chain->n; i++) {
        const rb_chain_item *item = &chain->items[i];
        char hex[RB_OID_HEX];
        rb_oid_hex(&item->commit, hex);
        bool is_passed = json_object_get(passed, item->tag) != NULL;
        bool is_found = json_is_true(json_object_get(search.commits, hex));
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

/* Picks the best of the candidates that are not an ancestor of another one. */
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
    do { /* one that does not verify any more is not found again */
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
