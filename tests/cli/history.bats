#!/usr/bin/env bats
# Trust over the whole history: lost, moved and unknown predecessors, what the ledger kept, gaps.
bats_require_minimum_version 1.5.0

load lib

setup_file() {
    home
    keys
    SHOP=$BATS_FILE_TMPDIR/shop
    PROD=$BATS_FILE_TMPDIR/prod shop "$SHOP" >/dev/null
    for tag in v1.0.0 v1.1.0 v1.2.0; do
        release "$tag" 2>/dev/null
    done
    git config --unset rbtool.ledger
    forget_ledger # what is kept, each test says
    export KEYS SHOP
}

setup() {
    home
    cp "$BATS_FILE_TMPDIR/home/gitconfig" "$GIT_CONFIG_GLOBAL"
    cp -a "$SHOP" "$BATS_TEST_TMPDIR/shop"
    cd "$BATS_TEST_TMPDIR/shop" || return 1
}

# keep TAG: the release entry that the ledger has of it, made with git alone.
keep() {
    local object at parent blob first
    object=$(git rev-parse "$1")
    at=$(date +%s)
    git cat-file tag "$object" >"$BATS_TEST_TMPDIR/raw"
    blob=$(git hash-object -w "$BATS_TEST_TMPDIR/raw")
    parent=$(git rev-parse -q --verify refs/rbtool/ledger || true)
    first=$(git rev-list --max-parents=0 refs/rbtool/ledger 2>/dev/null || true)
    {
        printf 'release %s\n\n' "$1"
        jq -nS --indent 2 --arg tag "$1" --arg object "$object" --argjson at "$at" \
            --arg first "$first" --arg commit "$(git rev-parse "$1^{}")" \
            --arg raw "$(sha256sum <"$BATS_TEST_TMPDIR/raw" | cut -d' ' -f1)" \
            --arg signed "$(sed '/^-----BEGIN SSH SIGNATURE-----$/,$d' "$BATS_TEST_TMPDIR/raw" | sha256sum | cut -d' ' -f1)" '
            {app: "shop", at: $at, attachments: [{name: "tag", sha256: $raw}], environment: null,
             kind: "release", ledger: (if $first == "" then null else $first end), object: $object, tag: $tag, type: "urn:rbtool:ledger:v1",
             release: {commit: $commit, sha256: $signed, witness: false}}'
    } >"$BATS_TEST_TMPDIR/text"
    git update-ref refs/rbtool/ledger "$(GIT_COMMITTER_DATE="$at +0000" GIT_AUTHOR_DATE="$at +0000" \
        git commit-tree -S ${parent:+-p "$parent"} -F "$BATS_TEST_TMPDIR/text" \
        "$(printf '100644 blob %s\ttag\n' "$blob" | git mktree)")"
}

# lose TAG: the tag, its object and every trace of it.
lose() {
    git tag -d "$1" >/dev/null
    git reflog expire --expire=now --all
    git gc -q --prune=now
}

trusted() {
    rbtool verify --all --json | jq -r '.trustedFrom'
}

@test "verify --all reports that a complete history can be trusted as a whole" {
    run -0 rbtool verify --all
    [[ ${lines[3]} == "the whole history can be trusted, from v1.0.0 on" ]]
    rbtool verify --all --json | schema verify
    [ "$(trusted)" = v1.0.0 ]
    [ "$(rbtool verify --all --json | jq -c '[.releases[].trustedFrom]')" = '["v1.0.0","v1.0.0","v1.0.0"]' ]
    rbtool verify v1.2.0 --json | jq -e 'has("trustedFrom") | not'
}

