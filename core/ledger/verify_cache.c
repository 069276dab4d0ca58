#include "ledger/verify_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "trust/wire.h"

#define BLOCK ((size_t)64 << 10)
#define STRINGS 5 /* number of strings of a problem */

rb_ledger_store *rb_ledger_store_new(void)
{
    return rb_calloc(1, sizeof(rb_ledger_store));
}

void rb_ledger_store_free(rb_ledger_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->block_count; i++)
        free(store->blocks[i]);
    free(store->blocks);
    rb_record_cache_free(store->cache);
    free(store->order);
    free(store->chain);
    free(store->place);
    free(store);
}

const char *rb_ledger_store_text(rb_ledger_store *store, const char *text, size_t len)
{
    if (len + 1 > store->left) {
        size_t size = len + 1 > BLOCK ? len + 1 : BLOCK;
        store->blocks = rb_realloc(store->blocks, store->block_count + 1, sizeof *store->blocks);
        store->blocks[store->block_count++] = rb_malloc(size);
        store->left = size;
    }
    /* Fill blocks from the end, so that their size need not be stored. */
    char *block = store->blocks[store->block_count - 1];
    store->left -= len + 1;
    char *out = block + store->left;
    memcpy(out, text, len);
    out[len] = '\0';
    return out;
}

bool rb_ledger_store_admits(rb_ledger_store *store, enum rb_entry_trust trust, size_t len)
{
    size_t *sum = trust == RB_ENTRY_GOOD ? &store->vouched : &store->unvouched;
    size_t limit = trust == RB_ENTRY_GOOD ? RB_VOUCHED_LIMIT : RB_UNVOUCHED_LIMIT;
    if (len > limit - *sum) {
        store->full = store->full || trust == RB_ENTRY_GOOD;
        return false;
    }
    *sum += len;
    return true;
}

/* Stores the text with a NUL, because members of an entry point to it. */
static void put_text(rb_buf *out, const char *text, size_t len)
{
    rb_wire_put_string(out, text, text ? len + 1 : 0);
}

static void put_string(rb_buf *out, const char *text)
{
    put_text(out, text, text ? strlen(text) : 0);
}

static bool take_text(rb_wire *w, const char **out, size_t *len)
{
    rb_wire text;
    if (!rb_wire_string(w, &text) ||
        (text.left > 0 && memchr(text.p, '\0', text.left) != text.p + text.left - 1))
        return false;
    *out = text.left > 0 ? (const char *)text.p : NULL;
    *len = text.left > 0 ? text.left - 1 : 0;
    return true;
}

static bool take_string(rb_wire *w, const char **out)
{
    size_t len;
    return take_text(w, out, &len);
}

static void put_record(rb_buf *out, const rb_checked_entry *judged)
{
    const rb_entry *entry = &judged->entry;
    rb_buf_addc(out, (char)entry->kind);
    rb_buf_addc(out, (char)entry->trust);
    rb_buf_addc(out, (char)judged->claims);
    rb_wire_put_u64(out, (uint64_t)entry->at);
    rb_buf_addc(out, (char)entry->parent_count);
    for (size_t i = 0; i < entry->parent_count; i++)
        rb_buf_add(out, judged->parents[i].id, RB_OID_SIZE);
    const char *const texts[] = {entry->title,     entry->app,       entry->ledger,
                                 entry->tag,       entry->object,    entry->environment,
                                 entry->committer, entry->principal, entry->fingerprint};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        put_string(out, texts[i]);
    put_text(out, entry->text, entry->text_len);
    for (size_t i = 0; i < entry->problems.n; i++) {
        const rb_problem *p = &entry->problems.items[i];
        const char *const strings[STRINGS] = {p->code, p->field, p->expected, p->found, p->message};
        rb_buf_addc(out, (char)p->warning);
        for (size_t j = 0; j < STRINGS; j++)
            put_string(out, strings[j]);
    }
}

static bool take_problems(rb_problems *out, rb_wire *w)
{
    while (w->left > 0) {
        unsigned char warning;
        const char *strings[STRINGS] = {NULL};
        bool ok = rb_wire_u8(w, &warning);
        for (size_t j = 0; ok && j < STRINGS; j++)
            ok = take_string(w, &strings[j]);
        if (!ok || !strings[0] || !strings[4])
            return false;
        rb_problems_add(out, strings[0], strings[1], strings[2], strings[3], "%s", strings[4]);
        if (warning)
            rb_problems_warn(out);
    }
    return true;
}

static bool take_head(rb_checked_entry *out, rb_wire *w)
{
    rb_entry *entry = &out->entry;
    unsigned char kind;
    unsigned char trust;
    unsigned char claims;
    unsigned char parents;
    uint64_t at;
    if (!rb_wire_u8(w, &kind) || !rb_wire_u8(w, &trust) || !rb_wire_u8(w, &claims) ||
        !rb_wire_u64(w, &at) || !rb_wire_u8(w, &parents) || kind > RB_ENTRY_KINDS ||
        trust > RB_ENTRY_FOREIGN || parents > RB_ENTRY_PARENTS)
        return false;
    entry->kind = (enum rb_entry_kind)kind;
    entry->trust = (enum rb_entry_trust)trust;
    entry->at = (int64_t)at;
    entry->parent_count = parents;
    out->claims = claims != 0;
    size_t len = parents * sizeof *out->parents;
    if (len > w->left)
        return false;
    out->parents = (const rb_oid *)w->p;
    w->p += len;
    w->left -= len;
    return true;
}

static bool take_record(rb_checked_entry *out, rb_wire w)
{
    rb_entry *entry = &out->entry;
    if (!take_head(out, &w))
        return false;
    const char **const texts[] = {&entry->title,     &entry->app,       &entry->ledger,
                                  &entry->tag,       &entry->object,    &entry->environment,
                                  &entry->committer, &entry->principal, &entry->fingerprint};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!take_string(&w, texts[i]))
            return false;
    if (take_text(&w, &entry->text, &entry->text_len) && take_problems(&entry->problems, &w) &&
        entry->title && entry->committer)
        return true;
    rb_problems_clear(&entry->problems);
    return false;
}

void rb_ledger_store_open(rb_ledger_store *store, const char *common_dir, const char *digest)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(common_dir, "rbtool/ledger");
    RB_AUTO(rb_free_str) char *header = rb_format("rbtool ledger 3 %s\n", digest);
    store->cache = rb_record_cache_open(path, header);
}

bool rb_ledger_store_get(rb_checked_entry *out, const rb_ledger_store *store, const rb_oid *id)
{
    const void *data;
    size_t len;
    if (!store->cache || !rb_record_cache_get(&data, &len, store->cache, id->id))
        return false;
    *out = (rb_checked_entry){.entry.id = *id, .kept = true};
    return take_record(out, rb_wire_of(data, len));
}

void rb_ledger_store_save(rb_ledger_store *store, const rb_checked_entry *judged, size_t n)
{
    if (!store->cache)
        return;
    for (size_t i = 0; i < n; i++) {
        RB_AUTO(rb_buf_clear) rb_buf record = {0};
        if (judged[i].passing || judged[i].kept)
            continue;
        put_record(&record, &judged[i]);
        rb_record_cache_put(store->cache, judged[i].entry.id.id, record.data, record.len);
    }
    rb_record_cache_save(store->cache);
}
