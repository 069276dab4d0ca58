#include "migration_repo.h"

#include "migration/layout.h"

static rb_migrations *read_for(const test_repo *r, const char *dir, const char *layout,
                               const char *engine)
{
    rb_oid tree = test_commit(r);
    rb_migrations *set = NULL;
    rb_err err = {0};
    if (rb_migrations_read(&set, r->repo, &tree, dir, layout, engine, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    return set;
}

static rb_migrations *read_set(const test_repo *r, const char *dir, const char *layout)
{
    return read_for(r, dir, layout, "sqlite");
}

/* The code and message of a reading that must fail. */
static void read_fails(const test_repo *r, const char *dir, const char *layout, enum rb_code code,
                       const char *part)
{
    rb_oid tree = test_commit(r);
    rb_migrations *set = NULL;
    rb_err err = {0};
    assert_int_equal(rb_migrations_read(&set, r->repo, &tree, dir, layout, "sqlite", &err), code);
    assert_null(set);
    if (!strstr(rb_err_line(&err), part))
        fail_msg("'%s' does not say '%s'", rb_err_line(&err), part);
}

/* "1 2 10" */
static void assert_ids(const rb_migrations *set, const char *expected)
{
    rb_buf ids = {0};
    for (size_t i = 0; i < set->n; i++)
        rb_buf_printf(&ids, "%s%s", i ? " " : "", set->items[i].id);
    assert_string_equal(rb_buf_str(&ids), expected);
    rb_buf_clear(&ids);
}

static void assert_ignored(const rb_migrations *set, const char *expected)
{
    rb_buf all = {0};
    for (size_t i = 0; i < set->ignored.n; i++)
        rb_buf_printf(&all, "%s%s", i ? " " : "", set->ignored.items[i]);
    assert_string_equal(rb_buf_str(&all), expected);
    rb_buf_clear(&all);
}

static void golang_orders_by_number(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "db/0009_b.up.sql", "CREATE TABLE b(x);");
    test_put(&r, "db/0009_b.down.sql", "DROP TABLE b;");
    test_put(&r, "db/10_c.up.sql", "SELECT 10;");
    test_put(&r, "db/10_c.down.sql", "");
    test_put(&r, "db/1_a [old].up.sql", "SELECT 1;");
    test_put(&r, "db/1_other.down.sql", "SELECT -1;");
    test_put(&r, "db/20240102030405_d.up.sql", "SELECT 4;");
    test_put(&r, "db/0000_zero.up.sql", "SELECT 0;");
    test_put(&r, "db/README.md", "read me");
    test_put(&r, "db/11_lone.down.sql", "SELECT 11;");
    test_put(&r, "db/sub/12_x.up.sql", "SELECT 12;");
    test_put(&r, "db/99999999999999999999_big.up.sql", "SELECT 99;");
    rb_migrations *set = read_set(&r, "db/", "auto");
    assert_string_equal(set->layout, "golang-migrate");
    assert_ids(set, "0 1 9 10 20240102030405");
    assert_ignored(set, "db/11_lone.down.sql db/99999999999999999999_big.up.sql db/README.md "
                        "db/sub/12_x.up.sql");
    const rb_migration *a = rb_migrations_find(set, "1");
    assert_string_equal(a->name, "a [old]");
    assert_string_equal(a->down.path, "db/1_other.down.sql");
    const rb_migration *b = rb_migrations_find(set, "9");
    assert_string_equal(b->up.text, "CREATE TABLE b(x);");
    assert_string_equal(b->down.text, "DROP TABLE b;");
    assert_int_equal(b->up.line, 1);
    char hex[RB_SHA256_HEX];
    rb_sha256_hex_of("DROP TABLE b;", 13, hex);
    assert_string_equal(b->down.sha256, hex);
    assert_true(set->items[3].down.present);
    assert_int_equal(set->items[3].down.len, 0);
    assert_false(set->items[4].down.present);
    assert_null(rb_migrations_find(set, "0009"));
    rb_migrations_free(set);
    test_repo_free(&r);
}

static void golang_variants(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "V0001.Initial_Schema.up.sql", "-- no-transaction\nSELECT 1;");
    test_put(&r, "V0001.Initial_Schema.down.sql", "SELECT 1;");
    test_put(&r, "0002.up.sql", "-- morph:nontransactional\nSELECT 2;");
    test_put(&r, "000003-dash.up.sql", "SELECT 3;");
    test_put(&r, "000003-dash.down.sql", "SELECT 3;");
    rb_migrations *set = read_set(&r, ".", "auto");
    assert_ids(set, "1 2 3");
    assert_string_equal(set->items[0].name, "Initial_Schema");
    assert_false(set->items[0].up.transactional);
    assert_true(set->items[0].down.transactional);
    assert_string_equal(set->items[1].name, "");
    assert_false(set->items[1].up.transactional);
    assert_string_equal(set->items[2].name, "dash");
    assert_string_equal(set->items[2].up.path, "000003-dash.up.sql");
    rb_migrations_free(set);
    test_repo_free(&r);
}

