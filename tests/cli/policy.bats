# Who may do what: roles, approvals, revoked keys, the one way past. Four people with keys of
# ssh-keygen's, and what people try who are not let in.

bats_require_minimum_version 1.5.0

load lib
load transition
load policy

setup_file() {
    policy_template
}

setup() {
    policy_shop
}

@test "without a root every action is allowed, and policy show reports it" {
    run rbtool policy show
    [[ $status -eq 0 && $output == *"rbtool.root is not set, so every allowed signer may do everything"* ]]
    rbtool policy show --json | schema policy-show
    as dave rbtool mark v1.0.0 good -m 'works here' --env prod
    fails 2 "not a name of an environment" rbtool mark v1.0.0 good -m 'why' --env 'a b'
    fails 2 "not a name of an environment" as bob rbtool approve v1.0.0 --env 'a b'
    fails 2 "a verdict needs a reason" rbtool mark v1.0.0 good
    rbtool deploy v1.0.0 --yes
    # A clone where the root was forgotten says what it does not see.
    policy "{$two}"
    git config --unset rbtool.root
    fails 2 "is signed by alice@example.com with key $(fingerprint alice): compare that with the team first, then run \`git config rbtool.root alice@example.com\`" \
        rbtool deploy v1.1.0 --yes
    settled_at v1.0.0
    run rbtool verify --all
    [[ $status -eq 0 && $output == *"no policy is in force here, though the ledger holds one"* ]]
    # So does one that has the root and not the ledger.
    git config rbtool.root alice@example.com
    git update-ref refs/ledger-elsewhere refs/rbtool/ledger
    RBTOOL=0 git update-ref -d refs/rbtool/ledger
    for command in 'verify --all' status 'show v1.0.0'; do
        # shellcheck disable=SC2086
        run rbtool $command
        [[ $status -eq 0 && $output == *"no policy is in force here: git config rbtool.root is set"* ]]
    done
    RBTOOL=0 git update-ref refs/rbtool/ledger refs/ledger-elsewhere
    [[ -z $(rbtool verify --all 2>&1 >/dev/null) ]]
    git config --unset rbtool.root
    echo '{}' >"$BATS_TEST_TMPDIR/p.json"
    fails 2 "git config rbtool.root PRINCIPAL" rbtool policy set "$BATS_TEST_TMPDIR/p.json"
}

@test "the root and then the role policy set policies, and policy show prints those in force" {
    git config rbtool.root 'alice@*'
    fails 2 "rbtool policy set FILE" rbtool deploy v1.0.0 --yes
    echo '{"roles":{"policy":["bob@example.com"],"mark":["carol@example.com"]}}' >"$BATS_TEST_TMPDIR/p.json"
    fails 1 "bob@example.com (key SHA256:" as bob rbtool policy set "$BATS_TEST_TMPDIR/p.json"
    rbtool policy set "$BATS_TEST_TMPDIR/p.json" -m 'first'
    [ "$(git log -1 --format=%s refs/rbtool/ledger)" = "policy version 1: first" ]
    git verify-commit refs/rbtool/ledger
    run rbtool policy show
    [[ $output == *"role mark         carol@example.com"* && $output == *"role approve      every allowed signer"* ]]
    fails 1 "in role policy are bob@example.com" rbtool policy set "$BATS_TEST_TMPDIR/p.json"
    fails 2 "is not the policy in force" as bob rbtool policy set "$BATS_TEST_TMPDIR/p.json" --over 00000000
    as bob rbtool policy set "$BATS_TEST_TMPDIR/p.json" -m again
    rbtool policy show --json >"$BATS_TEST_TMPDIR/show.json"
    schema policy-show <"$BATS_TEST_TMPDIR/show.json"
    [ "$(jq -c '.inForce[] | [.version, .signer]' "$BATS_TEST_TMPDIR/show.json")" = '[2,"bob@example.com"]' ]
    fails 1 "in role mark are carol@example.com" rbtool mark v1.0.0 good -m 'no say'
    as carol rbtool mark v1.0.0 good -m 'looked'
}

@test "policy set refuses an invalid policy and one that locks everyone out" {
    git config rbtool.root alice@example.com
    p=$BATS_TEST_TMPDIR/p.json
    echo '{"roles":{"aprove":[]}}' >"$p"
    fails 2 "approve" rbtool policy set "$p"
    echo '{"environments":{"prod":{"approvals":{"deploy":"two"}}}}' >"$p"
    fails 2 "environments.prod.approvals.deploy" rbtool policy set "$p"
    echo '{"roles":{"policy":["nobody@example.com"]}}' >"$p"
    fails 2 "nobody could set another" rbtool policy set "$p"
    printf '{"roles":{"policy":["alice@example.com"]},"revoked":[{"key":"%s"}]}' "$(fingerprint alice)" >"$p"
    fails 2 "nobody could set another" rbtool policy set "$p"
    echo '{}' >"$p"
    git config --global --unset user.signingKey
    fails 2 "a policy must be signed" rbtool policy set "$p"
    fails 2 "show\` or \`set FILE\`" rbtool policy get
    [ "$(git log --format=%s refs/rbtool/ledger | grep -c ^policy)" -eq 0 ]
}

@test "a deploy requires the approvals that the policy asks for, and prints the next command" {
    policy "{\"roles\":{\"approve\":[\"bob@*\",\"carol@*\",\"alice@*\"]},$two}"
    fails 5 "v1.0.0 needs 2 approvals for prod and has 0; bob@example.com or carol@example.com can give one: \`rbtool approve v1.0.0 --env prod\`, then \`rbtool sync\`" rbtool deploy v1.0.0 --yes
    run rbtool status --json
    [ "$(jq -r .state <<<"$output")" = empty ]
    fails 1 "not count: in role approve are bob@*" as dave rbtool approve v1.0.0
    fails 1 "signed by alice@example.com with this very key" rbtool approve v1.0.0
    run as bob rbtool approve v1.0.0 --env prod -m 'read the diff'
    [[ $status -eq 0 && $output == *"1 of 2 approvals"* && $output == *"rbtool sync"* ]]
    # once more, from the same person: nothing is written
    before=$(git rev-parse refs/rbtool/ledger)
    run as bob rbtool approve v1.0.0 --env prod -m again
    [[ $status -eq 0 && $output == *"another one by the same person changes nothing"* ]]
    as bob rbtool approve v1.0.0 --env prod --json | schema written
    [ "$(git rev-parse refs/rbtool/ledger)" = "$before" ]
    as bob rbtool approve v1.0.0 --json | jq -e '.outcome == "done"' # for any environment
    fails 5 "needs 2 approvals for prod and has 1 (bob@example.com); " rbtool deploy v1.0.0 --yes
    [ "$(rbtool deploy v1.0.0 --dry-run --json | jq -r '.decisions[].code')" = approvals ]
    as carol rbtool approve v1.0.0 --env stage # another place
    fails 5 "has 1" rbtool deploy v1.0.0 --yes
    as carol rbtool approve v1.0.0
    rbtool deploy v1.0.0 --yes
    settled_at v1.0.0
    # Another release has approvals of its own.
    fails 5 "needs 2 approvals for prod and has 0; " rbtool deploy v1.1.0 --yes
}

