#!/usr/bin/env bats
# Databases that other migration tools came to first: what they applied is never applied again.

bats_require_minimum_version 1.5.0
load lib
load transition

setup() {
    host
    SQLX='CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);'
}

# What sqlx does for one migration: sqlx_run VERSION DESCRIPTION UP-FILE
sqlx_run() {
    sql "$SQLX"
    sql <"$3"
    sql "INSERT INTO _sqlx_migrations ( version, description, success, checksum, execution_time )
        VALUES ( $1, '$2', TRUE, x'$(sha384sum <"$3" | cut -d' ' -f1)', 4711 )"
}

sqlx_rows() {
    sql "SELECT version, description, success, lower(hex(checksum)), execution_time > 0,
        length(installed_on) FROM _sqlx_migrations ORDER BY version"
}

@test "tracking makes rbtool write the table of that tool in a new database" {
    release v1.0.0
    jq '.databases.main.tracking = "sqlx"' rbtool.json >new.json && mv new.json rbtool.json
    git add -A && git commit -qm 'the application runs sqlx'
    release v1.0.1
    [ "$(rbtool show v1.0.1 --json | jq -r '.predicate.databases[0].tracking')" = sqlx ]
    rbtool deploy v1.0.1 --yes
    settled_at v1.0.1
    [ "$(sqlx_rows | cut -d'|' -f1-4)" = "1|orders|1|$(sha384sum <migrations/0001_orders.up.sql | cut -d' ' -f1)" ]
}

