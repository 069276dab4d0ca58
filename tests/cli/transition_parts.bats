# Partial transitions: what later moves as one comes from several releases, and what is said of it.
bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
}

# v1.0.0, v1.1.0 and v1.2.0, which all differ in every part, deployed one after the other.
three_releases() {
    two_releases
    echo '<h1>third</h1>' >src/index.html
    printf 'workers = 8\n' >config/app.toml
    jq '.flags.search.defaultVariant = "on"' flags.json >new.json && mv new.json flags.json
    printf 'CREATE TABLE notes (id INTEGER PRIMARY KEY);\n' >migrations/0003_notes.up.sql
    printf 'DROP TABLE notes;\n' >migrations/0003_notes.down.sql
    "$@"
    release v1.2.0 --accept RB002,RB004
    before=$(picture)
    rbtool deploy v1.1.0 --yes
    rbtool deploy v1.2.0 --yes
}

# The parts at TAGS, as status knows them, and nothing that somebody changed.
parts_at() {
    [ "$(rbtool status --json | jq -r '[.parts[].release] | join(" ")')" = "$1" ]
    [ "$(rbtool status --json | jq '[.drift[] | select(.path != "")] | length')" -eq 0 ]
}

@test "a full revert after a partial one restores every part" {
    three_releases
    rbtool revert v1.2.0 --yes --only config
    [ "$(cat "$PROD/etc/app.toml")" = 'workers = 4' ]
    run -0 rbtool revert v1.2.0 --to v1.0.0 --yes
    [[ $output == *"config is at v1.1.0, and goes to v1.0.0 from there"* ]]
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
    fails 0 "v1.2.0 is not live in prod, v1.0.0 is" rbtool revert v1.2.0 --to v1.0.0 --yes
}

@test "downs come from the database's own release, also when another release is reverted" {
    three_releases eval "printf 'SELECT 1;\n' >migrations/0002_discount.down.sql"
    rbtool revert v1.2.0 --yes --only db
    rbtool revert v1.2.0 --to v1.0.0 --yes
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
}

@test "changes in a part at another release are drift and are backed up" {
    three_releases
    rbtool revert v1.2.0 --yes --only config,flags
    echo 'mine = 1' >"$PROD/etc/app.toml"
    echo '{}' >"$PROD/etc/flags.json"
    fails 5 "drifted in 2 places, first flags" rbtool revert v1.2.0 --to v1.0.0 --yes
    run -0 --separate-stderr rbtool revert v1.2.0 --to v1.0.0 --yes --accept-drift --json
    [ "$(cat "$(jq -r '.kept[] | select(.path | endswith("app.toml")).copy' <<<"$output")")" = 'mine = 1' ]
    [ "$(picture)" = "$before" ]
}

@test "a deploy after a partial revert compares each part with its own release" {
    three_releases
    echo '<h1>fourth</h1>' >src/index.html
    git rm -q --cached flags.json && rm flags.json
    jq 'del(.flags)' rbtool.json >"$BATS_TEST_TMPDIR/new.json" && mv "$BATS_TEST_TMPDIR/new.json" rbtool.json
    release v1.3.0
    rbtool revert v1.2.0 --yes --only flags
    cp "$PROD/etc/flags.json" "$BATS_TEST_TMPDIR/flags.json"
    echo '{}' >"$PROD/etc/flags.json"
    fails 5 "drifted in 1 place, first flags" rbtool deploy v1.3.0 --yes
    cp "$BATS_TEST_TMPDIR/flags.json" "$PROD/etc/flags.json"
    rbtool deploy v1.3.0 --yes
    [ ! -e "$PROD/etc/flags.json" ]
    settled_at v1.3.0
}

@test "with parts at several releases, resume ends at TO and abort restores each part's release" {
    three_releases
    rbtool revert v1.2.0 --yes --only config
    killed_by stop
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" revert v1.2.0 --to v1.0.0 --yes
    fails 0 "back at" rbtool abort --yes
    [ "$(cat "$PROD/etc/app.toml")" = 'workers = 4' ]
    [ "$(readlink "$PROD/current")" = releases/v1.2.0 ]
    rm "$BATS_TEST_TMPDIR/killed"
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" revert v1.2.0 --to v1.0.0 --yes
    rbtool resume --yes
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
}