@test "mark prints its entry as JSON" {
    rbtool mark v1.0.0 good -m 'looked' --json >"$BATS_TEST_TMPDIR/doc"
    schema written <"$BATS_TEST_TMPDIR/doc"
    [ "$(jq -r .entry "$BATS_TEST_TMPDIR/doc")" = "$(git rev-parse refs/rbtool/ledger)" ]
}

@test "approvals of a revert are for its target release, and plan shows them" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    policy '{"environments":{"*":{"approvals":{"revert":1}}}}'
    [ "$(rbtool plan v1.1.0 --json | jq -r '.decisions[] | select(.code == "approvals") | .message + "; " + .hint')" = \
        "v1.0.0 needs 1 approval for a revert to it in prod and has 0; bob@example.com, carol@example.com or dave@example.com can give one: \`rbtool approve v1.0.0 --env prod\`, then \`rbtool sync\`" ]
    rbtool plan v1.1.0 --json | schema plan
    fails 5 "approve v1.0.0" rbtool revert v1.1.0 --yes
    as dave rbtool approve v1.0.0 --env prod
    # The runbook is for later: it names who may approve although none is missing.
    runbook=$(rbtool plan v1.1.0 --format markdown)
    [[ $runbook == *"- may approve: every allowed signer; a revert takes 1 approval: \`rbtool approve v1.0.0 --env prod\`, then \`rbtool sync\` there and here"* ]]
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
}

@test "a dry run exits with what missing approvals stop the run with, and writes nothing" {
    rbtool deploy v1.0.0 --yes
    policy '{"environments":{"prod":{"approvals":{"deploy":1,"revert":1}}}}'
    before=$(git rev-parse refs/rbtool/ledger)
    for command in "deploy v1.1.0 -n" "deploy v1.1.0 -n --yes"; do
        read -ra words <<<"$command"
        fails 5 "v1.1.0 needs 1 approval for prod and has 0" rbtool "${words[@]}"
    done
    fails 0 "deploy prod" rbtool deploy v1.1.0 -n --break-glass -m 'nobody can pay'
    [ "$(git rev-parse refs/rbtool/ledger)" = "$before" ]
    settled_at v1.0.0
    as bob rbtool approve v1.1.0 --env prod
    before=$(git rev-parse refs/rbtool/ledger)
    fails 0 "deploy prod" rbtool deploy v1.1.0 -n
    [ "$(git rev-parse refs/rbtool/ledger)" = "$before" ]
    rbtool deploy v1.1.0 --yes
    for command in "revert v1.1.0 -n" "revert v1.1.0 -n --yes" "plan v1.1.0"; do
        read -ra words <<<"$command"
        fails 5 "v1.0.0 needs 1 approval for a revert to it in prod and has 0" rbtool "${words[@]}"
    done
    as bob rbtool approve v1.0.0 --env prod
    fails 0 "revert prod" rbtool revert v1.1.0 -n
    settled_at v1.1.0
}

@test "two names with one key, or two keys with one name, count as one person" {
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$HOME/bob2"
    {
        printf 'bob@example.com %s\n' "$(cut -d' ' -f1,2 "$HOME/bob2.pub")"
        printf 'robert@example.com,bobby@example.com %s\n' "$(cut -d' ' -f1,2 "$HOME/bob2.pub")"
        printf 'alice@example.com %s\n' "$(cut -d' ' -f1,2 "$KEYS/mallory.pub")"
    } >>"$HOME/allowed"
    policy "{$two}"
    as bob rbtool approve v1.0.0
    rbtool approve v1.0.0 --key "$HOME/bob2"
    fails 5 "has 1" rbtool deploy v1.0.0 --yes
    fails 1 "with another key of yours" as mallory rbtool approve v1.0.0
    as carol rbtool approve v1.0.0
    rbtool deploy v1.0.0 --yes
}

@test "an approval is valid for one tag object and one application" {
    policy '{"environments":{"prod":{"approvals":{"deploy":1}}}}'
    echo 1.2.0 >VERSION
    git commit -qam 1.2.0
    rbtool release v1.2.0
    as bob rbtool approve v1.2.0
    approval=$(git rev-parse refs/rbtool/ledger)
    git tag -d v1.2.0 >/dev/null
    rbtool release v1.2.0 -m 'the same commit, another object'
    fails 5 "needs 1 approval for prod and has 0; " rbtool deploy v1.2.0 --yes
    # The old approval's words again, for the new object: by nobody, then by someone of no role.
    object=$(git rev-parse v1.2.0)
    git cat-file commit "$approval" | sed '1,/^$/d' | sed -E "s/\"object\": \"[0-9a-f]+\"/\"object\": \"$object\"/" >"$BATS_TEST_TMPDIR/words"
    at=$(grep -oE '"at": [0-9]+' "$BATS_TEST_TMPDIR/words" | cut -d' ' -f2)
    for sign in '' "-S$KEYS/mallory"; do
        # shellcheck disable=SC2086 # no word at all when it is empty
        new=$(GIT_COMMITTER_DATE="$at +0000" git commit-tree $sign -p refs/rbtool/ledger \
            -F "$BATS_TEST_TMPDIR/words" "$(git rev-parse "refs/rbtool/ledger^{tree}")")
        git update-ref refs/rbtool/ledger "$new"
        fails 5 "has 0" rbtool deploy v1.2.0 --yes
    done
    # Signed by one in the role, but about another application.
    sed -i 's/"app": "shop"/"app": "bank"/' "$BATS_TEST_TMPDIR/words"
    new=$(GIT_COMMITTER_DATE="$at +0000" git commit-tree "-S$KEYS/bob" -p refs/rbtool/ledger \
        -F "$BATS_TEST_TMPDIR/words" "$(git rev-parse "refs/rbtool/ledger^{tree}")")
    git update-ref refs/rbtool/ledger "$new"
    run rbtool deploy v1.2.0 --yes
    [ "$status" -ne 0 ]
    [ ! -e "$PROD/current" ]
}

