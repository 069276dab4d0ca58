/* Shared by compare.c, rehearse.c and keep.c: the state before, in a schema of rbtool's own. */
#ifndef RB_DATABASE_POSTGRES_COMPARE_H
#define RB_DATABASE_POSTGRES_COMPARE_H

#include "database/postgres/postgres.h"

/*
 * The schema of the state before: a table kept(name, data, columns), and one table for each table
 * whose rows are kept. Columns of types outside pg_catalog are text there, so that scripts can drop
 * or change the type.
 */
#define RB_PG_BEFORE "rbtool_before"

/* SQL: the columns of a pg_class "c" that hold data, [{"name","plain","type","class","fresh"}].
 * class: n for numbers, s for strings, t for types outside pg_catalog, o for others. */
#define RB_PG_COLUMNS                                                                              \
    "(SELECT coalesce(json_agg(json_build_object('name', quote_ident(a.attname), 'plain',"         \
    " a.attname, 'type', format_type(a.atttypid, NULL), 'class', CASE WHEN y.typnamespace <>"      \
    " 'pg_catalog'::regnamespace THEN 't' WHEN y.oid IN ('int2'::regtype, 'int4'::regtype,"        \
    " 'int8'::regtype, 'numeric'::regtype, 'float4'::regtype, 'float8'::regtype) THEN 'n' WHEN"    \
    " y.oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'name'::regtype) THEN 's'" \
    " ELSE 'o' END, 'fresh', pg_get_expr(f.adbin, f.adrelid), 'collated', l.collnamespace <>"      \
    " 'pg_catalog'::regnamespace) ORDER BY a.attnum), '[]')"                                       \
    " FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_collation l ON l.oid " \
    "="                                                                                            \
    " a.attcollation LEFT JOIN pg_attrdef f ON f.adrelid = c.oid AND f.adnum = a.attnum WHERE"     \
    " a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND"      \
    " (c.relkind <> 'S' OR a.attname = 'last_value'))"

/* SQL: the name of a pg_class "c" for FROM. A sequence has one row, its position, if it has given a
 * number. */
#define RB_PG_ROWS                                                                                 \
    "format(CASE c.relkind WHEN 'S' THEN '(SELECT last_value FROM %I.%I WHERE is_called)' ELSE"    \
    " '%I.%I' END, n.nspname, c.relname)"

/* SQL: the user's tables and sequences, as "c" with schema "n". */
#define RB_PG_TABLES                                                                               \
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p'," \
    " 'S')"                                                                                        \
    " AND c.relpersistence <> 't' AND n.nspname !~ " RB_PG_OWN_SCHEMAS

#endif
