#include "environment/compatibility.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "database/tracking.h"
#include "environment/checks.h"
#include "git/tree.h"
#include "release/reconstruct.h"

#define WHY_LIMIT 500 /* bytes of a reason */
#define NOBODY "65534"
#define PROBE_SECONDS 10

typedef struct testing {
    json_t *out;
    rb_repo *repo;
    const rb_release *previous;
    const rb_made *made;
    rb_oid tree; /* tree of the new release's commit */
    rb_db_limits limits;
    char *dir;      /* temporary folder */
    rb_strs env;    /* environment variables of the command */
    char *output;   /* end of the command's output */
    bool on_server; /* a database is on a server that is reached over the network */
} testing;

static void testing_clear(testing *t)
{
    if (t->dir)
        (void)!rb_dir_remove(t->dir, RB_IGNORED);
    free(t->dir);
    free(t->output);
    rb_strs_clear(&t->env);
    json_decref(t->out);
}

/* Sets the result. Only the first reason is recorded. */
static void fails(testing *t, const char *result, const char *why)
{
    if (rb_json_str(t->out, "why"))
        return;
    RB_AUTO(rb_free_str) char *text = rb_checks_public(why);
    RB_AUTO(rb_free_str) char *safe = rb_safe(text);
    RB_AUTO(rb_free_str) char *end = rb_strndup(safe, strnlen(safe, WHY_LIMIT));
    rb_json_set(t->out, "result:s why:s", result, end);
}

/* Adds the variable RBTOOL_DATABASE_MAIN=url, for database "main". */
static void add_url(testing *t, const char *name, const char *url)
{
    rb_buf out = {0};
    rb_buf_puts(&out, "RBTOOL_DATABASE_");
    for (const char *p = name; *p; p++)
        rb_buf_addc(&out, isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_');
    rb_buf_printf(&out, "=%s", url);
    rb_strs_take(&t->env, rb_buf_detach(&out));
}

/* Records every migration as applied, as a deploy does, so that an application that migrates when
 * it starts has nothing to do. */
static enum rb_code note_applied(rb_db *db, const testing *t, const rb_manifest_database *d,
                                 rb_err *err)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    RB_AUTO(rb_db_outcome_clear) rb_db_outcome outcome = {0};
    const char *tracking;
    RB_TRY(rb_migrations_read(&set, t->repo, &t->tree, d->directory, d->layout, d->engine, err));
    RB_TRY(rb_tracking_find(&tracking, db, d->tracking, d->layout, err));
    rb_db_step *steps = rb_calloc(set->n, sizeof *steps);
    for (size_t i = 0; i < set->n; i++)
        steps[i] = (rb_db_step){.migration = &set->items[i], .up = true, .noted = true};
    const rb_db_work work = {.steps = steps, .n = set->n, .tracking = tracking, .order = set};
    enum rb_code code = rb_db_run(&outcome, db, &work, err);
    free(steps);
    return code;
}

/* True if the new release has the same check. What it finds then comes from the made-up rows, not
 * from the schema. */
static bool is_in_both(const testing *t, const char *path)
{
    const rb_manifest *a = t->previous->manifest;
    const rb_manifest *b = t->made->manifest;
    for (size_t i = 0; i < a->check_count; i++)
        for (size_t j = 0; j < b->check_count; j++)
            if (strcmp(a->checks[i].path, path) == 0 && strcmp(b->checks[j].path, path) == 0)
                return strcmp(a->checks[i].sha256, b->checks[j].sha256) == 0;
    return false;
}

static enum rb_code run_checks(int64_t *failed, testing *t, rb_db *db, const char *name,
                               rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *failures = json_array();
    RB_TRY(rb_sql_checks_run(failures, t->previous, t->repo, name, db, err));
    *failed += (int64_t)json_array_size(failures);
    rb_json_each (item, failures) {
        bool found = json_array_size(json_object_get(item, "rows")) > 0;
        if (!found || !is_in_both(t, rb_json_str(item, "name")))
            fails(t, "fails", rb_json_str(item, "message"));
    }
    return RB_OK;
}

static enum rb_code count_rows(testing *t, rb_db *db, const json_t *catalog, rb_err *err)
{
    int64_t rows = 0;
    RB_TRY(rb_db_count_rows(&rows, db, catalog, err));
    json_object_set_new(t->out, "rows", json_integer(rb_json_int(t->out, "rows", 0) + rows));
    return RB_OK;
}