@test "--break-glass bypasses approvals with a reason that remains visible" {
    policy "{\"roles\":{\"accept-loss\":[\"bob@example.com\"]},$two}"
    fails 2 "needs a reason" rbtool deploy v1.0.0 --yes --break-glass
    run rbtool deploy v1.0.0 --yes --break-glass -m 'nobody can pay'
    [[ $status -eq 0 && $output == *"BREAK-GLASS"* ]]
    settled_at v1.0.0
    entry=$(git log --format=%H --grep '^override v1.0.0 approvals for prod: nobody can pay' refs/rbtool/ledger)
    git verify-commit "$entry"
    [ "$(git cat-file commit "$entry" | sed '1,/^{/{/^{/!d}' | jq -c '[.kind, .environment, .override.rule, .override.why, .override.transition != null]')" = \
        '["override","prod","approvals","nobody can pay",true]' ]
    # It is no key to the next one, and writes nothing where it is not needed.
    fails 5 "needs 2 approvals" rbtool deploy v1.1.0 --yes
    as bob rbtool approve v1.1.0
    as carol rbtool approve v1.1.0
    before=$(git log --format=%s refs/rbtool/ledger | grep -c ^override)
    run rbtool deploy v1.1.0 --yes --break-glass -m 'just in case'
    [[ $status -eq 0 && $output == *"was not needed"* ]]
    [ "$(git log --format=%s refs/rbtool/ledger | grep -c ^override)" -eq "$before" ]
}

@test "the role accept-loss accepts data loss, unless --break-glass is given" {
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    sql 'INSERT INTO orders VALUES (1, 5, 7)'
    policy '{"roles":{"accept-loss":["bob@example.com"]}}'
    d=$(digest v1.1.0)
    rbtool plan v1.1.0 | grep -q 'who agrees to this digest has to be in role accept-loss: bob@example.com'
    fails 5 "--accept-data-loss ${d:0:12}" rbtool revert v1.1.0 --yes --break-glass -m 'go'
    fails 5 "key in role accept-loss (bob@example.com): not that of alice@example.com" \
        rbtool revert v1.1.0 --yes --accept-data-loss "$d"
    git config --global --unset user.signingKey
    fails 5 "user.signingKey" rbtool revert v1.1.0 --yes --accept-data-loss "$d"
    settled_at v1.1.0
    git config --global user.signingKey "$KEYS/alice"
    policy '{"roles":{"accept-loss":["bob@example.com"]},"environments":{"prod":{"approvals":{"revert":1}}}}'
    d=$(digest v1.1.0)
    fails 5 "v1.0.0 needs 1 approval" rbtool revert v1.1.0 --yes --accept-data-loss "$d"
    run rbtool revert v1.1.0 --yes --accept-data-loss "$d" --break-glass -m 'nobody answers'
    [[ $status -eq 0 && $output == *"without its approvals, role accept-loss: nobody answers"* ]]
    settled_at v1.0.0
    [ "$(git log --format=%s refs/rbtool/ledger | grep '^override' | sort | cut -d: -f1 | paste -sd,)" = \
        'override v1.0.0 accept-loss for prod,override v1.0.0 approvals for prod' ]
}

@test "a host without a key is refused before any change if entries must be signed" {
    policy '{"environments":{"prod":{"signed":true}}}'
    git config --global --unset user.signingKey
    fails 2 "the policy wants signed entries for prod" rbtool deploy v1.0.0 --yes
    [ ! -e "$PROD/current" ] && [ ! -e "$PROD/data/shop.db" ]
    git config --global user.signingKey "$KEYS/mallory"
    fails 2 "this host cannot write them" rbtool deploy v1.0.0 --yes --break-glass -m 'now'
    git config --global user.signingKey "$KEYS/dave"
    rbtool deploy v1.0.0 --yes
}

@test "a release is judged by its signer's role when it was first seen" {
    policy '{"roles":{"release":["alice@example.com"],"policy":["alice@example.com"]}}'
    echo 1.2.0 >VERSION
    git commit -qam 1.2.0
    fails 1 "may not release: in role release are alice@example.com; ask one of them; nothing was made" as dave rbtool release v1.2.0
    run git rev-parse -q --verify v1.2.0
    [ "$status" -ne 0 ]
    as dave rbtool release --dry-run v1.2.0
    lawless as dave rbtool release v1.2.0
    fails 1 "dave@example.com, who was not in role release" rbtool deploy v1.2.0 --yes
    [ "$(codes v1.2.0)" = role ]
    fails 1 "not in role release" rbtool approve v1.2.0
    fails 1 "not in role release" rbtool mark v1.2.0 good -m 'mine'
    rbtool mark v1.2.0 bad -m 'not by us'
    # Alice leaves; what the ledger saw before stays good, what comes after is not.
    policy '{"roles":{"release":["bob@example.com"],"policy":["bob@example.com"]}}'
    rbtool deploy v1.1.0 --yes
    echo 1.3.0 >VERSION
    git commit -qam 1.3.0
    lawless rbtool release v1.3.0
    fails 1 "alice@example.com, who was not in role release" rbtool deploy v1.3.0 --yes
    fails 1 "not in role release" rbtool deploy v1.3.0 --dry-run
}

@test "after a key is revoked, its earlier releases and entries count, and its new ones do not" {
    policy "{\"roles\":{\"policy\":[\"alice@example.com\"]},$two}"
    echo 1.2.0 >VERSION
    git commit -qam 1.2.0
    as dave rbtool release v1.2.0
    as bob rbtool approve v1.2.0
    as dave rbtool approve v1.0.0
    as dave rbtool mark v1.0.0 good -m 'fine'
    policy "{\"roles\":{\"policy\":[\"alice@example.com\"]},$two,\"revoked\":[{\"key\":\"$(fingerprint dave)\",\"why\":\"laptop stolen\"}]}"
    run rbtool policy show
    [[ $output == *"revoked $(fingerprint dave): laptop stolen"* ]]
    # Known from before, by bob's word.
    fails 5 "needs 2 approvals for prod and has 1 (bob@example.com); " rbtool deploy v1.2.0 --yes
    # The thief's own.
    echo 1.3.0 >VERSION
    git commit -qam 1.3.0
    fails 1 "may not release: the policy revokes this key" as dave rbtool release v1.3.0
    lawless as dave rbtool release v1.3.0
    fails 1 "which the policy revokes" rbtool deploy v1.3.0 --yes
    [ "$(codes v1.3.0)" = revoked ]
    rbtool verify v1.2.0
    fails 1 "would not count: the policy revokes this key; sign with another one" as dave rbtool approve v1.1.0
    # What it said before that stands.
    fails 5 "has 1 (dave@example.com)" rbtool deploy v1.0.0 --yes
}

