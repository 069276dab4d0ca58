#include "migration_repo.h"

#include <sqlite3.h>

#include "migration/unwrap.h"
#include "sql/statement.h"

/* Statements as "text|text|", white space at their ends as it is. */
static void assert_statements(const char *engine, const char *text, const char *expected)
{
    rb_sql sql;
    rb_sql_init(&sql, text, strlen(text), engine);
    rb_sql_statement s;
    rb_buf all = {0};
    while (rb_sql_statement_next(&s, &sql)) {
        rb_buf_add(&all, text + s.start, s.end - s.start);
        rb_buf_addc(&all, '|');
    }
    assert_string_equal(rb_buf_str(&all), expected);
    rb_buf_clear(&all);
}

static void statements_of_sqlite(void **state)
{
    (void)state;
    assert_statements("sqlite", " ;; SELECT 1 ; -- c;\n/* ; */ SELECT ';' ; x",
                      "SELECT 1 ;|SELECT ';' ;|x|");
    assert_statements("sqlite", "a \"x;y\"\"z;\" [b;]`c;``d;`;e",
                      "a \"x;y\"\"z;\" [b;]`c;``d;`;|e|");
    assert_statements("sqlite", "a 'it''s;'; /* open ; b", "a 'it''s;';|");
    assert_statements("sqlite", "a $$;$$;", "a $$;|$$;|");
    assert_statements("sqlite", "a /* /* */ b;*/;c", "a /* /* */ b;|*/;|c|");
    assert_statements("sqlite",
                      "\xef\xbb\xbf"
                      "a;\n\xef\xbb\xbf"
                      "b; c\xef\xbb\xbf;",
                      "a;|b;|c\xef\xbb\xbf;|");
    assert_statements("sqlite",
                      "CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN\n"
                      " UPDATE y SET a = CASE WHEN 1 THEN 2 END; DELETE FROM z; END; SELECT 1",
                      "CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN\n"
                      " UPDATE y SET a = CASE WHEN 1 THEN 2 END; DELETE FROM z; END;|SELECT 1|");
    assert_statements("sqlite", "CREATE TABLE trigger_x(a); b;", "CREATE TABLE trigger_x(a);|b;|");
}

static void statements_of_postgresql(void **state)
{
    (void)state;
    assert_statements("postgresql", "a $$;$$; b $x$;$$;$x$;c $1;", "a $$;$$;|b $x$;$$;$x$;|c $1;|");
    assert_statements("postgresql", "a E'\\';' ; b '\\'; c", "a E'\\';' ;|b '\\';|c|");
    assert_statements("postgresql", "a /* /* ; */ ; */;b", "a /* /* ; */ ; */;|b|");
    assert_statements("postgresql",
                      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN 1 THEN 2 END; "
                      "SELECT 3; END; SELECT 4;",
                      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN 1 THEN 2 END; "
                      "SELECT 3; END;|SELECT 4;|");
    assert_statements("postgresql", "CREATE RULE r AS ON INSERT TO x DO (a; b); c",
                      "CREATE RULE r AS ON INSERT TO x DO (a; b);|c|");
    assert_statements("postgresql", "COPY t FROM stdin;\n1;2\n\\.\nSELECT 1;",
                      "COPY t FROM stdin;|SELECT 1;|");
    assert_statements("postgresql", "a$b$;c", "a$b$;|c|");
}

