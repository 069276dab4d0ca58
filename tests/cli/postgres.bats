#!/usr/bin/env bats
# A repository whose database is PostgreSQL, on a private server.

load lib
load transition
load postgres

setup_file() { pg_start; }
teardown_file() { pg_stop; }

setup() {
    home
    keys
    shop
    PROD=$BATS_TEST_TMPDIR/prod
    mkdir -p "$PROD/etc"
    pg_database
    jq --arg url "$PGURL" '.databases.main.engine = "postgresql" |
        .environments.prod.databases.main = $url' rbtool.json >new.json
    mv new.json rbtool.json
    git commit -qam 'shop: PostgreSQL'
}

@test "env check connects to a PostgreSQL server and names its version" {
    rbtool env check --env prod | grep -F 'postgresql 15.'
}
