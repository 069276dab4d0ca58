/*
 * What `list` remembers between runs, in COMMON_DIR/rbtool/releases: which tags are no releases,
 * and of those that verified what a list shows. For showing only: whatever is decided (verify,
 * deploy, revert, release) is judged anew.
 *
 * A record is for one name and one tag object. The file as a whole is for one set of signers and
 * revocations (their bytes, and times in them as this host's time zone reads them), one pinned
 * app, one version of the program; signatures that can lapse with time or with a keyring (OpenPGP,
 * tags without a time) are never in it. A file for something else, cut or damaged, is passed over
 * and written anew. That objects behind a tag are still there is not asked again.
 *
 * Header line, 32 bytes of key, records, and a SHA-256 over all before it. Nothing here fails.
 */
#ifndef RB_RELEASE_LISTCACHE_H
#define RB_RELEASE_LISTCACHE_H

#include "git/tag.h"
#include "release/manifest.h"
#include "trust/trust.h"

/* What a verified release says of itself. */
typedef struct rb_listed_release {
    char *app;
    char *version;
    char *class_;
    char *signer;
    char *fingerprint;          /* of the signer's key */
    int64_t time;               /* the tagger's */
    bool lasts;                 /* rb_verified_lasts() */
    char sha256[RB_SHA256_HEX]; /* of the signed bytes */
    rb_link *previous;          /* NULL for the first */
    rb_link *heads;
    size_t head_count;
} rb_listed_release;

void rb_listed_release_free(rb_listed_release *summary);
RB_DEFINE_AUTO(rb_listed_release, rb_listed_release_free)

typedef struct rb_listcache rb_listcache;

enum rb_listed_kind { RB_LISTED_UNKNOWN, RB_LISTED_OTHER /* no release */, RB_LISTED_RELEASE };

rb_listcache *rb_listcache_open(const char *path, const unsigned char key[RB_SHA256_SIZE]);
void rb_listcache_free(rb_listcache *cache);
RB_DEFINE_AUTO(rb_listcache, rb_listcache_free)

void rb_listcache_key(unsigned char out[RB_SHA256_SIZE], const rb_signers *signers,
                      const char *pinned, const char *version);

/* From any thread; *out only for a release. */
enum rb_listed_kind rb_listcache_get(rb_listed_release **out, const rb_listcache *cache,
                                     const rb_tag_ref *ref);

/* Every tag is put, known before or not; summary NULL: no release. */
void rb_listcache_put(rb_listcache *cache, const rb_tag_ref *ref, const rb_listed_release *summary);
/* Writes what was put, when it is not what the file holds. */
void rb_listcache_save(rb_listcache *cache);

/* For the fuzzer: reads a file's bytes; the number of records that were taken. */
size_t rb_listcache_read(rb_listcache *cache, const void *data, size_t len);

#endif
