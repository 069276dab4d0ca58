#!/usr/bin/env bats
# Whose settings run: places that overlap, environments that share one, settings that differ.
# shellcheck disable=SC2154 # variables of lib.bash and bats
bats_require_minimum_version 1.5.0
load lib
load transition

setup() {
    host
}

# with FILTER: deploys v1.1.0 with rbtool.json passed through jq; ROOT in it is $PROD.
with() {
    settings ".environments.prod$(sed "s|ROOT|$PROD|g" <<<"$1")"
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-drift
}

@test "two settings of an environment that name one file are refused before any change" {
    two_releases
    ln -s data "$PROD/link"
    ln "$PROD/data/shop.db" "$PROD/data/hard"
    ln -s new.db "$PROD/data/dangling"
    before=$(picture)
    for change in '.config["config/app.toml"] = "ROOT/data/shop.db"' \
        '.flags = "ROOT/etc/../data/shop.db"' '.flags = "ROOT/link/shop.db"' \
        '.config["config/app.toml"] = "ROOT/data/hard"' '.flags = "ROOT/data/shop.db-wal"' \
        '.flags = "ROOT/link/shop.db-journal"' '.config["config/app.toml"] = "ROOT/data/shop.db-shm"' \
        '.config["config/app.toml"] = "ROOT/etc/none/../flags.json"' '.flags = "ROOT"' \
        '|= (.databases.main = "sqlite:ROOT/data/new.db" | .flags = "ROOT/data/dangling")'; do
        fails 2 "are the same place" with "$change"
        [[ $output == *"give each its own"* ]]
    done
    fails 2 "environments.prod.databases.main and flags are the same place, $PROD/data/shop.db" \
        with '.flags = "ROOT/data/shop.db"'
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
}

@test "a database url that is wrong is not shown, because it may hold a password" {
    release v1.0.0
    for url in '"postgres ql://u:s3cret@host/x"' '"host=h password=s3cret"' '{"url": "postgresql://u:s3cret@h/x"}'; do
        settings ".environments.prod.databases.main = $url"
        fails 2 "environments.prod.databases.main: expected sqlite:PATH" rbtool --config "$SETTINGS" deploy v1.0.0 --yes
        [[ $output != *s3cret* ]]
    done
    settings '.environments.prod.databases = "postgresql://u:s3cret@h/x"'
    fails 2 "environments.prod.databases: expected an object" rbtool --config "$SETTINGS" status
    [[ $output != *s3cret* ]]
}

@test "a file below the folders that rbtool manages is refused, through a symlink too" {
    two_releases
    ln -s releases/v1.0.0 "$PROD/old"
    for place in .rbtool/app.toml releases/v1.0.0/app/app.toml old/app.toml current/x etc/../.rbtool/state.db; do
        fails 2 "comes and goes with the releases" with ".config[\"config/app.toml\"] = \"ROOT/$place\""
    done
    settled_at v1.0.0
}

@test "two environments that share a file are refused by name, and others remain usable" {
    two_releases
    other='.environments.staging = (.environments.prod | .root = "S" | .databases.main = "sqlite:S/shop.db"
        | .flags = "S/flags.json" | .config["config/app.toml"] = "S/app.toml")
        | .environments.demo = {root: "S-demo"} | .environments.staging'
    while IFS='|' read -r what change; do
        settings "$(sed "s|S|$BATS_TEST_TMPDIR/staging|g" <<<"$other")$(sed "s|ROOT|$PROD|g" <<<"$change")"
        for env in prod staging; do
            fails 2 "share a place" rbtool --config "$SETTINGS" deploy v1.1.0 --env $env --yes
            [[ $output == *prod.*$what* && $output == *staging.*$what* ]]
        done
        rbtool --config "$SETTINGS" deploy v1.0.0 --env demo --yes --only app
    done <<'CHANGES'
root|.root = "ROOT/etc/.."
databases.main|.databases.main = "sqlite:ROOT/data/shop.db"
flags|.flags = "ROOT/etc/flags.json"
config.config/app.toml|.config["config/app.toml"] = "ROOT/etc/app.toml"
root|.root = "ROOT/releases/v1.0.0"
CHANGES
    settled_at v1.0.0
}

