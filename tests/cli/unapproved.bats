# Transitions in the ledger that lacked approvals: run by a program that skips the policy.
# shellcheck disable=SC2154 # variables of policy.bash and bats

load lib
load transition
load policy

setup_file() {
    policy_template
}

setup() {
    policy_shop
}

# forge_deploy TAG [FROM]: the newest transition's entry again, at the tip, as a deploy of TAG in prod, now.
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
                --arg from "${2:-}" --arg over "$([ -z "${2:-}" ] || git rev-parse "$2")" \
                '.at = $at | .tag = $tag | .object = $object | .transition += {id: "forged", kind: "deploy",
                 from: (if $from == "" then null else $from end), fromObject: (if $over == "" then null else $over end), to: $tag, toObject: $object, started: $at, finished: $at}'
    } >"$BATS_TEST_TMPDIR/message"
    RBTOOL=0 git update-ref refs/rbtool/ledger "$(GIT_COMMITTER_DATE="$at +0000" git commit-tree \
        "-S$KEYS/alice" -p refs/rbtool/ledger -F "$BATS_TEST_TMPDIR/message" 4b825dc642cb6eb9a060e54bf8d69288fbee4904)"
}

# forge_scripts TAG: the newest transition's entry again, now, with the scripts of TAG.
forge_scripts() {
    local at
    at=$(date +%s)
    {
        git log -1 --format=%s --grep '^transition ' refs/rbtool/ledger
        echo
        git cat-file commit "$(git log -1 --format=%H --grep '^transition ' refs/rbtool/ledger)" | sed '1,/^{/{/^{/!d}' |
            jq -S --indent 2 --argjson at "$at" --arg tag "$1" --arg object "$(git rev-parse "$1")" \
                '.at = $at | .transition += {id: "forged", scriptsFrom: $tag, scriptsFromObject: $object, started: $at, finished: $at}'
    } >"$BATS_TEST_TMPDIR/message"
    git mktree </dev/null >/dev/null
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
    [[ $status -eq 1 && $output == *"says FAILED: its transition "*" in prod broke the rule approvals: it needed 2 approvals and had 1"* ]]
    [ "$(jq -r .payload vsa.json | base64 -d | jq -r .predicate.verificationResult)" = FAILED ]
    rbtool attest v1.0.0 --vsa -o vsa.json
    # approvals that come later change nothing
    as carol rbtool approve v1.1.0
    reported
}

@test "a deploy without the drill that the policy wants is reported by log, list, show, status, report and attest" {
    policy '{"environments":{"prod":{"maxAge":{"drill":30},"maxRowsAtRisk":5}}}'
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes # no drill was possible before
    rbtool log --verify
    [ "$(rbtool report --format json | jq '[.transitions[].broken // [] | length] | add')" -eq 0 ]
    forge_deploy v1.0.0 v1.1.0
    fails 1 "rule broken: the policy asked then in prod for a drill at most 30 days old (rule drill), v1.0.0 had none that counts, and no override excuses it" \
        rbtool log --verify
    [[ $output == *"1 transition broke another rule of the policy"* ]]
    [ "$(rbtool log --json | jq -sc '[.[] | select(.problems[].code == "rule") | .entry.transition.to]')" = '["v1.0.0"]' ]
    rbtool log | grep -q 'transition.*v1.0.0.*RULE BROKEN: deploy in prod'
    rbtool list | grep -q 'v1.0.0 .*(RULE BROKEN)'
    rbtool list --json | schema list
    rbtool show v1.0.0 | grep -q 'RULE BROKEN drill: deploy in prod by alice@example.com needed a drill at most 30 days old and had none that counts'
    rbtool report --format json | tee "$BATS_TEST_TMPDIR/report.json" | schema report
    [ "$(jq -c '[.transitions[] | select(.broken) | .to, (.broken[] | .rule, .needed, .found)]' "$BATS_TEST_TMPDIR/report.json")" = \
        '["v1.0.0","drill","a drill at most 30 days old","none that counts"]' ]
    rbtool report -o "$BATS_TEST_TMPDIR/page.html"
    grep -q 'drill, a drill at most 30 days old asked for, none that counts found' "$BATS_TEST_TMPDIR/page.html"
    fails 1 "in prod broke the rule drill: it needed a drill at most 30 days old and had none that counts" \
        rbtool attest v1.0.0 --vsa -o "$BATS_TEST_TMPDIR/vsa.json"
    rbtool drill # a later one changes nothing
    fails 1 "1 transition broke another rule" rbtool log --verify
    forge_deploy v1.1.0 v1.0.0 # but the next deploy has it
    fails 1 "1 transition broke another rule" rbtool log --verify
}

