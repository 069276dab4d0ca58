# `rbtool drill`: a revert for practice, on copies of everything that it touches.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
    jq --arg log "$BATS_TEST_TMPDIR/ran" '.environments.prod +=
        {service: {stop: ["touch", $log], start: ["touch", $log]},
         checks: [{name: "ready", command: ["touch", $log]}],
         objectives: {rto: 300, rpo: 3600}}' rbtool.json >new.json && mv new.json rbtool.json
    two_releases >log 2>&1
    rbtool deploy v1.1.0 --yes >log 2>&1
    sql 'UPDATE orders SET discount = id'
    rm "$BATS_TEST_TMPDIR/ran"
    export TMPDIR=$BATS_TEST_TMPDIR/tmp
    mkdir "$TMPDIR"
}

# Every file of the environment, but for what SQLite keeps beside a database that is read.
production() {
    (cd "$PROD" && find . -type f ! -name '*-wal' ! -name '*-shm' ! -path ./.rbtool/lock \
        -exec sha256sum {} + | sort -k2
    readlink current)
}

@test "drill reverts on copies, measures it, and leaves the environment as it was" {
    before=$(production)
    rbtool drill --json >doc
    schema drill <doc
    [ "$(jq -c '[.from, .to, .ok, .outcome, .live, .drift]' doc)" = \
        '["v1.1.0","v1.0.0",true,"done","v1.0.0",[]]' ]
    [ "$(jq -c '[.dataAtRisk[] | [.table, .column, .values]]' doc)" = '[["orders","discount",10]]' ]
    [ "$(jq -c '.objectives.rto | [.objective, .met]' doc)" = '[300,true]' ]
    # Ten values are at risk, entered since v1.1.0 went live.
    [ "$(jq -c '.objectives.rpo | [.objective, .met, .measured < 3600]' doc)" = '[3600,true,true]' ]
    [ "$(jq -c '[.steps[] | .id]' doc)" = \
        '["stage","flags","database","switch","config","commit"]' ]
    [ "$(jq '.notTried | length' doc)" -eq 3 ]
    [ "$(production)" = "$before" ]
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
    [ -z "$(ls "$TMPDIR")" ]
    settled_at v1.1.0
    sql 'UPDATE orders SET discount = NULL'
    [ "$(rbtool drill --json | jq -c '.objectives.rpo | [.objective, .met, .measured]')" = '[3600,true,0]' ]
}

@test "a drill copies what only the write-ahead log of a database has" {
    mkfifo go
    { echo "PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0; UPDATE orders SET discount = NULL WHERE id <= 3;"
        cat go; } | sqlite3 "$PROD/data/shop.db" >log &
    wait_for test -s "$PROD/data/shop.db-wal"
    rbtool drill --json >doc
    echo .exit >go
    wait
    [ "$(jq -c '[.ok, (.dataAtRisk[] | .values)]' doc)" = '[true,7]' ]
    [ "$(sql 'SELECT count(discount) FROM orders')" -eq 7 ]
}

@test "a drill is in the ledger and verifies there" {
    rbtool drill
    rbtool log --kind drill --json >entries
    [ "$(jq -c '.entry | [.kind, .tag, .environment, .drill.ok, .drill.outcome]' entries)" = \
        '["drill","v1.1.0","prod",true,"done"]' ]
    rbtool log --verify
}

@test "drill --fail-at: the inverses run before the commit, and resume completes after it" {
    for step in database switch; do
        rbtool drill --fail-at "$step" --json >doc
        [ "$(jq -c '[.ok, .outcome, .live]' doc)" = '[true,"failed","v1.1.0"]' ]
    done
    rbtool drill --fail-at config --to v1.0.0
}

@test "drill --kill-at: resume reaches the target, --undo goes back to the source" {
    before=$(production)
    for step in flags database commit config; do
        rbtool drill --kill-at "$step" --json >doc
        [ "$(jq -c '[.ok, .then, .live]' doc)" = '[true,"resume","v1.0.0"]' ]
    done
    rbtool drill --kill-at switch --undo --json >doc
    [ "$(jq -c '[.ok, .then, .outcome, .live]' doc)" = '[true,"abort","aborted","v1.1.0"]' ]
    rbtool drill --kill-at commit --undo --json >doc
    [ "$(jq -c '[.ok, .then, .outcome, .live]' doc)" = '[true,"abort","done","v1.1.0"]' ]
    [ "$(production)" = "$before" ]
}

