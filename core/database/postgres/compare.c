/*
 * Compares two states of a table with one statement. The state before is in a schema of its own
 * (compare.h); the state now is the table itself.
 *
 * Values are equal if they have the same type and the same binary image, as in record_image_eq().
 * Numbers are compared by =, also those of different types; strings of any type by their bytes.
 */
#include "database/postgres/compare.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "database/loss.h"

#define COUNT_MS "10000" /* time to count one table; after that its size is estimated */

/* Tables: */

/* Describes a table as it is now. *out is NULL if it does not exist. */
static enum rb_code table_now(json_t **out, rb_pg *pg, const char *name, rb_err *err)
{
    return rb_pg_json(
        out, pg,
        "SELECT json_build_object('sql', " RB_PG_ROWS ", 'rows',"
        " greatest(c.reltuples, 0)::int8, 'columns', " RB_PG_COLUMNS
        ", 'keys', (SELECT json_agg((SELECT"
        " json_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY"
        " (i.indkey)) ORDER BY i.indisprimary DESC, i.indexrelid) FROM pg_index i WHERE i.indrelid "
        "="
        " c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND"
        " (i.indisprimary OR NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND"
        " a.attnum = ANY (i.indkey) AND NOT a.attnotnull))))" RB_PG_TABLES
        " AND " RB_PG_TABLE_NAME("n.nspname", "c.relname") " = $1",
        &name, 1, err);
}

static enum rb_code has_before(bool *out, rb_pg *pg, rb_err *err)
{
    int64_t found;
    RB_TRY(rb_pg_int(&found, pg, "SELECT to_regclass('" RB_PG_BEFORE ".kept') IS NOT NULL", NULL, 0,
                     err));
    *out = found != 0;
    return RB_OK;
}

static enum rb_code table_before(json_t **out, rb_pg *pg, const char *name, rb_err *err)
{
    return rb_pg_json(out, pg,
                      "SELECT json_build_object('sql', '" RB_PG_BEFORE ".' || data, 'columns',"
                      " columns) FROM " RB_PG_BEFORE ".kept WHERE name = $1",
                      &name, 1, err);
}

static const json_t *columns_of(const json_t *table)
{
    return json_object_get(table, "columns");
}

static const json_t *column_of(const json_t *table, const char *plain)
{
    rb_json_each (column, columns_of(table)) {
        const char *name = rb_json_str(column, "plain");
        RB_AUTO(rb_free_str) char *safe = rb_safe(name);
        if (strcmp(name, plain) == 0 || strcmp(safe, plain) == 0)
            return column;
    }
    return NULL;
}

static char class_of(const json_t *column)
{
    return *rb_json_str(column, "class");
}

static bool same_type(const json_t *was, const json_t *now)
{
    return strcmp(rb_json_str(was, "type"), rb_json_str(now, "type")) == 0;
}

/* Values: */

/* Appends a condition: a column of rows o and n has different values. */
static void add_differs(rb_buf *sql, const json_t *was, const json_t *now)
{
    const char *o = rb_json_str(was, "name");
    const char *n = rb_json_str(now, "name");
    char class = class_of(was);
    if (class == 'n' && class_of(now) == 'n')
        rb_buf_printf(sql, "o.%s IS DISTINCT FROM n.%s", o, n);
    else if (class == 's' && class_of(now) == 's')
        rb_buf_printf(sql, "o.%s::text COLLATE \"C\" IS DISTINCT FROM n.%s::text", o, n);
    else if (!same_type(was, now))
        rb_buf_printf(sql, "(o.%s IS NOT NULL OR n.%s IS NOT NULL)", o, n);
    else if (class == 't')
        rb_buf_printf(sql, "o.%s COLLATE \"C\" IS DISTINCT FROM n.%s::text", o, n);
    else
        rb_buf_printf(sql, "NOT ROW(o.%s)::record *= ROW(n.%s)::record", o, n);
}

/* Appends a condition: rows o and n have the same value in a column of the key. */
static void add_equal(rb_buf *sql, const json_t *was, const json_t *now)
{
    const char *o = rb_json_str(was, "name");
    const char *n = rb_json_str(now, "name");
    char class = class_of(was);
    bool alike = class == class_of(now) && (class == 'n' || class == 's' || same_type(was, now));
    if (alike && class != 't')
        rb_buf_printf(sql, "n.%s = o.%s", n, o);
    else
        rb_buf_printf(sql, "n.%s::text COLLATE \"C\" = o.%s::text", n, o);
}

