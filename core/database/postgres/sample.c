/* Inserts made-up rows into empty tables, so that a proof runs scripts on rows. The same tables
 * always get the same rows. */
#include "database/sample.h"

#include <stdlib.h>

#include <string.h>

#include "database/postgres/postgres.h"
#include "database/tracking.h"

#define ROWS 8 /* of one table, at most */

/* Two values, as SQL, for a type or a category of types. The first matching line counts. Keys are
 * larger than those that scripts usually insert. */
static const struct {
    const char *base; /* name of the type; NULL: any type */
    char category;    /* pg_type.typcategory; 0: any */
    bool key;
    const char *values[2];
} by_type[] = {
    {"int2", 0, true, {"7001", "7002"}},
    {"int4", 0, true, {"7001", "7002"}},
    {"int8", 0, true, {"7001", "7002"}},
    {"int2", 0, false, {"42", "17"}},
    {"int4", 0, false, {"42", "17"}},
    {"int8", 0, false, {"42", "17"}},
    {"float4", 0, false, {"1.5", "2.25"}},
    {"float8", 0, false, {"1.5", "2.25"}},
    {"numeric", 0, false, {"1.5", "2.25"}},
    {"money", 0, false, {"1.5", "2.25"}},
    {NULL, 'N', false, {"0", "0"}}, /* oid, regclass and similar types */
    {NULL, 'B', false, {"true", "false"}},
    {"date", 0, false, {"'2001-02-03'", "'2002-11-12'"}},
    {"time", 0, false, {"'04:05:06'", "'13:14:15'"}},
    {"timetz", 0, false, {"'04:05:06+00'", "'13:14:15+00'"}},
    {NULL, 'D', false, {"'2001-02-03 04:05:06'", "'2002-11-12 13:14:15'"}},
    {NULL, 'T', false, {"'1 day'", "'2 hours'"}},
    {"cidr", 0, false, {"'192.0.2.0/24'", "'198.51.100.0/24'"}},
    {NULL, 'I', false, {"'192.0.2.1'", "'198.51.100.2'"}},
    {"json", 0, false, {"'{}'", "'[]'"}},
    {"jsonb", 0, false, {"'{}'", "'[]'"}},
    {"uuid",
     0,
     false,
     {"'00000000-0000-4000-8000-000000000001'", "'00000000-0000-4000-8000-000000000002'"}},
    {"bytea", 0, false, {"'\\x7262'", "'\\x6f6b'"}},
    {"xml", 0, false, {"'<a/>'", "'<b/>'"}},
    {"macaddr", 0, false, {"'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"}},
    {"macaddr8", 0, false, {"'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'"}},
    {"hstore", 0, false, {"''", "'a=>b'"}},
    {NULL, 'V', false, {"B'1'", "B'0'"}},
    {NULL, 'A', false, {"'{}'", "'{}'"}},
    {NULL, 'R', false, {"'empty'", "'empty'"}},
    {"point", 0, false, {"'(1,2)'", "'(3,4)'"}},
    {"box", 0, false, {"'((1,2),(3,4))'", "'((3,4),(5,6))'"}},
    {"lseg", 0, false, {"'((1,2),(3,4))'", "'((3,4),(5,6))'"}},
    {"path", 0, false, {"'((1,2),(3,4))'", "'((3,4),(5,6))'"}},
    {"polygon", 0, false, {"'((1,2),(3,4),(5,0))'", "'((3,4),(5,6),(7,0))'"}},
    {"circle", 0, false, {"'<(1,2),3>'", "'<(3,4),5>'"}},
    {"line", 0, false, {"'{1,2,3}'", "'{3,4,5}'"}},
    {NULL, 'S', false, {"'example'", "'second'"}},
    {NULL, 'U', false, {"'example'", "'second'"}},
    {NULL, 0, false, {"NULL", "NULL"}},
};

/* The tables that $1 (a JSON array) does not name, each with what its rows have to fulfil. A
 * partition's bounds count as checks. */
