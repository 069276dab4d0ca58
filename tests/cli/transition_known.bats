# Which release a revert goes to, which stay on disk, and names and places that are out of the
# ordinary.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
}

next() { # TAG: a release that differs in its files alone
    echo "$1" >src/index.html
    release "$1"
}

@test "a release of which only a part was live is not known-good" {
    two_releases
    next v1.2.0
    next v1.3.0
    rbtool deploy v1.1.0 --yes
    rbtool deploy v1.2.0 --yes --only flags
    rbtool deploy v1.3.0 --yes
    [ "$(rbtool plan v1.3.0 --json | jq -r .to)" = v1.1.0 ]
}

@test "two partial deploys that cover all parts make a release known-good" {
    two_releases
    next v1.2.0
    rbtool deploy v1.1.0 --yes --only db,config
    rbtool deploy v1.1.0 --yes --only app,flags
    rbtool deploy v1.2.0 --yes
    [ "$(rbtool plan v1.2.0 --json | jq -r .to)" = v1.1.0 ]
    rbtool revert v1.2.0 --yes --only app
    rbtool revert v1.2.0 --yes
    settled_at v1.1.0
}

@test "a part that went back and whose checks failed is not a run of that release" {
    two_releases
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    settings '.environments.prod.checks = [{name: "x", command: ["test", "-e", "'"$BATS_TEST_TMPDIR"'/well"], timeout: 1}]'
    fails 1 'see the other ways back with `rbtool --config '"$SETTINGS"' plan v1.1.0 --env prod`, or check again' \
        rbtool --config "$SETTINGS" revert v1.1.0 --yes --only flags --to v1.0.0
    run -1 rbtool --config "$SETTINGS" status --exit-code
    [[ $output == *'next        go back with `rbtool --config '"$SETTINGS"' revert v1.1.0 --env prod --yes`'* ]]
    [ "$(rbtool plan v1.1.0 --json | jq -r '.to, .rule')" = 'v1.0.0
the newest release that was live here as a whole and is not bad (nothing was checked)' ]
    [ "$(rbtool report --json | tee report.json | jq -c '[.transitions[].part]')" = '["flags only",null,null]' ]
    schema report <report.json
    rm report.json
    rbtool report | grep -q '<bdi>v1.0.0</bdi></span><span class="warn">flags only</span>'
    touch "$BATS_TEST_TMPDIR/well"
    sleep 1.1
    rbtool --config "$SETTINGS" revert v1.1.0 --yes
    # It is live since it is live as a whole.
    [ "$(rbtool status --json | jq '.since | fromdate')" = "$(rbtool log --json --kind transition -n 1 | jq .entry.transition.finished)" ]
}

@test "pruning keeps the live release and the target of the next revert" {
    release v1.0.0
    for i in 1 2 3 4 5; do next v1.0.$i; done
    settings '.environments.prod.keep = 2 | .environments.prod.checks = [{name: "x", command: ["false"], timeout: 1}]'
    rbtool deploy v1.0.0 --yes
    jq '.environments.prod.keep = 2' rbtool.json >"$BATS_TEST_TMPDIR/good.json"
    rbtool --config "$BATS_TEST_TMPDIR/good.json" deploy v1.0.1 --yes
    for i in 2 3 4; do fails 1 "and unhealthy" rbtool --config "$SETTINGS" deploy v1.0.$i --yes; done
    [ "$(rbtool plan v1.0.4 --json | jq -r .to)" = v1.0.1 ]
    [ "$(cd "$PROD/releases" && echo *)" = "v1.0.1 v1.0.4" ]
    [ "$(cd "$PROD/.rbtool/delivered" && echo *)" = "v1.0.1~json v1.0.4~json" ]
    # Deploys that failed do not push out those that were live.
    chmod -x src/shop
    settings '.environments.prod.keep = 2 | .environments.prod.service = {stop: ["false"], start: ["true"]}'
    fails 1 "status 1" rbtool --config "$SETTINGS" deploy v1.0.5 --yes
    rbtool --config "$BATS_TEST_TMPDIR/good.json" revert v1.0.4 --yes
    [ -d "$PROD/releases/v1.0.1" ]
    settled_at v1.0.1
}

@test "a tag with slashes gets nested folders, which are removed completely when pruned" {
    jq '.tags = "rel/*" | .environments.prod.keep = 2' rbtool.json >new.json && mv new.json rbtool.json
    sed -i 's/"file": "VERSION"/"file": "VERSION"/' rbtool.json
    git add -A && git commit -qm slashes
    for v in 1.0.0 1.1.0 1.2.0; do
        echo $v >VERSION
        echo $v >src/index.html
        git commit -qam $v
        rbtool release rel/$v
        rbtool deploy rel/$v --yes
        settled_at rel/$v
    done
    [ "$(readlink "$PROD/current")" = releases/rel/1.2.0 ]
    [ "$(cd "$PROD/releases" && echo rel/*)" = "rel/1.1.0 rel/1.2.0" ]
    rbtool revert rel/1.2.0 --yes
    settled_at rel/1.1.0
}

@test "a tag that moved since it went live stops every transition that uses it" {
    two_releases
    rbtool deploy v1.1.0 --yes
    git tag -d v1.1.0
    git commit -q --allow-empty -m other
    fails 1 "v1.1.0 is a release already" rbtool release v1.1.0
    rbtool mark v1.1.0 gap -m 'to be made again'
    rbtool release v1.1.0
    fails 1 "has moved" rbtool revert v1.1.0 --yes
    fails 1 "has moved" rbtool status --exit-code
    git tag -d v1.1.0
    run rbtool revert v1.1.0 --yes # what the ledger kept last is not what is live
    [ "$status" -ne 0 ]
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
}

@test "releases whose tags were deleted or replaced are read from the ledger" {
    two_releases
    rbtool deploy v1.1.0 --yes
    git tag -d v1.0.0 v1.1.0
    git tag v1.0.0 HEAD # no release, in place of one
    git gc -q --prune=now
    run rbtool plan v1.1.0
    [ "$status" -eq 0 ]
    [[ $output == *"tag v1.1.0 is not here; the release is taken from the ledger"*"git fetch REMOTE --tags brings the tag"* ]]
    run rbtool status --exit-code
    [ "$status" -eq 0 ]
    rbtool revert v1.1.0 --yes
    [ "$(rbtool status --json 2>/dev/null | jq -r '.release, .state, (.drift | length)' | tr '\n' ' ')" = "v1.0.0 settled 0 " ]
    rbtool deploy v1.1.0 --yes --accept-reverted
    # Half-way, and back from there.
    jq '.environments.prod.service.stop = ["sh", "-c", "kill -9 $PPID"]' rbtool.json >killing.json
    run rbtool --config killing.json revert v1.1.0 --yes
    [ "$status" -eq 137 ]
    rbtool resume --yes
    [ "$(rbtool status --json 2>/dev/null | jq -r '.release, .state, (.drift | length)' | tr '\n' ' ')" = "v1.0.0 settled 0 " ]
    # Without the ledger's word there is nothing to go by.
    forget_ledger
    fails 2 "there is no tag v1.1.0" rbtool deploy v1.1.0 --yes --accept-reverted
}

@test "a modified release folder is rebuilt from git" {
    two_releases
    rbtool deploy v1.1.0 --yes
    echo evil >"$PROD/releases/v1.0.0/app/src/index.html"
    echo evil >"$PROD/releases/v1.0.0/app/src/added"
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
    [ ! -e "$PROD/current/app/src/added" ]
}

@test "transitions work in folders with spaces and bytes that are not UTF-8" {
    place=$BATS_TEST_TMPDIR/$'caf\xe9 shop'
    mkdir "$place"
    mv "$SHOP" "$place/shop"
    cd "$place/shop"
    PROD=$place/'my root'
    jq '.environments.prod = {root: "../my root/", databases: {main: "sqlite:../my root/data/shop.db"},
        flags: "../my root/etc/flags.json", config: {"config/app.toml": "../my root//etc/app.toml"},
        service: {stop: ["true"], start: ["true"]}}' rbtool.json >new.json && mv new.json rbtool.json
    release v1.0.0
    second
    rbtool release v1.1.0
    settings '.environments.prod.service.stop = ["sh", "-c", "kill -9 $PPID"]'
    mv "$SETTINGS" killing.json
    run rbtool --config killing.json deploy v1.0.0 --yes --json
    [ "$status" -eq 137 ]
    rbtool env trust --yes
    rbtool abort --yes
    [ ! -e "$PROD/data/shop.db" ]
    rbtool deploy v1.0.0 --yes
    run rbtool deploy v1.1.0 --yes --json
    [ "$status" -eq 0 ]
    settled_at v1.1.0
    rbtool plan v1.1.0 --json | schema plan
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
}