@test "a step that the transition does not have is named, with those that it has" {
    fails 2 "'nope' is not a step of a transition; the steps are stage" rbtool drill --fail-at nope
    # Nothing is copied first.
    mkdir "$BATS_TEST_TMPDIR/empty"
    TMPDIR=$BATS_TEST_TMPDIR/empty fails 2 'a drill of prod has no step start: it moves what the environment names, and runs none of its commands' rbtool drill --kill-at start
    [[ $output == *'`rbtool drill --env prod --kill-at STEP` with one of: stage, flags, database, '* ]]
    [ -z "$(ls "$BATS_TEST_TMPDIR/empty")" ]
    jq '.environments.prod |= del(.config)' rbtool.json >c.json
    fails 2 'has no step config' rbtool --config c.json drill --fail-at config
}

@test "what a drill leaves that was killed is removed by the next one, and hurts nothing" {
    before=$(production)
    cat >"$BATS_TEST_TMPDIR/cp" <<SH
#!/bin/sh
[ -e "$BATS_TEST_TMPDIR/killed" ] && exec /bin/cp "\$@"
touch "$BATS_TEST_TMPDIR/killed"
/bin/cp "\$@"
kill -9 \$PPID
sleep 1
SH
    chmod +x "$BATS_TEST_TMPDIR/cp"
    PATH=$BATS_TEST_TMPDIR:$PATH run -137 rbtool drill
    [ -n "$(ls "$TMPDIR"/rbtool-drill-*/root)" ]
    [ "$(production)" = "$before" ]
    rbtool drill
    [ -z "$(ls "$TMPDIR")" ]
    [ "$(production)" = "$before" ]
    settled_at v1.1.0
}

@test "drill --from takes the rows of an anonymised database" {
    sqlite3 "$PROD/data/shop.db" ".backup '$BATS_TEST_TMPDIR/anonymous.db'"
    sqlite3 "$BATS_TEST_TMPDIR/anonymous.db" 'DELETE FROM orders WHERE id > 3'
    rbtool drill --from "$BATS_TEST_TMPDIR/anonymous.db" --json >doc
    [ "$(jq -c '[.ok, .dataAtRisk[0].values]' doc)" = '[true,3]' ]
    rbtool drill --from "main=$BATS_TEST_TMPDIR/anonymous.db" --json >doc
    [ "$(jq -c '[.ok, .dataAtRisk[0].values]' doc)" = '[true,3]' ]
    fails 2 '--from names no database of prod, or one twice' rbtool drill --from other=x.db
    fails 2 'the file nowhere.dump of --from cannot be read: No such file or directory; see what' rbtool drill --from nowhere.dump
}

@test "a drill lists as not tried only the checks that the transition would run at its end" {
    jq '.environments.prod.checks += [{name: "up", command: ["true"], after: "deploy"},
        {name: "back", command: ["true"], after: "revert"}]' rbtool.json >"$BATS_TEST_TMPDIR/after.json"
    listed() {
        rbtool --config "$BATS_TEST_TMPDIR/after.json" drill --json "$@" | jq -c '[.notTried[] | select(startswith("check")) | split(":")[0]]'
    }
    [ "$(listed)" = '["check ready","check back"]' ]
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)" >log 2>&1
    [ "$(listed --backup)" = '["check ready","check up"]' ]
}

@test "a drill says that the objective is missed, and that a script fails" {
    jq '.environments.prod.objectives.rto = 0' rbtool.json >"$BATS_TEST_TMPDIR/fast.json"
    run -1 --separate-stderr rbtool --config "$BATS_TEST_TMPDIR/fast.json" drill --json
    [ "$(jq -c '[.ok, .objectives.rto.met]' <<<"$output")" = '[false,false]' ]
    [[ $stderr == *'the objective (objectives.rto) is 0 s'* ]]
    jq '.environments.prod.objectives.rpo = 0' rbtool.json >"$BATS_TEST_TMPDIR/safe.json"
    run -1 --separate-stderr rbtool --config "$BATS_TEST_TMPDIR/safe.json" drill --json
    [ "$(jq -c '[.ok, .outcome, .objectives.rpo.met]' <<<"$output")" = '[false,"done",false]' ]
    [[ $stderr == *'what is lost was entered within '*' s, and the objective (objectives.rpo) is 0 s'* ]]
    [ "$(jq -c .needs <<<"$output")" = '["consent to the data at risk (--accept-data-loss)"]' ]
    sql 'UPDATE orders SET discount = NULL'
    rbtool --config "$BATS_TEST_TMPDIR/safe.json" drill # nothing is at risk
    sql 'UPDATE orders SET discount = id'
    sql 'CREATE VIEW v AS SELECT discount FROM orders'
    run rbtool drill
    [ "$status" -ne 0 ]
    [ "$status" -ne 3 ]
}

