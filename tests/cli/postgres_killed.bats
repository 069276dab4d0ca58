#!/usr/bin/env bats
# The server of a database, or the host of rbtool, fails while a release moves: the server is killed
# at each step, a disk is full, and settings of the database are not those that rbtool needs.

load lib
load transition
load postgres

setup_file() {
    pg_start
    export LAB=$BATS_FILE_TMPDIR PROD=$BATS_FILE_TMPDIR/prod
    PGURL=$("$ROOT/tests/postgres" url "$PGDIR" main)
    export PGURL
    home
    keys
    export KEYS
    shop "$LAB/shop"
    mkdir -p "$PROD/etc"
    jq --arg main "$PGURL" '.databases.main.engine = "postgresql" | .environments.prod.databases.main = $main' \
        rbtool.json >new.json
    mv new.json rbtool.json
    release v1.0.0
    second
    rbtool release v1.1.0
    as_admin 'CREATE DATABASE main'
    rbtool deploy v1.0.0 --yes
    pg "INSERT INTO orders SELECT i, i * 100 FROM generate_series(1, 10) i"
    as_admin 'ALTER DATABASE main RENAME TO lab'
    mkdir "$LAB/kept"
    mv "$LAB/shop" "$PROD" "$LAB/kept"
    cat >"$LAB/killer" <<SH
#!/bin/bash
postmaster=\$(head -1 "$PGDIR/data/postmaster.pid")
mapfile -t children < <(pgrep -P "\$postmaster")
kill -9 "\$postmaster"
for pid in "\${children[@]}"; do while [[ -e /proc/\$pid ]]; do sleep 0.05; done; done
SH
    chmod +x "$LAB/killer"
}

teardown_file() { pg_stop; }

setup() {
    rm -rf "$LAB/shop" "$PROD"
    cp -a "$LAB/kept/." "$LAB"
    as_admin "DROP DATABASE IF EXISTS main WITH (FORCE)"
    as_admin "CREATE DATABASE main TEMPLATE lab"
    cd "$LAB/shop" || return
}

at_source() {
    [[ -z $(columns) ]]
    settled_at v1.0.0
}

at_target() {
    [[ $(columns) == discount ]]
    settled_at v1.1.0
}

columns() {
    pg "SELECT attname FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'discount'"
}

restart() {
    local as=()
    [[ $(id -u) -ne 0 ]] || as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    "${as[@]}" /usr/lib/postgresql/15/bin/postgres -D "$PGDIR/data" >"$BATS_TEST_TMPDIR/server.log" 2>&1 3>&- 7>&- &
    wait_for psql -qX -h "$PGDIR" -U postgres -c 'SELECT 1' postgres 2>/dev/null
}

kill_server() {
    "$LAB/killer"
    let_go || true
}

@test "a server that is killed while the service stops undoes the deploy" {
    settings ".environments.prod.service.stop = [\"$LAB/killer\"]"
    fails 1 'cannot connect' rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [[ $output == *'nothing was changed'* ]]
    restart
    at_source
}

@test "the scripts run in the plan's session, and in a new one if the server has ended that one" {
    local ended="SELECT string_agg(state, ' ') FROM (SELECT pg_terminate_backend(pid) AS ended, state
        FROM pg_stat_activity WHERE application_name = 'rbtool') s WHERE ended"
    echo "psql -qXAt -h '$PGDIR' -U postgres -d main -c \"$ended\" >'$LAB/ended'" >"$LAB/ender"
    settings ".environments.prod.service.stop = [\"sh\", \"$LAB/ender\"]"
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [[ $(cat "$LAB/ended") == idle ]]
    at_target
}

@test "a server that is killed in the scripts undoes the deploy" {
    slow_commit 'NOT DEFERRABLE'
    deploy_in_background v1.1.0
    wait_for any "wait_event_type = 'Lock'"
    kill_server
    ends_with 1
    grep -q 'the connection to the server was lost: .*; nothing was changed, prod stays at v1.0.0' "$BATS_TEST_TMPDIR/out"
    grep -q "^hint: see whether it answers with \`psql '.*' -c 'SELECT 1'\`" "$BATS_TEST_TMPDIR/out"
    restart
    at_source
    pg 'DROP SCHEMA rbtool_test CASCADE'
    rbtool deploy v1.1.0 --yes
    at_target
}