/* Appends an expression that is equal for two equal values (by =) of a column, to group rows of
 * multisets. */
static void add_image(rb_buf *sql, const json_t *column, const json_t *other)
{
    const char *name = rb_json_str(column, "name");
    char class = class_of(column);
    if (class == 'n' && class_of(other) == 'n')
        rb_buf_printf(sql, same_type(column, other) ? "%s" : "%s::numeric", name);
    else if ((class == 's' && class_of(other) == 's') || same_type(column, other))
        rb_buf_printf(sql, "%s::text COLLATE \"C\"", name);
    else
        rb_buf_printf(sql, "'%s ' || %s::text COLLATE \"C\"", rb_json_str(column, "class"), name);
}

/* Returns the end of the literal, with its casts, that a default consists of; NULL if it is
 * anything else. *len: of the literal without casts. */
static const char *skip_literal(size_t *len, const char *text)
{
    const char *p = text;
    if (*p == '\'') {
        for (p++; *p && (*p != '\'' || p[1] == '\''); p += *p == '\'' ? 2 : 1)
            ;
        p += *p == '\'';
    } else {
        p += *p == '-';
        while (isalnum((unsigned char)*p) || *p == '.')
            p++;
    }
    *len = (size_t)(p - text);
    while (p[0] == ':' && p[1] == ':')
        for (p += 2; isalnum((unsigned char)*p) || (*p && strchr(" _.\"(),[]", *p));)
            p++;
    return *p ? NULL : p;
}

/*
 * Appends a condition: the column's value is not its default, `fresh` as pg_get_expr() writes it.
 * If the default is not a literal, every value except NULL counts.
 */
static void add_not_fresh(rb_buf *sql, const json_t *column, const char *alias, const char *fresh)
{
    const char *name = rb_json_str(column, "name");
    size_t len = 0;
    bool literal =
        fresh && skip_literal(&len, fresh) && len > 0 && strncasecmp(fresh, "null", 4) != 0;
    bool word = literal && isalpha((unsigned char)*fresh) && strncasecmp(fresh, "true", len) != 0 &&
                strncasecmp(fresh, "false", len) != 0;
    if (!literal)
        rb_buf_printf(sql, "%s.%s IS NOT NULL", alias, name);
    else if (word)
        rb_buf_puts(sql, "true");
    else if (class_of(column) == 'n' || class_of(column) == 's')
        rb_buf_printf(sql, "%s.%s IS DISTINCT FROM %.*s", alias, name, (int)len, fresh);
    else if (class_of(column) == 't')
        rb_buf_printf(sql, "%s.%s::text IS DISTINCT FROM %.*s::text", alias, name, (int)len, fresh);
    else
        rb_buf_printf(sql, "%s.%s::text IS DISTINCT FROM (%.*s::%s)::text", alias, name, (int)len,
                      fresh, rb_json_str(column, "type"));
}

/* Comparing: */

typedef struct comparing {
    rb_pg *pg;
    const char *name;
    json_t *was;
    json_t *now;
    json_t *out;
    int64_t rows; /* rows in the state before */
    int64_t missing;
} comparing;

static void add_item(json_t *out, const char *name, const char *column, int64_t rows,
                     int64_t values, bool exact)
{
    json_array_append_new(out, json_pack("{s:o,s:o,s:I,s:I,s:b}", "table", rb_json_text(name),
                                         "column", rb_json_text(column), "rows", (json_int_t)rows,
                                         "values", (json_int_t)values, "exact", exact));
}

static bool names(const json_t *list, const char *plain)
{
    rb_json_each (name, list)
        if (strcmp(json_string_value(name), plain) == 0)
            return true;
    return false;
}

/* Finds a key of the table now whose columns existed before, and returns the condition that joins
 * by it; "" if there is none. *missing: the condition that no row was found. A new string. */
