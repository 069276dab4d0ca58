#!/usr/bin/env bats
# The ways back that a plan lists: flags, application, everything, forward.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
}

ways() {
    rbtool plan v1.1.0 --json | jq -c '.waysBack'
}

@test "plan lists every way back with its cost, and each command does what it says" {
    jq '.flags.features = {"checkout": {"migrations": ["2"]}}' rbtool.json >new.json
    mv new.json rbtool.json
    two_releases
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = id'
    run -5 --separate-stderr rbtool plan v1.1.0 --json
    schema plan <<<"$output"
    [[ $(jq -c '[.waysBack[] | [.way, .only, .compatible, .values, .rows]]' <<<"$output") == \
        '[["flags",["flags"],null,0,0],["application",["app","flags","config"],"untested",0,0],["everything",[],null,10,0],["forward",[],null,0,0]]' ]]
    [[ $(jq -c '.waysBack[0].features' <<<"$output") == \
        '[{"changes":true,"database":"main","flag":"checkout","from":"ENABLED new","migration":"2","name":"discount","to":"ENABLED old"}]' ]]
    jq -e '.waysBack | all(.seconds != null or .way == "everything")' <<<"$output"
    [[ $(jq -r '.waysBack[3].command' <<<"$output") == "rbtool release v1.1.1 && rbtool deploy v1.1.1 --env prod --yes" ]]

    run -5 --separate-stderr rbtool plan v1.1.0
    [[ $output == *"- flags: nothing at risk; about "*"s, 0.0 s down"* ]]
    [[ $output == *"flag checkout (ENABLED new -> ENABLED old) switches what migration 2 discount of main brought"* ]]
    [[ $output == *"- everything: 10 values at risk; duration unknown"* ]]

    application=$(ways | jq -r '.[1].command')
    eval "$application"
    [[ $(readlink "$PROD/current") == releases/v1.0.0 ]]
    [[ $(sql 'SELECT sum(discount) FROM orders') -eq 55 ]]
    [[ $(rbtool status --json | jq -r '[.parts[].release] | join(" ")') == 'v1.0.0 v1.1.0 v1.0.0 v1.0.0' ]]
    [[ $(rbtool log --json | jq -s '[.[] | select(.kind == "verdict")] | length') -eq 0 ]]
    # from there, the downs come from the release that the database is at
    run -5 --separate-stderr rbtool plan v1.1.0 --json
    [[ $(jq -c '[.databases[].scripts[] | .direction + " " + .id]' <<<"$output") == '["down 2"]' ]]
    eval "$(jq -r '.waysBack[] | select(.way == "everything").command' <<<"$output")"
    settled_at v1.0.0
}

@test "revert that a person must decide lists the ways back and takes none" {
    two_releases
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = id'
    before=$(picture)
    run -5 --separate-stderr rbtool revert v1.1.0 --yes
    [[ $stderr == *"ways back"*"--only flags"*"--only app,flags,config"*"--accept-data-loss"* ]]
    run -5 --separate-stderr rbtool revert v1.1.0 --yes --json
    schema transition <<<"$output"
    [[ $(jq -c '[.waysBack[].way]' <<<"$output") == '["flags","application","everything","forward"]' ]]
    [[ $(picture) == "$before" ]]
}

@test "a way back that is known to fail is marked in the plan, and the deploy says that rows come back only by hand" {
    release v1.0.0
    rbtool deploy v1.0.0 --yes
    sql "INSERT INTO orders (id, total) VALUES (1, 7)"
    echo 'UPDATE orders SET total = 0;' >migrations/2_zero.up.sql
    echo 'ALTER TABLE nothing DROP COLUMN here;' >migrations/2_zero.down.sql
    git add -A
    git commit -qm zero
    release v1.1.0 --accept RB002
    fails 5 "comes back only by hand, with \`rbtool restore\`, since the way back is known to fail" rbtool deploy v1.1.0 --yes
    rbtool deploy v1.1.0 --yes --accept-data-loss "$(rbtool plan --deploy v1.1.0 --json 2>/dev/null | jq -r .digest)"
    run -5 --separate-stderr rbtool plan v1.1.0 --json
    schema plan <<<"$output"
    [[ $(jq -c '[.waysBack[] | [.way, .problem]]' <<<"$output") == \
        '[["application",null],["everything","database main: the down of migration 2 failed when its release was made"],["forward",null]]' ]]
    run -5 rbtool plan v1.1.0
    [[ $output == *"refused as it is: database main: the down of migration 2 failed"* ]]
    rbtool plan v1.1.0 --format markdown | grep -q 'Refused as it is.*the down of migration 2 failed'
}

