#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "git/internal.h"

#define OUTPUT_LIMIT (64u << 20)

/* Returns all non-empty lines as one, joined by "; " and safe for a terminal. */
static char *join_lines(const rb_buf *text)
{
    const char *s = rb_buf_str(text);
    size_t end = text->len;
    while (end > 0 && (s[end - 1] == '\n' || s[end - 1] == '\r'))
        end--;
    rb_buf line = {0};
    size_t start = 0;
    for (size_t i = 0; i <= end; i++) {
        if (i < end && s[i] != '\n')
            continue;
        if (i > start) {
            if (line.len > 0)
                rb_buf_puts(&line, "; ");
            rb_buf_add_safe(&line, s + start, i - start);
        }
        start = i + 1;
    }
    return rb_buf_detach(&line);
}

void rb_git_result_clear(rb_git_result *result)
{
    free(result->said);
    rb_buf_clear(&result->out);
    *result = (rb_git_result){0};
}

static enum rb_code run(rb_git_result *out, const rb_repo *repo, const char *const *args,
                        rb_process process, rb_err *err)
{
    size_t n = 0;
    while (args[n])
        n++;
    const char **argv = rb_calloc(n + 4, sizeof *argv);
    argv[0] = "git";
    argv[1] = "-C";
    argv[2] = repo->dir;
    memcpy(argv + 3, args, n * sizeof *argv);
    process.argv = argv;
    process.output_limit = OUTPUT_LIMIT;
    rb_process_result result = {0};
    enum rb_code code = rb_process_run(&result, &process, err);
    free(argv);
    if (code == RB_OK && result.out.len >= OUTPUT_LIMIT)
        code = rb_fail(err, RB_ERROR, "git %s printed more than the limit of %u bytes", args[0],
                       OUTPUT_LIMIT);
    if (code == RB_OK) {
        *out = (rb_git_result){result.status, join_lines(&result.err), result.out};
        result.out = (rb_buf){0};
    }
    rb_process_result_clear(&result);
    return code;
}

enum rb_code rb_git_run(rb_buf *out, int *status, char **said, const rb_repo *repo,
                        const char *const *args, const void *input, size_t len, rb_err *err)
{
    /* RBTOOL=0 disables rbtool's own hooks: rbtool has checked what it changes. Other hooks run. */
    static const char *const env[] = {"GIT_NO_REPLACE_OBJECTS=1", "RBTOOL=0", NULL};
    RB_AUTO(rb_git_result_clear) rb_git_result result = {0};
    RB_TRY(
        run(&result, repo, args, (rb_process){.env = env, .input = input, .input_len = len}, err));
    *status = result.status;
    *said = RB_TAKE(result.said);
    if (out) {
        rb_buf_clear(out);
        *out = result.out;
        result.out = (rb_buf){0};
    }
    return RB_OK;
}

enum rb_code rb_git_talk(rb_git_result *out, const rb_repo *repo, const char *const *args,
                         rb_err *err)
{
    static const char *const env[] = {"GIT_NO_REPLACE_OBJECTS=1", "RBTOOL=0", "LC_ALL=C", NULL};
    return run(out, repo, args, (rb_process){.env = env, .terminal = true}, err);
}

enum rb_code rb_repo_git(rb_buf *out, const rb_repo *repo, const char *const *args, rb_err *err)
{
    return rb_repo_git_with(out, repo, args, NULL, err);
}

enum rb_code rb_repo_git_with(rb_buf *out, const rb_repo *repo, const char *const *args,
                              const rb_buf *input, rb_err *err)
{
    int status = 0;
    RB_AUTO(rb_free_str) char *said = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_git_run(&text, &status, &said, repo, args, input ? rb_buf_str(input) : NULL,
                      input ? input->len : 0, err));
    if (status != 0)
        return rb_fail(err, RB_ERROR, "git %s failed with status %d%s%s", args[0], status,
                       *said ? ": " : "", said);
    if (out) {
        rb_buf_clear(out);
        *out = text;
        text = (rb_buf){0};
    }
    return RB_OK;
}

/* Parses records KEY LF VALUE NUL, or KEY NUL for a variable without "=", which git reads as
 * true. */
