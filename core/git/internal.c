#include "git/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

_Static_assert(sizeof(rb_oid) == sizeof(git_oid), "an object id is 20 bytes in both");

void rb_oid_hex(const rb_oid *oid, char out[RB_OID_HEX])
{
    rb_hex_encode(oid->id, RB_OID_SIZE, out);
}

bool rb_oid_parse(rb_oid *out, const char *hex)
{
    return strlen(hex) == RB_OID_HEX - 1 && rb_hex_decode(hex, out->id, RB_OID_SIZE);
}

bool rb_oid_equal(const rb_oid *a, const rb_oid *b)
{
    return memcmp(a->id, b->id, RB_OID_SIZE) == 0;
}

const git_oid *rb_git_oid(const rb_oid *oid)
{
    return (const git_oid *)oid;
}

rb_oid rb_git_from(const git_oid *oid)
{
    rb_oid out;
    memcpy(out.id, oid->id, RB_OID_SIZE);
    return out;
}

char *rb_git_message(void)
{
    const git_error *error = git_error_last();
    return rb_safe(error && error->message ? error->message : "no reason given");
}

const char *rb_git_env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}
