#include "environment/checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/process.h"

#define SHOWN_ROWS 5
#define SHOWN_WORDS 1000 /* bytes: what rbtool says of it comes behind */
#define SAID " and said: "
#define ROWS " found rows: "
#define CHECK_LIMIT (1u << 20) /* bytes of one SQL check */

char *rb_checks_public(const char *message)
{
    static const char *const marks[] = {SAID, ROWS};
    size_t len = strlen(message);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *at = strstr(message, marks[i]);
        if (at && (size_t)(at - message) < len)
            len = (size_t)(at - message) + (i == 1 ? strlen(" found rows") : 0);
    }
    return rb_strndup(message, len);
}

/* The last line that says something, for one line of error. */
static char *last_words(const rb_process_result *result)
{
    const rb_buf *from = result->err.len ? &result->err : &result->out;
    size_t end = from->len;
    while (end > 0 && (from->data[end - 1] == '\n' || from->data[end - 1] == ' '))
        end--;
    size_t start = end;
    while (start > 0 && from->data[start - 1] != '\n')
        start--;
    rb_buf out = {0};
    if (end - start > SHOWN_WORDS) {
        start = end - SHOWN_WORDS;
        while (start < end && ((unsigned char)from->data[start] & 0xc0) == 0x80)
            start++;
        rb_buf_puts(&out, "...");
    }
    rb_buf_add_safe(&out, from->data ? from->data + start : "", end - start);
    return rb_buf_detach(&out);
}

enum rb_code rb_command_run(const rb_env *env, const rb_strs *command, int timeout,
                            const char *what, const char *from, const char *to, rb_err *err)
{
    RB_AUTO(rb_free_str) char *env_from = rb_format("RBTOOL_FROM=%s", from ? from : "");
    RB_AUTO(rb_free_str) char *env_to = rb_format("RBTOOL_TO=%s", to);
    RB_AUTO(rb_free_str) char *env_name = rb_format("RBTOOL_ENV_NAME=%s", env->name);
    const char *extra[] = {env_from, env_to, env_name, NULL};
    const char **argv = rb_calloc(command->n + 1, sizeof *argv);
    for (size_t i = 0; i < command->n; i++)
        argv[i] = command->items[i];
    rb_process process = {.argv = argv, .env = extra, .timeout = timeout};
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    enum rb_code code = rb_process_run(&result, &process, err);
    free(argv);
    if (code != RB_OK)
        return rb_err_prefix(err, "%s", what);
    RB_AUTO(rb_free_str) char *words = last_words(&result);
    if (result.timed_out)
        return rb_fail(err, RB_FOUND, "%s (%s) did not end within %d s and was killed", what,
                       command->items[0], timeout);
    if (result.status != 0)
        return rb_fail(err, RB_FOUND, "%s (%s) ended with status %d%s%s", what, command->items[0],
                       result.status, *words ? SAID : "", words);
    return RB_OK;
}

void rb_checks_run(json_t *failures, const rb_env *env, const char *from, const char *to)
{
    for (size_t i = 0; i < env->check_count; i++) {
        const rb_env_check *check = &env->checks[i];
        RB_AUTO(rb_free_str) char *what = rb_format("check '%s'", check->name);
        rb_err why;
        enum rb_code code =
            rb_command_run(env, &check->command, check->timeout, what, from, to, &why);
        if (code != RB_OK)
            json_array_append_new(failures,
                                  json_pack("{s:o,s:o}", "name", rb_json_text(check->name),
                                            "message", rb_json_text(why.message)));
    }
}

static char *show_rows(const json_t *rows)
{
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    size_t i;
    json_t *row;
    json_array_foreach ((json_t *)rows, i, row) {
        if (i > 0)
            rb_buf_puts(&raw, " ");
        rb_json_canonical(&raw, row);
    }
    rb_buf out = {0};
    rb_buf_add_safe(&out, rb_buf_str(&raw), raw.len);
    return rb_buf_detach(&out);
}

/* Whether name is a folder of path, or its file's name up to a dot. */
static bool names(const char *path, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (strncmp(p, name, len) == 0 &&
            (p[len] == '/' || (p[len] == '.' && !strchr(p + len, '/'))))
            return true;
    return false;
}

static bool belongs(const rb_manifest *manifest, const char *path, const char *database)
{
    const char *first = NULL;
    for (size_t i = 0; i < manifest->database_count; i++) {
        const char *name = manifest->databases[i].name;
        if (names(path, name))
            return strcmp(name, database) == 0;
        if (!first || strcmp(name, first) < 0)
            first = name;
    }
    return first && strcmp(first, database) == 0;
}

enum rb_code rb_sql_checks_run(json_t *failures, const rb_release *release, rb_repo *repo,
                               const char *database, rb_db *db, rb_err *err)
{
    for (size_t i = 0; i < release->manifest->check_count; i++) {
        const rb_manifest_file *file = &release->manifest->checks[i];
        RB_AUTO(rb_buf_clear) rb_buf sql = {0};
        if (!belongs(release->manifest, file->path, database))
            continue;
        RB_TRY(rb_release_file(&sql, release, repo, file->path, file->sha256, err));
        if (sql.len > CHECK_LIMIT)
            return rb_fail(err, RB_ERROR, "check %s is larger than 1 MiB", file->path);
        RB_AUTO(rb_json_freep) json_t *rows = NULL;
        rb_err why;
        RB_AUTO(rb_free_str) char *message = NULL;
        if (rb_db_check(&rows, db, rb_buf_str(&sql), SHOWN_ROWS, &why) != RB_OK) {
            message = rb_format("check %s failed to run: %s", file->path, why.message);
        } else if (json_array_size(rows) > 0) {
            RB_AUTO(rb_free_str) char *shown = show_rows(rows);
            message = rb_format("check %s" ROWS "%s", file->path, shown);
        }
        if (message)
            json_array_append_new(failures,
                                  json_pack("{s:o,s:o,s:O*}", "name", rb_json_text(file->path),
                                            "message", rb_json_text(message), "rows", rows));
    }
    return RB_OK;
}
