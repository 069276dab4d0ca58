/*
 * SQLite's CREATE statements taken apart into catalog entries (catalog.h). What two ways of writing
 * have in common comes out the same: constraints beside the column or behind the list, constraint
 * names, DEFAULT NULL and no default, ASC.
 */
#ifndef RB_DATABASE_SQLITE_CREATE_INDEX_H
#define RB_DATABASE_SQLITE_CREATE_INDEX_H

#include "base/json.h"
#include "sql/token.h"

/*
 * Entries of one row of sqlite_schema, by object name. type: table, index, view or trigger; name
 * and table as that row has them. columns: names in scope, those of the table for an index, of the
 * schema for a view or trigger; NULL where they are not known or do not matter. A text that cannot
 * be taken apart becomes one entry with its normal form. A new object.
 */
json_t *rb_sqlentries(const char *type, const char *name, const char *table, const char *sql,
                      const rb_strs *columns);

#endif
