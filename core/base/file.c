#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/anchor.h"

/* True if errno says that the file does not exist. False for other errors, such as a lack of
 * permission. */
static bool is_absent(void)
{
    return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
}

static enum rb_code read_all(rb_buf *out, int fd, const char *path, size_t limit, rb_err *err)
{
    struct stat st;
    enum rb_code code = RB_OK;
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        code = rb_fail(err, RB_ERROR, "cannot read %s: it is not a regular file", path);
    rb_buf_clear(out);
    while (code == RB_OK) {
        rb_buf_reserve(out, 65536);
        ssize_t n = read(fd, out->data + out->len, 65536);
        if (n < 0 && errno != EINTR)
            code = rb_fail_errno(err, RB_ERROR, "cannot read %s", path);
        if (n == 0)
            break;
        if (n > 0)
            out->len += (size_t)n;
        if (code == RB_OK && out->len > limit)
            code = rb_fail(err, RB_ERROR, "%s is larger than the limit of %zu bytes", path, limit);
    }
    if (code != RB_OK)
        rb_buf_clear(out);
    else
        out->data[out->len] = '\0';
    return code;
}

enum rb_code rb_file_read(rb_buf *out, const char *path, size_t limit, rb_err *err)
{
    RB_AUTO(rb_close) int fd = rb_at_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot read %s", path);
    return read_all(out, fd, path, limit, err);
}

enum rb_code rb_file_read_own(rb_buf *out, const char *path, size_t limit, rb_err *err)
{
    struct stat st;
    RB_AUTO(rb_close) int fd = rb_at_open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
    if (fd < 0 || fstat(fd, &st) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot read %s", path);
    if (!rb_file_is_own(&st))
        return rb_fail(err, RB_ERROR,
                       "%s is not used: it belongs to user %ld, who could have written anything "
                       "there\nlook at it, and move it away",
                       path, (long)st.st_uid);
    return read_all(out, fd, path, limit, err);
}

bool rb_file_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static const char temporary[] = ".rbtool-XXXXXX";

/* Same as mkostemp(3), in an open folder. name ends with the letters that are replaced. */
static int make_temporary(int dir, char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    char *end = name + strlen(name) - strlen(strchr(temporary, 'X'));
    int fd = -1;
    for (int tries = 0; fd < 0 && (tries == 0 || (errno == EEXIST && tries < 100)); tries++) {
        unsigned char random[sizeof temporary] = {0};
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return -1;
        for (size_t i = 0; end[i]; i++)
            end[i] = letters[random[i] % (sizeof letters - 1)];
        fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    /* Lock the file, which marks it as in use: rb_dir_tidy() does not remove it. */
    if (fd >= 0)
        (void)!flock(fd, LOCK_EX | LOCK_NB);
    return fd;
}

int rb_file_temporary(char **path, const char *dir)
{
    RB_AUTO(rb_free_str) char *pattern = rb_path_join(dir, temporary);
    RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
    int fd = rb_at_find(&at, pattern) ? make_temporary(at.dir, at.name) : -1;
    const char *slash = fd >= 0 ? strrchr(at.name, '/') : NULL;
    *path = fd >= 0 ? rb_path_join(dir, slash ? slash + 1 : at.name) : NULL;
    return fd;
}

void rb_dir_tidy(const char *path)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    if (rb_dir_list(&names, path, RB_IGNORED) != RB_OK)
        return;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        if (strlen(name) != strlen(temporary) ||
            strncmp(name, temporary, strcspn(temporary, "X")) != 0)
            continue;
        RB_AUTO(rb_free_str) char *file = rb_path_join(path, name);
        struct stat st;
        RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
        RB_AUTO(rb_close) int fd = rb_at_open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
            flock(fd, LOCK_EX | LOCK_NB) == 0 && rb_at_find(&at, file))
            unlinkat(at.dir, at.name, 0);
    }
}

/* A file: the open descriptor of its folder, and its name there. */
typedef struct place {
    const char *path; /* for messages */
    int dir;
    char *name;
} place;

static void leave(place *at)
{
    rb_close(&at->dir);
    free(at->name);
}

static enum rb_code sync_folder(int fd, const char *path, rb_err *err)
{
    if (fsync(fd) != 0 && errno != EINVAL)
        return rb_fail_errno(err, RB_ERROR, "cannot sync folder %s", path);
    return RB_OK;
}

static enum rb_code sync_above(const place *at, rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(at->path);
    return sync_folder(at->dir, dir, err);
}

