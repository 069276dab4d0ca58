#include "database_help.h"

#include "catalog/name.h"
#include "database/sqlite/create_index.h"
#include "sql/alter_parser.h"
#include "sql/normal.h"

static json_t *catalog_of(const char *sql)
{
    rb_err err;
    json_t *catalog = NULL;
    rb_db *db = help_scratch(sql);
    help_ok(rb_db_catalog(&catalog, db, &err), &err);
    rb_db_close(db);
    return catalog;
}

typedef struct pair {
    const char *a;
    const char *b;
    const char *differences; /* canonical JSON */
    const char *order;
} pair;

#define CHANGE(object, change) "{\"change\":\"" change "\",\"object\":\"" object "\"}"

static const pair pairs[] = {
    /* the same, written or reached in another way */
    {"CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL DEFAULT 'x');",
     "create table \"t\" ( -- words\n [id] integer NOT NULL, `a` text default ('x') not null,\n"
     "constraint pk primary key (id asc) );",
     "[]", "[]"},
    {"CREATE TABLE t(a UNIQUE, b CHECK(b > 0), c REFERENCES p ON DELETE CASCADE, p);"
     "CREATE TABLE p(id INTEGER PRIMARY KEY);",
     "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(a, b, c, p, UNIQUE(a), CHECK (b>0)"
     " FOREIGN KEY(c) REFERENCES \"p\"(id) ON UPDATE NO ACTION ON DELETE CASCADE NOT DEFERRABLE);",
     "[]", "[]"},
    {"CREATE TABLE t(a, b INT DEFAULT 1);",
     "CREATE TABLE old(a, c, b INT DEFAULT 1, z); ALTER TABLE old DROP COLUMN c; ALTER TABLE old"
     " RENAME TO t; ALTER TABLE t DROP z;",
     "[]", "[]"},
    {"CREATE TABLE t(a, b INT DEFAULT 1, \"c d\" CHECK(\"c d\" <> ''));",
     "CREATE TABLE t(a); ALTER TABLE t ADD COLUMN b int DEFAULT (1); ALTER TABLE t ADD COLUMN x"
     " CHECK(x <> ''); ALTER TABLE t RENAME COLUMN x TO \"c d\";",
     "[]", "[]"},
    {"CREATE TABLE t(a, s TEXT CHECK(s IN ('p', 'q')) DEFAULT 'p');",
     "CREATE TABLE t(b, s TEXT CHECK(s IN (\"p\", \"q\")) DEFAULT \"p\"); ALTER TABLE t RENAME b TO"
     " a;",
     "[]", "[]"},
    {"CREATE TABLE t(a); CREATE TABLE u(b REFERENCES t(a)); CREATE VIEW v AS SELECT a FROM t;"
     "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = 1; END; CREATE INDEX i ON t(a);",
     "CREATE TABLE x(a); CREATE TABLE u(b REFERENCES x(a)); CREATE VIEW IF NOT EXISTS v AS select a"
     " /* from */ from x; CREATE TRIGGER IF NOT EXISTS \"g\" AFTER INSERT ON x FOR EACH ROW BEGIN"
     " UPDATE x SET a = 1; END; CREATE INDEX IF NOT EXISTS i ON x(a ASC); ALTER TABLE x RENAME TO"
     " t;",
     "[]", "[]"},
    {"CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;",
     "CREATE TABLE t(k TEXT, PRIMARY KEY(k)) without rowid;", "[]", "[]"},
    {"CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT);",
     "CREATE TABLE t(id INTEGER, PRIMARY KEY(id AUTOINCREMENT));", "[]", "[]"},
    {"CREATE TABLE t(a, b AS (a || 'x') STORED);",
     "CREATE TABLE t(a, b GENERATED ALWAYS AS (\"a\"||'x') stored);", "[]", "[]"},
    {"CREATE TABLE t(a DEFAULT NULL, key DEFAULT TRUE, \"desc\" DEFAULT -1);",
     "CREATE TABLE t(a, \"key\" DEFAULT (true), [desc] DEFAULT (-1));", "[]", "[]"},
    {"CREATE TABLE t(a); CREATE TABLE schema_migrations(version uint64, dirty bool); CREATE UNIQUE"
     " INDEX version_unique ON schema_migrations(version);",
     "CREATE TABLE t(a); CREATE TABLE rbtool_applied(x); ANALYZE;", "[]", "[]"},
    {"CREATE TABLE t(a, b);", "CREATE TABLE t(b, a);", "[]", "[" CHANGE("order t", "changed") "]"},

    /* different */
    {"CREATE TABLE t(a, b);", "CREATE TABLE t(a); CREATE TABLE u(c UNIQUE);",
     "[" CHANGE("column t.b", "removed") "," CHANGE("table u", "added") "]", "[]"},
    {"CREATE TABLE t(a INT DEFAULT 1);", "CREATE TABLE t(a INT DEFAULT 2);",
     "[" CHANGE("column t.a", "changed") "]", "[]"},
    {"CREATE TABLE t(a TEXT);", "CREATE TABLE t(a TEXT NOT NULL);",
     "[" CHANGE("column t.a", "changed") "]", "[]"},
    {"CREATE TABLE t(a TEXT);", "CREATE TABLE t(a TEXT COLLATE nocase);",
     "[" CHANGE("column t.a", "changed") "]", "[]"},
    {"CREATE TABLE t(a, CHECK(a > 1));", "CREATE TABLE t(a, CHECK(a > 2));",
     "[" CHANGE("table t", "changed") "]", "[]"},
    {"CREATE TABLE t(a, b AS (a + 1));", "CREATE TABLE t(a, b AS (a + 2));",
     "[" CHANGE("column t.b", "changed") "]", "[]"},
    {"CREATE TABLE t(a REFERENCES p(x)); CREATE TABLE p(x UNIQUE);",
     "CREATE TABLE t(a REFERENCES p(x) DEFERRABLE INITIALLY DEFERRED); CREATE TABLE p(x UNIQUE);",
     "[" CHANGE("constraint t FOREIGN KEY (a) REFERENCES p (x)", "changed") "]", "[]"},
    {"CREATE TABLE t(a REFERENCES p(x)); CREATE TABLE p(x UNIQUE);",
     "CREATE TABLE t(a); CREATE TABLE p(x UNIQUE);",
     "[" CHANGE("constraint t FOREIGN KEY (a) REFERENCES p (x)", "removed") "]", "[]"},
    {"CREATE TABLE t(a UNIQUE);", "CREATE TABLE t(a);",
     "[" CHANGE("constraint t UNIQUE (a)", "removed") "]", "[]"},
    {"CREATE TABLE t(id INTEGER PRIMARY KEY);", "CREATE TABLE t(id INT PRIMARY KEY);",
     "[" CHANGE("column t.id", "changed") "]", "[]"},
    {"CREATE TABLE t(id INTEGER PRIMARY KEY);", "CREATE TABLE t(id INTEGER PRIMARY KEY DESC);",
     "[" CHANGE("table t", "changed") "]", "[]"},
    {"CREATE TABLE t(id INTEGER PRIMARY KEY);", "CREATE TABLE t(id INTEGER PRIMARY KEY) STRICT;",
     "[" CHANGE("table t", "changed") "]", "[]"},
    {"CREATE TABLE t(a, b); CREATE INDEX i ON t(a) WHERE b > 1; CREATE UNIQUE INDEX j ON t(a);",
     "CREATE TABLE t(a, b); CREATE INDEX i ON t(a) WHERE b > 2; CREATE INDEX j ON t(a DESC);",
     "[" CHANGE("index i", "changed") "," CHANGE("index j", "changed") "]", "[]"},
    {"CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t; CREATE TRIGGER g INSERT ON t BEGIN"
     " SELECT 1; END;",
     "CREATE TABLE t(a); CREATE VIEW v AS SELECT a AS b FROM t; CREATE TRIGGER g BEFORE INSERT ON"
     " t WHEN new.a BEGIN SELECT 1; END;",
     "[" CHANGE("trigger g", "changed") "," CHANGE("view v", "changed") "]", "[]"},
    {"CREATE VIRTUAL TABLE f USING fts5(x);", "CREATE VIRTUAL TABLE f USING fts5(x, y);",
     "[" CHANGE("table f", "changed") "]", "[]"},
    /* SQLite itself writes "none" as 'none' when it rewrites a view for another ALTER TABLE */
    {"CREATE TABLE t(a); CREATE VIEW v AS SELECT ifnull(a, \"none\") AS b FROM t; CREATE TRIGGER g"
     " DELETE ON t BEGIN SELECT RAISE(ABORT, \"keep it\"); END;",
     "CREATE TABLE t(a); CREATE VIEW v AS SELECT ifnull(a, 'none') AS b FROM t; CREATE TRIGGER g"
     " DELETE ON t BEGIN SELECT RAISE(ABORT, 'keep it'); END;",
     "[]", "[]"},
    {"CREATE TABLE t(a, b); CREATE VIEW v AS SELECT \"a\" AS \"c d\" FROM t ORDER BY \"c d\";"
     "CREATE VIEW w AS SELECT \"c d\" FROM v;",
     "CREATE TABLE t(a, b); CREATE VIEW v AS SELECT 'a' AS \"c d\" FROM t ORDER BY \"c d\";"
     "CREATE VIEW w AS SELECT 'c d' FROM v;",
     "[" CHANGE("view v", "changed") "," CHANGE("view w", "changed") "]", "[]"},
    {"CREATE TABLE t(a CHECK('x' = \"a\"));", "CREATE TABLE t(a CHECK('x' = 'a'));",
     "[" CHANGE("table t", "changed") "]", "[]"},
};

