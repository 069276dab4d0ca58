/*
 * Turns SQLite's CREATE statements into catalog entries (catalog.h). Different spellings of the
 * same schema give the same entries: constraints at the column or at the end of the list,
 * constraint names, DEFAULT NULL and no default, ASC.
 */
#ifndef RB_DATABASE_SQLITE_CREATE_INDEX_H
#define RB_DATABASE_SQLITE_CREATE_INDEX_H

#include "base/json.h"
#include "sql/token.h"

/*
 * Returns the entries of a row of sqlite_schema, by key. type: table, index, view or trigger; name
 * and table as in that row. columns: names in scope, those of the table for an index, of the schema
 * for a view or trigger; NULL if they are unknown or do not matter. A text that cannot be parsed
 * becomes one entry with its normal form. A new object.
 */
json_t *rb_sqlentries(const char *type, const char *name, const char *table, const char *sql,
                      const rb_strs *columns);

#endif