static enum rb_code try_database(int64_t *failed, testing *t, const rb_manifest_database *d,
                                 const json_t *lent, rb_err *err)
{
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    const char *url = rb_json_str(lent, "url");
    json_array_append_new(json_object_get(t->out, "databases"),
                          rb_json_make("name:s engine:s version:J fingerprint:s seed:J", d->name,
                                       d->engine, json_object_get(d->proof, "version"),
                                       d->fingerprint, json_object_get(lent, "seed")));
    RB_TRY(rb_db_open(&db, url, RB_DB_WRITE, err));
    RB_TRY(rb_db_begin(db, err));
    RB_TRY(note_applied(db, t, d, err));
    RB_TRY(rb_db_commit(db, err));
    RB_TRY(rb_db_limit(db, &t->limits, err));
    RB_TRY(count_rows(t, db, json_object_get(t->made->catalogs, d->name), err));
    RB_TRY(run_checks(failed, t, db, d->name, err));
    add_url(t, d->name, url);
    t->on_server = t->on_server || rb_db_scratch_place(d->engine) == RB_SCRATCH_SERVER;
    return RB_OK;
}

static enum rb_code try_databases(testing *t, rb_err *err)
{
    int64_t failed = 0;
    const rb_manifest *manifest = t->made->manifest;
    for (size_t i = 0; i < manifest->database_count; i++) {
        const rb_manifest_database *d = &manifest->databases[i];
        const json_t *lent = json_object_get(t->made->lent, d->name);
        if (lent && try_database(&failed, t, d, lent, err) != RB_OK)
            return rb_err_prefix(err, "database %s", d->name);
    }
    int64_t all = (int64_t)t->previous->manifest->check_count;
    json_object_set_new(t->out, "checks", json_integer(all > failed ? all - failed : 0));
    return RB_OK;
}

/* Runs the command below programs of util-linux that confine it. */

static enum rb_code run_program(rb_process_result *out, const rb_strs *words, rb_process process,
                                rb_err *err)
{
    const char **argv = rb_process_argv(words, NULL);
    process.argv = argv;
    enum rb_code code = rb_process_run(out, &process, err);
    free(argv);
    return code;
}

static void add_words(rb_strs *out, const char *const *words)
{
    for (; *words; words++)
        rb_strs_add(out, *words);
}

/* Adds words to run the command without a network. False if the kernel does not permit that. */
static bool leave_network(rb_strs *out)
{
    static const char *const by_user[] = {"unshare", "--user", "--map-current-user",
                                          "--net",   "--",     NULL};
    static const char *const by_root[] = {"unshare", "--net", "--", NULL};
    RB_AUTO(rb_strs_clear) rb_strs probe = {0};
    rb_process_result result = {0};
    add_words(&probe, geteuid() == 0 ? by_root : by_user);
    rb_strs_add(&probe, "true");
    const rb_process process = {.timeout = PROBE_SECONDS};
    const bool can =
        run_program(&result, &probe, process, RB_IGNORED) == RB_OK && result.status == 0;
    rb_process_result_clear(&result);
    if (can)
        add_words(out, geteuid() == 0 ? by_root : by_user);
    return can;
}

static void confine(rb_strs *out, testing *t)
{
    static const char *const limits[] = {"prlimit",       "--core=0", "--fsize=2147483648",
                                         "--nofile=1024", "--",       NULL};
    static const char *const user[] = {
        "setpriv", "--reuid=" NOBODY, "--regid=" NOBODY, "--clear-groups", "--no-new-privs", "--",
        NULL};
    json_object_set_new(t->out, "offline", json_boolean(!t->on_server && leave_network(out)));
    if (rb_process_can_run(limits[0]))
        add_words(out, limits);
    if (geteuid() == 0)
        add_words(out, user);
}

static void judge(testing *t, const rb_process_result *result, const char *line, int timeout)
{
    RB_AUTO(rb_free_str)
    char *what = result->timed_out ? rb_format("`%s` did not end in %d s", line, timeout)
                                   : rb_format("`%s` ended with status %d", line, result->status);
    json_object_set_new(t->out, "exit",
                        result->timed_out ? json_null() : json_integer(result->status));
    if (result->status != 0 || result->timed_out)
        fails(t, "fails", what);
}

/* Returns the folder of the first artifact of format dir. */
static char *folder_of(const testing *t, const char *release)
{
    const rb_manifest *manifest = t->previous->manifest;
    for (size_t i = 0; i < manifest->artifact_count; i++)
        if (strcmp(manifest->artifacts[i].format, "dir") == 0)
            return rb_format("%s/artifacts/%s", release, manifest->artifacts[i].name);
    return NULL;
}

