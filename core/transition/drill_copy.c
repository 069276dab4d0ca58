/* Makes the copies that a drill works on. */
#include "transition/drill.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "environment/checks.h"

#define NAME_DIGITS 12 /* digits of ROOT's SHA-256 in the folder's name */

static void say(const rb_drill *drill, const char *text)
{
    if (drill->progress)
        drill->progress(drill->context, "copy", text);
}

/* Removes the folder of an earlier drill. Its lock is free, so that it has ended. */
static enum rb_code clear_folder(const char *dir, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_TRY(rb_dir_list(&names, dir, err));
    for (size_t i = 0; i < names.n; i++) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(dir, names.items[i]);
        RB_TRY(rb_dir_remove(path, err));
    }
    return RB_OK;
}

/* Makes the folder. Its name can be guessed, and anyone can write to the folder above it, so its
 * owner and mode are checked. */
static enum rb_code make_folder(rb_drill *drill, rb_err *err)
{
    char hash[RB_SHA256_HEX];
    struct stat st;
    rb_sha256_hex_of(drill->env->root, strlen(drill->env->root), hash);
    const char *above = drill->folder && drill->folder[0] == '/' ? drill->folder : "/var/tmp";
    drill->dir =
        rb_format("%s/rbtool-drill-%u-%.*s", above, (unsigned)geteuid(), NAME_DIGITS, hash);
    if (mkdir(drill->dir, 0700) != 0 && errno != EEXIST)
        return rb_fail_errno(err, RB_ERROR, "cannot make the folder %s for the copies", drill->dir);
    drill->lock = open(drill->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (drill->lock < 0 || fstat(drill->lock, &st) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot open the folder %s for the copies", drill->dir);
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return rb_fail(err, RB_ERROR,
                       "the folder %s for the copies belongs to another user, or others may enter "
                       "it\nremove it, or set TMPDIR to a folder of your own",
                       drill->dir);
    if (flock(drill->lock, LOCK_EX | LOCK_NB) == 0)
        return clear_folder(drill->dir, err);
    /* -1, so that rb_drill_end() does not remove the folder of the other drill */
    rb_close(&drill->lock);
    return rb_fail(err, RB_BUSY,
                   "another drill of %s is running\nwait until it has ended; its copies are in %s",
                   drill->env->name, drill->dir);
}

/* Copies the paths that exist into a folder. follow: copies what symlinks point to. */
static enum rb_code copy_files(const char *into, bool follow, const rb_strs *from, rb_err *err)
{
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    const char *const options[] = {"cp",
                                   follow ? "-L" : "-R",
                                   "--preserve=mode,ownership,timestamps",
                                   "--reflink=auto",
                                   "-t",
                                   into,
                                   "--"};
    const size_t n = sizeof options / sizeof *options;
    const char **argv = rb_calloc(n + from->n + 1, sizeof *argv);
    size_t count = n;
    memcpy(argv, options, sizeof options);
    for (size_t i = 0; i < from->n; i++)
        if (rb_file_exists(from->items[i]))
            argv[count++] = from->items[i];
    const rb_process process = {.argv = argv};
    enum rb_code code = count > n ? rb_process_run(&result, &process, err) : RB_OK;
    free(argv);
    RB_TRY(code);
    if (result.cancelled)
        return rb_fail(err, RB_FOUND, "stopped by a signal");
    if (result.status == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *why = rb_safe(rb_buf_str(&result.err));
    return rb_fail(err, RB_ERROR, "cannot copy to %s: %.500s", into, why);
}

/* Returns the bytes of both folders as `du` counts them; 0 if unknown. */
static uint64_t size_of(const char *releases, const char *own)
{
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    const char *const argv[] = {"du", "-sbc", "--", releases, own, NULL};
    const rb_process process = {.argv = argv};
    if (rb_process_run(&result, &process, RB_IGNORED) != RB_OK)
        return 0;
    const char *text = rb_buf_str(&result.out);
    const char *total = strstr(text, "\ttotal");
    while (total && total > text && total[-1] != '\n')
        total--;
    return total ? strtoull(total, NULL, 10) : 0;
}

/* Refuses a drill that could fill the disk, which would stop the real service. */
static enum rb_code check_room(const rb_drill *drill, uint64_t need, rb_err *err)
{
    struct statvfs fs;
    for (size_t i = 0; i < drill->env->database_count; i++) {
        rb_db_target target;
        RB_TRY(rb_db_inspect(&target, drill->env->databases[i].value, err));
        need += target.bytes;
    }
    if (statvfs(drill->dir, &fs) != 0)
        return RB_OK;
    const uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (need < room - room / 10)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "not enough room below %s: %" PRIu64
                   " MiB are free, and the copies take %" PRIu64
                   " MiB\nset TMPDIR to a folder on a larger disk",
                   drill->dir, room >> 20, (need >> 20) + 1);
}

/* Lists the files of ROOT/.rbtool except the state, which may be written at this moment. */
static enum rb_code list_own(rb_strs *out, const char *own, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_TRY(rb_dir_list(&names, own, err));
    for (size_t i = 0; i < names.n; i++)
        if (strncmp(names.items[i], "state.db", 8) != 0 && strcmp(names.items[i], "lock") != 0)
            rb_strs_take(out, rb_path_join(own, names.items[i]));
    return RB_OK;
}

/* Copies what a transition reads and writes below ROOT, without uploads or logs. */
static enum rb_code copy_root(const rb_drill *drill, const char *root, rb_err *err)
{
    const rb_env *env = drill->env;
    RB_AUTO(rb_free_str) char *live = rb_path_join(env->root, ".rbtool");
    RB_AUTO(rb_free_str) char *own = rb_path_join(root, ".rbtool");
    RB_AUTO(rb_strs_clear) rb_strs files = {0};
    RB_AUTO(rb_strs_clear) rb_strs owned = {0};
    rb_strs_take(&files, rb_path_join(env->root, "releases"));
    rb_strs_take(&files, rb_path_join(env->root, "current"));
    RB_TRY(rb_dir_make_as(own, 0755, err));
    RB_TRY(check_room(drill, size_of(files.items[0], live), err));
    RB_TRY(list_own(&owned, live, err));
    RB_TRY(copy_files(root, false, &files, err));
    RB_TRY(copy_files(own, false, &owned, err));
    return rb_state_copy(root, env->root, err);
}

/* Points the environment to the copy of ROOT. */
static enum rb_code move_root(rb_drill *drill, rb_err *err)
{
    char *root = rb_path_join(drill->dir, "root");
    RB_AUTO(rb_state_closep) rb_state *taken = NULL;
    enum rb_code code = copy_root(drill, root, err);
    free(drill->env->root);
    drill->env->root = root;
    RB_TRY(code);
    RB_TRY(rb_state_open(&taken, root, true, err));
    return rb_state_take_over(taken, root, err);
}

/* Copies a host file, and changes *path to the copy. */
static enum rb_code copy_host_file(char **path, const rb_drill *drill, size_t number, rb_err *err)
{
    const char *slash = strrchr(*path, '/');
    RB_AUTO(rb_free_str) char *into = rb_format("%s/files/%zu", drill->dir, number);
    RB_AUTO(rb_strs_clear) rb_strs files = {0};
    rb_strs_add(&files, *path);
    RB_TRY(rb_dir_make_as(into, 0700, err));
    RB_TRY(copy_files(into, true, &files, err));
    char *copy = rb_path_join(into, slash ? slash + 1 : *path);
    free(*path);
    *path = copy;
    return RB_OK;
}

/* Returns the file that --from gives for a database, or NULL. */
static const char *dump_of(const rb_drill *drill, const char *name)
{
    const size_t len = strlen(name);
    for (size_t i = 0; drill->from && i < drill->from->n; i++) {
        const char *item = drill->from->items[i];
        if (strncmp(item, name, len) == 0 && item[len] == '=')
            return item + len + 1;
        if (drill->env->database_count == 1 && (item[0] == '/' || !strchr(item, '=')))
            return item;
    }
    return NULL;
}

/* Checks that each file of --from belongs to a database and can be read. */
static enum rb_code check_dumps(const rb_drill *drill, rb_err *err)
{
    size_t used = 0;
    for (size_t i = 0; i < drill->env->database_count; i++) {
        const char *dump = dump_of(drill, drill->env->databases[i].name);
        if (dump && access(dump, R_OK) != 0)
            return rb_fail(err, RB_ERROR,
                           "the file %s of --from cannot be read: %s\nsee what is there with `ls "
                           "-la`, or leave --from out to copy the database",
                           dump, strerror(errno));
        used += dump != NULL;
    }
    if (!drill->from || used == drill->from->n)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "--from names no database of %s, or one twice\nwrite --from NAME=FILE, once for "
                   "each database",
                   drill->env->name);
}

/* Refuses a step that no drill of this environment has, before anything is copied. */
static enum rb_code check_step(const rb_drill *drill, rb_err *err)
{
    const rb_env *env = drill->env;
    const char *step = drill->fail_at ? drill->fail_at : drill->kill_at;
    const bool has[RB_STEP_KINDS + 1] = {[RB_DO_STAGE] = true,
                                         [RB_DO_SWITCH] = true,
                                         [RB_DO_FLAGS] = env->flags != NULL,
                                         [RB_DO_CONFIG] = env->config_count > 0,
                                         [RB_DO_DATABASE] = env->database_count > 0,
                                         [RB_DO_COMMIT] = env->database_count > 0};
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    if (!step || has[rb_step_kind_of(step)])
        return RB_OK;
    for (int kind = 0; kind < RB_DO_RECORD; kind++)
        if (has[kind])
            rb_buf_printf(&names, "%s%s", names.len ? ", " : "",
                          rb_step_kind_name((enum rb_step_kind)kind));
    return rb_fail(err, RB_ERROR,
                   "a drill of %s has no step %s: it moves what the environment names, and runs "
                   "none of its commands, which would act on the real service\nuse `rbtool drill "
                   "--env %s --%s STEP` with "
                   "one of: %s",
                   env->name, step, env->name, drill->fail_at ? "fail-at" : "kill-at",
                   rb_buf_str(&names));
}

static enum rb_code copy_databases(rb_drill *drill, rb_err *err)
{
    for (size_t i = 0; i < drill->env->database_count; i++) {
        rb_env_pair *pair = &drill->env->databases[i];
        RB_AUTO(rb_free_str) char *into = rb_format("%s/%zu", drill->dir, i);
        char *url = NULL;
        say(drill, pair->name);
        RB_TRY(rb_db_copy(&url, pair->value, dump_of(drill, pair->name), into, err));
        free(pair->value);
        pair->value = url;
    }
    return RB_OK;
}

static void drop_commands(rb_drill *drill)
{
    const rb_env *env = drill->env;
    const struct {
        const char *name;
        const rb_strs *command;
    } service[] = {{"service.stop", &env->stop}, {"service.start", &env->start}};
    for (size_t i = 0; i < 2; i++) {
        RB_AUTO(rb_free_str) char *line = rb_command_line(service[i].command);
        RB_AUTO(rb_free_str) char *text = rb_format("%s: %s", service[i].name, line);
        if (service[i].command->n > 0)
            json_array_append_new(drill->not_tried, rb_json_text(text));
    }
    for (size_t i = 0; i < env->check_count; i++) {
        if (!rb_check_runs_after(&env->checks[i], drill->backup ? "deploy" : "revert"))
            continue;
        RB_AUTO(rb_free_str) char *line = rb_check_line(&env->checks[i]);
        RB_AUTO(rb_free_str) char *text = rb_format("check %s: %s", env->checks[i].name, line);
        json_array_append_new(drill->not_tried, rb_json_text(text));
    }
    for (size_t i = 0; i < env->secret_count; i++) {
        RB_AUTO(rb_free_str) char *text = rb_format("secrets.%s", env->secrets[i].name);
        json_array_append_new(drill->not_tried, rb_json_text(text));
    }
    rb_env_drop_commands(drill->env);
}

/* Reads the newest transition's id, to detect one that runs between two copies; "" if there is
 * none. */
static enum rb_code newest(char **out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_transition_row_freep) rb_transition_row *pending = NULL;
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    RB_TRY(rb_state_pending(&pending, state, err));
    RB_TRY(rb_state_history(&rows, state, false, err));
    *out = rb_strdup(pending ? pending->id : rows.n > 0 ? rows.items[0].id : "");
    return RB_OK;
}

