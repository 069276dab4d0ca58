/*
 * An index of a list: finds the position of an item by its key. A key is a hash of 20 bytes, such
 * as an object id, or a name. The list and the keys belong to the caller; the table holds only
 * positions, below UINT32_MAX.
 *
 * Order of calls: set key and list, then rb_keys_add() and rb_keys_find(), rb_keys_clear(). Nothing
 * fails.
 */
#ifndef RB_BASE_KEYS_H
#define RB_BASE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define RB_KEY_SIZE 20

/* Returns the key of the item at a position. */
typedef const void *rb_keys_at(const void *list, size_t index);

typedef struct rb_keys {
    rb_keys_at *key;
    const void *list;
    bool names; /* keys are strings, not hashes */
    /* Hash table with open addressing; slot_count is a power of two. The hash is stored, so that a
     * search reads only keys that match. */
    struct rb_keys_slot {
        uint32_t hash;
        uint32_t at; /* 0, or position + 1 */
    } * slots;
    size_t slot_count;
    size_t n;
} rb_keys;

bool rb_keys_find(size_t *index, const rb_keys *keys, const void *key);
/* Adds the item at a position. Replaces an item with the same key. */
void rb_keys_add(rb_keys *keys, size_t index);
/* Allocates room for n more items. */
void rb_keys_reserve(rb_keys *keys, size_t n);
/* Must be called after the list was reordered: the item at position i is at to[i] now. */
void rb_keys_reorder(rb_keys *keys, const size_t *to);
/* Removes all items and frees the table. */
void rb_keys_clear(rb_keys *keys);

/* Indexes a list of names, which must not change while the index is used. */
void rb_keys_of_names(rb_keys *keys, const rb_strs *names);
bool rb_keys_has(const rb_keys *keys, const void *key);

#endif
