/*
 * Folders that hold the scripts of several engines at once, told apart by the last part of a
 * file's name: V0001.Name.sqlite.up.sql beside V0001.Name.mysql.up.sql and V0001.Name.all.down.sql,
 * 1_name_sqlite.up.sql beside 1_name_postgres.up.sql. A database has its own engine's scripts, and
 * those for all of them where there is none of its own.
 */
#ifndef RB_MIGRATION_ENGINE_SUFFIX_H
#define RB_MIGRATION_ENGINE_SUFFIX_H

#include "migration/layout.h"

typedef struct rb_dialect_file {
    size_t entry;
    rb_golang_name name;
    bool paired; /* the layout's */
} rb_dialect_file;

#define RB_DIALECT_ALL "all"

/* Takes an engine that a dot sets apart off the name's end. */
void rb_dialect_take(rb_golang_name *name);

/* In a folder whose names tell engines apart: is this one for another? */
bool rb_dialect_is_other(const rb_golang_name *name, const char *engine);

/*
 * Moves the files that a database of this engine has to the front, in their order, and returns how
 * many they are; engine NULL: all of them. files are sorted by version. engines: what the names
 * tell apart, sorted; none where they do not.
 */
size_t rb_dialect_select(rb_strs *engines, rb_dialect_file *files, size_t n, const char *engine);

#endif