/* Finds the newest backup. The deploy that undoes its transition restores it, if no other
 * transition followed. */
static enum rb_code find_backup(rb_drill *drill, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_live_clear) rb_live live = {0};
    RB_AUTO(rb_backup_rows_clear) rb_backup_rows rows = {0};
    const char *env = drill->env->name;
    RB_TRY(rb_state_live(&live, state, err));
    RB_TRY(rb_state_backups(&rows, state, NULL, NULL, err));
    const rb_backup_row *newest = rows.n > 0 && rows.items[0].pruned == 0 ? &rows.items[0] : NULL;
    if (!newest || !newest->from)
        return rb_fail(err, RB_ERROR,
                       "%s has no backup to restore\na transition makes one when it destroys rows: "
                       "`rbtool backups --env %s`",
                       env, env);
    if (!rb_text_same(newest->to, live.tag[RB_PART_DB]))
        return rb_fail(err, RB_ERROR,
                       "backup %s was made on the way from %s to %s, and %s is live\nsee what it "
                       "would restore now with `rbtool restore %s --env %s -n`",
                       newest->transition, newest->from, newest->to,
                       live.tag[RB_PART_DB] ? live.tag[RB_PART_DB] : "nothing", newest->transition,
                       env);
    drill->items = json_array();
    for (size_t i = 0; i < rows.n; i++) {
        if (!rb_text_same(rows.items[i].transition, newest->transition))
            continue;
        rb_json_each (item, rows.items[i].items) {
            json_t *named = json_copy(item);
            rb_json_set_str(named, "database", rows.items[i].database);
            if (json_is_true(json_object_get(item, "atRisk")))
                json_array_append(drill->items, named);
            json_decref(named);
        }
    }
    drill->backup_id = rb_strdup(newest->transition);
    drill->backup_from = rb_strdup(newest->from);
    drill->since = newest->at;
    return RB_OK;
}

