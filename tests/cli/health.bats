# The environment's commands: checks, start and stop, and what is kept of what they print.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
    release v1.0.0
    second
    rbtool release v1.1.0
}

# program NAME TEXT: an executable of the host, outside of the repository.
program() {
    printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/$1"
    chmod +x "$BATS_TEST_TMPDIR/$1"
}

# prod FILTER: the settings of prod, changed.
prod() {
    jq --arg tmp "$BATS_TEST_TMPDIR" ".environments.prod |= (. + $1)" rbtool.json >new.json
    mv new.json rbtool.json
    [ ! -e "$PROD/.rbtool/state.db" ] || rbtool env trust --env prod --yes
}

@test "a check is repeated until it passes" {
    prod '{checks: [{name: "ready", command: ["sh", "-c", "echo x >>\($tmp)/runs; [ $(wc -l <\($tmp)/runs) -gt 2 ]"]}]}'
    rbtool deploy v1.0.0 --yes
    [ "$(wc -l <"$BATS_TEST_TMPDIR/runs")" = 3 ]
    [ "$(rbtool status --json | jq -r '.state, .health')" = "settled
healthy" ]
    rbtool status --exit-code | grep -q '^prod: v1.0.0, settled, healthy$'
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.0.0") | .verdict')" = good ]
}

@test "a check without retry runs once" {
    prod '{checks: [{name: "ready", command: ["sh", "-c", "echo x >>\($tmp)/runs; exit 1"], retry: false}]}'
    fails 1 'v1.0.0 is live in prod and unhealthy: check "ready" (sh) ended with status 1' rbtool deploy v1.0.0 --yes
    [ "$(wc -l <"$BATS_TEST_TMPDIR/runs")" = 1 ]
}

@test "a check must hold for stableFor seconds, and an attempt is bounded" {
    # The first attempt hangs, the next passes, the one after fails: from then on it holds.
    program ready "echo x >>$BATS_TEST_TMPDIR/runs
        case \$(wc -l <$BATS_TEST_TMPDIR/runs) in 1) sleep 60 ;; 3) exit 1 ;; esac"
    prod '{checks: [{name: "ready", command: ["\($tmp)/ready"], attempt: 1, stableFor: 1}]}'
    rbtool deploy v1.0.0 --yes
    [ "$(wc -l <"$BATS_TEST_TMPDIR/runs")" -ge 5 ]
    [ "$(rbtool status --json | jq -r .health)" = healthy ]
}

@test "a check that times out reports its last output" {
    program ready 'echo waiting for the pool; sleep 60'
    prod '{checks: [{name: "ready", command: ["\($tmp)/ready"], timeout: 1}]}'
    fails 1 'check "ready" got no answer within 1 s (last output: waiting for the pool)' rbtool deploy v1.0.0 --yes
    [[ $output == *'`rbtool check --env prod`'* ]]
}

@test "every line that a failing check prints is reported with control characters escaped" {
    program ready 'printf "first \033[31mred\nsesame\n\nlast\n"; exit 3'
    prod '{checks: [{name: "ready", command: ["\($tmp)/ready"], retry: false}]}'
    run -1 --separate-stderr rbtool deploy v1.0.0 --yes --json
    schema transition <<<"$output"
    [ "$(jq -r '.outcome, .failures[0].output' <<<"$output")" = 'unhealthy
first \x1b[31mred
sesame
last' ]
    run rbtool status
    [[ $output == *'| first \x1b[31mred'*'| sesame'*'| last'* ]]
    rbtool status --json | schema status
    [ "$(rbtool status --json | jq -r '.checks.failures[0].output | split("\n") | length')" = 3 ]
    # What a command prints stays on the host.
    run git log --format=%B refs/rbtool/ledger
    [[ $output != *sesame* ]]
}

@test "an environment without checks is unchecked, and its deploys give a release no verdict" {
    rbtool deploy v1.0.0 --yes
    [ "$(rbtool status --json | jq -r .health)" = unchecked ]
    rbtool status --exit-code
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.0.0") | .verdict')" = null ]
    run -0 rbtool check --json # the SQL checks are the release's
    schema check <<<"$output"
    [ "$(jq -c '[.health, .checks]' <<<"$output")" = '["healthy",[{"message":null,"name":"checks/totals.sql","output":null,"passed":true,"value":null}]]' ]
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.0.0") | .verdict')" = null ]
}