static void test_compare(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        json_t *a = catalog_of(pairs[i].a);
        json_t *b = catalog_of(pairs[i].b);
        json_t *differences = NULL;
        json_t *order = NULL;
        rb_catalog_compare(&differences, &order, a, b);
        char *text = help_json(differences);
        char *order_text = help_json(order);
        if (strcmp(text, pairs[i].differences) != 0 || strcmp(order_text, pairs[i].order) != 0)
            fail_msg("%s\n%s\ngive\n%s %s\n%s\n%s", pairs[i].a, pairs[i].b, text, order_text,
                     help_json(a), help_json(b));
        free(text);
        free(order_text);
        json_decref(differences);
        json_decref(order);
        json_decref(a);
        json_decref(b);
    }
}

static void test_entries(void **state)
{
    (void)state;
    json_t *catalog = catalog_of(
        "CREATE TABLE \"or ders\"(id INTEGER PRIMARY KEY, discount NUMERIC(10, 2) NOT NULL ON"
        " CONFLICT REPLACE DEFAULT 0 COLLATE rtrim CHECK(discount >= 0));");
    char *text = help_json(catalog);
    assert_string_equal(
        text, "{\"column \\\"or "
              "ders\\\".discount\":{\"collation\":\"RTRIM\",\"default\":\"0\",\"generated\":null,"
              "\"notNull\":true,\"notNullConflict\":\"REPLACE\",\"type\":\"NUMERIC(10, 2)\"},"
              "\"column \\\"or "
              "ders\\\".id\":{\"collation\":null,\"default\":null,\"generated\":null,\"notNull\":"
              "false,\"type\":\"INTEGER\"},"
              "\"order \\\"or ders\\\"\":[\"id\",\"discount\"],"
              "\"table \\\"or ders\\\"\":{\"autoincrement\":false,\"checks\":[\"discount >= "
              "0\"],\"kind\":\"table\","
              "\"primaryKey\":[\"id\"],\"strict\":false,\"withoutRowid\":false}}");
    free(text);
    json_decref(catalog);
}

