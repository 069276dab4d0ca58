#!/usr/bin/env bats
# Scripts that PostgreSQL refuses in a transaction: the transition takes several commits, and what
# is committed is undone by the inverse scripts.

bats_require_minimum_version 1.5.0
load lib
load transition
load postgres

# v1.0.0 is live in the database `lab`; v1.1.0 adds a column, an index without locks, and a table.
setup_file() {
    pg_start
    export LAB=$BATS_FILE_TMPDIR PROD=$BATS_FILE_TMPDIR/prod PGNAME=shop
    PGURL=$("$ROOT/tests/postgres" url "$PGDIR" "$PGNAME")
    export PGURL
    home
    keys
    export KEYS
    git init -q "$LAB/shop"
    cd "$LAB/shop" || return
    mkdir -p "$PROD" migrations
    echo 1.0.0 >VERSION
    jq -n --arg root "$PROD" --arg url "$PGURL" '{app: {name: "app", version: {file: "VERSION"}},
        databases: {main: {engine: "postgresql", migrations: "migrations"}},
        environments: {prod: {root: $root, databases: {main: $url}}}}' >rbtool.json
    migration 1_orders "CREATE TABLE orders (id int PRIMARY KEY, total int); CREATE TYPE mood AS ENUM ('sad');" \
        'DROP TABLE orders; DROP TYPE mood;'
    release v1.0.0
    migration 2_note 'ALTER TABLE orders ADD COLUMN note text;' 'ALTER TABLE orders DROP COLUMN note;'
    migration 3_index 'CREATE UNIQUE INDEX CONCURRENTLY orders_total ON orders (total);' \
        'DROP INDEX CONCURRENTLY orders_total;'
    migration 4_lines 'CREATE TABLE lines (id int);' 'DROP TABLE lines;'
    release v1.1.0
    migration 5_calm "ALTER TYPE mood ADD VALUE 'calm';" \
        "ALTER TYPE mood RENAME TO moods; CREATE TYPE mood AS ENUM ('sad'); DROP TYPE moods;"
    migration 6_mood "ALTER TABLE orders ADD COLUMN mood mood DEFAULT 'calm';" 'ALTER TABLE orders DROP COLUMN mood;'
    release v1.2.0
    as_admin 'CREATE DATABASE shop'
    rbtool deploy v1.0.0 --yes
    pg "INSERT INTO orders SELECT i, i * 100 FROM generate_series(1, 10) i"
    as_admin 'ALTER DATABASE shop RENAME TO lab'
    mkdir "$LAB/kept"
    mv "$LAB/shop" "$PROD" "$LAB/kept"
}

teardown_file() { pg_stop; }

setup() {
    rm -rf "$LAB/shop" "$PROD"
    cp -a "$LAB/kept/." "$LAB"
    as_admin 'DROP DATABASE IF EXISTS shop WITH (FORCE)'
    as_admin 'CREATE DATABASE shop TEMPLATE lab'
    cd "$LAB/shop" || return
}

migration() { # NAME UP DOWN
    echo "$2" >"migrations/$1.up.sql"
    echo "$3" >"migrations/$1.down.sql"
}

# What a person would compare: tables, columns, indexes, rows, what is applied.
picture() {
    pg "SELECT c.relname, c.relkind, i.indisvalid, (SELECT string_agg(attname, ',' ORDER BY attnum)
            FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
        FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
        WHERE relnamespace = 'public'::regnamespace AND relname !~ '^(rbtool|schema_migrations)' ORDER BY 1" \
        'SELECT * FROM orders ORDER BY id' 'SELECT id FROM rbtool_applied ORDER BY sequence'
}

# killed_at PATTERN COMMAND...: kills rbtool where it adds a row of that id to the journal.
killed_at() {
    local pattern=$1
    shift
    pg 'CREATE SCHEMA rbtool_test' \
        "CREATE FUNCTION rbtool_test.wait() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
            'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END'" \
        "CREATE TRIGGER wait AFTER INSERT ON rbtool_journal FOR EACH ROW
            WHEN (NEW.transition_id ~ '$pattern') EXECUTE FUNCTION rbtool_test.wait()"
    hold 'SELECT pg_advisory_lock(7)'
    "$@" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 7>&- &
    local pid=$!
    wait_for any "wait_event = 'advisory'"
    kill -KILL "$pid"
    wait "$pid" || true
    let_go
    pg 'DROP SCHEMA rbtool_test CASCADE'
}

