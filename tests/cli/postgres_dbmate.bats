#!/usr/bin/env bats
# rbtool beside the real dbmate on PostgreSQL: the same files are migrations, and after each
# transition dbmate agrees on what is applied.

load lib
load postgres

setup_file() { pg_start; }
teardown_file() { pg_stop; }

setup() {
    local modules
    modules=$("$ROOT/tests/npm" dbmate) || skip "dbmate is not to be had"
    DBMATE=$modules/.bin/dbmate
    home
    keys
    pg_database
    git init -q "$BATS_TEST_TMPDIR/app"
    cd "$BATS_TEST_TMPDIR/app" || return 1
    PROD=$BATS_TEST_TMPDIR/prod
    mkdir -p db/migrations "$PROD"
    echo 1.0.0 >VERSION
    jq -n --arg root "$PROD" --arg url "$PGURL" '{app: {name: "app", version: {file: "VERSION"}},
        databases: {main: {engine: "postgresql", migrations: "db/migrations"}},
        environments: {prod: {root: $root, databases: {main: $url}}}}' >rbtool.json
    cat >db/migrations/20240101000000_users.sql <<'SQL'
-- migrate:up
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);

-- migrate:down
DROP TABLE users;
SQL
}

dbmate() {
    "$DBMATE" --no-dump-schema --migrations-dir db/migrations \
        --url "postgres://postgres@/$PGNAME?socket=$PGDIR&sslmode=disable" "$@"
}

@test "after a first deploy over dbmate's database, a deploy and a revert, dbmate's status is clean" {
    dbmate up
    pg "INSERT INTO users VALUES (1, 'Ada')"
    release v1.0.0
    cat >db/migrations/20240202000000_email.sql <<'SQL'
-- migrate:up
ALTER TABLE users ADD COLUMN email text;

-- migrate:down
ALTER TABLE users DROP COLUMN email;
SQL
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    dbmate status | grep -F 'Pending: 0'
    [[ $(pg 'SELECT version FROM schema_migrations ORDER BY 1') == $'20240101000000\n20240202000000' ]]
    rbtool revert v1.1.0 --yes
    [[ $(pg 'SELECT version FROM schema_migrations') == 20240101000000 ]]
    git checkout -q v1.0.0
    dbmate status --exit-code
    dbmate up
    [[ $(pg 'SELECT * FROM users') == '1|Ada' ]]
}

@test "an index built outside of a transaction, as dbmate's marker says, is one commit; dbmate's status is clean" {
    dbmate up
    release v1.0.0
    cat >db/migrations/20240202000000_index.sql <<'SQL'
-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY users_name ON users (name);

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY users_name;
SQL
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    dbmate status | grep -F 'Pending: 0'
    [[ $(pg "SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_name'::regclass") == t ]]
    rbtool revert v1.1.0 --yes
    [[ $(pg "SELECT to_regclass('users_name') IS NULL, (SELECT max(version) FROM schema_migrations)") == 't|20240101000000' ]]
}