/* SQLite itself is the judge of what a table's columns are. */
static void test_against_pragma(void **state)
{
    (void)state;
    static const char *const tables[] = {
        "CREATE TABLE t(a, b INT, \"c\" TEXT NOT NULL, [d e] DEFAULT 'x,)', `f` VARCHAR(10,2) CHECK"
        " (f IN (1,(2))), PRIMARY KEY(b, a DESC), UNIQUE(c) CHECK(a) FOREIGN KEY(a) REFERENCES t)",
        "CREATE TABLE t('quoted' UNSIGNED BIG INT, x GENERATED ALWAYS AS (1) VIRTUAL, y AS (2)"
        " STORED, \"a\"\"b\" DEFAULT \"q\")",
        "CREATE TABLE t AS SELECT 1 AS one, 'x' AS \"two words\", 2.5",
        "CREATE TABLE t(always INT, generated TEXT, generated2 AS (1), \"check\" INT, key KEY,"
        " key2 PRIMARY KEY ON CONFLICT IGNORE) ",
        "CREATE TABLE t(a CONSTRAINT nn NOT NULL CONSTRAINT u UNIQUE ON CONFLICT FAIL CONSTRAINT d"
        " DEFAULT +1.5e-3, b DEFAULT CURRENT_TIMESTAMP, CONSTRAINT c CHECK(1) ON CONFLICT "
        "ROLLBACK)",
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        rb_err err;
        json_t *catalog = NULL;
        json_t *rows = NULL;
        rb_db *db = help_scratch(tables[i]);
        help_ok(rb_db_catalog(&catalog, db, &err), &err);
        help_ok(rb_db_query(&rows, db,
                            "SELECT name, upper(type), \"notnull\" FROM pragma_table_xinfo('t')",
                            NULL, &err),
                &err);
        const json_t *order = json_object_get(catalog, "order t");
        assert_int_equal(json_array_size(order), json_array_size(rows));
        size_t k;
        json_t *row;
        json_array_foreach (rows, k, row) {
            const char *name = json_string_value(json_array_get(row, 0));
            assert_string_equal(json_string_value(json_array_get(order, k)), name);
            char *key = rb_catalog_key("column", "t", name);
            const json_t *column = json_object_get(catalog, key);
            assert_non_null(column);
            const char *type = rb_json_str(column, "type");
            /* SQLite keeps the type's text; spaces inside brackets are ours */
            char *theirs = rb_strdup(json_string_value(json_array_get(row, 1)));
            char *ours = rb_strdup(type);
            for (char *from = theirs, *to = theirs;; from++)
                if (*from != ' ' && (*to++ = *from) == '\0')
                    break;
            for (char *from = ours, *to = ours;; from++)
                if (*from != ' ' && (*to++ = *from) == '\0')
                    break;
            assert_string_equal(ours, theirs);
            assert_int_equal(json_is_true(json_object_get(column, "notNull")),
                             json_integer_value(json_array_get(row, 2)));
            free(theirs);
            free(ours);
            free(key);
        }
        json_decref(rows);
        json_decref(catalog);
        rb_db_close(db);
    }
}

