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
    RB_AUTO(rb_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    return held ? read_holder(fd) : NULL;
}

/* Writes the holder into the file, for messages. */
static void sign(int fd)
{
    RB_AUTO(rb_free_str) char *when = rb_text_iso(time(NULL));
    RB_AUTO(rb_free_str) char *text = rb_format("process %ld since %s\n", (long)getpid(), when);
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, strlen(text), 0);
}

/* does: what another run does that holds the lock. */
static enum rb_code take(rb_lock **out, const char *path, const char *does, rb_err *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    RB_AUTO(rb_lock_releasep) rb_lock *lock = rb_calloc(1, sizeof *lock);
    lock->fd = rb_at_open(path, O_RDWR | O_CREAT, 0644);
    if (lock->fd < 0)
        return rb_fail_errno(err, RB_ERROR,
                             "cannot open the environment's lock %s\nrun rbtool as the user who "
                             "deploys there; `rbtool env check` shows what this user cannot write",
                             path);
    if (flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return rb_fail_errno(err, RB_ERROR, "cannot lock %s", path);
        RB_AUTO(rb_free_str) char *holder = read_holder(lock->fd);
        return rb_fail(err, RB_BUSY,
                       "another run %s the environment (%s; lock %s)\nwait for it, and see what "
                       "it does with `rbtool status`",
                       does, holder, path);
    }
    /* A record lock too, which rb_lock_holder() can test. Testing flock(2) would mean to take it,
     * and block others for a moment. */
    (void)!fcntl(lock->fd, F_OFD_SETLK, &whole);
    /* readable whatever the umask is: `status` shows the holder to every user */
    (void)!fchmod(lock->fd, 0644);
    sign(lock->fd);
    *out = RB_TAKE(lock);
    return RB_OK;
}

enum rb_code rb_lock_take(rb_lock **out, const char *root, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/lock", root);
    RB_TRY(rb_root_hold(root, err));
    RB_TRY(take(out, path, "holds", err));
    (*out)->root = rb_strdup(root);
    return RB_OK;
}

enum rb_code rb_lock_take_watch(rb_lock **out, const char *root, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/watch", root);
    return take(out, path, "watches", err);
}

void rb_lock_release(rb_lock *lock)
{
    if (!lock)
        return;
    rb_close(&lock->fd);
    if (lock->root)
        rb_root_drop(lock->root);
    free(lock->root);
    free(lock);
}