@test "a backdated tag by an expired key is refused unless a witness's entry confirms its date" {
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$HOME/old"
    printf 'old@example.com valid-before="20260101Z" %s\n' "$(cut -d' ' -f1,2 "$HOME/old.pub")" >>"$HOME/allowed"
    policy '{"roles":{"witness":["carol@example.com"]}}'
    echo 1.2.0 >VERSION
    git commit -qam 1.2.0
    GIT_COMMITTER_DATE='2025-06-01T00:00:00Z' rbtool release v1.2.0 --key "$HOME/old"
    git -c gpg.ssh.program=ssh-keygen verify-tag v1.2.0
    [ "$(codes v1.2.0)" = backdated ]
    fails 1 "when the validity of key" rbtool deploy v1.2.0 --yes
    # Somebody's word from then makes it good.
    GIT_COMMITTER_DATE='2025-07-01T00:00:00Z' as bob rbtool mark v1.2.0 bad -m 'slow' || true
    GIT_COMMITTER_DATE='2025-07-01T00:00:00Z' as carol rbtool mark v1.2.0 good -m 'seen then'
    rbtool deploy v1.2.0 --yes
}

@test "neither a revert nor a release changes the policy" {
    policy '{"roles":{"policy":["alice@example.com"]}}'
    rbtool deploy v1.0.0 --yes
    echo 1.2.0 >VERSION
    printf '{"roles":{"policy":["*"]},"environments":{"prod":{"approvals":{"deploy":0}}}}' >policy.json
    mkdir -p .rbtool && cp policy.json .rbtool/
    git add -A && git commit -qm 1.2.0
    rbtool release v1.2.0
    rbtool deploy v1.2.0 --yes
    policy "{\"roles\":{\"policy\":[\"alice@example.com\"]},$two}"
    rbtool revert v1.2.0 --yes
    settled_at v1.0.0
    [ "$(rbtool policy show --json | jq -c '[.inForce[].version]')" = '[2]' ]
    fails 5 "needs 2 approvals" rbtool deploy v1.1.0 --yes
    git checkout -q v1.2.0
    fails 5 "needs 2 approvals" rbtool deploy v1.1.0 --yes
}

@test "concurrent policies are in force together until a later policy replaces them" {
    policy "{\"roles\":{\"policy\":[\"alice@example.com\",\"bob@example.com\"]}}"
    base=$(git rev-parse refs/rbtool/ledger)
    policy "{\"roles\":{\"policy\":[\"alice@example.com\",\"bob@example.com\"]},$two}"
    one=$(git rev-parse refs/rbtool/ledger)
    git update-ref refs/rbtool/ledger "$base"
    echo '{"roles":{"mark":["bob@example.com"]}}' >"$BATS_TEST_TMPDIR/p.json"
    as bob rbtool policy set "$BATS_TEST_TMPDIR/p.json"
    other=$(git rev-parse refs/rbtool/ledger)
    # A merge entry, as sync writes it.
    now=$(date +%s)
    printf 'merge\n\n' >"$BATS_TEST_TMPDIR/merge"
    jq -nS --indent 2 --argjson at "$now" --arg first "$(git config rbtool.ledger)" '{ledger: $first, type: "urn:rbtool:ledger:v1", app: "shop", at: $at, attachments: [],
        environment: null, kind: "merge", merge: {}, object: null, tag: null}' >>"$BATS_TEST_TMPDIR/merge"
    merge=$(GIT_COMMITTER_DATE="$now +0000" git commit-tree "-S$KEYS/alice" -p "$one" -p "$other" \
        -F "$BATS_TEST_TMPDIR/merge" "$(git hash-object -t tree /dev/null)")
    git update-ref refs/rbtool/ledger "$merge"
    run rbtool policy show
    [[ $output == *"2 policies were set at the same time"* ]]
    fails 5 "needs 2 approvals" rbtool deploy v1.0.0 --yes
    fails 1 "in role mark are" rbtool mark v1.0.0 bad -m 'no say in one of them'
    fails 5 "--over ID" rbtool policy set "$BATS_TEST_TMPDIR/policy.json"
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" --over "${one:0:10}"
    run rbtool policy show
    [[ $output == *"policy version 3"* && $output != *"at the same time"* ]]
    rbtool mark v1.0.0 bad -m 'has a say again'
}

# Two clones of one repository, a bare one between them; the shop is one of the two.
clones() {
    git clone -q --bare . "$BATS_TEST_TMPDIR/hub.git"
    git remote add origin "$BATS_TEST_TMPDIR/hub.git"
    git push -q origin 'refs/rbtool/*:refs/rbtool/*'
    rbtool sync
    git clone -q "$BATS_TEST_TMPDIR/hub.git" "$BATS_TEST_TMPDIR/other"
    git -C "$BATS_TEST_TMPDIR/other" config rbtool.root alice@example.com
    git -C "$BATS_TEST_TMPDIR/other" config rbtool.app shop
    rbtool -C "$BATS_TEST_TMPDIR/other" sync
}

other() {
    rbtool -C "$BATS_TEST_TMPDIR/other" "$@"
}

@test "a removed person gains nothing from a ledger forked before the removal, in any clone" {
    policy "{\"roles\":{\"policy\":[\"alice@example.com\",\"dave@example.com\"]},$two}"
    clones
    policy "{\"roles\":{\"policy\":[\"alice@example.com\"],\"approve\":[\"bob@*\",\"carol@*\"]},$two}"
    # Dave has not fetched that, and lets himself in for good.
    echo '{"roles":{"policy":["dave@example.com"]}}' >"$BATS_TEST_TMPDIR/p.json"
    as dave other policy set "$BATS_TEST_TMPDIR/p.json"
    echo '{"roles":{"policy":["dave@example.com"],"approve":["dave@*"]}}' >"$BATS_TEST_TMPDIR/p.json"
    as dave other policy set "$BATS_TEST_TMPDIR/p.json"
    as dave other approve v1.0.0
    as dave other sync
    rbtool sync
    other sync
    for dir in "$SHOP" "$BATS_TEST_TMPDIR/other"; do
        rbtool -C "$dir" policy show --json >"$BATS_TEST_TMPDIR/show.json"
        [ "$(jq -c '[.inForce[] | [.version, .signer]]' "$BATS_TEST_TMPDIR/show.json")" = '[[2,"alice@example.com"]]' ]
    done
    fails 5 "needs 2 approvals for prod and has 0, and 1 that do not count" rbtool deploy v1.0.0 --yes
    fails 1 "in role policy are alice@example.com" as dave other policy set "$BATS_TEST_TMPDIR/p.json"
    as bob other approve v1.0.0
    as carol rbtool approve v1.0.0
    other sync
    rbtool sync
    rbtool deploy v1.0.0 --yes
}

