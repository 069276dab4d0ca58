# Deploy, revert, resume, abort, status on a real SQLite database, flags and config.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
}

@test "deploy and revert change files, schema, flags and config as one" {
    two_releases
    before=$(picture)
    run rbtool deploy v1.1.0 --yes --json
    [ "$status" -eq 0 ]
    echo "$output" | tail -n 1 | schema transition
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
    [ "$("$PROD/current/app/src/shop")" = "shop 2" ]
    [ "$(cat "$PROD/etc/app.toml")" = "workers = 4" ]
    cmp flags.json "$PROD/etc/flags.json"
    sql 'SELECT discount FROM orders LIMIT 1'
    run rbtool status --json
    [ "$status" -eq 0 ]
    [ "$(echo "$output" | jq -c '[.release, .state, .drift]')" = '["v1.1.0","settled",[]]' ]
    echo "$output" | schema status
    rbtool revert v1.1.0 --yes
    [ "$(picture)" = "$before" ]
    rbtool status --exit-code
}

@test "plan names the first and last of many scripts, and all of them in JSON" {
    two_releases
    for n in {3..12}; do
        echo "CREATE TABLE t$n (id INTEGER PRIMARY KEY);" >migrations/00$n"_t.up.sql"
        echo "DROP TABLE t$n;" >migrations/00$n"_t.down.sql"
    done
    release v1.2.0
    rbtool deploy v1.1.0 --yes
    rbtool deploy v1.2.0 --yes
    run -0 rbtool plan v1.2.0
    [[ $output == *"in one transaction: down 12, down 11, ... down 3 (10 scripts); verify"* ]]
    run -0 rbtool plan v1.2.0 --json
    [ "$(echo "$output" | jq -c '[.databases[0].scripts[].id]')" = '["12","11","10","9","8","7","6","5","4","3"]' ]
}

@test "data at risk is counted, needs its digest, and is restored by the next deploy" {
    two_releases
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = id WHERE id <= 7'
    full=$(picture)
    run -5 --separate-stderr rbtool plan v1.1.0 --json
    echo "$output" | schema plan
    [ "$(echo "$output" | jq -c '.dataAtRisk[] | [.database, .table, .column, .values, .exact]')" = '["main","orders","discount",7,true]' ]
    d=$(echo "$output" | jq -r .digest)
    fails 5 "$d" rbtool revert v1.1.0 --yes
    [ "$(picture)" = "$full" ]
    fails 5 "not the one" rbtool revert v1.1.0 --yes --accept-data-loss "${d//[0-4]/5}"
    [ "$(picture)" = "$full" ]
    fails 5 "at least 12 digits" rbtool revert v1.1.0 --yes --accept-data-loss "${d:0:11}"
    [ "$(picture)" = "$full" ]
    # More values in the same column is the same plan.
    sql 'UPDATE orders SET discount = id WHERE id = 8'
    full=$(picture)
    run rbtool revert v1.1.0 --yes --accept-data-loss "${d:0:12}"
    [ "$status" -eq 0 ]
    # The plan was read when it was agreed to; what may have changed since is shown again.
    [[ $output == *"FROM v1.1.0 TO v1.0.0"*"orders.discount: 8 values"*"digest $d, agreed to"* ]]
    [[ $output != *"point of no return"* ]]
    [[ $output == *"backup: what database main lost is in $PROD/.rbtool/backups/"*/main.sqlite* ]]
    fails 1 'no such column' sql 'SELECT discount FROM orders'
    fails 5 "is bad (reverted in prod)" rbtool deploy v1.1.0 --yes
    sql 'DELETE FROM orders WHERE id = 3'
    run rbtool deploy v1.1.0 --yes --accept-reverted --json
    [ "$status" -eq 0 ]
    [ "$(echo "$output" | tail -n 1 | jq -c '.backups')" = '[]' ]
    [ "$(echo "$output" | tail -n 1 | jq -c '.putBack[0] | [.table, .column, .restored, .missingCount]')" = '["orders","discount",7,1]' ]
    [ "$(sql 'SELECT count(*), sum(discount) FROM orders WHERE discount IS NOT NULL')" = '7|33' ]
}

