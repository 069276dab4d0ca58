# Checks that compare what two databases answer: one of PostgreSQL, one of SQLite.

bats_require_minimum_version 1.5.0

load lib
load postgres

setup_file() {
    pg_start
}

teardown_file() {
    pg_stop
}

setup() {
    load transition
    pg_database
    host
    jq --arg url "$PGURL" '.environments.prod.databases.billing = $url' rbtool.json >new.json
    mv new.json rbtool.json
    two_releases
    pg 'CREATE TABLE payments (id int, amount numeric)' 'INSERT INTO payments SELECT i, i * 100 FROM generate_series(1, 10) i'
}

# compares MAIN BILLING [SETTINGS]: a check that compares two queries.
compares() {
    jq --arg main "$1" --arg billing "$2" --argjson more "${3:-{\}}" '.environments.prod.checks = [
        {name: "totals", retry: false, compare: [{database: "main", query: $main}, {database: "billing", query: $billing}]} + $more]' \
        rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
}

@test "a check compares two queries of two engines, and names the first difference" {
    compares 'SELECT count(*), sum(total) FROM orders' 'SELECT count(*), sum(amount) FROM payments'
    rbtool deploy v1.1.0 --yes
    [ "$(rbtool status --json | jq -r .health)" = healthy ]
    pg 'UPDATE payments SET amount = 1 WHERE id = 10'
    run -1 --separate-stderr rbtool check --json
    schema check <<<"$output"
    [ "$(jq -r '.checks[0].message' <<<"$output")" = \
        'check "totals": row 1, column 2: main has 5500, and billing has 4501' ]
    compares 'SELECT count(*), sum(total) FROM orders' 'SELECT count(*), sum(amount) FROM payments' '{"tolerance": 999}'
    rbtool check
    compares 'SELECT count(*), sum(total) FROM orders' 'SELECT count(*), sum(amount) FROM payments' '{"tolerance": 998.5}'
    run -1 rbtool check
}

@test "a comparison shows no texts, and tells rows and columns apart" {
    compares "SELECT 1, 'alice@example.com'" "SELECT 1, 'bob@example.com'"
    run -1 rbtool check
    [[ $output == *'check "totals": row 1, column 2 differs between main and billing'* && $output != *@example* ]]
    compares 'SELECT id FROM orders ORDER BY id' 'SELECT id FROM payments WHERE id < 8 ORDER BY id'
    run -1 rbtool check
    [[ $output == *'check "totals": main answers 10 rows, and billing 7'* ]]
    compares 'SELECT 1' 'SELECT 1, 2'
    run -1 rbtool check
    [[ $output == *'check "totals": main answers 1 columns, and billing 2'* ]]
    compares 'SELECT 1' 'SELECT generate_series(1, 1001)'
    run -1 rbtool check
    [[ $output == *'check "totals": billing answers more than 1000 rows'* ]]
}

@test "a comparison writes nothing, ends in time, and fails where a database does not answer" {
    compares 'DELETE FROM orders RETURNING id' 'SELECT 1'
    run -1 rbtool check
    [[ $output == *'check "totals": database main: '* ]]
    [ "$(sql 'SELECT count(*) FROM orders')" = 10 ]
    compares 'SELECT 1' 'WITH d AS (DELETE FROM payments RETURNING 1) SELECT count(*) FROM d'
    run -1 rbtool check
    [[ $output == *'check "totals": database billing: '* ]]
    [ "$(pg 'SELECT count(*) FROM payments')" = 10 ]
    compares 'SELECT 1' 'SELECT pg_sleep(60)' '{"attempt": 1, "timeout": 1}'
    run -1 rbtool check
    [[ $output == *'check "totals": database billing: '*timeout* ]]
    compares 'SELECT 1' 'SELECT 1'
    as_admin "ALTER DATABASE $PGNAME RENAME TO away"
    run -1 rbtool check
    as_admin "ALTER DATABASE away RENAME TO $PGNAME"
    [[ $output == *'check "totals": database billing: '* ]]
}
