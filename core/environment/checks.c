#include "environment/checks.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/shape.h"
#include "base/text.h"
#include "environment/compare.h"

#define SHOWN_ROWS 5
#define SHOWN_WORDS 1000 /* bytes of output in a message; rbtool's own text follows it */
#define SAID " (last output: "
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

/* Returns the last lines of an output, each made safe, without empty ones. The text may have been
 * cut inside a character or a line. */
static char *safe_lines(const rb_buf *raw)
{
    rb_buf out = {0};
    size_t at = raw->len > RB_OUTPUT_KEPT ? raw->len - RB_OUTPUT_KEPT : 0;
    if (raw->len >= RB_OUTPUT_KEPT)
        while (at < raw->len && ((unsigned char)raw->data[at] & 0xc0) == 0x80)
            at++;
    while (at < raw->len) {
        const char *line = raw->data + at;
        const char *end = memchr(line, '\n', raw->len - at);
        size_t len = end ? (size_t)(end - line) : raw->len - at;
        at += len + 1;
        while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
            len--;
        if (len == 0)
            continue;
        if (out.len > 0)
            rb_buf_addc(&out, '\n');
        rb_buf_add_safe(&out, line, len);
    }
    return out.len > 0 ? rb_buf_detach(&out) : NULL;
}

/* Returns " (last output: LINE)", or "" without output. */
static char *last_words(const char *output)
{
    if (!output)
        return rb_strdup("");
    const char *line = strrchr(output, '\n');
    line = line ? line + 1 : output;
    line += strspn(line, " ");
    size_t len = strlen(line);
    bool cut = len > SHOWN_WORDS;
    while (cut && (len > SHOWN_WORDS || ((unsigned char)*line & 0xc0) == 0x80)) {
        line++;
        len--;
    }
    return rb_format(SAID "%s%s)", cut ? "..." : "", line);
}

char *rb_command_line(const rb_strs *command)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./:,@%";
    rb_buf out = {0};
    for (size_t i = 0; i < command->n; i++) {
        const char *word = command->items[i];
        if (i > 0)
            rb_buf_addc(&out, ' ');
        if (*word && strspn(word, plain) == strlen(word))
            rb_buf_puts(&out, word);
        else
            rb_text_quote(&out, word);
    }
    return rb_buf_detach(&out);
}

char *rb_check_line(const rb_env_check *check)
{
    const rb_env_pair *sides = check->compare;
    return sides[0].name ? rb_format("compare %s with %s", sides[0].name, sides[1].name)
                         : rb_command_line(&check->command);
}

enum rb_code rb_command_find(const rb_strs *command, const char *what, rb_err *err)
{
    const char *program = command->items[0];
    if (rb_process_can_run(program))
        return RB_OK;
    return rb_fail(err, RB_ERROR, "%s: the program %s cannot be executed: %s", what, program,
                   strchr(program, '/') ? strerror(errno) : "it is not in PATH");
}

enum rb_code rb_command_process(rb_process_result *out, const rb_env *env, const rb_strs *command,
                                const char *last, rb_process process, rb_err *err)
{
    if (env->is_copy)
        return rb_fail(err, RB_ERROR,
                       "%s was not run: this is a copy of environment %s, and commands act on the "
                       "real one",
                       command->items[0], env->name);
    const char **argv = rb_process_argv(command, last);
    process.argv = argv;
    enum rb_code code = rb_process_run(out, &process, err);
    free(argv);
    return code;
}

static enum rb_code run_once(rb_process_result *out, const rb_env *env, const rb_strs *command,
                             int timeout, const char *from, const char *to, rb_err *err)
{
    RB_AUTO(rb_free_str) char *env_from = rb_format("RBTOOL_FROM=%s", from ? from : "");
    RB_AUTO(rb_free_str) char *env_to = rb_format("RBTOOL_TO=%s", to);
    RB_AUTO(rb_free_str) char *env_name = rb_format("RBTOOL_ENV_NAME=%s", env->name);
    const char *extra[] = {env_from, env_to, env_name, NULL};
    const rb_process process = {.env = extra, .timeout = timeout, .tail = RB_OUTPUT_KEPT};
    return rb_command_process(out, env, command, NULL, process, err);
}

