#!/usr/bin/env bats
# Migrations of goose, sql-migrate, node-pg-migrate, Flyway and Sqitch: they are read as they are, and
# after each transition the tool's own table says what is applied. Where the tool can be had, it is asked.

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

# Flyway keeps each direction in a file.
flyway_files() {
    mkdir -p db/later
    printf 'CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL);\n' >db/V1__users.sql
    printf 'DROP TABLE users;\n' >db/U1__users.sql
    release v1.0.0
    printf '\xef\xbb\xbfALTER TABLE users\r\nADD COLUMN email text;\r\n' >db/later/V1_10__add_email.sql
    printf 'ALTER TABLE users DROP COLUMN email;\n' >db/later/U1.10__add_email.sql
    printf 'ALTER TABLE users ADD COLUMN age integer;\n' >db/V1.9__age.sql
    printf 'ALTER TABLE users DROP COLUMN age;\n' >db/U1_9__age.sql
    release v1.1.0
}

# The checksum as Flyway computes it: the CRC-32 of the lines, without their ends.
flyway_checksum() {
    sed $'1s/^\xef\xbb\xbf//' "$1" | tr -d '\r\n' | gzip | tail -c 8 | od -An -N4 -t d4 | tr -d ' '
}

# The rows of Flyway's table that both engines have, after a takeover, a deploy and a revert.
flyway_rows() { # USER
    printf '%s\n' "1|1|users|SQL|V1__users.sql|$(flyway_checksum db/V1__users.sql)|somebody|t" \
        "2|1.9|age|SQL|V1.9__age.sql|$(flyway_checksum db/V1.9__age.sql)|$1|t" \
        "3|1.10|add email|SQL|later/V1_10__add_email.sql|$(flyway_checksum db/later/V1_10__add_email.sql)|$1|t" \
        "4|1.10|add email|UNDO_SQL|later/U1.10__add_email.sql|$(flyway_checksum db/later/U1.10__add_email.sql)|$1|t" \
        "5|1.9|age|UNDO_SQL|U1_9__age.sql|$(flyway_checksum db/U1_9__age.sql)|$1|t" \
        "6|1.9|age|SQL|V1.9__age.sql|$(flyway_checksum db/V1.9__age.sql)|$1|t" \
        "7|1.10|add email|SQL|later/V1_10__add_email.sql|$(flyway_checksum db/later/V1_10__add_email.sql)|$1|t"
}

# What Flyway leaves after its own migrate of the first file: flyway_first TEXT-OF-CREATE SQL...
flyway_first() {
    "$@" 'CREATE TABLE flyway_schema_history ("installed_rank" INT NOT NULL, "version" VARCHAR(50),
            "description" VARCHAR(200) NOT NULL, "type" VARCHAR(20) NOT NULL, "script" VARCHAR(1000) NOT NULL,
            "checksum" INTEGER, "installed_by" VARCHAR(100) NOT NULL,
            "installed_on" TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, "execution_time" INTEGER NOT NULL,
            "success" BOOLEAN NOT NULL)'
    "$@" "$(cat db/V1__users.sql)"
    "$@" "INSERT INTO flyway_schema_history VALUES (1, '1', 'users', 'SQL', 'V1__users.sql',
        $(flyway_checksum db/V1__users.sql), 'somebody', CURRENT_TIMESTAMP, 5, TRUE)"
    "$@" "INSERT INTO users VALUES (1, 'Ada')"
}

flyway_round_trip() {
    rbtool show v1.1.0 --json | jq -e '.predicate.databases[0] | .layout == "flyway" and
        [.migrations[].id] == ["1", "1.9", "1.10"]'
    rbtool deploy v1.1.0 --yes
    rbtool status --exit-code
    rbtool revert v1.1.0 --to v1.0.0 --yes
    rbtool status --exit-code
    rbtool mark v1.1.0 good -m 'again'
    rbtool deploy v1.1.0 --yes
    rbtool status --exit-code
}

FLYWAY_ROWS='SELECT installed_rank, version, description, type, script, checksum, installed_by, success
    FROM flyway_schema_history ORDER BY 1'

@test "Flyway on PostgreSQL: an undo is a row of its own, after which the version is applied again" {
    pg_database
    settings postgresql "$PGURL"
    flyway_files
    flyway_first pg
    flyway_round_trip
    diff <(pg "$FLYWAY_ROWS") <(flyway_rows postgres)
    [[ $(pg 'SELECT * FROM users') == '1|Ada||' ]]
}

@test "Flyway on SQLite: the same rows" {
    settings sqlite "sqlite:$DB"
    flyway_files
    flyway_first sqlite3 "$DB"
    flyway_round_trip
    diff <(sqlite3 "$DB" "$FLYWAY_ROWS" | sed 's/|1$/|t/') <(flyway_rows '')
}