# changed FILTER: commits rbtool.json of the work tree, its environment passed through jq.
changed() {
    jq ".environments.prod |= ($1)" rbtool.json >new.json
    mv new.json rbtool.json
    git commit -qam 'docs: typo'
}

@test "the first transition shows what it records, and a changed rbtool.json of the work tree stops with exit 5" {
    changed '.service.stop = ["true"]'
    release v1.0.0
    second
    rbtool release v1.1.0
    fails 0 'service.stop runs ["true"]' rbtool deploy v1.0.0 --yes
    recorded=$(jq -cS .environments.prod rbtool.json | tr -d '\n' | sha256sum | cut -d' ' -f1)
    [[ $output == *"settings SHA-256 $recorded"* ]]
    run rbtool deploy v1.0.0 --yes
    [[ $output != *SHA-256* ]]
    changed '.checks = [{name: "ready", command: ["touch", "'"$BATS_TEST_TMPDIR"'/ran"]}] | .keep = 7'
    for command in "deploy v1.1.0 --yes" "deploy v1.1.0 -n" "deploy v1.1.0 --yes --json" "revert v1.0.0 --yes" \
        "resume --yes" "abort --yes" "plan v1.0.0"; do
        # shellcheck disable=SC2086
        fails 5 'rbtool env trust --env prod --yes' rbtool $command
        [[ $output == *"checks: recorded nothing, found [{\"command\":[\"touch\""* ]]
        [[ $output == *"differ from those recorded on this host (checks, keep)"* ]]
    done
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
    fails 0 'keep: recorded nothing, found 7' rbtool status
    [ "$(rbtool status --json | jq -c '[.differences[].key]')" = '["checks","keep"]' ]
    fails 1 'checks: recorded nothing' rbtool env check --env prod
    fails 2 'there is no terminal' rbtool env trust
    fails 5 'env trust' rbtool deploy v1.1.0 --yes
    fails 0 'are recorded on this host' rbtool env trust --env prod --yes
    fails 0 'nothing to do' rbtool env trust --env prod --yes
    rbtool deploy v1.1.0 --yes
    [ -e "$BATS_TEST_TMPDIR/ran" ]
    [ "$(rbtool status --json | jq -c .differences)" = '[]' ]
}

@test "a pull request's branch cannot add a command to a transition that was approved before" {
    two_releases
    git checkout -qb pull-request
    changed '.checks = [{name: "ready", command: ["touch", "'"$BATS_TEST_TMPDIR"'/ran"]}]'
    fails 5 "$BATS_TEST_TMPDIR/ran" rbtool deploy v1.1.0 --yes
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
    git checkout -q main
    rbtool deploy v1.1.0 --yes
}

# moved FILTER: commits settings with a new root, a new database, and a command that leaves a trace.
moved() {
    changed '.root = "'"$BATS_TEST_TMPDIR"'/new" | .databases.main = "sqlite:'"$BATS_TEST_TMPDIR"'/new.db"
        | del(.flags, .config) | .service.start = ["touch", "'"$BATS_TEST_TMPDIR"'/ran"]'"$1"
}

@test "a commit that moves an environment to another root runs no command until env trust" {
    two_releases
    moved ''
    for command in "deploy v1.0.0 --yes" "deploy v1.0.0 --env prod --yes" "deploy v1.0.0 -n" check resume; do
        # shellcheck disable=SC2086
        fails 5 'rbtool env trust --env prod --yes' rbtool $command
        [[ $output == *"settings root: recorded \"$PROD\", found \"$BATS_TEST_TMPDIR/new\""* ]]
        [[ $output == *"settings service.start: recorded nothing, found [\"touch\""* ]]
    done
    fails 0 'settings root: recorded' rbtool status
    fails 1 'settings root: recorded' rbtool env check
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
    fails 0 'root: recorded' rbtool env trust --env prod --yes
    rbtool deploy v1.0.0 --yes
    [ -e "$BATS_TEST_TMPDIR/ran" ]
    settled_at v1.0.0
}

