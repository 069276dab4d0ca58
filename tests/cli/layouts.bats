#!/usr/bin/env bats
# Migrations of goose, sql-migrate and node-pg-migrate: they are read as they are, and after each
# transition the tool's own table says what is applied. Where the tool can be had, it is asked.

load lib
load postgres

setup_file() { pg_start; }
teardown_file() { pg_stop; }

setup() {
    home
    keys
    PROD=$BATS_TEST_TMPDIR/prod
    mkdir -p "$PROD"
    DB=$PROD/app.db
    git init -q "$BATS_TEST_TMPDIR/app"
    cd "$BATS_TEST_TMPDIR/app" || return 1
    mkdir db
    echo 1.0.0 >VERSION
}

settings() { # ENGINE URL
    jq -n --arg root "$PROD" --arg engine "$1" --arg url "$2" '{
        app: {name: "app", version: {file: "VERSION"}},
        databases: {main: {engine: $engine, migrations: "db"}},
        environments: {prod: {root: $root, databases: {main: $url}}}}' >rbtool.json
}

# Two releases: a table, then a column of it. Files are named by "$1-a" and "$1-b"; UP and DOWN mark
# the sections.
two_releases() { # FIRST SECOND UP DOWN
    printf '%s\nCREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL);\n%s\nDROP TABLE users;\n' "$3" "$4" >"db/$1"
    release v1.0.0
    printf '%s\nALTER TABLE users ADD COLUMN email text;\n%s\nALTER TABLE users DROP COLUMN email;\n' "$3" "$4" >"db/$2"
    release v1.1.0
}

@test "goose: deploy and revert keep goose_db_version as goose does" {
    settings sqlite "sqlite:$DB"
    two_releases 00001_users.sql 00002_email.sql '-- +goose Up' '-- +goose Down'
    rbtool show v1.0.0 --json | jq -e '.predicate.databases[0].layout == "goose"'
    # What goose leaves after its own `up` of the first file.
    sqlite3 "$DB" "CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT,
            version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL,
            tstamp TIMESTAMP DEFAULT (datetime('now')));
        INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1);
        CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL);
        INSERT INTO users VALUES (1, 'Ada')"
    rbtool deploy v1.1.0 --yes
    [[ $(sqlite3 "$DB" 'SELECT version_id, is_applied FROM goose_db_version ORDER BY id' | tr '\n' ' ') == '0|1 1|1 2|1 ' ]]
    rbtool revert v1.1.0 --to v1.0.0 --yes
    [[ $(sqlite3 "$DB" 'SELECT version_id, is_applied FROM goose_db_version ORDER BY id' | tr '\n' ' ') == '0|1 1|1 ' ]]
    [[ $(sqlite3 "$DB" 'SELECT * FROM users') == '1|Ada' ]]
    rbtool status --exit-code
}

@test "goose on PostgreSQL: an empty database gets goose's own table, which is in no fingerprint" {
    pg_database
    settings postgresql "$PGURL"
    two_releases 00001_users.sql 00002_email.sql '-- +goose Up' '-- +goose Down'
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    [[ $(pg 'SELECT version_id, is_applied FROM goose_db_version ORDER BY id' | tr '\n' ' ') == '0|t 1|t ' ]]
    rbtool status --exit-code
}

@test "sql-migrate: its own status agrees after a takeover, a deploy and a revert" {
    command -v sql-migrate >/dev/null || skip "sql-migrate is not to be had"
    settings sqlite "sqlite:$DB"
    two_releases 1-users.sql 2-email.sql '-- +migrate Up' '-- +migrate Down'
    printf 'prod:\n  dialect: sqlite3\n  datasource: %s\n  dir: db\n' "$DB" >"$BATS_TEST_TMPDIR/dbconfig.yml"
    sql_migrate() { sql-migrate "$1" -config "$BATS_TEST_TMPDIR/dbconfig.yml" -env prod "${@:2}"; }
    sql_migrate up -limit 1
    sqlite3 "$DB" "INSERT INTO users VALUES (1, 'Ada')"
    rbtool deploy v1.1.0 --yes
    sql_migrate status | tee status
    [[ $(grep -c ' | no ' status) -eq 0 ]]
    [[ $(sqlite3 "$DB" 'SELECT id FROM gorp_migrations ORDER BY 1' | tr '\n' ' ') == '1-users.sql 2-email.sql ' ]]
    rbtool revert v1.1.0 --to v1.0.0 --yes
    sql_migrate status | grep -F '2-email.sql' | grep -F ' no '
    sql_migrate up
    [[ $(sqlite3 "$DB" 'SELECT * FROM users') == '1|Ada|' ]]
}

@test "node-pg-migrate: its own up and down go on after a deploy and a revert" {
    local modules
    modules=$("$ROOT/tests/npm" node-pg-migrate pg) || skip "node-pg-migrate is not to be had"
    pg_database
    settings postgresql "$PGURL"
    two_releases 1700000000001_users.sql 1700000000002_email.sql '-- Up Migration' '-- Down Migration'
    node_pg() {
        DATABASE_URL="postgres://postgres@localhost/$PGNAME?host=$PGDIR" \
            "$modules/.bin/node-pg-migrate" --migrations-dir db "$@"
    }
    node_pg up 1
    pg "INSERT INTO users VALUES (1, 'Ada')"
    rbtool deploy v1.1.0 --yes
    node_pg up | grep -F 'No migrations to run'
    rbtool revert v1.1.0 --to v1.0.0 --yes
    [[ $(pg 'SELECT name FROM pgmigrations') == 1700000000001_users ]]
    node_pg up
    [[ $(pg 'SELECT * FROM users') == '1|Ada|' ]]
}
