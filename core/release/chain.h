/*
 * The chain of releases. Every release names its predecessor by tag, object id and hash of its
 * signed bytes, so that a moved or rewritten tag is noticed.
 *
 * Problems: a named predecessor without a tag here is "unknown"; one whose tag has another id is
 * "moved" (a problem of both releases); two tag objects of one name that are both followed are a
 * "fork", and so is a second root. Maintenance branches are not forks.
 *
 * Missing tags: a release that the caller knows from elsewhere (the ledger, see rb_chain_more), or
 * whose tag object it has, becomes an item that is marked lost, with the problem "lost". "unknown"
 * is then only a warning. Messages say that a tag is not here, because it can either have been
 * deleted or never have been fetched (git clone --single-branch --no-tags).
 */
#ifndef RB_RELEASE_CHAIN_H
#define RB_RELEASE_CHAIN_H

#include "base/keys.h"
#include "git/pushes.h"
#include "release/listcache.h"
#include "release/release.h"

typedef struct rb_chain_item {
    char *tag;
    char object[RB_OID_HEX];   /* id of the tag object */
    rb_listed_release *listed; /* data of a verified release; NULL if it does not verify */
    rb_release *release;       /* the verified release, after rb_chain_open() */
    rb_problems problems;      /* problems of the release and of its links */
    rb_oid commit;             /* the tag's commit, whether it verifies or not */
    bool has_commit;
    bool named; /* a verified release names it, as its predecessor or as another head */
    bool lost;  /* no tag here leads to it; it verifies if its object was found elsewhere */
    bool used;  /* of a lost item: an environment ran it, or a server received it */
    char *bad;  /* why it is marked bad (rb_chain_mark_bad()); NULL: not known to be bad */
} rb_chain_item;

typedef struct rb_chain {
    rb_chain_item *items; /* newest first: descendants before ancestors, then by version */
    size_t n;
    rb_repo *repo; /* borrowed, like the signers */
    const rb_signers *signers;
} rb_chain;

/* Finds a tag object that no tag here leads to, by its name and id (40 hex digits). *out stays NULL
 * if it is not found. The caller verifies it. */
typedef enum rb_code rb_chain_find_tag(const void *context, rb_tag **out, const char *tag,
                                       const char *object, rb_err *err);

typedef struct rb_known_releases { /* releases that should have a tag here */
    rb_link *items;                /* name and object id; sha256 is empty */
    /* items[i] was live in an environment, or a server received it */
    bool *used;
    size_t n;
} rb_known_releases;
void rb_known_releases_add(rb_known_releases *known, const char *tag, const char *object,
                           bool used);
void rb_known_releases_clear(rb_known_releases *known);

/* The tags of a repository and the objects in their refs. Names are borrowed. */
typedef struct rb_tags_here {
    struct rb_tag_here {
        const char *name;
        char object[RB_OID_HEX];
    } * items;
    size_t n;
    rb_keys keys;
} rb_tags_here;
void rb_tags_here_add(rb_tags_here *here, const char *name, const char object[RB_OID_HEX]);
void rb_tags_here_clear(rb_tags_here *here);
/* Returns the object id of a tag, 40 hex digits; NULL if the tag does not exist here. */
const char *rb_tags_here_find(const rb_tags_here *here, const char *name);

/* Lists the releases that should have a tag in this clone and have none, newest first. */
typedef void rb_chain_list_known(const void *context, rb_known_releases *out,
                                 const rb_tags_here *here);

/* Adds what is wrong with the content of a release to the item's problems. */
typedef enum rb_code rb_chain_visit(void *visitor, rb_chain_item *item, rb_err *err);

typedef struct rb_chain_more {
    bool fresh;            /* ignore the cache of verified releases */
    rb_chain_visit *visit; /* called for each release that verifies, while it is open; NULL: none.
                              Only with `fresh` */
    void *visitor;
    const char *glob;        /* only tags that match this glob; NULL: all tags */
    const rb_pushes *pushed; /* also the tags that this push creates; NULL: none */
    /* finds releases that have no tag here; NULL: they are not looked for */
    rb_chain_find_tag *find_tag;
    /* lists releases that should have a tag; may only be set with find_tag */
    rb_chain_list_known *list_known;
    const void *context;
} rb_chain_more;

/*
 * Loads all tags that carry a manifest. Releases that do not verify are items with problems, not
 * errors. A release that verified in an earlier command, with the same signers and version of
 * rbtool, is not verified again (listcache.h); rb_chain_open() verifies the releases that a command
 * is about. more may be NULL.
 */
enum rb_code rb_chain_load(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                           const rb_chain_more *more, rb_err *err);
/* Verifies the item's tag, unless it is open, and returns the release, which the chain owns.
 * Returns NULL if it does not verify; the item then has the problem. */
const rb_release *rb_chain_open(const rb_chain *chain, const rb_chain_item *item);
/* Same as rb_chain_open() for all items, in several threads. */
void rb_chain_open_all(const rb_chain *chain);
void rb_chain_free(rb_chain *chain);
/* Removes a lost release that no release here follows and that was never used (`used`): it was
 * withdrawn before it had an effect, so its name may be used again. */
void rb_chain_drop_unused(rb_chain *chain, const char *tag);
RB_DEFINE_AUTO(rb_chain, rb_chain_free)

/* Returns the name of a field of link i, for problems: "previous.tag" or "heads[2].object". */
char *rb_chain_link_field(const rb_listed_release *listed, size_t i, const char *part);

/* True if the item's only problem is that its tag is missing; its predecessor's may be missing,
 * too. */
bool rb_chain_is_absent(const rb_chain_item *item);
/* Returns the command that restores a missing tag, for messages: a fetch, or git update-ref if the
 * object exists in this repository. */
char *rb_chain_cure(rb_repo *repo, const char *tag, const char *object);

/* Returns the command that restores a tag that has been moved, whose object the ledger has. */
char *rb_chain_back(rb_repo *repo, const char *tag, const char *object);

const rb_chain_item *rb_chain_find(const rb_chain *chain, const char *tag);

/* Returns why a release is marked bad, owned by the caller; NULL if it is not. */
typedef char *rb_chain_bad(const void *context, const char *tag, const char *object);
void rb_chain_mark_bad(rb_chain *chain, rb_chain_bad *ask, const void *context);

/*
 * Finds the release that a new one at `commit` follows: the nearest ancestor that verifies. Of
 * several, one that no other release names, then the one that is first in version order. Skips bad
 * releases unless all are bad; *passed_over is the nearest one skipped, or NULL. *out is NULL if no
 * ancestor verifies. Both are borrowed; *out is open.
 */
enum rb_code rb_chain_previous(const rb_release **out, const rb_chain_item **passed_over,
                               const rb_chain *chain, rb_repo *repo, const rb_oid *commit,
                               rb_err *err);
/* Finds all verified releases nearest to the commit that are not known to be bad. items (owned,
 * room for chain->n) may include one that another of them follows. */
enum rb_code rb_chain_nearest_good(const rb_chain_item ***items, size_t *n, const rb_chain *chain,
                                   rb_repo *repo, const rb_oid *commit, rb_err *err);
/* Finds the release nearest to the commit, whether it verifies or not, and bad or not. */
enum rb_code rb_chain_nearest(const rb_chain_item **out, const rb_chain *chain, rb_repo *repo,
                              const rb_oid *commit, rb_err *err);

#endif
