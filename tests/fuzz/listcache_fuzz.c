/* What list remembers: any bytes are read or passed over, and what is shown is plain text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "release/listcache.h"

#define HEAD "rbtool releases 2\n"
#define RECORD 28 /* bytes of the smallest: an object id and two lengths */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char key[RB_SHA256_SIZE] = {1};

/* The records in a frame that is in order, so that they are looked at. */
static void read_framed(rb_listcache *cache, const uint8_t *data, size_t size)
{
    RB_AUTO(rb_buf_clear) rb_buf file = {0};
    unsigned char sum[RB_SHA256_SIZE];
    rb_buf_puts(&file, HEAD);
    rb_buf_add(&file, key, sizeof key);
    rb_buf_add(&file, size ? (const void *)data : "", size);
    rb_sha256_of(file.data, file.len, sum);
    rb_buf_add(&file, sum, sizeof sum);
    if (rb_listcache_read(cache, file.data, file.len) > size / RECORD)
        abort();
}

static void must_be_plain(const char *text)
{
    if (!rb_text_is_plain(text, strlen(text)))
        abort();
}

/* The first record's tag. */
static void look_up(rb_listcache *cache, const uint8_t *data, size_t size)
{
    rb_tag_ref ref = {.resolved = true};
    size_t len = size > 24 ? data[23] : 0;
    if (size < 24 + len)
        return;
    memcpy(ref.object.id, data, RB_OID_SIZE);
    ref.name = rb_strndup((const char *)data + 24, len);
    rb_listed_release *found = NULL;
    if (rb_listcache_get(&found, cache, &ref) == RB_LISTED_RELEASE) {
        must_be_plain(found->app);
        must_be_plain(found->version);
        must_be_plain(found->class_);
        must_be_plain(found->signer);
        must_be_plain(found->fingerprint);
        if (found->time < 0 || strlen(found->sha256) != RB_SHA256_HEX - 1)
            abort();
        rb_listcache_put(cache, &ref, found);
    }
    rb_listed_release_free(found);
    free(ref.name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RB_AUTO(rb_listcache_freep) rb_listcache *cache = rb_listcache_open("/nonexistent/list", key);
    if (rb_listcache_read(cache, data, size) > size / RECORD)
        abort();
    read_framed(cache, data, size);
    look_up(cache, data, size);
    return 0;
}