@test "a service that does not start is reported as down, and deploying the release again starts it" {
    program start "[ -e $BATS_TEST_TMPDIR/free ] && exec touch $BATS_TEST_TMPDIR/started
        echo first: port 18080 is in use >&2; echo second >&2; exit 7"
    rbtool deploy v1.0.0 --yes
    prod '{service: {stop: ["touch", "\($tmp)/stopped"], start: ["\($tmp)/start"]}, checks: [{name: "up", command: ["test", "-e", "\($tmp)/started"], timeout: 30}]}'
    run -1 --separate-stderr rbtool deploy v1.1.0 --yes --json
    schema transition <<<"$output"
    [ "$(jq -r '.outcome, (.steps[] | select(.id == "start") | .output)' <<<"$output")" = 'down
first: port 18080 is in use
second' ]
    [[ $stderr == *'v1.1.0 is live in prod and the service is DOWN: starting the service'*'`rbtool revert v1.1.0 --env prod --yes`'* ]]
    run -1 rbtool status --exit-code
    [ "${lines[0]}" = 'prod: v1.1.0, DOWN' ]
    [[ $output == *'| first: port 18080 is in use'* ]]
    [[ $output == *'next        start the service again with `rbtool deploy v1.1.0 --env prod --yes`, or go back with `rbtool revert v1.1.0 --env prod --yes`'* ]]
    fails 1 'start the service again with `rbtool deploy v1.1.0 --env prod --yes`' rbtool check
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.1.0") | .verdict')" = null ]
    rm "$BATS_TEST_TMPDIR/stopped"
    touch "$BATS_TEST_TMPDIR/free"
    rbtool deploy v1.1.0 --yes
    [ ! -e "$BATS_TEST_TMPDIR/stopped" ]
    rbtool status --exit-code | grep -q '^prod: v1.1.0, settled, healthy$'
}