/* Writes a file. If owner is NULL, it belongs to this process's user and group. */
static enum rb_code write_at(const place *at, const void *data, size_t len, mode_t mode,
                             const struct stat *owner, rb_err *err)
{
    char temp[sizeof temporary];
    memcpy(temp, temporary, sizeof temp);
    int fd = make_temporary(at->dir, temp);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot write %s", at->path);
    bool ok = rb_file_write_all(fd, data, len) &&
              (!owner || fchown(fd, owner->st_uid, owner->st_gid) == 0) && fchmod(fd, mode) == 0 &&
              fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        saved = errno;
    }
    if (ok && renameat(at->dir, temp, at->dir, at->name) != 0) {
        ok = false;
        saved = errno;
    }
    if (!ok) {
        unlinkat(at->dir, temp, 0);
        errno = saved;
        return rb_fail_errno(err, RB_ERROR, "cannot write %s", at->path);
    }
    return sync_above(at, err);
}

enum rb_code rb_file_write(const char *path, const void *data, size_t len, mode_t mode, rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    const char *slash = strrchr(path, '/');
    RB_AUTO(leave)
    place at = {.path = path,
                .dir = rb_at_open(dir, O_RDONLY | O_DIRECTORY, 0),
                .name = rb_strdup(slash ? slash + 1 : path)};
    if (at.dir < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot write %s", path);
    return write_at(&at, data, len, mode, NULL, err);
}

static bool is_us(const struct stat *st)
{
    return st->st_uid == geteuid() && st->st_gid == getegid();
}

enum rb_code rb_file_write_as(const char *path, const void *data, size_t len, mode_t mode,
                              uid_t user, gid_t group, rb_err *err)
{
    const struct stat owner = {.st_uid = user, .st_gid = group};
    RB_AUTO(leave) place at = {.path = path, .dir = -1};
    RB_TRY(rb_file_folder(&at.dir, &at.name, path, false, err));
    return write_at(&at, data, len, mode, is_us(&owner) ? NULL : &owner, err);
}

enum rb_code rb_file_load(rb_buf *out, struct stat *st, const char *path, size_t limit, rb_err *err)
{
    RB_AUTO(leave) place at = {.path = path, .dir = -1};
    if (stat(path, st) != 0 && is_absent()) {
        *st = (struct stat){0};
        return RB_OK;
    }
    *st = (struct stat){0};
    RB_TRY(rb_file_folder(&at.dir, &at.name, path, true, err));
    RB_AUTO(rb_close)
    int fd = openat(at.dir, at.name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return RB_OK;
    if (fd < 0 || fstat(fd, st) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot read %s", path);
    return read_all(out, fd, path, limit, err);
}

/* True if the file contains exactly these bytes. Then also syncs it to disk. */
static bool holds(const place *at, int fd, const void *data, size_t len)
{
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    return read_all(&found, fd, at->path, len, RB_IGNORED) == RB_OK && found.len == len &&
           memcmp(rb_buf_str(&found), data, len) == 0 && fsync(fd) == 0 &&
           sync_above(at, RB_IGNORED) == RB_OK;
}

enum rb_code rb_file_deliver(const char *path, const void *data, size_t len, mode_t fresh,
                             mode_t fixed, rb_err *err)
{
    RB_AUTO(leave) place at = {.path = path, .dir = -1};
    struct stat st;
    bool dangling = stat(path, &st) != 0 && is_absent();
    RB_TRY(rb_file_folder(&at.dir, &at.name, path, !dangling, err));
    if (dangling)
        return write_at(&at, data, len, fixed ? fixed : fresh, NULL, err);
    if (fstatat(at.dir, at.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? write_at(&at, data, len, fixed ? fixed : fresh, NULL, err)
                               : rb_fail_errno(err, RB_ERROR, "cannot write %s", path);
    RB_AUTO(rb_close)
    int fd = openat(at.dir, at.name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    mode_t mode = fixed ? fixed : st.st_mode & 07777;
    bool same = fd >= 0 && (st.st_mode & 07777) == mode && holds(&at, fd, data, len);
    return same ? RB_OK : write_at(&at, data, len, mode, is_us(&st) ? NULL : &st, err);
}

enum rb_code rb_file_replace(const char *path, const void *data, size_t len, rb_err *err)
{
    return rb_file_deliver(path, data, len, 0644, 0, err);
}

enum rb_code rb_file_remove(const char *path, rb_err *err)
{
    RB_AUTO(leave) place at = {.path = path, .dir = -1};
    struct stat st;
    if (rb_at_look(&st, path) != 0 && is_absent())
        return RB_OK;
    RB_TRY(rb_file_folder(&at.dir, &at.name, path, false, err));
    if (unlinkat(at.dir, at.name, 0) != 0 && errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot remove %s", path);
    return sync_above(&at, err);
}

bool rb_file_exists(const char *path)
{
    struct stat st;
    return rb_at_look(&st, path) == 0 || !is_absent();
}

/* Creates one folder. If mode is 0, it has mode 0777 less the umask. */
static enum rb_code make_one(const char *path, mode_t mode, rb_err *err)
{
    RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
    if (!rb_at_find(&at, path) || mkdirat(at.dir, at.name, 0777) != 0)
        return errno == EEXIST ? RB_OK
                               : rb_fail_errno(err, RB_ERROR, "cannot create folder %s", path);
    if (mode != 0 && fchmodat(at.dir, at.name, mode, 0) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot set the mode of folder %s", path);
    RB_AUTO(rb_free_str) char *above = rb_path_dir(path);
    return rb_dir_sync(above, err);
}

enum rb_code rb_dir_make(const char *path, rb_err *err)
{
    return rb_dir_make_as(path, 0, err);
}

enum rb_code rb_dir_make_as(const char *path, mode_t mode, rb_err *err)
{
    RB_AUTO(rb_free_str) char *copy = rb_strdup(path);
    for (char *p = copy + 1; *copy; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        RB_TRY(make_one(copy, mode, err));
        *p = kept;
        if (kept == '\0')
            break;
    }
    RB_AUTO(rb_close) int fd = rb_at_open(path, O_PATH | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOTDIR)
        return rb_fail(err, RB_ERROR, "cannot create folder %s: a file is in its place", path);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot create folder %s", path);
    return RB_OK;
}

/* Removes a file, or a folder with its content. Opens each folder by descriptor, so that a symlink
 * put in its place meanwhile is not followed. */
static int remove_at(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return -1;
    }
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = remove_at(dirfd(dir), entry->d_name);
    int saved = errno;
    closedir(dir);
    errno = saved;
    return result == 0 ? unlinkat(parent, name, AT_REMOVEDIR) : result;
}

enum rb_code rb_dir_remove(const char *path, rb_err *err)
{
    RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
    if (rb_at_find(&at, path) ? remove_at(at.dir, at.name) != 0 : errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot remove %s", path);
    return RB_OK;
}

bool rb_dir_remove_empty(const char *path)
{
    RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
    return rb_at_find(&at, path) && unlinkat(at.dir, at.name, AT_REMOVEDIR) == 0;
}

enum rb_code rb_dir_sync(const char *path, rb_err *err)
{
    RB_AUTO(rb_close) int fd = rb_at_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot open folder %s", path);
    return sync_folder(fd, path, err);
}

enum rb_code rb_dir_list(rb_strs *out, const char *path, rb_err *err)
{
    int fd = rb_at_open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
    if (fd < 0 && errno == ENOENT)
        return RB_OK;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        enum rb_code code = rb_fail_errno(err, RB_ERROR, "cannot list %s", path);
        rb_close(&fd);
        return code;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rb_strs_add(out, entry->d_name);
    closedir(dir);
    rb_strs_sort(out);
    return RB_OK;
}

enum rb_code rb_file_rename(const char *from, const char *to, rb_err *err)
{
    RB_AUTO(rb_at_leave) rb_at old = RB_AT_NONE;
    RB_AUTO(rb_at_leave) rb_at new = RB_AT_NONE;
    if (!rb_at_find(&old, from) || !rb_at_find(&new, to) ||
        renameat(old.dir, old.name, new.dir, new.name) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot rename %s to %s", from, to);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(to);
    return rb_dir_sync(dir, err);
}

enum rb_code rb_link_switch(const char *link, const char *target, rb_err *err)
{
    RB_AUTO(leave) place at = {.path = link, .dir = -1};
    RB_TRY(rb_file_folder(&at.dir, &at.name, link, false, err));
    RB_AUTO(rb_free_str) char *temp = rb_format("%s.new", at.name);
    if (unlinkat(at.dir, temp, 0) != 0 && errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot remove %s.new", link);
    if (symlinkat(target, at.dir, temp) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot create symlink %s.new", link);
    if (renameat(at.dir, temp, at.dir, at.name) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot rename %s.new to %s", link, link);
    return sync_above(&at, err);
}
