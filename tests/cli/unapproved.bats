# Transitions in the ledger that lacked approvals: run by a program that skips the policy.

load lib
load transition
load policy

setup_file() {
    policy_template
}

setup() {
    policy_shop
}

# forge_deploy TAG: the newest transition's entry again, at the tip, as a deploy of TAG in prod, now.
forge_deploy() {
    local entry at object
    entry=$(git log -1 --format=%H --grep '^transition ' refs/rbtool/ledger)
    at=$(date +%s)
    object=$(git rev-parse "$1")
    git mktree </dev/null >/dev/null
    {
        printf 'transition %s deploy in prod: done, from nothing\n\n' "$1"
        git cat-file commit "$entry" | sed '1,/^{/{/^{/!d}' |
            jq -S --indent 2 --argjson at "$at" --arg tag "$1" --arg object "$object" \
                '.at = $at | .tag = $tag | .object = $object | .transition += {id: "forged", kind: "deploy", from: null,
                 fromObject: null, to: $tag, toObject: $object, started: $at, finished: $at}'
    } >"$BATS_TEST_TMPDIR/message"
    RBTOOL=0 git update-ref refs/rbtool/ledger "$(GIT_COMMITTER_DATE="$at +0000" git commit-tree \
        "-S$KEYS/alice" -p refs/rbtool/ledger -F "$BATS_TEST_TMPDIR/message" 4b825dc642cb6eb9a060e54bf8d69288fbee4904)"
}

reported() {
    fails 1 "1 transition lacked approvals" rbtool log --verify
}

@test "a transition without the approvals in force then is reported by log, log --verify, list, show and attest" {
    live_under_policy
    as bob rbtool approve v1.1.0
    forge_deploy v1.1.0
    fails 1 "v1.1.0 had 1 of the 2 approvals that the policy asked for then in prod, and no override excuses it" \
        rbtool log --verify
    reported
    rbtool log --json -n 1 | schema log
    [ "$(rbtool log --json | jq -sc '[.[] | select(.problems[].code == "approvals") | .entry.transition.to]')" = '["v1.1.0"]' ]
    rbtool log | grep -q 'transition.*v1.1.0.*UNAPPROVED: deploy in prod'
    rbtool list | grep -q 'v1.1.0 .*(UNAPPROVED)'
    run ! grep -q UNAPPROVED <<<"$(rbtool list | grep v1.0.0)"
    rbtool list --json | schema list
    [ "$(rbtool list --json | jq -c '[.releases[] | select(.tag == "v1.1.0").unapproved[] | [.kind, .environment, .needed, .given, .by, .signed]]')" = \
        '[["deploy","prod",2,1,"alice@example.com",true]]' ]
    rbtool show v1.1.0 | grep -q 'UNAPPROVED  deploy in prod by alice@example.com had 1 of 2 approvals'
    run rbtool attest v1.1.0 --vsa -o vsa.json
    [[ $status -eq 1 && $output == *"says FAILED: its deploy in prod had 1 of 2 approvals"* ]]
    [ "$(jq -r .payload vsa.json | base64 -d | jq -r .predicate.verificationResult)" = FAILED ]
    rbtool attest v1.0.0 --vsa -o vsa.json
    # approvals that come later change nothing
    as carol rbtool approve v1.1.0
    reported
}

@test "status shows that the release that is live lacked approvals" {
    live_under_policy
    forge_deploy v1.0.0
    rbtool log --verify # it was live before: a revert's
    policy '{"environments":{"prod":{"approvals":{"deploy":0,"revert":1}}}}'
    forge_deploy v1.0.0
    fails 1 "v1.0.0 had 0 of the 1 approval that the policy asked for then in prod for a revert to it" rbtool log --verify
    rbtool status | grep -q 'UNAPPROVED  deploy in prod by alice@example.com had 0 of 1 approvals'
    rbtool status --json | schema status
    [ "$(rbtool status --json | jq '.unapproved | length')" -eq 1 ]
}

@test "transitions with approvals, with a broken glass, and from before the policy are not reported" {
    live_under_policy
    as bob rbtool approve v1.1.0
    as carol rbtool approve v1.1.0
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    policy '{"environments":{"prod":{"approvals":{"deploy":2,"revert":2}}}}'
    rbtool mark v1.1.0 good -m looked
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --break-glass -m 'shop is down' --yes
    policy '{"environments":{"prod":{"approvals":{"deploy":4,"revert":4}}}}'
    rbtool log --verify
    run ! grep -q UNAPPROVED <<<"$(rbtool list)"
    # the override was for that one transition
    forge_deploy v1.0.0
    reported
}

@test "a transition that was resumed under a newer policy is judged by the one of its plan" {
    policy '{"environments":{"prod":{"approvals":{"deploy":0}}}}'
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.0.0 --yes
    [ "$status" -eq 137 ]
    [ "$(sqlite3 "$PROD/.rbtool/state.db" "SELECT json_extract(plan, '$.policy') FROM transition_log")" = \
        "[\"$(git rev-parse refs/rbtool/ledger)\"]" ]
    sleep 1 # the next policy is later, to the second
    policy "{$two}"
    rbtool --config "$BATS_TEST_TMPDIR/killing.json" resume --yes
    settled_at v1.0.0
    rbtool log --verify
    # but naming an old policy does not help one that began under the new one
    forge_deploy v1.1.0
    reported
}
