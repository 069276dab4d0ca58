#include "environment/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"
#include "base/text.h"
#include "environment/root.h"

struct rb_lock {
    int fd;
    char *root;
};

static char *read_holder(int fd)
{
    char holder[128] = "";
    ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
    holder[n > 0 ? n : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return rb_strdup(*holder ? holder : "holder unknown");
}

char *rb_lock_holder(const char *root)
{
    RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/lock", root);
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    bool held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    char *holder = held ? read_holder(fd) : NULL;
    close(fd);
    return holder;
}

/* Writes the holder into the file, for messages. The lock itself is that of flock(2). */
static void sign(int fd)
{
    RB_AUTO(rb_free_str) char *when = rb_text_iso(time(NULL));
    RB_AUTO(rb_free_str) char *text = rb_format("process %ld since %s\n", (long)getpid(), when);
    if (ftruncate(fd, 0) == 0) {
        ssize_t ignored = pwrite(fd, text, strlen(text), 0);
        (void)ignored;
    }
}

enum rb_code rb_lock_take(rb_lock **out, const char *root, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/lock", root);
    RB_TRY(rb_root_hold(root, err));
    int fd = rb_at_open(path, O_RDWR | O_CREAT, 0644);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR,
                             "cannot open the environment's lock %s\nrun rbtool as the user who "
                             "deploys there; `rbtool env check` shows what this user cannot write",
                             path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool busy = errno == EWOULDBLOCK;
        int saved = errno;
        RB_AUTO(rb_free_str) char *holder = read_holder(fd);
        errno = saved;
        enum rb_code code =
            busy ? rb_fail(err, RB_BUSY,
                           "another run holds the environment (%s; lock %s)\nwait for it, and see "
                           "what it does with `rbtool status`",
                           holder, path)
                 : rb_fail_errno(err, RB_ERROR, "cannot lock %s", path);
        close(fd);
        return code;
    }
    (void)!fchmod(
        fd, 0644); /* readable whatever the umask is: `status` shows the holder to every user */
    sign(fd);
    /* Also takes a record lock (fcntl) for rb_lock_holder(). flock(2) can be tested only by taking
     * it, which would block others for a moment; a record lock can be tested. It is also released
     * when the holder dies. Nothing else depends on it. */
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)!fcntl(fd, F_OFD_SETLK, &whole);
    rb_lock *lock = rb_malloc(sizeof *lock);
    lock->fd = fd;
    lock->root = rb_strdup(root);
    *out = lock;
    return RB_OK;
}

enum rb_code rb_lock_take_watch(rb_lock **out, const char *root, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/watch", root);
    int fd = rb_at_open(path, O_RDWR | O_CREAT, 0644);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot open the lock of the watch, %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        RB_AUTO(rb_free_str) char *holder = read_holder(fd);
        close(fd);
        return rb_fail(err, RB_BUSY, "another run watches the environment (%s)", holder);
    }
    sign(fd);
    rb_lock *lock = rb_malloc(sizeof *lock);
    *lock = (rb_lock){.fd = fd};
    *out = lock;
    return RB_OK;
}

void rb_lock_release(rb_lock *lock)
{
    if (!lock)
        return;
    close(lock->fd);
    if (lock->root)
        rb_root_drop(lock->root);
    free(lock->root);
    free(lock);
}
