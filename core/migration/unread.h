/*
 * Finds files in a migrations folder that look like migrations but are not read. `release`, `lint`
 * and `init` report them; otherwise they would only be noticed at a deploy, or later.
 */
#ifndef RB_MIGRATION_UNREAD_H
#define RB_MIGRATION_UNREAD_H

#include "migration/layout.h"

typedef struct rb_unread_file {
    char *path;      /* path from the top of the tree */
    const char *why; /* such as "it is in a folder below, ..."; a static string */
} rb_unread_file;

typedef struct rb_unread {
    /* tool whose files these are, such as "goose" or "Flyway", if rbtool reads none of them;
     * static; NULL: unknown, or the set was read */
    const char *looks_like;
    char *failed; /* why the folder cannot be read although its layout is known; or NULL */
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

/* For set.c: returns the name of an unsupported tool to which the folder's files seem to belong, or
 * NULL. */
const char *rb_layout_looks_like(const rb_layout_source *source);
/* For set.c: finds the files besides those that were read (used[]). */
void rb_layout_unread(rb_unread *out, const rb_layout_source *source, const rb_layout *layout,
                      const rb_migrations *set);

#endif