@test "deploying a release again does not restart the service when only checks had failed" {
    prod '{service: {stop: ["touch", "\($tmp)/stopped"], start: ["touch", "\($tmp)/started"]}, checks: [{name: "up", command: ["test", "-e", "\($tmp)/up"], timeout: 1}]}'
    fails 1 'and unhealthy' rbtool deploy v1.0.0 --yes
    rm "$BATS_TEST_TMPDIR/started" "$BATS_TEST_TMPDIR/stopped"
    touch "$BATS_TEST_TMPDIR/up"
    run -0 --separate-stderr rbtool deploy v1.0.0 --yes --json
    [ "$(jq -r '.outcome, .steps[].id' <<<"$output")" = 'done
checks' ]
    [ ! -e "$BATS_TEST_TMPDIR/started" ] && [ ! -e "$BATS_TEST_TMPDIR/stopped" ]
}

@test "deploying a release again makes it known-good when its checks pass now" {
    prod '{checks: [{name: "up", command: ["test", "-e", "\($tmp)/up"], timeout: 1}]}'
    fails 1 'and unhealthy' rbtool deploy v1.0.0 --yes
    touch "$BATS_TEST_TMPDIR/up"
    run -0 --separate-stderr rbtool check
    [[ $stderr == *'record that it is well now with `rbtool deploy v1.0.0 --env prod --yes`'* ]]
    run -0 --separate-stderr rbtool deploy v1.0.0 --env prod --yes --json
    [ "$(jq -r '.outcome, .steps[].id' <<<"$output")" = 'done
checks' ]
    run -0 --separate-stderr rbtool check
    [ -z "$stderr" ]
    [[ $(rbtool deploy v1.0.0 --env prod --yes) == *'nothing to do'* ]]
    echo drift >>"$PROD/current/app/VERSION"
    [[ $(rbtool deploy v1.0.0 --yes --accept-drift) == *'done: prod is at v1.0.0 (was v1.0.0), in '* ]]
    rbtool deploy v1.1.0 --yes
    rbtool plan v1.1.0 | grep -q '^revert prod: FROM v1.1.0 TO v1.0.0$'
}

@test "a revert from a release whose service is down marks it bad" {
    prod '{service: {start: ["true"]}}'
    rbtool deploy v1.0.0 --yes
    prod '{service: {start: ["false"]}}'
    fails 1 'service is DOWN' rbtool deploy v1.1.0 --yes
    prod '{service: {start: ["true"]}}'
    rbtool revert v1.1.0 --yes
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.1.0") | .verdict')" = bad ]
    [ "$(rbtool status --json | jq -c '[.release, .down]')" = '["v1.0.0",false]' ]
}

@test "check runs the checks now, and status shows the result" {
    prod '{checks: [{name: "up", command: ["test", "!", "-e", "\($tmp)/broken"], timeout: 1}]}'
    rbtool deploy v1.0.0 --yes
    touch "$BATS_TEST_TMPDIR/broken"
    rbtool status --exit-code
    run -1 --separate-stderr rbtool check --json
    schema check <<<"$(head -n 1 <<<"$output")"
    [ "$(head -n 1 <<<"$output" | jq -c '[.health, .stored, .checks[0].passed]')" = '["unhealthy",true,false]' ]
    fails 1 '1 of 2 checks of prod failed; fix forward with a new release (`rbtool release TAG`, then `rbtool deploy TAG --env prod --yes`)' rbtool check
    fails 1 'prod: v1.0.0, unhealthy' rbtool status --exit-code
    rm "$BATS_TEST_TMPDIR/broken"
    rbtool check | grep -q '^prod: v1.0.0, healthy$'
    rbtool status --exit-code
}

@test "check runs the SQL checks of the live release too" {
    prod '{checks: []}'
    rbtool deploy v1.0.0 --yes
    sql 'INSERT INTO orders (id, total) VALUES (31, -1)'
    fails 1 '1 of 1 checks of prod failed' rbtool check
    [[ $output == *'check checks/totals.sql found rows'* ]]
    [ "$(rbtool status --json | jq -r .health)" = unhealthy ]
    sql 'DELETE FROM orders WHERE id = 31'
    rbtool check | grep -qx 'passed  check "checks/totals.sql"'
    rbtool status --exit-code
    mv "$PROD/data/shop.db" "$PROD/data/away.db"
    fails 1 'database main: ' rbtool check
    [[ $output != *passed* ]] # it did not run
}

@test "a check with \"after\" runs only at the end of such a transition" {
    prod '{checks: [{name: "partner", after: "deploy", command: ["sh", "-c", "echo deployed >>\($tmp)/ran"]}, {name: "partner-back", after: "revert", command: ["sh", "-c", "echo reverted >>\($tmp)/ran"]}]}'
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool check
    rbtool revert v1.1.0 --yes
    [ "$(cat "$BATS_TEST_TMPDIR/ran")" = 'deployed
deployed
reverted' ]
}

@test "where all checks are for the end of other transitions, none has passed" {
    prod '{checks: [{name: "partner-back", after: "revert", command: ["true"]}]}'
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    [ "$(rbtool status --json | jq -r '.health, .verdict')" = 'unchecked
null' ]
    jq 'del(.checks)' rbtool.json >x && mv x rbtool.json
    git commit -qam 'shop: without SQL checks'
    release v1.2.0
    rbtool deploy v1.2.0 --yes
    rbtool check | grep -qx 'prod: v1.2.0, unchecked: its checks run only after a transition'
    rbtool deploy v1.1.0 --yes
    rbtool plan v1.1.0 | grep -q 'checks    run 1 check$'
    rbtool plan --deploy v1.0.0 --json | jq -e '[.steps[] | .id] | index("checks") == null'
    rbtool revert v1.1.0 --yes
    [ "$(rbtool status --json | jq -r .health)" = healthy ]
}

@test "check reports a running transition and records nothing" {
    rbtool deploy v1.0.0 --yes
    prod '{service: {stop: ["sh", "-c", "touch \($tmp)/stopping; until [ -e \($tmp)/go ]; do sleep 0.05; done"]}, checks: [{name: "up", command: ["true"]}]}'
    rbtool deploy v1.1.0 --yes &
    until [ -e "$BATS_TEST_TMPDIR/stopping" ]; do sleep 0.05; done
    run -0 --separate-stderr rbtool check --json
    [[ $stderr == *'another run holds the environment'* ]]
    [ "$(jq -r .stored <<<"$output")" = false ]
    run rbtool status
    [[ $output == *'service     DOWN'* ]]
    [ "$(rbtool status --json | jq -r .down)" = true ]
    touch "$BATS_TEST_TMPDIR/go"
    wait $!
    [ "$(rbtool status --json | jq -r .health)" = healthy ]
}

@test "a signal ends a hanging stop, start or check together with its child processes" {
    rbtool deploy v1.0.0 --yes
    program hang "echo \$\$ >$BATS_TEST_TMPDIR/pid; sleep 300 & wait"
    for part in stop start check; do
        prod '{service: {stop: ["true"], start: ["true"]}, checks: []}'
        [ $part = check ] || prod "{service: {stop: [\"true\"], start: [\"true\"], $part: [\"$BATS_TEST_TMPDIR/hang\"]}}"
        [ $part != check ] || prod "{checks: [{name: \"up\", command: [\"$BATS_TEST_TMPDIR/hang\"], timeout: 300, attempt: 300}]}"
        rm -f "$BATS_TEST_TMPDIR/pid"
        rbtool deploy v1.1.0 --yes >"$BATS_TEST_TMPDIR/out" 2>&1 &
        local pid=$! code=0
        until [ -s "$BATS_TEST_TMPDIR/pid" ]; do sleep 0.05; done
        kill -TERM $pid
        wait $pid || code=$?
        [ -z "$(ps -o pid= -g "$(cat "$BATS_TEST_TMPDIR/pid")")" ]
        if [ $part = stop ]; then
            [ $code = 1 ]
            grep -q 'nothing was changed, prod stays at v1.0.0' "$BATS_TEST_TMPDIR/out"
            settled_at v1.0.0
        else
            [ $code = 3 ]
            prod '{service: {stop: ["true"], start: ["true"]}, checks: []}'
            [[ $(rbtool status | head -n 1) == "prod: v1.1.0, not finished: deploy from v1.0.0 stopped in step $part"* ]] ||
                [ $part = check ]
            rbtool abort --yes
            settled_at v1.0.0
        fi
    done
}

@test "a daemon that keeps the output of start open does not block the transition" {
    program start "sleep 60 & echo \$! >$BATS_TEST_TMPDIR/pid"
    prod '{service: {start: ["\($tmp)/start"]}}'
    rbtool deploy v1.0.0 --yes
    kill "$(cat "$BATS_TEST_TMPDIR/pid")" # it still ran
    settled_at v1.0.0
}

@test "the first deploy skips a stop command that only the release provides, and the plan reports it" {
    prod '{service: {stop: ["\($tmp)/prod/current/app/src/shop", "stop"], start: ["\($tmp)/prod/current/app/src/shop", "start"]}}'
    run -0 rbtool deploy v1.0.0 --dry-run
    [[ $output == *"its program $BATS_TEST_TMPDIR/prod/current/app/src/shop does not exist yet"* ]]
    rbtool deploy v1.0.0 --yes
    settled_at v1.0.0
    run rbtool deploy v1.1.0 --dry-run
    [[ $output == *"stop the service: $BATS_TEST_TMPDIR/prod/current/app/src/shop stop"* ]]
}

@test "a missing start program is reported before the service is stopped" {
    rbtool deploy v1.0.0 --yes
    prod '{service: {stop: ["touch", "\($tmp)/stopped"], start: ["/no/such/program"]}}'
    fails 2 'the program /no/such/program cannot be executed' rbtool deploy v1.1.0 --yes
    prod '{service: {stop: ["touch", "\($tmp)/stopped"], start: ["\($tmp)/prod/current/app/no"]}}'
    fails 1 'releases/v1.1.0/app/no cannot be executed' rbtool deploy v1.1.0 --yes
    [ ! -e "$BATS_TEST_TMPDIR/stopped" ]
    settled_at v1.0.0
}

@test "status without --env lists all environments" {
    rbtool deploy v1.0.0 --yes
    jq --arg r "$BATS_TEST_TMPDIR/staging" '.environments.staging = {root: $r, databases: {main: "sqlite:\($r)/data/shop.db"}}
        | .environments.other = {root: "\($r)2", databases: {main: "$NOT_SET"}}' rbtool.json >new.json && mv new.json rbtool.json
    run -0 --separate-stderr rbtool status
    [[ ${lines[0]} == ENVIRONMENT* && ${lines[2]} == *prod*v1.0.0*'settled, unchecked'*Alice* ]]
    [[ $output == *other* && $output == *staging* ]]
    rbtool status --json | schema status
    [ "$(rbtool status --json | jq -c '[.environments[] | [.environment, .release]]')" = '[["other",null],["prod","v1.0.0"],["staging",null]]' ]
    fails 1 '' rbtool status --exit-code
    [ "$(RBTOOL_ENV=prod rbtool status --json | jq -r .environment)" = prod ]
}

@test "status reports who deployed and when, in UTC" {
    rbtool deploy v1.0.0 --yes
    run -0 rbtool status
    [[ $output =~ since\ +20[0-9-]+\ [0-9:]+\ UTC,\ by\ Alice ]]
    [[ $(rbtool status --json | jq -r '.since + " " + .by') == 20*Z\ Alice* ]]
}

@test "status continues when one part cannot be read" {
    rbtool deploy v1.0.0 --yes
    rm "$PROD/etc/flags.json" && mkdir "$PROD/etc/flags.json"
    run -1 rbtool status --exit-code
    [[ ${lines[0]} == 'prod: v1.0.0,'* && $output == *'unreadable  flags: cannot read '*'not a regular file'* ]]
    rbtool status --json | schema status
    rmdir "$PROD/etc/flags.json" && git show v1.0.0:flags.json >"$PROD/etc/flags.json"
    head -c 4096 /dev/urandom >"$PROD/data/shop.db"
    run -1 rbtool status --exit-code
    [[ ${lines[0]} == 'prod: v1.0.0,'* && $output == *'main'* ]]
}

@test "status names the target of a committed transition first, without drift or verdict" {
    prod '{checks: [{name: "up", command: ["true"]}]}'
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" revert v1.1.0 --yes
    run -3 rbtool status --exit-code
    [[ ${lines[0]} == 'prod: v1.0.0, not finished: revert from v1.1.0 stopped in step start; database and files are at v1.0.0. Finish: `rbtool resume --env prod --yes`. Undo: `rbtool abort --env prod --yes`' ]]
    [[ $output != *drift* && $output != *good* ]]
    rbtool status --json | schema status
}

@test "status names what is on the host after an abort that was killed before its commit" {
    rbtool deploy v1.0.0 --yes
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    rm "$BATS_TEST_TMPDIR/killed"
    killed_by stop
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" abort --yes
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
    run -3 rbtool status --exit-code
    [[ ${lines[0]} == 'prod: v1.1.0, not finished: the abort that goes back to v1.0.0 stopped in step stop, before its commit. Finish: `rbtool resume --env prod --yes`. Undo: `rbtool abort --env prod --yes`' ]]
    [[ $output != *drift* && $output != *since* ]]
    rbtool status --json | schema status
    [ "$(rbtool status --json | jq -c '[.release, .state, .since, .drift, .parts[0].release]')" = \
        '["v1.1.0","interrupted",null,[],"v1.1.0"]' ]
    rbtool abort --yes
    settled_at v1.0.0
}

@test "status in a repository without settings prints a hint to run init" {
    rm rbtool.json
    fails 2 'run `rbtool init`' rbtool status
}

@test "a flag file that is too large for the disk is found before the database is committed" {
    rbtool deploy v1.0.0 --yes
    # A limit on the size of a file stands for a full disk.
    python3 -c 'import json
f = {"f%d" % i: {"state": "ENABLED", "variants": {"on": "x" * 60000}, "defaultVariant": "on"} for i in range(15)}
json.dump({"flags": f}, open("flags.json", "w"))'
    printf 'CREATE TABLE big (a);\n' >migrations/0003_big.up.sql
    printf 'DROP TABLE big;\n' >migrations/0003_big.down.sql
    release v1.2.0
    (
        trap '' XFSZ
        ulimit -f 700
        fails 2 "nothing was changed, prod stays at v1.0.0" rbtool deploy v1.2.0 --yes
    )
    settled_at v1.0.0
    [ -z "$(find "$PROD/etc" -name '*.rbtool')" ]
    rbtool deploy v1.2.0 --yes
    [ -z "$(find "$PROD/etc" -name '*.rbtool')" ]
    cmp flags.json "$PROD/etc/flags.json"
}

@test "plan estimates its duration and the downtime from earlier transitions" {
    prod '{service: {stop: ["sh", "-c", "exec sleep 0.3"], start: ["true"]}}'
    run -0 rbtool deploy v1.0.0 --dry-run
    [[ $output == *'the service is down from step 2 (stop) to step 8 (start); how long is not known yet: no deploy is recorded here'* ]]
    rbtool deploy v1.0.0 --yes
    run -0 rbtool deploy v1.1.0 --dry-run
    [[ $output =~ about\ [0-9.]+\ s\ in\ all\;\ the\ service\ is\ down\ from\ step\ 2\ \(stop\)\ to\ step\ 8\ \(start\),\ about\ [0-9.]+\ s\ \(as\ in\ the\ last\ deploy\) ]]
    rbtool deploy v1.1.0 --yes
    rbtool plan v1.1.0 --json | schema plan
    rbtool deploy v1.1.0 --dry-run --json | jq -e '.outcome == "nothing"'
}

# value COMMAND SETTINGS: prod has a check `latency` that prints what is in the file value.
value() {
    prod "{checks: [{name: \"latency\", command: [\"sh\", \"-c\", \"echo measured; echo value=\$(cat \(\$tmp)/value)\"], retry: false} + $1]}"
}

@test "the value of a check is sampled before and after a transition, recorded, and shown" {
    value '{}'
    echo 120.5 >"$BATS_TEST_TMPDIR/value"
    rbtool deploy v1.0.0 --yes
    echo 80 >"$BATS_TEST_TMPDIR/value"
    rbtool deploy v1.1.0 --yes
    run -0 rbtool log --json --kind transition
    [ "$(jq -c '.entry.transition.values' <<<"$output")" = '[{"after":"80","before":"80","name":"latency"}]
[{"after":"120.5","before":null,"name":"latency"}]' ]
    rbtool status | grep -qx 'value       latency: 80'
    rbtool status --json | schema status
    [ "$(rbtool status --json | jq -c .checks.values)" = '[{"name":"latency","value":80}]' ]
    echo 1e-3 >"$BATS_TEST_TMPDIR/value"
    rbtool check | grep -q 'passed.*check "latency", value 0.001'
    rbtool check --json | schema check
    [ "$(rbtool check --json | jq .checks[0].value)" = 0.001 ]
    rbtool metrics | grep -qx 'rbtool_check_value{environment="prod",check="latency"} 0.001'
}

@test "a value beyond a threshold, and none, is a failed check that names both" {
    value '{max: 100, min: 0.5}'
    echo 100 >"$BATS_TEST_TMPDIR/value"
    rbtool deploy v1.0.0 --yes
    echo 100.5 >"$BATS_TEST_TMPDIR/value"
    fails 1 'check "latency": value 100.5 is above its max, 100' rbtool deploy v1.1.0 --yes
    [ "$(rbtool log --json --kind transition | jq -r '.entry.transition | .outcome, .error' | head -2)" = 'unhealthy
check "latency": value 100.5 is above its max, 100' ]
    echo 0.4 >"$BATS_TEST_TMPDIR/value"
    run -1 rbtool check
    [[ $output == *'check "latency": value 0.4 is below its min, 0.5'* ]]
    for none in NaN '' 1x inf; do
        echo "$none" >"$BATS_TEST_TMPDIR/value"
        run -1 rbtool check
        [[ $output == *'check "latency" has thresholds, and did not print a line value=NUMBER'* ]]
    done
}

@test "maxChange is relative to the value before the transition" {
    value '{maxChange: 0.2}'
    echo 100 >"$BATS_TEST_TMPDIR/value"
    rbtool deploy v1.0.0 --yes
    prod '{service: {start: ["sh", "-c", "cp \($tmp)/next \($tmp)/value"]}}'
    echo 120 >"$BATS_TEST_TMPDIR/next"
    rbtool deploy v1.1.0 --yes
    echo 150 >"$BATS_TEST_TMPDIR/next"
    fails 1 'check "latency": value 150 was 120 before the transition, a change of more than its maxChange, 0.2' \
        rbtool revert v1.1.0 --yes
    # Outside of a transition nothing is known to compare with.
    rbtool check
}