@test "drill --backup restores the newest backup on copies and compares what comes back" {
    fails 2 'prod has no backup to restore' rbtool drill --backup
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)" >log 2>&1
    before=$(production)
    rbtool drill --backup --json >doc
    schema drill <doc
    [ "$(jq -c '[.mode, .ok, .live, (.putBack[] | [.table, .column, .restored])]' doc)" = \
        '["backup",true,"v1.1.0",["orders","discount",10]]' ]
    [ "$(rbtool log --kind drill --json | jq -c '.entry.drill | [.mode, .ok, .kind]')" = '["backup",true,"deploy"]' ]
    # A run that was undone brings nothing back, and one that was killed at its commit says what did.
    [ "$(rbtool drill --backup --fail-at switch --json | jq -c '[.ok, .live]')" = '[true,"v1.0.0"]' ]
    [ "$(rbtool drill --backup --kill-at commit --undo --json | jq -c '[.ok, .live]')" = '[true,"v1.0.0"]' ]
    [ "$(rbtool drill --backup --kill-at commit --json | jq -c '[.ok, .live, .putBack[0].restored]')" = '[true,"v1.1.0",10]' ]
    sql 'DELETE FROM orders WHERE id = 1'
    run -1 --separate-stderr rbtool drill --backup --json
    [ "$(jq -r .problem <<<"$output")" = "9 of 10 values of orders.discount in backup $(ls "$PROD/.rbtool/backups") came back" ]
    settled_at v1.0.0
}

@test "drill --tabletop walks through the runbook, and records answers and times" {
    before=$(production)
    printf '%s\n' 'Ann decides' 'the check is red' 'flags first' 'on db1' 'the commit' 'support' 'status' 'Ann, today' y >answers.txt
    rbtool drill --tabletop --answers answers.txt --json >doc 2>asked
    schema drill <doc
    [ "$(jq -c '[.mode, .ok, .from, .to, (.answers | length)]' doc)" = '["tabletop",true,"v1.1.0","v1.0.0",8]' ]
    [ "$(jq -c '[.answers[] | .section] | [.[0], .[2], .[7]]' doc)" = '["People","Decision","Afterwards"]' ]
    [ "$(jq -r '.answers[2].answer' doc)" = 'flags first' ]
    grep -q '^Which way back do you take, and why? flags first' asked
    [ "$(production)" = "$before" ]
    rbtool log --kind drill --json | tee >(schema log) | jq -e '.entry.drill | .mode == "tabletop" and (.answers | length) == 8'
    rbtool log --verify
    rbtool status --json | jq -e '.lastDrill == null' # nothing was tried
    rbtool report --json | jq -e '(.drills | length) == 1 and (.controls[] | select(.command == "rbtool log --kind drill") |
        .evidence == "0 reverts, 0 drills, 0 of them without a problem" and .ok == false)'
    sed -i '$s/y/n/' answers.txt
    fails 1 'is not clear enough' rbtool drill --tabletop --answers answers.txt
    sed -i 4,9d answers.txt
    fails 1 'no answer to "Execution"' rbtool drill --tabletop --answers answers.txt
    [ "$(rbtool log --kind drill --json | wc -l)" -eq 2 ]
    fails 2 'standard input is not a terminal' rbtool drill --tabletop </dev/null
    # At a terminal the person is asked.
    for answer in 1 2 3 4 5 6 7 8 y; do echo $answer; done |
        script -qec 'rbtool drill --tabletop' /dev/null >typed
    grep -q 'Who informs the users, and how?' typed
    grep -q 'the runbook of the revert of v1.1.0 to v1.0.0 is clear' typed
}
