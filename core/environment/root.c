#include "environment/root.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"

/* st->st_nlink is 0 if nothing exists there. */
static enum rb_code look(struct stat *st, const char *path, rb_err *err)
{
    if (rb_at_look(st, path) != 0) {
        *st = (struct stat){0};
        if (errno != ENOENT && errno != ENOTDIR)
            return rb_fail_errno(err, RB_ERROR,
                                 "cannot look at %s\nrun as a user who may read the environment",
                                 path);
    }
    if (S_ISLNK(st->st_mode))
        return rb_fail(err, RB_ERROR,
                       "%s is a symlink, and could lead anywhere; nothing was changed\nreplace it "
                       "with what it points to",
                       path);
    return RB_OK;
}

enum rb_code rb_root_trust(const char *root, rb_err *err)
{
    static const char *const names[] = {".rbtool", ".rbtool/state.db", "releases"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(root, names[i]);
        struct stat st;
        RB_TRY(look(&st, path, err));
        if (st.st_nlink > 0 && !rb_file_is_own(&st))
            return rb_fail(err, RB_ERROR,
                           "%s belongs to user %ld, who could have put anything there; nothing was "
                           "changed\nrun rbtool as that user, or look at what is in it and give it "
                           "to user %ld with chown -R",
                           path, (long)st.st_uid, (long)geteuid());
    }
    return RB_OK;
}

static enum rb_code hold(const char *root, const char *name, mode_t mode, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(root, name);
    RB_TRY(rb_dir_make_as(path, mode, err));
    return rb_anchor_hold(path, err);
}

enum rb_code rb_root_hold(const char *root, rb_err *err)
{
    RB_TRY(rb_root_trust(root, err));
    RB_TRY(rb_dir_make_as(root, 0755, err));
    enum rb_code code = hold(root, ".rbtool", 0755, err);
    if (code == RB_OK)
        code = hold(root, "releases", 0755, err);
    if (code == RB_OK) /* of the journal in the folder that was opened */
        code = rb_root_trust(root, err);
    if (code != RB_OK)
        rb_root_drop(root);
    return code;
}

void rb_root_drop(const char *root)
{
    static const char *const names[] = {".rbtool", "releases"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(root, names[i]);
        rb_anchor_drop(path);
    }
}

enum rb_code rb_root_has_state(bool *out, const char *root, rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_join(root, ".rbtool");
    RB_AUTO(rb_free_str) char *path = rb_path_join(dir, "state.db");
    struct stat st;
    *out = false;
    RB_TRY(look(&st, dir, err));
    RB_TRY(look(&st, path, err));
    *out = st.st_nlink > 0;
    return RB_OK;
}