@test "a failing check leaves TO live and unhealthy, and a revert is possible" {
    two_releases
    before=$(picture)
    jq '.environments.prod.checks = [{name: "ready", command: ["sh", "-c", "echo not ready; exit 3"], timeout: 1}]' \
        rbtool.json >"$BATS_TEST_TMPDIR/c.json"
    fails 1 "not ready" rbtool --config "$BATS_TEST_TMPDIR/c.json" deploy v1.1.0 --yes
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
    rbtool revert v1.1.0 --yes
    [ "$(picture)" = "$before" ]
}

@test "a revert without a terminal needs --yes" {
    two_releases
    rbtool deploy v1.1.0 --yes
    fails 2 'go on without asking with `rbtool revert v1.1.0 --yes`' rbtool revert v1.1.0
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
}

@test "revert does nothing for a release that is not live" {
    two_releases
    run -0 rbtool plan v1.1.0 --json
    echo "$output" | schema plan
    [ "$(echo "$output" | jq -r '.decisions[0].code')" = nothing ]
    run rbtool revert v1.1.0 --yes --json
    [ "$status" -eq 0 ]
    [ "$(echo "$output" | jq -r .outcome)" = nothing ]
}

@test "revert without a known-good release needs --to" {
    release v1.0.0
    second
    rbtool release v1.1.0
    rbtool deploy v1.1.0 --yes
    fails 5 "v1.0.0" rbtool revert v1.1.0 --yes
    rbtool revert v1.1.0 --to v1.0.0 --yes
    [ "$(readlink "$PROD/current")" = releases/v1.0.0 ]
}

@test "drift is shown and stops a transition until it is accepted" {
    two_releases
    rbtool deploy v1.1.0 --yes
    echo 'workers = 9' >"$PROD/etc/app.toml"
    sql 'CREATE INDEX by_hand ON orders (total)'
    run rbtool status --exit-code --json
    [ "$status" -eq 1 ]
    [ "$(echo "$output" | jq -r '[.drift[].part] | sort | join(",")')" = config,db ]
    fails 5 "drifted" rbtool revert v1.1.0 --yes
    rbtool revert v1.1.0 --yes --accept-drift
    # What drifted in an object that the revert did not touch is still there.
    [ "$(sql "SELECT name FROM sqlite_schema WHERE name = 'by_hand'")" = by_hand ]
    [ "$(cat "$PROD/etc/app.toml")" = "workers = 2" ]
    # It was accepted, and is still not in the manifest.
    run rbtool status --exit-code --json
    [ "$status" -eq 0 ]
    echo "$output" | schema status
    [ "$(jq -c '[.drift, .accepted]' <<<"$output")" = \
        '[[],[{"expected":"as released","found":"added","part":"db","path":"main: index by_hand"}]]' ]
    run rbtool status
    [[ $output == *"accepted db main: index by_hand"* ]]
    # What happens to it now is drift again, and no more accepted.
    sql 'DROP INDEX by_hand; CREATE INDEX by_hand ON orders (id)'
    run rbtool status --exit-code --json
    [ "$status" -eq 1 ]
    [ "$(jq -c '[.drift[].path, .accepted]' <<<"$output")" = '["main: index by_hand",[]]' ]
}

@test "an edited file of the release is reported as drift" {
    two_releases
    echo '<h1>changed</h1>' >"$PROD/current/app/src/index.html"
    fails 1 "src/index.html" rbtool status --exit-code
    rm "$PROD/current/app/src/index.html"
    fails 1 "missing" rbtool status --exit-code
}

@test "a down that does not restore the schema is rolled back, and each object is named" {
    two_releases
    printf 'SELECT 1;\n' >migrations/0002_discount.down.sql
    release v1.2.0 --accept RB002,RB003,RB004
    rbtool deploy v1.1.0 --yes
    before=$(picture)
    fails 1 "orders.discount" rbtool revert v1.1.0 --yes --scripts-from v1.2.0
    # shellcheck disable=SC2016 # the backquotes are the hint's
    [[ $output == *'take it from there with `rbtool revert v1.1.0 --env prod --scripts-from TAG --yes`, or leave the databases as they are with `rbtool revert v1.1.0 --env prod --scripts-from v1.2.0 --yes --only app,flags,config`'* ]]
    [ "$(picture)" = "$before" ]
    rbtool revert v1.1.0 --yes
}

