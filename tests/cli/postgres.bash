# Shared by the bats files that use PostgreSQL: `load postgres` after lib.
#
#   pg_start         in setup_file: a private server for the tests of the file
#   pg_stop          in teardown_file
#   pg_database      in setup: an empty database $PGNAME with url $PGURL
#   pg SQL...        runs SQL there with psql: rows only, columns separated by "|"
#   as_admin SQL     runs SQL in the database postgres
#   hold SQL, let_go, slow_commit, deploy_in_background TAG, ends_with STATUS: see below
# shellcheck shell=bash disable=SC2154 # $BATS_TEST_TMPDIR, wait_for

pg_start() {
    PGDIR=$("$ROOT/tests/postgres" start $$)
    export PGDIR
}

pg_stop() {
    "$ROOT/tests/postgres" stop "$PGDIR"
}

pg_database() {
    PGNAME=test_$BATS_TEST_NUMBER
    PGURL=$("$ROOT/tests/postgres" url "$PGDIR" "$PGNAME")
    psql -qX -h "$PGDIR" -U postgres -c "CREATE DATABASE $PGNAME" postgres
}

pg() {
    local sql
    for sql in "$@"; do psql -qXAt -v ON_ERROR_STOP=1 -c "$sql" "$PGURL"; done
}

as_admin() {
    PGOPTIONS='-c client_min_messages=warning' psql -qXAt -h "$PGDIR" -U postgres -v ON_ERROR_STOP=1 -c "$1" postgres
}

# Another session runs SQL, and keeps what it has until `let_go`.
hold() {
    rm -f "$BATS_TEST_TMPDIR/fifo"
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    psql -qXAt "$PGURL&application_name=reporting" <"$BATS_TEST_TMPDIR/fifo" >"$BATS_TEST_TMPDIR/held" 3>&- &
    HOLDER=$!
    exec 7>"$BATS_TEST_TMPDIR/fifo"
    printf '%s;\nSELECT 41 + 1;\n' "$1" >&7
    wait_for grep -q 42 "$BATS_TEST_TMPDIR/held"
}

let_go() {
    exec 7>&-
    wait "$HOLDER"
}

# Sessions of rbtool in that state.
sessions() {
    pg "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'rbtool:%' AND $1"
}

any() {
    [[ -n $(sessions "$1") ]]
}

# A COMMIT waits until `let_go`; or, with NOT DEFERRABLE, what stands before it.
slow_commit() {
    pg 'CREATE SCHEMA rbtool_test' \
        "CREATE FUNCTION rbtool_test.wait() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
            'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END'" \
        "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON rbtool_journal ${1:-DEFERRABLE INITIALLY DEFERRED}
            FOR EACH ROW EXECUTE FUNCTION rbtool_test.wait()"
    hold 'SELECT pg_advisory_lock(7)'
}

deploy_in_background() {
    rbtool deploy "$1" --yes >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 7>&- &
    DEPLOY=$!
}

ends_with() {
    local status=0
    wait "$DEPLOY" || status=$?
    [[ $status -eq $1 ]]
}