static const char tables_sql[] =
    "WITH RECURSIVE bases(oid, base, not_null, checks) AS ("
    " SELECT oid, oid, false, ''::text FROM pg_type"
    " UNION ALL SELECT b.oid, t.typbasetype, b.not_null OR t.typnotnull,"
    "  b.checks || coalesce((SELECT string_agg(' ' || pg_get_constraintdef(k.oid), '')"
    "   FROM pg_constraint k WHERE k.contypid = t.oid), '')"
    " FROM bases b JOIN pg_type t ON t.oid = b.base AND t.typtype = 'd')"
    "SELECT coalesce(json_agg(json_build_object('name', t.name, 'sql', t.sql, 'alias', t.alias,"
    " 'columns', (SELECT coalesce(json_agg(json_build_object('name', a.attname,"
    "   'type', format_type(a.atttypid, a.atttypmod), 'category', y.typcategory,"
    "   'nullable', NOT (a.attnotnull OR b.not_null), 'default', pg_get_expr(d.adbin, d.adrelid),"
    "   'filled', d.adbin IS NOT NULL OR a.attidentity <> '', 'key', i.indrelid IS NOT NULL,"
    "   'checks', b.checks, 'base', y.typname, 'labels', (SELECT"
    "    json_agg(quote_literal(e.enumlabel) ORDER BY e.enumsortorder) FROM pg_enum e"
    "    WHERE e.enumtypid = y.oid), 'members', (SELECT r.relnatts FROM pg_class r"
    "    WHERE r.oid = y.typrelid)) ORDER BY a.attnum), '[]')"
    "  FROM pg_attribute a"
    "  JOIN bases b ON b.oid = a.atttypid"
    "  JOIN pg_type y ON y.oid = b.base AND y.typtype <> 'd'"
    "  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    "  LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary"
    "   AND a.attnum = ANY (i.indkey)"
    "  WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),"
    " 'checks', (SELECT coalesce(json_agg(x.text ORDER BY x.text), '[]') FROM ("
    "   SELECT pg_get_expr(k.conbin, k.conrelid) AS text FROM pg_constraint k"
    "    WHERE k.conrelid = t.oid AND k.contype = 'c'"
    "   UNION ALL SELECT pg_get_partition_constraintdef(t.oid)) x WHERE x.text IS NOT NULL),"
    " 'references', (SELECT coalesce(json_agg(json_build_object("
    "   'parent', k.confrelid::regclass::text, 'self', k.confrelid = k.conrelid,"
    "   'from', (SELECT json_agg(a.attname ORDER BY p.n) FROM unnest(k.conkey) WITH ORDINALITY"
    "    p(attnum, n) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.attnum),"
    "   'to', (SELECT json_agg(a.attname ORDER BY p.n) FROM unnest(k.confkey) WITH ORDINALITY"
    "    p(attnum, n) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = p.attnum))"
    "   ORDER BY k.conname), '[]') FROM pg_constraint k"
    "  WHERE k.conrelid = t.oid AND k.contype = 'f'),"
    " 'triggers', (SELECT coalesce(json_agg(g.tgname ORDER BY g.tgname), '[]') FROM pg_trigger g"
    "  WHERE g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled = 'O'))"
    " ORDER BY t.name), '[]') FROM (SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS sql,"
    "   quote_ident(c.relname) AS alias, " RB_PG_TABLE_NAME(
        "n.nspname", "c.relname") " AS name"
                                  "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                                  "  WHERE c.relkind IN ('r','p') AND c.relpersistence <> 't' AND "
                                  "n.nspname !~ " RB_PG_OWN_SCHEMAS ") t"
                                  " WHERE NOT $1::jsonb ? t.name";

/* A table that is being filled. item: its row of tables_sql. */
typedef struct filling {
    rb_pg *pg;
    const rb_samples *samples;
    const json_t *item;
    const char *only; /* the column whose domain's checks are being satisfied, or NULL */
} filling;

static const json_t *column_of(const filling *f, size_t i)
{
    return json_array_get(json_object_get(f->item, "columns"), i);
}

/* Runs statements that may fail, and undoes them if they do. *out: the integer that the last one
 * returns; or NULL. */
static bool attempt(int64_t *out, rb_pg *pg, const char *sql)
{
    int64_t value = 0;
    if (rb_pg_exec(pg, "SAVEPOINT rbtool_sample", RB_IGNORED) != RB_OK)
        return false;
    enum rb_code code =
        out ? rb_pg_int(&value, pg, sql, NULL, 0, RB_IGNORED) : rb_pg_exec(pg, sql, RB_IGNORED);
    const char *end = code == RB_OK ? "RELEASE rbtool_sample"
                                    : "ROLLBACK TO rbtool_sample; RELEASE rbtool_sample";
    if (rb_pg_exec(pg, end, RB_IGNORED) != RB_OK || code != RB_OK)
        return false;
    if (out)
        *out = value;
    return true;
}