@test "a commit that moves an environment is refused when the old root is gone, from a linked work tree, and with -C" {
    two_releases
    moved ''
    git worktree add -q --detach "$BATS_TEST_TMPDIR/linked"
    fails 5 "root: recorded \"$PROD\"" rbtool -C "$BATS_TEST_TMPDIR/linked" deploy v1.0.0 --yes
    rm -r "$PROD"
    fails 5 "root: recorded \"$PROD\"" rbtool deploy v1.0.0 --yes
    [[ $output == *"service.start: recorded nothing, found [\"touch\""* ]]
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
}

@test "a commit that moves and renames the only environment runs no command unless --env names it" {
    two_releases
    moved ''
    jq '.environments = {live: .environments.prod}' rbtool.json >new.json && mv new.json rbtool.json
    fails 5 "if live is another environment, name it: \`rbtool deploy v1.0.0 --yes --env live\`" rbtool deploy v1.0.0 --yes
    fails 5 'environment name: recorded "prod", found "live"' rbtool check
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
    rbtool deploy v1.0.0 --yes --env live
    rbtool deploy v1.1.0 --yes
}

@test "a new clone uses an environment that has its record, and is bound to its root from then on" {
    two_releases
    git clone -q . "$BATS_TEST_TMPDIR/second"
    cd "$BATS_TEST_TMPDIR/second"
    rbtool sync
    rbtool deploy v1.1.0 --yes
    [ "$(git config rbtool.environment.prod.root)" = "$PROD" ]
    moved ''
    fails 5 "root: recorded \"$PROD\"" rbtool deploy v1.0.0 --yes
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
}

@test "a clone that cannot write its git config deploys, and notes that it does not record the root" {
    release v1.0.0
    touch .git/config.lock
    fails 0 "this clone does not record where prod is: " rbtool deploy v1.0.0 --yes
    rm .git/config.lock
    settled_at v1.0.0
}

@test "a root that is /, a home folder or in the repository is refused by name" {
    release v1.0.0
    ln -s "$HOME" "$BATS_TEST_TMPDIR/house"
    git worktree add -q --detach "$BATS_TEST_TMPDIR/linked"
    while IFS='|' read -r root why; do
        settings ".environments.prod = {root: \"$root\"}"
        for command in "deploy v1.0.0 --yes" "env trust --yes" status; do
            # shellcheck disable=SC2086
            fails 2 "environment prod is refused: its root $root $why" rbtool --config "$SETTINGS" $command
        done
        [ ! -e "$root/.rbtool" ]
    done <<ROOTS
/|is the root of the file system; set environments.prod.root to
$HOME|is a home folder; set environments.prod.root to
$BATS_TEST_TMPDIR/house|is a home folder
$SHOP/.git|is git's own
$SHOP/.git/live|is git's own
$SHOP|lies in the work tree
$SHOP/live|lies in the work tree
$BATS_TEST_TMPDIR/linked|lies in the work tree
ROOTS
}

@test "settings from a file named with --config are recorded and do not stop a transition" {
    two_releases
    settings '.environments.prod.keep = 7'
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes # what the work tree says was accepted before
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-reverted
    jq '.environments.prod.keep = 8' "$SETTINGS" >"$BATS_TEST_TMPDIR/named.json"
    git config rbtool.environments "$BATS_TEST_TMPDIR/named.json"
    rbtool revert v1.1.0 --yes
    # A commit can change a file in the work tree, whatever git config says.
    jq '.environments.prod.keep = 9' "$SETTINGS" >environments.json
    git config rbtool.environments "$PWD/environments.json"
    fails 5 'keep: recorded nothing, found 9' rbtool deploy v1.1.0 --yes
}