@test "status shows that the live release lacked approvals" {
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

@test "transitions with approvals, with --break-glass, and from before the policy are not reported" {
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

@test "a transition resumed under a newer policy is judged by the policy of its plan" {
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
    run -0 rbtool log --verify
    [[ $output == *"judged without policy version 2 (entry "*"says that it began before that was set"* ]]
    # but naming an old policy does not help one that began under the new one
    forge_deploy v1.1.0
    reported
}

# forge_approval NAME TAG: an approval of TAG for prod at the tip of the ledger, signed by NAME.
forge_approval() {
    local tip at
    tip=$(git rev-parse refs/rbtool/ledger)
    at=$(date +%s) # the entry's time and its commit's must be the same
    {
        printf 'approval %s for prod: read\n\n' "$2"
        jq -n -S --indent 2 --argjson at "$at" --arg tag "$2" --arg object "$(git rev-parse "$2")" \
            --arg ledger "$(git rev-list --max-parents=0 refs/rbtool/ledger)" \
            '{app: "shop", approval: {why: "read"}, at: $at, attachments: [], environment: "prod", kind: "approval",
              ledger: $ledger, object: $object, tag: $tag, type: "urn:rbtool:ledger:v1"}'
    } >"$BATS_TEST_TMPDIR/message"
    RBTOOL=0 git update-ref refs/rbtool/ledger "$(GIT_AUTHOR_DATE="@$at +0000" GIT_COMMITTER_DATE="@$at +0000" \
        git commit-tree "-S$KEYS/$1" -p "$tip" -F "$BATS_TEST_TMPDIR/message" 4b825dc642cb6eb9a060e54bf8d69288fbee4904)"
}

@test "log --verify reports an entry that a revoked key signed after the policy, and none from before" {
    live_under_policy
    as bob rbtool approve v1.1.0 --env prod
    policy "{$two,\"revoked\":[{\"key\":\"$(fingerprint bob)\",\"why\":\"laptop stolen\"}]}"
    rbtool log --verify
    forge_approval bob v1.1.0
    fails 1 "revoked: signed by bob@example.com with key $(fingerprint bob), which the policy had revoked before" \
        rbtool log --verify
    [[ $output == *"1 signed with a revoked key"* && $output != *" good: "* ]]
    rbtool log -n 1 | grep -q 'approval .*REVOKED KEY: for prod: read'
    [ "$(rbtool log --json | jq -sc '[.[] | select(.problems[].code == "revoked").entry.kind]')" = '["approval"]' ]
    rbtool log --json -n 1 | schema log
}

@test "log --verify accepts the merge by which a clone with the revoked key received the policy" {
    live_under_policy
    git init -q --bare "$BATS_TEST_TMPDIR/hub"
    git remote add origin "$BATS_TEST_TMPDIR/hub"
    git push -q --tags origin HEAD:refs/heads/main
    rbtool sync origin
    git clone -q -b main "$BATS_TEST_TMPDIR/hub" "$BATS_TEST_TMPDIR/bob"
    git -C "$BATS_TEST_TMPDIR/bob" config rbtool.root alice@example.com
    as bob rbtool -C "$BATS_TEST_TMPDIR/bob" sync
    as bob rbtool -C "$BATS_TEST_TMPDIR/bob" approve v1.1.0 --env prod
    policy "{$two,\"revoked\":[{\"key\":\"$(fingerprint bob)\",\"why\":\"laptop stolen\"}]}"
    rbtool sync origin
    as bob rbtool -C "$BATS_TEST_TMPDIR/bob" sync
    rbtool sync origin
    [ "$(git log -1 --format=%s refs/rbtool/ledger)" = merge ]
    rbtool log --verify
}

@test "log --verify in a clone with releases and without a ledger fails and names the command that fetches it" {
    git clone -q "$SHOP" "$BATS_TEST_TMPDIR/clone"
    cd "$BATS_TEST_TMPDIR/clone" || return
    fails 1 "2 releases are here and no ledger, so that nothing about them can be verified; fetch the ledger with \`rbtool sync --fetch\`" \
        rbtool log --verify
    [[ $output != *"--record"* ]]
    rbtool sync --fetch
    rbtool log --verify
}

@test "approve reports that no approval is needed if no policy requires one" {
    as bob rbtool approve v1.0.0 --env prod | grep -qF 'v1.0.0 to prod: no approval is needed to deploy'
}

@test "log --verify judges the release whose scripts a transition took, by what its entry records" {
    live_under_policy
    echo 1.2.0 >VERSION
    git commit -qam next
    rbtool release v1.2.0
    policy '{"environments":{"prod":{"approvals":{"deploy":1}}}}'
    as bob rbtool approve v1.1.0
    rbtool deploy v1.1.0 --yes
    fails 5 "--scripts-from: v1.2.0 needs 1 approval for prod and has 0" \
        rbtool revert v1.1.0 --to v1.0.0 --scripts-from v1.2.0 --yes
    rbtool revert v1.1.0 --to v1.0.0 --scripts-from v1.2.0 --yes --break-glass -m 'nobody answers'
    entry=$(git log -1 --format=%H --grep '^transition ' refs/rbtool/ledger)
    [ "$(rbtool log --json | jq -c --arg id "$entry" 'select(.id == $id).entry.transition | [.scriptsFrom, .scriptsFromObject]')" = \
        "[\"v1.2.0\",\"$(git rev-parse v1.2.0)\"]" ]
    rbtool log --json --kind transition -n 1 | schema log
    rbtool log --verify # the override excuses it
    forge_scripts v1.2.0
    fails 1 "--scripts-from: v1.2.0 had 0 of the 1 approval that the policy asked for then in prod, and no override excuses it" \
        rbtool log --verify
    reported
}