@test "Flyway: a baseline counts as applied up to its version, and the tool's lock is taken" {
    pg_database
    settings postgresql "$PGURL"
    flyway_files
    flyway_first pg
    pg "UPDATE flyway_schema_history SET version = '1.9', type = 'BASELINE', script = '<< Flyway Baseline >>'" \
        'ALTER TABLE users ADD age integer'
    # Flyway's key: "Flyway" and the hash of "public"."flyway_schema_history" in Java.
    hold 'SELECT pg_advisory_lock(77431708279161 + 2125624436)'
    run rbtool deploy v1.1.0 --yes --lock-timeout 1s
    [[ $status -ne 0 && $output == *flyway* ]]
    let_go
    rbtool deploy v1.1.0 --yes
    [[ $(pg "SELECT version FROM flyway_schema_history WHERE type = 'SQL'") == 1.10 ]]
}

@test "Flyway: what rbtool does not run is refused or named" {
    settings sqlite "sqlite:$DB"
    flyway_files
    echo 'SELECT 1;' >db/afterMigrate.sql
    echo 'SELECT 1;' >db/B1__base.sql
    echo 'SELECT 1;' >db/V2-x.sql
    git add -A && git commit -qm more
    run rbtool lint
    [[ $output == *'db/afterMigrate.sql: it is a callback of Flyway'* ]]
    [[ $output == *'db/B1__base.sql: it is a baseline migration'* ]]
    [[ $output == *'db/V2-x.sql: its name is not one that Flyway accepts'* ]]
    rm db/afterMigrate.sql db/B1__base.sql db/V2-x.sql
    # shellcheck disable=SC2016 # a placeholder of Flyway
    echo 'INSERT INTO users VALUES (9, '\''${name}'\'', NULL, 1);' >db/V3__nine.sql
    echo 'DELETE FROM users WHERE id = 9;' >db/U3__nine.sql
    run release v1.2.0
    [[ $status -eq 2 && $output == *'db/V3__nine.sql, line 1: it has the placeholder ${name}'* ]]
    printf 'placeholderReplacement=false\n' >db/V3__nine.sql.conf
    release v1.2.0
    echo 'CREATE VIEW v AS SELECT 1;' >db/R__v.sql
    run release v1.3.0
    [[ $status -eq 2 && $output == *'db/R__v.sql'*'repeatable migration'* ]]
    rm rbtool.json
    run rbtool init
    [[ $output == *'db/R__v.sql: it is a repeatable migration of Flyway'* ]]
}

# A project of Sqitch at the top of the repository: two changes, a tag, and a rework.
sqitch() { command sqitch --quiet "$@"; }

sqitch_change() { # add|rework NAME DEPLOY REVERT [OPTIONS]
    sqitch "$1" "$2" -n "change $2" "${@:5}" 2>/dev/null
    printf 'BEGIN;\n%s\nCOMMIT;\n' "$3" >"deploy/$2.sql"
    printf 'BEGIN;\n%s\nCOMMIT;\n' "$4" >"revert/$2.sql"
}

sqitch_project() { # ENGINE PROJECT-OPTIONS
    command -v sqitch >/dev/null || skip "sqitch is not to be had"
    export SQITCH_FULLNAME='Ada Lovelace' SQITCH_EMAIL=ada@example.com TZ=UTC
    rmdir db
    sqitch init shop --engine "$1" "${@:2}"
    sed -i 's/"db"/"."/' rbtool.json
    sqitch_change add users 'CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL);' 'DROP TABLE users;'
    sqitch_change add names 'CREATE VIEW names AS SELECT name FROM users;' 'DROP VIEW names;' -r users
    sqitch tag v1.0.0 -n 'the first'
    release v1.0.0
}

sqitch_second_release() {
    sqitch_change rework names 'DROP VIEW names; CREATE VIEW names AS SELECT id, name FROM users;' \
        'DROP VIEW names; CREATE VIEW names AS SELECT name FROM users;'
    sqitch_change add parts/mail 'ALTER TABLE users ADD COLUMN email text;' \
        'ALTER TABLE users DROP COLUMN email;' -r users -r names@v1.0.0 --conflicts other:old
    sqitch tag v1.1.0 -n 'the second'
    release v1.1.0
}