static char *find_key(char **missing, const comparing *c)
{
    rb_json_each (key, json_object_get(c->now, "keys")) {
        RB_AUTO(rb_buf_clear) rb_buf on = {0};
        bool all = true;
        rb_json_each (name, key) {
            const json_t *was = column_of(c->was, json_string_value(name));
            const json_t *now = column_of(c->now, json_string_value(name));
            all = all && was && now;
            if (!all)
                break;
            rb_buf_puts(&on, on.len ? " AND " : "");
            add_equal(&on, was, now);
            free(*missing);
            *missing = rb_format("n.%s IS NULL", rb_json_str(now, "name"));
        }
        if (all && on.len)
            return rb_buf_detach(&on);
    }
    return rb_strdup("");
}

/* Adds the items for columns. Their counts follow the first two numbers of the result row. */
static enum rb_code take_counts(comparing *c, const char *sql, const json_t *columns, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *counts = NULL;
    RB_TRY(rb_pg_json(&counts, c->pg, sql, NULL, 0, err));
    c->rows = json_integer_value(json_array_get(counts, 0));
    c->missing = json_integer_value(json_array_get(counts, 1));
    if (c->missing > 0)
        add_item(c->out, c->name, NULL, c->missing, 0, true);
    rb_json_each (column, columns) {
        int64_t values = json_integer_value(json_array_get(counts, column_at + 2));
        RB_AUTO(rb_free_str) char *plain = rb_safe(rb_json_str(column, "plain"));
        if (values > 0)
            add_item(c->out, c->name, plain, c->rows, values, true);
    }
    return RB_OK;
}

static enum rb_code compare_keyed(comparing *c, const json_t *item, const char *on,
                                  const char *missing, rb_err *err)
{
    const json_t *columns = json_object_get(item, "columns");
    const json_t *nulls = json_object_get(item, "nulls");
    RB_AUTO(rb_json_freep) json_t *taken = json_array();
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    rb_buf_printf(&sql, "SELECT to_json(ARRAY[count(*), count(*) FILTER (WHERE %s)", missing);
    rb_json_each (was, columns_of(c->was)) {
        const char *plain = rb_json_str(was, "plain");
        const json_t *now = column_of(c->now, plain);
        if (json_is_array(columns) && !names(columns, plain))
            continue;
        rb_buf_printf(&sql, ", count(*) FILTER (WHERE NOT (%s) AND ", missing);
        if (now && nulls && !names(nulls, plain))
            rb_buf_printf(&sql, "o.%s IS NOT NULL AND ", rb_json_str(was, "name"));
        if (now)
            add_differs(&sql, was, now);
        else
            add_not_fresh(&sql, was, "o", rb_json_str(was, "fresh"));
        rb_buf_puts(&sql, ")");
        json_array_append(taken, was);
    }
    rb_buf_printf(&sql, "]) FROM %s o LEFT JOIN %s n ON %s", rb_json_str(c->was, "sql"),
                  rb_json_str(c->now, "sql"), on);
    return take_counts(c, rb_buf_str(&sql), taken, err);
}

/* Compares rows without a key, as multisets: each row of the state now matches at most one equal
 * row of the state before. Only columns of both states are compared. In other columns, values that
 * differ from the default are counted. */
static enum rb_code compare_multisets(comparing *c, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *taken = json_array();
    RB_AUTO(rb_buf_clear) rb_buf was = {0};
    RB_AUTO(rb_buf_clear) rb_buf now = {0};
    RB_AUTO(rb_buf_clear) rb_buf others = {0};
    rb_json_each (column, columns_of(c->was)) {
        const json_t *other = column_of(c->now, rb_json_str(column, "plain"));
        if (!other) {
            rb_buf_puts(&others, ", count(*) FILTER (WHERE ");
            add_not_fresh(&others, column, "o", rb_json_str(column, "fresh"));
            rb_buf_puts(&others, ")");
            json_array_append(taken, column);
            continue;
        }
        rb_buf_puts(&was, was.len ? ", " : "");
        rb_buf_puts(&now, now.len ? ", " : "");
        add_image(&was, column, other);
        add_image(&now, other, column);
    }
    const char *before = rb_json_str(c->was, "sql");
    RB_AUTO(rb_free_str)
    char *sql = was.len
                    ? rb_format("SELECT to_json(ARRAY[count(*), (SELECT count(*) FROM (SELECT %s,"
                                " row_number() OVER (PARTITION BY %s) FROM %s EXCEPT SELECT %s,"
                                " row_number() OVER (PARTITION BY %s) FROM %s n) x)%s]) FROM %s o",
                                was.data, was.data, before, now.data, now.data,
                                rb_json_str(c->now, "sql"), rb_buf_str(&others), before)
                    : rb_format("SELECT to_json(ARRAY[count(*), count(*)%s]) FROM %s o",
                                rb_buf_str(&others), before);
    return take_counts(c, sql, taken, err);
}

