/*
 * What a loaded ledger's entries borrow from, and the judgements that are kept between commands.
 *
 * The judgements are in COMMON_DIR/rbtool/ledger, by the entry's id and for one digest of signers
 * and revocations: other signers begin the file anew. Nothing here fails: without it there is only
 * more to do.
 */
#ifndef RB_LEDGER_VERIFY_CACHE_H
#define RB_LEDGER_VERIFY_CACHE_H

#include "base/record_cache.h"
#include "ledger/ledger.h"

/* An entry as it was judged, apart from the ledger that it is in. Strings are borrowed. */
typedef struct rb_checked_entry {
    rb_entry entry; /* parents' indexes not set */
    rb_oid parents[RB_ENTRY_PARENTS];
    bool claims;  /* is an entry, good or not, whose parents are to be looked at */
    bool kept;    /* came from the file */
    bool passing; /* not to be kept */
} rb_checked_entry;

typedef struct rb_ledger_store rb_ledger_store;

#define RB_VOUCHED_LIMIT (512u << 20)  /* bytes of all entries that allowed signers signed */
#define RB_UNVOUCHED_LIMIT (64u << 20) /* the same of all others */

struct rb_ledger_store {
    char **blocks; /* of the strings */
    size_t block_count;
    size_t left;
    size_t vouched; /* bytes of entries that it holds, by allowed signers and by others */
    size_t unvouched;
    bool full; /* an entry by an allowed signer was over the limit: the ledger cannot be used */
    rb_record_cache *cache; /* NULL: judgements are not cached; strings point into it */
    size_t *order;          /* the ledger's indexes, ordered by id */
    size_t *chain;          /* of every entry: a line of first children that it is in, and */
    size_t *place;          /* how far along */
};

rb_ledger_store *rb_ledger_store_new(void);
void rb_ledger_store_free(rb_ledger_store *store);

/* Strings that live as long as the store. */
const char *rb_ledger_store_text(rb_ledger_store *store, const char *text, size_t len);

/* Counts an entry of len bytes; false when those of its kind would be more than their limit. */
bool rb_ledger_store_admits(rb_ledger_store *store, enum rb_entry_trust trust, size_t len);

/* Reads what was kept under these signers. */
void rb_ledger_store_open(rb_ledger_store *store, const char *common_dir, const char *digest);
/* False when it is not kept. The caller owns entry.problems. */
bool rb_ledger_store_get(rb_checked_entry *out, const rb_ledger_store *store, const rb_oid *id);
/* Keeps those of judged[] that are not kept yet. */
void rb_ledger_store_save(rb_ledger_store *store, const rb_checked_entry *judged, size_t n);

#endif