static void test_fingerprint(void **state)
{
    (void)state;
    json_t *a = catalog_of("CREATE TABLE t(a, b INT); CREATE TABLE u(x);");
    json_t *b = catalog_of("create table U2(x); create table t(b int, a); alter table u2 rename to"
                           " u;"); /* another order of columns, too */
    char x[RB_SHA256_HEX];
    char y[RB_SHA256_HEX];
    rb_catalog_fingerprint(a, x);
    rb_catalog_fingerprint(b, y);
    assert_string_equal(x, y);
    json_decref(a);
    json_decref(b);
}

/* Each pair had the same keys while a key joined names without quotes. */
static void test_names_are_distinct(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        const char *differences;
    } schemas[] = {
        {"CREATE TABLE a(x, \"b.c\"); CREATE TABLE \"a.b\"(x);",
         "CREATE TABLE a(x); CREATE TABLE \"a.b\"(x, c);",
         "[" CHANGE("column a.\\\"b.c\\\"", "removed") "," CHANGE("column a.b.c", "added") "]"},
        {"CREATE TABLE a(x UNIQUE); CREATE TABLE \"a UNIQUE (x)\"(y);",
         "CREATE TABLE a(x); CREATE TABLE \"a UNIQUE (x)\"(y);",
         "[" CHANGE("constraint a UNIQUE (x)", "removed") "]"},
        {"CREATE TABLE t(x REFERENCES \"a (b)\"); CREATE TABLE a(b UNIQUE);",
         "CREATE TABLE t(x REFERENCES a(b)); CREATE TABLE a(b UNIQUE);",
         "[" CHANGE("constraint t FOREIGN KEY (x) REFERENCES \\\"a (b)\\\"", "removed") "," CHANGE(
             "constraint t FOREIGN KEY (x) REFERENCES a (b)", "added") "]"},
        {"CREATE TABLE \"a\"\"b\"(x);", "CREATE TABLE \"a\\b\"(x);",
         "[" CHANGE("table \\\"a\\\"\\\"b\\\"", "removed") "," CHANGE("table \\\"a\\\\\\\\b\\\"",
                                                                      "added") "]"},
        {"CREATE TABLE \"a\x01\"(x);", "CREATE TABLE \"a\\x01\"(x);",
         "[" CHANGE("table \\\"a\\\\\\\\x01\\\"", "added") "," CHANGE("table \\\"a\\\\x01\\\"",
                                                                      "removed") "]"},
    };
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        json_t *a = catalog_of(schemas[i].a);
        json_t *b = catalog_of(schemas[i].b);
        json_t *differences = NULL;
        json_t *order = NULL;
        char x[RB_SHA256_HEX];
        char y[RB_SHA256_HEX];
        rb_catalog_fingerprint(a, x);
        rb_catalog_fingerprint(b, y);
        assert_string_not_equal(x, y);
        rb_catalog_compare(&differences, &order, a, b);
        char *text = help_json(differences);
        assert_string_equal(text, schemas[i].differences);
        free(text);
        json_decref(differences);
        json_decref(order);
        json_decref(a);
        json_decref(b);
    }
}

