#include "base/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

typedef struct anchor {
    struct anchor *next;
    int fd;
    char path[];
} anchor;

static anchor *anchors;

/* Returns what follows `dir` and a slash in `path`; NULL if `path` does not lie below `dir`. */
static const char *below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    if (strncmp(path, dir, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return NULL;
    return path + len + strspn(path + len, "/");
}

static const anchor *find(const char **rest, const char *path)
{
    for (const anchor *a = anchors; a; a = a->next)
        if ((*rest = below(path, a->path)))
            return a;
    return NULL;
}

static enum rb_code check(int fd, const char *path, rb_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot look at folder %s", path);
    if (!rb_file_is_own(&st))
        return rb_fail(err, RB_ERROR,
                       "%s belongs to user %ld, who could have put anything there; nothing was "
                       "changed\nrun rbtool as that user, or look at what is in it and give it "
                       "to user %ld with `chown -R`",
                       path, (long)st.st_uid, (long)geteuid());
    if (st.st_mode & S_IWOTH)
        return rb_fail(err, RB_ERROR,
                       "every user may write to %s, and could have put anything there; nothing was "
                       "changed\nlook at what is in it and run `chmod o-w %s`",
                       path, path);
    return RB_OK;
}

static enum rb_code open_folder(int *out, const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = NULL;
    int dir;
    RB_TRY(rb_file_folder(&dir, &name, path, false, err));
    *out = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int saved = errno;
    close(dir);
    errno = saved;
    if (*out < 0 && (errno == ELOOP || errno == ENOTDIR))
        return rb_fail(err, RB_ERROR,
                       "%s is not a folder, or is a symlink and could lead anywhere; nothing was "
                       "changed\nput a folder in its place",
                       path);
    return *out < 0 ? rb_fail_errno(err, RB_ERROR, "cannot open folder %s", path) : RB_OK;
}

enum rb_code rb_anchor_hold(const char *path, rb_err *err)
{
    const char *rest;
    int fd = -1;
    if (find(&rest, path))
        return RB_OK;
    RB_TRY(open_folder(&fd, path, err));
    enum rb_code code = check(fd, path, err);
    if (code != RB_OK) {
        close(fd);
        return code;
    }
    size_t size = strlen(path) + 1;
    anchor *a = rb_malloc(sizeof *a + size);
    a->fd = fd;
    a->next = anchors;
    memcpy(a->path, path, size);
    anchors = a;
    return RB_OK;
}

void rb_anchor_drop(const char *path)
{
    for (anchor **at = &anchors; *at;) {
        anchor *a = *at;
        if (!below(a->path, path)) {
            at = &a->next;
            continue;
        }
        *at = a->next;
        close(a->fd);
        free(a);
    }
}

/* Opens the folder that holds the last component of `rest` and stores that component in *name. */
static int walk(const anchor *a, const char *rest, char **name)
{
    int dir = openat(a->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    *name = NULL;
    while (dir >= 0) {
        size_t len = strcspn(rest, "/");
        RB_AUTO(rb_free_str) char *part = len > 0 ? rb_strndup(rest, len) : rb_strdup(".");
        rest += len + strspn(rest + len, "/");
        if (!*rest && strcmp(part, "..") != 0) {
            *name = part;
            part = NULL;
            return dir;
        }
        int next = -1;
        if (strcmp(part, "..") == 0)
            errno = EINVAL;
        else
            next = openat(dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        close(dir);
        errno = saved;
        dir = next;
    }
    return -1;
}

bool rb_at_find(rb_at *out, const char *path)
{
    const char *rest;
    const anchor *a = find(&rest, path);
    *out = (rb_at){.dir = AT_FDCWD};
    if (a)
        out->dir = walk(a, rest, &out->name);
    else
        out->name = rb_strdup(path);
    return out->name;
}

void rb_at_leave(rb_at *at)
{
    int saved = errno;
    if (at->dir >= 0)
        close(at->dir);
    free(at->name);
    *at = (rb_at){.dir = AT_FDCWD};
    errno = saved;
}

int rb_at_open(const char *path, int flags, mode_t mode)
{
    RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
    if (!rb_at_find(&at, path))
        return -1;
    return openat(at.dir, at.name, flags | O_CLOEXEC | (at.dir >= 0 ? O_NOFOLLOW : 0), mode);
}

int rb_at_look(struct stat *st, const char *path)
{
    RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
    return rb_at_find(&at, path) ? fstatat(at.dir, at.name, st, AT_SYMLINK_NOFOLLOW) : -1;
}

char *rb_anchor_name(const char *path)
{
    const char *rest;
    const anchor *a = find(&rest, path);
    RB_AUTO(rb_free_str) char *name = a ? rb_format("/proc/self/fd/%d/", a->fd) : NULL;
    return name && access(name, X_OK) == 0 ? rb_format("%s%s", name, rest) : rb_strdup(path);
}
