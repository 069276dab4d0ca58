#!/usr/bin/env bats
# Drift: what is drift, and how it is shown.

bats_require_minimum_version 1.5.0
load lib
load transition

setup() {
    host
}

@test "accepted drift that was later removed by hand is not reported as drift" {
    two_releases
    sql 'CREATE INDEX hotfix ON orders (total); ALTER TABLE orders ADD COLUMN extra INTEGER'
    rbtool deploy v1.1.0 --yes --accept-drift
    run rbtool status --json
    [ "$(jq -c '.drift' <<<"$output")" = '[]' ]
    sql 'DROP INDEX hotfix; ALTER TABLE orders DROP COLUMN extra'
    settled_at v1.1.0
    rbtool status --exit-code
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
    rbtool deploy v1.1.0 --yes --accept-reverted
    settled_at v1.1.0
    # What only looks like it is drift as before.
    sql 'CREATE INDEX hotfix ON orders (id)'
    fails 1 'index hotfix' rbtool status --exit-code
}

@test "diff shows the changed keys of config files and lines of flags, and --stat leaves them out" {
    release v1.0.0
    second
    rbtool release v1.1.0
    run rbtool diff v1.0.0 v1.1.0
    [[ $output == *'~ config/app.toml'*'      ~ workers  2 -> 4'* ]]
    [[ $output == *'      - "defaultVariant": "old",'*'      + "defaultVariant": "new",'* ]]
    rbtool diff v1.0.0 v1.1.0 --json | schema diff
    run rbtool diff v1.0.0 v1.1.0 --stat
    [[ $output == *'~ config/app.toml'* && $output != *'workers'* && $output != *defaultVariant* ]]
}

@test "plan shows the changed lines of text files that drifted" {
    two_releases
    printf 'workers = 3\n' >"$PROD/etc/app.toml"
    sed -i 's/"defaultVariant": "old"/"defaultVariant": "new"/' "$PROD/etc/flags.json"
    run rbtool deploy v1.1.0 -n
    [[ $output == *"config $PROD/etc/app.toml: it was changed after it was delivered"* ]]
    [[ $output == *'      -workers = 2'*'      +workers = 3'* ]]
    [[ $output == *'      +'*'"defaultVariant": "new"'* ]]
    rbtool deploy v1.1.0 -n --json >doc || true
    schema plan <doc
    [ "$(jq -c '[.drift[] | select(.part == "config").lines]' doc)" = \
        '[["-workers = 2","+workers = 3"]]' ]
    printf 'a\0b' >"$PROD/etc/app.toml"
    run rbtool deploy v1.1.0 -n
    [[ $output == *'not compared line by line'* ]]
}

@test "plan reports a part that cannot be read, continues, and exits with the code of the run" {
    two_releases
    rbtool deploy v1.1.0 --yes
    rm "$PROD/etc/flags.json"
    mkdir "$PROD/etc/flags.json"
    run rbtool plan v1.1.0
    [ "$status" -eq 2 ]
    [[ $output == *'flags.json'*'not a regular file'* && $output == *'config    write 1 config file'* ]]
    fails 2 'flags.json' rbtool revert v1.1.0 --yes
    rmdir "$PROD/etc/flags.json"
    git show v1.1.0:flags.json >"$PROD/etc/flags.json"
    mv "$PROD/data/shop.db" "$PROD/data/kept.db"
    run -1 rbtool status --exit-code # what cannot be read has not drifted
    [[ ${lines[0]} == "prod: v1.1.0, not all of it can be read, "* && $output == *"unreadable  database main: "*"does not exist"* ]]
    rbtool status --json | jq -e '.drift == [] and .unreadable[0].part == "database main"'
    head -c 8192 /dev/urandom >"$PROD/data/shop.db"
    run rbtool plan v1.1.0
    [ "$status" -eq 2 ]
    [[ $output == *'shop.db'*'is not a database'* && $output == *'config    write 1 config file'* ]]
    rbtool plan v1.1.0 --json 2>/dev/null | head -n 1 | jq -e '.decisions[0].code == "unreadable"'
}

