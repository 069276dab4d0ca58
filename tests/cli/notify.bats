# The events of an environment, as its notify commands get them.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
    SENT=$BATS_TEST_TMPDIR/sent
    mkdir "$SENT"
    # Keeps every event in a file of its own; fails while the file "away" exists, hangs while "slow" does.
    cat >"$BATS_TEST_TMPDIR/send" <<END
#!/bin/sh
if [ -e '$BATS_TEST_TMPDIR/away' ]; then exit 7; fi
if [ -e '$BATS_TEST_TMPDIR/slow' ]; then sleep 600 & echo \$! >'$BATS_TEST_TMPDIR/pid'; wait; fi
n=\$(ls '$SENT' | wc -l)
cat >'$SENT/'\$(printf %03d "\$n")
END
    chmod +x "$BATS_TEST_TMPDIR/send"
    jq --arg send "$BATS_TEST_TMPDIR/send" '.environments.prod.notify = [[$send]]' rbtool.json >new.json
    mv new.json rbtool.json
}

# events FILTER: of every event, in the order in which they were sent.
events() {
    cat "$SENT"/* | jq -r "$1"
}

# Each is valid, its CDEvent is the CloudEvent, and no event came twice.
valid() {
    for event in "$SENT"/*; do
        schema event <"$event"
        jq -e '[.id, .source, .type, .time, .subject]
            == (.data | [.context.id, .context.source, .context.type, .context.timestamp, .subject.id])' "$event" >/dev/null
    done
    [ -z "$(events .id | sort | uniq -d)" ]
}

@test "a deploy and a revert send CDEvents of their beginning and their end" {
    two_releases
    rbtool deploy v1.1.0 --yes
    rbtool drill v1.1.0 # on copies: no event is of it
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)"
    valid
    [ "$(events '.type | sub("^dev.cdeventsx?[.]"; "")')" = 'rbtool-transition.begun.0.1.0
service.deployed.0.3.0
rbtool-transition.begun.0.1.0
service.deployed.0.3.0
rbtool-transition.begun.0.1.0
service.rolledback.0.3.0' ]
    jq -e --arg object "$(git rev-parse v1.0.0)" '.source == "/rbtool/shop/prod" and .subject == "shop"
        and .data.subject.content == {environment: {id: "prod"}, artifactId: "pkg:generic/shop@v1.0.0"}
        and (.data.customData | .from == "v1.1.0" and .to == "v1.0.0" and .outcome == "done"
            and .releaseObject == $object and .kind == "revert")' "$SENT/005"
    jq -e '.data.customData.outcome == null' "$SENT/004"
    # Flags alone are not a deployment of the service.
    rbtool deploy v1.1.0 --yes --only flags --accept-reverted
    valid
    [ "$(events .type | tail -1)" = dev.cdeventsx.rbtool-transition.done.0.1.0 ]
    [ "$(events '.data.customData.only | join(",")' | tail -1)" = flags ]
    # The person is in the journal and in no event.
    run ! grep -qi alice "$SENT"/*
}

@test "a step that fails is an event, and what its command printed is not in it" {
    two_releases
    jq '.environments.prod.service.stop = ["sh", "-c", "echo token=xyz; exit 3"]' rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
    run -1 rbtool deploy v1.1.0 --yes
    valid
    [ "$(events '.type, .data.customData.outcome' | tail -2)" = 'dev.cdeventsx.rbtool-transition.failed.0.1.0
failed' ]
    events .data.customData.message | tail -1 | grep -q 'ended with status 3'
    run ! grep -q xyz "$SENT"/*
}

@test "a release that fails its checks is deployed, and an incident" {
    jq '.environments.prod.checks = [{name: "up", command: ["sh", "-c", "echo token=xyz; exit 1"], retry: false}]' rbtool.json >new.json
    mv new.json rbtool.json
    release v1.0.0
    run -1 rbtool deploy v1.0.0 --yes
    valid
    [ "$(events .type | tail -2)" = 'dev.cdevents.service.deployed.0.3.0
dev.cdevents.incident.detected.0.3.0' ]
    events .data.subject.content.description | tail -1 | grep -q '^check "up" (sh) ended with status 1$'
    run ! grep -q xyz "$SENT"/*
}

@test "a transition that was killed is half-way for the next command, and then done" {
    two_releases
    jq --arg stop "$BATS_TEST_TMPDIR/stop" '.environments.prod.service.stop = ["sh", $stop]' rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
    printf '[ -e %s ] || { touch %s; kill -9 $PPID; }\n' "$BATS_TEST_TMPDIR/once" "$BATS_TEST_TMPDIR/once" >"$BATS_TEST_TMPDIR/stop"
    run rbtool deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    [ "$(events .type | tail -1)" = dev.cdeventsx.rbtool-transition.begun.0.1.0 ]
    rbtool check || true
    rbtool check || true
    [ "$(events '.type, .data.customData.step' | tail -2)" = 'dev.cdeventsx.rbtool-transition.halfway.0.1.0
stop' ]
    rbtool resume --yes
    valid
    [ "$(events .type | tail -1)" = dev.cdevents.service.deployed.0.3.0 ]
    [ "$(events .type | wc -l)" -eq 5 ]
}

@test "a pause is an event with its reason, and not that the transition is half-way" {
    two_releases
    run -3 rbtool deploy v1.1.0 --yes --pause-before database -m 'call the clients first'
    rbtool check
    [ "$(events '.type, .data.customData.message' | tail -2)" = 'dev.cdeventsx.rbtool-transition.paused.0.1.0
call the clients first' ]
    rbtool abort --yes
    valid
    [ "$(events .type | tail -2)" = 'dev.cdeventsx.rbtool-transition.paused.0.1.0
dev.cdeventsx.rbtool-transition.aborted.0.1.0' ]
}

@test "what a command did not take is named by status and sent by the next command" {
    release v1.0.0
    touch "$BATS_TEST_TMPDIR/away"
    run -0 --separate-stderr rbtool deploy v1.0.0 --yes
    [[ $stderr == *"notify: $BATS_TEST_TMPDIR/send did not take dev.cdeventsx.rbtool-transition.begun.0.1.0: it ended with status 7; the next command of prod sends it again"* ]]
    [ -z "$(ls "$SENT")" ]
    rbtool status --json | schema status
    rbtool status --json | jq -e '[.undelivered[] | .attempts, .error] == [1, "it ended with status 7", 1, "it ended with status 7"]'
    run -0 rbtool status
    [[ $output == *'notify      2 events not delivered'* ]]
    rm "$BATS_TEST_TMPDIR/away"
    rbtool check
    valid
    [ "$(events .type | sort)" = 'dev.cdevents.service.deployed.0.3.0
dev.cdeventsx.rbtool-transition.begun.0.1.0' ]
    rbtool status --json | jq -e '.undelivered == []'
}

@test "a command that hangs is killed with its group, and the transition goes on" {
    release v1.0.0
    touch "$BATS_TEST_TMPDIR/slow"
    run -0 --separate-stderr rbtool deploy v1.0.0 --yes
    [[ $stderr == *'it did not end within 5 s and was killed'* ]]
    settled_at v1.0.0
    run ! readlink "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/exe"
}

# watched WATCH: with a check that fails on v1.1.0 while "broken" exists.
watched() {
    printf 'if [ -e %s ]; then readlink %s/current | grep -qv v1.1.0; fi\n' \
        "$BATS_TEST_TMPDIR/broken" "$PROD" >"$BATS_TEST_TMPDIR/up"
    jq --arg up "$BATS_TEST_TMPDIR/up" ".environments.prod |= (. + {
        checks: [{name: \"up\", command: [\"sh\", \$up], retry: false}], watch: $1})" rbtool.json >new.json
    mv new.json rbtool.json
    rbtool env trust --env prod --yes
    rbtool deploy v1.1.0 --yes --watch 1m 2>"$BATS_TEST_TMPDIR/err" &
    wait_for grep -q ^watching "$BATS_TEST_TMPDIR/err"
    touch "$BATS_TEST_TMPDIR/broken"
}

@test "a watch that goes back sends the incident, the revert, and that it is resolved" {
    two_releases
    watched '{interval: 0.1, failures: 2, onFailure: "revert"}'
    wait $! || true
    valid
    [ "$(events .type | tail -4 | sort)" = 'dev.cdevents.incident.detected.0.3.0
dev.cdevents.incident.resolved.0.3.0
dev.cdevents.service.rolledback.0.3.0
dev.cdeventsx.rbtool-transition.begun.0.1.0' ]
    [ "$(events 'select(.type | contains("incident")).subject' | sort -u | wc -l)" -eq 1 ]
}

@test "a watch that holds sends the incident, the hold and its escalation" {
    two_releases
    watched '{interval: 0.1, failures: 2, escalateAfter: 1}'
    wait $! || true
    valid
    [ "$(events .type | tail -3)" = 'dev.cdevents.incident.detected.0.3.0
dev.cdeventsx.rbtool-watch.held.0.1.0
dev.cdeventsx.rbtool-watch.escalated.0.1.0' ]
    events .data.customData.watch.held | tail -1 | grep -q '^environments.prod.watch.onFailure is "hold"$'
}
