/*
 * Reads trees and blobs of a commit.
 */
#ifndef RB_GIT_TREE_H
#define RB_GIT_TREE_H

#include "git/repository.h"

/* memory of a list in bytes, enough for two million files */
#define RB_TREE_LIST_LIMIT (256u << 20)

enum rb_mode {
    RB_MODE_TREE = 0040000,
    RB_MODE_FILE = 0100644,
    RB_MODE_EXEC = 0100755,
    RB_MODE_LINK = 0120000,
    RB_MODE_GITLINK = 0160000,
};

typedef struct rb_tree_entry {
    char *path; /* path from the top of the tree; need not be UTF-8 */
    rb_oid oid;
    enum rb_mode mode;
} rb_tree_entry;

typedef struct rb_tree_entries {
    rb_tree_entry *items;
    size_t n;
    size_t bytes; /* approximate memory of all entries */
} rb_tree_entries;

void rb_tree_entries_clear(rb_tree_entries *entries);

/*
 * Lists all blobs and gitlinks below the given literal paths of a tree, each once, in bytewise
 * order of the whole path. paths->n == 0 means the whole tree. RB_FOUND names a path that does
 * not exist; RB_ERROR if the list exceeds RB_TREE_LIST_LIMIT. Old modes (100664) are read as
 * git's canonical ones.
 */
enum rb_code rb_tree_list(rb_tree_entries *out, rb_repo *repo, const rb_oid *tree,
                          const rb_strs *paths, rb_err *err);

/* Same as rb_tree_list(), but may leave out what the tree `other` has at the same path. Folders
 * that both have are not read. other: NULL for none. */
enum rb_code rb_tree_list_changed(rb_tree_entries *out, rb_repo *repo, const rb_oid *tree,
                                  const rb_oid *other, const rb_strs *paths, rb_err *err);

/* Finds one path; RB_FOUND if it does not exist. "" and "." are the tree itself. */
enum rb_code rb_tree_find(rb_tree_entry *out, rb_repo *repo, const rb_oid *tree, const char *path,
                          rb_err *err);
void rb_tree_entry_clear(rb_tree_entry *entry);

/* Reads a blob. The error for a missing or corrupt one names its path and what to fetch. */
enum rb_code rb_blob_read(rb_buf *out, rb_repo *repo, const rb_oid *blob, const char *path,
                          size_t limit, rb_err *err);

/* Finds and reads the committed file at `path`. */
enum rb_code rb_tree_read(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                          size_t limit, rb_err *err);

#endif
