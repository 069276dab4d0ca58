/*
 * What commands remember of the tags of a repository, in COMMON_DIR/rbtool/releases: which ones are
 * not releases, and of those that verified what others need to know of them. So a command verifies
 * only the releases that it is about, whatever the number of the others.
 *
 * A record is for one name and one tag object. The file as a whole is for one set of signers and
 * revocations (their bytes, and times in them as this host's time zone reads them), one pinned
 * app, one version of the program. Signatures that can lapse with time or with a keyring (OpenPGP,
 * tags without a time) are never in it, nor is a release that does not verify. The file is trusted
 * as the repository's config is, which lies beside it and names the signers. Objects behind a tag
 * are not checked for presence again: rb_chain_open() notices that they have gone.
 */
#ifndef RB_RELEASE_LISTCACHE_H
#define RB_RELEASE_LISTCACHE_H

#include "base/record_cache.h"
#include "git/tag.h"
#include "release/release.h"

/* What a verified release says of itself. Its texts are in the record. */
typedef struct rb_listed_release {
    const char *app;
    const char *version;
    const char *class_;
    const char *signer;
    const char *fingerprint;    /* of the signer's key */
    const char *folders;        /* of migrations: a line "LAYOUT ENGINE DIRECTORY" for a database */
    int64_t time;               /* the tagger's */
    bool lasts;                 /* rb_verified_lasts() */
    char sha256[RB_SHA256_HEX]; /* of the signed bytes */
    rb_oid commit;
    const rb_link *previous; /* NULL for the first */
    rb_link *links;          /* the previous one, if any, and the other heads */
    size_t link_count;
    size_t len;
    unsigned char record[];
} rb_listed_release;

rb_listed_release *rb_listed_release_new(const rb_release *release);
void rb_listed_release_free(rb_listed_release *listed);
RB_DEFINE_AUTO(rb_listed_release, rb_listed_release_free)

enum rb_listed_kind { RB_LISTED_UNKNOWN, RB_LISTED_OTHER /* not a release */, RB_LISTED_RELEASE };

rb_record_cache *rb_listcache_open(const char *path, const rb_signers *signers, const char *pinned);

/* From any thread; *out only for a release. */
enum rb_listed_kind rb_listcache_get(rb_listed_release **out, const rb_record_cache *cache,
                                     const rb_tag_ref *ref);

/* Adds what is not known yet; listed NULL: not a release. */
void rb_listcache_put(rb_record_cache *cache, const rb_tag_ref *ref,
                      const rb_listed_release *listed);

#endif