@test "a missing predecessor without a copy in the ledger breaks the history at its successor" {
    lose v1.0.0
    run -1 rbtool verify --all
    [[ $output == *"v1.1.0: previous.tag: it follows v1.0.0, which is not here"* ]]
    [[ ${lines[-1]} == "the history can be trusted from v1.2.0 on; v1.1.0 before it is BAD" ]]
    [ "$(trusted)" = v1.2.0 ]
    [ "$(rbtool verify --all --json | jq -c '[.releases[].trustedFrom]')" = '["v1.2.0",null]' ]
    git tag -d v1.1.0
    run -1 rbtool verify --all
    [[ ${lines[-1]} == "the history cannot be trusted: v1.2.0, the newest release, is BAD" ]]
    [ "$(trusted)" = null ]
}

@test "verify reports that the newest release's tag was deleted or replaced, from the ledger" {
    local object put word
    keep v1.0.0
    keep v1.2.0
    object=$(git rev-parse v1.2.0)
    for put in : 'git tag v1.2.0 HEAD' 'git tag -a --no-sign -m plain v1.2.0 HEAD'; do
        git tag -d v1.2.0 >/dev/null
        eval "$put"
        [[ $put == : ]] && problem lost tag v1.2.0 || problem moved object v1.2.0
        run -1 rbtool verify --all
        word=BAD
        [[ $put == : ]] && word='not here'
        [[ ${lines[0]} == "$word v1.2.0"* && $output == *"v1.2.0: "*"git update-ref refs/tags/v1.2.0 $object"* ]]
        [[ ${lines[-1]} == "the history cannot be trusted: v1.2.0, the newest release, is $word" ]]
        rbtool verify --all --json | schema verify
        [[ $put == : ]] || word='BAD (moved)'
        rbtool list | grep -qF " $word "
        rbtool list --json | schema list
        [[ $(rbtool list --json | jq '.releases[] | select(.tag == "v1.2.0").here') == false ]]
        run -1 rbtool verify --restore v1.2.0
        [[ ${lines[0]} == "v1.2.0  its object $object is here again"*"git update-ref refs/tags/v1.2.0 $object"* ]]
        eval "${lines[0]##*: }"
        rbtool verify --all
    done
    # Made again, signed and in order: not what the ledger knows.
    message v1.2.0 | sed '1s/$/ again/' >text
    git tag -f -s --cleanup=verbatim -F text v1.2.0 'v1.2.0^{}' >/dev/null
    problem moved object v1.2.0
    rbtool mark v1.2.0 gap -m 'the first one was a mistake'
    rbtool verify --all
}

@test "verify --restore needs no commit at HEAD" {
    keep v1.2.0
    git tag -d v1.2.0 >/dev/null
    git symbolic-ref HEAD refs/heads/none
    run -1 rbtool verify --restore
    [[ $output == *"not here v1.2.0"*"git update-ref refs/tags/v1.2.0"* ]]
}

@test "verify --restore or mark gap resolves the newest release when its tag and object are missing" {
    keep v1.2.0
    lose v1.2.0
    rbtool verify --restore v1.2.0 | grep -q '^not here v1.2.0' # and is here again, without its tag
    run -0 rbtool mark v1.2.0 gap -m 'never left this clone'
    run -0 rbtool verify --all
    [[ $output != *v1.2.0* ]]
    release v1.2.0 -m 'the same name, another object'
    rbtool verify --all
}

@test "an unused release can be recreated under its name, and one that was live cannot" {
    keep v1.2.0
    local first object
    first=$(git rev-parse v1.2.0)
    git tag -d v1.2.0
    run -1 rbtool verify --all
    [[ $output == *"not here v1.2.0"* ]]
    release v1.2.0 -m 'made again'
    rbtool verify --all
    # The first one is what others have: it comes back, and neither is moved.
    object=$(git rev-parse v1.2.0)
    git tag -d v1.2.0
    git update-ref refs/tags/v1.2.0 "$first"
    rbtool verify --all
    git update-ref refs/tags/v1.2.0 "$object"
    rbtool verify --all
    release v1.3.0
    [[ $(rbtool show v1.3.0 --json | jq -r .predicate.previous.tag) == v1.2.0 ]]
    mkdir -p "$BATS_FILE_TMPDIR"/prod/{data,etc}
    rbtool deploy v1.3.0 --yes
    git tag -d v1.3.0
    fails 1 "v1.3.0 is a release already" release v1.3.0
    run -1 rbtool verify --all
    [[ $output == *"not here v1.3.0"* ]]
}