@test "abort after the commit is refused when the parts came from several releases" {
    three_releases
    rbtool revert v1.2.0 --yes --only config
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" revert v1.2.0 --to v1.0.0 --yes
    fails 5 "came from several releases (app, db, flags at v1.2.0, config at v1.1.0)" rbtool abort --yes
    rbtool resume --yes
    [ "$(picture)" = "$before" ]
}

@test "revert --only changes no other part, and does nothing for a part at another release" {
    three_releases
    rbtool revert v1.2.0 --yes --only config
    fails 0 "nothing to do: v1.2.0 is not live in prod: config at v1.1.0" rbtool revert v1.2.0 --yes --only config
    rbtool revert v1.2.0 --to v1.0.0 --yes --only app,flags
    [ "$(cat "$PROD/etc/app.toml")" = 'workers = 4' ]
    run rbtool plan v1.2.0 --to v1.1.0 --json
    schema plan <<<"$output"
    [ "$(jq -c '[.parts[] | [.part, .from, .to]]' <<<"$output")" = \
        '[["app","v1.0.0","v1.1.0"],["db","v1.2.0","v1.1.0"],["flags","v1.0.0","v1.1.0"],["config","v1.1.0","v1.1.0"]]' ]
}

@test "the output of a partial transition is about its parts only" {
    two_releases
    rbtool deploy v1.1.0 --yes
    run -0 rbtool revert v1.1.0 --yes --only flags
    [[ $output == *"revert flags of prod: FROM v1.1.0 TO v1.0.0"* ]]
    [[ $output == *"record that flags of prod is at v1.0.0"* ]]
    [[ $output == *"done: flags of prod is at v1.0.0 (was v1.1.0), in "*"s; app, db, config stay at v1.1.0"* ]]
    run -0 --separate-stderr rbtool revert v1.1.0 --yes --only app,config --json
    schema transition <<<"$output"
    [ "$(jq -c '[.parts[] | .to]' <<<"$output")" = '["v1.0.0","v1.1.0","v1.0.0","v1.0.0"]' ]
    run -0 rbtool revert v1.1.0 --yes
    [[ $output == *"done: prod is at v1.0.0 (app, flags, config were at v1.0.0, db was at v1.1.0), in "*" s" ]]
}

@test "the log titles of partial transitions name their parts" {
    two_releases
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes --only flags,app
    rbtool log | grep -q 'revert in prod: done, to v1.0.0 (app, flags only)$'
    rbtool log | grep -q 'deploy in prod: done, from v1.0.0$'
}

@test "status distinguishes a part at another release from a changed part" {
    two_releases
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes --only flags
    run -1 rbtool status --exit-code
    [ "${lines[0]}" = "prod: v1.1.0 (flags at v1.0.0), unchecked" ]
    [[ $output == *"apart"*"--only"* ]]
    [[ $output != *drift* ]]
    run -0 --separate-stderr rbtool status --json
    schema status <<<"$output"
    [ "$(jq -c '.drift' <<<"$output")" = '[{"expected":"v1.1.0","found":"v1.0.0","part":"flags","path":""}]' ]
    parts_at "v1.1.0 v1.1.0 v1.0.0 v1.1.0"
    echo '{}' >"$PROD/etc/flags.json"
    fails 0 "drift flags $PROD/etc/flags.json: it was changed" rbtool status
}

@test "parts that are already at TO are not reported as being at another release" {
    two_releases
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes --only flags
    run -0 rbtool revert v1.1.0 --dry-run
    [[ $output == *"flags is at v1.0.0 already"* && $output != *"out of step"* ]]
    run -0 rbtool revert v1.1.0 --dry-run --only app
    [[ $output == *"flags is at v1.0.0 already"* ]]
    [[ $output == *"db stays at v1.1.0 and will be out of step with v1.0.0"* ]]
    run -0 rbtool deploy v1.1.0 --yes --accept-reverted
    [[ $output == *"app is at v1.1.0 already"* && $output != *"out of step"* ]]
    settled_at v1.1.0
}