static void parse_settings(rb_repo *repo, const rb_buf *list)
{
    for (size_t i = 0; i < list->len;) {
        const char *record = list->data + i;
        size_t len = strnlen(record, list->len - i);
        const char *lf = memchr(record, '\n', len);
        repo->settings = rb_grow(repo->settings, repo->setting_count, sizeof *repo->settings);
        struct rb_setting *setting = &repo->settings[repo->setting_count++];
        size_t key = lf ? (size_t)(lf - record) : len;
        setting->key = rb_strndup(record, key);
        setting->value = lf ? rb_strndup(lf + 1, len - key - 1) : rb_strdup("true");
        i += len + 1;
    }
}

static enum rb_code read_settings(rb_repo *repo, rb_err *err)
{
    if (repo->settings_read)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf list = {0};
    RB_TRY(
        rb_repo_git(&list, repo, (const char *const[]){"config", "--null", "--list", NULL}, err));
    parse_settings(repo, &list);
    repo->settings_read = true;
    return RB_OK;
}

enum rb_code rb_repo_setting(const char **out, rb_repo *repo, const char *key, rb_err *err)
{
    RB_TRY(read_settings(repo, err));
    *out = NULL;
    for (size_t i = repo->setting_count; i > 0 && !*out; i--)
        if (strcmp(repo->settings[i - 1].key, key) == 0)
            *out = repo->settings[i - 1].value;
    return RB_OK;
}

enum rb_code rb_repo_setting_bool(bool *out, rb_repo *repo, const char *key, rb_err *err)
{
    const char *value;
    int found = 0;
    RB_TRY(rb_repo_setting(&value, repo, key, err));
    if (value && git_config_parse_bool(&found, value) != 0) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(value);
        return rb_fail(err, RB_ERROR,
                       "git config %s is %.100s, which is neither true nor false\nset it with `git "
                       "config %s true`, or remove it",
                       key, safe, key);
    }
    *out = found;
    return RB_OK;
}

enum rb_code rb_repo_settings(rb_strs *out, rb_repo *repo, const char *key, rb_err *err)
{
    RB_TRY(read_settings(repo, err));
    for (size_t i = 0; i < repo->setting_count; i++)
        if (strcmp(repo->settings[i].key, key) == 0)
            rb_strs_add(out, repo->settings[i].value);
    return RB_OK;
}

enum rb_code rb_repo_subsections(rb_strs *out, rb_repo *repo, const char *section, const char *name,
                                 rb_err *err)
{
    size_t start = strlen(section) + 1;
    size_t end = strlen(name) + 1;
    RB_TRY(read_settings(repo, err));
    for (size_t i = 0; i < repo->setting_count; i++) {
        const char *key = repo->settings[i].key;
        size_t len = strlen(key);
        if (len > start + end && strncmp(key, section, start - 1) == 0 && key[start - 1] == '.' &&
            key[len - end] == '.' && strcmp(key + len - end + 1, name) == 0)
            rb_strs_take(out, rb_strndup(key + start, len - start - end));
    }
    return RB_OK;
}

static const char *home_of(const char *user)
{
    if (!*user && getenv("HOME"))
        return getenv("HOME");
    const struct passwd *entry = *user ? getpwnam(user) : getpwuid(geteuid());
    return entry ? entry->pw_dir : NULL;
}

static enum rb_code expand(char **out, const rb_repo *repo, const char *key, const char *value,
                           rb_err *err)
{
    if (value[0] == '~') {
        size_t len = strcspn(value, "/");
        RB_AUTO(rb_free_str) char *user = rb_strndup(value + 1, len - 1);
        const char *home = home_of(user);
        if (!home)
            return rb_fail(err, RB_ERROR,
                           "cannot expand %s in git's setting %s: that home folder is not known",
                           value, key);
        *out = rb_format("%s%s", home, value + len);
        return RB_OK;
    }
    *out = rb_path_join(repo->workdir ? repo->workdir : repo->dir, value);
    return RB_OK;
}

enum rb_code rb_repo_setting_path(char **out, rb_repo *repo, const char *key, rb_err *err)
{
    const char *value = NULL;
    RB_TRY(rb_repo_setting(&value, repo, key, err));
    *out = NULL;
    return value ? expand(out, repo, key, value, err) : RB_OK;
}

enum rb_code rb_repo_setting_paths(rb_strs *out, rb_repo *repo, const char *key, rb_err *err)
{
    RB_TRY(read_settings(repo, err));
    for (size_t i = 0; i < repo->setting_count; i++) {
        char *path = NULL;
        if (strcmp(repo->settings[i].key, key) != 0)
            continue;
        RB_TRY(expand(&path, repo, key, repo->settings[i].value, err));
        rb_strs_take(out, path);
    }
    return RB_OK;
}
