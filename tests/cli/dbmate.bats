#!/usr/bin/env bats
# rbtool beside the real dbmate: the same files are migrations, and after each transition dbmate
# agrees on what is applied.

bats_require_minimum_version 1.5.0
load lib

setup() {
    local modules
    modules=$("$ROOT/tests/npm" dbmate) || skip "dbmate is not to be had"
    DBMATE=$modules/.bin/dbmate
    home
    keys
    git init -q "$BATS_TEST_TMPDIR/app"
    cd "$BATS_TEST_TMPDIR/app" || return 1
    PROD=$BATS_TEST_TMPDIR/prod
    DB=$PROD/app.db
    mkdir -p db/migrations "$PROD"
    echo 1.0.0 >VERSION
    cat >rbtool.json <<JSON
{
  "app": { "name": "app", "version": { "file": "VERSION" } },
  "databases": { "main": { "engine": "sqlite", "migrations": "db/migrations" } },
  "environments": { "prod": { "root": "$PROD", "databases": { "main": "sqlite:$DB" } } }
}
JSON
    cat >db/migrations/20240101000000_users.sql <<'SQL'
-- migrate:up
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);

-- migrate:down
DROP TABLE users;
SQL
}

dbmate() {
    "$DBMATE" --no-dump-schema --migrations-dir db/migrations --url "sqlite:$DB" "$@"
}

second_release() {
    cat >db/migrations/20240202000000_email.sql <<'SQL'
-- migrate:up transaction:false
PRAGMA foreign_keys = off;
ALTER TABLE users ADD COLUMN email TEXT;

-- migrate:down transaction:false
ALTER TABLE users DROP COLUMN email;
SQL
    release v1.1.0
}

versions() {
    sqlite3 "$DB" 'SELECT version FROM schema_migrations ORDER BY version' | tr '\n' ' '
}

# VERDICT TEXT: what dbmate and rbtool both say to a file of that text
both() {
    local verdict=$1 said code=0
    printf '%b' "$2" >db/migrations/1_a.sql
    rm -f "$DB"
    dbmate up >/dev/null 2>&1 && said=taken || said=refused
    [[ $said == "$verdict" ]] || {
        echo "dbmate: $said: $2"
        return 1
    }
    git add -A
    git commit -qm variant
    rbtool lint --quiet >/dev/null 2>&1 || code=$?
    [[ $code -eq 2 ]] && said=refused || said=taken
    [[ $said == "$verdict" ]] || {
        echo "rbtool: $said: $2"
        return 1
    }
}

@test "dbmate and rbtool accept and refuse the same files" {
    rm db/migrations/*
    both taken '-- migrate:up\nCREATE TABLE a(x);\n-- migrate:down\nDROP TABLE a;\n'
    both taken '--migrate:up  \r\nCREATE TABLE a(x);\r\n--\tmigrate:down\r\nDROP TABLE a;'
    both taken '-- about\n\n  -- more\n-- migrate:up a:b c\nCREATE TABLE a(x);\n-- migrate:down x y\n'
    both taken '-- migrate:up\nCREATE TABLE a(x); -- migrate:down\n-- migrate:down\n'
    both refused 'SELECT 1;\n-- migrate:up\n-- migrate:down\n'
    both refused '/* c */\n-- migrate:up\n-- migrate:down\n'
    both refused '\xef\xbb\xbf-- migrate:up\n-- migrate:down\n'
    both refused '-- migrate:down\n-- migrate:up\n'
    both refused '-- migrate:upgrade\n-- migrate:down\n'
    both refused '-- migrate:up\n-- migrate:down\n-- migrate:down\n'
    both refused '-- migrate:up\n-- migrate:up\n-- migrate:down\n'
    both refused '-- migrate:up\n-- migrate:down\n-- migrate:up\n-- migrate:down\n'
    both refused '-- nothing\n'
}

@test "the manifest has dbmate's versions in dbmate's order" {
    printf -- '-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n' |
        tee db/migrations/9_nine.sql db/migrations/10_ten.sql db/migrations/007.sql \
            db/migrations/20240101-z.sql db/migrations/x_1.sql >/dev/null
    git add -A
    git commit -qm more
    local theirs ours
    theirs=$(dbmate status | sed -n 's/^\[ \] \([0-9]*\).*/\1/p')
    ours=$(rbtool release v1.0.0 --dry-run --json | jq -r '.manifest.predicate.databases[0].migrations[].id')
    [[ -n $theirs && $ours == "$theirs" ]]
}

@test "dbmate status agrees with the database after deploy and revert" {
    release v1.0.0
    rbtool deploy v1.0.0 --yes
    [[ $(versions) == "20240101000000 " ]]
    second_release
    rbtool deploy v1.1.0 --yes
    [[ $(versions) == "20240101000000 20240202000000 " ]]
    run dbmate status
    [[ $output == *"Pending: 0"* && $output == *"Applied: 2"* ]]
    run dbmate up
    [[ $status -eq 0 && $output != *Applying* ]]
    rbtool revert v1.1.0 --to v1.0.0 --yes
    [[ $(versions) == "20240101000000 " ]]
    [[ $(dbmate status | grep -c '^\[X\]') -eq 1 ]]
    # and goes on from there with dbmate's own way
    run dbmate up
    [[ $status -eq 0 && $output == *"Applying: 20240202000000_email.sql"* ]]
    dbmate rollback
    [[ $(versions) == "20240101000000 " ]]
}

@test "deploy creates the tracking table as dbmate does" {
    release v1.0.0
    rbtool deploy v1.0.0 --yes
    local theirs=$BATS_TEST_TMPDIR/theirs.db
    DB=$theirs dbmate up
    local query="SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name = 'schema_migrations' ORDER BY 1, 2"
    [[ $(sqlite3 "$DB" "$query") == "$(sqlite3 "$theirs" "$query")" ]]
    [[ -n $(sqlite3 "$DB" "$query") ]]
}

@test "deploy adopts a database that dbmate has migrated" {
    release v1.0.0
    dbmate up
    rbtool deploy v1.0.0 --yes
    second_release
    rbtool deploy v1.1.0 --yes
    [[ $(versions) == "20240101000000 20240202000000 " ]]
    rbtool revert v1.1.0 --to v1.0.0 --yes
    [[ $(versions) == "20240101000000 " ]]
    [[ -z $(sqlite3 "$DB" "SELECT 1 FROM pragma_table_info('users') WHERE name = 'email'") ]]
}