@test "the runbook of a partial revert covers only its parts" {
    two_releases
    rbtool deploy v1.1.0 --yes
    rbtool plan v1.1.0 --only flags,config --format markdown |
        grep -q '^rbtool revert v1.1.0 --to v1.0.0 --env prod --only flags,config$'
    rbtool plan v1.1.0 --format markdown | grep -q '^rbtool revert v1.1.0 --to v1.0.0 --env prod$'
}

# checks NAME COMMAND...: an environment with those checks, for --config "$SETTINGS".
checked() {
    settings "$(printf '.environments.prod.checks = ['
        while [ $# -gt 0 ]; do
            printf '{name: "%s", command: ["sh", "-c", "%s"], timeout: 1}' "$1" "$2"
            shift 2
            [ $# -eq 0 ] || printf ', '
        done
        printf ']')"
}

@test "a flag can be switched off while a check fails that failed before" {
    two_releases
    rbtool deploy v1.1.0 --yes
    checked up "exit 1"
    run -1 --separate-stderr rbtool --config "$SETTINGS" revert v1.1.0 --yes --only flags --json
    schema transition <<<"$output"
    [ "$(jq -r '[.outcome, .failures[0].name] | join(" ")' <<<"$output")" = "unhealthy up" ]
    [[ $stderr == *"flags of prod is at v1.0.0, and prod is unhealthy"* ]]
    parts_at "v1.1.0 v1.1.0 v1.0.0 v1.1.0"
    fails 1 "config of prod is at v1.0.0, and prod is unhealthy" rbtool --config "$SETTINGS" revert v1.1.0 --to v1.0.0 --yes --only config
}

@test "a check that fails only after a transition of flags undoes it" {
    two_releases
    rbtool deploy v1.1.0 --yes
    git show v1.0.0:flags.json >"$BATS_TEST_TMPDIR/flags.json"
    checked up "exit 1" new "! cmp -s $BATS_TEST_TMPDIR/flags.json $PROD/etc/flags.json"
    fails 1 "nothing was changed" rbtool --config "$SETTINGS" revert v1.1.0 --yes --only flags
    settled_at v1.1.0
}

@test "resume after a kill knows the checks that failed before the transition" {
    two_releases
    rbtool deploy v1.1.0 --yes
    killed_by check
    jq '.environments.prod.checks = [{name: "up", command: ["false"], timeout: 1}]' rbtool.json >"$BATS_TEST_TMPDIR/up.json"
    jq --arg cmd "$BATS_TEST_TMPDIR/assassin" --arg flags "$PROD/etc/flags.json" --arg old "$BATS_TEST_TMPDIR/flags.json" \
        '.environments.prod.checks = [{name: "up", command: ["sh", "-c", "cmp -s \($old) \($flags) && exec \($cmd); exit 1"]}]' \
        rbtool.json >"$BATS_TEST_TMPDIR/killing.json"
    git show v1.0.0:flags.json >"$BATS_TEST_TMPDIR/flags.json"
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" revert v1.1.0 --yes --only flags
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    fails 1 "flags of prod is at v1.0.0, and prod is unhealthy" rbtool --config "$BATS_TEST_TMPDIR/up.json" resume --yes
    [ "$(rbtool status --json | jq -r .state)" = settled ]
}

@test "without a tag, what a partial revert or deploy left apart is reverted, not what it went to" {
    two_releases
    rbtool deploy v1.1.0 --yes
    proposed() { rbtool plan --json "$@" | jq -c '[.from, .to, [.steps[].id]]'; }
    rbtool revert v1.1.0 --yes --only app,flags,config
    [ "$(proposed)" = '["v1.1.0","v1.0.0",["database","commit","record"]]' ]
    fails 2 '`rbtool revert v1.1.0 --env prod --yes`' rbtool revert --yes
    [ "$(rbtool drill --json | jq -c '[.from, .to, .ok]')" = '["v1.1.0","v1.0.0",true]' ]
    # Of the parts that are named, the release is theirs.
    [ "$(proposed --only db | jq -c '.[:2]')" = '["v1.1.0","v1.0.0"]' ]
    rbtool deploy v1.1.0 --yes
    rbtool deploy v1.0.0 --yes --only app
    [ "$(proposed | jq -c '.[:2]')" = '["v1.1.0","v1.0.0"]' ]
}
