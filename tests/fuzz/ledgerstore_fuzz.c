/* The judgements that are kept of a ledger: the input stands in a chunk whose hash is right. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "ledger/verify_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char sum[RB_SHA256_SIZE];
    rb_ledger_store *store = rb_ledger_store_new();
    rb_sha256_of(size ? (const void *)data : "", size, sum);
    rb_buf_puts(&store->file, "rbtool ledger 1 digest\n");
    for (int shift = 0; shift < 32; shift += 8)
        rb_buf_addc(&store->file, (char)(size >> shift & 0xff));
    rb_buf_add(&store->file, sum, sizeof sum);
    if (size)
        rb_buf_add(&store->file, data, size);
    size_t n = rb_ledger_store_read(store, "digest");
    for (size_t i = 0; i < n; i++) {
        rb_oid id;
        rb_judged judged;
        memcpy(id.id, store->file.data + store->offsets[i] + 4, RB_OID_SIZE);
        if (!rb_ledger_store_get(&judged, store, &id))
            continue;
        const rb_entry *entry = &judged.entry;
        if (!rb_oid_equal(&entry->id, &id) || !judged.kept || !entry->title || !entry->committer ||
            entry->kind > RB_ENTRY_KINDS || entry->trust > RB_ENTRY_FOREIGN ||
            entry->parent_count > RB_ENTRY_PARENTS ||
            (entry->text && strlen(entry->text) != entry->text_len))
            abort();
        rb_json_free((json_t *)rb_entry_json(entry));
        rb_problems_clear(&judged.entry.problems);
    }
    rb_ledger_store_free(store);
    return 0;
}
