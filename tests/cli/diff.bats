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
    fails 2 "diff needs A" rbtool diff
}

@test "diff lists commits with their Rollback: trailers, and counts lines as git does" {
    git mv src/home.html src/start.html
    seq 1 50 >src/long.txt
    printf '\0\1' >src/logo.bin
    git add -A
    git commit -qm 'shop: long list' -m 'Rollback: nothing to do' --author 'Bob <bob@example.com>'
    release v1.2.0
    run -0 --separate-stderr rbtool diff v1.1.0 v1.2.0 --json
    schema diff <<<"$output"
    [[ $(jq -c '[.commits[] | [.subject, .author, .rollback]]' <<<"$output") == \
        '[["release 1.2.0","Alice <alice@example.com>",[]],["shop: long list","Bob <bob@example.com>",["nothing to do"]]]' ]]
    [[ $(jq -r '.commits[].id' <<<"$output") == "$(git rev-list v1.1.0..v1.2.0)" ]]
    [[ $(jq -r '.commits[].date | fromdate' <<<"$output") == "$(git log --format=%ct v1.1.0..v1.2.0)" ]]
    [[ $(jq -r '.files[] | select(.from == null) | [.added // "-", .removed // "-", .path] | @tsv' <<<"$output") == \
        "$(git diff --numstat -M v1.1.0 v1.2.0 | grep -v '=>')" ]]
    [[ $(jq -c '.files[] | select(.from).from' <<<"$output") == '"src/home.html"' ]]
    run -0 --separate-stderr rbtool diff v1.1.0 v1.2.0 --stat
    [[ $output == *"shop: long list (Bob <bob@example.com>)"*"Rollback: nothing to do"* ]]
    [[ $output == *"src/long.txt | 50 +++++"* && $output == *"src/logo.bin | binary"* ]]
    [[ $output == *"src/home.html => src/start.html | 0"* ]]
    run -0 --separate-stderr rbtool diff v1.1.0 v1.2.0 --name-only
    [[ $output == "$(git diff --name-only v1.1.0 v1.2.0)" ]]
}

@test "diff runs git for its settings alone where no lines are counted" {
    GIT_TRACE=$BATS_TEST_TMPDIR/trace run -0 rbtool diff v1.0.0 v1.1.0
    [[ $(grep -o 'built-in: git [a-z]*' "$BATS_TEST_TMPDIR/trace") == 'built-in: git config' ]]
}