/* Turns the result of a command into an error. seconds: the time limit of all attempts; 0 for a
 * command that is not a check. */
static enum rb_code judge(char **output, const rb_process_result *result, const char *what,
                          const char *program, int seconds, int attempts, rb_err *err)
{
    RB_AUTO(rb_free_str) char *lines = safe_lines(&result->out);
    RB_AUTO(rb_free_str) char *words = last_words(lines);
    RB_AUTO(rb_free_str)
    char *tries = attempts > 1
                      ? rb_format(" in the last of %d attempts within %d s", attempts, seconds)
                      : rb_strdup("");
    RB_AUTO(rb_free_str) char *who = rb_format("%s (%s)", what, program);
    RB_AUTO(rb_free_str) char *said = rb_format("%s%s", result->status ? tries : "", words);
    enum rb_code code =
        result->timed_out && !result->cancelled && attempts > 0
            ? rb_fail(err, RB_FOUND, "%s got no answer within %d s%s", what, seconds, words)
            : rb_process_judge(result, who, seconds, said, err);
    if (output && code != RB_OK) {
        *output = lines;
        lines = NULL;
    }
    return code;
}

enum rb_code rb_command_run(char **output, const rb_env *env, const rb_strs *command, int timeout,
                            const char *what, const char *from, const char *to, rb_err *err)
{
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    if (output)
        *output = NULL;
    if (run_once(&result, env, command, timeout, from, to, err) != RB_OK)
        return rb_err_prefix(err, "%s", what);
    return judge(output, &result, what, command->items[0], timeout, 0, err);
}

enum rb_code rb_command_run_quietly(rb_buf *printed, char **output, const rb_env *env,
                                    const rb_strs *command, const char *last, int timeout,
                                    const char *what, rb_err *err)
{
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    RB_AUTO(rb_free_str) char *name = rb_format("RBTOOL_ENV_NAME=%s", env->name);
    const char *extra[] = {name, NULL};
    const rb_process process = {.env = extra, .timeout = timeout};
    if (rb_command_process(&result, env, command, last, process, err) != RB_OK)
        return rb_err_prefix(err, "%s", what);
    rb_buf_clear(printed);
    *printed = result.out;
    result.out = result.err;
    result.err = (rb_buf){0};
    return judge(output, &result, what, command->items[0], timeout, 0, err);
}

static void show_progress(const rb_checking *c, const rb_env_check *check, double passed,
                          double left)
{
    if (!c->progress)
        return;
    RB_AUTO(rb_free_str)
    char *text = passed > 0 ? rb_format("%s: passes, must hold for %.0f s more", check->name, left)
                            : rb_format("%s: %.0f s left", check->name, left > 0 ? left : 0);
    c->progress(c->context, text);
}

