#!/usr/bin/env bats
# What goes wrong with servers, sessions and hosts while a release moves two PostgreSQL databases and
# one of SQLite: nothing is half-done, or resume and abort end it, and the cause is named.

load lib
load transition
load postgres

setup_file() {
    pg_start
    export LAB=$BATS_FILE_TMPDIR PROD=$BATS_FILE_TMPDIR/prod
    PGURL=$("$ROOT/tests/postgres" url "$PGDIR" main)
    AUDIT=$("$ROOT/tests/postgres" url "$PGDIR" audit)
    export PGURL AUDIT
    home
    keys
    export KEYS
    shop "$LAB/shop"
    mkdir -p "$PROD/etc"
    jq --arg main "$PGURL" --arg audit "$AUDIT" --arg file "sqlite:$PROD/data/notes.db" '
        .databases.main.engine = "postgresql" | .checks.sql = ["checks/*/*.sql"] |
        .databases.audit = {engine: "postgresql", migrations: "audit"} |
        .databases.notes = {engine: "sqlite", migrations: "notes"} |
        .environments.prod.databases = {main: $main, audit: $audit, notes: $file}' rbtool.json >new.json
    mv new.json rbtool.json
    mkdir notes audit checks/main
    git mv checks/totals.sql checks/main
    local name
    for name in audit notes; do
        echo "CREATE TABLE $name (id INTEGER PRIMARY KEY);" >$name/1_$name.up.sql
        echo "DROP TABLE $name;" >$name/1_$name.down.sql
    done
    release v1.0.0
    for name in audit notes; do
        echo "ALTER TABLE $name ADD COLUMN body TEXT;" >$name/2_body.up.sql
        echo "ALTER TABLE $name DROP COLUMN body;" >$name/2_body.down.sql
    done
    second
    rbtool release v1.1.0
    fifty
    as_admin 'CREATE DATABASE main'
    as_admin 'CREATE DATABASE audit'
    rbtool deploy v1.0.0 --yes
    pg "INSERT INTO orders SELECT i, i * 100 FROM generate_series(1, 10) i"
    as_admin 'ALTER DATABASE main RENAME TO lab_main'
    as_admin 'ALTER DATABASE audit RENAME TO lab_audit'
    mkdir "$LAB/kept"
    mv "$LAB/shop" "$PROD" "$LAB/kept"
}

# Fifty scripts, of which the thirtieth fails on what is in this database only, and the last one
# writes as much as order 99 says.
fifty() {
    local i
    echo 1.2.0 >VERSION
    for ((i = 3; i <= 52; i++)); do
        printf -v name 'migrations/%04d_t' $i
        echo "CREATE TABLE t$i (id int);" >"$name.up.sql"
        echo "DROP TABLE t$i;" >"$name.down.sql"
    done
    echo "CREATE TABLE t32 AS SELECT 1 / (id - 666) AS id FROM orders WHERE id = 666;" >migrations/0032_t.up.sql
    echo "CREATE TABLE t52 AS SELECT repeat('x', 1000) AS id FROM generate_series(1,
        (SELECT coalesce(max(total), 0) FROM orders WHERE id = 99));" >migrations/0052_t.up.sql
    git add -A
    git commit -qm 'fifty tables'
    rbtool release v1.2.0
}

teardown_file() { pg_stop; }

setup() {
    rm -rf "$LAB/shop" "$PROD"
    cp -a "$LAB/kept/." "$LAB"
    for name in main audit; do
        as_admin "DROP DATABASE IF EXISTS $name WITH (FORCE)"
        as_admin "CREATE DATABASE $name TEMPLATE lab_$name"
    done
    cd "$LAB/shop" || return
}

# The databases that are at v1.1.0.
moved() {
    local url
    for url in "$AUDIT" "$PGURL"; do
        PGURL=$url pg "SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
            WHERE attname IN ('body', 'discount') AND relkind = 'r' AND relname IN ('audit', 'orders')"
    done
    sqlite3 "$PROD/data/notes.db" "SELECT 'notes' FROM pragma_table_info('notes') WHERE name = 'body'"
}

at_source() {
    [[ -z $(moved) ]]
    settled_at v1.0.0
}

at_target() {
    [[ $(moved) == $'audit\norders\nnotes' ]]
    settled_at v1.1.0
}

# The row of main's journal cannot be written; with "deferred", its commit fails.
refuse() {
    pg 'CREATE SCHEMA rbtool_test' \
        "CREATE FUNCTION rbtool_test.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the sky falls''; END'" \
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON rbtool_journal ${1:+DEFERRABLE INITIALLY DEFERRED}
            FOR EACH ROW EXECUTE FUNCTION rbtool_test.refuse()"
}

# rbtool's session in main waits before its commit until `let_go`.
slow_scripts() {
    slow_commit 'NOT DEFERRABLE'
}

