# What transitions leave in the ledger, and what the ledger's verdicts do to the next transition.

setup_file() {
    load lib
    load transition
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    home
    keys
    shop
    release v1.0.0
    second
    rbtool release v1.1.0
    echo 3 >src/index.html
    release v1.2.0
}

setup() { # the same shop in a place of this test's own
    load lib
    load transition
    cp -a "$BATS_FILE_TMPDIR/home" "$BATS_FILE_TMPDIR/shop" "$BATS_TEST_TMPDIR/"
    home
    keys
    git config --global gpg.ssh.allowedSignersFile "$KEYS/allowed"
    git config --global user.signingKey "$KEYS/alice"
    SHOP=$BATS_TEST_TMPDIR/shop
    PROD=$BATS_TEST_TMPDIR/prod
    cd "$SHOP" || return
    sed -i "s|$BATS_FILE_TMPDIR|$BATS_TEST_TMPDIR|g" rbtool.json
    # Without a check nothing is known good.
    jq '.environments.prod.checks = [{name: "up", command: ["true"]}]' rbtool.json >new.json
    mv new.json rbtool.json
}

# The JSON of every entry, oldest first, with nothing but git.
entries() {
    local id
    for id in $(git rev-list --reverse --topo-order refs/rbtool/ledger 2>/dev/null); do
        git log -1 --format=%b "$id" | jq -c --arg id "$id" '. + {entry: $id}'
    done
}
transitions() {
    entries | jq -r 'select(.kind == "transition") | .transition |
        "\(.kind) \(.from // "-") \(.to) \(.outcome)"'
}
verdicts() {
    entries | jq -r 'select(.kind == "verdict") | "\(.tag) \(.verdict.verdict) \(.verdict.why)"'
}
count() {
    entries | jq -s 'map(select(.kind == "transition" or .kind == "verdict")) | length'
}
verdict() { # TAG
    rbtool list --json | jq -r --arg tag "$1" '.releases[] | select(.tag == $tag).verdict'
}
no_key() {
    git config --global --unset user.signingKey
}

@test "a deploy and a revert are recorded in commits that plain git can read" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    [ "$(transitions)" = "deploy - v1.0.0 done
deploy v1.0.0 v1.1.0 done
revert v1.1.0 v1.0.0 done" ]
    [ "$(verdicts)" = "v1.1.0 bad reverted in prod" ]
    for id in $(git rev-list refs/rbtool/ledger); do git verify-commit "$id"; done
    git log --format=%s refs/rbtool/ledger | grep -q '^transition v1.1.0 revert in prod: done, to v1.0.0$'
    last=$(entries | jq -c 'select(.transition.kind == "revert")')
    [ "$(jq -r '.tag, .environment, .transition.fromObject, .transition.toObject' <<<"$last")" = "v1.1.0
prod
$(git rev-parse v1.1.0)
$(git rev-parse v1.0.0)" ]
    jq -e '.transition | .whole and (.digest | length == 64) and .finished >= .started and .error == null and
        .acceptedLoss == null and .acceptedDrift == false and
        ([.steps[] | .id] | index("database") != null and index("commit") != null) and
        (.steps | all(.outcome == "done" and (.milliseconds | type == "number" and . >= 0)))' <<<"$last"
    rbtool log | grep -q "revert in prod: done, to v1.0.0"
}

@test "list, show, status and plan show verdicts" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    [ "$(verdict v1.0.0)" = good ]
    [ "$(verdict v1.1.0)" = bad ]
    [ "$(verdict v1.2.0)" = null ]
    rbtool list --json | schema list
    rbtool list | grep -q 'v1.1.0 .* bad '
    rbtool show v1.1.0 | grep -q '^verdict     bad: reverted in prod$'
    rbtool status | grep -q '^verdict     good: deployed in prod with every check passed$'
    rbtool status --json | schema status
    [ "$(rbtool status --json | jq -r '.verdict, .unwritten')" = "good
0" ]
    rbtool deploy v1.2.0 --yes
    rbtool plan v1.2.0 --json | schema plan
    [ "$(rbtool plan v1.2.0 --json | jq -r '.verdicts.from, .verdicts.to, .to')" = "good
good
v1.0.0" ]
    rbtool plan v1.2.0 | grep -q 'TO is the newest release that was live here as a whole and is not bad'
}

@test "a reverted release is not deployed again until a person marks it good" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    fails 5 'rbtool mark v1.1.0 good -m WHY' rbtool deploy v1.1.0 --yes
    [[ "$output" == *"is bad (reverted in prod)"* ]]
    fails 5 "which --to names, is bad" rbtool revert v1.0.0 --to v1.1.0 --yes
    settled_at v1.0.0
    rbtool mark v1.1.0 good -m 'it was the network'
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
    rbtool mark v1.1.0 bad -m 'it was not'
    # What people said is not gone past by an option.
    rbtool deploy v1.0.0 --yes
    fails 5 'marked bad by alice@example.com: it was not' rbtool deploy v1.1.0 --yes --accept-reverted
}

@test "--accept-reverted works only for a reverted release, and is recorded" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    rbtool deploy v1.1.0 --yes --accept-reverted
    entries | jq -se 'map(select(.kind == "transition")) | map(.transition.acceptedReverted) == [false, false, false, true]'
    [ "$(verdict v1.1.0)" = good ]
    rbtool deploy v1.2.0 --yes
    [ "$(rbtool plan v1.2.0 --json | jq -r .to)" = v1.1.0 ]
}

