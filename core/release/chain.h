/*
 * The chain: every release names its predecessor by tag, object id and hash of its signed bytes,
 * so a moved or rewritten tag shows. Maintenance lines are not forks; a second root, or two tag
 * objects of one name, is. A named predecessor that is absent is "unknown", one that is present
 * with another id is "moved" (a problem of both). An absent one whose tag object somebody kept (the
 * ledger) is an item too, marked lost, and "unknown" is a warning then. So is a release that
 * somebody knows of and no release here follows; where a tag is there in its place, it is "moved".
 *
 * The problem of a lost item that has no tag here is "lost". Whether the tag was never fetched or
 * was deleted is not known: its object may have come without it (git clone --single-branch
 * --no-tags), or have gone with it. Messages say that it is not here.
 */
#ifndef RB_RELEASE_CHAIN_H
#define RB_RELEASE_CHAIN_H

#include "base/keys.h"
#include "git/pushes.h"
#include "release/listcache.h"
#include "release/release.h"

typedef struct rb_chain_item {
    char *tag;
    char object[RB_OID_HEX];   /* of the tag object */
    rb_listed_release *listed; /* NULL when it does not verify */
    rb_release *release;       /* of one that verifies, after rb_chain_open() */
    rb_problems problems;      /* its own, and its link's: moved, unknown, fork */
    rb_oid commit;             /* what the tag is on, verified or not */
    bool has_commit;
    bool named; /* by a verified release, as its previous or one of its heads */
    bool lost;  /* no tag here leads to it; it verifies if its object was kept elsewhere */
    bool used;  /* of a lost one: it was live somewhere, or a server saw it come */
    char *bad;  /* why it is marked bad (rb_chain_mark_bad()); NULL: it is not, as far as known */
} rb_chain_item;

typedef struct rb_chain {
    rb_chain_item *items; /* newest first: descendants before ancestors, then by version */
    size_t n;
    rb_repo *repo; /* borrowed, as the signers */
    const rb_signers *signers;
} rb_chain;

/* The tag object of that name and id (40 hex digits) from where it was kept; *out stays NULL when
 * it is not to be had. It is verified as any tag is. */
typedef enum rb_code rb_chain_find_tag(const void *context, rb_tag **out, const char *tag,
                                       const char *object, rb_err *err);

typedef struct rb_known_releases { /* releases that somebody knows of */
    rb_link *items;                /* without sha256 */
    bool *used;                    /* it was live somewhere, or a server saw it come */
    size_t n;
} rb_known_releases;
void rb_known_releases_add(rb_known_releases *known, const char *tag, const char *object,
                           bool used);
void rb_known_releases_clear(rb_known_releases *known);

/* The tags of a repository. Names are borrowed. */
typedef struct rb_tags_here {
    struct rb_tag_here {
        const char *name;
        char object[RB_OID_HEX];
    } * items;
    size_t n;
    rb_keys keys;
} rb_tags_here;
void rb_tags_here_add(rb_tags_here *here, const char *name, const char *object);
void rb_tags_here_clear(rb_tags_here *here);
/* Returns the object of a tag, 40 hex digits; NULL if it is not here. */
const char *rb_tags_here_find(const rb_tags_here *here, const char *name);

/* Adds, newest first, the releases that must be here and are not. */
typedef void rb_chain_list_known(const void *context, rb_known_releases *out,
                                 const rb_tags_here *here);

enum {                     /* how a chain is loaded */
       RB_CHAIN_FRESH = 1, /* results of earlier commands are not used */
       RB_CHAIN_KEEP = 2
}; /* fresh, and every release that verifies stays open */

typedef struct rb_chain_more {
    unsigned how;
    const char *glob;            /* of names; NULL: any */
    const rb_pushes *pushed;     /* as it would be with the tags that a push creates; NULL: none */
    rb_chain_find_tag *find_tag; /* asked for releases that have no tag here; NULL: no one */
    rb_chain_list_known *list_known; /* with a find_tag */
    const void *context;
} rb_chain_more;

/*
 * Loads all tags that carry a manifest. Bad ones are items with problems, not errors. A release
 * that verified before, under the same signers and by the same version of the program, is not
 * verified again (listcache.h): rb_chain_open() does that for the releases that a command is about.
 * more may be NULL.
 */
enum rb_code rb_chain_load(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                           const rb_chain_more *more, rb_err *err);
/* Verifies the item's tag, unless it is open already, and returns the release, which is the
 * chain's. NULL when it does not verify: the item has the problem then. */
const rb_release *rb_chain_open(const rb_chain *chain, const rb_chain_item *item);
/* The same of all items, by several threads. */
void rb_chain_open_all(const rb_chain *chain);
void rb_chain_free(rb_chain *chain);
/* Leaves out a lost release that none here follows and nobody used: a mistake that was taken back
 * before it went anywhere. Its name is free. */
void rb_chain_drop_unused(rb_chain *chain, const char *tag);
RB_DEFINE_AUTO(rb_chain, rb_chain_free)

/* How problems name a part of link i: "previous.tag", or "heads[2].object". */
char *rb_chain_link_field(const rb_listed_release *listed, size_t i, const char *part);

/* All that is wrong with it is that it is not here, and maybe what it follows is not either. */
bool rb_chain_is_absent(const rb_chain_item *item);
/* The command that brings the tag of a release that is here under no tag: a fetch, or git
 * update-ref where the object is in the repository. */
char *rb_chain_cure(rb_repo *repo, const char *tag, const char *object);

/* The same where another object has its tag, and the ledger has it. */
char *rb_chain_back(rb_repo *repo, const char *tag, const char *object);

const rb_chain_item *rb_chain_find(const rb_chain *chain, const char *tag);

/* Asks of each release whether it is marked bad: why, owned by the caller, or NULL. */
typedef char *rb_chain_bad(const void *context, const char *tag, const char *object);
void rb_chain_mark_bad(rb_chain *chain, rb_chain_bad *ask, const void *context);

/*
 * The release that a new one at commit follows: nearest by ancestry; ties: the head no one names
 * yet, then version order. A bad one is passed over, unless all are bad; *passed_over is the
 * nearest that was, or NULL. *out, which is opened, is NULL where no verified release is an
 * ancestor. Both are borrowed.
 */
enum rb_code rb_chain_previous(const rb_release **out, const rb_chain_item **passed_over,
                               const rb_chain *chain, rb_repo *repo, const rb_oid *commit,
                               rb_err *err);
/* Finds all verified releases that are nearest to the commit and not bad, as far as is known.
 * items (owned, of chain->n) may also have one that another follows. */
enum rb_code rb_chain_nearest_good(const rb_chain_item ***items, size_t *n, const rb_chain *chain,
                                   rb_repo *repo, const rb_oid *commit, rb_err *err);
/* The nearest, whether it verifies or not, and bad or not. */
enum rb_code rb_chain_nearest(const rb_chain_item **out, const rb_chain *chain, rb_repo *repo,
                              const rb_oid *commit, rb_err *err);

#endif