static void assert_paths(const rb_migrations *set, const char *expected)
{
    rb_buf all = {0};
    for (size_t i = 0; i < set->n; i++) {
        const rb_migration *m = &set->items[i];
        rb_buf_printf(&all, "%s%s=%s/%s", i ? " " : "", m->id, m->up.path,
                      m->down.present ? m->down.path : "-");
    }
    assert_string_equal(rb_buf_str(&all), expected);
    rb_buf_clear(&all);
}

static void golang_takes_one_engine(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/V1.Base.mysql.up.sql", "SELECT 'm';");
    test_put(&r, "m/V1.Base.postgres.up.sql", "SELECT 'p';");
    test_put(&r, "m/V1.Base.sqlite.up.sql", "SELECT 's';");
    test_put(&r, "m/V1.Base.all.down.sql", "SELECT '-';");
    test_put(&r, "m/V2.Only.mysql.up.sql", "SELECT 'm';");
    test_put(&r, "m/V2.Only.mysql.down.sql", "SELECT 'm';");
    test_put(&r, "m/V3.move_to_sqlite.up.sql", "SELECT 'all';");
    test_put(&r, "m/V3.move_to_sqlite.down.sql", "SELECT 'all';");
    /* an engine's own before the one for all */
    test_put(&r, "m/V4.Own.up.sql", "SELECT 'all';");
    test_put(&r, "m/V4.Own.sqlite3.up.sql", "SELECT 's';");
    test_put(&r, "m/V4.Own.down.sql", "SELECT 'all';");
    test_put(&r, "m/V4.Own.cockroach.down.sql", "SELECT 'c';");
    test_put(&r, "m/5.PG.up.sql", "SELECT 'p';");
    test_put(&r, "m/6.x.autocommit.up.sql", "SELECT 'all';");
    test_put(&r, "m/6.x.sqlite.autocommit.up.sql", "SELECT 's';");
    rb_migrations *set = read_set(&r, "m", "auto");
    assert_paths(set, "1=m/V1.Base.sqlite.up.sql/m/V1.Base.all.down.sql "
                      "3=m/V3.move_to_sqlite.up.sql/m/V3.move_to_sqlite.down.sql "
                      "4=m/V4.Own.sqlite3.up.sql/m/V4.Own.down.sql "
                      "6=m/6.x.sqlite.autocommit.up.sql/-");
    assert_string_equal(set->items[0].name, "Base");
    assert_string_equal(set->items[1].name, "move_to_sqlite");
    assert_string_equal(set->items[3].name, "x");
    assert_false(set->items[3].up.transactional);
    assert_ignored(set, "m/5.PG.up.sql m/6.x.autocommit.up.sql m/V1.Base.mysql.up.sql "
                        "m/V1.Base.postgres.up.sql m/V2.Only.mysql.down.sql "
                        "m/V2.Only.mysql.up.sql m/V4.Own.cockroach.down.sql m/V4.Own.up.sql");
    rb_migrations_free(set);
    set = read_for(&r, "m", "auto", "postgresql");
    assert_paths(set, "1=m/V1.Base.postgres.up.sql/m/V1.Base.all.down.sql "
                      "3=m/V3.move_to_sqlite.up.sql/m/V3.move_to_sqlite.down.sql "
                      "4=m/V4.Own.up.sql/m/V4.Own.down.sql 5=m/5.PG.up.sql/- "
                      "6=m/6.x.autocommit.up.sql/-");
    rb_migrations_free(set);
    set = read_for(&r, "m", "auto", NULL);
    assert_int_equal(set->n, 10);
    rb_buf engines = {0};
    for (size_t i = 0; i < set->engines.n; i++)
        rb_buf_printf(&engines, "%s ", set->engines.items[i]);
    assert_string_equal(rb_buf_str(&engines), "cockroachdb mysql postgresql sqlite ");
    rb_buf_clear(&engines);
    rb_migrations_free(set);
    test_repo_free(&r);
}

