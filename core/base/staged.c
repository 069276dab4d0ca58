#include "base/staged.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

typedef struct beside {
    int dir;
    char *name;   /* name of the file that is to be replaced */
    char *staged; /* name of the staged file */
} beside;

static void leave(beside *at)
{
    rb_close(&at->dir);
    free(at->name);
    free(at->staged);
}

/* Finds the staged file. If `path` is a symlink of root or the effective user, the staged file is
 * beside the file that the symlink points to. */
static enum rb_code find(beside *at, const char *path, rb_err *err)
{
    struct stat st;
    bool there = stat(path, &st) == 0;
    RB_TRY(rb_file_folder(&at->dir, &at->name, path, there, err));
    at->staged = rb_format(".%s.rbtool", at->name);
    return RB_OK;
}

static bool holds(const char *path, const void *data, size_t len, mode_t fixed)
{
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    struct stat st;
    return rb_file_load(&found, &st, path, len, RB_IGNORED) == RB_OK && st.st_nlink > 0 &&
           (fixed == 0 || (st.st_mode & 07777) == fixed) && found.len == len &&
           memcmp(rb_buf_str(&found), data, len) == 0;
}

enum rb_code rb_file_stage(const char *path, const void *data, size_t len,
                           const rb_file_access *access, rb_err *err)
{
    RB_AUTO(leave) beside at = {.dir = -1};
    struct stat st;
    if (holds(path, data, len, access->fixed))
        return RB_OK;
    RB_TRY(find(&at, path, err));
    /* A dangling symlink is replaced like a missing file. */
    if (fstatat(at.dir, at.name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISLNK(st.st_mode))
        st = (struct stat){
            .st_mode = access->fresh, .st_uid = access->user, .st_gid = access->group};
    bool ours = st.st_uid == geteuid() && st.st_gid == getegid();
    if (unlinkat(at.dir, at.staged, 0) != 0 && errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot write %s: %s beside it", path, at.staged);
    int fd = openat(at.dir, at.staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot write %s", path);
    bool ok = rb_file_write_all(fd, data, len) && (ours || fchown(fd, st.st_uid, st.st_gid) == 0) &&
              fchmod(fd, access->fixed ? access->fixed : st.st_mode & 07777) == 0 && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        saved = errno;
    }
    if (ok)
        return RB_OK;
    unlinkat(at.dir, at.staged, 0);
    errno = saved;
    return rb_fail_errno(err, RB_ERROR, "cannot write %s", path);
}

/* True if the staged file still contains these bytes; another process may have changed it. */
static bool is_staged(const beside *at, const void *data, size_t len)
{
    struct stat st;
    RB_AUTO(rb_close)
    int fd = openat(at->dir, at->staged, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    bool same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size >= 0 &&
                (size_t)st.st_size == len;
    rb_buf_reserve(&found, len + 1);
    while (same && found.len < len) {
        ssize_t n = read(fd, found.data + found.len, len - found.len);
        same = n > 0;
        found.len += n > 0 ? (size_t)n : 0;
    }
    return same && memcmp(found.data, data, len) == 0;
}

enum rb_code rb_file_put_staged(const char *path, const void *data, size_t len,
                                const rb_file_access *access, rb_err *err)
{
    RB_AUTO(leave) beside at = {.dir = -1};
    struct stat st;
    RB_TRY(find(&at, path, err));
    if (!is_staged(&at, data, len))
        return stat(path, &st) == 0
                   ? rb_file_deliver(path, data, len, access->fresh, access->fixed, err)
                   : rb_file_write_as(path, data, len,
                                      access->fixed ? access->fixed : access->fresh, access->user,
                                      access->group, err);
    if (renameat(at.dir, at.staged, at.dir, at.name) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot write %s", path);
    if (fsync(at.dir) != 0 && errno != EINVAL)
        return rb_fail_errno(err, RB_ERROR, "cannot sync the folder of %s", path);
    return RB_OK;
}

void rb_file_unstage(const char *path)
{
    RB_AUTO(leave) beside at = {.dir = -1};
    if (find(&at, path, RB_IGNORED) == RB_OK)
        (void)unlinkat(at.dir, at.staged, 0);
}

const char *rb_file_pinned(const char *path)
{
    RB_AUTO(leave) beside at = {.dir = -1};
    struct statx st;
    if (find(&at, path, RB_IGNORED) != RB_OK ||
        statx(at.dir, at.name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) != 0)
        return NULL;
    uint64_t known = st.stx_attributes_mask & st.stx_attributes;
    if (known & STATX_ATTR_MOUNT_ROOT)
        return "it is a mount point, which nothing else can take the place of; mount the folder "
               "above it instead";
    if (known & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
        return "it is immutable or append-only (lsattr); allow changes with `chattr -i -a`";
    return NULL;
}
