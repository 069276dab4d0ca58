/* `rbtool env check`: compares an environment's settings with this host. Changes nothing. */
#include <errno.h>
#include <mntent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "database/database.h"
#include "database/url.h"
#include "env_session.h"
#include "environment/root.h"
#include "release_status.h"
#include "transition/host_files.h"
#include "transition/transition.h"
#include "ui.h"

enum level { LEVEL_OK, LEVEL_WARNING, LEVEL_ERROR };
static const char *const levels[] = {"ok", "warning", "error"};

typedef struct check {
    rb_cli *cli;
    const rb_env_session *site;
    const rb_env *env;
    json_t *lines; /* [{"item","level","message","hint"}] */
} check;

static void add(const check *c, const char *item, enum level level, const char *hint,
                const char *format, ...) RB_PRINTF(5, 6);

static void add(const check *c, const char *item, enum level level, const char *hint,
                const char *format, ...)
{
    RB_AUTO(rb_buf_clear) rb_buf message = {0};
    va_list args;
    va_start(args, format);
    rb_buf_vprintf(&message, format, args);
    va_end(args);
    json_array_append_new(c->lines, rb_json_make("item:s level:s message:s hint:s", item,
                                                 levels[level], rb_buf_str(&message), hint));
}

/* True if code is RB_OK; otherwise adds an error line with the reason. */
static bool passes(const check *c, const char *item, enum rb_code code, rb_err *why)
{
    if (code != RB_OK)
        add(c, item, LEVEL_ERROR, why->hint[0] ? why->hint : NULL, "%s", why->message);
    return code == RB_OK;
}

/* Returns the nearest folder above path that exists. */
static char *standing_folder(const char *path)
{
    char *at = rb_strdup(path);
    struct stat st;
    while (stat(at, &st) != 0 && strcmp(at, "/") != 0) {
        char *up = rb_path_dir(at);
        free(at);
        at = up;
    }
    return at;
}

/* Returns what of the environment's folder exists and cannot be written by this user, or NULL. */
static char *closed_path(const char *root)
{
    static const char *const names[] = {"", "/.rbtool", "/releases", "/.rbtool/lock",
                                        "/.rbtool/state.db"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = rb_format("%s%s", root, names[i]);
        if (access(path, W_OK) != 0 && errno != ENOENT)
            return path;
        free(path);
    }
    return NULL;
}

static void check_root(const check *c)
{
    const char *root = c->env->root;
    struct stat st;
    rb_err why;
    if (!passes(c, "root", rb_root_trust(root, &why), &why))
        return;
    if (stat(root, &st) == 0 && S_ISDIR(st.st_mode)) {
        RB_AUTO(rb_free_str) char *closed = closed_path(root);
        const char *path = closed ? closed : root;
        (void)!stat(path, &st);
        const struct passwd *owner = getpwuid(st.st_uid);
        add(c, "root", closed ? LEVEL_ERROR : LEVEL_OK,
            closed ? "run rbtool as a user who may write there" : NULL, "%s belongs to %s%s", path,
            owner ? owner->pw_name : "a user without a name",
            closed ? ", and this user cannot write it" : "");
    } else if (stat(root, &st) == 0) {
        add(c, "root", LEVEL_ERROR, "name a folder", "%s is not a folder", root);
    } else {
        RB_AUTO(rb_free_str) char *standing = standing_folder(root);
        RB_AUTO(rb_free_str) char *hint = rb_format("mkdir -p %s", root);
        bool may = access(standing, W_OK | X_OK) == 0;
        add(c, "root", may ? LEVEL_OK : LEVEL_ERROR, may ? NULL : hint,
            may ? "%s does not exist; the first deploy creates it in %s"
                : "%s does not exist, and %s cannot be written",
            root, standing);
    }
}

/* Returns the path of a program: its name if that has a '/', else from PATH. NULL: not found. */
static char *find_program(const char *name)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/'))
        return rb_file_exists(name) ? rb_strdup(name) : NULL;
    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        size_t len = strcspn(p, ":");
        RB_AUTO(rb_free_str) char *dir = rb_strndup(p, len);
        RB_AUTO(rb_free_str) char *full = rb_path_join(len ? dir : ".", name);
        if (access(full, X_OK) == 0) {
            char *found = full;
            full = NULL;
            return found;
        }
        p += len + (p[len] == ':');
    }
    return NULL;
}

