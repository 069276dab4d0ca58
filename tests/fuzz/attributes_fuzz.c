/* gitattributes: PATTERN NUL PATH NUL a whole file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/lfs.h"
#include "git/attributes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text up to the next NUL; moves past it. */
static char *next_text(const char **p, const char *end)
{
    size_t len = strnlen(*p, (size_t)(end - *p));
    char *text = rb_strndup(*p, len);
    *p += len + (*p + len < end);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2048)
        return 0;
    const char *p = (const char *)data;
    const char *end = p + size;
    RB_AUTO(rb_free_str) char *pattern = next_text(&p, end);
    RB_AUTO(rb_free_str) char *path = next_text(&p, end);
    bool matched = rb_attributes_match(pattern, "", path);
    const char *slash = strrchr(path, '/');
    /* Without special characters a pattern matches exactly itself. */
    if (*pattern && !strpbrk(pattern, "*?[\\/") &&
        matched != (strcmp(pattern, slash ? slash + 1 : path) == 0))
        abort();
    if (rb_attributes_count(p, (size_t)(end - p)) > size)
        abort();
    rb_lfs_pointer pointer;
    if (rb_lfs_parse(&pointer, data, size) && strlen(pointer.oid) != RB_SHA256_HEX - 1)
        abort();
    return 0;
}
