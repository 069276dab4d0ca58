#!/usr/bin/env bats
# Folders that hold the scripts of several engines.

load lib

setup() {
    home
    keys
    shop
    rm migrations/*
    put 1.orders.all.up 'CREATE TABLE orders (id INTEGER PRIMARY KEY);'
    put 1.orders.all.down 'DROP TABLE orders;'
    put 2.total.mysql.up 'ALTER TABLE orders ADD COLUMN total INT UNSIGNED;'
    put 2.total.sqlite.up 'ALTER TABLE orders ADD COLUMN total INTEGER;'
    put 2.total.all.down 'ALTER TABLE orders DROP COLUMN total;'
    put 3.collation.mysql.up 'ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4;'
    put 3.collation.mysql.down 'ALTER TABLE orders CONVERT TO CHARACTER SET latin1;'
    git commit -qam engines
}

put() {
    echo "$2" >"migrations/$1.sql"
    git add migrations
}

@test "a database gets the scripts of its engine and the scripts for all engines" {
    rbtool release v1.0.0
    manifest v1.0.0 | jq -e '.predicate.databases[0].migrations | map(.id + " " + .name) ==
        ["1 orders", "2 total"]'
    [[ $(manifest v1.0.0 | jq -r '.predicate.databases[0].migrations[1].up') == \
        $(sha256sum <migrations/2.total.sqlite.up.sql | cut -d' ' -f1) ]]
    rbtool verify --all
    rbtool deploy v1.0.0 --yes
    [[ $(sqlite3 "$PROD/data/shop.db" "SELECT group_concat(name) FROM pragma_table_info('orders')") == id,total ]]
    rbtool lint >out 2>err
    [[ $(grep -c RB008 out) -eq 0 ]]
    grep -qF "not read: migrations/3.collation.mysql.up.sql" err
}

@test "changes to another engine's scripts do not change a database's migrations" {
    rbtool release v1.0.0
    put 2.total.mysql.up 'ALTER TABLE orders ADD COLUMN total BIGINT UNSIGNED;'
    release v1.0.1
    rbtool diff v1.0.0 v1.0.1 --json | jq -e '.databases == [] or
        (.databases[0].migrations | (.added + .removed + .changed) == [])'
}

@test "init detects the engine from the file names" {
    git rm -q --cached rbtool.json
    rm rbtool.json
    rbtool init
    jq -e '.databases.main.engine == "sqlite"' rbtool.json
}

@test "release refuses two migrations with one id" {
    put 2.late 'SELECT 1;'
    mv migrations/2.late.sql migrations/2.late.up.sql
    put 2.late.down 'SELECT 1;'
    git add -A
    git commit -qm late
    fails 1 'two migrations have the id 2: migrations/2.late.up.sql and migrations/2.total.sqlite.up.sql' \
        rbtool release v1.0.0 --accept RB008
    [[ -z $(git tag) ]]
}