@test "diff compares config files key by key where their form is simple" {
    printf '{"db": {"pool": 5, "host": "a"}, "debug": false}\n' >config/app.json
    printf '# shop\nexport MODE=fast\nLEVEL="a b"\n' >config/shop.env
    printf '[server]\nworkers = 4 \n[log]\nlevel = "info"\n' >config/app.toml
    printf 'list = [\n1,\n]\n' >config/new.toml
    jq '.config = ["config/*"]' rbtool.json >new.json && mv new.json rbtool.json
    release v1.2.0
    printf '{"db": {"pool": 9, "host": "a"}, "trace": true}\n' >config/app.json
    printf 'MODE=slow\nLEVEL="a b"\n' >config/shop.env
    printf '[server]\nworkers = 8\n[log]\nlevel = "info"\n' >config/app.toml
    printf 'list = [\n2,\n]\n' >config/new.toml
    release v1.3.0
    run -0 --separate-stderr rbtool diff v1.2.0 v1.3.0 --json
    schema diff <<<"$output"
    [[ $(jq -c '.config[] | [.path, [(.keys // [])[] | [.key, .from, .to]]]' <<<"$output") == \
        '["config/app.json",[["db.pool","5","9"],["debug","false",null],["trace",null,"true"]]]
["config/app.toml",[["server.workers","4","8"]]]
["config/new.toml",[]]
["config/shop.env",[["MODE","fast","slow"]]]' ]]
    run -0 --separate-stderr rbtool diff v1.2.0 v1.3.0
    [[ $output == *"~ db.pool  5 -> 9"* && $output == *"- debug = false"* && $output == *"+ trace = true"* ]]
    [[ $output == *"-1,"* && $output == *"+2,"* ]]
}

@test "diff shows a renamed column as renamed, and a dropped one beside an added one as it is" {
    printf 'ALTER TABLE orders RENAME COLUMN total TO amount;\n' >migrations/0003_amount.up.sql
    printf 'ALTER TABLE orders RENAME COLUMN amount TO total;\n' >migrations/0003_amount.down.sql
    git rm -q -r checks && jq 'del(.checks)' rbtool.json >new.json && mv new.json rbtool.json
    release v1.2.0
    run -0 --separate-stderr rbtool diff v1.1.0 v1.2.0 --json
    schema diff <<<"$output"
    [[ $(jq -c '.databases[0].renamed' <<<"$output") == '[{"from":"total","table":"orders","to":"amount"}]' ]]
    run -0 --separate-stderr rbtool diff v1.2.0 v1.1.0
    [[ $output == *"~ column orders.amount -> total"* && $output != *"+ column orders.total"* ]]
    printf 'ALTER TABLE orders DROP COLUMN discount;\nALTER TABLE orders ADD COLUMN rebate INTEGER;\n' \
        >migrations/0004_rebate.up.sql
    printf 'ALTER TABLE orders DROP COLUMN rebate;\nALTER TABLE orders ADD COLUMN discount INTEGER;\n' \
        >migrations/0004_rebate.down.sql
    release v1.3.0 --accept RB003
    run -0 --separate-stderr rbtool diff v1.2.0 v1.3.0
    [[ $output == *"- column orders.discount"* && $output == *"+ column orders.rebate"* ]]
}

@test "diff takes a commit or the work tree as B, and changes neither index nor work tree" {
    echo more >>src/shop
    git commit -qam 'shop: more'
    printf 'CREATE TABLE log (m);\n' >migrations/0003_log.up.sql
    printf 'DROP TABLE log;\n' >migrations/0003_log.down.sql
    printf 'workers = 16\n' >config/app.toml
    before=$(git status --porcelain; git rev-parse HEAD; git for-each-ref)
    run -0 --separate-stderr rbtool diff v1.1.0 HEAD --json
    schema diff <<<"$output"
    [[ $(jq -c '[.to, .artifacts[0].changed, .databases[0].migrations.added]' <<<"$output") == '["HEAD",["src/shop"],[]]' ]]
    run -0 --separate-stderr rbtool diff v1.1.0
    [[ ${lines[0]} == "v1.1.0 -> the work tree"* ]]
    [[ $output == *"+ 3 log"*"+ table log"*"~ workers  4 -> 16"*"going back to v1.1.0: reversible"* ]]
    [[ $(git status --porcelain; git rev-parse HEAD; git for-each-ref) == "$before" ]]
    git fsck --strict 2>&1 | grep -v dangling | grep . && return 1
    fails 2 "no tag nowhere" rbtool diff v1.1.0 nowhere
}

@test "flags in flagd's form of a list are read by name" {
    jq '.flags |= (to_entries | map({key} + .value))' flags.json >flags.new && mv flags.new flags.json
    jq -e '.flags | type == "array"' flags.json
    release v1.2.0
    [[ $(manifest v1.2.0 | jq -c '[.predicate.flags.values[].name]') == '["checkout","search"]' ]]
    run -0 --separate-stderr rbtool diff v1.1.0 v1.2.0 --json
    [[ $(jq -c .flags <<<"$output") == '[]' ]]
    jq '.flags[0].defaultVariant = "old"' flags.json >flags.new && mv flags.new flags.json
    release v1.3.0
    run -0 --separate-stderr rbtool diff v1.2.0 v1.3.0 --json
    [[ $(jq -c '[.flags[] | [.name, .from.value, .to.value, .changed]]' <<<"$output") == \
        '[["checkout",2,1,["defaultVariant"]]]' ]]
    jq '.flags += [.flags[0]]' flags.json >flags.new && mv flags.new flags.json
    run ! release v1.4.0
    [[ $output == *"flags.checkout: expected one flag of that name"* ]]
}

@test "a schema that was proven or rebuilt once is read from .git/rbtool/schemas, unless it is damaged" {
    local kept=.git/rbtool/schemas said
    said=$(rbtool diff v1.0.0 v1.1.0 --json)
    [[ $(find $kept -maxdepth 1 -type f | wc -l) -eq 2 ]] # since the releases were made
    rm -r $kept
    [[ $(rbtool diff v1.0.0 v1.1.0 --json) == "$said" ]]
    [[ $(find $kept -maxdepth 1 -type f -perm 600 | wc -l) -eq 2 ]]
    for file in "$kept"/[0-9a-f]*; do truncate -s -1 "$file"; done
    [[ $(rbtool diff v1.0.0 v1.1.0 --json) == "$said" ]]
    for file in "$kept"/[0-9a-f]*; do jq -c 'del(.["table orders"])' "$file" >"$file.new" && mv "$file.new" "$file"; done
    run rbtool diff v1.0.0 v1.1.0
    [[ $output == *"the schema of v1.1.0, rebuilt here, is not the one in its manifest"* ]]
    rm -r $kept
    mkdir $kept && seq 64 | (cd $kept && xargs touch)
    [[ $(rbtool diff v1.0.0 v1.1.0 --json) == "$said" ]]
    [[ $(find $kept -maxdepth 1 -type f | wc -l) -eq 2 ]] # it was full
}
