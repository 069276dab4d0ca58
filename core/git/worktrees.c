/* Finds out whether a path lies in a work tree of this repository or of a related one. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "git/internal.h"

#define GIT_FILE_LIMIT 8192 /* bytes of a .git or commondir file */

/*
 * The repositories whose work trees count, each by git's folder that its work trees share; a
 * submodule by the folder of its outermost superproject (the part before /modules/NAME).
 */
typedef struct project {
    const rb_repo *repo;
    rb_strs commons;
    rb_strs tops; /* work trees that may lack a .git, because git's environment names them */
    char *found;
} project;

static bool is_git_folder(const char *path)
{
    RB_AUTO(rb_free_str) char *head = rb_path_join(path, "HEAD");
    RB_AUTO(rb_free_str) char *objects = rb_path_join(path, "objects");
    return rb_file_exists(head) && rb_file_exists(objects);
}

/* Returns the first line of a small file, without `prefix`; NULL if it does not begin with the
 * prefix. */
static char *line_of(const char *path, const char *prefix)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (rb_file_read(&text, path, GIT_FILE_LIMIT, RB_IGNORED) != RB_OK)
        return NULL;
    const char *line = rb_buf_str(&text);
    size_t len = strlen(prefix);
    return strncmp(line, prefix, len) == 0 ? rb_strndup(line + len, strcspn(line + len, "\r\n"))
                                           : NULL;
}

static char *without_modules(const char *common)
{
    for (const char *p = common; (p = strstr(p, "/modules/")); p++) {
        RB_AUTO(rb_free_str) char *outer = rb_strndup(common, (size_t)(p - common));
        if (is_git_folder(outer))
            return rb_strdup(outer);
    }
    return rb_strdup(common);
}

/* Returns the common git folder of the repository whose work tree is `dir`; NULL if it is not a
 * work tree. */
static char *common_of(const char *dir)
{
    RB_AUTO(rb_free_str) char *git = rb_path_join(dir, ".git");
    if (!rb_file_exists(git))
        return NULL;
    RB_AUTO(rb_free_str) char *named = line_of(git, "gitdir: ");
    RB_AUTO(rb_free_str) char *folder = named ? rb_path_join(dir, named) : rb_strdup(git);
    RB_AUTO(rb_free_str) char *file = rb_path_join(folder, "commondir");
    RB_AUTO(rb_free_str) char *shared = line_of(file, "");
    RB_AUTO(rb_free_str) char *joined = shared ? rb_path_join(folder, shared) : rb_strdup(folder);
    char *real = realpath(joined, NULL);
    char *common = real ? without_modules(real) : NULL;
    free(real);
    return common;
}

/* True if `child` is a submodule of the repository at `top`. */
static bool has_submodule(const char *top, const char *child)
{
    git_repository *repo = NULL;
    git_index *index = NULL;
    bool has = false;
    if (git_repository_open(&repo, top) == 0 && git_repository_index(&index, repo) == 0) {
        const git_index_entry *entry = git_index_get_bypath(index, child + strlen(top) + 1, 0);
        has = entry && entry->mode == GIT_FILEMODE_COMMIT;
    }
    git_index_free(index);
    git_repository_free(repo);
    return has;
}

static void add_superprojects(project *p, const char *top)
{
    RB_AUTO(rb_free_str) char *child = rb_strdup(top);
    RB_AUTO(rb_free_str) char *at = rb_path_dir(top);
    while (strcmp(at, "/") != 0) {
        char *common = common_of(at);
        if (common && has_submodule(at, child)) {
            rb_strs_take(&p->commons, common);
            free(child);
            child = rb_strdup(at);
        } else {
            free(common);
        }
        char *up = rb_path_dir(at);
        free(at);
        at = up;
    }
}

static void find_project(project *p)
{
    char *common = realpath(p->repo->common, NULL);
    if (common)
        rb_strs_take(&p->commons, without_modules(common));
    free(common);
    char *top = p->repo->workdir ? realpath(p->repo->workdir, NULL) : NULL;
    if (!top)
        return;
    add_superprojects(p, top);
    rb_strs_take(&p->tops, top);
}

/* Checks a path on the way to the file. The path has no symlink, except possibly its last
 * component. */
static void look_at(void *context, const char *at)
{
    project *p = context;
    RB_AUTO(rb_free_str) char *dir = rb_strdup(at);
    while (!p->found && strcmp(dir, "/") != 0) {
        RB_AUTO(rb_free_str) char *git = rb_path_join(dir, ".git");
        RB_AUTO(rb_free_str) char *common = rb_text_below(at, git) ? NULL : common_of(dir);
        if ((common && rb_strs_has(&p->commons, common)) ||
            (!rb_text_below(at, git) && rb_strs_has(&p->tops, dir)))
            p->found = rb_strdup(dir);
        if (rb_text_below(at, git)) /* in git's own folder, which is not part of a commit */
            return;
        char *up = rb_path_dir(dir);
        free(dir);
        dir = up;
    }
}

void rb_repo_work_tree_of(char **top, char **real, const rb_repo *repo, const char *path)
{
    project p = {.repo = repo};
    RB_AUTO(rb_free_str) char *here = path[0] == '/' ? NULL : realpath(".", NULL);
    RB_AUTO(rb_free_str) char *absolute = here ? rb_path_join(here, path) : rb_strdup(path);
    find_project(&p);
    char *resolved = rb_path_resolve(absolute, look_at, &p);
    look_at(&p, resolved);
    rb_strs_clear(&p.commons);
    rb_strs_clear(&p.tops);
    *top = p.found;
    if (real)
        *real = resolved;
    else
        free(resolved);
}
