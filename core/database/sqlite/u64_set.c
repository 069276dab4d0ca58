#include "database/sqlite/u64_set.h"

#include <stdlib.h>

#include "base/buf.h"

static size_t home(const rb_keyset *set, uint64_t key)
{
    key ^= key >> 31;
    key *= 0x9e3779b97f4a7c15u;
    return (size_t)(key >> 20) & (set->cap - 1);
}

/* Where the key is, or where it would go. */
static size_t find(const rb_keyset *set, uint64_t key)
{
    size_t i = home(set, key);
    while (set->used[i] && set->slots[i] != key)
        i = (i + 1) & (set->cap - 1);
    return i;
}

static void grow(rb_keyset *set)
{
    const rb_keyset old = *set;
    set->cap = old.cap ? old.cap * 2 : 16;
    set->slots = rb_calloc(set->cap, sizeof *set->slots);
    set->used = rb_calloc(set->cap, 1);
    for (size_t i = 0; i < old.cap; i++) {
        if (!old.used[i])
            continue;
        size_t at = find(set, old.slots[i]);
        set->slots[at] = old.slots[i];
        set->used[at] = 1;
    }
    free(old.slots);
    free(old.used);
}

bool rb_keyset_has(const rb_keyset *set, uint64_t key)
{
    return set->n > 0 && set->used[find(set, key)];
}

bool rb_keyset_add(rb_keyset *set, uint64_t key)
{
    if (rb_keyset_has(set, key))
        return true;
    if (set->n >= RB_KEYSET_LIMIT)
        return false;
    if (set->cap == 0 || set->n + 1 > set->cap - set->cap / 4)
        grow(set);
    size_t at = find(set, key);
    set->slots[at] = key;
    set->used[at] = 1;
    set->n++;
    return true;
}

bool rb_keyset_remove(rb_keyset *set, uint64_t key)
{
    if (!rb_keyset_has(set, key))
        return false;
    size_t hole = find(set, key);
    set->used[hole] = 0;
    set->n--;
    /* Keys behind the hole that had to step over it move up. */
    for (size_t i = (hole + 1) & (set->cap - 1); set->used[i]; i = (i + 1) & (set->cap - 1)) {
        size_t distance = (i - home(set, set->slots[i])) & (set->cap - 1);
        size_t gap = (i - hole) & (set->cap - 1);
        if (distance < gap)
            continue;
        set->slots[hole] = set->slots[i];
        set->used[hole] = 1;
        set->used[i] = 0;
        hole = i;
    }
    return true;
}

bool rb_keyset_join(rb_keyset *set, const rb_keyset *other)
{
    bool all = true;
    for (size_t i = 0; i < other->cap; i++)
        if (other->used[i] && !rb_keyset_add(set, other->slots[i]))
            all = false;
    return all;
}

void rb_keyset_clear(rb_keyset *set)
{
    free(set->slots);
    free(set->used);
    *set = (rb_keyset){0};
}
