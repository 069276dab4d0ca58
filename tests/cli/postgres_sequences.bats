#!/usr/bin/env bats
# Positions of sequences: no rollback undoes setval(), and a number that is given twice is refused.

load lib
load transition
load rows
load postgres

setup_file() { pg_start; }
teardown_file() { pg_stop; }

setup() {
    home
    keys
    pg_database
    shop "$BATS_TEST_TMPDIR/shop"
    mkdir -p "$PROD/etc"
    jq --arg url "$PGURL" 'del(.checks) | .databases.main.engine = "postgresql" |
        .environments.prod.databases.main = $url' rbtool.json >new.json
    mv new.json rbtool.json
    cat >migrations/0001_orders.up.sql <<'SQL'
CREATE TABLE orders (id serial PRIMARY KEY, total int);
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1), what text);
CREATE SEQUENCE invoice;
CREATE SEQUENCE receipt;
CREATE SEQUENCE parcel INCREMENT BY -1;
CREATE SEQUENCE unused;
SQL
    printf 'DROP SEQUENCE invoice, receipt, parcel, unused;\nDROP TABLE events;\nDROP TABLE orders;\n' >migrations/0001_orders.down.sql
}

on_top() { # UP DOWN
    release v1.0.0
    change 2 "$1" "$2"
    release v1.1.0 --accept RB002,RB003,RB010,RB011
    rbtool deploy v1.0.0 --yes
    pg 'INSERT INTO orders(total) SELECT i FROM generate_series(1, 10) i' \
        'INSERT INTO events(what) SELECT i FROM generate_series(1, 10) i' \
        "SELECT count(nextval('invoice')) FROM generate_series(1, 100)"
}

positions() {
    pg 'INSERT INTO orders(total) VALUES (0) RETURNING id' 'INSERT INTO events(what) VALUES (0) RETURNING id' \
        "SELECT nextval('invoice')" | tr '\n' ' '
}

@test "the numbers of rows that come back are not given a second time" {
    on_top 'TRUNCATE orders, events RESTART IDENTITY;' 'SELECT 1;'
    move deploy v1.1.0
    [ "$(positions)" = '1 -1 101 ' ]
    pg 'DELETE FROM orders' 'DELETE FROM events'
    move revert v1.1.0
    [ "$(positions)" = '11 -11 102 ' ]
}

@test "a column that numbers its rows goes on behind the numbers that come back" {
    on_top "ALTER TABLE orders ADD COLUMN number int; CREATE SEQUENCE numbers OWNED BY orders.number;
        ALTER TABLE orders ALTER COLUMN number SET DEFAULT nextval('numbers');" 'ALTER TABLE orders DROP COLUMN number;'
    rbtool deploy v1.1.0 --yes
    pg "SELECT setval('numbers', 500)" 'UPDATE orders SET number = 400 + id'
    move revert v1.1.0
    rbtool mark v1.1.0 good -m again
    move deploy v1.1.0
    [ "$(pg 'SELECT min(number) FROM orders' 'INSERT INTO orders(total) VALUES (0) RETURNING number' | tr '\n' ' ')" = '401 501 ' ]
}

@test "numbers that a recreated table gave its rows are not given a second time" {
    on_top 'DROP TABLE orders; DROP TABLE events;' 'CREATE TABLE orders (id serial PRIMARY KEY, total int);
        CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1), what text);'
    move deploy v1.1.0
    move revert v1.1.0
    [ "$(positions)" = '11 -11 101 ' ]
}

# lost KEY: [TABLE,ROWS] of the plan
lost() {
    rbtool plan "${@:2}" --json | jq -c "[.$1[] | [.table, .rows]]"
}