/* An rb_sample_holds. For a domain, checks whether the value can be cast to it. */
static bool holds(void *context, const rb_sample_row *r, const char *check)
{
    const filling *f = context;
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    int64_t out = 0;
    RB_AUTO(rb_free_str) char *domain = f->only ? rb_pg_quote(f->only) : NULL;
    if (domain) /* a value that is not used would not be cast */
        rb_buf_printf(&sql, "SELECT num_nulls(%s) >= 0 FROM (SELECT ", domain);
    else
        rb_buf_printf(&sql, "SELECT coalesce((%s), true) FROM (SELECT ", check);
    for (size_t i = 0, n = 0; i < r->n; i++) {
        if (f->only && strcmp(r->items[i].name, f->only) != 0)
            continue;
        RB_AUTO(rb_free_str) char *name = rb_pg_quote(r->items[i].name);
        rb_buf_printf(&sql, "%sCAST(%s AS %s) AS %s", n++ ? ", " : "", r->items[i].value,
                      rb_json_str(column_of(f, i), "type"), name);
    }
    rb_buf_printf(&sql, " OFFSET 0) AS %s", rb_json_str(f->item, "alias"));
    return attempt(&out, f->pg, rb_buf_str(&sql)) && out != 0;
}

static void satisfy(filling *f, rb_sample_row *r)
{
    size_t i;
    for (i = 0; i < r->n; i++) {
        const char *checks = rb_json_str(column_of(f, i), "checks");
        if (!checks || !*checks)
            continue;
        RB_AUTO(rb_free_str) char *name = rb_pg_quote(r->items[i].name);
        RB_AUTO(rb_free_str) char *text = rb_format("%s%s", name, checks);
        f->only = r->items[i].name;
        rb_sample_satisfy(r, text, RB_POSTGRESQL, holds, f);
        f->only = NULL;
    }
    rb_json_each (check, json_object_get(f->item, "checks"))
        rb_sample_satisfy(r, json_string_value(check), RB_POSTGRESQL, holds, f);
}

/* Returns a value of the column's type. A new string. */
static char *value_of(const json_t *column, bool second)
{
    const json_t *labels = json_object_get(column, "labels");
    const char *label = json_string_value(json_array_get(labels, second ? 1 : 0));
    const bool key = json_is_true(json_object_get(column, "key"));
    const int64_t members = rb_json_int(column, "members", 0);
    size_t i = 0;
    if (json_array_size(labels) > 0)
        return rb_strdup(label ? label : json_string_value(json_array_get(labels, 0)));
    if (members > 0) { /* a composite type, with all members NULL: (,,) */
        rb_buf row = {0};
        for (int64_t member = 1; member < members; member++)
            rb_buf_addc(&row, ',');
        char *value = rb_format("'(%s)'", rb_buf_str(&row));
        rb_buf_clear(&row);
        return value;
    }
    while ((by_type[i].base && strcmp(by_type[i].base, rb_json_str(column, "base")) != 0) ||
           (by_type[i].category && by_type[i].category != *rb_json_str(column, "category")) ||
           (by_type[i].key && !key))
        i++;
    return rb_strdup(by_type[i].values[second ? 1 : 0]);
}

static void add_column(rb_sample_row *r, const json_t *column)
{
    const char *name = rb_json_str(column, "name");
    const char *default_ = rb_json_str(column, "default");
    const char category = *rb_json_str(column, "category");
    const bool nullable = json_is_true(json_object_get(column, "nullable"));
    const bool second = r->samples->kind == RB_SAMPLE_OTHER;
    RB_AUTO(rb_free_str) char *typed = value_of(column, second);
    const char *value = typed;
    size_t count = 0;
    const char *named = r->samples->kind == RB_SAMPLE_NAMED
                            ? rb_sample_named(&count, r->samples, name, category != 'S',
                                              category != 'N' && category != 'B', r->row)
                            : NULL;
    r->named = count > r->named ? count : r->named;
    if (second && nullable)
        value = default_ ? default_ : "NULL";
    r->items = rb_realloc(r->items, r->n + 1, sizeof *r->items);
    r->items[r->n++] = (rb_sample_column){
        .name = rb_strdup(name),
        .value = named ? rb_strdup(named) : rb_sample_numbered(value, r->row),
        .nullable = nullable,
        .has_default = json_is_true(json_object_get(column, "filled")),
        .is_key = json_is_true(json_object_get(column, "key")),
    };
}