@test "a migration without a down needs a decision or an override script from a later release" {
    release v1.0.0
    second
    git rm -q migrations/0002_discount.down.sql
    git commit -qm 'no way back'
    rbtool release v1.1.0 --accept RB001
    printf 'ALTER TABLE orders DROP COLUMN discount;\n' >migrations/0002_discount.down.sql
    release v1.1.1 --accept RB004
    rbtool deploy v1.0.0 --yes
    before=$(picture)
    rbtool deploy v1.1.0 --yes
    fails 5 "--scripts-from" rbtool revert v1.1.0 --yes
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
    rbtool revert v1.1.0 --yes --scripts-from v1.1.1
    [ "$(picture)" = "$before" ]
}

@test "--only changes the named parts, and reports the parts at another release" {
    two_releases
    rbtool deploy v1.1.0 --yes
    run rbtool revert v1.1.0 --yes --only app,flags
    [ "$status" -eq 0 ]
    [[ $output == *"db stays"* ]]
    [ "$(readlink "$PROD/current")" = releases/v1.0.0 ]
    sql 'SELECT discount FROM orders LIMIT 1'
    [ "$(cat "$PROD/etc/app.toml")" = "workers = 4" ]
    fails 1 "v1.1.0" rbtool status --exit-code
    rbtool revert v1.1.0 --yes
    rbtool status --exit-code
    fails 2 "app, db, flags and config" rbtool revert v1.0.0 --yes --only files
}

@test "a first deploy that fails removes the database that it created" {
    release v1.0.0
    jq '.environments.prod.service = {stop: ["true"], start: ["true"]} | .environments.prod.config = {"config/app.toml": "/nowhere/app.toml"}' \
        rbtool.json >"$BATS_TEST_TMPDIR/c.json"
    fails 2 "/nowhere/app.toml" rbtool --config "$BATS_TEST_TMPDIR/c.json" deploy v1.0.0 --yes
    [ ! -e "$PROD/data/shop.db" ]
    [ ! -e "$PROD/current" ]
    rbtool deploy v1.0.0 --yes
}

@test "a current that is not a symlink and an applied migration unknown to the release are reported" {
    two_releases
    rm "$PROD/current"
    mkdir "$PROD/current"
    fails 1 "drift app current: expected releases/v1.0.0, found something that is not a symlink" rbtool status --exit-code
    rm -r "${PROD:?}"/{current,.rbtool}
    sql "DROP TABLE rbtool_applied; DROP TABLE IF EXISTS schema_migrations;
        CREATE TABLE schema_migrations (version uint64, dirty bool); INSERT INTO schema_migrations VALUES (9, 0)"
    fails 5 "migration 9 is applied, but v1.0.0 does not have it; apply its way back by hand" rbtool deploy v1.0.0 --yes
}

@test "a missing database of an environment with history is an error" {
    two_releases
    rm "$PROD/data/shop.db"
    fails 2 "shop.db" rbtool deploy v1.1.0 --yes
    [ ! -e "$PROD/data/shop.db" ]
}

@test "SQL checks run inside the transaction, before the commit" {
    two_releases
    sql 'UPDATE orders SET total = -1 WHERE id = 4'
    before=$(picture)
    fails 1 "totals.sql" rbtool deploy v1.1.0 --yes
    [ "$(picture)" = "$before" ]
}

