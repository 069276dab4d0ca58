#include "base/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

void rb_close(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

int rb_take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#define LINKS 40 /* the kernel's limit of symlinks in one path */

typedef struct anchor {
    struct anchor *next;
    int fd;
    char path[];
} anchor;

static anchor *anchors;

static const anchor *find(const char **rest, const char *path)
{
    for (const anchor *a = anchors; a; a = a->next)
        if ((*rest = rb_text_below(path, a->path)))
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
    RB_AUTO(rb_close) int dir = -1;
    RB_TRY(rb_file_folder(&dir, &name, path, false, err));
    *out = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
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
    RB_AUTO(rb_close) int fd = -1;
    if (find(&rest, path))
        return RB_OK;
    RB_TRY(open_folder(&fd, path, err));
    RB_TRY(check(fd, path, err));
    size_t size = strlen(path) + 1;
    anchor *a = rb_malloc(sizeof *a + size);
    a->fd = rb_take_fd(&fd);
    a->next = anchors;
    memcpy(a->path, path, size);
    anchors = a;
    return RB_OK;
}

void rb_anchor_drop(const char *path)
{
    for (anchor **at = &anchors; *at;) {
        anchor *a = *at;
        if (!rb_text_below(a->path, path)) {
            at = &a->next;
            continue;
        }
        *at = a->next;
        close(a->fd);
        free(a);
    }
}

/* Opens the folder that holds the last component of `rest`, and stores that component in *name.
 * Returns -1 if it cannot. */
static int go_below(const anchor *a, const char *rest, char **name)
{
    int dir = openat(a->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    *name = NULL;
    while (dir >= 0) {
        size_t len = strcspn(rest, "/");
        RB_AUTO(rb_free_str) char *part = len > 0 ? rb_strndup(rest, len) : rb_strdup(".");
        rest += len + strspn(rest + len, "/");
        if (!*rest && strcmp(part, "..") != 0) {
            *name = RB_TAKE(part);
            return dir;
        }
        int next = -1;
        if (strcmp(part, "..") == 0)
            errno = EINVAL;
        else
            next = openat(dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        rb_close(&dir);
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
        out->dir = go_below(a, rest, &out->name);
    else
        out->name = rb_strdup(path);
    return out->name;
}

void rb_at_leave(rb_at *at)
{
    rb_close(&at->dir);
    free(at->name);
    *at = (rb_at){.dir = AT_FDCWD};
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

/* The resolution of a path to the folder of a file. Another user may own folders on the path. */
typedef struct walk {
    const char *path; /* for messages */
    char *left;       /* the components not yet resolved, relative to dir */
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
    rb_close(&w->dir);
    w->dir = dir;
    return RB_OK;
}

/* Removes the first component of the remaining path and returns it; NULL if none is left. */
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

/* Reads the symlink's target. fd is open on the symlink itself: a path could lead to another
 * symlink by now. */
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

/* Resolves the component `name`. Sets *there to true if it names the file itself. */
static enum rb_code one(walk *w, const char *name, bool *there, bool through, rb_err *err)
{
    struct stat st;
    bool last = !*w->left;
    RB_AUTO(rb_close)
    int fd = !last || through ? openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
    *there = last && (!through || (fd < 0 && errno == ENOENT));
    if (*there)
        return RB_OK;
    if (fd < 0 || fstat(fd, &st) != 0)
        return fail_at(w, err);
    if (S_ISLNK(st.st_mode))
        return follow(w, fd, &st, err);
    *there = last;
    if (last)
        return RB_OK;
    return go_to(w, rb_take_fd(&fd), err);
}

/* Same as rb_file_folder() for a path below an anchor. Follows no symlink: one at the path itself
 * is replaced by what is written. */
static enum rb_code anchored(int *dir, char **name, rb_at *at, const char *path, rb_err *err)
{
    *name = NULL;
    *dir = openat(at->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*dir < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot reach %s", path);
    *name = RB_TAKE(at->name);
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
    rb_close(&w.dir);
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
    RB_AUTO(rb_close) int dir = -1;
    *out = NULL;
    if (rb_at_look(&st, path) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return RB_OK;
    RB_TRY(rb_file_folder(&dir, &name, path, false, err));
    RB_AUTO(rb_close)
    int fd = name ? openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0 ? errno != ENOENT : fstat(fd, &st) != 0)
        return fail_at(&w, err);
    return fd >= 0 && S_ISLNK(st.st_mode) ? target_of(out, &w, fd, &st, err) : RB_OK;
}