/* Counts the rows that did not exist before. */
static enum rb_code add_added(comparing *c, rb_err *err)
{
    int64_t now = 0;
    RB_AUTO(rb_free_str)
    char *sql = rb_format("SELECT count(*) FROM %s n", c->now ? rb_json_str(c->now, "sql") : "");
    if (c->now)
        RB_TRY(rb_pg_int(&now, c->pg, sql, NULL, 0, err));
    if (now <= c->rows - c->missing)
        return RB_OK;
    add_item(c->out, c->name, NULL, 0, 0, true);
    json_object_set_new(json_array_get(c->out, json_array_size(c->out) - 1), "added",
                        json_integer(now - c->rows + c->missing));
    return RB_OK;
}

static enum rb_code compare_table(comparing *c, const json_t *item, rb_err *err)
{
    RB_TRY(table_before(&c->was, c->pg, c->name, err));
    if (!c->was)
        return RB_OK;
    RB_TRY(table_now(&c->now, c->pg, c->name, err));
    if (!c->now) {
        RB_AUTO(rb_free_str)
        char *sql = rb_format("SELECT to_json(ARRAY[count(*), count(*)]) FROM %s",
                              rb_json_str(c->was, "sql"));
        RB_TRY(take_counts(c, sql, NULL, err));
    } else {
        RB_AUTO(rb_free_str) char *missing = NULL;
        RB_AUTO(rb_free_str) char *on = find_key(&missing, c);
        RB_TRY(*on ? compare_keyed(c, item, on, missing, err) : compare_multisets(c, err));
    }
    return json_is_true(json_object_get(item, "added")) ? add_added(c, err) : RB_OK;
}

enum rb_code rb_pg_compare(json_t **out, rb_db *db, const json_t *tables, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *items = json_array();
    rb_json_each (item, tables) {
        comparing c = {.pg = rb_pg_of(db), .name = rb_json_str(item, "table"), .out = items};
        enum rb_code code = compare_table(&c, item, err);
        json_decref(c.was);
        json_decref(c.now);
        RB_TRY(code);
    }
    *out = RB_TAKE(items);
    return RB_OK;
}

/* Counting: */

typedef struct counting {
    rb_pg *pg;
    json_t *out;
    bool before;  /* counts the state before */
    bool limited; /* counts a database that is in use: in a snapshot, with a time limit */
} counting;

/* Counts one table. *counts stays NULL if that takes too long. */
static enum rb_code count_rows(json_t **counts, const counting *c, const char *sql, rb_err *err)
{
    rb_err why;
    if (!c->limited)
        return rb_pg_json(counts, c->pg, sql, NULL, 0, err);
    RB_TRY(
        rb_pg_exec(c->pg, "SAVEPOINT rbtool_count; SET LOCAL statement_timeout = " COUNT_MS, err));
    enum rb_code code = rb_pg_json(counts, c->pg, sql, NULL, 0, &why);
    if (code != RB_OK && !strstr(why.message, "57014")) { /* query_canceled */
        *err = why;
        return code;
    }
    return rb_pg_exec(c->pg, "ROLLBACK TO rbtool_count; RELEASE rbtool_count", err);
}