static void set_value(rb_sample_column *c, const char *value)
{
    char *copy = rb_strdup(value);
    free(c->value);
    c->value = copy;
}

/* Returns a SELECT of the key of the parent's first row. */
static char *parent_sql(const json_t *reference)
{
    rb_buf columns = {0};
    RB_AUTO(rb_buf_clear) rb_buf conditions = {0};
    rb_json_each (to, json_object_get(reference, "to")) {
        RB_AUTO(rb_free_str) char *name = rb_pg_quote(json_string_value(to));
        rb_buf_printf(&columns, "%squote_literal(%s::text)", to_at ? ", " : "", name);
        rb_buf_printf(&conditions, "%s%s IS NOT NULL", to_at ? " AND " : "", name);
    }
    char *sql = rb_format("SELECT %s FROM %s WHERE %s ORDER BY 1 LIMIT 1", rb_buf_str(&columns),
                          rb_json_str(reference, "parent"), rb_buf_str(&conditions));
    rb_buf_clear(&columns);
    return sql;
}

/* Sets the columns of a reference to the key of an existing parent, or to NULL. *waits: the parent
 * table is empty, and the columns need a value or `last` is false. */
static enum rb_code set_reference(bool *waits, filling *f, rb_sample_row *r,
                                  const json_t *reference, bool last, rb_err *err)
{
    const json_t *to = json_object_get(reference, "to");
    const bool self = json_is_true(json_object_get(reference, "self"));
    RB_AUTO(rb_free_str) char *sql = parent_sql(reference);
    RB_AUTO(rb_pg_clear) PGresult *found = NULL;
    if (!self)
        RB_TRY(rb_pg_rows(&found, f->pg, sql, NULL, 0, err));
    const bool any = found && PQntuples(found) > 0;
    rb_json_each (from, json_object_get(reference, "from")) {
        rb_sample_column *c = rb_sample_find(r, json_string_value(from));
        if (!c)
            continue;
        const rb_sample_column *own =
            self ? rb_sample_find(r, json_string_value(json_array_get(to, from_at))) : NULL;
        if (any)
            set_value(c, PQgetvalue(found, 0, (int)from_at));
        else if (c->nullable && (self || last))
            set_value(c, "NULL");
        else if (own)
            set_value(c, own->value);
        else if (!self && !last)
            *waits = true;
    }
    return RB_OK;
}

/* Inserting: */

static char *insert_sql(const filling *f, const rb_sample_row *r, bool sparse)
{
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    RB_AUTO(rb_buf_clear) rb_buf values = {0};
    const char *table = rb_json_str(f->item, "sql");
    for (size_t i = 0; i < r->n; i++) {
        const rb_sample_column *c = &r->items[i];
        if (sparse && !c->is_key && (c->nullable || c->has_default))
            continue;
        RB_AUTO(rb_free_str) char *name = rb_pg_quote(c->name);
        rb_buf_printf(&names, "%s%s", names.len ? ", " : "", name);
        rb_buf_printf(&values, "%sCAST(%s AS %s)", values.len ? ", " : "", c->value,
                      rb_json_str(column_of(f, i), "type"));
    }
    if (names.len == 0)
        return rb_format("INSERT INTO %s DEFAULT VALUES", table);
    return rb_format("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE VALUES (%s)", table,
                     rb_buf_str(&names), rb_buf_str(&values));
}

static void add_triggers(rb_buf *out, const filling *f, const char *verb)
{
    rb_json_each (trigger, json_object_get(f->item, "triggers")) {
        RB_AUTO(rb_free_str) char *name = rb_pg_quote(json_string_value(trigger));
        rb_buf_printf(out, "ALTER TABLE %s %s TRIGGER %s; ", rb_json_str(f->item, "sql"), verb,
                      name);
    }
}

/* Inserts a row with triggers, as an application does; if that fails, without them. Checks deferred
 * constraints immediately. */
static bool insert(filling *f, const rb_sample_row *r)
{
    const bool triggers = json_array_size(json_object_get(f->item, "triggers")) > 0;
    for (int tries = 0; tries < (triggers ? 4 : 2); tries++) {
        RB_AUTO(rb_buf_clear) rb_buf sql = {0};
        const bool sparse = (tries % 2 == 1) != (r->samples->kind == RB_SAMPLE_OTHER);
        RB_AUTO(rb_free_str) char *statement = insert_sql(f, r, sparse);
        if (tries >= 2)
            add_triggers(&sql, f, "DISABLE");
        rb_buf_printf(&sql, "%s; SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; ",
                      statement);
        if (tries >= 2)
            add_triggers(&sql, f, "ENABLE");
        if (attempt(NULL, f->pg, rb_buf_str(&sql)))
            return true;
    }
    return false;
}

