#include "artifact/checkout.h"

#include <string.h>
#include <strings.h>

#include "artifact/lfs.h"

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

static enum rb_code check_filter(rb_attributes *attributes, const char *path, rb_err *err)
{
    static const char *const refused[] = {"filter", "working-tree-encoding"};
    for (size_t i = 0; i < 2; i++) {
        RB_AUTO(rb_free_str) char *value = NULL;
        RB_TRY(rb_attributes_get(&value, attributes, path, refused[i], err));
        bool lfs = i == 0 && value && strcmp(value, "lfs") == 0;
        if (value && !lfs && strcasecmp(value, "utf-8") != 0)
            return refuse(path, refused[i], value, err);
    }
    return RB_OK;
}

/* Refuses attributes with which git changes a file, if the file has something to change. */
static enum rb_code check_text(rb_attributes *attributes, const char *path, const rb_buf *text,
                               rb_err *err)
{
    RB_AUTO(rb_free_str) char *eol = NULL;
    bool ident = false;
    bool binary = text->len > 0 && memchr(text->data, '\0', text->len) != NULL;
    RB_TRY(rb_attributes_get(&eol, attributes, path, "eol", err));
    if (eol && strcmp(eol, "crlf") == 0 && !binary && text->len > 0 &&
        memchr(text->data, '\n', text->len))
        return refuse(path, "eol", eol, err);
    RB_TRY(rb_attributes_is_set(&ident, attributes, path, "ident", err));
    if (ident && text->len > 0 &&
        (memmem(text->data, text->len, "$Id$", 4) || memmem(text->data, text->len, "$Id:", 4)))
        return refuse(path, "ident", "", err);
    return RB_OK;
}

static enum rb_code add(void *context, const void *data, size_t len, rb_err *err)
{
    (void)err;
    rb_buf_add(context, data, len);
    return RB_OK;
}

/* Reads the blob and finds out whether it is an LFS pointer. */
static enum rb_code read_blob(rb_buf *out, bool *is_lfs, rb_lfs_pointer *pointer, rb_lfs *lfs,
                              rb_repo *repo, const rb_oid *tree, const rb_tree_entry *entry,
                              size_t limit, rb_err *err)
{
    RB_AUTO(rb_attributes_freep) rb_attributes *attributes = rb_attributes_new(repo, tree);
    RB_TRY(check_filter(attributes, entry->path, err));
    RB_TRY(rb_blob_read(out, repo, &entry->oid, entry->path, limit, err));
    RB_TRY(rb_lfs_is(is_lfs, pointer, lfs, entry->path, rb_buf_str(out), out->len, err));
    return *is_lfs ? RB_OK : check_text(attributes, entry->path, out, err);
}

enum rb_code rb_checkout_read(rb_buf *out, rb_repo *repo, const rb_oid *tree,
                              const rb_tree_entry *entry, size_t limit, rb_err *err)
{
    RB_AUTO(rb_lfs_freep) rb_lfs *lfs = rb_lfs_new(repo, tree);
    RB_AUTO(rb_buf_clear) rb_buf blob = {0};
    rb_lfs_pointer pointer;
    bool is_lfs = false;
    RB_TRY(read_blob(&blob, &is_lfs, &pointer, lfs, repo, tree, entry, limit, err));
    rb_buf_clear(out);
    if (!is_lfs) {
        *out = blob;
        blob = (rb_buf){0};
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *safe = rb_safe(entry->path);
    if (pointer.size > limit)
        return rb_fail(err, RB_ERROR,
                       "reading %s: its LFS content has %llu bytes, and the limit is %zu", safe,
                       (unsigned long long)pointer.size, limit);
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    RB_TRY(rb_lfs_content(lfs, &pointer, entry->path, add, &content, err));
    *out = content;
    content = (rb_buf){0};
    return RB_OK;
}

enum rb_code rb_checkout_file(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                              size_t limit, rb_err *err)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    RB_TRY(rb_tree_find(&entry, repo, tree, path, err));
    return rb_checkout_read(out, repo, tree, &entry, limit, err);
}

enum rb_code rb_checkout_sha256(char out[RB_SHA256_HEX], rb_repo *repo, const rb_oid *tree,
                                const rb_tree_entry *entry, size_t limit, rb_err *err)
{
    RB_AUTO(rb_lfs_freep) rb_lfs *lfs = rb_lfs_new(repo, tree);
    RB_AUTO(rb_buf_clear) rb_buf blob = {0};
    rb_lfs_pointer pointer;
    bool is_lfs = false;
    RB_TRY(read_blob(&blob, &is_lfs, &pointer, lfs, repo, tree, entry, limit, err));
    if (is_lfs && pointer.size > 0)
        memcpy(out, pointer.oid, RB_SHA256_HEX);
    else if (is_lfs)
        rb_sha256_hex_of("", 0, out);
    else
        rb_sha256_hex_of(rb_buf_str(&blob), blob.len, out);
    return RB_OK;
}