@test "passwords are neither recorded nor compared, and the rest of a URL is" {
    changed '.databases.main = "$SHOP_URL"'
    export SHOP_URL=sqlite:$PROD/data/shop.db
    release v1.0.0
    rbtool deploy v1.0.0 --yes
    cp "$PROD/data/shop.db" "$PROD/data/other.db"
    SHOP_URL=sqlite:$PROD/data/other.db rbtool status --exit-code
    changed '.databases.main = "postgresql://shop:s3cret@db/shop?password=s3cret&sslmode=require"'
    fails 5 'databases.main: recorded "$SHOP_URL", found "postgresql://shop@db/shop?sslmode=require"' \
        rbtool deploy v1.0.0 --yes
    rbtool env trust --yes
    changed '.databases.main = "postgresql://shop:0ther@db/shop?password=x&sslmode=require"'
    fails 0 'nothing to do' rbtool env trust --yes
    run ! grep -raqE 's3cret|0ther' "$PROD/.rbtool"
}

@test "the root of another environment is refused, whichever settings file names it" {
    two_releases
    jq '.environments = {other: .environments.prod}' rbtool.json >"$BATS_TEST_TMPDIR/other.json"
    fails 5 "was recorded on this host as environment prod" \
        rbtool --config "$BATS_TEST_TMPDIR/other.json" deploy v1.1.0 --yes
    [[ $output == *"\`rbtool --config $BATS_TEST_TMPDIR/other.json env trust --env other --yes -m WHY\`"* ]]
    fails 5 "as environment prod" rbtool --config "$BATS_TEST_TMPDIR/other.json" plan v1.0.0
    fails 0 "environment root: recorded \"prod\", found \"other\"" \
        rbtool --config "$BATS_TEST_TMPDIR/other.json" status
    settled_at v1.0.0
    fails 2 "say why with -m WHY" rbtool --config "$BATS_TEST_TMPDIR/other.json" env trust --env other --yes
    rbtool --config "$BATS_TEST_TMPDIR/other.json" env trust --env other --yes -m 'prod was renamed'
    rbtool --config "$BATS_TEST_TMPDIR/other.json" deploy v1.1.0 --yes
    fails 5 "as environment other" rbtool revert v1.1.0 --yes
}

