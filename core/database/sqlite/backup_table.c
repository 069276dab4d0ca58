/* Describes tables for backups and restores. SQLite itself builds the JSON. */
#include <stdlib.h>
#include <string.h>

#include "database/sqlite/backup_file.h"

/* The declared key comes first, then unique indexes of NOT NULL columns. An INTEGER PRIMARY KEY has
 * no index. A virtual table has no key. */
static const char table_sql[] =
    "WITH t AS (SELECT name, sql, sql LIKE 'create virtual%' AS is_virtual FROM"
    " main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE),"
    " c AS (SELECT x.* FROM t, pragma_table_xinfo(t.name, 'main') x ORDER BY cid),"
    " i AS (SELECT l.name, origin FROM t, pragma_index_list(t.name, 'main') l WHERE \"unique\" AND"
    " NOT partial AND (origin = 'pk' OR NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name, 'main')"
    " p LEFT JOIN c ON c.name = p.name WHERE c.\"notnull\" IS NOT 1)) ORDER BY origin <> 'pk', seq"
    " LIMIT 1),"
    " k AS (SELECT x.name, x.coll, x.seqno FROM i, pragma_index_xinfo(i.name, 'main') x WHERE key"
    " AND (origin = 'pk' OR NOT EXISTS (SELECT 1 FROM c WHERE pk > 0)) UNION ALL SELECT c.name, "
    "NULL,"
    " c.pk FROM c, t WHERE c.pk > 0 AND NOT is_virtual AND NOT EXISTS (SELECT 1 FROM i WHERE "
    "origin ="
    " 'pk') ORDER BY 3)"
    " SELECT json_object('sql', 'main.\"' || replace(name, '\"', '\"\"') || '\"', 'definition', "
    "sql,"
    " 'columns', (SELECT json_group_array(name) FROM c WHERE hidden = 0),"
    " 'key', (SELECT json_group_array(name) FROM k),"
    " 'collations', (SELECT json_group_object(name, ' COLLATE \"' || replace(coll, '\"', '\"\"') ||"
    " '\"') FROM k WHERE coll IS NOT NULL),"
    " 'defaults', (SELECT json_group_object(name, dflt_value) FROM c WHERE dflt_value GLOB"
    " '[-+0-9'']*'),"
    " 'rowid', (SELECT column1 FROM (VALUES('rowid'), ('_rowid_'), ('oid')) WHERE column1 COLLATE"
    " NOCASE NOT IN (SELECT name FROM c) LIMIT 1),"
    " 'instead', json_array(), 'isVirtual', is_virtual) FROM t";

/* The parent and its columns have the case of the schema, which a reference need not have. */
static const char keys_sql[] =
    "SELECT json_group_array(json_object('table', name, 'columns', json(own), 'to', json(theirs)))"
    " FROM (SELECT max(name) AS name, json_group_array(\"from\") AS own, json_group_array(\"to\")"
    " FILTER (WHERE \"to\" IS NOT NULL) AS theirs FROM (SELECT f.id, f.\"from\", coalesce(t.name,"
    " f.\"table\") AS name, coalesce(x.name, f.\"to\") AS \"to\" FROM pragma_foreign_key_list(?1,"
    " 'main') f LEFT JOIN main.sqlite_schema t ON t.type = 'table' AND t.name = f.\"table\" COLLATE"
    " NOCASE LEFT JOIN pragma_table_xinfo(f.\"table\", 'main') x ON x.name = f.\"to\" COLLATE "
    "NOCASE"
    " ORDER BY f.id, f.seq) GROUP BY id)";

static const char counter_sql[] =
    "SELECT CAST(seq AS TEXT) FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE";

/* Runs a query about a table that returns JSON. *out is NULL if it returns no row. */
static enum rb_code json_of(json_t **out, rb_db *db, const char *sql, const char *name, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", name);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    *out = NULL;
    RB_TRY(rb_sqlite_query(&rows, rb_sqlite_of(db), sql, params, err));
    const char *text = json_string_value(json_array_get(json_array_get(rows, 0), 0));
    return text ? rb_json_read(out, text, strlen(text), "what SQLite says of a table", err) : RB_OK;
}

/* For a virtual table that cannot be read, such as a full-text index without content, lists the
 * tables that store its data. */
static enum rb_code find_stores(json_t *shape, rb_sqlite *db, const char *name, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs shadows = {0};
    int64_t ignored;
    rb_err why;
    size_t len = strlen(name);
    char *sql = rb_format("SELECT * FROM %s LIMIT 1", rb_json_str(shape, "sql"));
    if (rb_sqlite_int(&ignored, db, sql, &why) == RB_OK)
        return RB_OK;
    RB_TRY(rb_sqlite_shadows(&shadows, db, err));
    for (size_t i = 0; i < shadows.n; i++)
        if (strncasecmp(shadows.items[i], name, len) == 0 && shadows.items[i][len] == '_')
            json_array_append_new(json_object_get(shape, "instead"), json_string(shadows.items[i]));
    return RB_OK;
}

