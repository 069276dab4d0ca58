#include "git/object.h"

#include <string.h>

#include "git/internal.h"

#define FLAT_LIMIT (1u << 20) /* bytes of a tree for rb_flat_read() */
#define FILE_MODE "100644 "

_Static_assert((int)RB_OBJECT_COMMIT == (int)GIT_OBJECT_COMMIT &&
                   (int)RB_OBJECT_TAG == (int)GIT_OBJECT_TAG,
               "kinds are numbered as libgit2 does");

enum rb_code rb_object_read(rb_buf *out, rb_repo *repo, const rb_oid *object,
                            enum rb_object_kind kind, const char *what, size_t limit, rb_err *err)
{
    size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    RB_AUTO(rb_git_odb_object_freep) git_odb_object *found = NULL;
    int status = git_odb_read_header(&size, &type, repo->odb, rb_git_oid(object));
    if (status != 0)
        return rb_git_unreadable(repo, status, what, object, "", err);
    char hex[RB_OID_HEX];
    rb_oid_hex(object, hex);
    if ((int)type != (int)kind)
        return rb_fail(err, RB_FOUND, "cannot read %s %s: it is a %s, expected a %s", what, hex,
                       git_object_type2string(type), git_object_type2string((git_object_t)kind));
    if (size > limit)
        return rb_fail(err, RB_FOUND, "cannot read %s %s: it has %zu bytes, the limit is %zu", what,
                       hex, size, limit);
    status = git_odb_read(&found, repo->odb, rb_git_oid(object));
    if (status != 0)
        return rb_git_unreadable(repo, status, what, object, "", err);
    rb_buf_truncate(out, 0);
    rb_buf_add(out, git_odb_object_data(found), git_odb_object_size(found));
    return RB_OK;
}

enum rb_code rb_object_size(size_t *out, rb_repo *repo, const rb_oid *object, const char *what,
                            rb_err *err)
{
    git_object_t type = GIT_OBJECT_INVALID;
    int status = git_odb_read_header(out, &type, repo->odb, rb_git_oid(object));
    return status == 0 ? RB_OK : rb_git_unreadable(repo, status, what, object, "", err);
}

enum rb_code rb_object_write(rb_oid *out, rb_repo *repo, enum rb_object_kind kind, const void *data,
                             size_t len, rb_err *err)
{
    git_oid oid;
    if (git_odb_write(&oid, repo->odb, data, len, (git_object_t)kind) != 0) {
        RB_AUTO(rb_free_str) char *why = rb_git_message();
        return rb_fail(err, RB_ERROR,
                       "cannot write a %s to the repository: %s\nis there space, and may this user "
                       "write there?",
                       git_object_type2string((git_object_t)kind), why);
    }
    *out = rb_git_from(&oid);
    return RB_OK;
}

enum rb_code rb_flat_write(rb_oid *out, rb_repo *repo, const rb_flat_file *files, size_t n,
                           rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    for (size_t i = 0; i < n; i++) {
        rb_buf_puts(&raw, FILE_MODE);
        rb_buf_add(&raw, files[i].name, strlen(files[i].name) + 1);
        rb_buf_add(&raw, files[i].blob.id, RB_OID_SIZE);
    }
    return rb_object_write(out, repo, RB_OBJECT_TREE, rb_buf_str(&raw), raw.len, err);
}

enum rb_code rb_flat_read(rb_flat_file *files, size_t *n, size_t limit, rb_buf *raw, rb_repo *repo,
                          const rb_oid *tree, const char *what, rb_err *err)
{
    RB_TRY(rb_object_read(raw, repo, tree, RB_OBJECT_TREE, what, FLAT_LIMIT, err));
    const char *p = rb_buf_str(raw);
    const char *end = p + raw->len;
    size_t mode = strlen(FILE_MODE);
    for (*n = 0; p < end; ++*n) {
        const char *nul = (size_t)(end - p) > mode && memcmp(p, FILE_MODE, mode) == 0
                              ? memchr(p + mode, '\0', (size_t)(end - p) - mode)
                              : NULL;
        if (!nul || (size_t)(end - nul) <= RB_OID_SIZE || *n == limit)
            return rb_fail(err, RB_FOUND, "%s holds %s", what,
                           *n == limit ? "too many files" : "something else than plain files");
        files[*n].name = p + mode;
        memcpy(files[*n].blob.id, nul + 1, RB_OID_SIZE);
        p = nul + 1 + RB_OID_SIZE;
    }
    return RB_OK;
}