@test "a failed transition is recorded without the output of checks" {
    rbtool deploy v1.0.0 --yes
    settings '.environments.prod.service = {stop: ["sh", "-c", "echo s3cret-a; exit 4"], start: ["true"]}'
    fails 1 s3cret-a rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    settings '.environments.prod.checks = [{name: "up", command: ["sh", "-c", "echo s3cret-b >&2; exit 3"], timeout: 1}]'
    fails 1 s3cret-b rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [ "$(transitions)" = "deploy - v1.0.0 done
deploy v1.0.0 v1.1.0 failed
deploy v1.0.0 v1.1.0 unhealthy" ]
    [ -z "$(entries | grep s3cret)" ]
    entries | jq -se 'map(.transition // empty) | .[1].error == "stopping the service (sh) ended with status 4" and
        (.[1].steps | map(.outcome) | index("failed") != null and index("undone") != null) and
        (.[2].error | contains("(sh) ended with status 3") and (contains("last output") | not))'
    [ "$(verdict v1.1.0)" = null ]
    [ -z "$(verdicts)" ]
}

@test "a transition that is refused before it begins is not recorded" {
    rbtool deploy v1.0.0 --yes
    sql 'INSERT INTO orders VALUES (41, -4242)'
    fails 1 -4242 rbtool deploy v1.1.0 --yes
    [ "$(count)" -eq 1 ]
}

@test "a killed and resumed transition is recorded as one entry" {
    rbtool deploy v1.0.0 --yes
    killed_by stop
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    [ "$(transitions | wc -l)" -eq 1 ]
    rbtool --config "$BATS_TEST_TMPDIR/killing.json" resume --yes
    [ "$(transitions)" = "deploy - v1.0.0 done
deploy v1.0.0 v1.1.0 done" ]
}

@test "a killed transition is recorded as aborted, or as interrupted with a transition back" {
    rbtool deploy v1.0.0 --yes
    killed_by stop
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    rbtool --config "$BATS_TEST_TMPDIR/killing.json" abort --yes
    rm "$BATS_TEST_TMPDIR/killed"
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    rbtool --config "$BATS_TEST_TMPDIR/killing.json" abort --yes
    [ "$(transitions)" = "deploy - v1.0.0 done
deploy v1.0.0 v1.1.0 aborted
deploy v1.0.0 v1.1.0 interrupted
abort v1.1.0 v1.0.0 done" ]
    [ "$(verdict v1.1.0)" = null ]
}

@test "a transition goes on if the ledger cannot be written, and is recorded later" {
    rbtool deploy v1.0.0 --yes
    mkdir -p .git/refs/rbtool
    touch .git/refs/rbtool/ledger.lock
    run rbtool deploy v1.1.0 --yes
    [ "$status" -eq 0 ]
    [ "$(grep -c "the ledger lacks 1 transition of prod" <<<"$output")" -eq 1 ]
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
    [ "$(transitions)" = "deploy - v1.0.0 done" ]
    [ "$(rbtool status --json | jq .unwritten)" -eq 2 ]
    rbtool status | grep -q 'does not have 2 transition(s) of prod yet'
    # The host knows all the same.
    [ "$(verdict v1.1.0)" = bad ]
    fails 5 "is bad (reverted in prod)" rbtool deploy v1.1.0 --yes
    rm .git/refs/rbtool/ledger.lock
    git init -q --bare "$BATS_TEST_TMPDIR/other.git"
    git remote add origin "$BATS_TEST_TMPDIR/other.git"
    rbtool sync
    [ "$(git -C "$BATS_TEST_TMPDIR/other.git" rev-parse refs/rbtool/ledger)" = "$(git rev-parse refs/rbtool/ledger)" ]
    [ "$(transitions)" = "deploy - v1.0.0 done
deploy v1.0.0 v1.1.0 done
revert v1.1.0 v1.0.0 done" ]
    [ "$(rbtool status --json | jq .unwritten)" -eq 0 ]
    [ "$(verdict v1.1.0)" = bad ]
}

@test "a transition is recorded without a git identity" {
    git config --global --unset user.email
    git config --global --unset user.name
    git config --global user.useConfigOnly true
    run env -u EMAIL rbtool deploy v1.0.0 --yes
    [ "$status" -eq 0 ]
    [ "$(transitions)" = "deploy - v1.0.0 done" ]
    [ "$(verdict v1.0.0)" = good ]
}

@test "an entry that the ledger has and the journal does not is not written twice" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    before=$(count)
    noted=$(sqlite3 "$PROD/.rbtool/state.db" 'SELECT * FROM entry ORDER BY 1, 2')
    sqlite3 "$PROD/.rbtool/state.db" "DELETE FROM entry WHERE kind = 'verdict' OR transition_id IN
        (SELECT id FROM transition_log ORDER BY sequence DESC LIMIT 2)"
    rbtool resume --yes
    [ "$(count)" -eq "$before" ]
    [ "$(sqlite3 "$PROD/.rbtool/state.db" 'SELECT * FROM entry ORDER BY 1, 2')" = "$noted" ]
}

@test "all transitions that were made before there was a ledger are recorded" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    forget_ledger
    sqlite3 "$PROD/.rbtool/state.db" "DELETE FROM entry; DELETE FROM pin WHERE name <> 'host'"
    sql "UPDATE rbtool_journal SET pins = '{}'"
    [ "$(rbtool status --json | jq .unwritten)" -eq 2 ]
    [ "$(verdict v1.1.0)" = good ]
    rbtool revert v1.1.0 --yes
    [ "$(transitions)" = "deploy - v1.0.0 done
deploy v1.0.0 v1.1.0 done
revert v1.1.0 v1.0.0 done" ]
}

@test "a host without a key writes unsigned entries, which count on that host" {
    no_key
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    [ "$(transitions | wc -l)" -eq 3 ]
    [ -z "$(git cat-file commit refs/rbtool/ledger | grep gpgsig)" ]
    [ "$(verdict v1.1.0)" = bad ]
    fails 5 "reverted in prod" rbtool deploy v1.1.0 --yes
    rbtool log | grep -qi unsigned
    # To another host they are what anybody could have written.
    rm -rf "$PROD"
    [ "$(verdict v1.1.0)" = null ]
}

@test "two environments of one host are recorded separately and share verdicts" {
    for env in staging demo; do
        jq --arg env $env --arg s "$BATS_TEST_TMPDIR/$env" '.environments[$env] = {root: $s,
            databases: {main: "sqlite:\($s)/data/shop.db"}}' rbtool.json >new.json && mv new.json rbtool.json
    done
    for env in staging prod; do rbtool deploy v1.0.0 --env $env --yes; done
    rbtool deploy v1.1.0 --env staging --yes
    rbtool revert v1.1.0 --env staging --yes
    [ "$(entries | jq -r 'select(.kind == "transition").environment' | sort | uniq -c | tr -s ' \n' ' ')" = " 1 prod 3 staging " ]
    fails 5 "reverted in staging" rbtool deploy v1.1.0 --env prod --yes
    rbtool mark v1.1.0 good -m 'staging was full'
    rbtool deploy v1.1.0 --env prod --yes
    # What was good elsewhere is good along the chain too.
    rbtool deploy v1.2.0 --env demo --yes
    rbtool plan v1.2.0 --env demo | grep -q 'TO is the nearest release along the chain that is good, deployed in prod with every check passed'
    [ "$(rbtool plan v1.2.0 --env demo --json | jq -r .to)" = v1.1.0 ]
    # What was live there comes first.
    rbtool deploy v1.2.0 --env staging --yes
    [ "$(rbtool plan v1.2.0 --env staging --json | jq -r .to)" = v1.0.0 ]
}

@test "a release that one host reverted is refused by another host with the same ledger" {
    git clone -q --bare . "$BATS_TEST_TMPDIR/server.git"
    git push -q "$BATS_TEST_TMPDIR/server.git" refs/rbtool/ledger
    for host in a b; do
        git clone -q "$BATS_TEST_TMPDIR/server.git" "$BATS_TEST_TMPDIR/$host"
        jq --arg root "$BATS_TEST_TMPDIR/host-$host" '.environments.prod = {root: $root,
            databases: {main: "sqlite:\($root)/data/shop.db"}}' rbtool.json >"$BATS_TEST_TMPDIR/$host/rbtool.json"
        rbtool -C "$BATS_TEST_TMPDIR/$host" sync # nothing moves without the ledger
    done
    cd "$BATS_TEST_TMPDIR/a"
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    cd "$BATS_TEST_TMPDIR/b"
    rbtool deploy v1.0.0 --yes
    cd "$BATS_TEST_TMPDIR/a"
    rbtool revert v1.1.0 --yes
    rbtool sync
    cd "$BATS_TEST_TMPDIR/b"
    [ "$(verdict v1.1.0)" = null ]
    rbtool sync
    [ "$(verdict v1.1.0)" = bad ]
    fails 5 "is bad (reverted in prod)" rbtool deploy v1.1.0 --yes
    [ "$(transitions | wc -l)" -eq 4 ]
    git config user.email bob@example.com
    git config user.signingKey "$KEYS/bob"
    rbtool mark v1.1.0 good -m 'host a was full'
    rbtool deploy v1.1.0 --yes
    rbtool sync
    cd "$BATS_TEST_TMPDIR/a"
    fails 5 "reverted in prod" rbtool deploy v1.1.0 --yes
    rbtool sync
    rbtool deploy v1.1.0 --yes
    [ "$(readlink "$BATS_TEST_TMPDIR/host-a/current")" = releases/v1.1.0 ]
}

@test "revert without a known-good release lists the candidates with their verdicts" {
    rbtool deploy v1.2.0 --yes
    fails 5 "no release before v1.2.0 is known good here; these verify: v1.1.0 (no verdict), v1.0.0 (no verdict)" \
        rbtool revert v1.2.0 --yes
    rbtool mark v1.1.0 bad -m 'slow'
    fails 5 "these verify: v1.0.0 (no verdict); bad is v1.1.0 (marked bad by alice@example.com: slow); choose one with \`rbtool revert v1.2.0 --to v1.0.0 --env prod --yes\`" \
        rbtool plan v1.2.0
    fails 5 "is bad (marked bad by alice@example.com: slow)" rbtool revert v1.2.0 --to v1.1.0 --yes
    rbtool mark v1.0.0 good -m 'ran for a year'
    rbtool plan v1.2.0 | grep -q 'TO is the nearest release along the chain that is good, marked good by alice@example.com: ran for a year'
    rbtool mark v1.0.0 bad -m 'no'
    settings '.knownGood = "verified"'
    fails 5 "nothing to go back to: v1.2.0 is the first release that was live here; bad are v1.1.0 (" rbtool --config "$SETTINGS" revert v1.2.0 --yes
    rbtool mark v1.1.0 good -m 'fast again'
    [ "$(rbtool --config "$SETTINGS" plan v1.2.0 --json | jq -r .to)" = v1.1.0 ]
}

@test "knownGood verified selects a release that verifies and is not bad" {
    rbtool deploy v1.2.0 --yes
    settings '.knownGood = "verified"'
    rbtool --config "$SETTINGS" plan v1.2.0 | grep -q 'TO is the nearest release along the chain.*verifies and has no verdict (knownGood: verified)'
    [ "$(rbtool --config "$SETTINGS" plan v1.2.0 --json | jq -r .to)" = v1.1.0 ]
    rbtool mark v1.1.0 bad -m 'slow'
    [ "$(rbtool --config "$SETTINGS" plan v1.2.0 --json | jq -r .to)" = v1.0.0 ]
}

@test "a verdict applies to one tag object" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.2.0 --yes
    rbtool revert v1.2.0 --yes
    [ "$(verdict v1.2.0)" = bad ]
    git tag -d v1.2.0
    fails 1 "rbtool mark v1.2.0 gap" rbtool release v1.2.0 -m again # it was live
    rbtool mark v1.2.0 gap -m 'made again'
    rbtool release v1.2.0 -m again
    [ "$(verdict v1.2.0)" = null ]
    rbtool deploy v1.2.0 --yes
}

