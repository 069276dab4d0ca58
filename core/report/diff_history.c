/* Lists commits, and counts the lines that changed in each file, with git. */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "report/diff_parts.h"

#define COMMITS "1000" /* commits that are listed, at most */

/* Returns the text up to the next `end`, and moves *at after it. NULL at the end of the output. */
static char *next_field(const char **at, const char *stop, char end)
{
    const char *found = *at < stop ? memchr(*at, end, (size_t)(stop - *at)) : NULL;
    if (!found)
        return NULL;
    char *field = rb_strndup(*at, (size_t)(found - *at));
    *at = found + 1;
    return field;
}

static json_t *list_lines(const char *text)
{
    json_t *out = json_array();
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    rb_strs_add_lines(&lines, text, strlen(text));
    for (size_t i = 0; i < lines.n; i++)
        if (*lines.items[i])
            json_array_append_new(out, rb_json_text(lines.items[i]));
    return out;
}

static json_t *read_commits(const rb_buf *text)
{
    json_t *out = json_array();
    const char *at = rb_buf_str(text);
    const char *stop = at + text->len;
    char *field[5] = {0};
    for (bool more = true; more;) {
        for (size_t i = 0; i < 5 && more; i++)
            more = (field[i] = next_field(&at, stop, '\0')) != NULL;
        if (more)
            json_array_append_new(out, rb_json_make("id:s author:s date:s subject:s rollback:j",
                                                    field[0], field[1], field[2], field[3],
                                                    list_lines(field[4])));
        for (size_t i = 0; i < 5; i++) {
            free(field[i]);
            field[i] = NULL;
        }
    }
    return out;
}

static json_t *count_of(const char *digits)
{
    return strcmp(digits, "-") == 0 ? json_null() : json_integer(strtoll(digits, NULL, 10));
}

/* Reads "1\t2\tpath\0", or for a renamed file "1\t2\t\0old\0new\0". */
static json_t *read_counts(const rb_buf *text)
{
    json_t *out = json_array();
    const char *at = rb_buf_str(text);
    const char *stop = at + text->len;
    for (;;) {
        RB_AUTO(rb_free_str) char *added = next_field(&at, stop, '\t');
        RB_AUTO(rb_free_str) char *removed = next_field(&at, stop, '\t');
        RB_AUTO(rb_free_str) char *path = next_field(&at, stop, '\0');
        if (!added || !removed || !path)
            break;
        RB_AUTO(rb_free_str) char *old = *path ? NULL : next_field(&at, stop, '\0');
        RB_AUTO(rb_free_str) char *new = *path ? NULL : next_field(&at, stop, '\0');
        json_array_append_new(out, rb_json_make("path:s from:s added:j removed:j", new ? new : path,
                                                old, count_of(added), count_of(removed)));
    }
    return out;
}

/* Two git commands that run at the same time, to save time. */
typedef struct asking {
    const rb_repo *repo;
    const char *const *args[2];
    rb_buf out[2];
    enum rb_code code[2];
    rb_err err[2];
} asking;

static void ask(void *context, size_t i)
{
    asking *a = context;
    a->code[i] = rb_repo_git(&a->out[i], a->repo, a->args[i], &a->err[i]);
}

enum rb_code rb_diff_history(json_t *document, const rb_diff_sides *sides, rb_err *err)
{
    char from[RB_OID_HEX];
    char to[RB_OID_HEX];
    rb_oid_hex(&sides->from->commit, from);
    rb_oid_hex(&sides->to->commit, to);
    RB_AUTO(rb_free_str) char *range = rb_format("%s..%s", from, to);
    const char *const log[] = {"log",
                               "-z",
                               "--max-count=" COMMITS,
                               "--no-show-signature",
                               "--format=tformat:%H%x00%an "
                               "<%ae>%x00%cI%x00%s%x00%(trailers:key=Rollback,valueonly,unfold)",
                               range,
                               NULL};
    /* Not diff-tree: it reads each file that the index takes for unchanged from the work tree. */
    const char *const counts[] = {"diff",
                                  "--numstat",
                                  "-z",
                                  "-M",
                                  "--no-ext-diff",
                                  "--no-textconv",
                                  "--no-relative",
                                  "--diff-algorithm=default",
                                  from,
                                  to,
                                  NULL};
    asking a = {.repo = sides->repo, .args = {log, counts}};
    rb_parallel(2, 2, ask, &a);
    for (size_t i = 0; i < 2 && a.code[i] == RB_OK; i++)
        rb_json_set(document, i == 0 ? "commits:j" : "files:j",
                    i == 0 ? read_commits(&a.out[0]) : read_counts(&a.out[1]));
    size_t failed = a.code[0] != RB_OK ? 0 : 1;
    enum rb_code code = a.code[failed];
    if (code != RB_OK)
        *err = a.err[failed];
    rb_buf_clear(&a.out[0]);
    rb_buf_clear(&a.out[1]);
    return code;
}
