#include "artifact/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"

struct rb_folder {
    int fd;
    char *path;
};

static enum rb_code explain(const rb_folder *folder, const char *path, rb_err *err)
{
    int saved = errno;
    RB_AUTO(rb_free_str) char *safe = rb_safe(path);
    if (saved == EEXIST)
        return rb_fail(err, RB_ERROR,
                       "cannot write %s/%s: the path exists already\nuse a file system that "
                       "distinguishes upper and lower case, or rename one of the two",
                       folder->path, safe);
    if (saved == ELOOP || saved == ENOTDIR)
        return rb_fail(err, RB_ERROR, "cannot write %s/%s: a part of its path is not a folder",
                       folder->path, safe);
    errno = saved;
    return rb_fail_errno(err, RB_ERROR, "cannot write %s/%s", folder->path, safe);
}

/* Opens the folder that `path` lies in, component by component, without following symlinks. The
 * caller closes the descriptor; *name is the last component. */
static int open_parent(const rb_folder *folder, const char *path, const char **name)
{
    int at = dup(folder->fd);
    const char *slash;
    while (at >= 0 && (slash = strchr(path, '/'))) {
        RB_AUTO(rb_free_str) char *part = rb_strndup(path, (size_t)(slash - path));
        int next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        rb_close(&at);
        at = next;
        path = slash + 1;
    }
    *name = path;
    return at;
}

static enum rb_code make_folder(const rb_folder *folder, const char *path, rb_err *err)
{
    const char *name = NULL;
    RB_AUTO(rb_close) int at = open_parent(folder, path, &name);
    if (at < 0 || mkdirat(at, name, 0755) != 0 || fchmodat(at, name, 0755, 0) != 0)
        return explain(folder, path, err);
    return RB_OK;
}

/* Creates the folders of all entries. Because entries are sorted by path, the first entry of a
 * folder is one whose predecessor is not in it. */
static enum rb_code make_folders(const rb_folder *folder, const rb_tree_entries *entries,
                                 rb_err *err)
{
    const char *last = "";
    for (size_t i = 0; i < entries->n; i++) {
        const char *path = entries->items[i].path;
        if (entries->items[i].mode == RB_MODE_GITLINK)
            continue;
        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
            size_t len = (size_t)(slash - path);
            if (strncmp(last, path, len + 1) == 0)
                continue;
            RB_AUTO(rb_free_str) char *dir = rb_strndup(path, len);
            RB_TRY(make_folder(folder, dir, err));
        }
        last = path;
    }
    return RB_OK;
}

enum rb_code rb_folder_make(rb_folder **out, const char *path, const rb_tree_entries *entries,
                            rb_err *err)
{
    RB_AUTO(rb_folder_closep) rb_folder *folder = rb_calloc(1, sizeof *folder);
    folder->fd = -1;
    folder->path = rb_strdup(path);
    RB_AUTO(rb_at_leave) rb_at at = RB_AT_NONE;
    if (!rb_at_find(&at, path) || mkdirat(at.dir, at.name, 0755) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot create folder %s", path);
    folder->fd = openat(at.dir, at.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder->fd < 0 || fchmod(folder->fd, 0755) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot open folder %s", path);
    RB_TRY(make_folders(folder, entries, err));
    *out = RB_TAKE(folder);
    return RB_OK;
}

void rb_folder_close(rb_folder *folder)
{
    if (!folder)
        return;
    rb_close(&folder->fd);
    free(folder->path);
    free(folder);
}

enum rb_code rb_folder_create(int *fd, const rb_folder *folder, const char *path, bool executable,
                              rb_err *err)
{
    const char *name = NULL;
    RB_AUTO(rb_close) int at = open_parent(folder, path, &name);
    mode_t mode = executable ? 0755 : 0644;
    RB_AUTO(rb_close) int file = -1;
    if (at >= 0)
        file = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file < 0 || fchmod(file, mode) != 0)
        return explain(folder, path, err);
    *fd = rb_take_fd(&file);
    return RB_OK;
}

enum rb_code rb_folder_write(int fd, const char *path, const void *data, size_t len, rb_err *err)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int saved = errno;
            RB_AUTO(rb_free_str) char *safe = rb_safe(path);
            errno = saved;
            return rb_fail_errno(err, RB_ERROR, "cannot write %s", safe);
        }
        p += n;
        len -= (size_t)n;
    }
    return RB_OK;
}

enum rb_code rb_folder_link(const rb_folder *folder, const char *path, const char *target,
                            rb_err *err)
{
    const char *name = NULL;
    RB_AUTO(rb_close) int at = open_parent(folder, path, &name);
    if (at < 0 || symlinkat(target, at, name) != 0)
        return explain(folder, path, err);
    return RB_OK;
}

enum rb_code rb_folder_sync(const rb_folder *folder, rb_err *err)
{
    /* Sync the whole file system once: syncing thousands of files takes many times as long, with a
     * journal commit for each. */
    if (syncfs(folder->fd) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot sync %s", folder->path);
    RB_AUTO(rb_free_str) char *above = rb_path_dir(folder->path);
    return rb_dir_sync(above, err);
}