@test "files that an artifact ignores are not drift, but the release's own files are still compared" {
    printf 'seed\n' >src/seed.pyc
    jq '.artifacts[0].ignore = ["src/cache/**", "**/*.pyc", "log/*"]' rbtool.json >new.json
    mv new.json rbtool.json
    git add -A && git commit -qm ignore
    two_releases
    rbtool show v1.0.0 --json | schema manifest
    [[ $(rbtool show v1.0.0) == *'ignores src/cache/**'* ]]
    local app=$PROD/releases/v1.0.0/app
    mkdir -p "$app/src/cache/deep/.hidden" "$app/log"
    touch "$app/src/cache/deep/.hidden/x" "$app/log/today" "$app/x.pyc"
    chmod 0 "$app/src/cache/deep"
    rbtool status --exit-code
    inode=$(stat -c %i "$app")
    rbtool deploy v1.0.0 --yes
    [ "$(stat -c %i "$app")" = "$inode" ]
    chmod 755 "$app/src/cache/deep"
    rbtool deploy v1.1.0 -n
    mkdir "$app/log/old"
    touch "$app/log/old/x"
    fails 1 "log/old/x: expected no such file" rbtool status --exit-code
    fails 5 "log/old/x" rbtool deploy v1.1.0 --yes
    rm -r "$app/log/old"
    printf 'other\n' >"$app/src/seed.pyc"
    fails 1 "src/seed.pyc" rbtool status --exit-code
    rm "$app/src/seed.pyc"
    fails 1 "src/seed.pyc" rbtool status --exit-code
    printf 'seed\n' >"$app/src/seed.pyc"
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
}

@test "diff shows the globs that an artifact ignores" {
    release v1.0.0
    jq '.artifacts[0].ignore = ["src/cache/**"]' rbtool.json >new.json
    mv new.json rbtool.json
    echo 1.1.0 >VERSION
    git commit -qam ignore
    rbtool release v1.1.0
    run rbtool diff v1.0.0 v1.1.0
    [[ $output == *'artifact app: the same files'*'ignore'*'+ src/cache/**'* ]]
    rbtool diff v1.0.0 v1.1.0 --json | schema diff
    fails 1 'src/cache' rbtool diff v1.0.0 v1.1.0 --exit-code
    rbtool verify --all
}

@test "ignore globs that lead out of the artifact or belong to an archive are refused by name" {
    for glob in '../x' '/etc/**' 'cache/'; do
        settings ".artifacts[0].ignore = [\"$glob\"]"
        fails 2 'artifacts[0].ignore[0]: expected a glob inside the artifact' \
            rbtool release v1.0.0 --config "$SETTINGS"
    done
    settings '.artifacts[0] |= . + {format: "zip", ignore: ["x"]}'
    fails 2 'artifacts[0].ignore: only an artifact of format dir' rbtool release v1.0.0 --config "$SETTINGS"
}

@test "status and plan show drift of flags by name, state, variant and changed members, and of config as lines" {
    two_releases
    printf 'workers = 3\n' >"$PROD/etc/app.toml"
    jq '.flags.fresh = {state: "ENABLED", variants: {a: 1}} |
        (.flags[] | select(.defaultVariant == "old")) |= (.defaultVariant = "new" | .targeting = {"if": [true, "new", "old"]})' \
        "$PROD/etc/flags.json" >new.flags
    cat new.flags >"$PROD/etc/flags.json"
    for command in 'status' 'deploy v1.1.0 -n'; do
        # shellcheck disable=SC2086
        run rbtool $command
        [[ $output == *"config $PROD/etc/app.toml: it was changed after it was delivered"*'      -workers = 2'*'      +workers = 3'* ]]
        [[ $output == *"      ~ "*"  ENABLED old -> ENABLED new (targeting changed)"* ]]
        [[ $output == *"      + fresh  ENABLED without a default"* ]]
        [[ $output == *'"targeting": {'* ]]
        [[ ! $output =~ (expected|found)\ [0-9a-f]{13} ]]
    done
    rbtool status --json >doc
    schema status <doc
    [ "$(jq -c '[.drift[] | select(.part == "flags").flags[].changed]' doc)" = '[["defaultVariant","targeting"],[]]' ]
    jq -e 'all(.drift[]; (.expected | length) == 64)' doc
    rbtool deploy v1.1.0 -n --json >doc || true
    schema plan <doc
    jq -e '.drift[0].flags[1].name == "fresh"' doc
    fails 5 'first flags' rbtool deploy v1.1.0 --yes
    # What is not a flag file any more is shown as lines, and a binary file by 12 digits.
    printf '{' >"$PROD/etc/flags.json"
    run rbtool status
    [[ $output == *"flags $PROD/etc/flags.json: it was changed"*'      +{'* ]]
    rm "$PROD/etc/app.toml"
    run rbtool status
    [[ $output =~ app.toml:\ expected\ [0-9a-f]{12},\ found\ missing ]]
}

# Two releases, the first live, with a second database that no check reads.
with_audit() {
    jq --arg url "sqlite:$PROD/data/audit.db" '.databases.audit = {engine: "sqlite", migrations: "audit"}
        | .environments.prod.databases.audit = $url | del(.checks)' rbtool.json >new.json
    mv new.json rbtool.json
    mkdir audit
    echo 'CREATE TABLE events (id INTEGER PRIMARY KEY);' >audit/1_events.up.sql
    echo 'DROP TABLE events;' >audit/1_events.down.sql
    git add -A && git commit -qm audit
    two_releases
}