/* Inserts one row, or one for each value that the scripts name. */
static enum rb_code fill_table(bool *filled, bool *waits, filling *f, bool last, rb_err *err)
{
    enum rb_code code = RB_OK;
    size_t rows = 1;
    *waits = false;
    for (size_t i = 0; i < rows && code == RB_OK; i++) {
        rb_sample_row r = {.samples = f->samples, .row = i};
        rb_json_each (item, json_object_get(f->item, "columns"))
            add_column(&r, item);
        rb_json_each (item, json_object_get(f->item, "references"))
            if (code == RB_OK)
                code = set_reference(waits, f, &r, item, last, err);
        if (code == RB_OK && !*waits) {
            satisfy(f, &r);
            *filled |= insert(f, &r);
        }
        rows = *waits ? 0 : r.named > ROWS ? ROWS : r.named;
        rb_sample_clear(&r);
    }
    return code;
}

/* Sets "true" in `filled` for the tables that have rows. */
static enum rb_code find_filled(json_t *filled, rb_pg *pg, const json_t *tables, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    RB_AUTO(rb_pg_clear) PGresult *found = NULL;
    rb_json_each (table, tables) {
        RB_AUTO(rb_free_str) char *name = rb_pg_literal(rb_json_str(table, "name"));
        rb_buf_printf(&sql, "%sSELECT %s WHERE EXISTS (SELECT FROM %s)",
                      table_at ? " UNION ALL " : "", name, rb_json_str(table, "sql"));
        json_object_set_new_nocheck(filled, rb_json_str(table, "name"), json_false());
    }
    if (sql.len == 0)
        return RB_OK;
    RB_TRY(rb_pg_rows(&found, pg, rb_buf_str(&sql), NULL, 0, err));
    for (int row = 0; row < PQntuples(found); row++)
        json_object_set_new_nocheck(filled, PQgetvalue(found, row, 0), json_true());
    return RB_OK;
}

/* Fills tables after the ones that they refer to. When no more table can be filled, tries those
 * that still wait, without values for references (references in a circle). */
static enum rb_code fill_all(json_t *filled, filling *f, const json_t *tables, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *given_up = json_object();
    bool last = false;
    for (;;) {
        bool progress = false;
        rb_json_each (table, tables) {
            const char *name = rb_json_str(table, "name");
            bool has_rows = false;
            bool waits = false;
            if (json_is_true(json_object_get(filled, name)) || json_object_get(given_up, name))
                continue;
            f->item = table;
            RB_TRY(fill_table(&has_rows, &waits, f, last, err));
            progress |= has_rows;
            if (has_rows)
                json_object_set_new_nocheck(filled, name, json_true());
            else if (!waits && !last) /* a table that was filled meanwhile may be its parent */
                json_object_set_new_nocheck(given_up, name, json_true());
        }
        if (!progress && last)
            return RB_OK;
        last = !progress;
    }
}

enum rb_code rb_pg_fill(json_t *filled, rb_db *db, const rb_samples *samples, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    filling f = {.pg = pg, .samples = samples};
    RB_AUTO(rb_json_freep) json_t *known = json_array();
    RB_AUTO(rb_json_freep) json_t *tables = NULL;
    rb_json_each_member (name, value, filled)
        if (json_is_true(value))
            json_array_append_new(known, json_string(name));
    RB_AUTO(rb_free_str) char *text = json_dumps(known, JSON_COMPACT);
    const char *params[] = {text};
    RB_TRY(rb_pg_json(&tables, pg, tables_sql, params, 1, err));
    for (size_t i = json_array_size(tables); i > 0; i--)
        if (rb_tracking_owns(rb_json_str(json_array_get(tables, i - 1), "name")))
            json_array_remove(tables, i - 1);
    RB_TRY(find_filled(filled, pg, tables, err));
    return samples->kind == RB_SAMPLE_NONE ? RB_OK : fill_all(filled, &f, tables, err);
}

void rb_pg_literals(json_t *literals, const char *sql, size_t len)
{
    rb_sample_literals(literals, sql, len, RB_POSTGRESQL);
}
