/* Resolves paths that need not exist completely. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define LINKS_LIMIT 40 /* symlinks followed for one path, as Linux does */

/* Appends a component to out. *next is what remains to be resolved; the target of a symlink is put
 * in front of it. */
static void add_part(rb_buf *out, char **next, const char *part, int *links, rb_path_visit *visit,
                     void *context)
{
    size_t before = out->len;
    rb_err ignored;
    RB_AUTO(rb_free_str) char *target = NULL;
    rb_buf_printf(out, "/%s", part);
    if (*links >= LINKS_LIMIT || rb_link_read(&target, out->data, &ignored) != RB_OK || !target)
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
