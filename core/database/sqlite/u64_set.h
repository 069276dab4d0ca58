/* A set of 64-bit keys, at most RB_KEYSET_LIMIT of them. A zeroed one is empty. */
#ifndef RB_DATABASE_SQLITE_U64_SET_H
#define RB_DATABASE_SQLITE_U64_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RB_KEYSET_LIMIT (4u << 20)

typedef struct rb_keyset {
    uint64_t *slots;
    unsigned char *used;
    size_t n;
    size_t cap; /* a power of two */
} rb_keyset;

/* False when it is full and the key is not in it. */
bool rb_keyset_add(rb_keyset *set, uint64_t key);
bool rb_keyset_has(const rb_keyset *set, uint64_t key);
bool rb_keyset_remove(rb_keyset *set, uint64_t key); /* was it there? */
/* Adds all of other; false when there was no room for all. */
bool rb_keyset_join(rb_keyset *set, const rb_keyset *other);
void rb_keyset_clear(rb_keyset *set);

#endif
