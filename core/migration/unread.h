/*
 * Finds files of a migrations folder that look like migrations and are not read. `release`,
 * `lint` and `init` name them, because they would be noticed only at a deploy, or later.
 */
#ifndef RB_MIGRATION_UNREAD_H
#define RB_MIGRATION_UNREAD_H

#include "migration/layout.h"

typedef struct rb_unread_file {
    char *path;      /* from the top of the tree */
    const char *why; /* "it is in a folder below, ..."; static */
} rb_unread_file;

typedef struct rb_unread {
    const char *looks_like; /* the tool whose files these are, where rbtool reads none of them:
                               "goose", "Flyway"; static; NULL: unknown, or the set is read */
    rb_unread_file *items;
    size_t n;
} rb_unread;

void rb_unread_clear(rb_unread *unread);

/*
 * Finds them. Parameters as for rb_migrations_read(), but also works if that fails: then
 * looks_like is the tool whose files exist. Finds files with the wrong case (0002_x.UP.SQL), in
 * folders below, without a version or with one above 64 bits, downs without an up, and program
 * code and templates beside SQL. RB_FOUND if dir does not exist.
 */
enum rb_code rb_migrations_unread(rb_unread *out, rb_repo *repo, const rb_oid *tree,
                                  const char *dir, const char *layout, const char *engine,
                                  rb_err *err);

/* For set.c: returns which tool's files these look like, or NULL. */
const char *rb_layout_looks_like(const rb_layout_source *source);
/* For set.c: finds the files for a set that was read (used[] marks the files that were). */
void rb_layout_unread(rb_unread *out, const rb_layout_source *source, const rb_migrations *set);

#endif
