# Migrations that destroy rows, and transitions with consent to that.

# change N UP DOWN: migration N
change() {
    echo "$2" >"migrations/000$1_change.up.sql"
    echo "$3" >"migrations/000$1_change.down.sql"
}

# One release on another; the first is live with ten orders, whose totals are 100 to 1000.
on_top() { # UP DOWN
    release v1.0.0
    change 2 "$1" "$2"
    release v1.1.0 --accept RB002,RB003
    rbtool deploy v1.0.0 --yes
    sql "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
        INSERT INTO orders (id, total) SELECT i, i * 100 FROM n"
}

# move COMMAND...: with consent to what the plan loses; the document is in $document
# shellcheck disable=SC2154 # bats sets status and output
move() {
    local digest
    run rbtool "$@" --yes --json
    digest=$(grep '^{' <<<"$output" | tail -n 1 | jq -r '.digest // empty')
    [ "$status" -ne 5 ] || run rbtool "$@" --yes --json --accept-data-loss "$digest"
    [ "$status" -eq 0 ] || {
        echo "$output"
        return 1
    }
    document=$(grep '^{' <<<"$output" | tail -n 1)
}

orders() {
    sql 'SELECT group_concat(id) FROM (SELECT id FROM orders ORDER BY id)'
}

put_back() { # [TABLE,COLUMN,RESTORED,MISSING] of all
    jq -c '[.putBack[] | [.table, .column, .restored, .missingCount]]' <<<"$document"
}