/* Returns the number of the last line value=NUMBER; NAN if there is none. */
static double find_value(const rb_buf *output)
{
    static const char mark[] = "value=";
    double value = NAN;
    RB_AUTO(rb_free_str) char *lines = rb_strndup(output->data ? output->data : "", output->len);
    char *rest = NULL;
    for (char *line = strtok_r(lines, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        char *end = NULL;
        if (strncmp(line, mark, sizeof mark - 1) != 0)
            continue;
        const char *number = line + sizeof mark - 1;
        value = strtod(number, &end);
        if (end == number || end[strspn(end, " ")] || !isfinite(value))
            value = NAN;
    }
    return value;
}

/* Returns a JSON number. Integers are written without an exponent. */
static json_t *number_of(double value)
{
    const bool whole = fabs(value) < (double)RB_INTEGER_MAX && value == (double)(int64_t)value;
    return whole ? json_integer((json_int_t)value) : json_real(value);
}

static enum rb_code judge_value(const rb_checking *c, const rb_env_check *check, double value,
                                rb_err *err)
{
    const char *name = check->name;
    const json_t *known = json_object_get(c->before, name);
    const double before = known ? json_number_value(known) : NAN;
    if (!rb_env_check_measures(check))
        return RB_OK;
    if (isnan(value))
        return rb_fail(err, RB_FOUND,
                       "check \"%s\" has thresholds, and did not print a line value=NUMBER", name);
    if (value > check->max)
        return rb_fail(err, RB_FOUND, "check \"%s\": value %.10g is above its max, %.10g", name,
                       value, check->max);
    if (value < check->min)
        return rb_fail(err, RB_FOUND, "check \"%s\": value %.10g is below its min, %.10g", name,
                       value, check->min);
    if (fabs(value - before) > check->max_change * fabs(before))
        return rb_fail(
            err, RB_FOUND,
            "check \"%s\": value %.10g was %.10g before the transition, a change of more "
            "than its maxChange, %.10g",
            name, value, before, check->max_change);
    return RB_OK;
}

/* Runs the command of a check once. RB_ERROR if it cannot be started. */
static enum rb_code run_attempt(char **output, const rb_checking *c, const rb_env_check *check,
                                int limit, double first, int attempts, rb_err *err)
{
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    RB_AUTO(rb_free_str) char *what = rb_format("check \"%s\"", check->name);
    if (run_once(&result, c->env, &check->command, limit, c->from, c->to, err) != RB_OK) {
        err->code = RB_ERROR;
        (void)!rb_err_prefix(err, "%s", what);
        return RB_ERROR;
    }
    int took = (int)(rb_clock_seconds() - first + 0.5);
    enum rb_code code =
        judge(output, &result, what, check->command.items[0], took > 0 ? took : 1, attempts, err);
    const double value = code == RB_OK ? find_value(&result.out) : NAN;
    if (c->values && !isnan(value))
        json_object_set_new(c->values, check->name, number_of(value));
    return code == RB_OK ? judge_value(c, check, value, err) : code;
}

/* Runs one check until it passes or times out. began: time when the first of all checks began. */
static enum rb_code run_check(char **output, const rb_checking *c, const rb_env_check *check,
                              double began, rb_err *err)
{
    double end = began + check->timeout;
    double passed = 0; /* time since when it passes; 0: it does not pass */
    const double first = rb_clock_seconds();
    for (int attempts = 1;; attempts++) {
        double left = end - rb_clock_seconds();
        show_progress(c, check, passed,
                      passed > 0 ? passed + check->stable_for - rb_clock_seconds() : left);
        int limit = passed > 0 || left <= 0 || left > check->attempt ? check->attempt
                    : left < 1                                       ? 1
                                                                     : (int)(left + 0.5);
        rb_free_str(output);
        enum rb_code code = check->compare[0].name
                                ? rb_compare_run(c->env, c->active, check, limit, err)
                                : run_attempt(output, c, check, limit, first, attempts, err);
        if (code == RB_ERROR && !check->compare[0].name)
            return code;
        double after = rb_clock_seconds();
        if (code != RB_OK)
            passed = 0;
        else if (passed <= 0)
            passed = after;
        if (code == RB_OK && (c->once || after >= passed + check->stable_for))
            return RB_OK;
        if (code != RB_OK && (c->once || !check->retry || after >= end || rb_process_cancelled()))
            return code;
        (void)nanosleep(&(struct timespec){.tv_sec = 1}, NULL); /* a signal ends the sleep */
    }
}

static bool is_wanted(const rb_checking *c, const rb_env_check *check)
{
    return !c->measured || rb_env_check_measures(check) ||
           json_object_get(c->measured, check->name);
}

bool rb_check_runs_after(const rb_env_check *check, const char *kind)
{
    return !check->after || rb_text_same(check->after, kind);
}

size_t rb_checks_count(const rb_env *env, const char *kind)
{
    size_t n = 0;
    for (size_t i = 0; i < env->check_count; i++)
        n += rb_check_runs_after(&env->checks[i], kind);
    return n;
}

void rb_checks_run(json_t *failures, const rb_checking *c)
{
    double began = rb_clock_seconds();
    for (size_t i = 0; i < c->env->check_count && !rb_process_cancelled(); i++) {
        const rb_env_check *check = &c->env->checks[i];
        if (!rb_check_runs_after(check, c->kind) || !is_wanted(c, check))
            continue;
        RB_AUTO(rb_free_str) char *output = NULL;
        rb_err why;
        if (run_check(&output, c, check, began, &why) != RB_OK)
            json_array_append_new(failures, rb_json_make("name:s message:s output:s", check->name,
                                                         rb_err_line(&why), output));
    }
}

static char *show_rows(const json_t *rows)
{
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    rb_json_each (row, rows) {
        if (row_at > 0)
            rb_buf_puts(&raw, " ");
        rb_json_canonical(&raw, row);
    }
    rb_buf out = {0};
    rb_buf_add_safe(&out, rb_buf_str(&raw), raw.len);
    return rb_buf_detach(&out);
}

/* True if name is a folder in path, or the file's name up to a dot. */
static bool names(const char *path, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (strncmp(p, name, len) == 0 &&
            (p[len] == '/' || (p[len] == '.' && !strchr(p + len, '/'))))
            return true;
    return false;
}

const char *rb_sql_check_database(bool *named, const rb_manifest *manifest, const char *path)
{
    const char *first = NULL;
    *named = true;
    for (size_t i = 0; i < manifest->database_count; i++) {
        const char *name = manifest->databases[i].name;
        if (names(path, name))
            return name;
        if (!first || strcmp(name, first) < 0)
            first = name;
    }
    *named = manifest->database_count < 2;
    return first;
}

enum rb_code rb_sql_checks_run(json_t *failures, const rb_release *release, rb_repo *repo,
                               const char *database, rb_db *db, rb_err *err)
{
    for (size_t i = 0; i < release->manifest->check_count; i++) {
        const rb_manifest_file *file = &release->manifest->checks[i];
        RB_AUTO(rb_buf_clear) rb_buf sql = {0};
        bool named;
        if (!rb_text_same(rb_sql_check_database(&named, release->manifest, file->path), database))
            continue;
        RB_TRY(rb_release_file(&sql, release, repo, file->path, file->sha256, err));
        if (sql.len > CHECK_LIMIT)
            return rb_fail(err, RB_ERROR, "check %s is larger than 1 MiB", file->path);
        RB_AUTO(rb_json_freep) json_t *rows = NULL;
        rb_err why;
        RB_AUTO(rb_free_str) char *message = NULL;
        if (rb_db_check(&rows, db, rb_buf_str(&sql), SHOWN_ROWS, &why) != RB_OK) {
            message = rb_format("check %s failed to run%s: %s", file->path,
                                named ? ""
                                      : " in the first database, as its path names none (a check "
                                        "of database NAME lies in a folder NAME)",
                                rb_err_line(&why));
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

static enum rb_code check_database(json_t *failures, const rb_checking *c,
                                   const rb_release *release, rb_repo *repo, const char *name,
                                   rb_err *err)
{
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    const char *url = rb_env_database(c->env, name);
    const rb_db_limits limits = rb_env_limits(c->env);
    if (!url)
        return RB_OK;
    RB_TRY(rb_db_open(&db, url, RB_DB_READ, err));
    RB_TRY(rb_db_limit(db, &limits, err));
    if (c->active)
        atomic_store(c->active, db);
    enum rb_code code = rb_sql_checks_run(failures, release, repo, name, db, err);
    if (c->active)
        atomic_store(c->active, NULL);
    return code;
}

void rb_sql_checks_round(json_t *failures, const rb_checking *checking, const rb_release *release,
                         rb_repo *repo)
{
    const rb_manifest *manifest = release->manifest;
    for (size_t i = 0; i < (manifest->check_count ? manifest->database_count : 0); i++) {
        const char *name = manifest->databases[i].name;
        rb_err why;
        if (rb_process_cancelled())
            return;
        if (check_database(failures, checking, release, repo, name, &why) == RB_OK)
            continue;
        RB_AUTO(rb_free_str) char *what = rb_format("database %s", name);
        RB_AUTO(rb_free_str) char *message = rb_format("%s: %s", what, rb_err_line(&why));
        json_array_append_new(failures, rb_json_make("name:s message:s output:0", what, message));
    }
}

void rb_checks_round(json_t *failures, const rb_checking *checking, const rb_release *release,
                     rb_repo *repo)
{
    rb_checking once = *checking;
    once.once = true;
    rb_checks_run(failures, &once);
    rb_sql_checks_round(failures, checking, release, repo);
}
