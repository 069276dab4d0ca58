#include "git/tree.h"

#include <stdlib.h>
#include <string.h>

#include "git/internal.h"

#define DEPTH_LIMIT 256  /* limit of nested folders */
#define PATH_LIMIT 65536 /* bytes of a path */

void rb_tree_entry_clear(rb_tree_entry *entry)
{
    free(entry->path);
    *entry = (rb_tree_entry){0};
}

void rb_tree_entries_clear(rb_tree_entries *entries)
{
    for (size_t i = 0; i < entries->n; i++)
        free(entries->items[i].path);
    free(entries->items);
    *entries = (rb_tree_entries){0};
}

void rb_git_entry_add(rb_tree_entries *entries, const char *path, const git_oid *oid,
                      enum rb_mode mode)
{
    entries->items = rb_grow(entries->items, entries->n, sizeof *entries->items);
    entries->items[entries->n++] =
        (rb_tree_entry){.path = rb_strdup(path), .oid = rb_git_from(oid), .mode = mode};
    entries->bytes += sizeof *entries->items + strlen(path) + 1;
}

enum rb_mode rb_git_mode(const git_tree_entry *entry)
{
    return (enum rb_mode)git_tree_entry_filemode(entry);
}

static bool known_mode(enum rb_mode mode)
{
    return mode == RB_MODE_TREE || mode == RB_MODE_FILE || mode == RB_MODE_EXEC ||
           mode == RB_MODE_LINK || mode == RB_MODE_GITLINK;
}

/* Compares names in the order of git's trees: folders as if their names ended with '/'. */
static int compare(const char *a, bool a_tree, const char *b, bool b_tree)
{
    size_t n = strlen(a);
    size_t m = strlen(b);
    int order = memcmp(a, b, n < m ? n : m);
    if (order != 0)
        return order;
    size_t min = n < m ? n : m;
    int x = (unsigned char)(n > min ? a[min] : (a_tree ? '/' : '\0'));
    int y = (unsigned char)(m > min ? b[min] : (b_tree ? '/' : '\0'));
    return x - y;
}

