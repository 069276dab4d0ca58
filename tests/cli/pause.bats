# A transition that is paused before one of its steps, until a person resumes or aborts it.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
    two_releases
}

# paused STEP TAG: status and its document say so.
paused() {
    run -0 rbtool status
    [[ $output == "prod: $2, paused before step $1 of the "*" by Alice <alice@example.com> at "*": call the clients first"* ]]
    run -0 rbtool status --json
    schema status <<<"$output"
    [ "$(jq -r '.state, .step, .paused.step, .paused.why, .paused.by' <<<"$output")" = "paused
$1
$1
call the clients first
Alice <alice@example.com>" ]
    [ "$(rbtool env --json | jq -r '.environments[0].state')" = paused ]
    run -3 rbtool status --exit-code
}

@test "a deploy pauses before a step, and resume goes on with it" {
    run -3 --separate-stderr rbtool deploy v1.1.0 --yes --pause-before database -m 'call the clients first' --json
    schema transition <<<"$output"
    [ "$(jq -r '.outcome, .paused.step' <<<"$output")" = 'paused
database' ]
    paused database v1.0.0
    fails 3 'is paused (transition' rbtool revert v1.0.0 --yes
    # Every command that it prints works where nobody can be asked.
    [[ $output == *'`rbtool resume --env prod --yes`, or go back with `rbtool abort --env prod --yes`'* ]]
    jq '.environments.prod.checks = [{name: "no", command: ["false"], timeout: 1}]' rbtool.json >failing.json
    rbtool --config failing.json env trust --env prod --yes
    fails 1 'continue the deploy with `rbtool --config failing.json resume --env prod --yes`' \
        rbtool --config failing.json check
    [[ $output == *'the deploy of prod to v1.1.0 is paused (transition '* ]]
    rbtool env trust --env prod --yes
    rm failing.json
    rbtool resume --yes
    settled_at v1.1.0
    [ "$(sql 'SELECT count(discount) FROM orders')" = 0 ]
    run -0 rbtool log --json --kind transition
    head -1 <<<"$output" | jq -c .entry | schema ledger-entry
    head -1 <<<"$output" | jq -e '.entry.transition | .outcome == "done" and
        (.paused | .step == "database" and .why == "call the clients first" and .resumed >= .at)'
    rbtool report | grep -q 'Paused before step database on 20.* by <bdi>Alice .*call the clients first.*; it went on at 20'
    rbtool report --json | schema report
    rbtool resume --yes 2>&1 | grep -q 'no transition is half-way'
}

@test "a pause before the commit is undone by abort, and one after it by a transition back" {
    before=$(picture)
    run -3 rbtool deploy v1.1.0 --yes --pause-before database -m 'call the clients first'
    rbtool abort --yes
    settled_at v1.0.0
    [ "$(picture)" = "$before" ]
    rbtool log --json --kind transition | head -1 |
        jq -e '.entry.transition | .outcome == "aborted" and .paused.resumed == null'
    run -3 rbtool deploy v1.1.0 --yes --pause-before record -m 'call the clients first'
    paused record v1.1.0
    rbtool abort --yes
    settled_at v1.0.0
    [ "$(picture)" = "$before" ]
}

@test "a revert pauses before its step, also when it has to be agreed to first" {
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 7'
    fails 5 "--pause-before stage -m 'call the clients first' --accept-data-loss" \
        rbtool revert v1.1.0 --yes --pause-before stage -m 'call the clients first'
    run -3 rbtool revert v1.1.0 --yes --pause-before stage -m 'call the clients first' \
        --accept-data-loss "$(rbtool plan v1.1.0 --json | jq -r .digest)"
    paused stage v1.1.0
    rbtool resume --yes
    settled_at v1.0.0
}

@test "a run that is killed before its pause pauses there when it is resumed" {
    jq --arg kill "[ -e $BATS_TEST_TMPDIR/killed ] || { touch $BATS_TEST_TMPDIR/killed; kill -9 \$PPID; }" \
        '.environments.prod.service = {stop: ["sh", "-c", $kill]}' rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
    run -137 rbtool deploy v1.1.0 --yes --pause-before record -m 'call the clients first'
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    run -3 rbtool resume --yes
    paused record v1.1.0
    rbtool resume --yes
    settled_at v1.1.0
}

@test "a pause needs a reason and a step of the plan at which no transaction is open" {
    before=$(picture)
    fails 2 '--pause-before needs a reason, which is recorded; give one with `rbtool deploy v1.1.0 --yes --pause-before record -m WHY`' \
        rbtool deploy v1.1.0 --yes --pause-before record
    fails 2 'neither is given; to stop before a step, add its name with `rbtool deploy v1.1.0 --yes -m x --pause-before STEP`; otherwise leave -m out' \
        rbtool deploy v1.1.0 --yes -m x
    fails 2 "cannot pause before step bob's lunch: its plan has no such step" \
        rbtool deploy v1.1.0 --yes --pause-before "bob's lunch" -m x
    [[ $output == *'name one of the steps stage, database, flags, record, for example `rbtool deploy v1.1.0 --env prod --yes --pause-before stage -m x`'* ]]
    for step in config switch commit; do
        fails 2 "cannot pause before step $step: a database transaction is open there" \
            rbtool deploy v1.1.0 --yes --pause-before $step -m x
        [[ $output == *', for example `rbtool deploy v1.1.0 --env prod --yes --pause-before database -m x`'* ]]
    done
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
}
