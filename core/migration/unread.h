/*
 * What a migrations folder has that looks like migrations and is not read. `release`, `lint` and
 * `init` name it, because a migration that is never run is otherwise found at deploy, or later.
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
 * Parameters as for rb_migrations_read(), and it works where that fails: then looks_like says which
 * tool's files are there. Named are files with the wrong case (0002_x.UP.SQL), in folders below,
 * without a version or with one above 64 bits, downs without an up, program code and templates
 * beside SQL. RB_FOUND when dir is absent.
 */
enum rb_code rb_migrations_unread(rb_unread *out, rb_repo *repo, const rb_oid *tree,
                                  const char *dir, const char *layout, const char *engine,
                                  rb_err *err) RB_MUST_USE;

/* For set.c: which tool's files these look like, or NULL. */
const char *rb_layout_looks_like(const rb_layout_source *source);
/* For set.c: the files in question, for a set that was read (used[] marks the files that were). */
void rb_layout_unread(rb_unread *out, const rb_layout_source *source, const rb_migrations *set);

#endif
