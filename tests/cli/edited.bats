#!/usr/bin/env bats
# Released migrations that were edited in place (RB004, accepted): databases made by the old bytes.

setup() {
    load lib
    load transition
    home
    keys
    shop
    echo 'CREATE VIEW totals AS SELECT total FROM orders;' >>migrations/0001_orders.up.sql
    sed -i '1i DROP VIEW totals;' migrations/0001_orders.down.sql
    git commit -qam view
    rbtool release v1.0.0
    sed -i 's/SELECT total/SELECT id, total/' migrations/0001_orders.up.sql
    second
    rbtool release v1.1.0 --accept RB004
}

view() {
    sql "SELECT sql FROM sqlite_schema WHERE name = 'totals'"
}

# consents COMMAND...: it exits 5, and goes with the digest that it names
consents() {
    fails 5 'migration 1 was edited after it had been released (RB004)' "$@"
    [[ $output == *'view totals changed'* && $output == *'new migration can make up for it'* ]]
    # shellcheck disable=SC2154 # bats sets output
    "$@" --accept-data-loss "$(grep -o 'accept-data-loss [0-9a-f]*' <<<"$output" | tail -1 | cut -d' ' -f2)"
}

@test "deploy over an edited migration asks for consent once" {
    rbtool deploy v1.0.0 --yes
    sql 'INSERT INTO orders VALUES (1, 5)'
    before=$(picture)
    consents rbtool deploy v1.1.0 --yes
    [[ $(view) == *'SELECT total'* ]]
    rbtool status --exit-code
    # the next release does not touch it
    printf 'CREATE INDEX by_total ON orders (total);\n' >migrations/0003_index.up.sql
    printf 'DROP INDEX by_total;\n' >migrations/0003_index.down.sql
    release v1.2.0
    live=$(picture)
    rbtool deploy v1.2.0 --yes
    rbtool status --exit-code
    rbtool revert v1.2.0 --yes
    [[ $(picture) == "$live" ]]
    rbtool revert v1.1.0 --yes
    [[ $(picture) == "$before" ]]
    rbtool status --exit-code
}

@test "a later migration that recreates the object resolves the edit" {
    rbtool deploy v1.0.0 --yes
    consents rbtool deploy v1.1.0 --yes
    echo 'DROP VIEW totals; CREATE VIEW totals AS SELECT total, id FROM orders;' >migrations/0003_view.up.sql
    echo 'DROP VIEW totals; CREATE VIEW totals AS SELECT id, total FROM orders;' >migrations/0003_view.down.sql
    release v1.2.0
    rbtool deploy v1.2.0 --yes
    [[ $(view) == *'SELECT total, id'* ]]
    rbtool status --exit-code
}

@test "revert over an edited migration asks for consent and keeps the objects of the new text" {
    rbtool deploy v1.1.0 --yes
    consents rbtool revert v1.1.0 --to v1.0.0 --yes
    [[ $(view) == *'SELECT id, total'* ]]
    [[ $(readlink "$PROD/current") == releases/v1.0.0 ]]
    rbtool status --exit-code
}

@test "schema differences that the edit does not explain are refused" {
    rbtool deploy v1.0.0 --yes
    sql 'CREATE TABLE other (x)'
    sql 'CREATE TRIGGER grow AFTER INSERT ON orders BEGIN SELECT 1; END'
    echo 'CREATE TABLE o2 (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, discount INTEGER);
        INSERT INTO o2 SELECT * FROM orders; DROP VIEW totals; DROP TABLE orders; ALTER TABLE o2 RENAME TO orders;
        CREATE VIEW totals AS SELECT id, total FROM orders;' >>migrations/0002_discount.up.sql
    release v1.2.0 --accept RB004
    fails 1 'trigger grow' rbtool deploy v1.2.0 --yes --accept-drift
    [[ $(readlink "$PROD/current") == releases/v1.0.0 ]]
    [[ $(sql "SELECT count(*) FROM sqlite_schema WHERE name = 'grow'") == 1 ]]
}