/* True if the program is below ROOT/current: a release delivers it. */
static bool is_delivered(const rb_env *env, const char *program)
{
    RB_AUTO(rb_free_str) char *root = rb_path_resolve(env->root, NULL, NULL);
    const char *const bases[] = {env->root, root};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(bases[i]);
        if (strncmp(program, bases[i], len) == 0 && strncmp(program + len, "/current/", 9) == 0)
            return true;
    }
    return false;
}

static void check_program(const check *c, const char *item, const rb_strs *command)
{
    if (command->n == 0)
        return;
    const char *name = command->items[0];
    RB_AUTO(rb_free_str) char *found = find_program(name);
    RB_AUTO(rb_free_str) char *executable = rb_format("chmod +x %s", found ? found : name);
    bool live = c->site->live.tag[RB_PART_APP] != NULL;
    if (!found && !live && is_delivered(c->env, name))
        add(c, item, LEVEL_WARNING, NULL, "%s does not exist yet; the first deploy has to bring it",
            name);
    else if (!found)
        add(c, item, LEVEL_ERROR, "install it, or write its path in the settings",
            "program %s does not exist%s", name, strchr(name, '/') ? "" : " in PATH");
    else if (access(found, X_OK) != 0)
        add(c, item, LEVEL_ERROR, executable, "%s cannot be executed: %s", found, strerror(errno));
    else if (name[0] != '/' && strchr(name, '/'))
        add(c, item, LEVEL_WARNING, "write an absolute path",
            "%s depends on the folder that rbtool is started in", name);
    else
        add(c, item, LEVEL_OK, NULL, "%s", found);
}

static void check_programs(const check *c)
{
    check_program(c, "service.stop", &c->env->stop);
    check_program(c, "service.start", &c->env->start);
    for (size_t i = 0; i < c->env->check_count; i++) {
        RB_AUTO(rb_free_str) char *item = rb_format("checks.%s", c->env->checks[i].name);
        check_program(c, item, &c->env->checks[i].command);
    }
    for (size_t i = 0; i < c->env->secret_count; i++) {
        RB_AUTO(rb_free_str) char *item = rb_format("secrets.%s", c->env->secrets[i].name);
        check_program(c, item, &c->env->secrets[i].version);
        check_program(c, item, &c->env->secrets[i].restore);
    }
    for (size_t i = 0; i < c->env->notify_count; i++)
        check_program(c, "notify", &c->env->notify[i]);
}

static void check_file(const check *c, const char *item, const char *what, const char *path)
{
    rb_err why;
    if (passes(c, item, rb_host_file_check(c->env, what, path, &why), &why))
        add(c, item, LEVEL_OK, NULL,
            rb_file_exists(path) ? "%s can be written" : "%s can be created", path);
}

static void check_files(const check *c)
{
    if (c->env->flags)
        check_file(c, "flags", "the flag file", c->env->flags);
    for (size_t i = 0; i < c->env->config_count; i++) {
        RB_AUTO(rb_free_str) char *item = rb_format("config.%s", c->env->config[i].name);
        check_file(c, item, "config file", c->env->config[i].value);
    }
}

/* True if the live release has the database, so that a file that does not exist is missing. */
static bool is_live(const check *c, const char *database)
{
    const char *tag = c->site->live.tag[RB_PART_DB];
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    if (!tag || rb_live_release(&release, &c->cli->session, c->env->name, &c->site->live, tag,
                                RB_IGNORED) != RB_OK)
        return false;
    for (size_t i = 0; i < release->manifest->database_count; i++)
        if (strcmp(release->manifest->databases[i].name, database) == 0)
            return true;
    return false;
}

static void check_database(const check *c, const rb_env_pair *database)
{
    RB_AUTO(rb_free_str) char *item = rb_format("databases.%s", database->name);
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    const char *file = rb_url_file(database->value);
    rb_err why;
    if (file && !rb_file_exists(file) && !is_live(c, database->name)) {
        RB_AUTO(rb_free_str) char *dir = rb_path_dir(file);
        RB_AUTO(rb_free_str) char *hint = rb_format("mkdir -p %s", dir);
        bool may = access(dir, W_OK | X_OK) == 0;
        add(c, item, may ? LEVEL_OK : LEVEL_ERROR, may ? NULL : hint,
            may ? "%s does not exist yet; the first deploy creates it"
                : "%s does not exist, and its folder cannot be written",
            file);
    } else if (passes(c, item, rb_db_open(&db, database->value, RB_DB_READ, &why), &why) &&
               passes(c, item, rb_host_database_check(c->env, database->value, &why), &why)) {
        add(c, item, LEVEL_OK, NULL, "%s %s answers", rb_db_engine(db), rb_db_version(db));
    }
}