@test "the position of a sequence that scripts drop or set is named, backed up, and comes back" {
    on_top "DROP SEQUENCE invoice; SELECT setval('receipt', 1); ALTER SEQUENCE parcel RESTART; ALTER SEQUENCE unused RESTART;" \
        'CREATE SEQUENCE invoice;'
    pg "SELECT setval('receipt', 70), setval('parcel', -80)"
    [ "$(lost dataAtRisk --deploy v1.1.0)" = '[["invoice",1],["parcel",1],["receipt",1]]' ]
    [ "$(lost dataAtRisk --deploy v1.1.0 --rehearse)" = '[["invoice",1],["parcel",1],["receipt",1]]' ]
    fails 5 'the plan loses data: invoice' rbtool deploy v1.1.0 --yes
    move deploy v1.1.0
    [ "$(pg "SELECT nextval('receipt'), nextval('parcel')")" = '2|-1' ]
    cp "$PROD"/.rbtool/backups/*/*.sql "$BATS_TEST_TMPDIR/backup.sql"
    move revert v1.1.0
    [ "$(put_back)" = '[["invoice",null,1,0],["parcel",null,1,0],["receipt",null,1,0]]' ]
    [ "$(pg "SELECT nextval('invoice'), nextval('receipt'), nextval('parcel'), nextval('unused')")" = '101|71|-81|1' ]
    pg "SELECT setval('invoice', 1), setval('receipt', 1000), setval('parcel', -1)"
    psql -qX -v ON_ERROR_STOP=1 -v restore=1 -f "$BATS_TEST_TMPDIR/backup.sql" "$PGURL"
    [ "$(pg "SELECT nextval('invoice'), nextval('receipt'), nextval('parcel')")" = '101|1001|-81' ]
}

@test "the position of a sequence that a revert drops comes back with the next deploy" {
    on_top 'CREATE SCHEMA "Shop"; CREATE SEQUENCE "Shop".parcels;' 'DROP SCHEMA "Shop" CASCADE;'
    rbtool deploy v1.1.0 --yes
    pg "SELECT setval('\"Shop\".parcels', 9)"
    [ "$(lost dataAtRisk)" = '[["Shop.parcels",1]]' ]
    move revert v1.1.0
    rbtool mark v1.1.0 good -m again
    move deploy v1.1.0
    [ "$(pg "SELECT nextval('\"Shop\".parcels')")" = 10 ]
}

@test "a sequence that is renamed there and back is not at risk" {
    on_top 'ALTER SEQUENCE invoice RENAME TO bill;' 'ALTER SEQUENCE bill RENAME TO invoice;'
    [ "$(lost dataAtRisk --deploy v1.1.0)" = '[]' ]
    [ "$(lost dataAtRisk --deploy v1.1.0 --rehearse)" = '[]' ]
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    [ "$(positions)" = '11 -11 101 ' ]
}

@test "a script that fails behind setval() leaves the sequences as they were" {
    on_top "SELECT setval('orders_id_seq', 1), setval('invoice', 5, false);
        DO \$\$ BEGIN IF current_database() ~ '^test_' THEN RAISE 'not here'; END IF; END \$\$;" 'SELECT 1;'
    run -1 move deploy v1.1.0
    [[ $output == *'not here'* ]]
    [ "$(positions)" = '11 -11 101 ' ]
}

# A deploy is killed after its scripts have run and before its commit.
kill_deploy() {
    on_top "DROP SEQUENCE invoice; SELECT setval('receipt', 1); ALTER SEQUENCE parcel RESTART;" 'CREATE SEQUENCE invoice;'
    pg "SELECT setval('receipt', 70), setval('parcel', -80)"
    slow_commit 'NOT DEFERRABLE'
    rbtool deploy v1.1.0 --yes --accept-data-loss "$(rbtool plan --deploy v1.1.0 --json | jq -r .digest)" \
        >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 7>&- &
    wait_for any "wait_event_type = 'Lock'"
    kill -9 $!
    wait $! || true
    let_go
    pg 'DROP SCHEMA rbtool_test CASCADE'
}

@test "after a kill before the commit, abort restores the positions of sequences" {
    kill_deploy
    rbtool abort --yes
    [ "$(pg "SELECT nextval('invoice'), nextval('receipt'), nextval('parcel')")" = '101|71|-81' ]
}

@test "after a kill before the commit, the backup of resume has the positions of sequences before the scripts" {
    kill_deploy
    rbtool resume --yes
    [ "$(pg "SELECT nextval('receipt')")" = 2 ]
    move revert v1.1.0
    [ "$(pg "SELECT nextval('invoice'), nextval('receipt'), nextval('parcel')")" = '101|71|-81' ]
}
