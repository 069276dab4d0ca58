/* The cache of tree ids: any bytes are read or passed over, and only whole chunks count. */
#include <stdint.h>
#include <stdlib.h>

#include "git/treecache.h"

#define CHUNK 57 /* the smallest piece of a file that may hold one record: 1 + 20 + 32, count */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RB_AUTO(rb_treecache_freep) rb_treecache *cache = rb_treecache_open("/nonexistent/treeids");
    if (rb_treecache_read(cache, data, size) > size / (CHUNK - 4))
        abort();
    /* What is put in afterwards is found again. */
    rb_oid oid = {{0}};
    unsigned char id[RB_SHA256_SIZE] = {7};
    unsigned char found[RB_SHA256_SIZE];
    bool known = rb_treecache_get(cache, &oid, RB_TREECACHE_TREE, found) ||
                 rb_treecache_get(cache, &oid, RB_TREECACHE_BLOB, found);
    rb_treecache_put(cache, &oid, RB_TREECACHE_TREE, id);
    if (!known && !rb_treecache_get(cache, &oid, RB_TREECACHE_TREE, found))
        abort();
    return 0;
}