@test "verify --all says once what to do about several missing tags" {
    keep v1.0.0
    keep v1.1.0
    lose v1.0.0
    lose v1.1.0
    run -1 rbtool verify --all
    [[ $(grep -c 'git fetch REMOTE --tags' <<<"$output") == 1 && $(grep -c 'its tag was not fetched' <<<"$output") == 2 ]]
    [[ $output == *"v1.1.0: its tag was not fetched, or was deleted; git fetch"*"v1.0.0: its tag was not fetched, or was deleted (see above)"* ]]
    [[ $(rbtool verify --all --json | jq '[.releases[].problems[].message | select(contains("git fetch"))] | length') == 2 ]]
}

@test "a missing tag that the ledger holds is verified, and verify --restore restores its object" {
    keep v1.0.0
    keep v1.1.0
    local object
    object=$(git rev-parse v1.0.0)
    git cat-file tag v1.0.0 >before
    lose v1.0.0
    run ! git cat-file -e "$object"

    run -1 rbtool verify --all
    [[ $output == *"ok  v1.1.0"*"warning unknown: v1.1.0: previous.tag: it follows v1.0.0, which is not here; the ledger kept its object"* ]]
    [[ $output == *"not here v1.0.0  alice@example.com"*"not here: v1.0.0: its tag was not fetched, or was deleted; git fetch REMOTE --tags. Where that does not bring it: the ledger kept its object, which verifies, and \`rbtool verify --restore\` puts it back; \`rbtool mark v1.0.0 gap -m WHY\`"* ]]
    [[ ${lines[-1]} == "the history can be trusted from v1.1.0 on; v1.0.0 before it is not here" ]]
    rbtool verify --all --json | schema verify
    rbtool verify v1.1.0 # it is in order itself
    [ "$(rbtool verify v1.0.0 --json | jq -r '.releases[0] | .ok, .object' | tr '\n' ' ')" = "false $object " ]
    fails 1 "is a release already" rbtool release v1.0.0

    run -1 rbtool verify --restore --all
    [[ ${lines[0]} == "v1.0.0  its object $object is here again"*"git update-ref refs/tags/v1.0.0 $object" ]]
    [[ $output != *--restore* && $output == *"its object is here and verifies, and \`git update-ref refs/tags/v1.0.0 $object\` sets its tag"* ]]
    git cat-file tag "$object" | cmp - before
    eval "${lines[0]##*: }"
    run -0 rbtool verify --all
    [[ $output != *warning* ]]
    rbtool verify --restore --all --json | schema verify
    [ "$(rbtool verify --restore --all --json | jq -c .restored)" = '[]' ]
}

@test "verify --restore restores a chain of missing predecessors, and a new release follows the last one" {
    for tag in v1.0.0 v1.1.0 v1.2.0; do keep "$tag"; done
    git tag -d v1.0.0 v1.1.0 >/dev/null
    run -1 rbtool verify --all
    [ "$(trusted)" = v1.2.0 ]
    [ "$(rbtool verify --restore --json v1.2.0 | tee restored | jq '.restored | length')" -eq 2 ]
    schema verify <restored

    # From the commit of v1.1.0 a fix goes out: it follows v1.1.0, though that has no tag here.
    git checkout -q -b fix HEAD~
    release v1.1.1
    [ "$(manifest v1.1.1 | jq -r .predicate.previous.tag)" = v1.1.0 ]
    rbtool verify v1.1.1
}

@test "release refuses to follow a release that only the ledger has" {
    keep v1.2.0
    git tag -d v1.2.0
    echo later >src/later
    fails 1 "v1.3.0 would follow v1.2.0, whose tag is not here, so that" release v1.3.0
    [ -z "$(git tag -l v1.3.0)" ]
    rbtool mark v1.2.0 gap -m 'not meant'
    release v1.3.0
    [ "$(manifest v1.3.0 | jq -r .predicate.previous.tag)" = v1.1.0 ]
    git -c protocol.file.allow=always clone -q . "$BATS_TEST_TMPDIR/clone"
    rbtool -C "$BATS_TEST_TMPDIR/clone" verify --all
}