@test "the database of another environment is refused, and a copy of it is not" {
    two_releases
    jq --arg s "$BATS_TEST_TMPDIR/staging" '.environments = {staging: {root: $s, databases: {main: .environments.prod.databases.main}}}' \
        rbtool.json >"$BATS_TEST_TMPDIR/staging.json"
    staging() {
        rbtool --config "$BATS_TEST_TMPDIR/staging.json" "$@"
    }
    fails 5 "database main of staging was last moved as environment prod" staging deploy v1.0.0 --yes
    fails 5 "env trust --env staging --yes -m WHY" staging deploy v1.0.0 --yes -n
    [ "$(sql 'SELECT count(*) FROM rbtool_journal')" -eq 1 ]
    # A dump of production, restored for staging.
    jq --arg d "sqlite:$BATS_TEST_TMPDIR/copy.db" '.environments.staging.databases.main = $d' \
        "$BATS_TEST_TMPDIR/staging.json" >"$BATS_TEST_TMPDIR/copy.json"
    cp "$PROD/data/shop.db" "$BATS_TEST_TMPDIR/copy.db"
    fails 0 "database main is a copy of another one" rbtool --config "$BATS_TEST_TMPDIR/copy.json" deploy v1.0.0 --yes
    pins=$(sqlite3 "$BATS_TEST_TMPDIR/copy.db" 'SELECT pins FROM rbtool_journal ORDER BY sequence DESC LIMIT 1')
    [ "$(jq -r '.environment, .database' <<<"$pins")" = "staging
$(stat -c %d:%i "$BATS_TEST_TMPDIR/copy.db")" ]
    # Accepted once.
    staging env trust --env staging --yes -m 'shared for a week'
    staging deploy v1.0.0 --yes
    settled_at v1.0.0
}

@test "commands of rbtool.json run only in transitions" {
    changed '.checks = [{name: "ready", command: ["touch", "RAN"]}] | .service = {stop: ["touch", "RAN"], start: ["touch", "RAN"]}'
    sed -i "s|RAN|$BATS_TEST_TMPDIR/ran|g" rbtool.json
    release v1.0.0
    second
    git clone -q --bare . "$BATS_TEST_TMPDIR/server.git"
    git remote add origin "$BATS_TEST_TMPDIR/server.git"
    rbtool init >/dev/null
    for command in "release v1.1.0" "lint" "prove" "verify --all" "diff v1.0.0 v1.1.0" "status" \
        "deploy v1.0.0 -n" "list" "show v1.1.0" "sync" "log" "env" "env check" "env trust --yes"; do
        # shellcheck disable=SC2086
        rbtool $command
        [ ! -e "$BATS_TEST_TMPDIR/ran" ]
    done
    git push -q origin main v1.1.0
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
    rbtool deploy v1.0.0 --yes
    rm "$BATS_TEST_TMPDIR/ran"
    rbtool deploy v1.1.0 -n
    rbtool plan v1.0.0 || [ $? -eq 5 ]
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
}

@test "env lists what is live, health, drift and the last transition of every environment" {
    two_releases
    jq --arg d "$BATS_TEST_TMPDIR/demo" '.environments.demo = {root: $d, databases: {main: "$NOT_SET"}}' rbtool.json >new.json && mv new.json rbtool.json
    [ "$(rbtool env --names)" = $'demo\nprod' ]
    rbtool env --json | schema env
    echo changed >"$PROD/etc/app.toml"
    run -0 rbtool env
    [[ ${lines[2]} =~ ^prod\ +v1.0.0\ +unchecked\ +1\ +deploy\ to\ v1.0.0\ done\ at\ [0-9-]{10}\ [0-9:]{8}\ UTC\ by\ Alice ]]
    [[ ${lines[1]} == demo*"cannot be looked at"*'$NOT_SET, which is not set'* ]]
    [ "$(rbtool env --env prod --json | jq -c '.environments | map([.environment, .release, .state, .drift, .last.kind])')" = '[["prod","v1.0.0","settled",1,"deploy"]]' ]
}

@test "env check reports what does not work on this host, with a hint, and changes nothing" {
    release v1.0.0
    settings '.environments.prod |= (.service = {stop: ["\(.root)/current/app/src/shop"], start: ["no-such-program"]}
        | .databases.main = "sqlite:\(.root)/none/shop.db" | .checks = [{name: "up", command: ["/etc/passwd"]}])'
    run -1 rbtool --config "$SETTINGS" env check
    [[ $output == *"warning  service.stop: $PROD/current/app/src/shop does not exist yet; the first deploy has to bring it"* ]]
    [[ $output == *"error    service.start: program no-such-program does not exist in PATH"* ]]
    [[ $output == *"error    checks.up: /etc/passwd cannot be executed"*"hint: chmod +x /etc/passwd"* ]]
    [[ $output == *"check again with \`rbtool --config $SETTINGS env check\`"* ]]
    [[ $output == *"error    databases.main: $PROD/none/shop.db does not exist, and its folder cannot be written"* ]]
    [[ $output == *"hint: mkdir -p $PROD/none"* ]]
    [[ $output == *"ok       signers: $KEYS/allowed"* && $output == *"ok       root: $PROD belongs to"* ]]
    [ ! -e "$PROD/.rbtool" ]
    rbtool --config "$SETTINGS" env check --json 2>/dev/null | schema env-check
    git config --global --unset gpg.ssh.allowedSignersFile
    fails 1 "signers: git config gpg.ssh.allowedSignersFile is not set" rbtool env check
    fails 2 "env takes" rbtool env chek
    fails 2 "no environment 'x'" rbtool env trust --env x --yes
}

@test "env check compares the policy's root with the ledger" {
    release v1.0.0
    git config rbtool.root alice@example.com
    fails 1 "the ledger here has no policy under it" rbtool env check
    echo '{"environments": {"*": {}}}' >"$BATS_TEST_TMPDIR/p.json"
    rbtool policy set "$BATS_TEST_TMPDIR/p.json" -m why
    fails 0 "a policy is in force" rbtool env check
    git config --unset rbtool.root
    fails 1 "hint: git config rbtool.root" rbtool env check
}