@test "a first deploy adopts what sqlx applied, and writes its table as sqlx does" {
    release v1.0.0
    printf 'ALTER TABLE orders ADD COLUMN vat INTEGER;\n' >migrations/0002_add_vat.up.sql
    printf 'ALTER TABLE orders DROP COLUMN vat;\n' >migrations/0002_add_vat.down.sql
    release v1.1.0
    sqlx_run 1 orders migrations/0001_orders.up.sql
    sql 'INSERT INTO orders VALUES (1, 5)'
    rbtool deploy v1.0.0 --yes
    settled_at v1.0.0
    [ "$(sql 'SELECT execution_time FROM _sqlx_migrations')" = 4711 ]
    rbtool deploy v1.1.0 --yes
    [ "$(sqlx_rows)" = "1|orders|1|$(sha384sum <migrations/0001_orders.up.sql | cut -d' ' -f1)|1|19
2|add vat|1|$(sha384sum <migrations/0002_add_vat.up.sql | cut -d' ' -f1)|1|19" ]
    rbtool revert v1.1.0 --yes
    [ "$(sql 'SELECT version FROM _sqlx_migrations')" = 1 ]
    [ "$(sql 'SELECT id, total FROM orders')" = '1|5' ]
    [ -z "$(sql "SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'")" ]
}

@test "the sqlx checksum is updated when its migration is applied again" {
    release v1.0.0
    second
    rbtool release v1.1.0
    sqlx_run 1 orders migrations/0001_orders.up.sql
    sqlx_run 2 discount migrations/0002_discount.up.sql
    sql "UPDATE _sqlx_migrations SET checksum = x'c0ffee' WHERE version = 2"
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --to v1.0.0 --yes
    [ "$(sql 'SELECT version FROM _sqlx_migrations')" = 1 ]
    rbtool deploy v1.1.0 --yes --accept-reverted
    [ "$(sql 'SELECT lower(hex(checksum)) FROM _sqlx_migrations WHERE version = 2')" = c0ffee ]
    settled_at v1.1.0
}

@test "a migration that sqlx recorded as failed needs a decision" {
    release v1.0.0
    sqlx_run 1 orders migrations/0001_orders.up.sql
    sql 'UPDATE _sqlx_migrations SET success = FALSE'
    fails 5 'records that migration 1 stopped half-way' rbtool deploy v1.0.0 --yes
}

@test "sqlx's simple files are read if the folder uses sqlx, and a missing down is RB001" {
    git mv migrations/0001_orders.up.sql migrations/0001_orders.sql
    git rm -q migrations/0001_orders.down.sql
    git commit -qm simple
    fails 2 'no known layout' rbtool lint
    printf '[dependencies]\nsqlx = "0.8"\n' >Cargo.toml
    git add Cargo.toml
    git commit -qm cargo
    fails 1 'RB001' rbtool lint
    release v1.0.0 --accept RB001
    [ "$(manifest v1.0.0 | jq -r '.predicate.databases[0].layout')" = sqlx ]
    rbtool deploy v1.0.0 --yes
    [ "$(sqlx_rows | cut -d'|' -f1-3)" = '1|orders|1' ]
    [ "$(sql "SELECT sql FROM sqlite_schema WHERE name = '_sqlx_migrations'")" = \
        "$(sqlite3 :memory: "$SQLX" "SELECT sql FROM sqlite_schema WHERE type = 'table'")" ]
}

@test "simple files next to up/down pairs belong to sqlx if the folder uses it" {
    printf 'CREATE TABLE b (id INTEGER PRIMARY KEY);\n' >migrations/0002_b.sql
    printf '[dependencies]\nsqlx = "0.8"\n' >Cargo.toml
    release v1.0.0 --accept RB001
    [ "$(manifest v1.0.0 | jq -c '[.predicate.databases[0] | .layout, .migrations[].id]')" = \
        '["sqlx","1","2"]' ]
}

@test "a tracking table that rbtool cannot read stops a first deploy, and the SQL of the hint works" {
    local table
    release v1.0.0
    for table in flyway_schema_history goose_db_version knex_migrations alembic_version \
        django_migrations __EFMigrationsHistory _prisma_migrations gorp_migrations pgmigrations; do
        rm -f "$PROD/data/shop.db"
        sql "CREATE TABLE $table (x); CREATE TABLE orders (id INTEGER PRIMARY KEY,
            total INTEGER NOT NULL); INSERT INTO orders VALUES (1, 5)"
        fails 5 "table $table is that of " rbtool deploy v1.0.0 --yes --accept-drift
        [ "$(sql 'SELECT id, total FROM orders')" = '1|5' ]
    done
    sql "$(sed -n 's/.*SQL in the database: \(.*\); then deploy again.*/\1/p' <<<"$output" | head -n 1)"
    rbtool deploy v1.0.0 --yes --accept-drift
    [ "$(sql 'SELECT id, total FROM orders')" = '1|5' ]
    [ "$(sql 'SELECT version, dirty FROM schema_migrations')" = '1|0' ]
}

@test "the hint for a table that exists at a first deploy adopts it and does not remove it" {
    local take_over
    release v1.0.0
    sql "CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);
        INSERT INTO orders VALUES (1, 5)"
    fails 5 'no release made it (table orders added)' rbtool deploy v1.0.0 --yes
    fails 5 'no release made it (table orders added)' rbtool deploy v1.0.0 --yes --accept-drift
    take_over=$(sed -n 's/.*SQL in the database: \(.*\); then deploy again.*/\1/p' <<<"$output" | head -n 1)
    [ -n "$take_over" ]
    run ! grep -E "undo it|remove it|drop it" <<<"${lines[-1]}"
    sql "$take_over"
    rbtool deploy v1.0.0 --yes
    settled_at v1.0.0
    [ "$(sql 'SELECT id, total FROM orders')" = '1|5' ]
}

@test "the hint for a manually created table that blocks a script renames it and does not remove it" {
    release v1.0.0
    printf 'CREATE TABLE notes (id INTEGER PRIMARY KEY);\n' >migrations/0002_notes.up.sql
    printf 'DROP TABLE notes;\n' >migrations/0002_notes.down.sql
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    sql 'CREATE TABLE notes (text TEXT)'
    fails 1 'drift stands in the way (table notes added): rename it' \
        rbtool deploy v1.1.0 --yes --accept-drift
}