@test "entries by a revoked key in a ledger forked before the revocation do not count" {
    policy "{\"roles\":{\"policy\":[\"alice@example.com\"]},$two}"
    clones
    policy "{\"roles\":{\"policy\":[\"alice@example.com\"]},$two,\"revoked\":[{\"key\":\"$(fingerprint dave)\"}]}"
    as dave other approve v1.0.0
    as dave other mark v1.0.0 bad -m 'never again'
    as dave other sync
    rbtool sync
    fails 5 "has 0, and 1 that do not count" rbtool deploy v1.0.0 --yes
    policy "{\"roles\":{\"policy\":[\"alice@example.com\"]},\"revoked\":[{\"key\":\"$(fingerprint dave)\"}]}"
    rbtool deploy v1.0.0 --yes # nor is the verdict
}

@test "entries that a replaced key signed stay valid, also if witnesses are named" {
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$HOME/new"
    policy '{"roles":{"policy":["alice@example.com"],"witness":["carol@example.com"]}}'
    as bob rbtool mark v1.0.0 good -m 'looked' # on top of the release's own entry, before the end
    end=$(($(date +%s) + 1))
    sed -i "s|^alice@example.com |alice@example.com valid-before=\"$(date -u +%Y%m%d%H%M%SZ -d @$end)\" |" "$HOME/allowed"
    printf 'alice@example.com %s\n' "$(cut -d' ' -f1,2 "$HOME/new.pub")" >>"$HOME/allowed"
    is_over() { [ "$(date +%s)" -gt "$end" ]; }
    wait_for is_over
    fails 2 "key" rbtool mark v1.1.0 good -m 'with the old key'
    git config --global user.signingKey "$HOME/new"
    rbtool mark v1.1.0 good -m 'with the new one'
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    fails 1 "with another key of yours" rbtool approve v1.1.0
    rbtool policy show | grep -q 'policy version 1'
    echo 1.2.0 >VERSION
    git commit -qam 1.2.0
    GIT_COMMITTER_DATE="$(date +%s -d '-1 hour') +0000" rbtool release v1.2.0 --key "$KEYS/alice"
    fails 1 "nobody else saw it before that" rbtool deploy v1.2.0 --yes
}

@test "policies that are set by processes at the same time get consecutive versions" {
    policy '{"roles":{"policy":["alice@example.com"]}}'
    for _ in 1 2 3 4; do
        rbtool policy set "$BATS_TEST_TMPDIR/policy.json" &
    done
    wait
    rbtool policy show --json >"$BATS_TEST_TMPDIR/show.json"
    [ "$(jq -c '[[.inForce[].version], .problems]' "$BATS_TEST_TMPDIR/show.json")" = '[[5],[]]' ]
    git fsck --strict
}

@test "revert skips a release whose signer is not allowed" {
    rbtool deploy v1.0.0 --yes
    echo 1.2.0 >VERSION
    git commit -qam 1.2.0
    as dave rbtool release v1.2.0
    as dave rbtool deploy v1.2.0 --yes # the entry by another would vouch for it
    echo 1.3.0 >VERSION
    git commit -qam 1.3.0
    rbtool release v1.3.0
    rbtool deploy v1.3.0 --yes
    [ "$(rbtool plan v1.3.0 --json | jq -r .to)" = v1.2.0 ]
    policy "{\"revoked\":[{\"key\":\"$(fingerprint dave)\"}]}"
    [ "$(rbtool plan v1.3.0 --json | jq -r .to)" = v1.0.0 ]
    fails 1 "which the policy revokes" rbtool revert v1.3.0 --to v1.2.0 --yes
    fails 1 "which the policy revokes" rbtool plan v1.3.0 --to v1.2.0
}

@test "the role accept-loss must accept the data loss of an abort too" {
    rbtool deploy v1.0.0 --yes
    policy '{"roles":{"accept-loss":["bob@example.com"]}}'
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -ne 0 ]
    sql 'INSERT INTO orders VALUES (1, 5, 7)'
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" abort --yes --json
    [ "$status" -eq 5 ]
    d=$(grep '^{' <<<"$output" | jq -r .digest)
    fails 5 "key in role accept-loss (bob@example.com): not that of alice@example.com" \
        rbtool --config "$BATS_TEST_TMPDIR/killing.json" abort --yes --accept-data-loss "$d"
    as bob rbtool --config "$BATS_TEST_TMPDIR/killing.json" abort --yes --accept-data-loss "$d"
    settled_at v1.0.0
}

@test "a security key is touched once for each entry written" {
    local touched=$BATS_TEST_TMPDIR/touched
    mkdir "$BATS_TEST_TMPDIR/token"
    cp "$KEYS/alice.pub" "$KEYS/bob.pub" "$BATS_TEST_TMPDIR/token"
    # git's way to ask a device: it is given the public key's file, and the device has the rest.
    printf '#!/bin/sh\necho "$6" >>%s\nexec ssh-keygen -Y sign -n "$4" -f %s/"$(basename "$6" .pub)" "$7"\n' \
        "$touched" "$KEYS" >"$BATS_TEST_TMPDIR/device"
    chmod +x "$BATS_TEST_TMPDIR/device"
    touches() { # N COMMAND...
        rm -f "$touched"
        "${@:2}" || return
        [ "$(wc -l <"$touched")" = "$1" ] || { cat "$touched" && return 1; }
    }
    policy '{ "environments": { "prod": { "approvals": { "deploy": 1 } } } }'
    git config --global gpg.ssh.program "$BATS_TEST_TMPDIR/device"
    git config --global user.signingKey "$BATS_TEST_TMPDIR/token/alice.pub"
    echo '{ "roles": { "release": ["alice@example.com"], "mark": ["alice@example.com"] } }' >"$BATS_TEST_TMPDIR/p.json"
    touches 1 rbtool policy set "$BATS_TEST_TMPDIR/p.json" -m again
    touches 1 rbtool mark v1.0.0 good -m seen
    echo 1.2.0 >VERSION && git commit -qam four
    touches 2 rbtool release v1.2.0 # the tag, and its entry
    git -c gpg.ssh.program=ssh-keygen verify-tag v1.2.0
    git config --global user.signingKey "$BATS_TEST_TMPDIR/token/bob.pub"
    touches 1 rbtool approve v1.2.0 -m read
    # Who may not is refused by the key alone, and is not asked to touch anything.
    rm -f "$touched"
    fails 1 'a verdict by bob@example.com' rbtool mark v1.2.0 bad -m no
    fails 1 'may not release' rbtool release v1.3.0
    [ ! -e "$touched" ]
    git -c gpg.ssh.program=ssh-keygen log --format="%G? %s" -4 refs/rbtool/ledger >"$BATS_TEST_TMPDIR/last"
    grep -c "^G " "$BATS_TEST_TMPDIR/last" | grep -qx 4
}

