# Shared by the bats files that use PostgreSQL: `load postgres` after lib.
#
#   pg_start         in setup_file: a private server for the tests of the file
#   pg_stop          in teardown_file
#   pg_database      in setup: an empty database $PGNAME with url $PGURL
#   pg SQL...        runs SQL there with psql: rows only, columns separated by "|"
# shellcheck shell=bash

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