/* Where SQLite itself ends each statement of a script that it can run. */
static void same_statements_as_sqlite(void **state)
{
    (void)state;
    static const char text[] =
        "CREATE TABLE \"a;b\" ([x;y] TEXT DEFAULT ';' CHECK (\"x;y\" <> 'END;'), `z``;` INT);\n"
        "/* c; */ INSERT INTO \"a;b\" VALUES (';--', 1); -- ; \n"
        ";; ; CREATE TABLE log(m, \"end\");\n"
        "CREATE TRIGGER IF NOT EXISTS t AFTER INSERT ON log WHEN new.m = ';' BEGIN\n"
        "  SELECT CASE WHEN new.m IS NULL THEN 'END;' ELSE 1 END;\n"
        "  UPDATE log SET \"end\" = CASE new.m WHEN 1 THEN 2 END; -- END;\n"
        "  /* END; */ DELETE FROM log WHERE m = 'END'; END;\n"
        "CREATE TEMP TRIGGER t2 DELETE ON log BEGIN SELECT 1;END ;\n"
        "CREATE VIEW v AS SELECT x'00' AS b, 1e5, .5, ?1, @p, :q, $r FROM log;\n"
        "INSERT INTO log(m) VALUES ('x''y;z'), (\"m\") ; SELECT 1 /* not closed ; ";
    /* The view's parameters are refused by SQLite: leave them out of what it sees. */
    char *clean = rb_strdup(text);
    char *parameters = strstr(clean, ", ?1, @p, :q, $r");
    memset(parameters, ' ', strlen(", ?1, @p, :q, $r"));
    char *quoted = strstr(clean, ", (\"m\")");
    memset(quoted, ' ', strlen(", (\"m\")"));
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    rb_sql sql;
    rb_sql_init(&sql, clean, strlen(clean), "sqlite");
    const char *at = clean;
    size_t compared = 0;
    while (*at) {
        sqlite3_stmt *statement = NULL;
        const char *tail;
        if (sqlite3_prepare_v2(db, at, -1, &statement, &tail) != SQLITE_OK)
            fail_msg("%s at %s", sqlite3_errmsg(db), at);
        at = tail;
        if (!statement)
            continue;
        while (sqlite3_step(statement) == SQLITE_ROW) {
        }
        assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
        rb_sql_statement s;
        assert_true(rb_sql_statement_next(&s, &sql));
        if (*tail)
            assert_int_equal(s.end, tail - clean);
        compared++;
    }
    rb_sql_statement s;
    assert_false(rb_sql_statement_next(&s, &sql));
    assert_int_equal(compared, 8);
    sqlite3_close(db);
    free(clean);
}

static rb_script script_of(const char *text)
{
    return (rb_script){.present = true,
                       .path = (char *)"m/1_a.up.sql",
                       .line = 3,
                       .text = (char *)text,
                       .len = strlen(text),
                       .transactional = true};
}