@test "log --verify without a root says that policies are not judged, and exits 0" {
    policy '{"roles":{"policy":["alice@example.com"]}}'
    git config --unset-all rbtool.root
    run -0 rbtool log --verify
    [[ $output == *"of them sets a policy, which is not judged here: git config rbtool.root is not set"* ]]
}

@test "a release that was never live needs a deploy's approvals, whichever command deploys it" {
    live_under_policy
    echo 1.2.0 >VERSION
    git commit -qam next
    rbtool release v1.2.0
    fails 5 "v1.1.0 needs 2 approvals for prod and has 0" rbtool revert v1.0.0 --to v1.1.0 --yes
    as bob rbtool approve v1.1.0
    as carol rbtool approve v1.1.0
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes # was live here: a revert's
    settled_at v1.0.0
    rbtool mark v1.1.0 good -m looked
    # Scripts of a third release take its approvals.
    rbtool deploy v1.1.0 --yes
    fails 5 "--scripts-from: v1.2.0 needs 2 approvals for prod and has 0" \
        rbtool revert v1.1.0 --to v1.0.0 --scripts-from v1.2.0 --yes
    settled_at v1.1.0
}

@test "an abort after the commit needs a revert's approvals, and stays half-way without them" {
    rbtool deploy v1.0.0 --yes
    policy '{"environments":{"prod":{"approvals":{"revert":1}}}}'
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    fails 5 "v1.0.0 needs 1 approval for a revert to it in prod and has 0; bob@example.com" rbtool abort --yes
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    as bob rbtool approve v1.0.0 --env prod
    rbtool abort --yes
    settled_at v1.0.0
}

@test "an abort after the commit accepts --break-glass with a reason that is recorded" {
    rbtool deploy v1.0.0 --yes
    policy '{"environments":{"prod":{"approvals":{"revert":1}}}}'
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    fails 2 "needs a reason" rbtool abort --yes --break-glass
    run rbtool abort --yes --break-glass -m 'shop is down'
    [[ $status -eq 0 && $output == *"BREAK-GLASS"* ]]
    settled_at v1.0.0
    [ "$(git log --format=%s refs/rbtool/ledger | grep -c '^override v1.0.0 approvals for prod: shop is down')" -eq 1 ]
}

@test "a policy's environment refuses transitions without the ledger, with an older one or another root" {
    live_under_policy
    old=$(git rev-parse refs/rbtool/ledger~1)
    newest=$(git rev-parse refs/rbtool/ledger)
    as bob rbtool approve v1.1.0
    as carol rbtool approve v1.1.0
    rbtool deploy v1.1.0 --yes
    now=$(git rev-parse refs/rbtool/ledger)
    moves() { # TEXT: every way is refused with it
        fails 2 "$1" rbtool deploy v1.0.0 --yes
        fails 2 "$1" rbtool revert v1.1.0 --yes
        fails 2 "$1" rbtool revert v1.1.0 --yes --break-glass -m 'all the same'
        fails 2 "$1" env RBTOOL=0 rbtool deploy v1.0.0 --yes
        settled_at v1.1.0
    }
    # no ledger
    RBTOOL=0 git update-ref -d refs/rbtool/ledger
    moves "rbtool sync"
    git config --unset rbtool.root
    moves "rbtool sync"
    # an older one, before the policy that is pinned
    RBTOOL=0 git update-ref refs/rbtool/ledger "$old"
    git config rbtool.root alice@example.com
    [ "$old" != "$newest" ]
    moves "rbtool sync"
    # the ledger, and no root
    RBTOOL=0 git update-ref refs/rbtool/ledger "$now"
    git config --unset rbtool.root
    moves "git config rbtool.root alice@example.com"
    # a root of one's own, with a policy of one's own
    git config rbtool.root dave@example.com
    echo '{"environments":{"prod":{"approvals":{"deploy":0}}}}' >"$BATS_TEST_TMPDIR/p.json"
    as dave rbtool policy set "$BATS_TEST_TMPDIR/p.json" -m mine
    moves "not the root that prod is bound to (alice@example.com)"
    # state.db is gone: the database knows
    mv "$PROD/.rbtool/state.db" "$BATS_TEST_TMPDIR"
    fails 2 "not the root that prod is bound to" rbtool deploy v1.0.0 --yes
    mv "$BATS_TEST_TMPDIR/state.db" "$PROD/.rbtool"
    git config rbtool.root alice@example.com
    RBTOOL=0 git update-ref refs/rbtool/ledger "$now"
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
}

@test "a clone without a ledger refuses transitions when its remote has one" {
    policy '{"environments":{"prod":{"approvals":{"deploy":0}}}}'
    clones
    RBTOOL=0 git update-ref -d refs/rbtool/ledger
    git config --unset rbtool.root
    fails 2 "its remote origin has one; nothing was changed; fetch it with \`rbtool sync\`" rbtool deploy v1.0.0 --yes
    git config rbtool.root alice@example.com
    RBTOOL=0 git update-ref -d refs/rbtool/remotes/origin/ledger
    rbtool sync
    rbtool deploy v1.0.0 --yes
    settled_at v1.0.0
}

@test "a root is replaced by a new one that the old one allowed" {
    policy '{"roles":{"policy":["alice@example.com"]}}'
    rbtool deploy v1.0.0 --yes
    policy '{"roles":{"policy":["alice@example.com","bob@example.com"]}}'
    echo '{"roles":{"policy":["bob@example.com"]}}' >"$BATS_TEST_TMPDIR/p.json"
    as bob rbtool policy set "$BATS_TEST_TMPDIR/p.json" -m 'alice leaves'
    git config rbtool.root bob@example.com
    [ "$(rbtool policy show --json | jq -c '[.inForce[] | [.version, .signer]]')" = '[[3,"bob@example.com"]]' ]
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
    # now it is bound to bob
    git config rbtool.root carol@example.com
    fails 2 "(bob@example.com)" rbtool revert v1.1.0 --yes
}