static void test_key_is_read_back(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        const char *table;
        const char *name;
        const char *key;
    } names[] = {
        {"table", NULL, "orders", "table orders"},
        {"table", NULL, "a b", "table \"a b\""},
        {"table", NULL, "", "table \"\""},
        {"table", NULL, "1a", "table \"1a\""},
        {"table", NULL, "audit.log", "table audit.log"},
        {"table", NULL, "my audit.log", "table \"my audit\".log"},
        {"table", NULL, "public.\"a.b\"", "table public.\"a.b\""},
        {"table", NULL, "\"a.b\".\"c\"\"d\"", "table \"a.b\".\"c\"\"d\""},
        {"table", NULL, "\"a.b\"", "table \"\"\"a.b\"\"\""},
        {"table", NULL, "a.b.c", "table \"a.b.c\""},
        {"column", "audit.log", "what", "column audit.log.what"},
        {"trigger", NULL, "a.b", "trigger \"a.b\""},
        {"trigger", "audit.log", "note", "trigger audit.log.note"},
        {"constraint", "audit.log", "UNIQUE (a)", "constraint audit.log UNIQUE (a)"},
        {"function", NULL, "audit.\"a b\"(integer, text)", "function audit.\"a b\"(integer, text)"},
        {"cast", NULL, "(text AS audit.mood)", "cast (text AS audit.mood)"},
        {"column", "a", "b\"c\\", "column a.\"b\"\"c\\\\\""},
        {"column", "\x01\xff", "\u202e\xc2\x85 41",
         "column \"\\x01\\xff\".\"\\u{202e}\\u{85} 41\""},
        {"column", "\\x41", "caf\u00e9", "column \"\\\\x41\".\"caf\u00e9\""},
        {"constraint", "a b", "UNIQUE (\"x y\")", "constraint \"a b\" UNIQUE (\"x y\")"},
    };
    static const char *const broken[] = {
        "",         "table",       "table ",         " t",           "table a b", "table \"a",
        "table a.", "table a.b.c", "column a.b.c.d", "table \"a\"b", "function ", "constraint t",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rb_catalog_name name;
        char *key = rb_catalog_key(names[i].kind, names[i].table, names[i].name);
        assert_string_equal(key, names[i].key);
        assert_true(rb_catalog_name_parse(&name, key));
        assert_string_equal(name.kind, names[i].kind);
        assert_true(!name.table == !names[i].table);
        if (name.table)
            assert_string_equal(name.table, names[i].table);
        assert_string_equal(name.name, names[i].name);
        rb_catalog_name_clear(&name);
        free(key);
    }
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        rb_catalog_name name;
        assert_false(rb_catalog_name_parse(&name, broken[i]));
        assert_null(name.kind);
    }
}

