/*
 * Names of database objects, and the keys that a catalog has for them. A key names exactly one
 * object, because keys are part of signed fingerprints:
 *
 *   KIND NAME               table orders, index audit.idx_x, view v, order orders, rows orders
 *   KIND TABLE.NAME         column orders.discount, trigger audit.log.note, rule, policy
 *   constraint TABLE TEXT   constraint orders UNIQUE (number)
 *   KIND TEXT               function audit.f(integer, text), operator, cast: where a name can have
 *                           several objects
 *
 * A table or name is one string for all that is not a driver: NAME in the engine's default schema
 * (SQLite has no other), else SCHEMA.NAME, where a part with a dot or double quote is in double
 * quotes, doubled inside. A name with either is never alone: public."a.b".
 *
 * In a key, each part that is not [A-Za-z_][A-Za-z0-9_]* is quoted: "a b". Inside the quotes, " and
 * \ are doubled, and what does not fit on one line of a terminal is written as rb_safe() does.
 */
#ifndef RB_CATALOG_NAME_H
#define RB_CATALOG_NAME_H

#include "base/json.h"

typedef struct rb_catalog_name {
    char *kind;
    char
        *table; /* of a column, constraint, rule, policy, and of a trigger in PostgreSQL, or NULL */
    char *name; /* of a constraint, function, operator, ...: its text */
} rb_catalog_name;

/* The key of an object, a new string. table: NULL unless the key has one. */
char *rb_catalog_key(const char *kind, const char *table, const char *name);
/* The key of a table's column, or of the table itself if column is NULL. */
char *rb_catalog_place_key(const char *table, const char *column);
/* Appends one part of a name as a key has it: quoted unless it is plain. */
void rb_catalog_add_part(rb_buf *out, const char *part);

bool rb_catalog_is(const char *key, const char *kind);
/* Splits a key: the inverse of rb_catalog_key(). False if it is not one, and *out is then empty. */
bool rb_catalog_name_parse(rb_catalog_name *out, const char *key) RB_MUST_USE;
void rb_catalog_name_clear(rb_catalog_name *name);

/* The one string for a table or name of a schema (NULL: the default one), and its inverse: *schema
 * is NULL where the string has none. New strings. */
char *rb_catalog_qualified(const char *schema, const char *name);
void rb_catalog_split(char **schema, char **name, const char *qualified);
/* The bare name that a script has for the object of a key; for a constraint, its table's. */
char *rb_catalog_bare_name(const char *key);

/* A JSON object that names something of a database, as it is stored: "kind", "schema" (null for the
 * default one), "table" and "name"; and as the program has it: the same and the key, as "object".
 * Each changes item from one to the other. */
void rb_catalog_item_store(json_t *item);
void rb_catalog_item_load(json_t *item);

#endif