static bool has_file(const git_tree *tree, const char *name)
{
    size_t low = 0;
    size_t high = git_tree_entrycount(tree);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const git_tree_entry *entry = git_tree_entry_byindex(tree, middle);
        int order =
            compare(git_tree_entry_name(entry), rb_git_mode(entry) == RB_MODE_TREE, name, false);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Returns a description of what is malformed in a tree, or NULL. *at is the index of the entry. */
static const char *fault_of(const git_tree *tree, size_t *at)
{
    size_t n = git_tree_entrycount(tree);
    const git_tree_entry *last = NULL;
    for (size_t i = 0; i < n; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        const char *name = git_tree_entry_name(entry);
        *at = i;
        if (!*name || strchr(name, '/'))
            return "a name that is empty or holds a slash";
        if (!known_mode(rb_git_mode(entry)))
            return "an unknown mode";
        if (last) {
            int order = compare(git_tree_entry_name(last), rb_git_mode(last) == RB_MODE_TREE, name,
                                rb_git_mode(entry) == RB_MODE_TREE);
            if (order == 0)
                return "the same name twice";
            if (order > 0)
                return "names out of order";
        }
        last = entry;
    }
    for (size_t i = 0; i < n; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        *at = i;
        if (rb_git_mode(entry) == RB_MODE_TREE && has_file(tree, git_tree_entry_name(entry)))
            return "the same name twice";
    }
    return NULL;
}

enum rb_code rb_git_tree(git_tree **out, const rb_repo *repo, const rb_oid *oid, const char *path,
                         rb_err *err)
{
    RB_AUTO(rb_git_tree_freep) git_tree *tree = NULL;
    int status = git_tree_lookup(&tree, repo->repo, rb_git_oid(oid));
    if (status != 0)
        return rb_git_unreadable(repo, status, "tree", oid, path, err);
    size_t at = 0;
    const char *fault = fault_of(tree, &at);
    if (fault) {
        char hex[RB_OID_HEX];
        rb_oid_hex(oid, hex);
        RB_AUTO(rb_free_str) char *safe = rb_safe(path);
        RB_AUTO(rb_free_str)
        char *name = rb_safe(git_tree_entry_name(git_tree_entry_byindex(tree, at)));
        return rb_fail(err, RB_FOUND,
                       "tree %s (%s) is malformed: it has %s (%s)\nrun git fsck, and release from "
                       "a repaired history",
                       hex, *safe ? safe : "top", fault, name);
    }
    *out = RB_TAKE(tree);
    return RB_OK;
}

enum rb_code rb_git_depth(const rb_buf *path, int depth, rb_err *err)
{
    if (depth <= DEPTH_LIMIT && path->len <= PATH_LIMIT)
        return RB_OK;
    RB_AUTO(rb_free_str) char *safe = rb_safe(rb_buf_str(path));
    return rb_fail(err, RB_ERROR, "folders are nested too deep (limit %d) at %.200s", DEPTH_LIMIT,
                   safe);
}

/* Appends all blobs and gitlinks below a tree, without what `other` has at the same path, if it is
 * not NULL. `path` is the tree's path, with '/' at its end; "" for the top. */
static enum rb_code list(rb_tree_entries *out, const rb_repo *repo, const rb_oid *oid,
                         const rb_oid *other, rb_buf *path, int depth, rb_err *err)
{
    RB_TRY(rb_git_depth(path, depth, err));
    RB_AUTO(rb_git_tree_freep) git_tree *tree = NULL;
    RB_AUTO(rb_git_tree_freep) git_tree *beside = NULL;
    RB_TRY(rb_git_tree(&tree, repo, oid, rb_buf_str(path), err));
    if (other)
        RB_TRY(rb_git_tree(&beside, repo, other, rb_buf_str(path), err));
    size_t len = path->len;
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        enum rb_mode mode = rb_git_mode(entry);
        rb_oid below = rb_git_from(git_tree_entry_id(entry));
        const git_tree_entry *same =
            beside ? git_tree_entry_byname(beside, git_tree_entry_name(entry)) : NULL;
        rb_oid there = same ? rb_git_from(git_tree_entry_id(same)) : (rb_oid){0};
        if (same && rb_git_mode(same) != mode)
            same = NULL;
        if (same && rb_oid_equal(&below, &there))
            continue;
        rb_buf_puts(path, git_tree_entry_name(entry));
        if (mode == RB_MODE_TREE) {
            rb_buf_addc(path, '/');
            RB_TRY(list(out, repo, &below, same ? &there : NULL, path, depth + 1, err));
        } else {
            rb_git_entry_add(out, path->data, git_tree_entry_id(entry), mode);
        }
        if (out->bytes > RB_TREE_LIST_LIMIT)
            return rb_fail(err, RB_ERROR,
                           "the list of files would have more than %u bytes, which is the limit\n"
                           "git ls-tree shows which folder repeats itself",
                           RB_TREE_LIST_LIMIT);
        rb_buf_truncate(path, len);
    }
    return RB_OK;
}

enum rb_code rb_tree_find(rb_tree_entry *out, rb_repo *repo, const rb_oid *tree, const char *path,
                          rb_err *err)
{
    rb_tree_entry found = {.oid = *tree, .mode = RB_MODE_TREE};
    size_t len = strcmp(path, ".") == 0 ? 0 : strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    for (size_t i = 0; i < len;) {
        size_t n = 0;
        while (i + n < len && path[i + n] != '/')
            n++;
        RB_AUTO(rb_free_str) char *above = rb_strndup(path, i);
        RB_AUTO(rb_free_str) char *name = rb_strndup(path + i, n);
        RB_AUTO(rb_git_tree_freep) git_tree *object = NULL;
        const git_tree_entry *entry = NULL;
        if (found.mode == RB_MODE_TREE) {
            RB_TRY(rb_git_tree(&object, repo, &found.oid, above, err));
            entry = git_tree_entry_byname(object, name);
        }
        if (!entry) {
            RB_AUTO(rb_free_str) char *safe = rb_safe(path);
            return rb_fail(err, RB_FOUND, "there is no %s in this commit", safe);
        }
        found.oid = rb_git_from(git_tree_entry_id(entry));
        found.mode = rb_git_mode(entry);
        i += n + 1;
    }
    found.path = rb_strndup(path, len);
    *out = found;
    return RB_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const rb_tree_entry *)a)->path, ((const rb_tree_entry *)b)->path);
}