/* expected: the text that runs; or, after "!", a part of the refusal. */
static void assert_unwrapped(const char *engine, const char *text, const char *expected)
{
    rb_script script = script_of(text);
    char *out = NULL;
    rb_err err = {0};
    enum rb_code code = rb_script_unwrap(&out, &script, engine, &err);
    if (*expected == '!') {
        assert_int_equal(code, RB_FOUND);
        assert_null(out);
        if (!strstr(rb_err_line(&err), expected + 1))
            fail_msg("'%s' does not say '%s'", rb_err_line(&err), expected + 1);
        return;
    }
    if (code != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    assert_string_equal(out, expected);
    assert_int_equal(strlen(out), strlen(text));
    free(out);
}

static void unwrapping(void **state)
{
    (void)state;
    assert_unwrapped("sqlite", "CREATE TABLE a(x);", "CREATE TABLE a(x);");
    assert_unwrapped("sqlite", "BEGIN;\nA;\nCOMMIT;", "      \nA;\n       ");
    assert_unwrapped("sqlite", "-- c\nbegin immediate transaction;A;\nEND TRANSACTION",
                     "-- c\n                            A;\n               ");
    assert_unwrapped("sqlite", "PRAGMA foreign_keys=off;BEGIN;A;COMMIT;PRAGMA foreign_keys=on;",
                     "                              A;                              ");
    assert_unwrapped("sqlite", "PRAGMA legacy_alter_table=ON;BEGIN;A;COMMIT",
                     "PRAGMA legacy_alter_table=ON;      A;      ");
    assert_unwrapped("sqlite", "A;PRAGMA main.foreign_keys(0);B;",
                     "A;                            B;");
    assert_unwrapped("sqlite",
                     "\xef\xbb\xbf"
                     "A;",
                     "   A;");
    assert_unwrapped("sqlite",
                     "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END;\nSELECT 'COMMIT;';",
                     "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END;\nSELECT 'COMMIT;';");
    assert_unwrapped("sqlite", "A;\nBEGIN;B;COMMIT;", "A;\n      B;       ");
    assert_unwrapped("sqlite", "BEGIN;A;COMMIT;B;", "      A;       B;");
    assert_unwrapped("postgresql", "BEGIN;A;COMMIT;\nBEGIN;B;END;",
                     "      A;       \n      B;    ");
    assert_unwrapped("sqlite", "A;\nBEGIN;BEGIN;COMMIT;",
                     "!m/1_a.up.sql, line 4: transaction control");
    assert_unwrapped("sqlite", "BEGIN;A;COMMIT;COMMIT;", "!line 3: transaction control");
    assert_unwrapped("sqlite", "BEGIN;A;COMMIT;\nBEGIN;B;", "!line 4: BEGIN without COMMIT");
    assert_unwrapped("sqlite", "\n\nBEGIN;A;", "!line 5: BEGIN without COMMIT");
    assert_unwrapped("sqlite", "A;COMMIT;", "!transaction control");
    assert_unwrapped("sqlite", "A;ROLLBACK;", "!transaction control");
    assert_unwrapped("sqlite", "BEGIN;SAVEPOINT s;A;RELEASE s;COMMIT;", "!transaction control");
    assert_unwrapped("sqlite", "\\d", "\\d");
    assert_unwrapped("postgresql", "START TRANSACTION;A;COMMIT WORK;",
                     "                  A;            ");
    assert_unwrapped("postgresql", "BEGIN;A;COMMIT AND CHAIN;", "!transaction control");
    assert_unwrapped("postgresql", "DO $$ BEGIN COMMIT; END $$;", "DO $$ BEGIN COMMIT; END $$;");
    assert_unwrapped("postgresql", "A;\n\\copy x from program 'id'",
                     "!line 4: psql's command \\copy inside");
    assert_unwrapped("postgresql", "BEGIN;COPY t FROM STDIN;\nBEGIN\n\\.\nEND;",
                     "      COPY t FROM STDIN;\nBEGIN\n\\.\n    ");
    assert_unwrapped("postgresql", "ABORT;", "!transaction control");
    assert_unwrapped("postgresql", "PREPARE TRANSACTION 'x';", "!transaction control");
    assert_unwrapped("postgresql", "PREPARE p AS SELECT 1;", "PREPARE p AS SELECT 1;");
}

static void blank_scripts(void **state)
{
    (void)state;
    rb_script script = {0};
    assert_true(rb_script_is_blank(&script, "sqlite"));
    static const char *const blank[] = {"", " \n;;", "-- nothing\n", "/* x; */ ;"};
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++) {
        script = script_of(blank[i]);
        assert_true(rb_script_is_blank(&script, "sqlite"));
    }
    script = script_of("-- x\nSELECT 1");
    assert_false(rb_script_is_blank(&script, "sqlite"));
}

static void names_and_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name;
    } cases[] = {{"Orders", "orders"}, {"\"Or\"\"ders\"", "Or\"ders"},
                 {"[a b]", "a b"},     {"`x`", "x"},
                 {"'y'", "y"},         {"12", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rb_sql sql;
        rb_sql_init(&sql, cases[i].text, strlen(cases[i].text), "sqlite");
        rb_token token;
        assert_true(rb_sql_next(&token, &sql));
        char *name = rb_token_folded(&token);
        if (cases[i].name)
            assert_string_equal(name, cases[i].name);
        else
            assert_null(name);
        free(name);
    }
    assert_int_equal(rb_sql_line("a\nb\n", 0), 1);
    assert_int_equal(rb_sql_line("a\nb\n", 2), 2);
    assert_int_equal(rb_sql_line("a\nb\n", 4), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_of_sqlite),
        cmocka_unit_test(statements_of_postgresql),
        cmocka_unit_test(same_statements_as_sqlite),
        cmocka_unit_test(unwrapping),
        cmocka_unit_test(blank_scripts),
        cmocka_unit_test(names_and_lines),
    };
    return cmocka_run_group_tests_name("migration_sql", tests, NULL, NULL);
}