static bool is_mounted(const char *folder)
{
    RB_AUTO(rb_free_str) char *above = rb_path_dir(folder);
    struct stat st, up;
    return stat(folder, &st) == 0 && stat(above, &up) == 0 && st.st_dev != up.st_dev;
}

/* Returns a mount point of /etc/fstab that path is under and that is not mounted, or NULL. */
static char *missing_mount(const char *path)
{
    char *missing = NULL;
    FILE *fstab = setmntent("/etc/fstab", "r");
    const struct mntent *entry;
    while (fstab && !missing && (entry = getmntent(fstab))) {
        size_t len = strlen(entry->mnt_dir);
        if (len > 1 && strncmp(path, entry->mnt_dir, len) == 0 &&
            (path[len] == '/' || !path[len]) && !is_mounted(entry->mnt_dir))
            missing = rb_strdup(entry->mnt_dir);
    }
    if (fstab)
        endmntent(fstab);
    return missing;
}

static void check_mount(const check *c, const char *item, const char *path)
{
    RB_AUTO(rb_free_str) char *real = rb_path_resolve(path, NULL, NULL);
    RB_AUTO(rb_free_str) char *missing = missing_mount(real);
    RB_AUTO(rb_free_str) char *standing = standing_folder(real);
    struct statvfs fs;
    if (missing) {
        RB_AUTO(rb_free_str) char *hint = rb_format("mount %s", missing);
        add(c, item, LEVEL_ERROR, hint, "nothing is mounted on %s, which /etc/fstab names",
            missing);
    } else if (statvfs(standing, &fs) == 0 && (fs.f_flag & ST_RDONLY)) {
        RB_AUTO(rb_free_str)
        char *hint = rb_format("mount -o remount,rw \"$(findmnt -no TARGET -T %s)\"", standing);
        add(c, item, LEVEL_ERROR, hint, "%s is on a read-only file system", path);
    }
}

static void check_mounts(const check *c)
{
    const rb_env *env = c->env;
    size_t before = json_array_size(c->lines);
    check_mount(c, "root", env->root);
    for (size_t i = 0; i < env->database_count; i++) {
        RB_AUTO(rb_free_str) char *item = rb_format("databases.%s", env->databases[i].name);
        if (rb_url_file(env->databases[i].value))
            check_mount(c, item, rb_url_file(env->databases[i].value));
    }
    if (env->flags)
        check_mount(c, "flags", env->flags);
    if (json_array_size(c->lines) == before)
        add(c, "mounts", LEVEL_OK, NULL, "every file system is mounted and can be written");
}

/* Compares the environment with what this host recorded of it. */
static void check_binding(const check *c)
{
    RB_AUTO(rb_json_freep) json_t *list = rb_env_session_distrust(c->site);
    RB_AUTO(rb_free_str) char *command = rb_env_session_trust_command(c->cli, c->site);
    RB_AUTO(rb_free_str) char *hint = rb_format("look at the difference, then `%s`", command);
    char sha256[65];
    rb_json_hash(c->site->settings, sha256);
    rb_json_each (item, list) {
        RB_AUTO(rb_buf_clear) rb_buf line = {0};
        rb_env_session_distrust_text(&line, item);
        add(c, "settings", LEVEL_ERROR, hint, "%s", line.data);
    }
    if (json_array_size(list) > 0)
        return;
    if (!c->site->binding.environment)
        add(c, "settings", LEVEL_OK, NULL,
            "not recorded on this host yet; the first transition records SHA-256 %.12s", sha256);
    else
        add(c, "settings", LEVEL_OK, NULL, "as accepted on this host, SHA-256 %.12s", sha256);
}

