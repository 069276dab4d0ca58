/*
 * Stores the strings of a loaded ledger's entries, and caches verification results between
 * commands.
 *
 * The results are in COMMON_DIR/rbtool/ledger, by the entry's id and for one digest of signers
 * and revocations: with other signers the file is recreated. Nothing here fails: without the
 * cache everything is verified again.
 */
#ifndef RB_LEDGER_VERIFY_CACHE_H
#define RB_LEDGER_VERIFY_CACHE_H

#include "base/record_cache.h"
#include "ledger/ledger.h"

/* A verified entry, independent of the ledger that it is in. Strings are borrowed. */
typedef struct rb_checked_entry {
    rb_entry entry; /* without the indexes of the parents */
    const rb_oid *parents;
    bool claims;  /* it claims to be an entry, valid or not, so its parents are read */
    bool kept;    /* read from the cache file */
    bool passing; /* result may change, so it must not be cached */
} rb_checked_entry;

typedef struct rb_ledger_store rb_ledger_store;

#define RB_VOUCHED_LIMIT (512u << 20)  /* bytes of all entries signed by allowed signers */
#define RB_UNVOUCHED_LIMIT (64u << 20) /* bytes of all other entries */

struct rb_ledger_store {
    char **blocks; /* blocks of memory for the strings */
    size_t block_count;
    size_t left;
    size_t vouched; /* bytes of the stored entries of allowed signers; unvouched: of others */
    size_t unvouched;
    bool full; /* entries of allowed signers exceeded the limit: the ledger cannot be used */
    rb_record_cache *cache; /* NULL: results are not cached; strings may point into the cache */
    size_t *order;          /* the ledger's indexes, sorted by entry id */
    size_t *chain;          /* for each entry, its line (see ledger.c) */
    size_t *place;          /* for each entry, its position on that line */
};

rb_ledger_store *rb_ledger_store_new(void);
void rb_ledger_store_free(rb_ledger_store *store);

/* Copies a string, which lives as long as the store. */
const char *rb_ledger_store_text(rb_ledger_store *store, const char *text, size_t len);

/* Counts len bytes of an entry with this trust; false if that exceeds the limit of allowed signers'
 * entries, or of all others. */
bool rb_ledger_store_admits(rb_ledger_store *store, enum rb_entry_trust trust, size_t len);

/* Opens the cache for signers with this digest. */
void rb_ledger_store_open(rb_ledger_store *store, const char *common_dir, const char *digest);
/* Looks up an entry; false if it is not cached. The caller owns entry.problems. */
bool rb_ledger_store_get(rb_checked_entry *out, const rb_ledger_store *store, const rb_oid *id);
/* Caches the entries of checked[] that are not cached yet. */
void rb_ledger_store_save(rb_ledger_store *store, const rb_checked_entry *judged, size_t n);

#endif