static enum rb_code run_command(testing *t, const rb_config *config, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs words = {0};
    RB_AUTO(rb_free_str) char *release = rb_path_join(t->dir, "release");
    RB_AUTO(rb_free_str) char *folder = folder_of(t, release);
    RB_AUTO(rb_free_str) char *line = rb_command_line(&config->compatibility);
    RB_AUTO(rb_reconstruct_freep) rb_reconstruct *work = NULL;
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    rb_process_result result = {0};
    json_object_set_new(t->out, "command", rb_json_strs(&config->compatibility));
    rb_json_set_str(t->out, "commandLine", line);
    if (!folder) {
        fails(t, "untested", "no artifact of the previous release has format dir");
        return RB_OK;
    }
    RB_TRY(rb_reconstruct_begin(&work, release, err));
    RB_TRY(rb_reconstruct_release(&document, work, t->previous, t->repo, err));
    RB_TRY(rb_reconstruct_finish(work, err));
    confine(&words, t);
    for (size_t i = 0; i < config->compatibility.n; i++)
        rb_strs_add(&words, config->compatibility.items[i]);
    const int timeout = config->compatibility_timeout;
    const char **env = rb_calloc(t->env.n + 1, sizeof *env);
    for (size_t i = 0; i < t->env.n; i++)
        env[i] = t->env.items[i];
    enum rb_code code = run_program(
        &result, &words,
        (rb_process){
            .dir = folder, .env = env, .bare = true, .timeout = timeout, .tail = RB_OUTPUT_KEPT},
        err);
    free(env);
    if (code == RB_OK)
        judge(t, &result, line, timeout);
    t->output = rb_strndup(rb_buf_str(&result.out), result.out.len);
    rb_process_result_clear(&result);
    return code;
}

static enum rb_code prepare(testing *t, rb_err *err)
{
    static const char *const kept[] = {"PATH", "LANG", "LC_ALL", "TZ", NULL};
    char path[] = "/var/tmp/rbtool-XXXXXX";
    if (!mkdtemp(path))
        return rb_fail_errno(err, RB_ERROR, "a temporary folder cannot be created in /var/tmp");
    t->dir = rb_strdup(path);
    if (geteuid() == 0 && chmod(path, 0755) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot set the mode of %s", path);
    RB_AUTO(rb_free_str) char *home = rb_path_join(path, "home");
    RB_TRY(rb_dir_make_as(home, geteuid() == 0 ? 01777 : 0700, err));
    add_words(&t->env, kept);
    rb_strs_take(&t->env, rb_format("HOME=%s", home));
    rb_strs_take(&t->env, rb_format("TMPDIR=%s", home));
    return RB_OK;
}

static enum rb_code test(testing *t, const rb_config *config, rb_err *err)
{
    RB_TRY(prepare(t, err));
    RB_TRY(try_databases(t, err));
    if (config && config->compatibility.n > 0)
        RB_TRY(run_command(t, config, err));
    else if (rb_json_int(t->out, "checks", 0) == 0)
        fails(t, "untested",
              "the previous release has no compatibility command, and no SQL check passed");
    return RB_OK;
}

enum rb_code rb_compatibility_test(json_t **out, char **output, rb_repo *repo,
                                   const rb_release *previous, const rb_made *made,
                                   const rb_config *settings, rb_err *err)
{
    RB_AUTO(rb_config_freep) rb_config *own = NULL;
    RB_AUTO(testing_clear)
    testing t = {.repo = repo,
                 .previous = previous,
                 .made = made,
                 .limits = {.seconds = RB_DB_LIMITS_SECONDS},
                 .out = rb_json_make("result:s why:0 previous:s previousObject:s checks:i rows:i "
                                     "command:0 commandLine:0 exit:0 offline:b databases:j",
                                     "tested", previous->tag, previous->object, (int64_t)0,
                                     (int64_t)0, false, json_array())};
    rb_oid commit;
    if (!rb_oid_parse(&commit, made->manifest->commit))
        return rb_fail(err, RB_ERROR, "internal error: the manifest's commit is not an id");
    RB_TRY(rb_commit_tree(&t.tree, repo, &commit, err));
    if (rb_config_at(&own, repo, &previous->commit, RB_IGNORED) != RB_OK)
        own = NULL;
    if (test(&t, own ? own : settings, err) != RB_OK)
        fails(&t, "untested", rb_err_line(err));
    *out = json_incref(t.out);
    *output = RB_TAKE(t.output);
    return RB_OK;
}
