#include "git/refs.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "git/internal.h"
#include "git/tag.h"

#define DEPTH 64 /* of nested folders below refs; git's own names have far fewer */

static enum rb_code check_regular(const char *path, rb_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return RB_OK;
    RB_AUTO(rb_free_str) char *safe = rb_safe(path);
    return rb_fail(
        err, RB_ERROR,
        "%s is not a regular file, and neither git nor rbtool can read it\nremove it: rm "
        "'%s'",
        safe, safe);
}

static enum rb_code check_folder(const char *path, int depth, rb_err *err)
{
    enum rb_code code = RB_OK;
    DIR *dir = depth < DEPTH ? opendir(path) : NULL;
    for (struct dirent *item; code == RB_OK && dir && (item = readdir(dir));) {
        if (item->d_type == DT_REG || strcmp(item->d_name, ".") == 0 ||
            strcmp(item->d_name, "..") == 0)
            continue;
        RB_AUTO(rb_free_str) char *below = rb_path_join(path, item->d_name);
        code = item->d_type == DT_DIR ? check_folder(below, depth + 1, err)
                                      : check_regular(below, err);
    }
    if (dir)
        closedir(dir);
    return code;
}

enum rb_code rb_git_check_files(const char *dir, rb_err *err)
{
    const char *const files[] = {"config", "objects/info/alternates"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        RB_AUTO(rb_free_str) char *file = rb_path_join(dir, files[i]);
        RB_TRY(check_regular(file, err));
    }
    return RB_OK;
}

enum rb_code rb_git_check_refs(const char *dir, const char *common, rb_err *err)
{
    RB_AUTO(rb_free_str) char *packed = rb_path_join(common, "packed-refs");
    RB_AUTO(rb_free_str) char *refs = rb_path_join(common, "refs");
    /* folder of the refs of this work tree alone */
    RB_AUTO(rb_free_str) char *own = rb_path_join(dir, "refs");
    RB_TRY(check_regular(packed, err));
    RB_TRY(check_folder(refs, 0, err));
    return strcmp(refs, own) == 0 ? RB_OK : check_folder(own, 0, err);
}

enum rb_code rb_ref_read(rb_ref *out, rb_repo *repo, const char *name, rb_err *err)
{
    git_reference *ref = NULL;
    *out = (rb_ref){0};
    int status = git_reference_lookup(&ref, repo->repo, name);
    if (status == GIT_ENOTFOUND)
        return RB_OK;
    if (status != 0) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(name);
        RB_AUTO(rb_free_str) char *why = rb_git_message();
        return rb_fail(err, RB_ERROR, "cannot read the ref %s: %s\nrun `git fsck`", safe, why);
    }
    out->exists = true;
    out->symbolic = git_reference_type(ref) == GIT_REFERENCE_SYMBOLIC;
    if (!out->symbolic)
        out->object = rb_git_from(git_reference_target(ref));
    git_reference_free(ref);
    return RB_OK;
}

/* Searches packed-refs for the line "ID NAME". Lines of peeled ids (they begin with "^") and the
 * header cannot match. */
enum rb_code rb_ref_is_packed(bool *out, const rb_repo *repo, const char *name,
                              const rb_oid *object, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(repo->common, "packed-refs");
    *out = false;
    if (!rb_file_exists(path))
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_file_read(&text, path, RB_PACKED_REFS_LIMIT, err));
    char hex[RB_OID_HEX];
    rb_oid_hex(object, hex);
    RB_AUTO(rb_free_str) char *line = rb_format("\n%s %s\n", hex, name);
    size_t len = strlen(line);
    *out = memmem(rb_buf_str(&text), text.len, line, len) != NULL ||
           (text.len >= len - 1 && memcmp(text.data, line + 1, len - 1) == 0);
    return RB_OK;
}

enum rb_code rb_ref_move(rb_repo *repo, const char *name, const rb_oid *to, const rb_oid *old,
                         rb_err *err)
{
    char new_hex[RB_OID_HEX];
    char old_hex[RB_OID_HEX] = "0000000000000000000000000000000000000000";
    rb_oid_hex(to, new_hex);
    if (old)
        rb_oid_hex(old, old_hex);
    int status = 0;
    RB_AUTO(rb_free_str) char *said = NULL;
    /* Sync the ref: by default git does not, and after a power failure it could be an empty
     * file. */
    const char *const args[] = {"-c", "core.fsync=reference", "update-ref", name, new_hex, old_hex,
                                NULL};
    RB_TRY(rb_git_run(NULL, &status, &said, repo, args, NULL, 0, err));
    if (status == 0)
        return RB_OK;
    rb_ref now;
    bool moved =
        rb_ref_read(&now, repo, name, RB_IGNORED) == RB_OK &&
        (now.exists != (old != NULL) || (old && !now.symbolic && !rb_oid_equal(&now.object, old)));
    enum rb_code code = moved || strstr(said, ".lock': ") ? RB_BUSY
                        : strstr(said, "hook")            ? RB_FOUND
                                                          : RB_ERROR;
    return rb_fail(err, code, "git did not move %s to %s: %s", name, new_hex, said);
}

enum rb_code rb_ref_names(rb_strs *out, rb_repo *repo, const char *glob, rb_err *err)
{
    git_reference_iterator *iterator = NULL;
    const char *name = NULL;
    int status = git_reference_iterator_glob_new(&iterator, repo->repo, glob);
    while (status == 0 && (status = git_reference_next_name(&name, iterator)) == 0)
        rb_strs_add(out, name);
    git_reference_iterator_free(iterator);
    if (status != GIT_ITEROVER)
        return rb_fail(err, RB_ERROR, "cannot list the refs %s", glob);
    rb_strs_sort(out);
    return RB_OK;
}

bool rb_object_exists(rb_repo *repo, const rb_oid *object)
{
    return git_odb_exists(repo->odb, rb_git_oid(object)) == 1;
}

bool rb_object_commit(rb_oid *out, rb_repo *repo, const rb_oid *object)
{
    /* Read only headers, because the object may have any size. */
    rb_oid at = *object;
    for (;;) {
        RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
        size_t size = 0;
        git_object_t type = GIT_OBJECT_INVALID;
        if (git_odb_read_header(&size, &type, repo->odb, rb_git_oid(&at)) != 0)
            return false;
        if (type == GIT_OBJECT_COMMIT) {
            *out = at;
            return true;
        }
        if (type != GIT_OBJECT_TAG ||
            rb_tag_read_object(&tag, repo, &at, "", RB_IGNORED) != RB_OK ||
            !rb_tag_target(&at, tag))
            return false;
    }
}
