#include "artifact/checkout.h"

#include <string.h>
#include <strings.h>

static enum rb_code refuse(const char *path, const char *attribute, const char *value, rb_err *err)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(path);
    RB_AUTO(rb_free_str) char *shown = rb_safe(value);
    return rb_fail(err, RB_FOUND,
                   "%s has the attribute %s%s%s in .gitattributes, which changes the file at a "
                   "checkout in a way that rbtool does not\nexclude it there with a line "
                   "`%s -%s`, and commit the file as it is to be delivered",
                   safe, attribute, value[0] ? "=" : "", shown, safe, attribute);
}

/* Refuses attributes with which git changes a file, if the file has something to change. */
static enum rb_code check_attributes(rb_attributes *attributes, const char *path,
                                     const rb_buf *text, bool lfs, rb_err *err)
{
    const char *filter, *encoding, *eol, *ident;
    const char *bytes = rb_buf_str(text);
    RB_TRY(rb_attributes_get(&filter, attributes, path, "filter", err));
    RB_TRY(rb_attributes_get(&encoding, attributes, path, "working-tree-encoding", err));
    RB_TRY(rb_attributes_get(&eol, attributes, path, "eol", err));
    RB_TRY(rb_attributes_get(&ident, attributes, path, "ident", err));
    if (filter && strcmp(filter, "set") != 0 && strcmp(filter, "lfs") != 0)
        return refuse(path, "filter", filter, err);
    if (encoding && strcmp(encoding, "set") != 0 && strcasecmp(encoding, "utf-8") != 0)
        return refuse(path, "working-tree-encoding", encoding, err);
    if (lfs)
        return RB_OK;
    if (eol && strcmp(eol, "crlf") == 0 && !memchr(bytes, '\0', text->len) &&
        memchr(bytes, '\n', text->len))
        return refuse(path, "eol", eol, err);
    if (ident && strcmp(ident, "set") == 0 &&
        (memmem(bytes, text->len, "$Id$", 4) || memmem(bytes, text->len, "$Id:", 4)))
        return refuse(path, "ident", "", err);
    return RB_OK;
}

static enum rb_code add(void *context, const void *data, size_t len, rb_err *err)
{
    (void)err;
    rb_buf_add(context, data, len);
    return RB_OK;
}

/* Replaces the pointer in `out` by its content. */
static enum rb_code fetch(rb_buf *out, rb_lfs *lfs, const rb_lfs_pointer *pointer, const char *path,
                          size_t limit, rb_err *err)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(path);
    if (pointer->size > limit)
        return rb_fail(err, RB_ERROR,
                       "reading %s: its LFS content has %llu bytes, and the limit is %zu", safe,
                       (unsigned long long)pointer->size, limit);
    rb_buf_clear(out);
    return rb_lfs_content(lfs, pointer, path, add, out, err);
}

enum rb_code rb_checkout_read(rb_buf *out, rb_repo *repo, rb_lfs *lfs, const rb_tree_entry *entry,
                              size_t limit, rb_err *err)
{
    rb_lfs_pointer pointer;
    bool is_lfs = false;
    RB_TRY(rb_blob_read(out, repo, &entry->oid, entry->path, limit, err));
    RB_TRY(rb_lfs_is(&is_lfs, &pointer, lfs, entry->path, rb_buf_str(out), out->len, err));
    RB_TRY(check_attributes(rb_lfs_attributes(lfs), entry->path, out, is_lfs, err));
    return is_lfs ? fetch(out, lfs, &pointer, entry->path, limit, err) : RB_OK;
}

enum rb_code rb_checkout_file(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                              size_t limit, rb_err *err)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    RB_AUTO(rb_lfs_freep) rb_lfs *lfs = rb_lfs_new(repo, tree);
    RB_TRY(rb_tree_find(&entry, repo, tree, path, err));
    return rb_checkout_read(out, repo, lfs, &entry, limit, err);
}

enum rb_code rb_checkout_known(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                               const char *sha256, size_t limit, rb_err *err)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    RB_AUTO(rb_lfs_freep) rb_lfs *lfs = rb_lfs_new(repo, tree);
    rb_lfs_pointer pointer;
    RB_TRY(rb_tree_find(&entry, repo, tree, path, err));
    RB_TRY(rb_blob_read(out, repo, &entry.oid, path, limit, err));
    return rb_lfs_parse(&pointer, rb_buf_str(out), out->len) && strcmp(pointer.oid, sha256) == 0
               ? fetch(out, lfs, &pointer, path, limit, err)
               : RB_OK;
}