# Kills rbtool and its session while it builds an index of TAG.
killed_in_index() {
    hold 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1'
    rbtool deploy "$1" --yes --accept-data-loss "$(digest --deploy "$1")" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 7>&- &
    local pid=$!
    wait_for any "query ~ 'CONCURRENTLY' AND wait_event_type = 'Lock'"
    kill -KILL "$pid"
    wait "$pid" || true
    pg "SELECT pg_terminate_backend($(sessions "query ~ 'CONCURRENTLY'"))"
    let_go
}

# The journal's rows, without the transition's id.
rows() {
    pg "SELECT regexp_replace(transition_id, '^[^.]*', 'T') FROM rbtool_journal ORDER BY sequence" | paste -sd' '
}

deploy() { # TAG: agrees to the plan's digest
    rbtool deploy "$1" --yes --accept-data-loss "$(digest --deploy "$1")"
}

@test "a plan of three commits says so, and exits 5 until a person agrees" {
    run -5 rbtool deploy v1.1.0 --yes
    [[ $output == *'database main: its scripts take 3 commits'*'the inverses of the committed scripts run'* ]]
    [[ $(pg 'SELECT count(*) FROM rbtool_applied') == 1 ]]
    run -5 rbtool plan --deploy v1.1.0
    [[ $output == *'main in 3 commits: up 2; outside of a transaction up 3; up 4; verify'* ]]
    run -5 --separate-stderr rbtool plan --deploy v1.1.0 --json
    [[ $(jq -c '[.class, .databases[0].commits, [.databases[0].scripts[].outside], .decisions[].code]' <<<"$output") == \
        '["reversible",3,[null,true,null],"commits"]' ]]
    schema plan <<<"$output"
}

@test "deploy and revert run each script in its segment, and leave what they should" {
    local before
    before=$(picture)
    deploy v1.1.0
    [[ $(picture) == *'orders_total|i|t|total'* ]]
    [[ $(rows) == 'T T.1 T.2 T' ]]
    settled_at v1.1.0
    run -5 rbtool revert v1.1.0 --yes
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest)"
    [[ $(picture) == "$before" ]]
    settled_at v1.0.0
}

@test "revert.sh of a bundle runs a script outside of a transaction, too, with psql alone" {
    local all=(pg_dump -h "$PGDIR" -U postgres -T 'rbtool_journal*' shop)
    deploy v1.1.0
    as_admin 'CREATE DATABASE shop_copy TEMPLATE shop'
    cp -a "$PROD" "$LAB/copy"
    rbtool revert v1.1.0 -o "$BATS_TEST_TMPDIR/bundle"
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest)"
    "${all[@]}" | grep -v restrict >"$BATS_TEST_TMPDIR/expected"
    rm -rf "$PROD" && mv "$LAB/copy" "$PROD"
    as_admin 'DROP DATABASE shop'
    as_admin 'ALTER DATABASE shop_copy RENAME TO shop'
    [[ $(picture) == *orders_total* ]]
    PATH=/usr/bin:/bin sh "$BATS_TEST_TMPDIR/bundle/revert.sh"
    "${all[@]}" | grep -v restrict | diff "$BATS_TEST_TMPDIR/expected" -
}

@test "a script that uses an enum value which the one before adds begins a segment" {
    local before
    before=$(picture)
    run -5 rbtool plan --deploy v1.2.0
    [[ $output == *'main in 4 commits: up 2; outside of a transaction up 3; up 4, up 5; up 6; verify'* ]]
    deploy v1.2.0
    [[ $(pg 'SELECT mood FROM orders LIMIT 1') == calm ]]
    settled_at v1.2.0
    rbtool revert v1.2.0 --yes --accept-data-loss "$(digest)"
    [[ $(picture) == "$before" ]]
}