@test "a root cannot be added or replaced by one that set no policy under the pinned root" {
    policy '{"roles":{"policy":["alice@example.com"]}}'
    rbtool deploy v1.0.0 --yes
    for root in dave@example.com 'a*' '*' "$(fingerprint dave)"; do
        git config --add rbtool.root "$root"
        fails 2 "not the root that prod is bound to (alice@example.com)" rbtool deploy v1.1.0 --yes
        git config --replace-all rbtool.root alice@example.com
    done
    git config rbtool.root "$(fingerprint alice)" # the same person's key, from then on pinned
    rbtool deploy v1.1.0 --yes
    git config rbtool.root alice@example.com
    fails 2 "not the root that prod is bound to (SHA256:" rbtool revert v1.1.0 --yes
    settled_at v1.1.0
}

@test "a role and a root that name keys cannot be acted for with a signers file of the operator's own" {
    git config rbtool.root "$(fingerprint alice)"
    printf '{"roles":{"approve":["%s"],"accept-loss":["%s"],"policy":["%s"]},"environments":{"prod":{"approvals":{"deploy":1}}}}' \
        "$(fingerprint bob)" "$(fingerprint bob)" "$(fingerprint alice)" >"$BATS_TEST_TMPDIR/p.json"
    rbtool policy set "$BATS_TEST_TMPDIR/p.json" -m 'by key'
    honest=$(git rev-parse refs/rbtool/ledger)
    as bob rbtool approve v1.0.0 --env prod
    rbtool deploy v1.0.0 --yes
    # the operator's file says that mallory's key is bob's, and gives it the name of bob's key
    cp "$HOME/allowed" "$HOME/own"
    for who in bob@example.com "$(fingerprint bob)"; do
        printf '%s %s\n' "$who" "$(cut -d' ' -f1,2 "$KEYS/mallory.pub")" >>"$HOME/own"
    done
    git config gpg.ssh.allowedSignersFile "$HOME/own"
    fails 1 "would not count: in role approve are SHA256:" as mallory rbtool approve v1.1.0 --env prod
    # written all the same, where no policy is seen
    git config --unset rbtool.root
    as mallory rbtool approve v1.1.0 --env prod
    git config rbtool.root "$(fingerprint alice)"
    fails 5 "needs 1 approval for prod and has 0, and 1 that do not count" rbtool deploy v1.1.0 --yes
    printf 'alice@example.com %s\n' "$(cut -d' ' -f1,2 "$KEYS/mallory.pub")" >>"$HOME/own"
    fails 1 "may not set a policy" as mallory rbtool policy set "$BATS_TEST_TMPDIR/p.json"
    # a policy of their own beside the real one, which their root then settles
    real=$(git rev-parse refs/rbtool/ledger)
    git config rbtool.root alice@example.com
    RBTOOL=0 git update-ref refs/rbtool/ledger "$honest~1"
    echo '{}' >"$BATS_TEST_TMPDIR/own.json"
    as mallory rbtool policy set "$BATS_TEST_TMPDIR/own.json" -m mine
    own=$(git rev-parse refs/rbtool/ledger)
    git init -q --bare "$BATS_TEST_TMPDIR/other.git"
    git -C "$BATS_TEST_TMPDIR/other.git" fetch -q "$SHOP" "$real:refs/rbtool/ledger"
    git remote add other "$BATS_TEST_TMPDIR/other.git"
    as mallory rbtool sync other
    [ "$(rbtool policy show --json | jq '.inForce | length')" -eq 2 ]
    as mallory rbtool policy set "$BATS_TEST_TMPDIR/own.json" --over "${own:0:12}" -m settled
    [ "$(rbtool policy show --json | jq -c '.inForce[0].policy')" = '{}' ]
    fails 2 "not the root that prod is bound to (SHA256:" rbtool deploy v1.1.0 --yes
    git config rbtool.root "$(fingerprint alice)"
    fails 5 "needs 1 approval for prod and has 0" rbtool deploy v1.1.0 --yes
    settled_at v1.0.0
    as bob rbtool approve v1.1.0 --env prod
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
}

@test "renaming an environment out of its policy needs a reason that is recorded and shown" {
    live_under_policy
    settings '.environments = {shop: .environments.prod}'
    other() {
        rbtool --config "$SETTINGS" "$@"
    }
    fails 5 "was recorded on this host as environment prod" other deploy v1.1.0 --yes
    fails 2 "so that the rules for prod would not apply; nothing was changed; say why with -m WHY" other env trust --yes
    # who cannot sign it, who lacks the ledger, and who has another root may not
    git config --unset user.signingKey || true
    key=$(git config --global user.signingKey)
    git config --global --unset user.signingKey
    fails 2 "a policy is in force for prod, and the override that records this must be signed" other env trust --yes -m why
    git config --global user.signingKey "$key"
    git config --unset rbtool.root
    fails 2 "git config rbtool.root does not say here" other env trust --yes -m why
    git config rbtool.root alice@example.com
    fails 5 "as environment prod" other deploy v1.1.0 --yes
    other env trust --yes -m 'prod was renamed'
    [ "$(git log -1 --format=%s refs/rbtool/ledger)" = "override v1.0.0 environment for shop: shop was prod before: prod was renamed" ]
    rbtool log --json -n 1 | schema log
    [ "$(rbtool log --json -n 1 | jq -c '.entry.override | [.rule, .why, .environment]')" = '["environment","prod was renamed","prod"]' ]
    rbtool log | grep -q 'OVERRIDE .*PAST THE RULES: environment for shop'
    rbtool list | grep -q 'v1.0.0 .*(OVERRIDE)'
    other status | grep -q 'OVERRIDE    environment in shop by alice@example.com: prod was renamed'
    other deploy v1.1.0 --yes
    # what was live under the old name was live here
    policy '{"environments":{"*":{"approvals":{"deploy":2}}}}'
    other revert v1.1.0 --yes
    rbtool log --verify
}

@test "changed settings under the same environment name need no ledger entry" {
    live_under_policy
    before=$(git rev-parse refs/rbtool/ledger)
    jq '.environments.prod.keep = 7' rbtool.json >new.json
    mv new.json rbtool.json
    fails 0 "was not needed and is not recorded" rbtool env trust --yes -m 'keep more'
    [ "$(git rev-parse refs/rbtool/ledger)" = "$before" ]
}