@test "verify reports a tag as moved that points at an abandoned release" {
    keep v1.2.0
    local first
    first=$(git rev-parse v1.2.0)
    git tag -d v1.2.0
    rbtool mark v1.2.0 gap -m 'not meant'
    release v1.2.0 -m 'made again'
    rbtool verify --all
    git update-ref refs/tags/v1.2.0 "$first"
    fails 1 "moved" rbtool verify --all
}

@test "the ledger's copy of a predecessor counts only if it is the object that was followed" {
    keep v1.0.0
    # Another object under that name, kept with its own right digest.
    git tag -f -s -m 'no release' v1.0.0 HEAD >/dev/null
    keep v1.0.0
    git tag -d v1.0.0 >/dev/null
    rbtool verify v1.1.0 # the first one still counts
    forget_ledger
    git tag -s -m 'no release' v1.0.0 HEAD
    keep v1.0.0
    git tag -d v1.0.0 >/dev/null
    problem unknown previous.tag v1.1.0
}

@test "a moved predecessor is reported for both releases, and the ledger restores the first object" {
    keep v1.0.0
    local first second
    first=$(git rev-parse v1.0.0)
    message v1.0.0 | sed '1s/$/ again/' >text
    git tag -f -s --cleanup=verbatim -F text v1.0.0 'v1.0.0^{}' >/dev/null
    second=$(git rev-parse v1.0.0)
    problem moved previous.object v1.1.0
    problem moved object v1.0.0
    run -1 rbtool verify --all
    [[ $output == *"the ledger kept the first one, too: \`git update-ref refs/tags/v1.0.0 $first\`"* ]]
    git reflog expire --expire=now --all
    git gc -q --prune=now
    run -1 rbtool verify --all
    [[ $output == *"the ledger kept the first one, too: \`rbtool verify --restore\`"* ]]
    run -1 rbtool verify --restore --all
    [[ $output != *"rbtool verify --restore"* ]]
    [[ ${lines[0]} == "v1.0.0  its object $first is here again; to move the tag back,"*": git update-ref refs/tags/v1.0.0 $first $second" ]]
    rbtool verify --restore --all --json | schema verify
    eval "${lines[0]##*: }"
    rbtool verify --all
}

@test "mark gap turns a missing predecessor into a warning" {
    lose v1.0.0
    problem unknown previous.tag v1.1.0
    fails 2 "has no ledger to write to" rbtool mark v1.0.0 gap -m 'deleted by mistake in March'
    rbtool release v1.2.0 --record
    run -0 rbtool mark v1.0.0 gap -m 'deleted by mistake in March'
    [[ $output == *"gap v1.0.0 ("*") is lost, says alice@example.com"* ]]
    run -0 rbtool verify --all
    [[ $output == *"warning unknown: v1.1.0: previous.tag: it follows v1.0.0, which is lost; alice@example.com says so: deleted by mistake in March (gap, entry "* ]]
    [[ ${lines[-1]} == "the whole history can be trusted, from v1.1.0 on" ]]
    rbtool verify --all --json | schema verify
    [ "$(rbtool verify v1.1.0 --json | jq -c '[.releases[0] | .ok, .problems[0].warning]')" = '[true,true]' ]
    run ! grep -q BAD <(rbtool list)
    rbtool log --kind gap | grep -q 'deleted by mistake in March'
    release v1.3.0
}

@test "mark gap also covers a missing tag that the ledger holds" {
    keep v1.0.0
    lose v1.0.0
    run -1 rbtool verify --all
    rbtool mark v1.0.0 gap -m 'deleted on purpose'
    run -0 rbtool verify --all
    [[ $output == *"warning unknown: v1.1.0: previous.tag: it follows v1.0.0, which is lost; alice@example.com says so: deleted on purpose"* ]]
    [[ ${lines[-1]} == "the whole history can be trusted, from v1.1.0 on" ]]
}