@test "a release that was unhealthy is known-good after a person marks it good" {
    rbtool deploy v1.0.0 --yes
    settings '.environments.prod.checks = [{name: "up", command: ["false"], timeout: 1}]'
    fails 1 "and unhealthy" rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    rbtool status | grep -q "^checks      failed at .*: check \"up\""
    rbtool status --json | schema status
    [[ $(rbtool status --json | jq -r .failedChecks) == *"check \"up\""* ]]
    rbtool deploy v1.2.0 --yes
    [ "$(rbtool status --json | jq -r .failedChecks)" = null ]
    [ "$(rbtool plan v1.2.0 --json | jq -r .to)" = v1.0.0 ]
    rbtool mark v1.1.0 good -m 'the check was wrong'
    [ "$(rbtool plan v1.2.0 --json | jq -r .to)" = v1.1.0 ]
    rbtool plan v1.2.0 | grep -q 'marked good by alice@example.com: the check was wrong'
}

@test "show, list and status keep marking an override" {
    rbtool deploy v1.0.0 --yes
    git config rbtool.root alice@example.com
    echo '{"environments": {"prod": {"approvals": {"deploy": 1}}}}' >"$BATS_TEST_TMPDIR/policy.json"
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m 'two of us'
    fails 5 "approve v1.1.0" rbtool deploy v1.1.0 --yes
    rbtool show v1.1.0 | grep -q '^approvals   0 of 1 for a deploy in prod$'
    rbtool deploy v1.1.0 --yes --break-glass -m 'shop is down'
    rbtool show v1.1.0 | grep -q '^OVERRIDE    approvals in prod by alice@example.com: shop is down$'
    rbtool list | grep -q 'v1.1.0 .*good (OVERRIDE)'
    rbtool status | grep -q '^OVERRIDE .*shop is down'
    rbtool status --json | schema status
    rbtool list --json | schema list
    rbtool plan v1.1.0 | grep -q 'OVERRIDE of approvals for v1.1.0 by alice@example.com: shop is down'
    # Anyone can put a name on what is not signed, so an override is signed or not made.
    git config --global --unset user.signingKey
    fails 2 "the override cannot be recorded" rbtool deploy v1.2.0 --yes --break-glass -m 'no key at hand'
    run -0 rbtool show v1.2.0
    [[ $output != *OVERRIDE* ]]
    git config --global user.signingKey "$KEYS/alice"
    # With a policy, what is bad is for people to lift.
    rbtool revert v1.1.0 --yes
    fails 5 "rbtool mark v1.1.0 good -m WHY" rbtool deploy v1.1.0 --yes --accept-reverted
}