@test "a ledger that a transition creates is pinned in the same transition" {
    git update-ref -d refs/rbtool/ledger
    git config --unset rbtool.ledger
    rbtool deploy v1.0.0 --yes
    [ "$(sqlite3 "$PROD/.rbtool/state.db" "SELECT value FROM pin WHERE name = 'ledger'")" = \
        "$(git rev-list --max-parents=0 refs/rbtool/ledger)" ]
    git update-ref -d refs/rbtool/ledger
    git config --unset rbtool.ledger
    fails 2 "this clone has no ledger, and prod is bound to one" rbtool deploy v1.1.0 --yes
}

@test "a copy of a database is not bound to the ledger and root of the one it was copied from" {
    live_under_policy
    git clone -q . "$BATS_TEST_TMPDIR/apart"
    cp "$PROD/data/shop.db" "$BATS_TEST_TMPDIR/copy.db"
    settings '.environments = {lab: {root: "'"$BATS_TEST_TMPDIR/lab"'", databases: {main: "sqlite:'"$BATS_TEST_TMPDIR/copy.db"'"}}}'
    cd "$BATS_TEST_TMPDIR/apart"
    git remote remove origin
    fails 0 "is a copy of another one" rbtool --config "$SETTINGS" deploy v1.0.0 --yes
}

@test "resume needs the ledger and root that the transition began under, and no later approvals" {
    policy '{"environments":{"prod":{"approvals":{"deploy":0}}}}'
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.0.0 --yes
    [ "$status" -eq 137 ]
    git config --unset rbtool.root
    fails 2 "git config rbtool.root does not say here" rbtool --config "$BATS_TEST_TMPDIR/killing.json" resume --yes
    git config rbtool.root alice@example.com
    policy "{$two}"
    rbtool --config "$BATS_TEST_TMPDIR/killing.json" resume --yes
    settled_at v1.0.0
}

@test "every command exits 2 for a tag that does not exist, and names the nearest one" {
    for command in deploy revert plan show verify mark\ -m\ why approve attest attest\ --vsa; do
        set -- $command
        first=$1
        shift
        words=(1.1.0)
        [ "$first" != mark ] || words=(1.1.0 bad)
        fails 2 "there is no tag 1.1.0 in this repository; did you mean v1.1.0?" rbtool "$first" "${words[@]}" "$@"
    done
    fails 2 "did you mean v1.1.0?" rbtool diff v1.0.0 v1.1.O
    fails 2 "did you mean v1.1.0?" rbtool reconstruct 1.1.0 -o out
    fails 2 "there is no tag nothing-like-it in this repository; \`rbtool list\`" rbtool deploy nothing-like-it --yes
    fails 2 "--previous 1.1.0: there is no tag 1.1.0 in this repository; did you mean v1.1.0?" rbtool release v2.0.0 --previous 1.1.0
}

@test "a policy that wants drills and reviews refuses a deploy until the ledger has them" {
    policy '{"environments":{"prod":{"maxAge":{"drill":30,"backup":30,"review":30}}}}'

    rbtool deploy v1.0.0 --yes # nothing can be practised before it
    # There is nothing to go back to yet, so that no drill can be made. Each hint works as it is.
    run -5 --separate-stderr rbtool plan --deploy v1.1.0 --json
    [ "$(jq -c '[.decisions[].code]' <<<"$output")" = '["backup","review"]' ]
    [[ $(jq -r '.decisions[0].message' <<<"$output") == "the policy wants a look at a backup at most 30 days old, and prod has none that counts" ]]
    for i in 0 1; do
        hint=$(jq -r ".decisions[$i].hint" <<<"$output" | sed -n 's/^record one with `\([^`]*\)`.*/\1/p')
        eval "${hint/TEXT/looked}"
    done
    run -5 rbtool drill
    rbtool deploy v1.1.0 --yes
    sed -i 's/1.1.0/1.2.0/' VERSION
    git commit -qam 'shop 1.2.0'
    rbtool release v1.2.0
    fails 5 "the policy wants a drill at most 30 days old, and prod has none that counts; run \`rbtool drill --env prod\`" \
        rbtool deploy v1.2.0 --yes
    rbtool drill --env prod
    rbtool deploy v1.2.0 --yes
    rbtool log --verify
    rbtool plan --json | jq -e .lastDrill.ok
    [[ $(rbtool status) == *drill*works* ]]
}

@test "a policy limits what a transition may put at risk" {
    policy '{"environments":{"*":{"maxRowsAtRisk":2}}}'
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    sql 'INSERT INTO orders VALUES (1, 1, 5), (2, 2, 6), (3, 3, NULL)'
    sql 'UPDATE orders SET discount = 7'
    run -5 --separate-stderr rbtool revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)"
    [[ $stderr == *"3 values and rows are at risk, and the policy allows 2 in prod"* ]]
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)" --break-glass -m 'the shop is down'
}

@test "a release's runbook and compatibility count only from a signer in role release" {
    local tested
    tested='.ledger = "'$(git rev-list --max-parents=0 refs/rbtool/ledger)'" | .release.compatibility =
        {result: "tested", why: null, previous: "v1.0.0", previousObject: "'$(git rev-parse v1.0.0)'", checks: 9,
         rows: 9, command: null, commandLine: null, exit: null, offline: true, databases: []}'
    echo 'drop everything' >"$BATS_TEST_TMPDIR/runbook"
    way() { rbtool plan v1.1.0 --json | jq -r '.waysBack[] | select(.way == "application").compatible'; }
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    policy '{"roles":{"release":["alice@example.com","carol@example.com"]},"revoked":[{"key":"'"$(fingerprint carol)"'","why":"stolen"}]}'
    # One whose key is revoked, and one who is not in the role.
    for who in carol dave; do
        record_again $who "$BATS_TEST_TMPDIR/runbook" "$tested"
        [[ $(rbtool log --json -n 1 | jq -r .trust) == good ]]
        [[ $(rbtool show v1.1.0 --runbook) == "# Runbook: revert v1.1.0"* ]]
        [[ $(way) == untested ]]
    done
    record_again alice "$BATS_TEST_TMPDIR/runbook" "$tested"
    [[ $(rbtool show v1.1.0 --runbook) == 'drop everything' && $(way) == tested ]]
}

@test "control characters in the runbook of a release are escaped" {
    printf 'run \033[31mthis\033[0m\r\nand \342\200\256that' >"$BATS_TEST_TMPDIR/runbook"
    record_again bob "$BATS_TEST_TMPDIR/runbook" '.ledger = "'"$(git rev-list --max-parents=0 refs/rbtool/ledger)"'"'
    [[ $(rbtool show v1.1.0 --runbook) == 'run \x1b[31mthis\x1b[0m\x0d'$'\n''and \u{202e}that' ]]
}