enum rb_code rb_sqlite_table(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *shape = NULL;
    RB_TRY(json_of(&shape, db, table_sql, name, err));
    if (rb_json_int(shape, "isVirtual", 0))
        RB_TRY(find_stores(shape, rb_sqlite_of(db), name, err));
    *out = json_incref(shape);
    return RB_OK;
}

enum rb_code rb_sqlite_foreign_keys(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    return json_of(out, db, keys_sql, name, err);
}

static enum rb_code has_counter(bool *out, rb_db *db, const char *name, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", name);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, rb_sqlite_of(db),
                           "SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND sql"
                           " LIKE '%autoincrement%'",
                           params, err));
    *out = json_array_size(rows) > 0;
    return RB_OK;
}

enum rb_code rb_sqlite_counter(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    bool has;
    *out = NULL;
    RB_TRY(has_counter(&has, db, name, err));
    return has ? json_of(out, db, counter_sql, name, err) : RB_OK;
}

enum rb_code rb_sqlite_set_counter(rb_db *db, const char *name, const json_t *counter, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s,O]", name, counter);
    bool has;
    RB_TRY(has_counter(&has, db, name, err));
    if (!has)
        return RB_OK;
    return rb_sqlite_each(rb_sqlite_of(db),
                          "UPDATE main.sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1"
                          " COLLATE NOCASE; INSERT INTO main.sqlite_sequence(name, seq) SELECT"
                          " name, ?2 FROM main.sqlite_schema s WHERE name = ?1 COLLATE NOCASE AND"
                          " type = 'table' AND NOT EXISTS (SELECT 1 FROM main.sqlite_sequence q"
                          " WHERE q.name = s.name)",
                          params, NULL, NULL, err);
}

enum rb_code rb_sqlite_attempt(bool *refused, rb_db *db, const char *sql, const json_t *params,
                               rb_err *err)
{
    rb_sqlite *own = rb_sqlite_of(db);
    enum rb_code code = rb_sqlite_each(own, sql, params, NULL, NULL, err);
    *refused = code != RB_OK && rb_sqlite_is_constraint(own) && rb_sqlite_active(own);
    return *refused ? RB_OK : code;
}

/* Full-text indexes with external content: what builds each from its table, and what checks it. The
 * module reads its arguments by itself, in any form of quotes. FTS5 compares the content only for
 * rank 1. */
static const char full_text_sql[] =
    "WITH v AS (SELECT '\"' || replace(name, '\"', '\"\"') || '\"' AS name, replace(replace("
    "replace(replace(replace(replace(replace(replace(lower(sql), char(13), ''), char(10), ''),"
    " char(9), ''), ' ', ''), '\"', ''''), '`', ''''), '[', ''''), ']', '''') AS sql,"
    " replace(lower(?1), ' ', '') AS content FROM main.sqlite_schema"
    " WHERE sql LIKE 'create virtual table%content%')"
    " SELECT 'INSERT INTO main.' || name || '(' || name || ') VALUES(''rebuild'')',"
    " 'INSERT INTO main.' || name || '(' || name || CASE WHEN instr(sql, 'usingfts5(') THEN"
    " ', rank) VALUES(''integrity-check'', 1)' ELSE ') VALUES(''integrity-check'')' END"
    " FROM v WHERE (instr(sql, 'usingfts5(') OR instr(sql, 'usingfts4('))"
    " AND (instr(sql, 'content=''' || content || '''') OR instr(sql, 'content=' || content || ',')"
    " OR instr(sql, 'content=' || content || ')'))";

enum rb_code rb_sqlite_rebuilds(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    rb_sqlite *own = rb_sqlite_of(db);
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", name);
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    RB_TRY(rb_sqlite_query(&found, own, full_text_sql, params, err));
    *out = json_array();
    rb_json_each (row, found) {
        const char *check = json_string_value(json_array_get(row, 1));
        if (rb_sqlite_each(own, check, NULL, NULL, NULL, RB_IGNORED) == RB_OK)
            json_array_append(*out, json_array_get(row, 0));
    }
    return RB_OK;
}

void rb_sqlite_user_triggers(rb_db *db, bool on)
{
    rb_sqlite_clock_stop(rb_sqlite_of(db));
    rb_sqlite_triggers(rb_sqlite_of(db), on);
}
