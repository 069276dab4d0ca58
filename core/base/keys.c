#include "base/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Hashes a key: the first bytes of a binary key, which is a hash already; FNV-1a of a name. */
static size_t hash_of(const rb_keys *keys, const void *key)
{
    uint64_t hash = 14695981039346656037u;
    if (!keys->names)
        memcpy(&hash, key, sizeof hash);
    for (const char *p = keys->names ? key : ""; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    return hash;
}

static bool is_same(const rb_keys *keys, const void *a, const void *b)
{
    return keys->names ? strcmp(a, b) == 0 : memcmp(a, b, RB_KEY_SIZE) == 0;
}

static uint32_t *slot_of(const rb_keys *keys, const void *key)
{
    size_t i = hash_of(keys, key);
    for (i &= keys->slot_count - 1;; i = (i + 1) & (keys->slot_count - 1)) {
        uint32_t *slot = &keys->slots[i];
        if (*slot == 0 || is_same(keys, keys->key(keys->list, *slot - 1), key))
            return slot;
    }
}

bool rb_keys_find(size_t *index, const rb_keys *keys, const void *key)
{
    uint32_t slot = keys->n > 0 ? *slot_of(keys, key) : 0;
    if (slot == 0)
        return false;
    *index = slot - 1;
    return true;
}

void rb_keys_reserve(rb_keys *keys, size_t n)
{
    size_t old_count = keys->slot_count;
    n += keys->n;
    if (n * 2 <= old_count)
        return;
    uint32_t *old = keys->slots;
    keys->slot_count = old_count ? old_count : 64;
    while (n * 2 > keys->slot_count)
        keys->slot_count *= 2;
    keys->slots = rb_calloc(keys->slot_count, sizeof *keys->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i] != 0)
            *slot_of(keys, keys->key(keys->list, old[i] - 1)) = old[i];
    free(old);
}

void rb_keys_add(rb_keys *keys, size_t index)
{
    rb_keys_reserve(keys, 1);
    uint32_t *slot = slot_of(keys, keys->key(keys->list, index));
    keys->n += *slot == 0;
    *slot = (uint32_t)index + 1;
}

void rb_keys_clear(rb_keys *keys)
{
    free(keys->slots);
    keys->slots = NULL;
    keys->slot_count = keys->n = 0;
}