@test "a gap counts only for its object and only if a person with the role mark signed it" {
    local object
    object=$(git rev-parse v1.0.0)
    git config user.signingKey "$KEYS/bob"
    fails 1 "that tag is here" rbtool mark v1.0.0 gap -m 'not lost'
    lose v1.0.0
    git config rbtool.root alice@example.com
    cat >"$BATS_TEST_TMPDIR/policy.json" <<'JSON'
{ "roles": { "policy": ["alice@example.com"], "mark": ["alice@example.com"] } }
JSON
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" --key "$KEYS/alice" -m 'who may do what'
    fails 1 "would not count" rbtool mark v1.0.0 gap -m 'says bob'
    fails 2 "must be signed" rbtool mark v1.0.0 gap -m 'says mallory' --key "$KEYS/mallory"
    fails 1 "no release here follows" rbtool mark v9.9.9 gap -m 'never was' --key "$KEYS/alice"
    fails 1 "no release here follows" rbtool mark v1.0.0 gap -m x --object "$(printf '%040d' 7)" --key "$KEYS/alice"
    fails 2 "needs a reason" rbtool mark v1.0.0 gap --key "$KEYS/alice"
    fails 2 "is for gap" rbtool mark v1.2.0 good -m x --object "$object" --key "$KEYS/alice"
    problem unknown previous.tag v1.1.0
    rbtool mark v1.0.0 gap -m 'says alice' --key "$KEYS/alice"
    rbtool verify v1.1.0
    git verify-commit refs/rbtool/ledger
}

@test "verify reports a release whose signer did not have the role release" {
    git config rbtool.root alice@example.com
    cat >"$BATS_TEST_TMPDIR/policy.json" <<'JSON'
{ "roles": { "release": ["alice@example.com"], "policy": ["alice@example.com"] } }
JSON
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m 'alice releases'
    git config user.signingKey "$KEYS/bob"
    git commit -q --allow-empty -m later
    fails 1 "may not release" release v1.3.0
    # a clone whose owner has set no root makes it all the same
    git config --unset rbtool.root
    release v1.3.0
    git config rbtool.root alice@example.com
    problem role signature v1.3.0
    rbtool list | grep -q 'v1.3.0 .*BAD (role)'
    run -1 rbtool verify --all
    [[ ${lines[-1]} == "the history cannot be trusted: v1.3.0, the newest release, is BAD" ]]
    fails 1 "FAILED" rbtool attest v1.3.0 --vsa -o "$BATS_TEST_TMPDIR/vsa"
}

@test "a verification summary names the policy and the verdict that it is based on" {
    git config rbtool.root alice@example.com
    echo '{ "roles": { "policy": ["alice@example.com"] } }' >"$BATS_TEST_TMPDIR/policy.json"
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m 'who may do what'
    local policy verdict
    policy=$(git rev-parse refs/rbtool/ledger)
    rbtool mark v1.2.0 good -m 'a week in production'
    verdict=$(git rev-parse refs/rbtool/ledger)
    rbtool attest v1.2.0 --vsa | jq -r .payload | base64 -d >payload
    schema vsa <payload
    jq -e --arg policy "$policy" --arg verdict "$verdict" '.predicate |
        .policy == {"uri": ("urn:rbtool:policy:" + $policy), "digest": {"gitCommit": $policy}} and
        .inputAttestations[1].digest.gitCommit == $verdict and
        .verificationResult == "PASSED" and (.verifiedLevels | index("RBTOOL_KNOWN_GOOD"))' payload
    rbtool mark v1.2.0 bad -m 'it was not'
    run -1 rbtool attest v1.2.0 --vsa -o failed
    jq -r .payload failed | base64 -d | jq -e '.predicate.verificationResult == "FAILED"'
}