static void test_stored_names_are_structured(void **state)
{
    (void)state;
    static const char *const keys[] = {"column \"a b\".c",
                                       "constraint t UNIQUE (a)",
                                       "setting user_version",
                                       "column audit.\"a.b\".c",
                                       "function audit.f(integer)",
                                       "operator ===(text, text)",
                                       "trigger t"};
    static const char *const stored[] = {
        "{\"kind\":\"column\",\"name\":\"c\",\"schema\":null,\"table\":\"a b\"}",
        "{\"kind\":\"constraint\",\"name\":\"UNIQUE (a)\",\"schema\":null,\"table\":\"t\"}",
        "{\"kind\":\"setting\",\"name\":\"user_version\",\"schema\":null,\"table\":null}",
        "{\"kind\":\"column\",\"name\":\"c\",\"schema\":\"audit\",\"table\":\"a.b\"}",
        "{\"kind\":\"function\",\"name\":\"f(integer)\",\"schema\":\"audit\",\"table\":null}",
        "{\"kind\":\"operator\",\"name\":\"===(text, text)\",\"schema\":null,\"table\":null}",
        "{\"kind\":\"trigger\",\"name\":\"t\",\"schema\":null,\"table\":null}",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *item = json_pack("{s:s}", "object", keys[i]);
        rb_catalog_item_store(item);
        char *text = help_json(item);
        assert_string_equal(text, stored[i]);
        rb_catalog_item_load(item);
        assert_string_equal(rb_json_str(item, "object"), keys[i]);
        free(text);
        json_decref(item);
    }
}

static void test_normal_form(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"select  A.b ,count( * )--x\nfrom[T]", "SELECT A.b, count (*) FROM T"},
        {"\"x y\".`z` = 1.5e+3 /* open", "\"x y\".z = 1.5e+3"},
        {"a||x'ab'<>?1 -> '$.k'", "a || X'AB' <> ?1 -> '$.k'"},
        {"\"select\" \"key\" Key", "\"select\" key key"},
        {"1.x .5 a . b", "1.x .5 a.b"},
        {"'it''s' \"say \"\"\" 'open", "'it''s' \"say \"\"\" 'open"},
        {"\xef\xbb\xbf"
         "a,\n\xef\xbb\xbf \xef\xbb\xbf"
         "b\xef\xbb\xbf",
         "a, b\xef\xbb\xbf"},
        {"[\xef\xbb\xbf"
         "a]",
         "\"\xef\xbb\xbf"
         "a\""},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rb_tokens tokens;
        rb_buf out = {0};
        rb_tokens_read(&tokens, texts[i][0], strlen(texts[i][0]), "sqlite");
        rb_tokens_normal(&out, tokens.items, tokens.n, NULL);
        assert_string_equal(rb_buf_str(&out), texts[i][1]);
        rb_tokens_clear(&tokens);
        rb_buf_clear(&out);
    }
}

static void test_ddl(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum rb_ddl_kind kind;
        const char *table;
        const char *column;
        const char *new_name;
    } heads[] = {
        {"drop table if exists main.\"a b\"", RB_DDL_DROP_TABLE, "a b", NULL, NULL},
        {" ; /*x*/ ALTER TABLE t RENAME TO 'u'", RB_DDL_RENAME_TABLE, "t", NULL, "u"},
        {"ALTER TABLE t RENAME COLUMN a TO b", RB_DDL_RENAME_COLUMN, "t", "a", "b"},
        {"ALTER TABLE t DROP [c]", RB_DDL_DROP_COLUMN, "t", "c", NULL},
        {"ALTER TABLE t ADD c", RB_DDL_ADD_COLUMN, "t", NULL, NULL},
        {"\n\xef\xbb\xbf"
         "DROP \xef\xbb\xbf"
         "TABLE t",
         RB_DDL_DROP_TABLE, "t", NULL, NULL},
        {"DROP VIEW t", RB_DDL_OTHER, NULL, NULL, NULL},
        {"DROP", RB_DDL_OTHER, NULL, NULL, NULL},
        {"", RB_DDL_OTHER, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        rb_ddl ddl;
        rb_ddl_read(&ddl, heads[i].sql, strlen(heads[i].sql));
        assert_int_equal(ddl.kind, heads[i].kind);
        assert_true(!heads[i].table || strcmp(ddl.table, heads[i].table) == 0);
        assert_true(!heads[i].column || strcmp(ddl.column, heads[i].column) == 0);
        assert_true(!heads[i].new_name || strcmp(ddl.new_name, heads[i].new_name) == 0);
        rb_ddl_clear(&ddl);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_against_pragma),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_normal_form),
        cmocka_unit_test(test_ddl),
        cmocka_unit_test(test_names_are_distinct),
        cmocka_unit_test(test_key_is_read_back),
        cmocka_unit_test(test_stored_names_are_structured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