@test "deploy -n and revert -n name what cannot be read, and plan the rest and the other databases" {
    with_audit
    head -c 8192 /dev/urandom >"$PROD/data/audit.db"
    rm "$PROD/etc/flags.json"
    mkdir "$PROD/etc/flags.json"
    run rbtool deploy v1.1.0 -n
    [ "$status" -eq 2 ]
    [[ $output == *'audit: cannot be read, so its scripts are not known; main in one transaction: up 2'* ]]
    [[ $output == *'audit.db'*'is not a database'* && $output == *'flags.json'* ]]
    rbtool deploy v1.1.0 -n --json 2>/dev/null >doc || true
    schema plan <doc
    rmdir "$PROD/etc/flags.json"
    git show v1.0.0:flags.json >"$PROD/etc/flags.json"
    rm "$PROD/data/audit.db"
    sqlite3 "$PROD/data/audit.db" 'CREATE TABLE x (y)'
    rbtool deploy v1.1.0 --yes --only app,flags,config
    head -c 8192 /dev/urandom >"$PROD/data/audit.db"
    run rbtool revert v1.1.0 -n --only app,flags,config
    [ "$status" -eq 0 ]
    fails 2 'audit.db' rbtool deploy v1.1.0 --only db --yes
}

@test "the rows at risk of one database are counted when another database cannot be read" {
    with_audit
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 5 WHERE id < 4'
    head -c 8192 /dev/urandom >"$PROD/data/audit.db"
    for command in 'revert v1.1.0 -n' 'plan v1.1.0'; do
        # shellcheck disable=SC2086
        run rbtool $command
        [ "$status" -eq 2 ]
        [[ $output == *'main: orders.discount: 3 values will be lost'* && $output == *'audit.db'*'is not a database'* ]]
    done
}

@test "a pipe or device in place of a file is reported and does not block rbtool" {
    local file
    two_releases
    for file in etc/app.toml etc/flags.json data/shop.db-journal data/shop.db-wal .rbtool/state.db-journal; do
        rm -f "$BATS_TEST_TMPDIR/kept"
        [ ! -e "$PROD/$file" ] || mv "$PROD/$file" "$BATS_TEST_TMPDIR/kept"
        mkfifo "$PROD/$file"
        fails 0 'not a regular file' timeout 30 rbtool status
        fails 2 'not a regular file' timeout 30 rbtool deploy v1.1.0 --yes
        rm "$PROD/$file"
        [ ! -e "$BATS_TEST_TMPDIR/kept" ] || mv "$BATS_TEST_TMPDIR/kept" "$PROD/$file"
    done
    rm "$PROD/etc/app.toml"
    ln -s /dev/zero "$PROD/etc/app.toml"
    fails 0 'app.toml: it is not a regular file' timeout 30 rbtool status
}

@test "names with dots, spaces and quotes: release, drift and diff name the object that differs" {
    release v1.0.0
    mkdir -p migrations
    printf 'CREATE TABLE "a.b" (id INTEGER PRIMARY KEY);\nCREATE TABLE "a b" (id INTEGER PRIMARY KEY, "c.d" TEXT);\nCREATE TABLE "a""b" (id INTEGER PRIMARY KEY);\nCREATE TABLE a (id INTEGER PRIMARY KEY, "b.c" TEXT);\n' \
        >migrations/0002_names.up.sql
    printf 'DROP TABLE a;\nDROP TABLE "a""b";\nDROP TABLE "a b";\nDROP TABLE "a.b";\n' \
        >migrations/0002_names.down.sql
    echo 1.1.0 >VERSION
    git add -A
    git commit -qm names
    rbtool release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
    sql 'ALTER TABLE a DROP COLUMN "b.c"; ALTER TABLE "a.b" ADD COLUMN c TEXT'
    run rbtool status
    [[ $output == *'column a."b.c"'*'column a.b.c'* ]]
    [ "$(rbtool status --json | jq -c '[.drift[].path]')" = \
        '["main: column a.\"b.c\"","main: column a.b.c"]' ]
    sql 'ALTER TABLE a ADD COLUMN "b.c" TEXT; ALTER TABLE "a.b" DROP COLUMN c'
    rbtool status --exit-code
    run rbtool diff v1.0.0 v1.1.0
    for one in 'table a' 'table "a b"' 'table "a""b"' 'table a.b'; do
        grep -F -- "$one" <<<"$output"
    done
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
}
