/*
 * Caches, in COMMON_DIR/rbtool/releases, which tags are not releases, and what commands need to
 * know of verified releases. A command then only verifies the releases that it is about.
 *
 * A record is valid for one name and one tag object. The whole file is valid for one set of signers
 * and revocations (their bytes, and the times in them in this host's time zone), one pinned app,
 * and one version of rbtool. It never contains releases that do not verify, or signatures that can
 * become invalid by time or by a keyring (OpenPGP, tags without a time).
 *
 * The file is trusted like the repository's config beside it, which names the signers. Whether the
 * objects of a release still exist is not checked; rb_chain_open() does that.
 */
#ifndef RB_RELEASE_LISTCACHE_H
#define RB_RELEASE_LISTCACHE_H

#include "base/record_cache.h"
#include "git/tag.h"
#include "release/release.h"

/* Data of a verified release, one allocation. The texts are stored in the record. */
typedef struct rb_listed_release {
    const char *app;
    const char *version;
    const char *class_;
    const char *signer;
    const char *fingerprint; /* fingerprint of the signer's key */
    /* folders of migrations: a line "LAYOUT ENGINE DIRECTORY" for each database */
    const char *folders;
    int64_t time;               /* the tagger's time */
    bool lasts;                 /* the result may be cached: rb_verified_lasts() */
    char sha256[RB_SHA256_HEX]; /* SHA-256 of the signed bytes */
    rb_oid commit;
    const rb_link *previous; /* link to the predecessor, in links; NULL for the first release */
    size_t link_count;
    const unsigned char *record;
    size_t len;
    rb_link links[]; /* the predecessor, if any, then the other heads; the record is behind them */
} rb_listed_release;

rb_listed_release *rb_listed_release_new(const rb_release *release);
void rb_listed_release_free(rb_listed_release *listed);
RB_DEFINE_AUTO(rb_listed_release, rb_listed_release_free)

enum rb_listed_kind {
    RB_LISTED_UNKNOWN,
    RB_LISTED_OTHER /* RB_LISTED_OTHER: the tag is not a
                       release */
    ,
    RB_LISTED_RELEASE
};

rb_record_cache *rb_listcache_open(const char *path, const rb_signers *signers, const char *pinned);

/* Looks up a tag. Sets *out for a release only. Several threads may call this. */
enum rb_listed_kind rb_listcache_get(rb_listed_release **out, const rb_record_cache *cache,
                                     const rb_tag_ref *ref);

/* Caches a tag, unless it is cached. listed is NULL for a tag that is not a release. */
void rb_listcache_put(rb_record_cache *cache, const rb_tag_ref *ref,
                      const rb_listed_release *listed);

#endif
