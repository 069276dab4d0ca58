/*
 * Selects scripts in folders that hold those of several engines, distinguished by the last part
 * of a file's name: V0001.Name.sqlite.up.sql beside V0001.Name.mysql.up.sql and
 * V0001.Name.all.down.sql, 1_name_sqlite.up.sql beside 1_name_postgres.up.sql. A database has its
 * own engine's scripts, and those for all engines where its own are missing.
 */
#ifndef RB_MIGRATION_ENGINE_SUFFIX_H
#define RB_MIGRATION_ENGINE_SUFFIX_H

#include "migration/layout.h"

typedef struct rb_dialect_file {
    size_t entry;
    rb_golang_name name;
    bool paired; /* the layout has an up and a down file for each migration */
} rb_dialect_file;

#define RB_DIALECT_ALL "all"

/* Removes an engine after a dot from the end of the name, and stores it in `engine`. */
void rb_dialect_take(rb_golang_name *name);

/* True if the script is for another engine, in a folder whose names distinguish engines. */
bool rb_dialect_is_other(const rb_golang_name *name, const char *engine);

/*
 * Moves the files for a database of this engine to the front, in their order, and returns their
 * number. engine NULL: all files. files must be sorted by version. engines receives the engines
 * that the names distinguish, sorted; none if they do not.
 */
size_t rb_dialect_select(rb_strs *engines, rb_dialect_file *files, size_t n, const char *engine);

#endif
