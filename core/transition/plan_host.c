/* Checks the paths on the host that a transition will write, before anything is changed. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/staged.h"
#include "base/text.h"
#include "database/url.h"
#include "environment/delivered.h"
#include "transition/host_files.h"
#include "transition/parts.h"
#include "transition/plan_make.h"
#include "transition/service.h"

/* Returns the nearest folder above path that exists. */
static char *standing_folder(const char *path)
{
    char *dir = rb_path_dir(path);
    while (!rb_file_exists(dir)) {
        char *up = rb_path_dir(dir);
        free(dir);
        dir = up;
    }
    return dir;
}

/* Checks the release's folder. A folder of rbtool's own there is moved aside; a symlink or a file
 * is refused, since another person made it. */
static enum rb_code look_at_release(const rb_plan_request *rq, const char *path, rb_err *err)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return RB_OK;
    if (!S_ISDIR(st.st_mode))
        return rb_fail(err, RB_ERROR,
                       "cannot write release %s: %s is not a folder; nothing was changed\nmove it "
                       "away",
                       rq->to->tag, path);
    const char *pinned = rb_file_pinned(path);
    return pinned
               ? rb_fail(err, RB_ERROR, "cannot replace %s: nothing was changed; %s", path, pinned)
               : RB_OK;
}

/* Checks the folders that the release and the switch are written to. */
static enum rb_code look_at_root(const rb_plan_request *rq, rb_err *err)
{
    RB_AUTO(rb_free_str) char *release = rb_format("%s/releases/%s", rq->env->root, rq->to->tag);
    RB_AUTO(rb_free_str) char *link = rb_format("%s/current", rq->env->root);
    RB_AUTO(rb_free_str) char *above = standing_folder(release);
    RB_AUTO(rb_free_str) char *root = standing_folder(link);
    RB_TRY(look_at_release(rq, release, err));
    const char *const folders[] = {root, above, rb_file_exists(release) ? release : root};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (access(folders[i], W_OK | X_OK) != 0)
            return rb_fail_errno(err, RB_ERROR,
                                 "cannot write release %s: nothing was changed; folder %s",
                                 rq->to->tag, folders[i]);
    return RB_OK;
}

/* Checks rbtool's own folders: a file or symlink in their place would leave an undo half-way. */
static enum rb_code look_at_own(const rb_plan_request *rq, rb_err *err)
{
    static const char *const names[] = {"delivered", "backups"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat st;
        RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/%s", rq->env->root, names[i]);
        if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            return rb_fail(err, RB_ERROR, "%s is not a folder; nothing was changed\nmove it away",
                           path);
    }
    return RB_OK;
}

/* Refuses a release whose folder would contain or be inside another one's. git has no tags "a" and
 * "a/b" at the same time, but one may have been deleted after it was deployed. */