/* "_" is in every name, so that it takes two engines to tell. */
static void golang_takes_one_engine_by_underscore(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/1_move_to_sqlite.up.sql", "SELECT 1;");
    test_put(&r, "m/1_move_to_sqlite.down.sql", "SELECT 1;");
    test_put(&r, "m/2_drop_mysql.up.sql", "SELECT 2;");
    test_put(&r, "m/3_all.up.sql", "SELECT 3;");
    rb_migrations *set = read_set(&r, "m", "auto");
    assert_ids(set, "1 2 3");
    assert_ignored(set, "");
    assert_string_equal(set->items[1].name, "drop_mysql");
    rb_migrations_free(set);
    test_put(&r, "m/4_init_sqlite.up.sql", "SELECT 4;");
    test_put(&r, "m/4_init_sqlite.down.sql", "SELECT 4;");
    test_put(&r, "m/4_init_postgres.up.sql", "SELECT 4;");
    test_put(&r, "m/4_init_postgres.down.sql", "SELECT 4;");
    test_put(&r, "m/5_more_postgres.up.sql", "SELECT 5;");
    set = read_set(&r, "m", "auto");
    assert_ids(set, "1 3 4");
    assert_string_equal(set->items[2].up.path, "m/4_init_sqlite.up.sql");
    assert_string_equal(set->items[2].down.path, "m/4_init_sqlite.down.sql");
    rb_migrations_free(set);
    test_repo_free(&r);
}

/* A folder for other engines must not pass for one without migrations. */
static void golang_refuses_other_engines(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/1.a.mysql.up.sql", "SELECT 1;");
    test_put(&r, "m/1.a.postgres.up.sql", "SELECT 1;");
    read_fails(&r, "m", "auto", RB_ERROR,
               "none is for sqlite; the names of the files say mysql, postgresql");
    test_repo_free(&r);
}

static void golang_keeps_duplicates_apart(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/01_a.up.sql", "SELECT 'a';");
    test_put(&r, "m/01_a.down.sql", "SELECT '-a';");
    test_put(&r, "m/1_b.up.sql", "SELECT 'b';");
    test_put(&r, "m/1_b.down.sql", "SELECT '-b';");
    rb_migrations *set = read_set(&r, "m", "golang-migrate");
    assert_ids(set, "1 1");
    assert_string_equal(set->items[0].down.text, "SELECT '-a';");
    assert_string_equal(set->items[1].down.text, "SELECT '-b';");
    rb_migrations_free(set);
    test_repo_free(&r);
}

static void diesel_orders_by_text(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/2017-09-27_later/up.sql", "SELECT 2;");
    test_put(&r, "m/2017-09-27_later/down.sql", "SELECT -2;");
    test_put(&r, "m/20170721_first/up.sql", "SELECT 1;");
    test_put(&r, "m/2024-03-13_170000_x/up.sql", "SELECT 3;");
    test_put(&r, "m/2024-03-13_170000_x/metadata.toml", "# no\n run_in_transaction = false # x\n");
    test_put(&r, "m/00000000000000_diesel_initial_setup/up.sql", "");
    test_put(&r, "m/.hidden/up.sql", "SELECT 9;");
    test_put(&r, "m/20200101_no_up/down.sql", "SELECT 9;");
    test_put(&r, "m/20200102_deep/sub/up.sql", "SELECT 9;");
    test_put(&r, "m/20200103_extra/up.sql", "SELECT 5;");
    test_put(&r, "m/20200103_extra/notes.txt", "x");
    rb_migrations *set = read_set(&r, "./m", "auto");
    assert_string_equal(set->layout, "diesel");
    assert_ids(set, "00000000000000 20170721 20170927 20200103 20240313");
    assert_string_equal(set->items[0].name, "diesel_initial_setup");
    assert_string_equal(set->items[4].name, "170000_x");
    assert_false(set->items[4].up.transactional);
    assert_true(set->items[2].up.transactional);
    assert_true(set->items[2].down.present);
    assert_ignored(set, "m/.hidden/up.sql m/20200101_no_up/down.sql m/20200102_deep/sub/up.sql "
                        "m/20200103_extra/notes.txt");
    rb_migrations_free(set);
    test_repo_free(&r);
}