@test "after a kill before the commit, resume continues and abort restores FROM" {
    two_releases
    before=$(picture)
    for way in resume abort; do
        rm -f "$BATS_TEST_TMPDIR/killed"
        killed_by stop
        run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes --accept-reverted
        [ "$status" -eq 137 ]
        run rbtool status --json
        [ "$(echo "$output" | jq -r '.state + " " + .step')" = "interrupted stop" ]
        fails 3 "rbtool resume" rbtool deploy v1.1.0 --yes
        run rbtool $way --yes --json
        [ "$status" -eq 0 ]
        echo "$output" | tail -n 1 | schema transition
        if [ $way = resume ]; then
            [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
            rbtool status --exit-code
            rbtool revert v1.1.0 --yes
        fi
        [ "$(picture)" = "$before" ]
        rbtool status --exit-code
        rbtool deploy v1.1.0 --yes --accept-reverted
        rbtool revert v1.1.0 --yes
    done
}

@test "after a kill after the commit, resume continues and abort is a transition back" {
    two_releases
    before=$(picture)
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    rbtool resume --yes
    rbtool status --exit-code
    rbtool revert v1.1.0 --yes
    [ "$(picture)" = "$before" ]
    rm "$BATS_TEST_TMPDIR/killed"
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes --accept-reverted
    [ "$status" -eq 137 ]
    rbtool abort --yes
    [ "$(picture)" = "$before" ]
    rbtool status --exit-code
    run rbtool resume --yes --json
    [ "$status" -eq 0 ]
    [ "$(echo "$output" | jq -r .outcome)" = nothing ]
}

@test "SIGTERM before the commit restores FROM" {
    two_releases
    before=$(picture)
    jq '.environments.prod.service = {stop: ["sh", "-c", "kill -TERM $PPID; sleep 0.2"], start: ["true"]}' \
        rbtool.json >"$BATS_TEST_TMPDIR/c.json"
    fails 1 "signal" rbtool --config "$BATS_TEST_TMPDIR/c.json" deploy v1.1.0 --yes
    [ "$(picture)" = "$before" ]
    rbtool status --exit-code
}

@test "of two concurrent transitions, one succeeds and the other exits 4" {
    two_releases
    jq --arg dir "$BATS_TEST_TMPDIR" --arg wait "$ROOT/tests/wait.bash" '.environments.prod.service = {
        start: ["true"],
        stop: ["bash", "-c", "touch \($dir)/stopping; . \($wait); wait_for test -e \($dir)/go"]}' rbtool.json \
        >"$BATS_TEST_TMPDIR/c.json"
    rbtool --config "$BATS_TEST_TMPDIR/c.json" deploy v1.1.0 --yes &
    first=$!
    wait_for test -e "$BATS_TEST_TMPDIR/stopping"
    fails 4 "another run" rbtool deploy v1.1.0 --yes
    fails 0 "another run holds the environment (process $first since" rbtool status
    [[ $output == *"it is in step stop of the deploy from v1.0.0 to v1.1.0"* ]]
    [[ $output != *"rbtool resume"* ]]
    rbtool status --json | schema status
    [ "$(rbtool status --json | jq -r '.state + " " + (.holder | split(" since")[0])')" = "interrupted process $first" ]
    fails 4 "is at work" rbtool status --exit-code
    fails 4 "the deploy of prod from v1.0.0 to v1.1.0 is at work" rbtool plan v1.0.0
    touch "$BATS_TEST_TMPDIR/go"
    wait $first
    [ "$(rbtool status --json | jq .holder)" = null ]
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
    # A script can hold the lock, too.
    fails 4 "another run holds the environment" flock "$PROD/.rbtool/lock" rbtool revert v1.1.0 --yes
}

@test "revert without an environment writes a verified bundle" {
    two_releases
    jq 'del(.environments)' rbtool.json >new.json && mv new.json rbtool.json
    fails 2 "rbtool revert TAG -o DIR" rbtool revert v1.1.0 --yes
    fails 2 "leave it out" rbtool revert v1.1.0 --to v1.0.0 -o "$BATS_TEST_TMPDIR/bundle" --dry-run
    fails 2 "--only has no effect" rbtool revert v1.1.0 -o "$BATS_TEST_TMPDIR/bundle" --only flags
    [ ! -e "$BATS_TEST_TMPDIR/bundle" ]
    run rbtool revert v1.1.0 --to v1.0.0 -o "$BATS_TEST_TMPDIR/bundle" --json
    [ "$status" -eq 0 ]
    cd "$BATS_TEST_TMPDIR/bundle"
    grep -q 'DROP COLUMN discount' scripts/main/001-down-*.sql
    [ "$(jq -r .to plan.json)" = v1.0.0 ]
    schema bundle <plan.json
    grep -q 'set ROOT' revert.sh
    sh -n revert.sh
    sha256sum -c --quiet SHA256SUMS
    [ "$(cat artifacts/app/src/shop)" = "$(git -C "$SHOP" show v1.0.0:src/shop)" ]
}