@test "an entry by another person records who began the transition" {
    rbtool deploy v1.0.0 --yes
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    git config --global user.name Bob
    git config --global user.email bob@example.com
    git config --global user.signingKey "$KEYS/bob"
    rbtool resume --yes
    [[ $(git log -1 --format=%s refs/rbtool/ledger) == \
        'transition v1.1.0 deploy in prod: done, from v1.0.0, begun by Alice <alice@example.com>' ]]
    rbtool revert v1.1.0 --yes
    git log --format=%s refs/rbtool/ledger | grep -qx 'transition v1.1.0 revert in prod: done, to v1.0.0'
    rbtool log --verify
}

@test "a clone knows the transitions of another clone in a shared environment before it syncs" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    git clone -q "$SHOP" "$BATS_TEST_TMPDIR/other"
    git -C "$BATS_TEST_TMPDIR/other" fetch -q origin refs/rbtool/ledger:refs/rbtool/ledger
    cp rbtool.json "$BATS_TEST_TMPDIR/other"
    rbtool revert v1.1.0 --yes
    cd "$BATS_TEST_TMPDIR/other"
    fails 5 'v1.1.0 is bad (reverted in prod by another clone, see it with `rbtool sync`)' rbtool deploy v1.1.0 --yes
    [[ $(rbtool list) == *'v1.1.0'*'bad'* ]]
    rbtool sync
    fails 5 'v1.1.0 is bad (reverted in prod)' rbtool deploy v1.1.0 --yes
    rbtool mark v1.1.0 good -m 'once more'
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
}