@test "Sqitch on PostgreSQL: its own status, revert and deploy go on after rbtool's" {
    pg_database
    settings postgresql "$PGURL"
    sqitch_project pg --uri https://example.com/shop/
    local target="db:pg://postgres@/$PGNAME?host=$PGDIR"
    sqitch deploy --to @v1.0.0 "$target"
    pg "INSERT INTO users VALUES (1, 'Ada')"
    sqitch_second_release
    rbtool show v1.1.0 --json | jq -e '.predicate.databases[0] | .layout == "sqitch" and
        [.migrations[].id] == ["users", "names", "names#2", "parts/mail"]'
    rbtool deploy v1.1.0 --yes
    command sqitch status "$target" | grep -F 'Nothing to deploy (up-to-date)'
    sqitch check "$target"
    sqitch revert --to @v1.0.0 -y "$target"
    sqitch deploy "$target"
    rbtool status --exit-code
    rbtool revert v1.1.0 --to v1.0.0 --yes
    rbtool status --exit-code
    command sqitch status "$target" | grep -A 2 -F 'Undeployed changes:'
    sqitch deploy "$target"
    # Rows 3 and 4 are of rbtool's deploy, 9 and 10 of its revert; between them are Sqitch's own.
    pg 'SELECT event, change, note, tags, requires, conflicts, planned_at, planner_name, planner_email
        FROM sqitch.events ORDER BY committed_at' >events
    diff <(sed -n 3,6p events) <(sed -n 7,10p events)
    grep -F 'revert|parts/mail|change parts/mail|{@v1.1.0}|{users,names@v1.0.0}|{other:old}|' events
    [[ $(pg 'SELECT * FROM users') == '1|Ada|' ]]
    rbtool status | grep -F 'migration parts/mail'
}

@test "Sqitch on PostgreSQL: rbtool makes the registry, and its lock is taken" {
    pg_database
    settings postgresql "$PGURL"
    sqitch_project pg
    local target="db:pg://postgres@/$PGNAME?host=$PGDIR"
    hold 'SELECT pg_advisory_lock(75474063)'
    run rbtool deploy v1.0.0 --yes --lock-timeout 1s
    [[ $status -ne 0 && $output == *sqitch* ]]
    let_go
    rbtool deploy v1.0.0 --yes
    rbtool status --exit-code
    command sqitch status "$target" | grep -F 'Nothing to deploy (up-to-date)'
    sqitch_second_release
    sqitch deploy "$target"
    rbtool deploy v1.1.0 --yes --accept-drift
    rbtool revert v1.1.0 --to v1.0.0 --yes
    command sqitch status "$target" | grep -A 2 -F 'Undeployed changes:'
    sqitch revert -y "$target"
    [[ -z $(pg "SELECT 1 FROM pg_tables WHERE tablename = 'users'") ]]
}

@test "Sqitch on SQLite: the plan says that its registry is another file, and its --log-only goes on" {
    settings sqlite "sqlite:$DB"
    sqitch_project sqlite
    run rbtool deploy v1.0.0 --yes
    [[ $output == *'sqitch keeps its record in a file of its own, which stays as it is; afterwards run its deploy with --log-only'* ]]
    sqitch deploy --log-only "db:sqlite:$DB"
    sqitch_second_release
    rbtool deploy v1.1.0 --yes
    sqitch deploy --log-only "db:sqlite:$DB"
    command sqitch status "db:sqlite:$DB" | grep -F 'Nothing to deploy (up-to-date)'
    rbtool revert v1.1.0 --yes
    sqitch revert --log-only --to @v1.0.0 -y "db:sqlite:$DB"
    sqitch deploy "db:sqlite:$DB"
    [[ $(sqlite3 "$DB" 'SELECT count(email) FROM users') == 0 ]]
}

@test "Sqitch: init finds the plan at the top, and lint names scripts that no change has" {
    settings sqlite "sqlite:$DB"
    sqitch_project sqlite
    echo 'SELECT 1;' >deploy/stray.sql
    echo 'SELECT 1; -- {{ }}' >report.sql
    git add -A && git commit -qm more
    run rbtool lint
    [[ $status -eq 0 && $output == *'deploy/stray.sql: no change of sqitch.plan has this script'* ]]
    [[ $output != *report.sql* ]]
    rm rbtool.json
    git rm -q --cached rbtool.json && git commit -qm 'no settings'
    rbtool init
    jq -e '.databases.main | .migrations == "." and .engine == "sqlite"' rbtool.json
    printf '[core]\n\tengine = sqlite\n\tdeploy_dir = sql/up\n' >sqitch.conf
    run release v1.1.0
    [[ $status -eq 2 && $output == *'sqitch.conf: deploy_dir is sql/up, and only deploy is supported'* ]]
}

@test "Sqitch at the top: hooks refuse an edited change, and ask how scripts go back, not other files" {
    settings sqlite "sqlite:$DB"
    sqitch_project sqlite
    git init -q --bare "$BATS_TEST_TMPDIR/remote.git"
    git remote add origin "$BATS_TEST_TMPDIR/remote.git"
    rbtool init 2>/dev/null
    git push -q origin main v1.0.0
    echo text >README
    git add README
    git commit -qm 'a file that is no script'
    git push -q origin main
    echo 'SELECT 1;' >>deploy/users.sql
    run git commit -qam edited
    [[ $status -eq 1 && $output == *'this commit touches migrations (deploy/users.sql) without a trailer'* ]]
    git commit -qam edited -m 'Rollback: reversible'
    run git push -q origin main
    [[ $status -eq 1 && $output == *'changes migration users, which was released with v1.0.0 (deploy/users.sql)'* ]]
}
