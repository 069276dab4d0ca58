/* SQL that restores a backup with psql alone, without rbtool. */
#include "database/postgres/backup.h"

#include <string.h>

#include "database/backup_sql.h"

#define NAME_LIMIT 63 /* bytes of a name in PostgreSQL */

/* Adds SQL that restores the rows or values of one table by the rules of backup.h, as far as SQL
 * can check them. */
static void add_rows(rb_buf *out, const json_t *table, const char *data)
{
    const json_t *key = json_object_get(table, "key");
    const json_t *compared = json_object_get(table, "compared");
    const char *into = rb_json_str(table, "sql");
    const char *kind = rb_json_str(table, "kind");
    RB_AUTO(rb_json_freep) json_t *all = json_copy((json_t *)key);
    json_array_extend(all, json_object_get(table, "columns"));
    RB_AUTO(rb_free_str) char *names = rb_sql_list(all, "@", ", ");
    RB_AUTO(rb_free_str) char *values = rb_sql_values(table, all, false);
    RB_AUTO(rb_free_str)
    char *set = rb_sql_values(table, json_object_get(table, "columns"), true);
    RB_AUTO(rb_free_str) char *on = rb_sql_list(key, "n.@::text = d.@::text", " AND ");
    if (!into || strcmp(kind, "referenced") == 0 ||
        json_is_true(json_object_get(table, "sequence")))
        return;
    if (strcmp(kind, "rows") == 0)
        rb_buf_printf(out,
                      "INSERT INTO %s(%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s AS d WHERE"
                      " d.rbtool_state IS NULL%s%s%s ON CONFLICT DO NOTHING;\n",
                      into, names, values, data, *on ? "" : " AND NOT EXISTS (SELECT FROM ",
                      *on ? "" : into, *on ? "" : ")");
    if (*on && *set && json_array_size(compared) > 0) {
        rb_buf_printf(out, "UPDATE %s AS n SET %s FROM %s AS d WHERE %s AND ", into, set, data, on);
        rb_pg_matches_sql(out, compared, NULL);
        rb_buf_puts(out, ";\n");
    }
}

static void add_counters(rb_buf *out, const json_t *table)
{
    const char *of = rb_json_str(table, "sql");
    rb_json_each_member (column, last, of ? json_object_get(table, "counter") : NULL) {
        RB_AUTO(rb_free_str) char *sql = rb_pg_counter_sql(of, column, json_integer_value(last));
        rb_buf_printf(out, "%s;\n", sql);
    }
}

char *rb_pg_backup_name(const char *data, size_t n)
{
    RB_AUTO(rb_free_str) char *plain = rb_format("table %zu", n);
    RB_AUTO(rb_free_str) char *quoted = rb_sql_name(strlen(data) <= NAME_LIMIT ? data : plain);
    return rb_format("rbtool_backup.%s", quoted);
}

/* Restores parents before children. The document lists children first, since parents were found by
 * following their references. */
void rb_pg_restore_sql(rb_buf *out, const json_t *tables)
{
    for (size_t i = json_array_size(tables); i > 0; i--) {
        const json_t *table = json_array_get(tables, i - 1);
        RB_AUTO(rb_free_str) char *data = rb_pg_backup_name(rb_json_str(table, "data"), i);
        add_rows(out, table, data);
        add_counters(out, table);
    }
}
