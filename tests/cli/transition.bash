# Shared by the transition bats files: `load transition` after lib. $PROD holds the environment.
# shellcheck shell=bash disable=SC2154 # $SHOP, $PROD and the functions of lib.bash

# The shop, and a host for its environment prod.
host() {
    home
    keys
    shop
    PROD=$BATS_TEST_TMPDIR/prod
    mkdir -p "$PROD/data" "$PROD/etc"
}

sql() {
    sqlite3 "$PROD/data/shop.db" "$@"
}

# Two releases; the first is live and holds ten orders; the second adds orders.discount.
two_releases() {
    release v1.0.0
    second
    rbtool release v1.1.0
    rbtool deploy v1.0.0 --yes
    sql "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
        INSERT INTO orders (id, total) SELECT i, i * 100 FROM n"
}

# What an environment is: files, schema and rows, flags, config.
picture() {
    readlink "$PROD/current"
    (cd "$PROD/current/app" && find . -type f -exec sha256sum {} + | sort -k2)
    sql .schema | grep -v -e rbtool_ -e schema_migrations -e version_unique
    sql 'SELECT * FROM orders ORDER BY id'
    sha256sum "$PROD/etc/flags.json" "$PROD/etc/app.toml"
}

digest() {
    rbtool plan "$@" --json | jq -r .digest
}

# The named step's command kills rbtool itself, once.
killed_by() {
    local part=$1
    cat >"$BATS_TEST_TMPDIR/assassin" <<SH
#!/bin/sh
[ -e "$BATS_TEST_TMPDIR/killed" ] && exit 0
touch "$BATS_TEST_TMPDIR/killed"
kill -9 \$PPID
sleep 1
SH
    chmod +x "$BATS_TEST_TMPDIR/assassin"
    jq --arg part "$part" --arg cmd "$BATS_TEST_TMPDIR/assassin" \
        'if $part == "check" then .environments.prod.checks = [{name: "kill", command: [$cmd]}]
         else .environments.prod.service = {($part): [$cmd]} end' rbtool.json >new.json
    mv new.json "$BATS_TEST_TMPDIR/killing.json"
}

# settings FILTER: rbtool.json passed through jq, for --config "$SETTINGS".
settings() {
    SETTINGS=$BATS_TEST_TMPDIR/settings.json
    jq "$1" rbtool.json >"$SETTINGS"
}

# Nothing is half-way, live is TAG, nothing has drifted.
settled_at() {
    run rbtool status --json
    [ "$(jq -c '[.release, .state, .drift]' <<<"$output")" = "[\"$1\",\"settled\",[]]" ] || {
        echo "$output"
        return 1
    }
}