/* Drops roots that lie in another root. Such a root comes after the other one. */
static void drop_covered(rb_tree_entries *roots)
{
    size_t kept = 0;
    for (size_t i = 0; i < roots->n; i++) {
        const rb_tree_entry *last = kept > 0 ? &roots->items[kept - 1] : NULL;
        rb_tree_entry *root = &roots->items[i];
        if (last && (strcmp(last->path, root->path) == 0 ||
                     (last->mode == RB_MODE_TREE &&
                      strncmp(last->path, root->path, strlen(last->path)) == 0)))
            rb_tree_entry_clear(root);
        else
            roots->items[kept++] = *root;
    }
    roots->n = kept;
}

enum rb_code rb_git_roots(rb_tree_entries *out, rb_repo *repo, const rb_oid *tree,
                          const rb_strs *paths, rb_err *err)
{
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries roots = {0};
    if (!paths || paths->n == 0)
        rb_git_entry_add(&roots, "", rb_git_oid(tree), RB_MODE_TREE);
    for (size_t i = 0; paths && i < paths->n; i++) {
        RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
        RB_TRY(rb_tree_find(&entry, repo, tree, paths->items[i], err));
        bool folder = entry.mode == RB_MODE_TREE && entry.path[0] != '\0';
        RB_AUTO(rb_free_str) char *path = rb_format("%s%s", entry.path, folder ? "/" : "");
        rb_git_entry_add(&roots, path, rb_git_oid(&entry.oid), entry.mode);
    }
    if (roots.n > 1)
        qsort(roots.items, roots.n, sizeof *roots.items, by_path);
    drop_covered(&roots);
    rb_tree_entries_clear(out);
    *out = roots;
    roots = (rb_tree_entries){0};
    return RB_OK;
}

enum rb_code rb_tree_list(rb_tree_entries *out, rb_repo *repo, const rb_oid *tree,
                          const rb_strs *paths, rb_err *err)
{
    return rb_tree_list_changed(out, repo, tree, NULL, paths, err);
}

enum rb_code rb_tree_list_changed(rb_tree_entries *out, rb_repo *repo, const rb_oid *tree,
                                  const rb_oid *other, const rb_strs *paths, rb_err *err)
{
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries entries = {0};
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries roots = {0};
    RB_AUTO(rb_buf_clear) rb_buf path = {0};
    RB_TRY(rb_git_roots(&roots, repo, tree, paths, err));
    for (size_t i = 0; i < roots.n; i++) {
        const rb_tree_entry *root = &roots.items[i];
        if (root->mode != RB_MODE_TREE) {
            rb_git_entry_add(&entries, root->path, rb_git_oid(&root->oid), root->mode);
            continue;
        }
        rb_buf_truncate(&path, 0);
        rb_buf_puts(&path, root->path);
        RB_AUTO(rb_tree_entry_clear) rb_tree_entry same = {0};
        bool both = other && rb_tree_find(&same, repo, other, root->path, RB_IGNORED) == RB_OK &&
                    same.mode == RB_MODE_TREE;
        RB_TRY(list(&entries, repo, &root->oid, both ? &same.oid : NULL, &path, 0, err));
    }
    rb_tree_entries_clear(out);
    *out = entries;
    entries = (rb_tree_entries){0};
    return RB_OK;
}

enum rb_code rb_blob_read(rb_buf *out, rb_repo *repo, const rb_oid *blob, const char *path,
                          size_t limit, rb_err *err)
{
    size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    RB_AUTO(rb_git_odb_object_freep) git_odb_object *object = NULL;
    int status = git_odb_read_header(&size, &type, repo->odb, rb_git_oid(blob));
    if (status == 0 && size > limit) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(path);
        return rb_fail(err, RB_ERROR, "cannot read %s: it has %zu bytes, the limit is %zu", safe,
                       size, limit);
    }
    if (status == 0)
        status = git_odb_read(&object, repo->odb, rb_git_oid(blob));
    if (status != 0)
        return rb_git_unreadable(repo, status, "blob", blob, path, err);
    if (type != GIT_OBJECT_BLOB) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(path);
        return rb_fail(err, RB_ERROR, "cannot read %s: git holds no file there but a %s", safe,
                       git_object_type2string(type));
    }
    rb_buf_clear(out);
    rb_buf_add(out, git_odb_object_data(object), git_odb_object_size(object));
    return RB_OK;
}

enum rb_code rb_tree_read(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                          size_t limit, rb_err *err)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    RB_TRY(rb_tree_find(&entry, repo, tree, path, err));
    return rb_blob_read(out, repo, &entry.oid, path, limit, err);
}
