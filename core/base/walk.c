/* Opens the folder of a file where an unprivileged user may own a folder on the path. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/anchor.h"

#define LINKS 40 /* as the kernel */

typedef struct walk {
    const char *path; /* for messages */
    char *left;       /* the rest of the path, seen from dir */
    int dir;
    int links;
} walk;

bool rb_file_is_own(const struct stat *st)
{
    return st->st_uid == 0 || st->st_uid == geteuid();
}

static enum rb_code fail_at(const walk *w, rb_err *err)
{
    return rb_fail_errno(err, RB_ERROR, "cannot reach %s", w->path);
}

static enum rb_code go_to(walk *w, int dir, rb_err *err)
{
    if (dir < 0)
        return fail_at(w, err);
    if (w->dir >= 0)
        close(w->dir);
    w->dir = dir;
    return RB_OK;
}

/* Removes the first name from the rest of the path and returns it; NULL if none is left. */
static char *next_name(walk *w)
{
    const char *start = w->left + strspn(w->left, "/");
    size_t len = strcspn(start, "/");
    char *name = len > 0 ? rb_strndup(start, len) : NULL;
    char *rest = rb_strdup(start + len + strspn(start + len, "/"));
    free(w->left);
    w->left = rest;
    return name;
}

/* Reads the symlink's target. fd: of the link itself, so that the link that was checked is the one
 * that is followed. */
static enum rb_code target_of(char **out, const walk *w, int fd, const struct stat *st, rb_err *err)
{
    char target[PATH_MAX];
    if (!rb_file_is_own(st))
        return rb_fail(err, RB_ERROR,
                       "a symlink in %s was made by user %ld, who could lead it anywhere\nput a "
                       "file or folder in its place, or make the link yourself",
                       w->path, (long)st->st_uid);
    ssize_t n = readlinkat(fd, "", target, sizeof target);
    if (n == sizeof target)
        errno = ENAMETOOLONG;
    if (n < 0 || n == sizeof target)
        return fail_at(w, err);
    *out = rb_strndup(target, (size_t)n);
    return RB_OK;
}

static enum rb_code follow(walk *w, int fd, const struct stat *st, rb_err *err)
{
    RB_AUTO(rb_free_str) char *target = NULL;
    if (++w->links > LINKS) {
        errno = ELOOP;
        return fail_at(w, err);
    }
    RB_TRY(target_of(&target, w, fd, st, err));
    char *left = rb_format("%s%s%s", target, *w->left ? "/" : "", w->left);
    free(w->left);
    w->left = left;
    return target[0] == '/' ? go_to(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), err) : RB_OK;
}

/* Takes one step. *there is set to true when `name` is the last name. */
static enum rb_code one(walk *w, const char *name, bool *there, bool through, rb_err *err)
{
    struct stat st;
    bool last = !*w->left;
    int fd = !last || through ? openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
    *there = last && (!through || (fd < 0 && errno == ENOENT));
    if (*there)
        return RB_OK;
    bool known = fd >= 0 && fstat(fd, &st) == 0;
    if (known && !S_ISLNK(st.st_mode) && !last)
        return go_to(w, fd, err);
    enum rb_code code = RB_OK;
    if (!known)
        code = fail_at(w, err);
    else if (S_ISLNK(st.st_mode))
        code = follow(w, fd, &st, err);
    else
        *there = true;
    if (fd >= 0)
        close(fd);
    return code;
}

/* Resolves a path below an anchor, where no symlink is followed: one at the path itself is
 * replaced. */
static enum rb_code anchored(int *dir, char **name, rb_at *at, const char *path, rb_err *err)
{
    *name = NULL;
    *dir = openat(at->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*dir < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot reach %s", path);
    *name = at->name;
    at->name = NULL;
    return RB_OK;
}

enum rb_code rb_file_folder(int *dir, char **name, const char *path, bool through, rb_err *err)
{
    RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
    if (!rb_at_find(&at, path))
        return rb_fail_errno(err, RB_ERROR, "cannot reach %s", path);
    if (at.dir >= 0)
        return anchored(dir, name, &at, path, err);
    walk w = {.path = path, .left = rb_strdup(path), .dir = -1};
    char *part = NULL;
    bool there = false;
    enum rb_code code =
        go_to(&w, open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC), err);
    while (code == RB_OK && !there) {
        free(part);
        part = next_name(&w);
        if (part)
            code = one(&w, part, &there, through, err);
        else
            code = rb_fail(err, RB_ERROR, "cannot write %s: it is a folder", path);
    }
    *dir = -1;
    /* Descriptors opened with O_PATH cannot be synced. */
    if (code == RB_OK)
        *dir = openat(w.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (code == RB_OK && *dir < 0)
        code = fail_at(&w, err);
    if (w.dir >= 0)
        close(w.dir);
    free(w.left);
    *name = code == RB_OK ? part : NULL;
    if (code != RB_OK)
        free(part);
    return code;
}

enum rb_code rb_link_read_own(char **out, const char *path, rb_err *err)
{
    const walk w = {.path = path};
    RB_AUTO(rb_free_str) char *name = NULL;
    struct stat st;
    int dir = -1;
    *out = NULL;
    if (!rb_file_exists(path))
        return RB_OK;
    RB_TRY(rb_file_folder(&dir, &name, path, false, err));
    int fd = name ? openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
    enum rb_code code = RB_OK;
    if (fd < 0 ? errno != ENOENT : fstat(fd, &st) != 0)
        code = fail_at(&w, err);
    else if (fd >= 0 && S_ISLNK(st.st_mode))
        code = target_of(out, &w, fd, &st, err);
    if (fd >= 0)
        close(fd);
    close(dir);
    return code;
}
