#include "environment/tidy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/anchor.h"
#include "base/file.h"

#define DEPTH 16 /* levels of folders: tags may have slashes */

static void tidy_below(const char *dir, int depth)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    rb_dir_tidy(dir);
    if (depth == 0 || rb_dir_list(&names, dir, RB_IGNORED) != RB_OK)
        return;
    for (size_t i = 0; i < names.n; i++) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(dir, names.items[i]);
        struct stat st;
        if (strcmp(names.items[i], "app") == 0) /* a backup of a release's files */
            continue;
        if (rb_at_look(&st, path) == 0 && S_ISDIR(st.st_mode))
            tidy_below(path, depth - 1);
    }
}

/* Also removes temporary files beside the target of a symlink. */
static void tidy_beside(const char *path)
{
    char *real = realpath(path, NULL);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(real ? real : path);
    free(real);
    rb_dir_tidy(dir);
}

void rb_env_tidy(const rb_env *env)
{
    RB_AUTO(rb_free_str) char *own = rb_path_join(env->root, ".rbtool");
    tidy_below(own, DEPTH);
    if (env->flags)
        tidy_beside(env->flags);
    for (size_t i = 0; i < env->config_count; i++)
        tidy_beside(env->config[i].value);
}