@test "revert.sh of a bundle leads to the end state of rbtool's revert, and adopt records it" {
    two_releases
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 5'
    jq '.environments.prod.config["config/app.toml"] |= {path: ., mode: "0640"}' rbtool.json >new.json && mv new.json rbtool.json
    rbtool env trust --env prod --yes
    rm "$PROD/etc/flags.json"
    cp -a "$PROD" "$BATS_TEST_TMPDIR/copy"
    rbtool revert v1.1.0 --env prod -o "$BATS_TEST_TMPDIR/bundle"
    rbtool revert v1.1.0 --yes --accept-drift --accept-data-loss "$(digest v1.1.0)"
    picture >"$BATS_TEST_TMPDIR/expected"
    modes=$(stat -c '%a %n' "$PROD"/etc/*)
    sql 'SELECT id FROM rbtool_applied; SELECT * FROM schema_migrations' >>"$BATS_TEST_TMPDIR/expected"
    rm -rf "$PROD" && mv "$BATS_TEST_TMPDIR/copy" "$PROD"
    # A host with sqlite3 and without rbtool.
    PATH=/usr/bin:/bin sh "$BATS_TEST_TMPDIR/bundle/revert.sh"
    { picture && sql 'SELECT id FROM rbtool_applied; SELECT * FROM schema_migrations'; } >"$BATS_TEST_TMPDIR/found"
    diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/found"
    [ "$(sqlite3 "$PROD"/manual-*/main.sqlite 'SELECT sum(discount) FROM orders')" = 50 ]
    # What did not exist has rbtool's modes, and the copy of the database is for its owner alone.
    [ "$(stat -c '%a %n' "$PROD"/etc/*)" = "$modes" ]
    [ "$(stat -c %a "$PROD"/manual-*)" = 700 ]
    cmp "$PROD"/manual-*/config/config/app.toml <(git show v1.1.0:config/app.toml)
    rm "$PROD"/.rbtool/state.db*
    rbtool adopt v1.0.0 --yes
    settled_at v1.0.0
    echo broken >>"$BATS_TEST_TMPDIR/bundle/manual/main/scripts.sql"
    fails 1 'manual/main/scripts.sql: FAILED' sh "$BATS_TEST_TMPDIR/bundle/revert.sh"
}

@test "the runbook has the commands, the owners and all sections" {
    two_releases
    rbtool deploy v1.1.0 --yes
    jq '.environments.prod.owners = ["ops@example.com"] | .environments.prod.escalation = ["cto@example.com"]' rbtool.json >"$BATS_TEST_TMPDIR/c.json"
    run rbtool --config "$BATS_TEST_TMPDIR/c.json" plan v1.1.0 --format markdown
    [ "$status" -eq 0 ]
    for text in '## People' '## Detection' '## Decision' '## Execution' '## If a step fails' '## What users see' \
        '## Verification' '## Afterwards' ops@example.com cto@example.com '**everything**: the fault may be' '**forward**' \
        'Exit 0:' 'Exit 1:' 'Exit 2:' 'Exit 3' 'Exit 4' 'Exit 5' '**commit**: what was done is undone' \
        '**config**: what was done is undone' 'Flags change first' \
        'c.json revert v1.1.0 --to v1.0.0 --env prod'; do
        [[ $output == *"$text"* ]]
    done
}

@test "the runbook's revert command works unchanged with drift and data at risk" {
    two_releases
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 5'
    ln -sfn releases/v1.0.0 "$PROD/current"
    run -5 rbtool plan v1.1.0 --format markdown
    [[ $output == *'**Drift** that is accepted: app current: expected releases/v1.1.0, found releases/v1.0.0'* ]]
    rbtool plan v1.1.0 --format markdown >"$BATS_TEST_TMPDIR/runbook" || [ $? -eq 5 ]
    [ "$(grep -c 'orders.discount' "$BATS_TEST_TMPDIR/runbook")" = 1 ]
    fails 5 "go on over it with \`rbtool revert v1.1.0 --env prod --yes --accept-drift --accept-data-loss $(digest v1.1.0 | cut -c1-12)\`" \
        rbtool revert v1.1.0 --yes
    $(grep '^rbtool revert' "$BATS_TEST_TMPDIR/runbook") --yes
    settled_at v1.0.0
}

# runbook_commands FILE: every rbtool command line in it, in backquotes or in its block.
runbook_commands() {
    grep -oE '`rbtool [^`]*`|^rbtool .*' "$1" | tr -d '`'
}

