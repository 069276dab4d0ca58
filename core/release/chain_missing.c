/* Messages about releases whose tag is missing: what is known of them, and how to restore the
 * tag. */
#include <stdlib.h>
#include <string.h>

#include "git/refs.h"
#include "git/remote.h"
#include "release/chain_internal.h"

const char *rb_chain_fetch(rb_chain_loading *loading)
{
    if (!loading->fetch)
        loading->fetch = rb_remote_fetch_tags(loading->repo);
    return loading->fetch;
}

static bool has_object(rb_repo *repo, const char *object)
{
    rb_oid oid;
    return rb_oid_parse(&oid, object) && rb_object_exists(repo, &oid);
}

char *rb_chain_cure(rb_repo *repo, const char *tag, const char *object)
{
    return has_object(repo, object) ? rb_format("git update-ref refs/tags/%s %s", tag, object)
                                    : rb_remote_fetch_tags(repo);
}

char *rb_chain_back(rb_repo *repo, const char *tag, const char *object)
{
    return has_object(repo, object) ? rb_format("`git update-ref refs/tags/%s %s`", tag, object)
                                    : rb_strdup("`rbtool verify --restore`");
}

bool rb_chain_is_absent(const rb_chain_item *item)
{
    bool absent = false;
    for (size_t i = 0; i < item->problems.n; i++) {
        const rb_problem *problem = &item->problems.items[i];
        if (problem->warning)
            continue;
        if (strcmp(problem->code, "lost") == 0)
            absent = true;
        else if (strcmp(problem->code, "unknown") != 0)
            return false;
    }
    return absent;
}

/* True if the repository lacks the commit of the tag object. It then cannot verify; its error
 * message would suggest git fsck, which does not help. */
static bool lacks_commit(char hex[RB_OID_HEX], rb_repo *repo, const rb_tag *kept)
{
    rb_oid commit;
    if (!kept || !rb_tag_target(&commit, kept) || rb_object_exists(repo, &commit))
        return false;
    rb_oid_hex(&commit, hex);
    return true;
}

/* Returns what helps if a fetch does not, for the message. */
static char *otherwise(rb_chain_loading *loading, rb_chain_item *item, const rb_tag *kept,
                       bool verified)
{
    char commit[RB_OID_HEX];
    if (verified && has_object(loading->repo, item->object))
        return rb_format("its object is here and verifies, and `git update-ref refs/tags/%s %s` "
                         "sets its tag",
                         item->tag, item->object);
    if (verified)
        return rb_strdup("the ledger kept its object, which verifies, and `rbtool verify "
                         "--restore` puts it back");
    if (!lacks_commit(commit, loading->repo, kept))
        return rb_format("ask who deleted it (the ledger, which knows it as %s, kept no object of "
                         "it that verifies)",
                         item->object);
    if (item->problems.n == 1 && strcmp(item->problems.items[0].code, "object") == 0)
        rb_problems_clear(&item->problems);
    return rb_format("ask who released it (the ledger kept its object, but commit %s is not here "
                     "either, so that it cannot be verified)",
                     commit);
}

void rb_chain_describe_missing(rb_chain_loading *loading, rb_chain_item *item, const rb_tag *kept,
                               bool verified)
{
    RB_AUTO(rb_free_str) char *last = otherwise(loading, item, kept, verified);
    rb_problems_add(&item->problems, "lost", "tag", item->object, "",
                    "%s: its tag was not fetched, or was deleted; %s. Where that does not bring "
                    "it: %s; `rbtool mark %s gap -m WHY` gives it up, if it is gone "
                    "for good",
                    item->tag, rb_chain_fetch(loading), last, item->tag);
}
