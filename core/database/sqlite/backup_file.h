/*
 * The SQLite file that a backup is. Made for rbtool and for a person with sqlite3:
 *
 *   rbtool_backup(name, value)   format (1), transition, environment, database, from, to, ...
 *
 *   rbtool_table(id, name, data, kind, key, columns, automatic, counter, definition, compared,
 *   gone, moved)   one row for each table of the database that has rows here. data: the table of
 *   this file that has them, usually of the same name; kind: rows (whole rows), values (of some
 *   columns), referenced (rows that others refer to); key, columns, automatic, compared: JSON
 *   arrays of column names. data has key and columns; automatic: those that are restored without
 *   being asked; compared: see rbtool_after; counter: of AUTOINCREMENT, or NULL; gone: 1 if the
 *   scripts dropped the table; moved: the new table that has its rows since, or NULL.
 *
 *   rbtool_after("table", "row", sha256, columns)   what became of a row: "table" is
 *   rbtool_table.id, "row" the rowid in data. No such row: the scripts deleted it. sha256: of all
 *   columns (compared) as they were at the commit; columns: four bytes for each of them. sha256
 *   NULL: the row cannot be recognised, its key was changed or is NULL.
 *
 *   rbtool_reference(child, child_columns, parent, parent_columns)   foreign keys: ids, JSON
 *   arrays
 *
 *   rbtool_applied(id, up_sha256)   the migrations that were applied before
 *
 * For example, the rows of table orders that the scripts deleted:
 *   SELECT d.* FROM orders d WHERE NOT EXISTS (SELECT 1 FROM rbtool_after a JOIN rbtool_table t
 *   ON t.id = a."table" WHERE t.data = 'orders' AND a."row" = d.rowid);
 *
 * A digest covers, for each column, kind (1 byte: null, integer, real, text, blob as 0 to 4),
 * length (8 bytes, big-endian) and value (integers and reals as 8 bytes, big-endian).
 */
#ifndef RB_DATABASE_SQLITE_BACKUP_FILE_H
#define RB_DATABASE_SQLITE_BACKUP_FILE_H

#include "database/sqlite/table_rows.h"

#define RB_BACKUP_FORMAT "1"
#define RB_BACKUP_ROWID "rbtool_rowid" /* the column with a rowid, of tables without a key */

enum rb_backup_kind { RB_BACKUP_ROWS, RB_BACKUP_VALUES, RB_BACKUP_REFERENCED };
const char *rb_backup_kind_name(enum rb_backup_kind kind);

typedef struct rb_backup_table {
    int64_t id;
    char *name;
    char *data;
    char *moved; /* the table that its rows are in after the scripts; NULL: of the same name */
    enum rb_backup_kind kind;
    rb_strs key;       /* names as they are, not quoted; no key: data begins with the rowid */
    rb_strs columns;   /* the others */
    rb_strs automatic; /* of columns */
    rb_strs compared;  /* empty: rows cannot be recognised */
    int64_t counter;   /* -1: none */
    int64_t rows;      /* their rowids are 1 to rows */
    bool gone;
    bool no_rowid; /* no key, and no way to say the rowid */
} rb_backup_table;

typedef struct rb_backup_reference {
    size_t child; /* index of its table */
    size_t parent;
    rb_strs columns;
    rb_strs parent_columns;
} rb_backup_reference;

typedef struct rb_backup_file {
    rb_sqlite *db;
    char *path;
    rb_backup_table *tables;
    size_t n;
    rb_backup_reference *references;
    size_t reference_count;
} rb_backup_file;

/* write: nothing is synced until rb_backup_close(). RB_FOUND: the format of the file is not known.
 */
enum rb_code rb_backup_open(rb_backup_file *file, const char *path, bool write,
                            rb_err *err) RB_MUST_USE;
/* Creates it, with its tables, to be written. */
enum rb_code rb_backup_create(rb_backup_file *file, const char *path, rb_err *err) RB_MUST_USE;
/* Ends the writing, and syncs the file and its folder. */
enum rb_code rb_backup_complete(rb_backup_file *file, rb_err *err) RB_MUST_USE;
void rb_backup_clear(rb_backup_file *file);
void rb_backup_table_clear(rb_backup_table *table);

/* Adds a table to the file, without rows, as the last one. t, of which the id, the name here and
 * the counter are set, is taken over. db: the database that it is of. */
enum rb_code rb_backup_add_table(rb_backup_file *file, rb_sqlite *db, rb_backup_table *t,
                                 rb_err *err) RB_MUST_USE;
/* "INSERT INTO data VALUES(?, ...)" of a row: its key, or rowid, and columns. A new string. */
char *rb_backup_insert(const rb_backup_table *t, const char *how);
/* backup_references.c: adds the rows that those of the file refer to, and those that they do. */
enum rb_code rb_backup_add_references(rb_backup_file *file, rb_sqlite *db, rb_err *err) RB_MUST_USE;

#endif