static void diesel_metadata(void **state)
{
    (void)state;
    static const struct {
        const char *toml;
        bool in_transaction;
    } cases[] = {{"run_in_transaction = true\n", true},
                 {"run_in_transaction=false", false},
                 {"\"run_in_transaction\" = true", true},
                 {"'run_in_transaction' = true", true},
                 /* a file that does not say it is read as false by diesel */
                 {"", false},
                 {"other = 1\n", false},
                 {"other = 1\r\nrun_in_transaction = true\r\n", true},
                 {"[table]\nrun_in_transaction = true\n", false},
                 {"run_in_transaction_not = true\n", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(rb_diesel_in_transaction(cases[i].toml, strlen(cases[i].toml)),
                         cases[i].in_transaction);
}

static void dbmate_sections(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "db/20240102_b.sql",
             "-- about it\n\n-- migrate:up transaction:false x:y\nSELECT 1;\n"
             "-- migrate:down\nSELECT 2;\n");
    test_put(&r, "db/003.sql",
             "--migrate:up\r\nSELECT 3;\r\n--\tmigrate:down transaction:true\r\n");
    test_put(&r, "db/20240102030405-c.sql", "-- migrate:up\n");
    test_put(&r, "db/x_1.sql", "-- migrate:up\n");
    test_put(&r, "db/schema.sql", "CREATE TABLE x(y);");
    test_put(&r, "db/seeds/1.sql", "-- migrate:up\n");
    rb_migrations *set = read_set(&r, "db", "auto");
    assert_string_equal(set->layout, "dbmate");
    /* by file name: "20240102030405-c" sorts before "20240102_b", as for dbmate */
    assert_ids(set, "003 20240102030405 20240102");
    const rb_migration *b = &set->items[2];
    assert_string_equal(b->name, "b");
    assert_string_equal(b->up.text, "-- migrate:up transaction:false x:y\nSELECT 1;\n");
    assert_int_equal(b->up.line, 3);
    assert_false(b->up.transactional);
    assert_string_equal(b->down.text, "-- migrate:down\nSELECT 2;\n");
    assert_int_equal(b->down.line, 5);
    assert_true(b->down.transactional);
    assert_string_equal(b->down.path, "db/20240102_b.sql");
    assert_string_equal(set->items[0].name, "");
    assert_true(set->items[0].down.transactional);
    assert_false(set->items[1].down.present);
    assert_ignored(set, "db/schema.sql db/seeds/1.sql db/x_1.sql");
    rb_migrations_free(set);
    test_repo_free(&r);
}

static void dbmate_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *wrong; /* NULL: taken */
        size_t line;
    } cases[] = {
        {"-- migrate:up\nx\n-- migrate:down\n", NULL, 0},
        {"-- migrate:up foo bar\nx\n-- migrate:down   transaction:false\n", NULL, 0},
        {"-- migrate:up\nx;-- migrate:down\n  -- migrate:down\n", NULL, 0},
        {"select 1;\n-- migrate:up\n", "text before", 1},
        {"\n/* c */\n-- migrate:up\n", "text before", 2},
        {"\xef\xbb\xbf-- migrate:up\n", "text before", 1},
        {"-- migrate:upgrade\n", "no section for the up", 1},
        {"--\nmigrate:up\n", "text before", 2},
        {"-- nothing\n", "no section for the up", 1},
        {"", "no section for the up", 0},
        {"-- migrate:down\n-- migrate:up\n", "before the one for the up", 1},
        {"-- migrate:up\n-- migrate:up\n", "more than one section for the up", 2},
        {"-- migrate:up\n-- migrate:down\n-- migrate:down\n", "more than one section for the down",
         3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rb_sections sections;
        size_t line;
        const char *wrong = rb_sections_split(&sections, &line, rb_layout_dbmate.sections,
                                              cases[i].text, strlen(cases[i].text));
        if (!cases[i].wrong) {
            assert_null(wrong);
            continue;
        }
        assert_non_null(wrong);
        if (!strstr(wrong, cases[i].wrong))
            fail_msg("case %zu: %s", i, wrong);
        assert_int_equal(line, cases[i].line);
    }
    test_repo r = test_repo_new();
    test_put(&r, "m/1_a.sql", "-- migrate:up\n");
    test_put(&r, "m/2_b.sql", "SELECT 1;\n-- migrate:up\n");
    read_fails(&r, "m", "auto", RB_ERROR, "m/2_b.sql, line 1: there is text before");
    test_repo_free(&r);
}

