#!/usr/bin/env bats
# release --compatibility: does the previous application run on the new schema?

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
}

# selftest COMMANDS: src/selftest of the next release; the setting that runs it.
selftest() {
    printf '#!/bin/sh\nset -e\n%s\n' "$1" >src/selftest
    chmod +x src/selftest
    jq '.compatibility = {"command": ["src/selftest"], "timeout": 20}' rbtool.json >new.json
    mv new.json rbtool.json
}

# What the newest entry of the ledger, about a release, says.
recorded() {
    git log -1 --format=%b refs/rbtool/ledger | jq -c .release.compatibility
}

# shellcheck disable=SC2016 # the selftest expands it
database='database=${RBTOOL_DATABASE_MAIN#sqlite:}'

@test "an application that runs on the new schema is tested, recorded, and shown by plan" {
    printf 'INSERT INTO orders (id, total) VALUES (1, 5), (2, 7);\n' >seed.sql
    jq '.databases.main.seed = "seed.sql"' rbtool.json >new.json && mv new.json rbtool.json
    selftest "$database"'
sqlite3 "$database" "INSERT INTO orders (id, total) VALUES (100, 1)"
test "$(sqlite3 "$database" "SELECT count(*) FROM orders")" -eq 3
test "$(sqlite3 "$database" "SELECT count(*) FROM rbtool_applied")" -eq 2'
    release v1.0.0
    second
    run -0 --separate-stderr rbtool release v1.1.0 --json
    schema release <<<"$output"
    [[ $stderr == *'compatibility: v1.0.0 on the new schema: tested, 1 SQL check and `src/selftest` over 2 rows'* ]]
    [[ $(jq -c '.compatibility | [.result, .why, .previous, .checks, .rows, .command, .exit]' <<<"$output") == \
        '["tested",null,"v1.0.0",1,2,["src/selftest"],0]' ]]
    [[ $(recorded) == "$(jq -c .compatibility <<<"$output")" ]]
    [[ $(jq -r '.compatibility.databases[0].seed' <<<"$output") == "$(sha256sum <seed.sql | cut -d' ' -f1)" ]]
    [[ $(jq -r '.compatibility.databases[0].fingerprint' <<<"$output") == "$(jq -r '.manifest.predicate.databases[0].fingerprint' <<<"$output")" ]]
    [[ $(jq -r '.compatibility.previousObject' <<<"$output") == "$(git rev-parse refs/tags/v1.0.0)" ]]
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    run -0 --separate-stderr rbtool plan v1.1.0
    [[ $output == *'compatibility tested: 1 SQL check and `src/selftest` passed over 2 rows; rows that v1.0.0 writes miss what the up scripts of v1.1.0 did'* ]]
    run -0 --separate-stderr rbtool plan v1.1.0 --json
    [[ $(jq -r '.waysBack[] | select(.way == "application").compatible' <<<"$output") == tested ]]
    rbtool log --verify
}

@test "the command has an environment of its own, no network and no root, and leaves nothing" {
    selftest 'env | cut -d= -f1 | sort | tr "\n" " " >"$HOME/names"
grep -qx "HOME LANG LC_ALL PATH PWD RBTOOL_DATABASE_MAIN TMPDIR TZ " "$HOME/names" ||
    grep -qx "HOME LC_ALL PATH PWD RBTOOL_DATABASE_MAIN TMPDIR TZ " "$HOME/names"
test "$(id -u)" -ne 0
test "$PWD" = "$(pwd)" && test -x src/selftest
test "$(tail -n +3 /proc/net/dev | grep -cv "lo:")" -eq 0'
    release v1.0.0
    second
    SECRET=hidden run -0 --separate-stderr rbtool release v1.1.0 --json
    if [[ $(jq .compatibility.offline <<<"$output") == false ]]; then
        [[ $stderr == *"could not be cut off from the network"* ]]
        skip "no network namespaces here"
    fi
    [[ $(jq -r '.compatibility.result, .compatibility.why' <<<"$output") == $'tested\nnull' ]]
}

@test "a command or a SQL check that fails on the new schema is recorded, and refuses nothing" {
    selftest "$database"'
echo "home is $HOME"
sqlite3 "$database" "SELECT total FROM orders"'
    release v1.0.0
    printf 'ALTER TABLE orders RENAME COLUMN total TO amount;\n' >migrations/0002_amount.up.sql
    printf 'ALTER TABLE orders RENAME COLUMN amount TO total;\n' >migrations/0002_amount.down.sql
    printf 'SELECT id FROM orders WHERE amount < 0;\n' >checks/totals.sql
    selftest 'sleep 60'
    jq '.compatibility.timeout = 1' rbtool.json >new.json && mv new.json rbtool.json
    run -0 --separate-stderr release v1.1.0 --json
    [[ $(jq -c '.compatibility | [.result, .checks, .exit]' <<<"$output") == '["fails",0,1]' ]]
    [[ $(jq -r .compatibility.why <<<"$output") == *"checks/totals.sql failed to run"*"no such column: total"* ]]
    home=$(sed -n 's/.*| home is //p' <<<"$stderr")
    [[ $home == /var/tmp/rbtool-*/home && ! -e ${home%/home} ]]
    # that release's own command is too slow for its limit
    printf 'CREATE TABLE notes (id INTEGER PRIMARY KEY);\n' >migrations/0003_notes.up.sql
    printf 'DROP TABLE notes;\n' >migrations/0003_notes.down.sql
    run -0 --separate-stderr release v1.2.0 --json
    [[ $(jq -c '.compatibility | [.result, .why, .exit]' <<<"$output") == \
        '["fails","`src/selftest` did not end in 1 s",null]' ]]
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    run -0 --separate-stderr rbtool plan v1.1.0
    [[ $output == *"compatibility fails: check checks/totals.sql failed to run"* ]]
}

@test "without a command and a check that tells, the result is untested" {
    git rm -q -r checks
    jq 'del(.checks)' rbtool.json >new.json && mv new.json rbtool.json
    release v1.0.0
    second
    run -0 --separate-stderr rbtool release v1.1.0 --compatibility --json
    [[ $(jq -c '.compatibility | [.result, .checks, .command]' <<<"$output") == '["untested",0,null]' ]]
    run -0 --separate-stderr release v1.2.0 --json
    [[ $(jq -c .compatibility <<<"$output") == null ]]
}

@test "the manifest is the same with and without the test" {
    release v1.0.0
    second
    a=$(rbtool release v1.1.0 -n --json 2>/dev/null | jq -c .manifest)
    b=$(rbtool release v1.1.0 -n --json --compatibility 2>/dev/null | jq -c .manifest)
    [[ -n $a && $a == "$b" ]]
}

@test "on PostgreSQL the command gets a database of its own server" {
    command -v psql >/dev/null || skip "psql is not installed"
    printf 'CREATE TABLE orders (id integer PRIMARY KEY, total integer NOT NULL);\n' \
        >migrations/0001_orders.up.sql
    jq '.databases.main.engine = "postgresql" | del(.environments)' rbtool.json >new.json
    mv new.json rbtool.json
    selftest 'test "$(psql -XAtc "SELECT count(*) FROM orders WHERE total IS NOT NULL" "$RBTOOL_DATABASE_MAIN")" -eq 1'
    release v1.0.0
    second
    run -0 --separate-stderr rbtool release v1.1.0 --json
    [[ $(jq -c '.compatibility | [.result, .why, .checks, .rows]' <<<"$output") == '["tested",null,1,1]' ]]
    [[ $(jq -r '.compatibility.databases[0] | .engine + " " + .version' <<<"$output") == "postgresql 15" ]]
}
