# A release that is watched after its deploy: it passes, goes back by itself, or holds.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
    two_releases
}

# watched WATCH [FILTER]: the settings of prod, with a check that fails while $BATS_TEST_TMPDIR/broken
# names the release that is live. A hold that no test ends is over after a minute.
watched() {
    cat >"$BATS_TEST_TMPDIR/up" <<END
echo x >>'$BATS_TEST_TMPDIR/runs'
if grep -sqx "\$(basename "\$(readlink '$PROD/current')")" '$BATS_TEST_TMPDIR/broken'; then exit 1; fi
END
    jq --arg tmp "$BATS_TEST_TMPDIR" ".environments.prod |= (. + {
        checks: [{name: \"up\", command: [\"sh\", \"\(\$tmp)/up\"], retry: false}],
        watch: ({escalateAfter: 60} + $1)} + ${2:-{\}})" rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
}

# deploys DURATION: watches a deploy of v1.1.0 in the background, and waits until it is live.
deploys() {
    env --default-signal=INT rbtool deploy v1.1.0 --yes --watch "$1" --json >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" &
    PID=$!
    wait_for grep -q ^watching "$BATS_TEST_TMPDIR/err"
}

# ends CODE: waits for the deploy in the background.
ends() {
    local code=0
    wait $PID || code=$?
    [ $code = "$1" ] || {
        cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
        return 1
    }
    schema transition <"$BATS_TEST_TMPDIR/out"
}

# of_watch FILTER: of the watch in the document.
of_watch() {
    jq -r ".watch | $1" "$BATS_TEST_TMPDIR/out"
}

# break_it [RELEASE...]: these fail from now on; both releases when none is given.
break_it() {
    printf '%s\n' "${@:-v1.0.0}" "${@:-v1.1.0}" >"$BATS_TEST_TMPDIR/new"
    mv "$BATS_TEST_TMPDIR/new" "$BATS_TEST_TMPDIR/broken"
}

