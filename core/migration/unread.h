/*
 * Finds files in a migrations folder that look like migrations but are not read: files with the
 * wrong case (0002_x.UP.SQL), in folders below, without a version or with one above 64 bits, downs
 * without an up, and program code and templates beside SQL.
 */
#ifndef RB_MIGRATION_UNREAD_H
#define RB_MIGRATION_UNREAD_H

#include "migration/layout.h"

/*
 * Finds the reason why rb_migrations_read(), with the same parameters, fails for a folder. *failed:
 * the error, if the folder's layout is known. *tool: the unsupported tool to which the files seem
 * to belong; static. Both are NULL if the folder does not exist or nothing is known of it.
 */
void rb_migrations_why(const char **tool, char **failed, rb_repo *repo, const rb_oid *tree,
                       const char *dir, const char *layout, const char *engine);

/* For set.c: returns the name of an unsupported tool to which the folder's files seem to belong, or
 * NULL. */
const char *rb_layout_looks_like(const rb_layout_source *source);
/* For set.c: fills set->unread by what was used. */
void rb_layout_unread(rb_migrations *set, const rb_layout_source *source, const rb_layout *layout);

#endif
