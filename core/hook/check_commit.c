/* The check of commit-msg: a commit that changes migrations must state how they are reverted. */
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "hook/check_internal.h"

#define MESSAGE_LIMIT (16u << 20) /* bytes of MERGE_HEAD */

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t")] == '\0';
}

/* True for "reversible", and for the other classes if a reason follows. */
static bool is_way_back(const char *value)
{
    size_t word = strcspn(value, " \t");
    const char *reason = value + word;
    if (word == strlen("reversible") && strncmp(value, "reversible", word) == 0)
        return true;
    return ((word == strlen("lossy") && strncmp(value, "lossy", word) == 0) ||
            (word == strlen("irreversible") && strncmp(value, "irreversible", word) == 0)) &&
           !is_blank(reason);
}

/* Reads the trailers of the message. *found is true if one is valid; *wrong receives the first
 * malformed value. */
static enum rb_code read_trailers(bool *found, char **wrong, rb_guard *guard, const char *message,
                                  rb_err *err)
{
    static const char key[] = "Rollback:";
    const char *const args[] = {"interpret-trailers", "--parse", "--no-divider", message, NULL};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_repo_git(&text, guard->repo, args, err));
    *found = false;
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    rb_strs_add_lines(&lines, text.data, text.len);
    for (size_t i = 0; i < lines.n; i++) {
        if (strncasecmp(lines.items[i], key, strlen(key)) != 0)
            continue;
        const char *value = lines.items[i] + strlen(key);
        value += strspn(value, " \t");
        *found = *found || is_way_back(value);
        if (!is_way_back(value) && !*wrong)
            *wrong = rb_strdup(value);
    }
    return RB_OK;
}

/* Adds the files of a migrations folder. The top of the tree has others too, so only scripts and
 * the list of Sqitch's changes count there. */
static void add_specs(rb_strs *specs, const char *folder)
{
    if (strcmp(folder, ".") == 0) {
        rb_strs_add(specs, ":(top,glob)**/*.sql");
        rb_strs_add(specs, ":(top,literal)sqitch.plan");
    } else {
        rb_strs_take(specs, rb_repo_pathspec(folder));
    }
}

/* Lists staged files in the folders `dirs` that differ from parent. NULL: from HEAD, or if there is
 * no commit yet, from nothing. */
static enum rb_code list_staged(rb_strs *out, rb_guard *guard, const rb_config *settings,
                                const char *parent, rb_err *err)
{
    const char **args = rb_calloc(2 * settings->database_count + 12, sizeof *args);
    RB_AUTO(rb_strs_clear) rb_strs specs = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    size_t n = 0;
    for (size_t i = 0; i < settings->database_count; i++)
        add_specs(&specs, settings->databases[i].migrations);
    args[n++] = "diff";
    args[n++] = "--cached";
    args[n++] = "--name-only";
    args[n++] = "--no-renames";
    args[n++] = "--no-ext-diff";
    args[n++] = "-z";
    if (parent)
        args[n++] = parent;
    args[n++] = "--";
    for (size_t i = 0; i < specs.n; i++)
        args[n++] = specs.items[i];
    enum rb_code code = rb_repo_git(&text, guard->repo, args, err);
    free(args);
    RB_TRY(code);
    for (size_t i = 0; i < text.len; i += strlen(text.data + i) + 1)
        rb_strs_add(out, text.data + i);
    return RB_OK;
}

/* Lists the ids of the further parents of a merge that is being committed. */
static enum rb_code list_merged(rb_strs *out, rb_guard *guard, rb_err *err)
{
    static const char *const args[] = {"rev-parse", "--path-format=absolute", "--git-path",
                                       "MERGE_HEAD", NULL};
    RB_AUTO(rb_buf_clear) rb_buf path = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_repo_git(&path, guard->repo, args, err));
    rb_buf_truncate(&path, path.len > 0 ? path.len - 1 : 0);
    if (!rb_file_exists(rb_buf_str(&path)))
        return RB_OK;
    RB_TRY(rb_file_read(&text, rb_buf_str(&path), MESSAGE_LIMIT, err));
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    rb_strs_add_lines(&lines, text.data, text.len);
    for (size_t i = 0; i < lines.n; i++)
        if (strlen(lines.items[i]) == RB_OID_HEX - 1)
            rb_strs_add(out, lines.items[i]);
    return RB_OK;
}

static enum rb_code list_touched(rb_strs *out, rb_guard *guard, const rb_config *settings,
                                 rb_err *err)
{
    RB_TRY(list_staged(out, guard, settings, NULL, err));
    if (out->n == 0)
        return RB_OK;
    RB_AUTO(rb_strs_clear) rb_strs merged = {0};
    RB_TRY(list_merged(&merged, guard, err));
    for (size_t i = 0; i < merged.n; i++) {
        RB_AUTO(rb_strs_clear) rb_strs other = {0};
        RB_AUTO(rb_strs_clear) rb_strs both = {0};
        RB_TRY(list_staged(&other, guard, settings, merged.items[i], err));
        for (size_t j = 0; j < out->n; j++)
            if (rb_strs_has(&other, out->items[j]))
                rb_strs_add(&both, out->items[j]);
        rb_strs_clear(out);
        *out = both;
        both = (rb_strs){0};
    }
    return RB_OK;
}

enum rb_code rb_guard_commit(rb_refusals *out, rb_guard *guard, const char *message, rb_err *err)
{
    const rb_config *settings;
    RB_TRY(rb_guard_settings(&settings, guard, err));
    if (!settings || settings->database_count == 0)
        return RB_OK;
    RB_AUTO(rb_strs_clear) rb_strs touched = {0};
    RB_TRY(list_touched(&touched, guard, settings, err));
    if (touched.n == 0)
        return RB_OK;
    bool found;
    RB_AUTO(rb_free_str) char *wrong = NULL;
    RB_TRY(read_trailers(&found, &wrong, guard, message, err));
    if (found && !wrong)
        return RB_OK;
    RB_AUTO(rb_free_str)
    char *more = touched.n > 1 ? rb_format(" and %zu more", touched.n - 1) : rb_strdup("");
    rb_refusals_add(out, rb_strdup("this commit"),
                    "touches migrations (%s%s) %s \"Rollback:%s%s\"\n"
                    "say how they go back, as the message's last paragraph: \"Rollback: "
                    "reversible\", \"lossy REASON\" or \"irreversible REASON\"",
                    touched.items[0], more, wrong ? "and its trailer says" : "without a trailer",
                    wrong ? " " : "", wrong ? wrong : "");
    return rb_refusals_result(out, out->n - 1, err);
}