@test "every command in a runbook runs, and status prints what the runbook expects" {
    two_releases
    sql 'UPDATE orders SET total = id'
    rbtool deploy v1.1.0 --yes
    settings '.environments.prod.checks = [{name: "up", command: ["sh", "-c", "exit 0"]}]'
    git init -q --bare "$BATS_TEST_TMPDIR/hub.git"
    git remote add origin "$BATS_TEST_TMPDIR/hub.git"
    for only in "" "--only flags"; do
        # shellcheck disable=SC2086 # none or two words
        rbtool --config "$SETTINGS" plan v1.1.0 $only --format markdown >"$BATS_TEST_TMPDIR/runbook"
        runbook_commands "$BATS_TEST_TMPDIR/runbook" >"$BATS_TEST_TMPDIR/commands"
        [ "$(grep -cE '^rbtool .*(check|status|revert|resume|abort|sync)( |$)' "$BATS_TEST_TMPDIR/commands")" -ge 9 ]
        [ "$(grep -c 'rbtool --config .* revert v1.1.0 --to v1.0.0 --env prod' "$BATS_TEST_TMPDIR/commands")" -eq 1 ]
        grep -q ' note v1.1.0 -m TEXT$' "$BATS_TEST_TMPDIR/commands"
        while read -r line; do
            case $line in *revert* | *resume* | *abort*) line+=' --yes' ;; esac
            run bash -c "$line"
            echo "$line: $output"
            [[ $status -eq 0 || ($status -eq 1 && -n $only && $line == *--exit-code) ]]
        done <"$BATS_TEST_TMPDIR/commands"
        [ "$(git -C "$BATS_TEST_TMPDIR/hub.git" rev-parse refs/rbtool/ledger)" = "$(git rev-parse refs/rbtool/ledger)" ]
        [[ $(<"$BATS_TEST_TMPDIR/runbook") == *"- may approve: every allowed signer; no policy asks for an approval"* ]]
        said=$(sed -n 's/^- `rbtool .*status.*begins with `\(.*\)` and exits.*/\1/p' "$BATS_TEST_TMPDIR/runbook")
        [[ $(rbtool status) == "$said"* ]]
        [ -n "$only" ] || rbtool deploy v1.1.0 --yes --accept-reverted
    done
    [ "$said" = "prod: v1.1.0 (flags at v1.0.0)" ]
    [[ $(rbtool deploy v1.1.0 --yes --accept-reverted) == *"done: prod is at v1.1.0 (app, db, config were at v1.1.0, flags was at v1.0.0), in"* ]]
}

@test "revert of the first release is refused" {
    release v1.0.0
    rbtool deploy v1.0.0 --yes
    fails 5 "v1.0.0 is the first release" rbtool revert v1.0.0 --yes
}

@test "a problem in the history behind TO does not stop a revert, and verify names it" {
    two_releases
    rbtool deploy v1.1.0 --yes
    echo 3 >src/third
    release v1.2.0
    rbtool deploy v1.2.0 --yes
    git tag -d v1.0.0
    fails 1 "v1.0.0" rbtool verify --all
    rbtool revert v1.2.0 --yes
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
}

@test "output that cannot be written is an error, and the transition is completed" {
    [ -e /dev/full ] || skip "no /dev/full"
    two_releases
    run -2 bash -c 'rbtool deploy v1.1.0 --yes >/dev/full'
    [[ $output == *"the result could not be written"*"what was to be done is done"* ]]
    settled_at v1.1.0
    run -2 bash -c 'rbtool log --json >/dev/full'
}

@test "a transition without standard streams writes its output into no file" {
    two_releases
    run -0 bash -c 'rbtool deploy v1.1.0 --yes <&- >&- 2>&-'
    settled_at v1.1.0
    cmp <(git show v1.1.0:flags.json) "$PROD/etc/flags.json"
    run bash -c 'rbtool revert v1.1.0 --yes --accept-drift >&- 2>&-'
    settled_at v1.0.0
    [ -z "$(grep -rlE '^rbtool:|switch +done' "$PROD" .git)" ]
}

