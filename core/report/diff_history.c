/* Lists commits, and counts the lines that changed in each file. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "release/make.h"
#include "report/diff.h"
#include "report/diff_parts.h"

#define COMMITS 1000 /* commits that are listed, at most */

struct history {
    json_t *commits;
    rb_repo *repo;
    enum rb_code code;
    rb_err *err;
};

static bool add_commit(void *context, const rb_oid *commit, const char *message)
{
    struct history *history = context;
    char id[RB_OID_HEX];
    rb_commit_summary about;
    history->code = rb_commit_summarize(&about, history->repo, commit, history->err);
    if (history->code != RB_OK)
        return false;
    RB_AUTO(rb_strs_clear) rb_strs notes = {0};
    RB_AUTO(rb_free_str) char *date = rb_text_iso(about.time);
    rb_make_notes(&notes, message);
    rb_oid_hex(commit, id);
    json_array_append_new(history->commits,
                          rb_json_make("id:s author:s date:s subject:s rollback:j", id,
                                       about.author, date, about.subject, rb_json_strs(&notes)));
    rb_commit_summary_clear(&about);
    return json_array_size(history->commits) < COMMITS;
}

enum rb_code rb_diff_commits(json_t **out, const rb_diff_sides *sides, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *commits = json_array();
    struct history history = {.commits = commits, .repo = sides->repo, .err = err};
    RB_TRY(rb_commit_walk(sides->repo, &sides->to->commit, &sides->from->commit, 1, add_commit,
                          &history, err));
    RB_TRY(history.code);
    *out = RB_TAKE(commits);
    return RB_OK;
}

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

enum rb_code rb_diff_lines(json_t **out, rb_repo *repo, const rb_release *from,
                           const rb_release *to, rb_err *err)
{
    char old[RB_OID_HEX];
    char new[RB_OID_HEX];
    rb_oid_hex(&from->commit, old);
    rb_oid_hex(&to->commit, new);
    /* Not diff-tree: it reads each file that the index takes for unchanged from the work tree. */
    const char *const counts[] = {"diff",
                                  "--numstat",
                                  "-z",
                                  "-M",
                                  "--no-ext-diff",
                                  "--no-textconv",
                                  "--no-relative",
                                  "--diff-algorithm=default",
                                  old,
                                  new,
                                  NULL};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_repo_git(&text, repo, counts, err));
    *out = read_counts(&text);
    return RB_OK;
}
