/* Operations on paths as text, and resolution of symlinks. */
#include "base/file.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *rb_path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0')
        return rb_strdup(name);
    return rb_format("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

char *rb_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return rb_strdup(".");
    return slash == path ? rb_strdup("/") : rb_strndup(path, (size_t)(slash - path));
}

/* Returns the length of a code point at p that HFS+ ignores in file names (git's utf8.c,
 * next_hfs_char), or 0. */
static size_t hfs_ignored(const char *p, size_t len)
{
    static const char *const ignored[] = {
        "\xe2\x80\x8c", "\xe2\x80\x8d", "\xe2\x80\x8e", "\xe2\x80\x8f",
        "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad",
        "\xe2\x80\xae", "\xe2\x81\xaa", "\xe2\x81\xab", "\xe2\x81\xac",
        "\xe2\x81\xad", "\xe2\x81\xae", "\xe2\x81\xaf", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (len >= 3 && memcmp(p, ignored[i], 3) == 0)
            return 3;
    return 0;
}

static bool is_dot_git(const char *name, size_t len)
{
    char folded[8] = {0};
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t skip = hfs_ignored(name + i, len - i);
        if (skip == 0) {
            char c = name[i];
            /* Windows ignores any number of spaces and dots at the end */
            bool trailing = c == ' ' || c == '.';
            if (n == sizeof folded && !trailing)
                return false;
            if (n == sizeof folded) {
                i++;
                continue;
            }
            folded[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
            skip = 1;
        }
        i += skip;
    }
    while (n > 0 && (folded[n - 1] == ' ' || (folded[n - 1] == '.' && n > 1)))
        n--;
    return (n == 4 && memcmp(folded, ".git", 4) == 0) ||
           (n == 5 && memcmp(folded, "git~1", 5) == 0);
}

bool rb_path_is_safe(const char *path, size_t len)
{
    if (len == 0 || memchr(path, '\0', len))
        return false;
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && path[i] != '/')
            continue;
        const char *part = path + start;
        size_t n = i - start;
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.') ||
            is_dot_git(part, n))
            return false;
        start = i + 1;
    }
    return true;
}

static bool is_ref_part(const char *part, size_t len)
{
    if (len == 0 || len > RB_TAG_COMPONENT_LIMIT || part[0] == '.' || part[len - 1] == '.' ||
        (len >= 5 && memcmp(part + len - 5, ".lock", 5) == 0))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)part[i];
        unsigned char next = i + 1 < len ? (unsigned char)part[i + 1] : 0;
        if (c < 0x20 || c == 0x7f || strchr(" ~^:?*[\\", c) || (c == '.' && next == '.') ||
            (c == '@' && next == '{'))
            return false;
    }
    return true;
}

#define SHELL "!\"#$&'();<>`{|}" /* shell metacharacters that git allows in tag names */

bool rb_path_is_tag(const char *name)
{
    if (strlen(name) > RB_TAG_NAME_LIMIT || name[0] == '-' || strpbrk(name, SHELL))
        return false;
    for (const char *p = name;; p++) {
        size_t len = strcspn(p, "/");
        if (!is_ref_part(p, len))
            return false;
        p += len;
        if (!*p)
            return true;
    }
}

static const char *next_part(const char *part)
{
    const char *slash = strchr(part, '/');
    return slash ? slash + 1 : NULL;
}

/* Matches one component. Fails for an empty one, so that "log/" does not match like a file in
 * it. */
static bool match_part(const char *pattern, const char *path)
{
    size_t n = strcspn(pattern, "/"), m = strcspn(path, "/");
    if (m == 0)
        return false;
    if (strcspn(pattern, "*?[\\") >= n)
        return n == m && memcmp(pattern, path, n) == 0;
    RB_AUTO(rb_free_str) char *glob = rb_strndup(pattern, n);
    RB_AUTO(rb_free_str) char *name = rb_strndup(path, m);
    return fnmatch(glob, name, FNM_PERIOD) == 0;
}

/* After a mismatch, only the last "**" is extended, as usual for '*' in a name. This bounds the
 * time by the product of both lengths, for any pattern. */
bool rb_path_match(const char *pattern, const char *path)
{
    const char *stars = NULL; /* the pattern after the last "**" */
    const char *taken = NULL; /* where the path is matched against `stars` next */
    while (pattern || path) {
        if (pattern && strncmp(pattern, "**", 2) == 0 && (pattern[2] == '/' || !pattern[2])) {
            pattern = stars = next_part(pattern);
            taken = path;
            if (!pattern)
                return path != NULL;
        } else if (pattern && path && match_part(pattern, path)) {
            pattern = next_part(pattern);
            path = next_part(path);
        } else {
            taken = taken ? next_part(taken) : NULL;
            if (!taken)
                return false;
            pattern = stars;
            path = taken;
        }
    }
    return true;
}

#define LINKS_LIMIT 40 /* limit of symlinks followed for one path, as in Linux */

/* Appends a component to out. *next is the path that remains to be resolved: the target of a
 * symlink is inserted at its start. */
static void add_part(rb_buf *out, char **next, const char *part, int *links, rb_path_visit *visit,
                     void *context)
{
    size_t before = out->len;
    RB_AUTO(rb_free_str) char *target = NULL;
    rb_buf_printf(out, "/%s", part);
    if (*links >= LINKS_LIMIT || rb_link_read(&target, out->data, RB_IGNORED) != RB_OK || !target)
        return;
    if (visit)
        visit(context, out->data);
    (*links)++;
    rb_buf_truncate(out, target[0] == '/' ? 0 : before);
    char *joined = rb_format("%s%s", target, *next);
    free(*next);
    *next = joined;
}

char *rb_path_resolve(const char *path, rb_path_visit *visit, void *context)
{
    rb_buf out = {0};
    char *rest = rb_strdup(path);
    int links = 0;
    rb_buf_reserve(&out, 1);
    while (rest[strspn(rest, "/")]) {
        const char *start = rest + strspn(rest, "/");
        size_t len = strcspn(start, "/");
        RB_AUTO(rb_free_str) char *part = rb_strndup(start, len);
        char *next = rb_strdup(start + len);
        if (strcmp(part, "..") == 0) {
            const char *slash = out.len ? strrchr(out.data, '/') : NULL;
            rb_buf_truncate(&out, slash ? (size_t)(slash - out.data) : 0);
        } else if (strcmp(part, ".") != 0) {
            add_part(&out, &next, part, &links, visit, context);
        }
        free(rest);
        rest = next;
    }
    free(rest);
    if (out.len == 0)
        rb_buf_addc(&out, '/');
    return rb_buf_detach(&out);
}

enum rb_code rb_link_read(char **out, const char *path, rb_err *err)
{
    char target[PATH_MAX];
    RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
    ssize_t n = rb_at_find(&at, path) ? readlinkat(at.dir, at.name, target, sizeof target) : -1;
    *out = NULL;
    if (n < 0 && (errno == ENOENT || errno == EINVAL || errno == ENOTDIR))
        return RB_OK;
    if (n < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot read symlink %s", path);
    if (n == sizeof target)
        return rb_fail(err, RB_ERROR, "cannot read symlink %s: its target is too long", path);
    *out = rb_strndup(target, (size_t)n);
    return RB_OK;
}