/* "ID NAME up down" of each migration, "-" for a missing down, "!" behind one outside a
 * transaction. */
static void assert_sections(test_repo *r, const char *dir, const char *layout, const char *expected)
{
    rb_migrations *set = read_set(r, dir, "auto");
    rb_buf found = {0};
    assert_string_equal(set->layout, layout);
    for (size_t i = 0; i < set->n; i++) {
        const rb_migration *m = &set->items[i];
        rb_buf_printf(&found, "%s%s %s %zu%s %zu%s", i ? ", " : "", m->id, m->name, m->up.line,
                      m->up.transactional ? "" : "!", m->down.line,
                      !m->down.present || m->down.transactional ? "" : "!");
    }
    assert_string_equal(rb_buf_str(&found), expected);
    rb_buf_clear(&found);
    rb_migrations_free(set);
}

static void sections_of_other_tools(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "g/00010_b.sql",
             "-- +goose NO TRANSACTION\n-- +goose UP\nSELECT 1;\n--+goose Down\nSELECT 2;\n");
    test_put(
        &r, "g/0009_a.sql",
        "-- note\n\n-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n");
    test_put(&r, "g/README.md", "");
    assert_sections(&r, "g", "goose", "9 a 3 0, 10 b 2! 4!");
    test_put(&r, "g/0011_c.sql", "-- +goose Up\n-- +goose ENVSUB ON\nSELECT 1;\n");
    read_fails(&r, "g", "auto", RB_ERROR, "g/0011_c.sql, line 2: it substitutes environment");
    test_put(&r, "g/0011_c.sql", "-- +goose Up\n-- +goose Upp\n");
    read_fails(&r, "g", "auto", RB_ERROR, "g/0011_c.sql, line 2: the tool does not know");
    test_put(&r, "s/10-b.sql", "-- +migrate Up notransaction\nSELECT 1;\n-- +migrate Down\n");
    test_put(&r, "s/9_a.sql", "-- +migrate Down\n-- +migrate Up\nSELECT 1;\n");
    test_put(&r, "s/init.sql", "-- +migrate Up\n");
    assert_sections(&r, "s", "sql-migrate", "9_a.sql a 2 1, 10-b.sql b 1! 3, init.sql init 1 0");
    test_put(&r, "n/20200513070724505_b.sql",
             "-- Up Migration\nSELECT 1;\n  ---- down migration\n");
    test_put(&r, "n/1589353644504_a.sql", "-- Up Migration\n");
    test_put(&r, "n/1589353644506_c.sql", "-- up  migration\n");
    assert_sections(&r, "n", "node-pg-migrate",
                    "1589353644504_a a 1 0, 20200513070724505_b b 1 3, 1589353644506_c c 1 0");
    test_repo_free(&r);
}