static void check_signers(const check *c)
{
    RB_AUTO(rb_free_str) char *file = NULL;
    rb_err why;
    if (rb_repo_setting_path(&file, c->site->session->repo, "gpg.ssh.allowedsignersfile", &why) !=
            RB_OK ||
        rb_session_signers(&c->cli->session, &why) != RB_OK)
        add(c, "signers", LEVEL_ERROR, NULL, "%s", rb_err_line(&why));
    else if (!file)
        add(c, "signers", LEVEL_ERROR, "git config --global gpg.ssh.allowedSignersFile FILE",
            "git config gpg.ssh.allowedSignersFile is not set, so that no release verifies");
    else
        add(c, "signers", LEVEL_OK, NULL, "%s", file);
}

static void check_policy(const check *c)
{
    rb_session *session = &c->cli->session;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    rb_err why;
    if (!passes(c, "policy", rb_session_ledger(session, &why), &why))
        return;
    bool rooted = rb_policy_rooted(session->policy);
    bool in_force = rb_policy_entry(session->policy) != NULL;
    if (rooted && !in_force)
        add(c, "policy", LEVEL_ERROR, "rbtool sync",
            "git config rbtool.root is set, and the ledger here has no policy under it");
    else if (!rooted && session->claims.n > 0)
        add(c, "policy", LEVEL_ERROR, "git config rbtool.root PRINCIPAL",
            "the ledger has a policy, and git config rbtool.root is not set, so that it does not "
            "apply");
    else
        add(c, "policy", LEVEL_OK, NULL,
            in_force ? "a policy is in force" : "git config rbtool.root is not set: no policy");
    bool must = rb_policy_must_sign(session->policy, c->env->name);
    if (rb_caller_find(&caller, session->repo, session->signers, NULL, true, &why) != RB_OK)
        add(c, "key", must ? LEVEL_ERROR : LEVEL_WARNING, NULL, "%s", rb_err_line(&why));
    else if (!caller.principal)
        add(c, "key", must ? LEVEL_ERROR : LEVEL_WARNING, "git config user.signingKey FILE",
            "ledger entries of this host are not signed%s: %s",
            must ? ", and the policy requires it" : "", caller.why);
    else
        add(c, "key", LEVEL_OK, NULL, "ledger entries are signed by %s", caller.principal);
}

static void check_one(rb_cli *cli, const char *name, json_t *lines)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    rb_err why;
    enum rb_code code = rb_env_session_open(&site, cli, name, false, &why);
    const check c = {cli, &site, site.env, lines};
    if (!passes(&c, "settings", code, &why))
        return;
    check_binding(&c);
    check_root(&c);
    check_programs(&c);
    for (size_t i = 0; i < site.env->database_count; i++)
        check_database(&c, &site.env->databases[i]);
    check_files(&c);
    check_mounts(&c);
    check_signers(&c);
    check_policy(&c);
}

static void show(const char *name, const json_t *lines)
{
    rb_ui_line("%s", name);
    rb_json_each (line, lines) {
        const char *level = rb_json_str(line, "level");
        rb_ui_line("  %s%-7s</>  %s: %s",
                   rb_ui_color(level[0] == 'o'   ? RB_GREEN
                               : level[0] == 'w' ? RB_YELLOW
                                                 : RB_RED),
                   level, rb_json_str(line, "item"), rb_json_str(line, "message"));
        if (rb_json_str(line, "hint"))
            rb_ui_item("           hint: {hint}", line);
    }
}

enum rb_code rb_env_check_host(rb_cli *cli, const char *name, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_json_freep) json_t *all = json_array();
    size_t errors = 0;
    if (name)
        rb_strs_add(&names, name);
    else
        RB_TRY(rb_env_session_environments(&names, cli, err));
    for (size_t i = 0; i < names.n; i++) {
        json_t *lines = json_array();
        check_one(cli, names.items[i], lines);
        rb_json_each (line, lines)
            errors += strcmp(rb_json_str(line, "level"), levels[LEVEL_ERROR]) == 0;
        if (!cli->json)
            show(names.items[i], lines);
        json_array_append_new(all, rb_json_make("environment:s lines:j", names.items[i], lines));
    }
    if (cli->json) {
        rb_ui_document(cli, rb_json_make("environments:J", all));
    }
    return errors == 0
               ? RB_OK
               : rb_fail(err, RB_FOUND,
                         "%zu of the settings do not work on this host\ncorrect what is an error "
                         "above, then check again with `%s`",
                         errors, cli->typed);
}