@test "a watch passes at its deadline" {
    watched '{interval: 0.1}'
    deploys 1s
    ends 0
    settled_at v1.1.0
    [ "$(of_watch '.outcome, .failed, .message')" = 'passed
0
null' ]
    rbtool log --json --kind watch | jq -e '.entry.watch.outcome == "passed" and .entry.watch.rounds > 0'
    rbtool status | grep -q '^watch       v1.1.0, passed: '
}

@test "the values of checks in a watch are recorded, and one beyond maxChange makes it act" {
    watched '{interval: 0.05, failures: 2, onFailure: "revert"}' \
        '{checks: [{name: "rows", command: ["cat", "\($tmp)/rows"], retry: false, maxChange: 0.1}]}'
    echo value=1000 >"$BATS_TEST_TMPDIR/rows"
    deploys 1m
    sleep 0.5
    echo value=890.5 >"$BATS_TEST_TMPDIR/new"
    mv "$BATS_TEST_TMPDIR/new" "$BATS_TEST_TMPDIR/rows"
    ends 1
    settled_at v1.0.0
    grep -q 'check "rows": value 890.5 was 1000 before the transition, a change of more than its maxChange, 0.1' "$BATS_TEST_TMPDIR/err"
    run -0 rbtool log --json --kind watch
    jq -c .entry <<<"$output" | schema ledger-entry
    jq -e '.entry.watch.values[0] | .name == "rows" and .first == "1000" and .last == "890.5" and .min == "890.5" and
        .max == "1000" and .count > 3 and (.points | length <= 40 and all(.[]; .milliseconds >= 0))' <<<"$output"
    run -0 rbtool report --json
    schema report <<<"$output"
    jq -e '(.watches[0] | .outcome == "reverted" and .values[0].first == 1000 and .values[0].last == 890.5) and
        ([.transitions[] | select(.kind == "deploy" and .to == "v1.1.0")][0].values[0] | .before == 1000 and .after == 1000)' <<<"$output"
    rbtool report -o "$BATS_TEST_TMPDIR/report.html"
    grep -q 'Value of check <bdi>rows</bdi>, before: 1000, after: 1000, while watched: 890.5 to 1000, at its end: 890.5' "$BATS_TEST_TMPDIR/report.html"
    [ "$(grep -c '<polyline class="value" points="60,10 130,10 [0-9, ]*,80"' "$BATS_TEST_TMPDIR/report.html")" = 1 ]
    grep -q '<td>reverted</td><td class="n">' "$BATS_TEST_TMPDIR/report.html"
    run -0 rbtool metrics
    [[ $output == *'rbtool_watches{environment="prod",outcome="reverted"} 1'* ]]
    [[ $output == *'rbtool_watch_detect_duration_seconds{environment="prod"} '* ]]
    [[ $output == *'rbtool_watch_restore_duration_seconds{environment="prod"} '* ]]
}

@test "checks that fail make it go back by itself when nothing is at risk" {
    watched '{interval: 0.1, failures: 3, onFailure: "revert"}'
    before=$(picture)
    deploys 1m
    break_it v1.1.0
    ends 1
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
    [ "$(of_watch '.outcome, .revert.outcome, .revert.to')" = 'reverted
done
v1.0.0' ]
    [ "$(of_watch .failed)" -ge 3 ]
    [ "$(of_watch '.millisecondsToDetect > 0 and .millisecondsToRestore > 0')" = true ]
    jq -r .error.message "$BATS_TEST_TMPDIR/out" | grep -q '^v1.1.0 failed its checks in prod and was reverted to v1.0.0'
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.1.0") | .verdict')" = bad ]
    rbtool log --json --kind watch | jq -e '.entry.watch | .outcome == "reverted" and .millisecondsToDetect > 0 and .millisecondsToRestore > 0'
}

@test "it holds when data is at risk, escalates, and exits 5" {
    watched '{interval: 0.1, failures: 2, onFailure: "revert", escalateAfter: 1}'
    deploys 1m
    sql 'UPDATE orders SET discount = 7'
    break_it
    ends 5
    grep -q 'HOLD: v1.1.0 fails its checks in prod and does not go back by itself: data is at risk in database main: orders.discount (10 values)' "$BATS_TEST_TMPDIR/err"
    [ "$(of_watch '.outcome, .revert, .millisecondsToRestore')" = 'held
null
null' ]
    jq -r .error.message "$BATS_TEST_TMPDIR/out" | grep -q 'v1.1.0 is held in prod, and nobody acted within 1 s: check "up"'
    [ "$(sql 'SELECT sum(discount) FROM orders')" = 70 ]
    [ "$(rbtool status --json | jq -c '[.release, .health, .watch.outcome]')" = '["v1.1.0","unhealthy","held"]' ]
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.1.0") | .verdict')" = good ]
    rbtool log --json --kind watch | jq -e '.entry.watch | .outcome == "held" and .millisecondsToRestore == null'
}

@test "rows that arrive while it goes back are counted under lock, and it holds with the service running" {
    watched '{interval: 0.1, failures: 2, onFailure: "revert", escalateAfter: 0.5}' \
        "{service: {stop: [\"sh\", \"-c\", \"if [ -e \(\$tmp)/broken ]; then sqlite3 $PROD/data/shop.db 'UPDATE orders SET discount = 7'; fi\"], start: [\"touch\", \"\(\$tmp)/started\"]}}"
    deploys 1m
    rm "$BATS_TEST_TMPDIR/started"
    break_it
    ends 5
    [ "$(of_watch '.outcome, .revert.outcome')" = 'held
refused' ]
    grep -q 'HOLD: .*under lock more data is at risk than the plan said' "$BATS_TEST_TMPDIR/err"
    [ -e "$BATS_TEST_TMPDIR/started" ]
    settled_at v1.1.0
    [ "$(sql 'SELECT sum(discount) FROM orders')" = 70 ]
}

@test "by default it holds, and ends with exit code 1 when a person reverts" {
    watched '{interval: 0.1}'
    deploys 1m
    break_it v1.1.0
    wait_for grep -q HOLD "$BATS_TEST_TMPDIR/err"
    grep -q 'environments.prod.watch.onFailure is "hold"' "$BATS_TEST_TMPDIR/err"
    rbtool revert v1.1.0 --yes
    ends 1
    [ "$(of_watch .outcome)" = held ]
    settled_at v1.0.0
    rbtool log --json --kind watch | jq -e '.entry.watch.outcome == "held"'
}

@test "a check that failed before the deploy blocks the automatic revert" {
    watched '{interval: 0.1, failures: 1, onFailure: "revert", escalateAfter: 0.2}' \
        '{service: {start: ["sh", "-c", "test -e \($tmp)/late && rm -f \($tmp)/broken; true"]}}'
    touch "$BATS_TEST_TMPDIR/late"
    break_it
    deploys 1m
    break_it
    ends 5
    grep -q 'HOLD: .*"up" failed on v1.0.0 already, before the deploy' "$BATS_TEST_TMPDIR/err"
    settled_at v1.1.0
}

@test "a check that fails on the source release as well holds, and marks nothing bad" {
    watched '{interval: 0.1, failures: 2, onFailure: "revert", escalateAfter: 0.5}'
    deploys 1m
    break_it
    ends 5
    [ "$(of_watch '.outcome, .revert.outcome')" = 'held
unhealthy' ]
    [ "$(rbtool status --json | jq -c '[.release, .health]')" = '["v1.0.0","unhealthy"]' ]
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.1.0") | .verdict')" != bad ]
}

@test "a revert that fails leaves the release live, and is tried once" {
    watched '{interval: 0.1, failures: 2, onFailure: "revert", escalateAfter: 1}' \
        '{service: {stop: ["sh", "-c", "echo x >>\($tmp)/stops; test ! -e \($tmp)/broken"], start: ["true"]}}'
    deploys 1m
    : >"$BATS_TEST_TMPDIR/stops"
    break_it
    ends 5
    [ "$(of_watch '.outcome, .revert.outcome')" = 'held
failed' ]
    grep -q 'HOLD: .*the revert failed: stopping the service (sh) ended with status 1' "$BATS_TEST_TMPDIR/err"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/stops")" = 1 ]
    settled_at v1.1.0
}

@test "SQL checks run in the watch, and it holds when going back would not make the data right" {
    watched '{interval: 0.1, failures: 2, onFailure: "revert", escalateAfter: 0}' '{checks: []}'
    deploys 1m
    sql 'UPDATE orders SET total = -1 WHERE id = 3'
    ends 5
    of_watch .message | grep -q '^check checks/totals.sql found rows'
    settled_at v1.1.0
    run git log --format=%B refs/rbtool/ledger
    [[ $output == *'check checks/totals.sql found rows'* && $output != *'"total":-1'* ]]
}

@test "failures may be counted among the last rounds, so that a flapping check is detected" {
    watched '{interval: 0.05, failures: 3, of: 6, onFailure: "hold", escalateAfter: 0}' \
        '{checks: [{name: "flaps", command: ["sh", "-c", "echo x >>\($tmp)/runs; test $(($(wc -l <\($tmp)/runs) % 2)) = 0"], timeout: 3}]}'
    echo x >>"$BATS_TEST_TMPDIR/runs"
    deploys 1m
    ends 5
    [ "$(of_watch .failed)" -ge 3 ]
    [ "$(of_watch '.rounds > .failed')" = true ]
}

@test "a check that hangs has failed after its attempt" {
    watched '{failures: 1, interval: 0.1, escalateAfter: 0}' \
        '{checks: [{name: "up", command: ["sh", "-c", "if [ -e \($tmp)/broken ]; then sleep 60; fi"], attempt: 1}]}'
    deploys 1m
    break_it
    ends 5
    of_watch .message | grep -q 'check "up" got no answer within 1 s'
}

@test "a watch blocks no other command, and another deploy ends it" {
    watched '{interval: 0.1}'
    deploys 1m
    settled_at v1.1.0
    rbtool check --env prod
    rbtool status --json | schema status
    [ "$(rbtool status --json | jq -r .watch.outcome)" = open ]
    rbtool status | grep -q '^watch       v1.1.0 until '
    [ "$(rbtool log --json --kind transition | jq -r 'select(.entry.tag == "v1.1.0") | .entry.transition.outcome')" = "done" ]
    release v1.2.0
    rbtool deploy v1.2.0 --yes
    ends 0
    [ "$(of_watch .outcome)" = superseded ]
    settled_at v1.2.0
}

@test "a signal stops the watch, and resume continues it until its deadline" {
    watched '{interval: 0.1}'
    deploys 15s # long enough for what comes before the next watch, on a busy machine too
    kill -INT $PID
    ends 1
    [ "$(of_watch .outcome)" = open ]
    [[ $(jq -r .error.hint "$BATS_TEST_TMPDIR/out") == *'rbtool resume --env prod'* ]]
    run -0 --separate-stderr rbtool resume --yes --json
    schema transition <<<"$output"
    [ "$(jq -r '.outcome, .watch.outcome' <<<"$output")" = 'done
passed' ]
}

@test "a signal during a hold exits 5" {
    watched '{interval: 0.1, failures: 1}'
    deploys 1m
    break_it
    wait_for grep -q HOLD "$BATS_TEST_TMPDIR/err"
    kill -INT $PID
    ends 5
    [ "$(of_watch .outcome)" = held ]
}

@test "resume continues a watch that was killed, and goes back by itself" {
    watched '{interval: 0.1, failures: 2, onFailure: "revert"}'
    deploys 1m
    run -4 rbtool resume --yes
    [[ $output == *'another run watches the environment (process '* ]]
    kill -KILL $PID
    fails 2 'no terminal to ask on' rbtool resume
    break_it v1.1.0
    rbtool resume --yes --json >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" &
    PID=$!
    ends 1
    settled_at v1.0.0
    [ "$(rbtool status --json | jq -r .watch.outcome)" = reverted ]
}

@test "a watch that nothing observed until its deadline is recorded as unobserved" {
    watched '{interval: 0.1}'
    deploys 3s
    kill -KILL $PID
    sleep 3.1
    run -0 rbtool resume --yes
    [[ $output == *'the watch of v1.1.0 ended: unobserved'* ]]
    rbtool log --json --kind watch | jq -e '.entry.watch.outcome == "unobserved"'
    settled_at v1.1.0
}

@test "an automatic revert that was killed is completed by resume, and the watch ends with it" {
    watched '{interval: 0.1, failures: 2, onFailure: "revert"}' \
        '{service: {start: ["sh", "-c", "if [ -e \($tmp)/broken ]; then rm \($tmp)/broken; kill -9 $PPID; sleep 1; fi"]}}'
    deploys 1m
    break_it
    wait_for test ! -e "$BATS_TEST_TMPDIR/broken"
    wait $PID || true
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    rbtool resume --yes
    settled_at v1.0.0
    [ "$(rbtool status --json | jq -r .watch.outcome)" = reverted ]
    rbtool log --json --kind watch | jq -e '.entry.watch | .outcome == "reverted" and .millisecondsToRestore > 0'
    [ "$(rbtool list --json | jq -r '.releases[] | select(.tag == "v1.1.0") | .verdict')" = bad ]
}

@test "a watch needs a duration and something to check" {
    watched '{}' '{checks: []}'
    fails 2 'soon' rbtool deploy v1.1.0 --watch soon --yes
    jq 'del(.checks)' rbtool.json >new.json && mv new.json rbtool.json
    release v1.2.0
    fails 2 'there is nothing to watch: prod has no checks' rbtool deploy v1.2.0 --watch 1m --yes
    settled_at v1.0.0
    jq '.environments.prod.watch = {failures: 3, of: 2}' rbtool.json >new.json && mv new.json rbtool.json
    fails 2 'watch.of must not be less than failures, which is 3' rbtool status --env prod
}
