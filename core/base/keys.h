/*
 * Finds places in a list by key. A key has 20 bytes and is a hash, such as an object id, or is a
 * name. The list and its keys are the caller's: the table holds numbers only, below UINT32_MAX.
 *
 * Set key and list, add, find, clear. Nothing fails.
 */
#ifndef RB_BASE_KEYS_H
#define RB_BASE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RB_KEY_SIZE 20

/* Returns the key at a place. */
typedef const void *rb_keys_at(const void *list, size_t place);

typedef struct rb_keys {
    rb_keys_at *key;
    const void *list;
    bool names;      /* keys are strings */
    uint32_t *slots; /* open addressing: 0, or 1 more than a place; a power of two of them */
    size_t slot_count;
    size_t n;
} rb_keys;

bool rb_keys_find(size_t *place, const rb_keys *keys, const void *key);
/* Adds a place, in place of the one that has its key. */
void rb_keys_add(rb_keys *keys, size_t place);
/* Makes room for n more at once. */
void rb_keys_reserve(rb_keys *keys, size_t n);
/* Makes it empty. */
void rb_keys_clear(rb_keys *keys);

#endif