@test "ways back that do not exist are not listed" {
    release v1.0.0
    echo '<h1>new</h1>' >src/index.html
    release v1.0.1
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.0.1 --yes
    run -0 --separate-stderr rbtool plan v1.0.1 --json
    [[ $(jq -c '[.waysBack[].way]' <<<"$output") == '["everything","forward"]' ]]
    run -0 --separate-stderr rbtool plan --deploy v1.0.0 --json
    [[ $(jq -c '.waysBack' <<<"$output") == '[]' ]]
}

@test "a flag that both releases have alike is named as one to change in a release" {
    jq '.flags.features = {"search": {"migrations": ["2"]}}' rbtool.json >new.json
    mv new.json rbtool.json
    two_releases
    rbtool deploy v1.1.0 --yes
    run -0 --separate-stderr rbtool plan v1.1.0
    [[ $output == *"flag search is DISABLED off in both releases: it switches what migration 2 discount of main brought"* ]]
}

@test "a plan warns about a flag that a rule switches by the time" {
    jq '.flags.search.targeting = {"if": [{"<=": [1700000000, {"var": "$flagd.timestamp"}]}, "on", "off"]}' \
        flags.json >new.json && mv new.json flags.json
    two_releases
    rbtool deploy v1.1.0 --yes
    run -0 --separate-stderr rbtool plan v1.1.0
    [[ $output == *'flag search of v1.0.0 depends on the time: its rule "time >= 2023-11-14 22:13:20 UTC" is true now'* ]]
}

@test "a plan warns where the target requires another application's version that does not run" {
    jq '.requires = [{"app": "billing", "repository": "../billing", "range": ">=2.3, <3"}]' \
        rbtool.json >new.json && mv new.json rbtool.json
    release v1.0.0
    second
    jq '.requires[0].range = "<2.3"' rbtool.json >new.json && mv new.json rbtool.json
    release v1.1.0
    run -0 --separate-stderr rbtool plan --deploy v1.0.0
    [[ $output == *"v1.0.0 requires billing >=2.3, <3, which cannot be judged from its repository: "*"\`rbtool -C $SHOP/../billing list\`"* ]]
    (
        PROD=$BATS_TEST_TMPDIR/billing-prod
        mkdir -p "$PROD/data" "$PROD/etc"
        shop "$BATS_TEST_TMPDIR/billing"
        sed -i 's/"shop"/"billing"/' rbtool.json
        release v2.2.9
    )
    run -0 --separate-stderr rbtool plan --deploy v1.0.0
    [[ $output == *"has no transition in prod that an allowed signer wrote; see what it has with "* ]]
    run -0 bash -c "$(grep -oE 'rbtool -C [^`]+' <<<"$output")"
    [[ $output == *"release"*"v2.2.9"* ]]
    rbtool -C ../billing deploy v2.2.9 --yes
    rbtool deploy v1.0.0 --yes
    run -0 --separate-stderr rbtool plan --deploy v1.1.0
    [[ $output != *requires* ]]
    rbtool deploy v1.1.0 --yes
    run -0 --separate-stderr rbtool plan v1.1.0
    [[ $output == *"v1.0.0 requires billing >=2.3, <3, but billing is at v2.2.9 in prod: going there leaves the range; no good release of it is in the range, see them with "* ]]
    run -0 bash -c "$(grep -oE 'rbtool -C [^`]+' <<<"$output")"
    [[ $output == *v2.2.9* ]]
    (
        cd "$BATS_TEST_TMPDIR/billing"
        release v2.3.0
        release v2.4.0
        rbtool mark v2.4.0 bad -m 'loses invoices'
    )
    run -0 --separate-stderr rbtool plan v1.1.0
    [[ $output == *"leaves the range; see what brings it back with \`rbtool -C $SHOP/../billing plan --deploy v2.3.0 --env prod\`"* ]]
    bash -c "$(grep -oE 'rbtool -C [^`]+' <<<"$output")" | grep -q 'v2.2.9 TO v2.3.0'
}

@test "a plan warns where another major version of the engine proved the way back" {
    release v1.0.0
    second
    rbtool release v1.1.0
    resign v1.1.0 HEAD sed 's/^\( *"version": \)"3"$/\1"2"/'
    forget_ledger
    rbtool release v1.0.0 --record
    rbtool deploy v1.0.0 --yes
    run -0 --separate-stderr rbtool plan --deploy v1.1.0
    [[ $output == *"database main runs sqlite 3."*", and the way back was proven on sqlite 2: rehearse it there first"* ]]
}
