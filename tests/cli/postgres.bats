#!/usr/bin/env bats
# A repository whose database is PostgreSQL, on a private server. Its releases are made once; each
# test gets a copy of the repository, of the environment at v1.0.0, and of its database.

load lib
load transition
load postgres

setup_file() {
    pg_start
    export LAB=$BATS_FILE_TMPDIR PROD=$BATS_FILE_TMPDIR/prod PGNAME=shop
    PGURL=$("$ROOT/tests/postgres" url "$PGDIR" "$PGNAME")
    export PGURL
    home
    keys
    export KEYS
    shop "$LAB/shop"
    mkdir -p "$PROD/etc"
    jq --arg url "$PGURL" --arg file "sqlite:$PROD/data/notes.db" '
        .databases.main.engine = "postgresql" | .checks.sql = ["checks/*/*.sql"] |
        .databases.notes = {engine: "sqlite", migrations: "notes"} |
        .environments.prod.databases = {main: $url, notes: $file}' rbtool.json >new.json
    mv new.json rbtool.json
    mkdir notes checks/main
    git mv checks/totals.sql checks/main
    echo 'CREATE TABLE notes (id INTEGER PRIMARY KEY);' >notes/1_notes.up.sql
    echo 'DROP TABLE notes;' >notes/1_notes.down.sql
    release v1.0.0
    second
    echo 'ALTER TABLE notes ADD COLUMN body TEXT;' >notes/2_body.up.sql
    echo 'ALTER TABLE notes DROP COLUMN body;' >notes/2_body.down.sql
    release v1.1.0
    third
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

# What people write for psql: bodies of every kind, data, a wrapping transaction, and a script that
# fails on what is in this database only.
third() {
    cat >migrations/0003_countries.up.sql <<'SQL'
BEGIN;
/* nested /* comments; */ ; */
CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
COPY countries (code, name) FROM stdin;
at	Austria; COMMIT;
fr	France
\.
CREATE FUNCTION country(c text) RETURNS text LANGUAGE sql
BEGIN ATOMIC
    SELECT name FROM countries WHERE code = c;
END;
CREATE FUNCTION twice(i int) RETURNS int LANGUAGE plpgsql AS $body$
BEGIN
    RETURN i * 2; -- ; COMMIT;
END;
$body$;
SET search_path = nowhere;
SET DateStyle = 'SQL, DMY';
COMMIT;
SQL
    printf 'DROP FUNCTION twice(int);\nDROP FUNCTION country(text);\nDROP TABLE countries;\n' \
        >migrations/0003_countries.down.sql
    cat >migrations/0004_limit.up.sql <<'SQL'
DO $$
BEGIN
    IF EXISTS (SELECT FROM orders WHERE id = 666) THEN
        RAISE EXCEPTION 'order 666 is not for sale' USING HINT = 'remove it';
    END IF;
END $$;
COMMENT ON TABLE orders IS 'ok';
SQL
    echo 'COMMENT ON TABLE orders IS NULL;' >migrations/0004_limit.down.sql
}

# Of main, and of the SQLite database beside it.
columns() {
    sqlite3 "$PROD/data/notes.db" "SELECT 'body ' FROM pragma_table_info('notes') WHERE name = 'body'" | tr -d '\n'
    pg "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attnum > 0
        AND NOT attisdropped AND attrelid = 'orders'::regclass"
}

# restored_server FOLDER SETTING: starts a copy of the server, and recovers it to there.
restored_server() {
    local as=()
    printf '%s\n' "$2" "restore_command = 'cp $PGDIR/data/pg_wal/%f %p'" "unix_socket_directories = '$1'" \
        "recovery_target_action = promote" >>"$1/data/postgresql.conf"
    touch "$1/data/recovery.signal"
    if [[ $(id -u) -eq 0 ]]; then
        chown -R nobody:nogroup "$1"
        as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    fi
    "${as[@]}" /usr/lib/postgresql/15/bin/postgres -D "$1/data" >"$BATS_TEST_TMPDIR/second.log" 2>&1 3>&- &
    wait_for psql -qX -h "$1" -U postgres -c 'SELECT 1' postgres
}

@test "deploy, status, drift and revert move a PostgreSQL database and a SQLite database together" {
    rbtool deploy v1.1.0 --yes
    [[ $(columns) == "body id,total,discount" ]]
    settled_at v1.1.0
    pg 'CREATE TABLE stray (id int)'
    rbtool status --json | jq -e '.drift | length == 1 and (.[0].path | endswith("table stray"))'
    pg 'DROP TABLE stray'
    rbtool plan --json | schema plan
    rbtool revert v1.1.0 --yes
    [[ $(columns) == id,total ]]
    [[ $(pg 'SELECT count(*), sum(total) FROM orders') == '10|5500' ]]
    settled_at v1.0.0
    [[ $(pg 'SELECT id FROM rbtool_applied') == 1 ]]
    [[ $(pg 'SELECT from_release, to_release FROM rbtool_journal ORDER BY sequence') == $'|v1.0.0\nv1.0.0|v1.1.0\nv1.1.0|v1.0.0' ]]
}

@test "the plan names a restore point, the deploy creates it, and the server can be restored to it" {
    second=$(mktemp -d /tmp/rbtool-pg.XXXXXX)
    pg_basebackup -h "$PGDIR" -U postgres -D "$second/data" -c fast
    as_admin "ALTER SYSTEM SET archive_command = 'pgbackrest --stanza=shop archive-push %p'"
    as_admin 'SELECT pg_reload_conf()'
    pg 'INSERT INTO orders VALUES (11, 0)'
    name=$(rbtool plan --deploy v1.1.0 --json | jq -r '.recovery[0].restorePoint')
    rbtool deploy v1.1.0 --yes --json >"$BATS_TEST_TMPDIR/json"
    schema transition <"$BATS_TEST_TMPDIR/json"
    [[ $(jq -r '.recovery[0] | [.restorePoint, .pgbackrest, .timeline] | join("|")' "$BATS_TEST_TMPDIR/json") == \
        "$name|pgbackrest --stanza=shop --delta --type=name --target=$name restore|1" ]]
    grep "restore point \"$name\" created at $(jq -r '.recovery[0].lsn' "$BATS_TEST_TMPDIR/json")" "$PGDIR/log"
    rbtool log --json | jq -se --arg name "$name" 'map(.entry.transition.recovery[0]?) | any(.restorePoint == $name and .timeline == 1)'
    rbtool plan v1.1.0 --format markdown | grep -F "restored to the moment before the commit: \`recovery_target_name = 'rbtool-"
    as_admin 'ALTER SYSTEM RESET archive_command'
    as_admin 'SELECT pg_reload_conf(), pg_switch_wal()'
    restored_server "$second" "recovery_target_name = '$name'"
    run psql -qXAt -h "$second" -U postgres -c "SELECT string_agg(attname, ',' ORDER BY attnum), (SELECT max(id) FROM orders)
        FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0" shop
    kill -QUIT "$(head -1 "$second/data/postmaster.pid")"
    [[ $output == 'id,total|11' ]]
    rm -rf "$second"
}

@test "scripts run as they are written for psql, and do not affect each other" {
    rbtool deploy v1.2.0 --yes
    [[ $(pg "SELECT country('at') || twice(21)") == 'Austria; COMMIT;42' ]]
    [[ $(pg "SELECT obj_description('orders'::regclass)") == ok ]]
    settled_at v1.2.0
}

@test "a statement that fails undoes the deploy and is named with line, SQLSTATE and hint" {
    pg 'INSERT INTO orders VALUES (666, 0)'
    fails 1 'migration 4 limit (up): migrations/0004_limit.up.sql line 1: order 666 is not for sale (SQLSTATE P0001), while running "DO $$..."' \
        rbtool deploy v1.2.0 --yes
    [[ $output == *'nothing was changed'*'hint: remove it'* ]]
    [[ $(pg "SELECT to_regclass('countries') IS NULL") == t ]]
    settled_at v1.0.0
}

@test "a deploy gives way to a report that holds a lock, stops no reader, and goes on when it is free" {
    jq '.environments.prod.lockTimeout = 600' rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
    hold 'BEGIN; SELECT count(*) FROM orders'
    deploy_in_background v1.1.0
    wait_for any "wait_event_type = 'Lock'"
    first=$(sessions 'true' | head -1)
    wait_for any "pid <> $first"
    PGOPTIONS='-c statement_timeout=20000' pg 'SELECT count(*) FROM orders'
    let_go
    wait "$DEPLOY"
    settled_at v1.1.0
}

@test "a deploy gives up after lockTimeout, names who holds the lock, and changes nothing" {
    hold 'BEGIN; SELECT count(*) FROM orders'
    fails 1 'application "reporting"' rbtool deploy v1.1.0 --yes --lock-timeout 1s
    [[ $output == *'SQLSTATE 55P03'* && $output == *'environments.prod.lockTimeout'* && $output == *'nothing was changed'* ]]
    let_go
    [[ $(columns) == id,total ]]
    settled_at v1.0.0
}

@test "another run of rbtool, or the migration tool itself, ends a deploy with exit 4 and its name" {
    for key in 125767185821548 "$(golang_migrate_key)"; do
        hold "BEGIN; SELECT pg_advisory_xact_lock($key)"
        fails 4 'holds its lock: pid ' rbtool deploy v1.1.0 --yes
        [[ $output == *'application "reporting"'* && $output == *'pg_terminate_backend'* ]]
        let_go
        rm "$BATS_TEST_TMPDIR/fifo"
    done
    settled_at v1.0.0
}

# Of a database "shop", as golang-migrate computes it.
golang_migrate_key() {
    python3 -c 'import zlib; print(zlib.crc32(b"public\0schema_migrations\0shop") * 1486364155 % 2**32)'
}

@test "a session that the server ends in the middle of the scripts undoes the deploy" {
    hold 'BEGIN; SELECT count(*) FROM orders'
    deploy_in_background v1.1.0
    wait_for any "wait_event_type = 'Lock'"
    pg "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rbtool:%'"
    ends_with 1
    grep -q 'terminating connection due to administrator command (SQLSTATE 57P01)' "$BATS_TEST_TMPDIR/out"
    let_go
    [[ $(columns) == id,total ]]
    settled_at v1.0.0
}

@test "a commit that the server does not make undoes the deploy" {
    slow_commit
    deploy_in_background v1.1.0
    wait_for any "query = 'COMMIT' AND state = 'active'"
    pg "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rbtool:%'"
    ends_with 1
    let_go
    [[ $(columns) == id,total ]]
    settled_at v1.0.0
}

@test "resume waits for a server that still commits what a killed deploy has sent, and completes it" {
    slow_commit
    deploy_in_background v1.1.0
    wait_for any "query = 'COMMIT' AND state = 'active'"
    kill -9 "$DEPLOY"
    ends_with 137
    fails 4 'the session of the transition still runs (pid ' rbtool resume --yes
    let_go
    rbtool resume --yes
    [[ $(columns) == "body id,total,discount" ]]
    [[ $(pg "SELECT count(*) FROM rbtool_journal WHERE to_release = 'v1.1.0'") == 1 ]]
    settled_at v1.1.0
}

@test "resume runs the scripts again if the server did not commit what a killed deploy has sent" {
    slow_commit
    deploy_in_background v1.1.0
    wait_for any "query = 'COMMIT' AND state = 'active'"
    kill -9 "$DEPLOY"
    ends_with 137
    pg "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rbtool:%'"
    let_go
    [[ $(columns) == id,total ]]
    rbtool resume --yes
    [[ $(columns) == "body id,total,discount" ]]
    settled_at v1.1.0
}

@test "resume and abort name a session that still runs, and end it with --terminate" {
    for end in 'abort --yes --terminate' 'resume --yes --terminate'; do
        way=${end%% *}
        read -ra words <<<"$end"
        slow_commit
        deploy_in_background v1.1.0
        wait_for any "wait_event_type = 'Lock'"
        kill -KILL "$DEPLOY"
        ends_with 137
        fails 4 'the session of the transition still runs (pid ' rbtool $way --yes --lock-timeout 1s
        [[ $output == *"\`rbtool $way --env prod --terminate --yes\`"* ]]
        pg "CREATE OR REPLACE FUNCTION rbtool_test.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        rbtool "${words[@]}"
        let_go
        pg 'DROP SCHEMA rbtool_test CASCADE'
        rm "$BATS_TEST_TMPDIR/fifo"
        [[ $way == resume ]] || settled_at v1.0.0
    done
    settled_at v1.1.0
}

@test "abort undoes a deploy that was killed before its commit" {
    slow_commit
    deploy_in_background v1.1.0
    wait_for any "query = 'COMMIT' AND state = 'active'"
    kill -9 "$DEPLOY"
    ends_with 137
    pg "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rbtool:%'"
    let_go
    rbtool abort --yes
    [[ $(columns) == id,total ]]
    settled_at v1.0.0
}

# pool MODE: PgBouncer before the server; the environment's url leads to it.
pool() {
    cat >"$PGDIR/pool.ini" <<INI
[databases]
* = host=$PGDIR user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = $PGDIR
listen_port = 6432
auth_type = any
pool_mode = $1
INI
    local as=()
    [[ $(id -u) -ne 0 ]] || as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    "${as[@]}" pgbouncer -q "$PGDIR/pool.ini" 3>&- 7>&- &
    POOL=$!
    wait_for psql -qX -h "$PGDIR" -p 6432 -U postgres -c 'SELECT 1' shop
    jq --arg url "$PGURL&port=6432" '.environments.prod.databases.main = $url' rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
}

@test "a pool in transaction mode is refused by name, a pool in session mode is not" {
    pool transaction
    fails 2 'leads to a pool in transaction mode' rbtool deploy v1.1.0 --yes
    fails 1 'leads to a pool in transaction mode' rbtool env check --env prod
    kill "$POOL"
    wait "$POOL" || true
    git checkout -q rbtool.json
    pool session
    rbtool deploy v1.1.0 --yes
    kill "$POOL"
    [[ $(columns) == "body id,total,discount" ]]
}

@test "env check says how a database that does not exist is created" {
    as_admin 'DROP DATABASE shop'
    fails 1 "create it with \`createdb -h $PGDIR -p 5432 -U postgres shop\`" rbtool env check --env prod
}

@test "a server that does not answer: every command says how to try it" {
    rbtool deploy v1.1.0 --yes
    jq '.environments.prod.databases.main = "postgresql://keeper:hunter2@127.0.0.1:9/shop"' rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
    for command in "plan v1.1.0" "revert v1.1.0 --yes" "deploy v1.1.0 --yes" "drill"; do
        # shellcheck disable=SC2086 # words
        fails 2 "; see whether it answers with \`psql 'postgresql://keeper@127.0.0.1:9/shop' -c 'SELECT 1'\`" rbtool $command
    done
    fails 1 "hint: see whether it answers with \`psql " rbtool env check
    fails 2 "; \`rbtool plan v1.1.0 --env prod\` shows the ways back" rbtool revert v1.1.0 --yes
}

@test "a password is in no output, no state and no process list" {
    as_admin "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'hunter2'"
    jq --arg url "postgresql://keeper:hunter2@/shop?host=$PGDIR" \
        '.environments.prod.databases.main = $url' rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
    hold 'BEGIN; SELECT count(*) FROM orders'
    deploy_in_background v1.1.0
    wait_for any "wait_event_type = 'Lock'"
    [ -z "$(ps axww -o args | grep '[h]unter2')" ]
    let_go
    wait "$DEPLOY"
    rbtool plan --json >>"$BATS_TEST_TMPDIR/out" 2>&1
    rbtool status --json >>"$BATS_TEST_TMPDIR/out" 2>&1
    rbtool env check --json >>"$BATS_TEST_TMPDIR/out" 2>&1
    rbtool log --json >>"$BATS_TEST_TMPDIR/out" 2>&1
    [ -z "$(grep -r hunter2 "$BATS_TEST_TMPDIR/out" "$PROD")" ]
    [ -z "$(grep -r "$(printf hunter2 | xxd -p)" "$PROD")" ]
    settled_at v1.1.0
    as_admin 'DROP OWNED BY keeper' && as_admin 'DROP ROLE keeper' || true
}

@test "a deploy and a revert pause before their scripts, hold no session, and are resumed and undone" {
    run -3 rbtool deploy v1.1.0 --yes --pause-before database -m 'ask the owners first'
    [ "$(rbtool status --json | jq -r '.state, .paused.step')" = $'paused\ndatabase' ]
    [[ $(pg "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rbtool%'") == 0 ]]
    pg "INSERT INTO orders VALUES (11, 1100)" # the shop is open while people think
    rbtool resume --yes
    [[ $(columns) == "body id,total,discount" ]]
    settled_at v1.1.0
    run -3 rbtool revert v1.1.0 --yes --pause-before database -m 'ask the owners first'
    rbtool abort --yes
    settled_at v1.1.0
    run -3 rbtool revert v1.1.0 --yes --pause-before record -m 'ask the owners first'
    [[ $(columns) == id,total ]]
    rbtool resume --yes
    settled_at v1.0.0
    [[ $(pg 'SELECT count(*), sum(total) FROM orders') == '11|6600' ]]
    rbtool log --json --kind transition | jq -se '[.[].entry.transition | select(.paused) | .outcome] == ["done","aborted","done"]'
}

@test "drill reverts on a copy in a scratch server, killed at the commit too, and touches no row of this one" {
    rbtool deploy v1.1.0 --yes
    pg 'UPDATE orders SET discount = id'
    before=$(pg_dump -h "$PGDIR" -U postgres shop | grep -v '^.*restrict ' | sha256sum)
    TMPDIR=$BATS_TEST_TMPDIR rbtool drill --kill-at commit --json >doc
    schema drill <doc
    [ "$(jq -c '[.ok, .then, .outcome, .live, .drift]' doc)" = '[true,"resume","done","v1.0.0",[]]' ]
    pg_dump -h "$PGDIR" -U postgres -f "$BATS_TEST_TMPDIR/dump.sql" shop
    rbtool drill --from "main=$BATS_TEST_TMPDIR/dump.sql" --json >doc
    [ "$(jq -c '[.ok, .live, .dataAtRisk[0].values]' doc)" = '[true,"v1.0.0",10]' ]
    pg_dump -h "$PGDIR" -U postgres -Ft -f "$BATS_TEST_TMPDIR/dump.tar" shop
    rbtool drill --from "main=$BATS_TEST_TMPDIR/dump.tar"
    for ((i = 0; i < 260; i++)); do printf -- '-- %1048576d\n' 0; done | cat "$BATS_TEST_TMPDIR/dump.sql" - >"$BATS_TEST_TMPDIR/large.sql"
    rbtool drill --from "main=$BATS_TEST_TMPDIR/large.sql"
    rm "$BATS_TEST_TMPDIR/large.sql"
    pg_dump -h "$PGDIR" -U postgres --schema-only -f "$BATS_TEST_TMPDIR/schema.sql" shop
    fails 1 'the transition ended as failed: migration 1 orders (up)' rbtool drill --from "main=$BATS_TEST_TMPDIR/schema.sql"
    # The role is named after rows with apostrophes.
    printf '%s\n' 'CREATE TABLE texts (t text);' 'COPY public.texts (t) FROM stdin;' "it's" '\.' \
        "INSERT INTO public.texts VALUES ('it''s" "two lines; it''s');" 'ALTER TABLE texts OWNER TO owner_of_texts;' |
        sed 's/ texts / public.texts /' | cat "$BATS_TEST_TMPDIR/dump.sql" - >"$BATS_TEST_TMPDIR/rows.sql"
    rbtool drill --from "main=$BATS_TEST_TMPDIR/rows.sql"
    printf 'SELECT 1 / 0;\nSELECT 2;\n' >>"$BATS_TEST_TMPDIR/dump.sql"
    fails 2 'ERROR:  division by zero; write it with' rbtool drill --from "main=$BATS_TEST_TMPDIR/dump.sql"
    [[ $output != *x0a* ]]
    # The hint says what to do about this file.
    gzip <"$BATS_TEST_TMPDIR/dump.sql" >"$BATS_TEST_TMPDIR/d.gz"
    fails 2 "is compressed; write it out with \`gunzip -c <'$BATS_TEST_TMPDIR/d.gz' >dump.sql\`" rbtool drill --from "main=$BATS_TEST_TMPDIR/d.gz"
    pg_dump -h "$PGDIR" -U postgres -C -f "$BATS_TEST_TMPDIR/c.sql" shop
    fails 2 'it was written with --create' rbtool drill --from "main=$BATS_TEST_TMPDIR/c.sql"
    pg_dump -h "$PGDIR" -U postgres -a -Fc -f "$BATS_TEST_TMPDIR/a.dump" shop
    fails 2 'it lacks a table, as --data-only' rbtool drill --from "main=$BATS_TEST_TMPDIR/a.dump"
    [ "$(pg_dump -h "$PGDIR" -U postgres shop | grep -v '^.*restrict ' | sha256sum)" = "$before" ]
    settled_at v1.1.0
}

@test "revert.sh of a bundle leads to the end state of rbtool's revert with psql alone" {
    rbtool deploy v1.1.0 --yes
    as_admin 'CREATE DATABASE shop_copy TEMPLATE shop'
    cp -a "$PROD" "$LAB/copy"
    rbtool revert v1.1.0 -o "$LAB/bundle"
    rbtool revert v1.1.0 --yes
    state() {
        pg_dump -h "$PGDIR" -U postgres shop -T 'rbtool_journal*' | grep -v -e restrict -e rbtool_journal
        sqlite3 "$PROD/data/notes.db" .schema | grep -v rbtool
        readlink "$PROD/current"
        cat "$PROD/etc/flags.json" "$PROD/etc/app.toml"
    }
    state >"$LAB/expected"
    rm -rf "$PROD" && mv "$LAB/copy" "$PROD"
    as_admin 'DROP DATABASE shop'
    as_admin 'ALTER DATABASE shop_copy RENAME TO shop'
    PATH=/usr/bin:/bin sh "$LAB/bundle/revert.sh"
    state | diff "$LAB/expected" -
}

@test "scripts of revert.sh do not affect each other, and what it changed before a failure can be restored" {
    before() { pg_dump -h "$PGDIR" -U postgres shop | grep -v restrict; }
    rbtool deploy v1.1.0 --yes
    git checkout -q --detach v1.1.0
    echo 'CREATE TABLE cities (name text);' >migrations/0004_cities.up.sql
    echo 'DROP TABLE cities;' >migrations/0004_cities.down.sql
    printf 'COPY cities (name) FROM stdin;\nRome; it'"'"'s\n\\.\n' >migrations/0005_fill.up.sql
    # As pg_dump --data-only begins.
    printf '%s\n' "SELECT pg_catalog.set_config('search_path', '', false);" "DELETE FROM public.cities WHERE name LIKE 'Rome%';" \
        >migrations/0005_fill.down.sql
    release v1.1.1
    rbtool deploy v1.1.1 --yes
    rbtool revert v1.1.1 --to v1.0.0 -o "$LAB/by-hand"
    before >"$LAB/expected"
    pg 'ALTER TABLE orders DROP COLUMN discount'
    PATH=/usr/bin:/bin run sh "$LAB/by-hand/revert.sh"
    [[ $status -eq 1 && $output == *"with: sh $LAB/by-hand/revert.sh restore '$PROD/manual-"* ]]
    pg 'DROP TABLE cities'
    PATH=/usr/bin:/bin run -2 sh "$LAB/by-hand/revert.sh" restore "$LAB/none"
    local saved=("$PROD"/manual-*)
    touch "${saved[0]}/main-old.dump" # of a database whose name begins the same
    PATH=/usr/bin:/bin run sh "$LAB/by-hand/revert.sh" restore "${saved[0]}"
    pg 'SELECT name FROM cities'
    pg 'ALTER TABLE orders ADD COLUMN discount integer'
    before | diff "$LAB/expected" -
    PATH=/usr/bin:/bin sh "$LAB/by-hand/revert.sh"
    [[ $(pg 'SELECT count(*) FROM rbtool_applied') == 1 ]]
}
