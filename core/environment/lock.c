#include "environment/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

struct rb_lock {
    int fd;
};

static enum rb_code busy(int fd, const char *path, rb_err *err)
{
    char holder[128] = "";
    ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
    holder[n > 0 ? n : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return rb_fail(err, RB_BUSY,
                   "another run holds the environment (%s; lock %s); wait for it, or stop that "
                   "process and run `rbtool resume`",
                   *holder ? holder : "holder unknown", path);
}

/* For the person who reads the refusal; the lock itself is flock's. */
static void sign(int fd)
{
    char when[32];
    time_t now = time(NULL);
    struct tm tm;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    RB_AUTO(rb_free_str) char *text = rb_format("process %ld since %s\n", (long)getpid(), when);
    if (ftruncate(fd, 0) == 0) {
        ssize_t ignored = pwrite(fd, text, strlen(text), 0);
        (void)ignored;
    }
}

enum rb_code rb_lock_take(rb_lock **out, const char *root, rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_format("%s/.rbtool", root);
    RB_AUTO(rb_free_str) char *path = rb_format("%s/lock", dir);
    RB_TRY(rb_dir_make(dir, err));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot open the environment's lock %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum rb_code code = errno == EWOULDBLOCK
                                ? busy(fd, path, err)
                                : rb_fail_errno(err, RB_ERROR, "cannot lock %s", path);
        close(fd);
        return code;
    }
    sign(fd);
    rb_lock *lock = rb_malloc(sizeof *lock);
    lock->fd = fd;
    *out = lock;
    return RB_OK;
}

void rb_lock_release(rb_lock *lock)
{
    if (!lock)
        return;
    close(lock->fd);
    free(lock);
}