static void versions_of_flyway(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "f/V1.10__b.sql", "SELECT 1;\n");
    test_put(&r, "f/V1_9__a_b.sql", "\n-- flyway:executeInTransaction=false\nSELECT 1;\n");
    test_put(&r, "f/U01.9__a.sql", "SELECT 1;\n");
    test_put(&r, "f/below/V00.3.sql", "SELECT 1;\n");
    test_put(&r, "f/V2__c.sql", "SELECT '${x}';\n");
    test_put(&r, "f/V2__c.sql.conf", "# plain\nplaceholderReplacement = false\r\n");
    assert_sections(&r, "f", "flyway", "00.3  1 0, 1.9 a_b 1! 1, 1.10 b 1 0, 2 c 1 0");
    test_put(&r, "f/V2.0__d.sql", "SELECT 1;\n");
    read_fails(&r, "f", "auto", RB_ERROR, "V2.0__d.sql and V2__c.sql have the same version");
    assert_true(rb_flyway_compare("1.2", "1.2.0") == 0);
    assert_true(rb_flyway_compare("1.2.1", "1.2") > 0);
    assert_int_equal(rb_flyway_checksum("\xef\xbb\xbf"
                                        "12345\r\n6789\n",
                                        14),
                     (int32_t)0xcbf43926);
    test_repo_free(&r);
}

static void auto_must_be_certain(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "keep/.gitkeep", "");
    rb_migrations *set = read_set(&r, "keep", "auto");
    assert_int_equal(set->n, 0);
    assert_string_equal(set->layout, "");
    rb_migrations_free(set);
    read_fails(&r, "absent", "auto", RB_FOUND, "absent");
    read_fails(&r, "keep/.gitkeep", "auto", RB_ERROR, "is a file");
    read_fails(&r, "keep", "rails", RB_ERROR, "unknown layout 'rails'");
    test_put(&r, "engines/sqlite/1_a.up.sql", "");
    read_fails(&r, "engines", "auto", RB_ERROR, "engines/sqlite/1_a.up.sql");
    test_put(&r, "tern/1_a.sql", "SELECT 1;\n---- create above / drop below ----\n");
    read_fails(&r, "tern", "auto", RB_ERROR, "no known layout");
    test_put(&r, "mixed/1_a.up.sql", "");
    test_put(&r, "mixed/2_b.sql", "-- migrate:up\n");
    read_fails(&r, "mixed", "auto", RB_ERROR, "both the golang-migrate and the dbmate layout");
    test_repo_free(&r);
}

static void odd_files(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put_bytes(&r, "nul/1_a.up.sql", "SELECT\0 1;", 10);
    read_fails(&r, "nul", "auto", RB_ERROR, "nul/1_a.up.sql: it holds a NUL byte");
    test_put(&r, "link/1_a.up.sql", "SELECT 1;");
    char *link = rb_format("%s/link/2_b.up.sql", r.dir);
    assert_int_equal(symlink("1_a.up.sql", link), 0);
    free(link);
    read_fails(&r, "link", "auto", RB_ERROR, "link/2_b.up.sql: it is a symbolic link");
    test_repo_free(&r);
}

static void many_migrations(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    for (size_t i = 0; i < 300; i++) {
        char *up = rb_format("m/%zu_x.up.sql", i);
        test_put(&r, up, "SELECT 1;");
        free(up);
    }
    rb_migrations *set = read_set(&r, "m", "auto");
    assert_int_equal(set->n, 300);
    assert_string_equal(set->items[299].id, "299");
    assert_string_equal(set->items[9].id, "9");
    rb_migrations_free(set);
    test_repo_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golang_orders_by_number),
        cmocka_unit_test(golang_variants),
        cmocka_unit_test(golang_takes_one_engine),
        cmocka_unit_test(golang_takes_one_engine_by_underscore),
        cmocka_unit_test(golang_refuses_other_engines),
        cmocka_unit_test(golang_keeps_duplicates_apart),
        cmocka_unit_test(diesel_orders_by_text),
        cmocka_unit_test(diesel_metadata),
        cmocka_unit_test(dbmate_sections),
        cmocka_unit_test(dbmate_refusals),
        cmocka_unit_test(sections_of_other_tools),
        cmocka_unit_test(versions_of_flyway),
        cmocka_unit_test(auto_must_be_certain),
        cmocka_unit_test(odd_files),
        cmocka_unit_test(many_migrations),
    };
    return cmocka_run_group_tests_name("migration_set", tests, NULL, NULL);
}