@test "a server that is killed in a commit leaves the deploy half-way until it answers" {
    local way
    slow_commit
    deploy_in_background v1.1.0
    wait_for any "query = 'COMMIT' AND state = 'active'"
    kill_server
    ends_with 3
    grep -q 'are either all committed or all rolled back, and which of the two cannot be seen' "$BATS_TEST_TMPDIR/out"
    grep -q '^hint: see whether it answers with .*, and continue with `rbtool resume --env prod --yes`' "$BATS_TEST_TMPDIR/out"
    for way in resume abort; do
        fails 3 "user=postgres: cannot connect: connection to server" rbtool $way --yes
        [[ $output == *"hint: see whether it answers with \`psql "*", and go on with \`rbtool $way --env prod --yes\`"* ]]
        [[ $(rbtool status --json | jq -r .state) == interrupted ]]
    done
    restart
    pg 'DROP SCHEMA rbtool_test CASCADE'
    rbtool resume --yes
    at_target
}

@test "a session that is ended while it builds an index leaves the deploy half-way, and resume completes it" {
    local text='CREATE INDEX CONCURRENTLY orders_total ON orders (total);'
    rbtool deploy v1.1.0 --yes
    echo "$text" >migrations/0003_index.up.sql
    echo 'DROP INDEX CONCURRENTLY orders_total;' >migrations/0003_index.down.sql
    release v1.2.0
    hold 'BEGIN; UPDATE orders SET total = total WHERE id = 1'
    deploy_in_background v1.2.0
    wait_for any "query LIKE '%CONCURRENTLY%' AND wait_event_type = 'Lock'"
    pg "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rbtool:%'"
    ends_with 3
    let_go
    grep -q 'line 1: the connection to the server was lost: terminating connection .*; and what it did could not be undone: ' \
        "$BATS_TEST_TMPDIR/out"
    grep -q '^hint: see whether it answers with .*, and continue with `rbtool resume --env prod --yes`' "$BATS_TEST_TMPDIR/out"
    rbtool resume --yes
    settled_at v1.2.0
    [[ $(pg "SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_total'::regclass") == t ]]
}

@test "a server that is killed after the commit leaves the target live, which is healthy when it answers" {
    local ready="{name: \"ready\", command: [\"psql\", \"-qXc\", \"SELECT 1\", \"$PGURL\"], timeout: 1}"
    settings ".environments.prod.service.start = [\"$LAB/killer\"] | .environments.prod.checks = [$ready]"
    fails 1 'v1.1.0 is live in prod' rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    restart
    at_target
    settings ".environments.prod.checks = [{name: \"killer\", command: [\"$LAB/killer\"]}, $ready]"
    fails 1 'v1.0.0 is live in prod' rbtool --config "$SETTINGS" revert v1.1.0 --yes
    restart
    at_source
    settings ".environments.prod.checks = [$ready]"
    rbtool --config "$SETTINGS" check
}

@test "a full disk of the host undoes the revert whose backup does not fit" {
    rbtool deploy v1.1.0 --yes
    pg "INSERT INTO orders (id, total, discount) SELECT i, i, i FROM generate_series(11, 20000) i"
    accept=$(digest v1.1.0)
    mkdir -p "$PROD/.rbtool/backups"
    mount -t tmpfs -o size=64k none "$PROD/.rbtool/backups" 2>/dev/null || skip "mounting is not allowed"
    run rbtool revert v1.1.0 --yes --accept-data-loss "$accept"
    umount "$PROD/.rbtool/backups"
    echo "$output"
    [[ $status -eq 1 && $output == *'No space left on device'*'nothing was changed'* ]]
    at_target
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)"
    at_source
}

@test "settings of the database do not change what a transition does" {
    local setting
    rbtool deploy v1.1.0 --yes
    pg 'UPDATE orders SET discount = id' 'CREATE SCHEMA elsewhere'
    for setting in "default_transaction_isolation = 'serializable'" 'default_transaction_read_only = on' \
        'track_counts = off' 'idle_in_transaction_session_timeout = 1' 'lock_timeout = 1' \
        "statement_timeout = '2s'" "DateStyle = 'SQL, DMY'" 'row_security = on' 'search_path = elsewhere, public'; do
        as_admin "ALTER DATABASE main SET $setting"
    done
    fails 5 'orders.discount' rbtool revert v1.1.0 --yes --accept-drift
    [[ $output == *'database main has settings of its own (DateStyle = SQL, DMY, default_transaction_isolation'* ]]
    rbtool revert v1.1.0 --yes --accept-drift --accept-data-loss "$(digest v1.1.0)"
    [[ -z $(columns) ]]
    rbtool deploy v1.1.0 --yes --accept-drift --accept-reverted
    [[ $(pg 'SELECT sum(discount) FROM orders') == 55 ]]
    [[ -z $(pg "SELECT relname FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace") ]]
}