static enum rb_code look_for_nested(const rb_plan_request *rq, rb_err *err)
{
    static const char refused[] =
        "release %s cannot be delivered: release %s lies %s it in %s/releases; nothing was "
        "changed; give the new release another name";
    const char *tag = rq->to->tag;
    for (const char *slash = strchr(tag, '/'); slash; slash = strchr(slash + 1, '/')) {
        RB_AUTO(rb_free_str) char *above = rb_strndup(tag, (size_t)(slash - tag));
        RB_AUTO(rb_free_str) char *note = rb_delivered_path(rq->env->root, above);
        if (rb_file_exists(note))
            return rb_fail(err, RB_ERROR, refused, tag, above, "above", rq->env->root);
    }
    RB_AUTO(rb_free_str) char *below = rb_format("%s/.rbtool/delivered/%s", rq->env->root, tag);
    RB_AUTO(rb_strs_clear) rb_strs notes = {0};
    if (!rb_file_exists(below))
        return RB_OK;
    RB_TRY(rb_dir_list(&notes, below, err));
    if (notes.n == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *name = rb_strndup(notes.items[0], strcspn(notes.items[0], "~"));
    RB_AUTO(rb_free_str) char *other = rb_path_join(tag, name);
    return rb_fail(err, RB_ERROR, refused, tag, other, "below", rq->env->root);
}

/* Checks that ROOT/current is a symlink or missing: nothing else can be switched. */
static enum rb_code look_at_current(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    RB_AUTO(rb_free_str) char *link = rb_format("%s/current", rq->env->root);
    RB_TRY(rb_link_read(&plan->current_before, link, err));
    RB_TRY(look_at_own(rq, err));
    if (plan->parts[RB_PART_APP] && !plan->current_before && rb_file_exists(link))
        return rb_fail(err, RB_ERROR,
                       "%s is not a symlink, so it cannot be switched to a release; nothing was "
                       "changed\nmove it away first",
                       link);
    if (!plan->parts[RB_PART_APP])
        return RB_OK;
    RB_TRY(look_for_nested(rq, err));
    return look_at_root(rq, err);
}

/* True if a new file can get the same owner and group. */
static bool can_give(const struct stat *st)
{
    gid_t groups[NGROUPS_MAX];
    if (geteuid() == 0 || st->st_gid == getegid())
        return geteuid() == 0 || st->st_uid == geteuid();
    int n = getgroups(NGROUPS_MAX, groups);
    for (int i = 0; i < n; i++)
        if (groups[i] == st->st_gid)
            return st->st_uid == geteuid();
    return false;
}

/* Checks that new files can be made in the folder of a file that is replaced by renaming, or of a
 * database with its journal. */
static enum rb_code look_at_folder(const rb_env *env, const char *what, const char *path,
                                   rb_err *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return rb_fail(err, RB_ERROR,
                       "cannot write %s %s: it is not a regular file; nothing was changed", what,
                       path);
    RB_AUTO(rb_free_str) char *real = realpath(path, NULL);
    RB_AUTO(rb_free_str) char *folder = rb_path_dir(real ? real : path);
    RB_AUTO(rb_free_str) char *standing = standing_folder(real ? real : path);
    if (!rb_text_below(folder, env->root) && strcmp(folder, standing) != 0)
        return rb_fail(err, RB_ERROR,
                       "cannot write %s %s: its folder does not exist; nothing was changed\nmake "
                       "it first",
                       what, path);
    if (access(standing, W_OK | X_OK) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot write %s %s: nothing was changed; folder %s",
                             what, path, standing);
    return RB_OK;
}

/* A deploy writes flags after its databases are committed, so that errors must be found before. */
enum rb_code rb_host_file_check(const rb_env *env, const char *what, const char *path, rb_err *err)
{
    struct stat st;
    RB_TRY(look_at_folder(env, what, path, err));
    const char *pinned = rb_file_pinned(path);
    if (pinned)
        return rb_fail(err, RB_ERROR, "cannot replace %s %s: nothing was changed; %s", what, path,
                       pinned);
    if (stat(path, &st) == 0 && !can_give(&st))
        return rb_fail(err, RB_ERROR,
                       "cannot write %s %s: it belongs to user %ld and group %ld, and user %ld "
                       "cannot write it in their name; nothing was changed\nrun as its owner or "
                       "give it to this user",
                       what, path, (long)st.st_uid, (long)st.st_gid, (long)geteuid());
    return RB_OK;
}

enum rb_code rb_host_database_check(const rb_env *env, const char *url, rb_err *err)
{
    const char *path = rb_url_file(url);
    /* A missing file, or one that is not a file, is reported elsewhere. */
    struct stat st;
    if (!path || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return RB_OK;
    RB_TRY(look_at_folder(env, "database", path, err));
    if (access(path, W_OK) != 0)
        return rb_fail_errno(err, RB_ERROR,
                             "cannot write database %s: nothing was changed; its file", path);
    return RB_OK;
}

static enum rb_code look_at_files(const rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    for (size_t i = 0; i < plan->file_count; i++) {
        const rb_host_file *file = &plan->files[i];
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_TRY(rb_host_file_check(rq->env,
                                  file->part == RB_PART_FLAGS ? "the flag file" : "config file",
                                  file->path, err));
        /* flags are written after the commit, and LFS content may be missing here */
        if (file->brings)
            RB_TRY(
                rb_release_file(&text, rq->to, rq->session->repo, file->source, file->brings, err));
    }
    return RB_OK;
}

enum rb_code rb_plan_look_at_host(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    RB_TRY(look_at_current(plan, rq, err));
    RB_TRY(rb_service_look(rq, err));
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    rb_plan_database_names(&names, rb_parts_from(rq, RB_PART_DB), rq->to);
    for (size_t i = 0; plan->parts[RB_PART_DB] && i < rq->env->database_count; i++)
        if (rb_strs_has(&names, rq->env->databases[i].name))
            RB_TRY(rb_host_database_check(rq->env, rq->env->databases[i].value, err));
    return look_at_files(plan, rq, err);
}
