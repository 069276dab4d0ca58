#!/usr/bin/env bats
# Metrics: what a strict reader of OpenMetrics finds in them, against the report and the journal.
bats_require_minimum_version 1.5.0

load lib
load transition

setup_file() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    host
    jq '.environments.prod |= . + {checks: [{name: "up", command: ["true"]}]}' rbtool.json >new.json &&
        mv new.json rbtool.json
    two_releases
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    rbtool note --review plan --due 2027-02-01 --env prod
}

setup() {
    TEST=$BATS_TEST_TMPDIR
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    home
    export PROD=$BATS_TEST_TMPDIR/prod
    cd "$BATS_TEST_TMPDIR/shop" || return
}

# samples: metrics on stdin, as NAME LABELS VALUE lines, by the reader of Prometheus' own client. The
# textfile collector reads the format before OpenMetrics: promtool does, too.
samples() {
    cat >"$TEST/exposed"
    command -v promtool >"$TEST/promtool" || skip "no promtool"
    promtool check metrics <"$TEST/exposed" || return
    /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || skip "no python3-prometheus-client"
    /usr/bin/python3 -c '
import json, sys
from prometheus_client.openmetrics import parser
for family in parser.text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation and family.name.startswith("rbtool_"), family
    for s in family.samples:
        print(s.name, json.dumps(s.labels, sort_keys=True), s.value)' <"$TEST/exposed"
}

@test "metrics are OpenMetrics text, and agree with the report and the status" {
    rbtool metrics | tee "$TEST/text" | samples >"$TEST/samples"
    [[ $(tail -1 "$TEST/text") == '# EOF' ]]
    value() { awk -v name="rbtool_$1" '$1 == name { print $NF + 0 }' "$TEST/samples"; }
    rbtool report --json --since '30 days ago' >"$TEST/report"
    figure() { jq ".figures[0] | $1" "$TEST/report"; }
    [[ $(value dora_change_lead_time_seconds) == "$(figure .leadSeconds)" ]]
    [[ $(value dora_failed_deployment_recovery_time_seconds) == "$(figure .recoverySeconds)" ]]
    [[ $(value dora_change_fail_ratio) == 0.5 && $(figure .failedPercent) == 50 ]]
    [[ $(value revert_duration_seconds) == "$(figure .reverts.seconds)" ]]
    [[ $(awk '$1 == "rbtool_transitions" { n += $NF } END { print n }' "$TEST/samples") == "$(figure '.deployments + .reverts.ended')" ]]
    [[ $(value ledger_unwritten) == 0 && $(value transition_pending) == 0 && $(value healthy) == 1 ]]
    grep -q 'rbtool_release_info {"environment": "prod", "object": "[0-9a-f]*", "release": "v1.0.0"}' "$TEST/samples"
    [[ $(awk '$1 == "rbtool_review_due_timestamp_seconds" { printf "%d", $NF }' "$TEST/samples") == "$(date -ud 2027-02-01 +%s)" ]]
}

@test "what the ledger says is kept until the ledger, its signers or the time change it" {
    kept=.git/rbtool/metrics
    rbtool metrics >"$TEST/first"
    # shows N: what is kept is used, or not, after FILTER has changed it
    shows() {
        jq -c "$2" $kept >"$TEST/kept" && mv "$TEST/kept" $kept
        rbtool metrics >"$TEST/now"
        grep -qx "rbtool_ledger_entries{trust=\"good\"} $1" "$TEST/now"
    }
    n=$(sed -n 's/^rbtool_ledger_entries{trust="good"} //p' "$TEST/first")
    rbtool metrics | cmp - "$TEST/first"
    shows 4711 '.samples[0][0].value = 4711'
    shows "$n" '.until = 1'
    shows 4711 '.samples[0][0].value = 4711'
    shows "$n" '.made += 1000'
    shows "$n" '.key = "0"'
    shows "$n" 'del(.samples[0])'
    echo '{' >$kept
    rbtool metrics | cmp - "$TEST/first"
    rbtool metrics --env none >"$TEST/now"
    rbtool metrics | cmp - "$TEST/first"
    rbtool note --review backup --due 2027-03-01 --env prod
    rbtool metrics | grep -q "^rbtool_ledger_entries{trust=\"good\"} $((n + 1))"
    : >"$TEST/nobody" && git config gpg.ssh.allowedSignersFile "$TEST/nobody"
    rbtool metrics | grep -q "^rbtool_ledger_entries{trust=\"unknown\"} $((n + 1))"
    git config --unset gpg.ssh.allowedSignersFile
    rbtool metrics | grep -q "^rbtool_ledger_entries{trust=\"good\"} $((n + 1))"
    # The oldest transition of the 30 days ends what is kept; otherwise an hour does.
    jq -e '.until - .made == 3600' $kept
}

@test "a file is replaced at once, and another environment has no samples" {
    echo old >"$TEST/rbtool.prom"
    ln "$TEST/rbtool.prom" "$TEST/before"
    rbtool metrics -o "$TEST/rbtool.prom"
    [[ $(cat "$TEST/before") == old && $(tail -1 "$TEST/rbtool.prom") == '# EOF' ]]
    run rbtool metrics --env none
    [[ $output != *'environment="prod"'* ]]
    fails 2 'not a name of an environment' rbtool metrics --env 'a b'
}

@test "an interrupted transition shows its step, and is not running" {
    cp -a "$BATS_FILE_TMPDIR/." "$TEST/copy"
    sed -i "s|$BATS_FILE_TMPDIR|$TEST/copy|g" "$TEST/copy/home/gitconfig" "$TEST/copy/shop/rbtool.json"
    export BATS_TEST_TMPDIR=$TEST/copy
    home
    cd "$TEST/copy/shop" || return
    PROD=$TEST/copy/prod
    rm -rf "$PROD" && mkdir -p "$PROD/data" "$PROD/etc"
    killed_by stop
    run -137 rbtool deploy v1.0.0 --yes --config "$TEST/copy/killing.json"
    rbtool metrics | samples >"$TEST/samples"

    grep -qx 'rbtool_transition_pending {"environment": "prod"} 1' "$TEST/samples"
    grep -qx 'rbtool_transition_running {"environment": "prod"} 0' "$TEST/samples"
    grep -q 'rbtool_transition_step {.*"step": "stop", "to": "v1.0.0"} 2' "$TEST/samples"
    # No figure is lost because a journal cannot be read.
    printf 'no journal' >"$PROD/.rbtool/state.db"
    run --separate-stderr -0 rbtool metrics
    [[ $stderr == *'prod is left out'* && $output == *'rbtool_dora_deployments_per_day{environment="prod"}'* ]]
}

@test "rules and dashboard name metrics that exist, and only those" {
    names() { grep -ohE 'rbtool_[a-z_]+' "$@" | sort -u; }
    sed -n 's/^    \[[A-Z_]*\] = {"\([a-z_]*\)".*/rbtool_\1/p' "$ROOT/core/report/metrics.c" | sort >"$TEST/metrics"
    [[ $(wc -l <"$TEST/metrics") -ge 20 ]]
    diff <(names "$ROOT/cmd/man/rbtool-metrics.1.md") "$TEST/metrics"
    [[ $(names "$ROOT/hooks/recipes/alerts.yml" "$ROOT/hooks/recipes/dashboard.json" | comm -23 - "$TEST/metrics") == '' ]]
    command -v promtool >"$TEST/promtool" || skip "no promtool"
    promtool check rules "$ROOT/hooks/recipes/alerts.yml"
    jq -e '.panels | length >= 10' "$ROOT/hooks/recipes/dashboard.json"
}