@test "a script that its tool runs outside of a transaction may use an enum value which it adds itself" {
    local before
    echo '-- no-transaction' | tee migrations/7_glad.up.sql >migrations/7_glad.down.sql
    cat >>migrations/7_glad.up.sql <<'SQL'
COMMENT ON TABLE lines IS NULL;
ALTER TYPE mood ADD VALUE 'glad';
ALTER TABLE orders ALTER mood SET DEFAULT 'glad';
UPDATE orders SET mood = 'glad' WHERE id <= 3;
SQL
    cat >>migrations/7_glad.down.sql <<'SQL'
ALTER TYPE mood RENAME TO moods;
CREATE TYPE mood AS ENUM ('sad');
ALTER TYPE mood ADD VALUE 'calm';
UPDATE orders SET mood = 'calm' WHERE mood = 'glad';
ALTER TABLE orders ALTER mood DROP DEFAULT, ALTER mood TYPE mood USING mood::text::mood;
ALTER TABLE orders ALTER mood SET DEFAULT 'calm';
DROP TYPE moods;
SQL
    release v1.3.0 --accept RB006,RB010
    [[ $(rbtool show v1.3.0 --json | jq -c '[.predicate.databases[0].proof.migrations[] | .id, .restores]') == \
        '["7","identical"]' ]]
    # Locks of the statements before the commit count, too.
    [[ $(rbtool show v1.3.0 --json | jq -c '[.predicate.databases[0].proof.migrations[].locks[] |
        select(.direction == "up") | .table, .mode]') == \
        '["lines","SHARE UPDATE EXCLUSIVE","orders","ACCESS EXCLUSIVE"]' ]]
    deploy v1.2.0
    before=$(picture)
    run -5 rbtool plan --deploy v1.3.0
    [[ $output == *'outside of a transaction up 7'* ]]
    rbtool plan --deploy v1.3.0 --rehearse --json | jq -e '.rehearsed'
    deploy v1.3.0
    [[ $(pg "SELECT count(*) FROM orders WHERE mood = 'glad'") == 3 ]]
    settled_at v1.3.0
    rbtool revert v1.3.0 -o "$BATS_TEST_TMPDIR/bundle"
    grep -q 'postgresql_each "\$DATABASE_1"' "$BATS_TEST_TMPDIR/bundle/revert.sh"
    rbtool revert v1.3.0 --yes --accept-data-loss "$(digest)"
    [[ $(picture) == "$before" ]]
    settled_at v1.2.0
}

# A constraint of the data stops the index: its first commit is undone.
@test "a down that takes an enum value out of use is proven, and reverts rows that have the value" {
    local before
    migration 7_glad "ALTER TYPE mood ADD VALUE 'glad';" "UPDATE orders SET mood = 'calm' WHERE mood = 'glad';
        ALTER TABLE orders ALTER mood DROP DEFAULT; ALTER TYPE mood RENAME TO moods; CREATE TYPE mood AS ENUM ('sad', 'calm');
        ALTER TABLE orders ALTER mood TYPE mood USING mood::text::mood, ALTER mood SET DEFAULT 'calm'; DROP TYPE moods;"
    migration 8_use "UPDATE orders SET mood = 'glad' WHERE id <= 3;" "UPDATE orders SET mood = 'calm' WHERE id <= 3;"
    release v1.3.0 --accept RB010
    [[ $(rbtool show v1.3.0 --json | jq -c '[.predicate.databases[0].proof.migrations[] | .id, .restores]') == \
        '["7","identical","8","identical"]' ]]
    deploy v1.2.0
    before=$(picture)
    killed_at '^[^.]*$' rbtool deploy v1.3.0 --yes --accept-data-loss "$(digest --deploy v1.3.0)"
    [[ $(rows | tail -c 4) == T.1 ]]
    rbtool abort --yes
    [[ $(picture) == "$before" ]]
    deploy v1.3.0
    pg "UPDATE orders SET mood = 'glad' WHERE id = 9"
    rbtool revert v1.3.0 --yes --accept-data-loss "$(digest)"
    [[ $(picture) == "$before" ]]
    settled_at v1.2.0
}

@test "a column that one segment drops and the table that a later one drops are one loss in the plan" {
    local before
    migration 7_later 'CREATE TABLE later (id int);' 'DROP TABLE later;'
    migration 8_totals 'CREATE INDEX CONCURRENTLY orders_totals ON orders (total);' \
        'DROP INDEX CONCURRENTLY orders_totals;'
    migration 9_column 'ALTER TABLE later ADD COLUMN what text;' 'ALTER TABLE later DROP COLUMN what;'
    release v1.3.0
    deploy v1.2.0
    before=$(picture)
    deploy v1.3.0
    rbtool revert v1.3.0 --yes --accept-data-loss "$(digest)"
    [[ $(picture) == "$before" ]]
}

@test "a failure after the first commit runs the inverse scripts, and leaves no INVALID index" {
    local before
    pg 'INSERT INTO orders VALUES (11, 100)'
    before=$(picture)
    run -1 rbtool deploy v1.1.0 --yes --accept-data-loss "$(digest --deploy v1.1.0)"
    [[ $output == *'migration 3 index (up): '*'could not create unique index'*'nothing was changed'* ]]
    [[ $(picture) == "$before" ]]
    [[ $(rows) == T ]]
    settled_at v1.0.0
}

@test "an index that was there before is not dropped when a script that makes the same one fails" {
    pg 'CREATE INDEX orders_total ON orders (id)'
    run -1 rbtool deploy v1.1.0 --yes --accept-drift --accept-data-loss "$(digest --deploy v1.1.0)"
    [[ $output == *'"orders_total" already exists'* ]]
    [[ $(pg "SELECT count(*) FROM pg_class WHERE relname = 'orders_total'") == 1 ]]
}

# v1.3.0 destroys data in its first commit, and makes an index in its second.
destroying() {
    migration 7_drop 'ALTER TABLE orders DROP COLUMN note; DROP TABLE lines;' \
        'ALTER TABLE orders ADD COLUMN note text; CREATE TABLE lines (id int);'
    migration 8_index 'CREATE UNIQUE INDEX CONCURRENTLY orders_mood ON orders (mood);' 'DROP INDEX CONCURRENTLY orders_mood;'
    release v1.3.0 --accept RB003
    deploy v1.2.0
    pg "UPDATE orders SET note = 'n' || id" 'INSERT INTO lines VALUES (1), (1), (2)'
}

rows_at_risk() {
    pg 'SELECT id, note FROM orders ORDER BY id' 'SELECT id FROM lines ORDER BY id'
}

@test "what a committed segment destroyed comes back from the backup when a later one fails" {
    local before id
    destroying
    pg 'DELETE FROM orders WHERE id > 1' 'CREATE SCHEMA rbtool_test' \
        "CREATE FUNCTION rbtool_test.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the sky falls''; END'" \
        "CREATE TRIGGER refuse AFTER INSERT ON rbtool_journal FOR EACH ROW
            WHEN (NEW.transition_id !~ '[.]1$') EXECUTE FUNCTION rbtool_test.refuse()"
    before=$(rows_at_risk)
    run -1 rbtool deploy v1.3.0 --yes --accept-data-loss "$(digest --deploy v1.3.0)"
    pg 'DROP SCHEMA rbtool_test CASCADE'
    [[ $output == *'the sky falls'*'what was committed is undone'*'destroyed is in backup'* ]]
    [[ $(rows_at_risk) != "$before" ]]
    id=$(rbtool backups --json | jq -r '.backups[0].id')
    [[ $output == *"hint: restore it with \`rbtool restore $id --env prod --yes\`"* ]]
    settled_at v1.2.0
    rbtool restore "$id" --yes
    [[ $(rows_at_risk) == "$before" ]]
}

@test "a backup whose transition was killed between two segments is complete after resume, and listed after abort" {
    local before
    destroying
    pg 'DELETE FROM orders WHERE id > 1'
    before=$(rows_at_risk)
    killed_at '^[^.]*$' rbtool deploy v1.3.0 --yes --accept-data-loss "$(digest --deploy v1.3.0)"
    cp -a "$PROD" "$BATS_TEST_TMPDIR/half"
    as_admin 'DROP DATABASE IF EXISTS half WITH (FORCE)'
    as_admin 'CREATE DATABASE half TEMPLATE shop'
    rbtool resume --yes
    settled_at v1.3.0
    rbtool revert v1.3.0 --yes --accept-data-loss "$(digest)"
    [[ $(rows_at_risk) == "$before" ]]
    rm -r "$PROD"
    mv "$BATS_TEST_TMPDIR/half" "$PROD"
    as_admin 'DROP DATABASE shop WITH (FORCE)'
    as_admin 'ALTER DATABASE half RENAME TO shop'
    rbtool abort --yes >"$BATS_TEST_TMPDIR/out" 2>&1
    grep -q 'what its committed scripts destroyed is in a backup' "$BATS_TEST_TMPDIR/out"
    rbtool restore "$(rbtool backups --json | jq -r '.backups[0].id')" --yes
    [[ $(rows_at_risk) == "$before" ]]
}

@test "a transition that was killed before an index is recorded is completed by resume, and undone by abort" {
    local before
    before=$(picture)
    killed_at '[.]2$' rbtool deploy v1.1.0 --yes --accept-data-loss "$(digest --deploy v1.1.0)"
    [[ $(rows) == 'T T.1' && $(picture) == *'orders_total|i|t|total'* ]]
    run -3 rbtool deploy v1.1.0 --yes
    cp -a "$PROD" "$BATS_TEST_TMPDIR/half"
    as_admin 'DROP DATABASE IF EXISTS half WITH (FORCE)'
    as_admin 'CREATE DATABASE half TEMPLATE shop'
    rbtool resume --yes
    [[ $(rows) == 'T T.1 T.2 T' ]]
    settled_at v1.1.0
    rm -r "$PROD"
    mv "$BATS_TEST_TMPDIR/half" "$PROD"
    as_admin 'DROP DATABASE shop WITH (FORCE)'
    as_admin 'ALTER DATABASE half RENAME TO shop'
    rbtool abort --yes
    [[ $(picture) == "$before" && $(rows) == T ]]
    settled_at v1.0.0
}

@test "a transition that was killed in its last segment keeps those before it: resume goes on, abort undoes" {
    local before
    before=$(picture)
    killed_at '^[^.]*$' rbtool deploy v1.1.0 --yes --accept-data-loss "$(digest --deploy v1.1.0)"
    [[ $(rows) == 'T T.1 T.2' ]]
    rbtool resume --yes
    settled_at v1.1.0
    local after
    after=$(picture)
    killed_at '^[^.]*$' rbtool revert v1.1.0 --yes --accept-data-loss "$(digest)"
    rbtool abort --yes
    [[ $(picture) == "$after" ]]
    settled_at v1.1.0
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest)"
    [[ $(picture) == "$before" ]]
}

@test "an INVALID index of a script that was cut off is dropped, and the script runs again" {
    killed_in_index v1.1.0
    [[ $(picture) == *'orders_total|i|f|total'* ]]
    rbtool resume --yes
    [[ $(picture) == *'orders_total|i|t|total'* ]]
    settled_at v1.1.0
}

@test "where nothing shows whether a statement has happened, a person says so" {
    migration 7_both 'CREATE TABLE audit (id int); CREATE INDEX CONCURRENTLY audit_id ON audit (id);' 'DROP TABLE audit;'
    release v1.3.0 --accept RB006
    deploy v1.2.0
    killed_in_index v1.3.0
    run -3 rbtool resume --yes
    [[ $output == *'7_both.up.sql line 1: it was cut off, and nothing shows whether this statement has happened'*'--step-done'* ]]
    run -3 rbtool abort --yes
    [[ $output == *'--step-done'* ]]
    run -3 rbtool resume --yes --step-retry
    [[ $output == *'relation "audit" already exists'* ]]
    pg 'CREATE INDEX audit_id ON audit (id)'
    rbtool resume --yes --step-done
    settled_at v1.3.0
}