server() { # FOLDER
    local as=()
    [[ $(id -u) -ne 0 ]] || as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    "${as[@]}" /usr/lib/postgresql/15/bin/postgres -D "$1/data" >"$BATS_TEST_TMPDIR/server.log" 2>&1 3>&- 7>&- &
    answers "$1"
}

answers() { # FOLDER
    wait_for psql -qX -h "$1" -U postgres -c 'SELECT 1' postgres 2>/dev/null
}

@test "two PostgreSQL databases and one of SQLite go to a release and back" {
    rbtool deploy v1.1.0 --yes
    at_target
    rbtool revert v1.1.0 --yes
    at_source
}

@test "a failure in the second database undoes all" {
    refuse
    fails 1 'the sky falls (SQLSTATE P0001)' rbtool deploy v1.1.0 --yes
    [[ $output == *'nothing was changed'* ]]
    at_source
    pg 'DROP SCHEMA rbtool_test CASCADE'
    rbtool deploy v1.1.0 --yes
    refuse
    fails 1 'the sky falls (SQLSTATE P0001)' rbtool revert v1.1.0 --yes
    at_target
}

@test "a commit that fails in the second database is completed by resume, and undone by abort" {
    for way in abort resume; do
        refuse deferred
        fails 3 'the sky falls (SQLSTATE P0001)' rbtool deploy v1.1.0 --yes
        [[ $(moved) == audit ]]
        pg 'DROP SCHEMA rbtool_test CASCADE'
        rbtool $way --yes
        [[ $way == resume ]] || at_source
    done
    at_target
}

@test "resume completes a deploy that was killed between the commits of two databases" {
    slow_commit
    deploy_in_background v1.1.0
    wait_for any "query = 'COMMIT' AND state = 'active'"
    kill -9 "$DEPLOY"
    ends_with 137
    [[ $(moved) == audit ]]
    let_go
    rbtool resume --yes
    at_target
}

@test "a server process that is killed before the commit undoes the deploy" {
    slow_scripts
    deploy_in_background v1.1.0
    wait_for any "wait_event_type = 'Lock'"
    kill -9 "$(sessions "wait_event_type = 'Lock'")"
    ends_with 1
    grep -q 'nothing was changed' "$BATS_TEST_TMPDIR/out"
    let_go || true
    answers "$PGDIR"
    at_source
    rbtool deploy v1.1.0 --yes
    at_target
}

idle() {
    [[ -z $(sessions true) ]]
}