/* Adds the items for places[from] to places[to] - 1, which are all of one table. */
static enum rb_code count_table(counting *c, const json_t *places, size_t from, size_t to,
                                rb_err *err)
{
    const char *name = rb_json_str(json_array_get(places, from), "table");
    RB_AUTO(rb_json_freep) json_t *table = NULL;
    RB_AUTO(rb_json_freep) json_t *counts = NULL;
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    RB_TRY(c->before ? table_before(&table, c->pg, name, err)
                     : table_now(&table, c->pg, name, err));
    if (!table)
        return RB_OK;
    rb_buf_puts(&sql, "SELECT to_json(ARRAY[count(*)");
    for (size_t i = from; i < to; i++) {
        const json_t *place = json_array_get(places, i);
        const char *plain = rb_json_str(place, "column");
        const char *fresh = rb_json_str(place, "fresh");
        const json_t *column = plain ? column_of(table, plain) : NULL;
        rb_buf_puts(&sql, plain && !column ? ", 0" : ", count(*)");
        if (column && fresh) {
            rb_buf_puts(&sql, " FILTER (WHERE ");
            add_not_fresh(&sql, column, "o", fresh);
            rb_buf_puts(&sql, ")");
        }
    }
    rb_buf_printf(&sql, "]) FROM %s o", rb_json_str(table, "sql"));
    RB_TRY(count_rows(&counts, c, rb_buf_str(&sql), err));
    int64_t rows =
        counts ? json_integer_value(json_array_get(counts, 0)) : rb_json_int(table, "rows", 0);
    for (size_t i = from; i < to; i++) {
        const char *plain = rb_json_str(json_array_get(places, i), "column");
        int64_t values = counts ? json_integer_value(json_array_get(counts, i - from + 1)) : rows;
        if (values > 0)
            add_item(c->out, name, plain, rows, plain ? values : 0, counts != NULL);
    }
    return RB_OK;
}

/* Finds which tables of the places have rows: {name: true}. Uses one statement for many tables,
 * since most tables that an inverse drops are empty; a table whose file is empty is not in it. NULL
 * if it takes too long. */
static enum rb_code find_filled(json_t **filled, const counting *c, const json_t *places,
                                rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    RB_AUTO(rb_json_freep) json_t *statements = NULL;
    RB_AUTO(rb_json_freep) json_t *found = json_object();
    rb_json_canonical(&names, places);
    const char *params[] = {rb_buf_str(&names)};
    RB_TRY(rb_pg_json(
        &statements, c->pg,
        "SELECT coalesce(json_agg(sql), '[]') FROM (SELECT 'SELECT coalesce(json_object_agg(name,"
        " true), ''{}'') FROM (' || string_agg(format('SELECT %L AS name WHERE EXISTS (SELECT FROM"
        " %I.%I)', name, nspname, relname), ' UNION ALL ') || ') filled' AS sql FROM (SELECT "
        "t.name,"
        " n.nspname, c.relname, row_number() OVER () / 200 AS part FROM (SELECT DISTINCT"
        " p->>'table' AS name FROM json_array_elements($1::json) p) t JOIN (pg_class c JOIN"
        " pg_namespace n ON n.oid = c.relnamespace) ON " RB_PG_TABLE_NAME(
            "n.nspname", "c.relname") " = t.name"
                                      " WHERE (c.relkind IN ('p', 'f', 'S') OR (c.relkind = 'r'"
                                      " AND (c.relhassubclass OR pg_relation_size(c.oid) > 0))) "
                                      "AND n.nspname !~ "
                                      "'^pg_') found GROUP BY part) all_parts",
        params, 1, err));
    rb_json_each (sql, statements) {
        RB_AUTO(rb_json_freep) json_t *part = NULL;
        RB_TRY(count_rows(&part, c, json_string_value(sql), err));
        if (!part)
            return RB_OK;
        json_object_update(found, part);
    }
    *filled = found;
    found = NULL;
    return RB_OK;
}

static enum rb_code count_all(counting *c, const json_t *places, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *filled = NULL;
    if (!c->before && json_array_size(places) > 1)
        RB_TRY(find_filled(&filled, c, places, err));
    for (size_t from = 0, to; from < json_array_size(places); from = to) {
        const char *name = rb_json_str(json_array_get(places, from), "table");
        for (to = from + 1; to < json_array_size(places); to++)
            if (strcmp(name, rb_json_str(json_array_get(places, to), "table")) != 0)
                break;
        if (!filled || json_object_get(filled, name))
            RB_TRY(count_table(c, places, from, to, err));
    }
    return RB_OK;
}

enum rb_code rb_pg_count(json_t **out, rb_db *db, const json_t *places, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *items = json_array();
    rb_pg *pg = rb_pg_of(db);
    counting c = {.pg = pg, .out = items};
    RB_TRY(has_before(&c.before, pg, err));
    c.limited = PQtransactionStatus(pg->conn) == PQTRANS_IDLE;
    if (c.limited)
        RB_TRY(rb_pg_exec(pg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err));
    enum rb_code code = count_all(&c, places, err);
    if (c.limited)
        (void)!rb_pg_exec(pg, "ROLLBACK", RB_IGNORED);
    RB_TRY(code);
    *out = RB_TAKE(items);
    return RB_OK;
}
