/*
 * Paths of artifacts: TARGET NUL PATH. What counts as safe has no way out of a folder, and what the
 * tar says is what went in.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/tar.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_safe(const char *path)
{
    RB_AUTO(rb_free_str) char *wrapped = rb_format("/%s/", path);
    if (!*path || strstr(wrapped, "//") || strstr(wrapped, "/../") || strstr(wrapped, "/./") ||
        strcasestr(wrapped, "/.git/") || strcasestr(wrapped, "/git~1/"))
        abort();
}

/* A value of the pax header, or NULL. */
static char *record(const char *records, size_t len, const char *key)
{
    size_t at = 0;
    while (at < len) {
        char *value = NULL;
        size_t n = strtoul(records + at, &value, 10);
        if (n == 0 || n > len - at || *value != ' ' || records[at + n - 1] != '\n')
            abort();
        const char *equals = strchr(++value, '=');
        if ((size_t)(equals - value) == strlen(key) && strncmp(value, key, strlen(key)) == 0)
            return rb_strndup(equals + 1, (size_t)(records + at + n - 1 - (equals + 1)));
        at += n;
    }
    return NULL;
}

static char *field(const char *block, size_t at, size_t len)
{
    return rb_strndup(block + at, strnlen(block + at, len));
}

static void check_tar(const char *path, const char *target)
{
    RB_AUTO(rb_buf_clear) rb_buf head = {0};
    rb_tar_entry entry = {.path = path, .mode = RB_MODE_LINK, .target = target};
    rb_tar_head(&head, &entry);
    const char *last = head.data + head.len - RB_TAR_BLOCK;
    bool pax = head.len > RB_TAR_BLOCK;
    size_t len = pax ? strtoul(head.data + 124, NULL, 8) : 0;
    if (head.len % RB_TAR_BLOCK != 0 || (pax && head.data[156] != 'x') || last[156] != '2')
        abort();
    RB_AUTO(rb_free_str)
    char *long_path = pax ? record(head.data + RB_TAR_BLOCK, len, "path") : NULL;
    RB_AUTO(rb_free_str)
    char *long_target = pax ? record(head.data + RB_TAR_BLOCK, len, "linkpath") : NULL;
    RB_AUTO(rb_free_str) char *name = field(last, 0, 100);
    RB_AUTO(rb_free_str) char *prefix = field(last, 345, 155);
    RB_AUTO(rb_free_str) char *link = field(last, 157, 100);
    RB_AUTO(rb_free_str) char *joined = rb_format("%s%s%s", prefix, *prefix ? "/" : "", name);
    if (strcmp(long_path ? long_path : joined, path) != 0 ||
        strcmp(long_target ? long_target : link, target) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 8192)
        return 0;
    const char *bytes = (const char *)data;
    size_t first = strnlen(bytes, size);
    RB_AUTO(rb_free_str) char *target = rb_strndup(bytes, first);
    size_t rest = first < size ? first + 1 : size;
    size_t len = size - rest;
    RB_AUTO(rb_free_str) char *path = rb_strndup(bytes + rest, len);
    if (!rb_path_is_safe(bytes + rest, len))
        return 0;
    if (strlen(path) != len)
        abort(); /* a NUL byte is not safe */
    check_safe(path);
    check_tar(path, target);
    return 0;
}