@test "transitions work with a root that is a symlink and settings in another folder" {
    mkdir "$BATS_TEST_TMPDIR/elsewhere"
    ln -s elsewhere "$BATS_TEST_TMPDIR/link"
    jq '.environments.prod = {root: "link", databases: {main: "sqlite:link/data/shop.db"}, flags: "link/f.json"}' \
        rbtool.json >"$BATS_TEST_TMPDIR/c.json"
    release v1.0.0
    rbtool --config "$BATS_TEST_TMPDIR/c.json" deploy v1.0.0 --yes
    rbtool --config "$BATS_TEST_TMPDIR/c.json" status --exit-code
    [ -f "$BATS_TEST_TMPDIR/elsewhere/current/app/src/shop" ]
}

@test "flags, config and databases inside a release's folder are refused" {
    release v1.0.0
    for change in '.flags = "ROOT/current/flags.json"' '.config["config/app.toml"] = "ROOT/./releases/a"' \
        '.databases.main = "sqlite:ROOT/current/app.db"'; do
        settings ".environments.prod$(sed "s|ROOT|$PROD|" <<<"$change")"
        fails 2 "comes and goes with the releases" rbtool --config "$SETTINGS" deploy v1.0.0 --yes
    done
}

@test "SIGHUP cancels like SIGTERM, and nohup is respected" {
    two_releases
    before=$(picture)
    settings '.environments.prod.service = {stop: ["sh", "-c", "kill -HUP $PPID; sleep 0.2"], start: ["true"]}'
    fails 1 "signal" rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [ "$(picture)" = "$before" ]
    nohup rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    settled_at v1.1.0
}