@test "env trust --json reports what was accepted" {
    two_releases
    rbtool env trust --yes --json | schema env-trust
    changed '.keep = 7'
    run -0 --separate-stderr rbtool env trust --yes --json
    schema env-trust <<<"$output"
    [ "$(jq -c '[.outcome, .accepted[0].key]' <<<"$output")" = '["trusted","keep"]' ]
}

@test "an error in the settings reports the file, the line, the key and the nearest known key" {
    release v1.0.0
    printf '{\n"prod": {\n  "root": "%s",\n  "databse": {} }\n}\n' "$PROD" >"$BATS_TEST_TMPDIR/named.json"
    git config rbtool.environments "$BATS_TEST_TMPDIR/named.json"
    fails 2 "$BATS_TEST_TMPDIR/named.json, line 4: prod: expected a known key, the nearest is \"databases\", found unknown key \"databse\"" rbtool status
    sed -i 's/"databse": {}/"keep": "5"/' "$BATS_TEST_TMPDIR/named.json"
    fails 2 "$BATS_TEST_TMPDIR/named.json, line 4: prod.keep: expected a whole number" rbtool status
    git config --unset rbtool.environments
    sed -i 's/"root"/\n"rooot"/' rbtool.json
    fails 2 "rbtool.json, line $(grep -n rooot rbtool.json | cut -d: -f1): environments.prod: expected a known key, the nearest is \"root\"" rbtool status
}

@test "a command without --env prints a complete command when there are several environments" {
    two_releases
    jq --arg d "$BATS_TEST_TMPDIR/demo" '.environments.demo = {root: $d}' rbtool.json >new.json && mv new.json rbtool.json
    fails 2 "there are several environments (prod, demo); name one of them, for example \`rbtool deploy v1.1.0 --yes --env prod\`" \
        rbtool deploy v1.1.0 --yes
    fails 2 "\`rbtool deploy 'it'\\''s' -n --env prod\`" rbtool deploy "it's" -n
    fails 2 "\`rbtool env trust --env prod --yes\`" rbtool env trust
    RBTOOL_ENV=demo rbtool deploy v1.0.0 --only app --yes
}

@test "env diff compares databases, flags and config of two environments" {
    release v1.0.0
    second
    release v1.1.0
    mkdir -p "$BATS_TEST_TMPDIR/staging/data" "$BATS_TEST_TMPDIR/staging/etc"
    jq --arg s "$BATS_TEST_TMPDIR/staging" '.environments.staging = {root: $s,
        databases: {main: ("sqlite:" + $s + "/data/shop.db")}, flags: ($s + "/etc/flags.json"),
        config: {"config/app.toml": ($s + "/etc/app.toml")}}' rbtool.json >"$BATS_TEST_TMPDIR/two.json"
    rbtool --config "$BATS_TEST_TMPDIR/two.json" deploy v1.0.0 --env prod --yes
    rbtool --config "$BATS_TEST_TMPDIR/two.json" deploy v1.1.0 --env staging --yes
    sqlite3 "$BATS_TEST_TMPDIR/staging/data/shop.db" 'PRAGMA user_version = 7'
    run -0 --separate-stderr rbtool --config "$BATS_TEST_TMPDIR/two.json" env diff prod staging --json
    schema env-diff <<<"$output"
    [[ $(jq -c '[.release, .databases[0].schema, .databases[0].settings, .unreadable]' <<<"$output") == \
        '[{"from":"v1.0.0","to":"v1.1.0"},[{"change":"added","object":"column orders.discount"}],[{"from":0,"name":"user_version","to":7}],[]]' ]]
    [[ $(jq -c '[[.flags[].name], .config[0].keys]' <<<"$output") == \
        '[["checkout"],[{"from":"2","key":"workers","to":"4"}]]' ]]
    run -0 --separate-stderr rbtool --config "$BATS_TEST_TMPDIR/two.json" env diff prod staging
    [[ $output == *"column orders.discount added"*"~ checkout"*"workers: 2 -> 4"* ]]
    fails 2 "takes two environments" rbtool --config "$BATS_TEST_TMPDIR/two.json" env diff prod
    fails 2 "takes two environments" rbtool --config "$BATS_TEST_TMPDIR/two.json" env check prod x
}
