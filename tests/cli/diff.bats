#!/usr/bin/env bats
# rbtool diff: files, migrations, schema, flags, config, and what going back would mean.

bats_require_minimum_version 1.5.0
load lib

setup() {
    home
    keys
    shop
    release v1.0.0
    second
    printf '{}\n' >src/new.json
    rm src/index.html
    mkdir -p config
    printf 'x = 1\n' >config/new.toml
    release v1.1.0
}

@test "diff --json prints the documented document" {
    run --separate-stderr rbtool diff v1.0.0 v1.1.0 --json
    [[ $status -eq 0 ]]
    schema diff <<<"$output"
    [[ $(jq -c '[.from, .to, .app]' <<<"$output") == \
        '["v1.0.0","v1.1.0",{"from":"1.0.0","to":"1.1.0"}]' ]]
    [[ $(jq -c '.artifacts' <<<"$output") == \
        '[{"added":["src/new.json"],"changed":["src/shop"],"name":"app","removed":["src/index.html"]}]' ]]
    [[ $(jq -c '.databases[0].migrations' <<<"$output") == '{"added":["2"],"changed":[],"removed":[]}' ]]
    jq -e '.databases[0].schema | index({"object":"column orders.discount","change":"added"})' <<<"$output"
    [[ $(jq -c '[.flags[] | [.name, .from.default, .to.default]]' <<<"$output") == \
        '[["checkout","old","new"]]' ]]
    [[ $(jq -c '[.config[] | {change, path}]' <<<"$output") == \
        '[{"change":"changed","path":"config/app.toml"},{"change":"added","path":"config/new.toml"}]' ]]
    [[ $(jq -r '.risk.class' <<<"$output") == reversible ]]
}

@test "diff prints text for people" {
    run --separate-stderr rbtool diff v1.0.0 v1.1.0
    [[ $status -eq 0 ]]
    [[ ${lines[0]} == "v1.0.0 -> v1.1.0  (version 1.0.0 -> 1.1.0)" ]]
    [[ $output == *"artifact app: 1 file added, 1 file removed, 1 file changed"* ]]
    [[ $output == *"  + src/new.json"* && $output == *"  - src/index.html"* && $output == *"  ~ src/shop"* ]]
    [[ $output == *"database main: 1 migration added"*"  + 2 discount"* ]]
    [[ $output == *"    + column orders.discount"* ]]
    [[ $output == *"  ~ checkout  ENABLED old -> ENABLED new"* ]]
    [[ $output == *"  ~ config/app.toml"* ]]
    [[ $output == *"going back to v1.0.0: reversible"* ]]
}

@test "diff reports removals in the reverse direction, and no differences of a release with itself" {
    run --separate-stderr rbtool diff v1.1.0 v1.0.0 --json
    [[ $(jq -c '.databases[0].migrations' <<<"$output") == '{"added":[],"changed":[],"removed":["2"]}' ]]
    jq -e '.databases[0].schema | index({"object":"column orders.discount","change":"removed"})' <<<"$output"
    run --separate-stderr rbtool diff v1.1.0 v1.1.0
    [[ $status -eq 0 && ${lines[1]} == "no differences" ]]
    run rbtool diff --exit-code v1.1.0 v1.1.0
    [[ $status -eq 0 ]]
    run rbtool diff --exit-code v1.0.0 v1.1.0
    [[ $status -eq 1 ]]
}

@test "diff reports the worst risk class of all releases in the range" {
    printf 'DROP TABLE orders;\n' >migrations/0003_gone.up.sql
    printf 'CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, discount INTEGER);\n' \
        >migrations/0003_gone.down.sql
    release v1.2.0 --accept RB003
    printf 'CREATE TABLE log (m);\n' >migrations/0004_log.up.sql
    release v1.3.0 --accept RB001,RB002
    printf 'CREATE TABLE fine (m);\n' >migrations/0005_fine.up.sql
    printf 'DROP TABLE fine;\n' >migrations/0005_fine.down.sql
    release v1.4.0
    run --separate-stderr rbtool diff v1.1.0 v1.2.0 --json
    [[ $(jq -r '.risk.class' <<<"$output") == lossy ]]
    [[ $(jq -r '.risk.reasons[]' <<<"$output") == *"main 3 gone: its up destroyed data: orders"* ]]
    run --separate-stderr rbtool diff v1.1.0 v1.4.0 --json
    [[ $(jq -r '.risk.class' <<<"$output") == irreversible ]]
    [[ $(jq -r '.risk.reasons[]' <<<"$output") == *"main 4 log: it has no down"* ]]
    [[ $(jq -r '.risk.reasons[]' <<<"$output") == *"main 3 gone: its up destroyed data"* ]]
    run --separate-stderr rbtool diff v1.3.0 v1.4.0 --json
    [[ $(jq -r '.risk.class' <<<"$output") == reversible ]]
    # the release that proved 3 and 4 is not here
    forget_ledger
    git tag -d v1.3.0
    run --separate-stderr rbtool diff v1.1.0 v1.4.0 --json
    [[ $(jq -r '.risk.class' <<<"$output") == irreversible ]]
    [[ $(jq -r '.risk.reasons[]' <<<"$output") == *"main 3 gone: no release at hand has proven its way back"* ]]
}

@test "diff reports a flag of which only variants or targeting changed" {
    jq '.flags.search.targeting = {"if": [true, "on", "off"]} | .flags.search.variants.on = 1.5' \
        flags.json >flags.new
    mv flags.new flags.json
    release v1.2.0
    run --separate-stderr rbtool diff v1.1.0 v1.2.0
    [[ $output == *"  ~ search  DISABLED off (variants, targeting changed)"* ]]
    run --separate-stderr rbtool diff v1.1.0 v1.2.0 --json
    jq -e '.flags | length == 1 and .[0].from.definition != .[0].to.definition' <<<"$output"
}

@test "diff refuses a release that does not verify" {
    git tag v9.0.0
    fails 1 "v9.0.0" rbtool diff v1.0.0 v9.0.0
    fails 2 "no tag nowhere" rbtool diff v1.0.0 nowhere
    fails 2 "diff needs A B" rbtool diff v1.0.0
}
