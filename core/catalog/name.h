/*
 * Names of database objects, and their keys in a catalog. A key identifies exactly one object,
 * because keys are part of signed fingerprints:
 *
 *   KIND NAME               table orders, index audit.idx_x, view v, order orders, rows orders
 *   KIND TABLE.NAME         column orders.discount, trigger audit.log.note, rule, policy
 *   constraint TABLE TEXT   constraint orders UNIQUE (number)
 *   KIND TEXT               function audit.f(integer, text), operator, cast: kinds of which several
 * objects can have the same name
 *
 * Outside of the drivers, a table or name is one string, a qualified name: NAME in the engine's
 * default schema (the only one in SQLite), otherwise SCHEMA.NAME. A part with a dot or a double
 * quote is in double quotes, which are doubled inside; it always has a schema: public."a.b".
 *
 * In a key, each part that is not [A-Za-z_][A-Za-z0-9_]* is quoted: "a b". Inside the quotes, " and
 * \ are doubled, and control characters and the like are escaped as by rb_safe().
 */
#ifndef RB_CATALOG_NAME_H
#define RB_CATALOG_NAME_H

#include "base/json.h"

typedef struct rb_catalog_name {
    char *kind;
    char
        /* table of a column, constraint, rule, policy, and in PostgreSQL of a trigger; else NULL */
        *table;
    char *name; /* text of a constraint, function, operator, ...; else the object's name */
} rb_catalog_name;

/* Returns the key of an object, a new string. table is NULL for kinds without a table in the
 * key. */
char *rb_catalog_key(const char *kind, const char *table, const char *name);
/* Returns the key of a table's column, or if column is NULL, of the table itself. */
char *rb_catalog_place_key(const char *table, const char *column);
/* Appends one part of a name in the form of keys: quoted unless it is plain. */
void rb_catalog_add_part(rb_buf *out, const char *part);

bool rb_catalog_is(const char *key, const char *kind);
/* Parses a key: the inverse of rb_catalog_key(). Returns false, with an empty *out, if it is not a
 * key. */
bool rb_catalog_name_parse(rb_catalog_name *out, const char *key) RB_MUST_USE;
void rb_catalog_name_clear(rb_catalog_name *name);

/* Joins schema (NULL: the default one) and name to a qualified name, and splits one: *schema is
 * NULL if it has none. New strings. */
char *rb_catalog_qualified(const char *schema, const char *name);
void rb_catalog_split(char **schema, char **name, const char *qualified);
/* Returns the name that a script uses for the object of a key; for a constraint, the name of its
 * table. A new string. */
char *rb_catalog_bare_name(const char *key);

/* Convert a JSON object that identifies a database object. Stored form: "kind", "schema" (null for
 * the default one), "table" and "name". Form in memory: the same and the key, as "object". */
void rb_catalog_item_store(json_t *item);
void rb_catalog_item_load(json_t *item);

#endif