@test "a transition is completed and recorded when the reader of its output exits" {
    two_releases
    run bash -c 'rbtool deploy v1.1.0 --yes 2>&1 | true; exit "${PIPESTATUS[0]}"'
    [ "$status" -eq 0 ]
    settled_at v1.1.0
    [ "$(rbtool status --json | jq .unwritten)" = 0 ]
    run bash -c 'rbtool mark v1.1.0 bad -m slow 2>&1 | true; exit "${PIPESTATUS[0]}"'
    [ "$status" -eq 0 ]
    [ "$(rbtool status --json | jq -r .verdict)" = bad ]
    # What only reads ends there, and says nothing.
    run bash -c 'rbtool log 2>"$1" | true; cat "$1"' _ "$BATS_TEST_TMPDIR/said"
    [ -z "$output" ]
}

@test "deploying the live release again repairs it, and changes nothing if it is intact" {
    two_releases
    rbtool deploy v1.1.0 --yes
    before=$(picture)
    run rbtool deploy v1.1.0 --yes
    [[ $status -eq 0 && $output == *'nothing to do: v1.1.0 is live in prod already'* ]]
    echo spoiled >"$PROD/etc/flags.json"
    rm "$PROD/current"
    echo spoiled >"$PROD/releases/v1.1.0/app/src/shop"
    fails 5 'drifted in' rbtool deploy v1.1.0 --yes
    rbtool deploy v1.1.0 --yes --accept-drift
    [ "$(picture)" = "$before" ]
    settled_at v1.1.0
    # one part of it
    echo spoiled >"$PROD/etc/app.toml"
    run rbtool deploy v1.1.0 --only flags --yes
    [[ $status -eq 0 && $output == *'nothing to do'* ]]
    rbtool deploy v1.1.0 --only config --yes --accept-drift
    settled_at v1.1.0
    # The way back is the one it was.
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
}

@test "deploying the live release again retries a failed start or check" {
    two_releases
    settings '.environments.prod.checks = [{name: "up", command: ["test", "-e", "'"$BATS_TEST_TMPDIR"'/up"], timeout: 1}]'
    fails 1 'and unhealthy' rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    fails 1 'and unhealthy' rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [[ $(rbtool status) == *'checks      failed at'* ]]
    [[ $(rbtool list) != *'good: '* ]]
    touch "$BATS_TEST_TMPDIR/up"
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [[ $(rbtool status) == *'good: deployed in prod with every check passed'* ]]
    [[ $(rbtool status) != *'checks      failed at'* ]]
    run rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [[ $output == *'nothing to do'* ]]
    rbtool log --verify
}

@test "deploying the live release again does not change its verdict" {
    two_releases
    rbtool deploy v1.1.0 --yes
    rbtool mark v1.1.0 bad -m broken
    echo x >>"$PROD/etc/app.toml"
    fails 5 'v1.1.0 is bad' rbtool deploy v1.1.0 --yes --accept-drift
    [[ $(rbtool list | grep v1.1.0) == *bad* ]]
}

@test "files added to the live release's folder are backed up when it is repaired" {
    two_releases
    upload() {
        echo user >"$PROD/current/app/upload.txt"
        echo '# hot fix' >>"$PROD/current/app/src/shop"
        changed=$(cd "$PROD/current/" && find . -type f -exec sha256sum {} + | sort)
    }
    upload
    settings '.environments.prod.service = {stop: ["false"], start: ["true"]}'
    fails 1 "nothing was changed" rbtool --config "$SETTINGS" deploy v1.0.0 --yes --accept-drift
    [ "$(cd "$PROD/current/" && find . -type f -exec sha256sum {} + | sort)" = "$changed" ]
    killed_by start
    jq '.environments.prod.service.stop = ["'"$BATS_TEST_TMPDIR/assassin"'"]' "$BATS_TEST_TMPDIR/killing.json" >"$SETTINGS"
    run rbtool --config "$SETTINGS" deploy v1.0.0 --yes --accept-drift
    [ "$status" -eq 137 ]
    rbtool abort --yes
    [ "$(cd "$PROD/current/" && find . -type f -exec sha256sum {} + | sort)" = "$changed" ]
    rbtool deploy v1.0.0 --yes --accept-drift --json >"$BATS_TEST_TMPDIR/document"
    copy=$(jq -r '.kept[] | select(.path == "releases/v1.0.0") | .copy' "$BATS_TEST_TMPDIR/document")
    [ "$(cd "$copy" && find . -type f -exec sha256sum {} + | sort)" = "$changed" ]
    [ ! -e "$PROD/current/app/upload.txt" ]
    settled_at v1.0.0
    [ -z "$(find "$PROD/releases" -name '.old*')" ]
    # A folder that nobody changed is not kept.
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    [ "$(find "$PROD" -name upload.txt)" = "$copy/app/upload.txt" ]
    [ "$(find "$PROD/.rbtool/backups" -name app | wc -l)" = 2 ]
}

