#include "base/keys.h"

#include <stdlib.h>
#include <string.h>

/* Hashes a key: the first bytes of a binary key, which is a hash already; FNV-1a of a name. */
static uint32_t hash_of(const rb_keys *keys, const void *key)
{
    uint32_t hash = 2166136261u;
    if (!keys->names)
        memcpy(&hash, key, sizeof hash);
    for (const char *p = keys->names ? key : ""; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return hash;
}

static bool is_same(const rb_keys *keys, const void *a, const void *b)
{
    return keys->names ? strcmp(a, b) == 0 : memcmp(a, b, RB_KEY_SIZE) == 0;
}

/* Returns the slot of a key, or the free one where it belongs. key NULL: the free one. */
static struct rb_keys_slot *slot_of(const rb_keys *keys, uint32_t hash, const void *key)
{
    for (size_t i = hash & (keys->slot_count - 1);; i = (i + 1) & (keys->slot_count - 1)) {
        struct rb_keys_slot *slot = &keys->slots[i];
        if (slot->at == 0 ||
            (key && slot->hash == hash && is_same(keys, keys->key(keys->list, slot->at - 1), key)))
            return slot;
    }
}

bool rb_keys_find(size_t *index, const rb_keys *keys, const void *key)
{
    size_t at = keys->n > 0 ? slot_of(keys, hash_of(keys, key), key)->at : 0;
    if (at > 0)
        *index = at - 1;
    return at > 0;
}

void rb_keys_reserve(rb_keys *keys, size_t n)
{
    size_t old_count = keys->slot_count;
    n += keys->n;
    if (n * 2 <= old_count)
        return;
    struct rb_keys_slot *old = keys->slots;
    keys->slot_count = old_count ? old_count : 64;
    while (n * 2 > keys->slot_count)
        keys->slot_count *= 2;
    keys->slots = rb_calloc(keys->slot_count, sizeof *keys->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].at != 0)
            *slot_of(keys, old[i].hash, NULL) = old[i];
    free(old);
}

void rb_keys_add(rb_keys *keys, size_t index)
{
    const void *key = keys->key(keys->list, index);
    const uint32_t hash = hash_of(keys, key);
    rb_keys_reserve(keys, 1);
    struct rb_keys_slot *slot = slot_of(keys, hash, key);
    keys->n += slot->at == 0;
    *slot = (struct rb_keys_slot){hash, (uint32_t)index + 1};
}

void rb_keys_reorder(rb_keys *keys, const size_t *to)
{
    for (size_t i = 0; i < keys->slot_count; i++)
        if (keys->slots[i].at != 0)
            keys->slots[i].at = (uint32_t)to[keys->slots[i].at - 1] + 1;
}

void rb_keys_clear(rb_keys *keys)
{
    free(keys->slots);
    keys->slots = NULL;
    keys->slot_count = keys->n = 0;
}

static const void *name_at(const void *list, size_t index)
{
    return ((char *const *)list)[index];
}

void rb_keys_of_names(rb_keys *keys, const rb_strs *names)
{
    *keys = (rb_keys){.key = name_at, .list = names->items, .names = true};
    rb_keys_reserve(keys, names->n);
    for (size_t i = 0; i < names->n; i++)
        rb_keys_add(keys, i);
}

bool rb_keys_has(const rb_keys *keys, const void *key)
{
    size_t index;
    return rb_keys_find(&index, keys, key);
}