/* Finds since when the release is live. */
static enum rb_code find_since(rb_drill *drill, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    RB_TRY(rb_state_history(&rows, state, false, err));
    for (size_t i = 0; i < rows.n; i++) {
        if (!rb_known_reached(&rows.items[i]))
            continue;
        if (rb_text_same(rows.items[i].to, drill->tag))
            drill->since = rows.items[i].finished;
        else if (drill->since)
            break;
    }
    return RB_OK;
}

static enum rb_code copy_all(rb_drill *drill, rb_err *err)
{
    rb_env *env = drill->env;
    say(drill, "files");
    RB_TRY(move_root(drill, err));
    if (env->flags)
        RB_TRY(copy_host_file(&env->flags, drill, 0, err));
    for (size_t i = 0; i < env->config_count; i++)
        RB_TRY(copy_host_file(&env->config[i].value, drill, i + 1, err));
    return copy_databases(drill, err);
}

enum rb_code rb_drill_copy(rb_drill *drill, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_free_str) char *before = NULL;
    RB_AUTO(rb_free_str) char *after = NULL;
    const double began = rb_clock_seconds();
    drill->lock = -1;
    drill->not_tried = json_array();
    RB_TRY(check_dumps(drill, err));
    RB_TRY(check_step(drill, err));
    RB_TRY(drill->backup ? find_backup(drill, state, err) : find_since(drill, state, err));
    drop_commands(drill);
    RB_TRY(make_folder(drill, err));
    RB_TRY(newest(&before, state, err));
    RB_TRY(copy_all(drill, err));
    RB_TRY(newest(&after, state, err));
    drill->copying = rb_clock_seconds() - began;
    if (strcmp(before, after) == 0)
        return RB_OK;
    return rb_fail(err, RB_BUSY,
                   "a transition of %s began while the copies were made\nrun the drill again when "
                   "it has ended: `rbtool status --env %s`",
                   drill->env->name, drill->env->name);
}

void rb_drill_end(rb_drill *drill)
{
    json_decref(drill->not_tried);
    drill->not_tried = NULL;
    if (drill->dir && drill->lock >= 0)
        (void)!rb_dir_remove(drill->dir, RB_IGNORED);
    rb_close(&drill->lock);
    rb_free_str(&drill->dir);
    rb_free_str(&drill->backup_id);
    rb_free_str(&drill->backup_from);
    json_decref(drill->items);
    drill->items = NULL;
    drill->lock = -1;
}
