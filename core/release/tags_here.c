#include <stdlib.h>
#include <string.h>

#include "release/chain.h"

static const void *name_of(const void *here, size_t i)
{
    return ((const rb_tags_here *)here)->items[i].name;
}

void rb_tags_here_add(rb_tags_here *here, const char *name, const char object[RB_OID_HEX])
{
    here->items = rb_grow(here->items, here->n, sizeof *here->items);
    here->keys.key = name_of;
    here->keys.list = here;
    here->keys.names = true;
    here->items[here->n].name = name;
    memcpy(here->items[here->n].object, object, RB_OID_HEX);
    rb_keys_add(&here->keys, here->n++);
}

void rb_tags_here_clear(rb_tags_here *here)
{
    rb_keys_clear(&here->keys);
    free(here->items);
    *here = (rb_tags_here){0};
}

const char *rb_tags_here_find(const rb_tags_here *here, const char *name)
{
    size_t i;
    return rb_keys_find(&i, &here->keys, name) ? here->items[i].object : NULL;
}