# A proxy to the server, in a folder of its own. Killing it cuts what goes through it.
proxied() {
    FRONT=$(mktemp -d /tmp/rbtool-pg.XXXXXX)
    cat >"$BATS_TEST_TMPDIR/proxy.py" <<'PY'
import socket, sys, threading
def copy(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    except OSError: pass
    for s in (a, b):
        try: s.shutdown(socket.SHUT_RDWR)
        except OSError: pass
front = socket.socket(socket.AF_UNIX)
front.bind(sys.argv[1] + "/.s.PGSQL.5432")
front.listen(20)
while True:
    a, _ = front.accept()
    b = socket.socket(socket.AF_UNIX)
    b.connect(sys.argv[2] + "/.s.PGSQL.5432")
    for pair in ((a, b), (b, a)): threading.Thread(target=copy, args=pair, daemon=True).start()
PY
    proxy
    settings ".environments.prod.databases.main |= sub(\"host=[^&]*\"; \"host=$FRONT\")"
}

proxy() {
    rm -f "$FRONT/.s.PGSQL.5432"
    python3 "$BATS_TEST_TMPDIR/proxy.py" "$FRONT" "$PGDIR" 3>&- 7>&- &
    PROXY=$!
    answers "$FRONT"
}

@test "a network that is cut undoes a deploy before its commit, and leaves it to resume in the commit" {
    proxied
    slow_scripts
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 7>&- &
    DEPLOY=$!
    wait_for any "wait_event_type = 'Lock'"
    kill "$PROXY"
    ends_with 1
    grep -q 'nothing was changed' "$BATS_TEST_TMPDIR/out"
    let_go
    rm "$BATS_TEST_TMPDIR/fifo"
    wait_for idle
    pg 'DROP SCHEMA rbtool_test CASCADE'
    proxy
    slow_commit
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 7>&- &
    DEPLOY=$!
    wait_for any "query = 'COMMIT' AND state = 'active'"
    kill "$PROXY"
    ends_with 3
    grep -q 'are either all committed or all rolled back, and which of the two cannot be seen' "$BATS_TEST_TMPDIR/out"
    let_go
    proxy
    rbtool --config "$SETTINGS" resume --yes
    [[ $(moved) == $'audit\norders\nnotes' ]]
    kill "$PROXY"
    rm -rf "$FRONT"
}

# main belongs to the role app, which rbtool uses.
as_app() {
    as_admin "DROP ROLE IF EXISTS app"
    as_admin "CREATE ROLE app LOGIN"
    pg 'GRANT ALL ON ALL TABLES IN SCHEMA public TO app' 'GRANT CREATE ON SCHEMA public TO app'
    settings '.environments.prod.databases.main |= sub("user=postgres"; "user=app")'
}

@test "a role without rights changes nothing, and the right that is missing is named" {
    as_app
    fails 1 'must be owner of table orders (SQLSTATE 42501)' rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [[ $output == *'no restore point is created before the commit, since the role may not: GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO app'* ]]
    [[ -z $(moved) ]]
    pg 'ALTER TABLE orders OWNER TO app'
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes --json >"$BATS_TEST_TMPDIR/json"
    [[ $(jq -r '.recovery[] | select(.database == "main") | "\(.restorePoint) \(.setting)"' "$BATS_TEST_TMPDIR/json") == "null recovery_target_lsn = '0/"*"' with recovery_target_inclusive = off" ]]
    rbtool --config "$SETTINGS" plan v1.1.0 --format markdown >"$BATS_TEST_TMPDIR/runbook" || true
    [[ $(sed -n '/^## Verification/,$p' "$BATS_TEST_TMPDIR/runbook") == *'git verify-tag v1.0.0'* ]]
    [[ $(<"$BATS_TEST_TMPDIR/runbook") != *'server of main has to be restored'* ]]
    as_admin 'DROP DATABASE main WITH (FORCE)'
    as_admin 'DROP ROLE app'
}

@test "rows that a policy hides from the role are not left out: the table is named" {
    as_app
    pg 'ALTER TABLE orders OWNER TO app' 'ALTER TABLE orders ENABLE ROW LEVEL SECURITY' 'ALTER TABLE orders FORCE ROW LEVEL SECURITY'
    run rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-drift
    [[ $status -ne 0 && $output == *'row-level security policy for table "orders"'* ]]
    [[ -z $(moved) ]]
    as_admin 'DROP DATABASE main WITH (FORCE)'
    as_admin 'DROP ROLE app'
}

@test "a standby is refused by name" {
    standby=$(mktemp -d /tmp/rbtool-pg.XXXXXX)
    pg_basebackup -h "$PGDIR" -U postgres -D "$standby/data" -c fast -R
    echo "unix_socket_directories = '$standby'" >>"$standby/data/postgresql.conf"
    [[ $(id -u) -ne 0 ]] || chown -R nobody:nogroup "$standby"
    server "$standby"
    settings ".environments.prod.databases.main |= sub(\"host=[^&]*\"; \"host=$standby\")"
    run rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    kill -QUIT "$(head -1 "$standby/data/postmaster.pid")"
    [[ $status -eq 1 && $output == *'the server is a standby, which cannot be changed'* ]]
    rm -rf "$standby"
    at_source
}

@test "a statement that fails in the thirtieth of fifty scripts undoes all of them" {
    rbtool deploy v1.1.0 --yes
    pg 'INSERT INTO orders VALUES (666, 0)'
    fails 1 'migration 32 t (up): migrations/0032_t.up.sql line 1: division by zero (SQLSTATE 22012)' rbtool deploy v1.2.0 --yes
    [[ $(pg "SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+$'") == 0 ]]
    at_target
}

@test "a full disk of the server undoes the deploy" {
    mkdir "$BATS_TEST_TMPDIR/small"
    mount -t tmpfs -o size=2m none "$BATS_TEST_TMPDIR/small" 2>/dev/null || skip "mounting is not allowed"
    chmod 755 "$LAB" "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
    mkdir "$BATS_TEST_TMPDIR/small/data"
    chown nobody:nogroup "$BATS_TEST_TMPDIR/small/data"
    as_admin "CREATE TABLESPACE small LOCATION '$BATS_TEST_TMPDIR/small/data'"
    as_admin 'ALTER DATABASE main SET default_tablespace = small'
    rbtool deploy v1.1.0 --yes
    pg 'INSERT INTO orders VALUES (99, 10000)'
    run rbtool deploy v1.2.0 --yes
    as_admin 'ALTER DATABASE main RESET default_tablespace'
    [[ $(pg "SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+$'") == 0 ]]
    as_admin 'DROP TABLESPACE small'
    umount "$BATS_TEST_TMPDIR/small"
    echo "$output"
    [[ $status -eq 1 && $output == *'No space left on device (SQLSTATE 53100)'*'nothing was changed'* ]]
    at_target
}

@test "all locks are taken before the first script; a deadlock with an application ends in another try" {
    hold 'BEGIN; SELECT count(*) FROM orders'
    deploy_in_background v1.1.0
    wait_for any "wait_event_type = 'Lock' AND query LIKE 'DO \$rbtool\$ BEGIN LOCK TABLE ONLY public.orders IN ACCESS EXCLUSIVE MODE;%'"
    printf 'LOCK TABLE rbtool_applied IN ACCESS EXCLUSIVE MODE;\nCOMMIT;\n' >&7
    ends_with 0
    let_go
    at_target
}
