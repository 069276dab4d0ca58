/* The places on the host that a transition will write to, looked at before anything is touched. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "transition/plan.h"

/* Only a symlink can be switched, and switched back. */
static enum rb_code look_at_current(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    RB_AUTO(rb_free_str) char *link = rb_format("%s/current", rq->env->root);
    RB_TRY(rb_link_read(&plan->current_before, link, err));
    if (plan->parts[RB_PART_APP] && !plan->current_before && rb_file_exists(link))
        return rb_fail(err, RB_ERROR,
                       "%s is no symlink, so it cannot be switched to a release; nothing was "
                       "changed; move it away first",
                       link);
    return RB_OK;
}

/* The nearest folder above path that is there. */
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

/* A deploy writes flags when its database is committed already: what cannot be written must show
 * before. */
static enum rb_code look_at_target(const rb_env *env, const char *what, const char *path,
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
    size_t len = strlen(env->root);
    bool ours = strncmp(folder, env->root, len) == 0 && (folder[len] == '/' || !folder[len]);
    if (!ours && strcmp(folder, standing) != 0)
        return rb_fail(err, RB_ERROR,
                       "cannot write %s %s: its folder does not exist; nothing was changed; make "
                       "it first",
                       what, path);
    if (access(standing, W_OK | X_OK) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot write %s %s (nothing was changed)", what, path);
    return RB_OK;
}

enum rb_code rb_plan_look_at_host(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    const rb_env *env = rq->env;
    RB_TRY(look_at_current(plan, rq, err));
    if (plan->parts[RB_PART_FLAGS] && env->flags && rq->to->manifest->flags_path)
        RB_TRY(look_at_target(env, "the flag file", env->flags, err));
    for (size_t i = 0; plan->parts[RB_PART_CONFIG] && i < env->config_count; i++)
        RB_TRY(look_at_target(env, "config file", env->config[i].value, err));
    return RB_OK;
}
