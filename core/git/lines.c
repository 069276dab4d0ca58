#include "git/lines.h"

#include <string.h>

#include <git2.h>

struct listing {
    rb_strs *out;
    size_t more;
};

static int add_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
                    const git_diff_line *line, void *context)
{
    (void)delta;
    (void)hunk;
    struct listing *listing = context;
    if (line->origin != GIT_DIFF_LINE_ADDITION && line->origin != GIT_DIFF_LINE_DELETION)
        return 0;
    if (listing->out->n >= RB_LINES_SHOWN) {
        listing->more++;
        return 0;
    }
    size_t len = line->content_len;
    while (len > 0 && (line->content[len - 1] == '\n' || line->content[len - 1] == '\r'))
        len--;
    rb_buf text = {0};
    rb_buf_addc(&text, line->origin);
    rb_buf_add_safe(&text, line->content, len);
    rb_strs_take(listing->out, rb_buf_detach(&text));
    return 0;
}

static bool is_binary(const char *text, size_t len)
{
    return len > 0 && memchr(text, '\0', len) != NULL;
}

enum rb_code rb_lines_compare(rb_strs *out, const char *old, size_t old_len, const char *new,
                              size_t new_len, rb_err *err)
{
    if (old_len > RB_LINES_LIMIT || new_len > RB_LINES_LIMIT || is_binary(old, old_len) ||
        is_binary(new, new_len)) {
        rb_strs_take(out, rb_format("-%zu bytes, not compared line by line", old_len));
        rb_strs_take(out, rb_format("+%zu bytes", new_len));
        return RB_OK;
    }
    git_diff_options options;
    git_patch *patch = NULL;
    struct listing listing = {.out = out};
    git_libgit2_init();
    int failed = git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
    options.context_lines = 0;
    options.flags = GIT_DIFF_FORCE_TEXT;
    if (!failed)
        failed = git_patch_from_buffers(&patch, old, old_len, "a", new, new_len, "b", &options);
    if (!failed && patch)
        failed = git_patch_print(patch, add_line, &listing);
    git_patch_free(patch);
    git_libgit2_shutdown();
    if (failed)
        return rb_fail(err, RB_ERROR, "comparing two texts line by line failed (libgit2 error %d)",
                       failed);
    if (listing.more > 0)
        rb_strs_take(out, rb_format("... and %zu more lines", listing.more));
    return RB_OK;
}