@test "a verdict newer than another clone's transition is kept" {
    for tag in v1.0.0 v1.1.0 v1.2.0; do rbtool deploy $tag --yes; done
    git clone -q "$SHOP" "$BATS_TEST_TMPDIR/other"
    cp rbtool.json "$BATS_TEST_TMPDIR/other"
    cd "$BATS_TEST_TMPDIR/other"
    rbtool sync # it does not plan without the ledger
    sleep 1.1
    rbtool mark v1.1.0 bad -m leaks
    [[ $(rbtool list | grep v1.1.0) == *bad* ]]
    [ "$(rbtool plan v1.2.0 --json | jq -r .to)" = v1.0.0 ]
}

@test "another clone's transitions remain known after this clone writes an entry" {
    rbtool deploy v1.0.0 --yes
    git clone -q "$SHOP" "$BATS_TEST_TMPDIR/other"
    cp rbtool.json "$BATS_TEST_TMPDIR/other"
    rbtool -C "$BATS_TEST_TMPDIR/other" sync
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    cd "$BATS_TEST_TMPDIR/other"
    fails 5 'v1.1.0 is bad (reverted in prod by another clone' rbtool deploy v1.1.0 --yes
    rbtool deploy v1.2.0 --yes
    [[ $(rbtool list | grep v1.1.0) == *bad* ]]
    fails 5 'v1.1.0 is bad (reverted in prod' rbtool deploy v1.1.0 --yes
}