@test "plan exits as the run would: 0, 1 for a failing script, 5 for a decision" {
    two_releases
    rbtool deploy v1.1.0 --yes
    run -0 rbtool plan v1.1.0
    [[ $output == *"Plan: application, 1 migration, 1 flag, 1 config file; no data at risk; duration unknown"* ]]
    [ "${lines[-1]}" = "next: \`rbtool revert v1.1.0 --env prod --yes\`" ] # no terminal asks
    run -0 --separate-stderr rbtool plan v1.1.0 --json
    [ "$(jq -c '[.rehearsed, .next]' <<<"$output")" = '[true,"rbtool revert v1.1.0 --env prod --yes"]' ]
    # At risk: with its digest nothing is left to decide.
    sql 'UPDATE orders SET discount = id WHERE id <= 7'
    run -5 --separate-stderr rbtool plan v1.1.0
    [[ $output == *"; 7 values at risk; duration unknown"* ]]
    next=$(sed -n 's/^next: `\(.*\)`$/\1/p' <<<"$output")
    [[ $stderr == *"the plan loses data: orders.discount (7 values); it is backed up below $PROD/.rbtool/backups first"*"to agree to this plan: \`$next\`" ]]
    run -5 --separate-stderr rbtool revert v1.1.0 -n --json
    [ "$(jq -c '[.rehearsed, .summary != "", .next]' <<<"$output")" = "[true,true,\"$next\"]" ]
    schema plan <<<"$output"
    # shellcheck disable=SC2086 # it is a command line
    run -0 $next -n
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
    # A script fails on what is there.
    sql 'CREATE VIEW wide AS SELECT discount FROM orders'
    run -1 --separate-stderr rbtool revert v1.1.0 -n --accept-drift
    [[ $output == *$'\nfailures\n'* && $output != *$'\ndecisions\n'* && $output != *$'\nnext: '* ]]
    run -0 rbtool plan v1.1.0 --only app,flags
    sql 'DROP VIEW wide'
    # Drift.
    ln -sfn releases/v1.0.0 "$PROD/current"
    fails 5 "drifted in 1 place" rbtool deploy v1.1.0 -n
    fails 5 "drifted in 1 place" rbtool plan v1.1.0
}

@test "plan --deploy prints the document of deploy --dry-run, and writes nothing" {
    release v1.0.0
    run -0 --separate-stderr rbtool plan --deploy v1.0.0 --json
    schema plan <<<"$output"
    [[ $(jq -c '[.from, .to, .environment]' <<<"$output") == '[null,"v1.0.0","prod"]' && ! -e $PROD/.rbtool ]]
    [[ $output == "$(rbtool deploy v1.0.0 -n --json)" ]]
    rbtool deploy v1.0.0 --yes
    second
    rbtool release v1.1.0
    before=$(picture)
    run -0 --separate-stderr rbtool plan --deploy v1.1.0 --json
    [[ $output == "$(rbtool deploy v1.1.0 -n --json)" ]]
    run -0 --separate-stderr rbtool plan --deploy v1.1.0 --rehearse
    [[ $output == *"v1.0.0"*"v1.1.0"*"artifacts rebuilt and verified"* ]]
    run -0 --separate-stderr rbtool plan --deploy v1.0.0
    [[ $output$stderr == *"v1.0.0 is live in prod already"* ]]
    rbtool mark v1.1.0 bad -m slow
    fails 5 "release v1.1.0 is bad" rbtool plan --deploy v1.1.0
    fails 2 "--deploy and --to cannot be given together; see the deploy with \`rbtool plan --deploy v1.1.0\`" \
        rbtool plan --deploy v1.1.0 --to v1.0.0
    fails 2 "--deploy and the release to revert cannot" rbtool plan v1.0.0 --deploy v1.1.0
    [[ $(picture) == "$before" ]]
}