@test "revert goes to the newest release whose last run on this host was healthy" {
    two_releases # v1.0.0 is live
    next v1.2.0
    rbtool deploy v1.1.0 --yes
    settings '.environments.prod.checks = [{name: "x", command: ["false"], timeout: 1}]'
    run rbtool --config "$SETTINGS" deploy v1.0.0 --yes # its last run is unhealthy
    [ "$status" -eq 1 ]
    rbtool deploy v1.2.0 --yes
    rbtool plan | grep -q 'TO is the newest release that was live here as a whole and is not bad'
    [ "$(rbtool plan --json | jq -r .to)" = v1.1.0 ]
}

@test "revert --only marks nothing bad unless --bad is given, and the plan shows it" {
    two_releases
    rbtool deploy v1.1.0 --yes
    run rbtool revert v1.1.0 --only flags --yes
    [[ $status -eq 0 && $output == *"v1.1.0 will not be marked bad"* ]]
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.1.0").verdict')" != bad ]
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --only flags --bad --yes
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.1.0").verdict')" = bad ]
    rbtool mark v1.1.0 good -m 'all of it'
    run rbtool revert v1.1.0 --yes
    [[ $status -eq 0 && $output == *"v1.1.0 will be marked bad"* ]]
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.1.0").verdict')" = bad ]
}

@test "revert without TAG asks at a terminal, and prints the command without one" {
    two_releases
    rbtool deploy v1.1.0 --yes
    for options in --yes ''; do
        # shellcheck disable=SC2086
        fails 2 "v1.1.0 is live in prod: \`rbtool revert v1.1.0 --env prod --yes\`" rbtool revert $options
    done
    [ "$(rbtool plan --json | jq -r .from)" = v1.1.0 ]
    settled_at v1.1.0
}

@test "a release after a revert follows the last good release, whether or not the bad one is live" {
    two_releases
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    git rm -q migrations/0002*
    next v1.2.0
    [ "$(rbtool show v1.2.0 --json | jq -r '.. | .previous? | .tag? // empty' | head -1)" = v1.0.0 ]
    rbtool deploy v1.2.0 --yes
    settled_at v1.2.0
    rbtool deploy v1.1.0 --yes --accept-reverted # the bad one is live: its downs run
    sql 'SELECT discount FROM orders'
    rbtool deploy v1.2.0 --yes
    settled_at v1.2.0
    run sql 'SELECT discount FROM orders'
    [ "$status" -ne 0 ]
}