@test "a transition's entry has the accepted losses by table and count, the host, the user and the version" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    sqlite3 "$PROD/data/shop.db" 'INSERT INTO orders (id, total, discount) VALUES (1, 2, 3), (2, 3, NULL)'
    # At a terminal the number at risk is typed, which is the only question.
    timeout 60 script -qec 'rbtool revert v1.1.0' /dev/null <<<$'2\ny\n' || true
    [ "$(rbtool status --json | jq -r .release)" = v1.1.0 ]
    timeout 60 script -qec 'rbtool revert v1.1.0' /dev/null <<<1 >"$BATS_TEST_TMPDIR/seen"
    [ "$(grep -c 'y/N' "$BATS_TEST_TMPDIR/seen")" -eq 0 ]
    grep -q 'orders.discount: 1 value will be lost' "$BATS_TEST_TMPDIR/seen"
    backup=$(sed -n 's/.*backup of main: about .*, in \([^[:space:]]*\).*/\1/p' "$BATS_TEST_TMPDIR/seen")
    [ -s "$backup" ]
    last=$(entries | jq -c 'select(.transition.kind == "revert")')
    jq -e '.transition | .acceptedLoss == .digest and .accepted == [{"database": "main", "table": "orders",
        "column": "discount", "rows": 2, "values": 1}]' <<<"$last"
    [ "$(jq -r '.transition | [.host, .user, "rbtool " + .version] | join(" ")' <<<"$last")" = \
        "$(hostname) $(id -un) $(rbtool --version)" ]
}

@test "log --verify finds entries that were cut off by what this host and the remote know, and says what it compared" {
    rbtool deploy v1.0.0 --yes
    git init -q --bare "$BATS_TEST_TMPDIR/hub.git"
    git remote add origin "$BATS_TEST_TMPDIR/hub.git"
    rbtool sync
    tip=$(git rev-parse refs/rbtool/ledger)
    fails 0 'compared with what origin had at the last sync, 1 entry of this host' rbtool log --verify
    RBTOOL=0 git update-ref refs/rbtool/ledger 'refs/rbtool/ledger^'
    fails 1 "the ledger lacks entry ${tip:0:10}, and others before it: what origin had at the last sync" rbtool log --verify
    fails 1 "the ledger lacks 1 entry that environments of this host recorded: ${tip:0:10}" rbtool log --verify
    # Each of them finds it alone.
    mv "$PROD" "$PROD.away"
    fails 1 'fetch them with `rbtool sync --fetch`' rbtool log --verify
    RBTOOL=0 git update-ref -d refs/rbtool/remotes/origin/ledger
    fails 0 'compared with nothing: no remote' rbtool log --verify
    fails 0 "\`git merge-base --is-ancestor TIP refs/rbtool/ledger\`" rbtool log --verify
    run git merge-base --is-ancestor "$tip" refs/rbtool/ledger
    [ "$status" -eq 1 ]
    mv "$PROD.away" "$PROD"
    fails 1 'environments of this host recorded' rbtool log --verify
    rbtool sync --fetch
    [ "$(git rev-parse refs/rbtool/ledger)" = "$tip" ]
    rbtool log --verify
}
