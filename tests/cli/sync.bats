#!/usr/bin/env bats
# The ledger between clones: `rbtool sync` through a bare repository, over file:// and ssh.
bats_require_minimum_version 1.5.0

load lib
load server

LEDGER=refs/rbtool/ledger

setup_file() {
    sshd_start
}

teardown_file() {
    sshd_stop
}

setup() {
    home
    keys
    shop
    git config rbtool.app shop
}

# Alice's repository and bob's clone of a plain bare one, with a release that both may speak of.
two_clones() { # [KIND]
    SERVER=$BATS_TEST_TMPDIR/server.git
    git init -q --bare "$SERVER"
    git remote add origin "$(url "${1:-file}")"
    rbtool release v1.0.0 2>/dev/null
    git push -q origin main v1.0.0
    rbtool sync >/dev/null
    clone bob "${1:-file}"
    rbtool sync >/dev/null
    cd "$SHOP" || return
}

in_bob() {
    (cd "$BATS_TEST_TMPDIR/bob" && "$@")
}

whys() { git log --format=%s $LEDGER | grep -o 'why-[a-z0-9-]*' | sort; }

tip() { git rev-parse -q --verify $LEDGER; }

@test "sync joins entries that two clones wrote concurrently, and loses none" {
    two_clones
    rbtool mark v1.0.0 good -m why-alice
    in_bob rbtool mark v1.0.0 bad -m why-bob
    fails 0 "origin: 0 received, 1 sent; both are at" rbtool sync
    local a
    a=$(tip)
    run in_bob rbtool sync
    [[ $status -eq 0 && $output == *"1 received, 2 sent, joined"* ]]
    rbtool sync
    [[ $(whys) == $'why-alice\nwhy-bob' && $(in_bob whys) == $(whys) ]]
    [[ $(tip) == $(in_bob tip) && $(tip) == $(there $LEDGER) ]]
    git merge-base --is-ancestor "$a" $LEDGER # nothing was rewritten
    git verify-commit $LEDGER
    local settled
    settled=$(tip)
    in_bob rbtool sync && rbtool sync && in_bob rbtool sync # no joins of joins
    [[ $(tip) == "$settled" && $(in_bob tip) == "$settled" ]]
    git fsck --no-dangling
    git -C "$SERVER" fsck --no-dangling
    [[ -z $(git for-each-ref refs/rbtool/incoming) ]]
    rbtool sync --json | schema sync
}

@test "sync distinguishes releases that were not fetched from those that were not pushed" {
    two_clones
    release v1.1.0
    rbtool sync
    cd "$BATS_TEST_TMPDIR/bob"
    fails 0 "1 release that the ledger knows is neither here nor at origin (v1.1.0): not pushed yet, or deleted; ask who made it" rbtool sync
    [[ $(rbtool sync --json 2>/dev/null | jq -c '.missing | map([.tag, .there])') == '[["v1.1.0",null]]' ]]
    git -C "$SHOP" push -q origin main v1.1.0
    fails 0 "v1.1.0 is not here, but origin has it: git fetch origin tag v1.1.0" rbtool sync
    rbtool sync --json | tee "$BATS_TEST_TMPDIR/json" | schema sync
    [[ $(jq -r '.missing[0] | .object, .there' "$BATS_TEST_TMPDIR/json" | uniq) == $(git -C "$SHOP" rev-parse v1.1.0) ]]

    # Its commit is not here: nothing can be said against it.
    fails 1 "not here: v1.1.0: its tag was not fetched, or was deleted; git fetch origin --tags. Where" rbtool verify --all
    [[ $output == "not here v1.1.0"* && $output != *BAD* && $output != *"git fsck"* && $output != *--restore* ]]
    [[ $output == *"commit $(git -C "$SHOP" rev-parse main) is not here either"* ]]
    rbtool list | grep -q '^v1.1.0 .* not here '
    fails 2 "there is no tag v1.1.0" rbtool show v1.1.0
    git fetch -q origin tag v1.1.0 # what the message says
    rbtool verify --all
    run rbtool sync
    [[ $output != *"not here"* ]]

    # Another object has its name there.
    RBTOOL=0 git tag -d v1.1.0
    git -C "$SERVER" update-ref refs/tags/v1.1.0 "$(git rev-parse v1.0.0)"
    fails 0 "is not here, and at origin the tag is another object (v1.1.0): it was moved or recreated" rbtool sync
}

@test "sync in a clone without tags reports no missing tag" {
    two_clones
    git clone -q --no-tags "$(url file)" ../ci
    cd ../ci
    git config rbtool.app shop
    rbtool sync
    rbtool list | grep -q '^v1.0.0 .* not here '
    fails 1 "not here v1.0.0  alice@example.com" rbtool verify --all
    [[ $output == *"; git fetch origin --tags. Where that does not bring it: the ledger kept its object, which verifies, and \`rbtool verify --restore\` puts it back; \`rbtool mark v1.0.0 gap"* ]]
    fails 0 "tag v1.0.0 is not here; the release is taken from the ledger, which kept its object $(git -C "$SHOP" rev-parse v1.0.0 | cut -c1-12); git fetch origin --tags brings the tag" rbtool show v1.0.0
    git fetch -q origin --tags
    rbtool verify --all
    # git brings the object along here, though no tag.
    git clone -q --no-tags --single-branch "$(url file)" ../one
    cd ../one
    rbtool sync
    rbtool list | grep -q '^v1.0.0 .* not here '
    [[ $(rbtool verify --all) == "not here v1.0.0"* ]]
}

@test "sync succeeds when two clones repeatedly push at the same time" {
    two_clones
    local round n
    for round in 1 2 3; do
        for n in 1 2; do
            rbtool mark v1.0.0 good -m "why-a-$round-$n" >/dev/null
            in_bob rbtool mark v1.0.0 good -m "why-b-$round-$n" >/dev/null
        done
        in_bob rbtool sync >"$BATS_TEST_TMPDIR/bob.out" 2>&1 &
        rbtool sync
        wait $! || {
            cat "$BATS_TEST_TMPDIR/bob.out"
            return 1
        }
    done
    rbtool sync && in_bob rbtool sync && rbtool sync
    [[ $(tip) == $(in_bob tip) && $(tip) == $(there $LEDGER) ]]
    [[ $(whys | wc -l) -eq 12 && $(in_bob whys) == $(whys) ]]
    git fsck --no-dangling
    # at most one join a round and one to settle
    [[ $(git rev-list --merges --count $LEDGER) -le 5 ]]
}

@test "sync works over ssh" {
    two_clones ssh
    rbtool mark v1.0.0 good -m why-alice
    in_bob rbtool mark v1.0.0 good -m why-bob
    rbtool sync && in_bob rbtool sync && rbtool sync
    [[ $(whys) == $'why-alice\nwhy-bob' && $(tip) == $(in_bob tip) ]]
}

@test "ledgers with separate beginnings are joined only by sync --join" {
    SERVER=$BATS_TEST_TMPDIR/server.git
    git init -q --bare "$SERVER"
    git remote add origin "$(url file)"
    rbtool release v1.0.0 2>/dev/null
    git push -q origin main v1.0.0
    clone bob
    cd "$SHOP" || return
    rbtool mark v1.0.0 good -m why-alice
    fails 2 "has no ledger to write to" in_bob rbtool mark v1.0.0 good -m why-bob
    in_bob rbtool release v1.0.0 --record
    in_bob rbtool mark v1.0.0 good -m why-bob
    local alices bobs
    alices=$(git config rbtool.ledger)
    bobs=$(in_bob git config rbtool.ledger)
    rbtool sync
    fails 1 "began with entry ${alices:0:10}, ours with ${bobs:0:10}; ours is unchanged" in_bob rbtool sync
    [[ $(in_bob tip) == $(in_bob git rev-list $LEDGER | head -1) && $(there $LEDGER) == $(tip) ]]
    fails 1 "the two ledgers are not joined" in_bob git -c user.signingKey="$KEYS/mallory" -c alias.x='!rbtool' x sync --join
    [[ $(there $LEDGER) == $(tip) ]]
    run in_bob rbtool sync --join
    [[ $status -eq 0 && $output == *"joined"* ]]
    rbtool sync && in_bob rbtool sync
    [[ $(whys) == $'why-alice\nwhy-bob' && $(in_bob whys) == $(whys) ]]
    rbtool log --verify
    rbtool mark v1.0.0 good -m why-later
    rbtool sync && in_bob rbtool sync
    [[ $(in_bob whys) == *why-later* ]]
    # another application's
    shop "$BATS_TEST_TMPDIR/other"
    sed -i 's/"shop"/"other"/' rbtool.json
    git commit -qam other
    rbtool release v1.0.0 2>/dev/null
    rbtool mark v1.0.0 good -m why-other
    git remote add origin "$(url file)"
    local before
    before=$(tip)
    fails 1 "is another one than ours" rbtool sync
    [[ $(tip) == "$before" ]]
}

@test "sync refuses a remote ledger that was truncated, deleted or rewritten" {
    two_clones
    rbtool mark v1.0.0 good -m why-zero
    rbtool mark v1.0.0 good -m why-one
    rbtool mark v1.0.0 good -m why-two
    rbtool sync
    local before
    before=$(tip)
    in_bob rbtool sync
    git -C "$SERVER" update-ref $LEDGER "$before~1"
    fails 1 "the ledger of origin was truncated: it withholds 1 entry that it had, from ${before:0:10} \"verdict v1.0.0 good: why-two\" on; ours is unchanged" rbtool sync
    [[ $output == *"\`git push origin $LEDGER\`"* ]]
    git -C "$SERVER" update-ref -d $LEDGER
    fails 1 "was deleted: it withholds" rbtool sync
    [[ $(tip) == "$before" ]]
    git push -q origin $LEDGER # what the message says
    rbtool sync
    # bob goes back and writes another history
    in_bob env RBTOOL=0 git update-ref $LEDGER "$before~2"
    in_bob env RBTOOL=0 git update-ref -d refs/rbtool/remotes/origin/ledger
    in_bob rbtool mark v1.0.0 bad -m why-instead
    in_bob env RBTOOL=0 git push -q -f origin $LEDGER
    fails 1 "was rewritten: it withholds 2 entries that it had, from" rbtool sync
    [[ $output == *"verdict v1.0.0 good: why-one"* && $(tip) == "$before" ]]
    [[ -z $(git for-each-ref refs/rbtool/incoming) ]]
    # who never saw the first one cannot know: it is joined with what they have
    [[ $(git for-each-ref --format='%(objectname)' refs/rbtool/remotes) == "$before" ]]
    git -C "$SERVER" update-ref $LEDGER "$before"
    rbtool sync
}

@test "sync refuses commits that are not entries" {
    two_clones
    rbtool mark v1.0.0 good -m why-one
    rbtool sync
    local before evil
    before=$(tip)
    # a code commit in its place, and one on top
    git -C "$SERVER" update-ref $LEDGER "$(git rev-parse main)"
    fails 1 "is not taken, ours is unchanged: its entry $(git rev-parse --short=10 main)" rbtool sync
    evil=$(git commit-tree -p "$before" -m evil "$before^{tree}")
    RBTOOL=0 git push -q "$SERVER" "$evil:refs/heads/x"
    git -C "$SERVER" update-ref $LEDGER "$evil"
    fails 1 "its entry ${evil:0:10} \"evil\" is foreign" rbtool sync
    # an entry whose words were changed after it was signed
    evil=$(git cat-file commit "$before" | sed 's/why-one/why-not/' | git hash-object -t commit -w --stdin)
    RBTOOL=0 git push -q -f "$SERVER" "$evil:refs/heads/x"
    git -C "$SERVER" update-ref $LEDGER "$evil"
    fails 1 "was rewritten: it withholds 1 entry" rbtool sync
    [[ $(tip) == "$before" ]]
    # a name that would steer the terminal
    evil=$(git commit-tree -p "$before" -m $'\e[31mred' "$before^{tree}")
    RBTOOL=0 git push -q -f "$SERVER" "$evil:refs/heads/x"
    git -C "$SERVER" update-ref $LEDGER "$evil"
    run rbtool sync
    [[ $status -eq 1 && $output == *'\x1b[31mred'* && $output != *$'\e'* ]]
    git -C "$SERVER" update-ref $LEDGER "$before"
    rbtool sync
}

@test "sync checks a remote-tracking ledger that a fetch of all refs wrote" {
    two_clones
    local before evil
    before=$(tip)
    evil=$(git commit-tree -p "$before" -m evil "main^{tree}")
    RBTOOL=0 git push -q "$SERVER" "$evil:refs/heads/x"
    git -C "$SERVER" update-ref $LEDGER "$evil"
    git -C "$SERVER" update-ref refs/rbtool/remotes/origin/ledger "$evil"
    git fetch -q origin '+refs/rbtool/remotes/*:refs/rbtool/remotes/*'
    rbtool mark v1.0.0 good -m why-mine
    before=$(tip)
    fails 1 "is not taken, ours is unchanged: its entry ${evil:0:10}" rbtool sync
    [[ $(tip) == "$before" ]]
}

@test "a refused push does not change the server's cache of the ledger" {
    two_clones
    rbtool -C "$SERVER" init >/dev/null 2>&1
    git -C "$SERVER" config gpg.ssh.allowedSignersFile "$KEYS/allowed"
    rbtool mark v1.0.0 good -m why-one
    rbtool sync
    local good bad size
    size=$(wc -c <"$SERVER/rbtool/ledger")
    # an entry that could be taken, under one that cannot
    good=$(git cat-file commit $LEDGER |
        sed "/^gpgsig/,/^ -----END/d; s/^parent .*/parent $(tip)/" | git hash-object -t commit -w --stdin)
    bad=$(git commit-tree -p "$good" -m '"type": "urn:rbtool:ledger:v1"' "$(git mktree </dev/null)")
    refused "would get what is not a good entry: ${bad:0:10} is broken" git push --no-verify -f origin "$bad:$LEDGER"
    [[ $(wc -c <"$SERVER/rbtool/ledger") -eq $size ]]
}

@test "the server's hooks check pushes of the ledger" {
    two_clones
    rbtool -C "$SERVER" init >/dev/null 2>&1
    rbtool init >/dev/null 2>&1
    git -C "$SERVER" config gpg.ssh.allowedSignersFile "$KEYS/allowed"
    rbtool mark v1.0.0 good -m why-first
    rbtool mark v1.0.0 good -m why-alice
    in_bob rbtool mark v1.0.0 good -m why-bob
    rbtool sync
    refused "would fork: origin has entries up to" in_bob git push origin $LEDGER
    refused "would fork: the server has entries up to" in_bob git push --no-verify -f origin $LEDGER
    refused "is the ledger and would be deleted" git push --no-verify origin :$LEDGER
    refused "would be deleted at the remote" git push origin :$LEDGER
    refused "would fork" git push --no-verify -f origin $LEDGER~1:$LEDGER
    local evil
    evil=$(git commit-tree -p $LEDGER -m evil "$LEDGER^{tree}")
    refused "would get what is not a good entry: ${evil:0:10} is foreign" git push --no-verify origin "$evil:$LEDGER"
    in_bob rbtool sync && rbtool sync
    [[ $(whys) == $'why-alice\nwhy-bob\nwhy-first' ]]
    # on the server itself, and here
    refused "is the ledger and would be deleted" git -C "$SERVER" update-ref -d $LEDGER
    refused "is the ledger and would be deleted" in_bob git update-ref -d $LEDGER
    refused "would lose entries: its new tip does not follow" in_bob git update-ref $LEDGER $LEDGER~1
    refused "would lose entries" in_bob git fetch -f origin main:$LEDGER
    in_bob git pack-refs --all
    refused "is the ledger and would be deleted" in_bob git update-ref -d $LEDGER
    in_bob git pack-refs --all && in_bob git gc -q
    in_bob rbtool mark v1.0.0 good -m why-later
    in_bob rbtool sync
    git -C "$SERVER" gc -q && git -C "$SERVER" pack-refs --all
    rbtool sync
    # a mirror carries it along, once it is in sync
    git push -q --mirror origin
}

@test "a server limits entries without an allowed signer, per push and in total, and not signed ones" {
    two_clones
    rbtool -C "$SERVER" init >/dev/null 2>&1
    git -C "$SERVER" config gpg.ssh.allowedSignersFile "$KEYS/allowed"
    git -C "$SERVER" config rbtool.ledgerPushUnsigned 3
    git -C "$SERVER" config rbtool.ledgerUnsigned 5
    local i at one key
    key=$(git config user.signingKey)
    git config --global --unset user.signingKey
    rbtool deploy v1.0.0 --env prod --yes
    git config --global user.signingKey "$key"
    one=$(tip)
    unsigned() { # N: that many more, as a host without a key writes them
        for ((i = 0; i < $1; i++)); do
            at=$(($(git log -1 --format=%ct $LEDGER) + 1))
            git cat-file commit "$one" | sed -e '1,/^$/d' -e "s/^  \"at\": .*/  \"at\": $at,/" >../body
            git update-ref $LEDGER "$(GIT_COMMITTER_DATE="$at +0000" GIT_AUTHOR_DATE="$at +0000" \
                git -c commit.gpgSign=false commit-tree -p $LEDGER -F ../body "$one^{tree}")"
        done
    }
    unsigned 3
    refused "would get 4 entries that no allowed signer signed with this push, the limit is 3" rbtool sync
    git -C "$SERVER" config rbtool.ledgerPushUnsigned 4
    rbtool sync
    unsigned 1
    rbtool sync
    unsigned 1
    refused "would have 6 entries that no allowed signer signed, the limit is 5" rbtool sync
    # Signed ones still come, from who has none of the others.
    in_bob rbtool sync
    in_bob rbtool mark v1.0.0 good -m why-bob
    in_bob rbtool mark v1.0.0 good -m why-bob
    in_bob rbtool sync
    git -C "$SERVER" config rbtool.ledgerUnsigned 6
    rbtool sync
    [[ $(whys) == $'why-bob\nwhy-bob' ]]
}

@test "sync selects the remote and reports a missing or ambiguous one" {
    fails 2 "this repository has no remote" rbtool sync
    git init -q --bare ../one.git
    git init -q --bare ../two.git
    git remote add one ../one.git
    fails 0 "one: no ledger there and none here" rbtool sync
    git remote add two ../two.git
    fails 2 "name one" rbtool sync
    fails 2 "there is no remote three" rbtool sync three
    git config branch.main.remote two
    fails 0 "two: no ledger" rbtool sync
    rbtool release v1.0.0 2>/dev/null
    rbtool mark v1.0.0 good -m why
    rbtool sync one
    git remote set-url two "$BATS_TEST_TMPDIR/nowhere"
    fails 2 "cannot reach the remote two" rbtool sync
    # a mirror's fetch takes everything over, but for the ledger
    git clone -q --mirror ../one.git ../mirror.git
    cd ../mirror.git
    git config rbtool.app shop
    fails 0 "both are at" rbtool sync
}

@test "sync reports the message of a server hook that refuses" {
    two_clones
    printf '#!/bin/sh\necho "no ledgers here" >&2\nexit 1\n' >"$SERVER/hooks/pre-receive"
    chmod +x "$SERVER/hooks/pre-receive"
    rbtool mark v1.0.0 good -m why
    local before
    before=$(tip)
    fails 1 "no ledgers here" rbtool sync
    [[ $(tip) == "$before" ]]
}

@test "shallow and partial clones get the whole ledger" {
    two_clones
    rbtool mark v1.0.0 good -m why-one
    rbtool mark v1.0.0 good -m why-two
    rbtool sync
    git -C "$SERVER" config uploadpack.allowFilter true
    git clone -q --depth 1 "$(url file)" ../shallow
    git clone -q --filter=blob:none "$(url file)" ../partial
    local dir
    for dir in shallow partial; do
        cd "$BATS_TEST_TMPDIR/$dir"
        git config rbtool.app shop
        rbtool sync
        [[ $(whys) == *$'why-one\n'*why-two ]]
        git fetch -q origin tag v1.0.0
        rbtool mark v1.0.0 bad -m "why-$dir"
        rbtool sync
    done
    cd "$SHOP" || return
    rbtool sync
    [[ $(whys) == $'why-one\nwhy-partial\nwhy-shallow\nwhy-two' ]]
}

@test "the hooks refuse other refs in refs/rbtool/, locally and on a server" {
    two_clones
    rbtool -C "$SERVER" init >/dev/null 2>&1
    rbtool init >/dev/null 2>&1
    git -C "$SERVER" config gpg.ssh.allowedSignersFile "$KEYS/allowed"
    local ref
    for ref in refs/rbtool/other refs/RBTOOL/ledger refs/rbtool/Ledger refs/rbtool/remotes/origin/other refs/rbtool/incoming/x; do
        refused "$ref is in refs/rbtool/, where only rbtool's own refs are" git update-ref "$ref" HEAD
        refused "$ref is in refs/rbtool/" git push origin "HEAD:$ref"
        refused "$ref is in refs/rbtool/" git push --no-verify origin "HEAD:$ref"
        RBTOOL=0 git update-ref "$ref" HEAD
        git update-ref -d "$ref"
    done
    git update-ref refs/rbtool/remotes/origin/ledger $LEDGER
    rbtool mark v1.0.0 good -m why-still
    rbtool sync
}

@test "the hooks refuse a ref that conflicts with the ledger's name, locally and on a server" {
    server
    cd "$SHOP" || return
    rbtool init >/dev/null 2>&1
    git remote add origin "$(url file)"
    git push -q origin main
    local ref
    for ref in refs/rbtool refs/rbtool/ledger/x refs/RBTOOL refs/rbtool/remotes refs/rbtool/remotes/ledger \
        refs/rbtool/remotes/origin/ledger/ledger refs/rbtool/remotes/origin/LEDGER/x/ledger refs/rbtool/incoming; do
        refused "$ref is in refs/rbtool/, where only rbtool's own refs are" git update-ref "$ref" HEAD
        refused "$ref is in refs/rbtool/" git push origin "HEAD:$ref"
        refused "$ref is in refs/rbtool/" git push --no-verify origin "HEAD:$ref"
        run ! there "$ref"
    done
    # Symbolic refs: git before 2.46 asks no hook when one is made; nothing is written through it.
    RBTOOL=0 git symbolic-ref $LEDGER refs/heads/main
    refused "$LEDGER is a symbolic ref here, which a ledger is not" git update-ref $LEDGER HEAD
    fails 2 "is a symbolic ref" rbtool release v1.0.0
    git symbolic-ref --delete $LEDGER
    [[ -z $(git tag -l) && $(git rev-parse main) == $(there main) ]]
    rbtool release v1.0.0 2>/dev/null
    git -C "$SERVER" symbolic-ref $LEDGER refs/heads/main
    local main
    main=$(there main)
    refused "is a symbolic ref" git push -f --no-verify origin $LEDGER
    [[ $(there main) == "$main" ]]
    git -C "$SERVER" symbolic-ref --delete $LEDGER
    git push -q origin main v1.0.0
    rbtool sync
    [[ $(there $LEDGER) ]]
}

# apart A B: alice's ledger and bob's, which began apart; each with a policy that gives role policy
# to the people named, or "" for none.
apart() {
    server
    git -C "$SERVER" config rbtool.root alice@example.com
    cd "$SHOP" || return
    git remote add origin "$(url file)"
    git config rbtool.root alice@example.com
    rbtool release v1.0.0 2>/dev/null
    git push -q origin main v1.0.0
    clone bob
    git config rbtool.root alice@example.com
    rbtool release v1.0.0 --record
    if [[ $2 ]]; then
        echo "{ \"roles\": { \"policy\": [$2] } }" >"$BATS_TEST_TMPDIR/policy.json"
        rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m bobs --key "$KEYS/alice"
    fi
    cd "$SHOP" || return
    if [[ $1 ]]; then
        echo "{ \"roles\": { \"policy\": [$1] } }" >"$BATS_TEST_TMPDIR/policy.json"
        rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m alices --key "$KEYS/alice"
    fi
    rbtool sync
}

@test "only a person who may set the policy joins another ledger to one with a policy" {
    local before
    apart '"alice@example.com"' ''
    before=$(there $LEDGER)
    fails 1 "the join must be signed by an allowed signer who is in role policy of every policy" in_bob rbtool sync --join
    [[ $(there $LEDGER) == "$before" ]]
    in_bob git config user.signingKey "$KEYS/alice"
    in_bob rbtool sync --join
    rbtool sync
    [[ $(in_bob tip) == $(tip) && $(tip) == $(there $LEDGER) ]]
    rbtool log --verify
}

# merge_entry KEY JSON PARENT...: writes a merge entry signed by the key, on top of two entries
merge_entry() {
    local at
    at=$(date +%s)
    { printf 'merge\n\n'; jq -nS --indent 2 --argjson at "$at" --arg first "$(first_of "$(tip)")" --argjson merge "$2" '{
        app: "shop", at: $at, attachments: [], environment: null, kind: "merge", ledger: $first, merge: $merge,
        object: null, tag: null, type: "urn:rbtool:ledger:v1" }'; } |
        GIT_COMMITTER_DATE="$at +0000" git commit-tree "-S$KEYS/$1" -p "$3" -p "$4" "$(git mktree </dev/null)"
}
first_of() { git rev-list --max-parents=0 "$1"; }

@test "a join that forks from before a policy needs a signer with the role policy, too" {
    local tip theirs join merge
    apart '"alice@example.com"' ''
    rbtool sync
    tip=$(tip) theirs=$(in_bob tip)
    git fetch -q "$BATS_TEST_TMPDIR/bob" $LEDGER
    join=$(merge_entry bob "{\"joins\": [\"$(first_of "$theirs")\"]}" "$(first_of "$tip")" "$theirs")
    merge=$(merge_entry bob '{}' "$tip" "$join")
    # A server with hooks, a clone of one without them, and a ref that was moved by hand refuse it.
    fails 1 "is of another ledger" env RBTOOL=0 git push "$SERVER" "$merge:$LEDGER"
    RBTOOL=0 git -C "$SERVER" fetch -q "$SHOP" "$merge" && git -C "$SERVER" update-ref $LEDGER "$merge"
    fails 1 "ours is unchanged: its entry" rbtool sync
    [[ $(tip) == "$tip" ]]
    RBTOOL=0 git update-ref $LEDGER "$merge"
    fails 1 "is of another ledger" rbtool log --verify
    # alice may join the same two.
    RBTOOL=0 git update-ref $LEDGER "$tip"
    join=$(merge_entry alice "{\"joins\": [\"$(first_of "$theirs")\"]}" "$(first_of "$tip")" "$theirs")
    merge=$(merge_entry bob '{}' "$tip" "$join")
    RBTOOL=0 git -C "$SERVER" update-ref $LEDGER "$tip"
    RBTOOL=0 git update-ref $LEDGER "$merge"
    rbtool sync
    rbtool log --verify
}

@test "a join and a policy that were made concurrently are merged once the policy lets the joiner in" {
    local theirs before join
    apart '' ''
    rbtool sync
    theirs=$(in_bob tip) before=$(tip)
    git fetch -q "$BATS_TEST_TMPDIR/bob" $LEDGER
    join=$(merge_entry bob "{\"joins\": [\"$(first_of "$theirs")\"]}" "$before" "$theirs")
    RBTOOL=0 git push -q "$SERVER" "$join:$LEDGER"
    echo '{ "roles": { "policy": ["alice@example.com"] } }' >"$BATS_TEST_TMPDIR/policy.json"
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m alices --key "$KEYS/alice"
    before=$(tip)
    fails 1 "the two histories are not merged, nothing was changed" rbtool sync
    [[ $(tip) == "$before" && $(there $LEDGER) == "$join" ]]
    echo '{ "roles": { "policy": ["alice@example.com", "bob@example.com"] } }' >"$BATS_TEST_TMPDIR/policy.json"
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m "bob joined" --key "$KEYS/alice"
    rbtool sync
    [[ $(tip) == $(there $LEDGER) ]]
    rbtool log --verify
}

@test "a join of two ledgers with policies needs a signer with the role policy in both" {
    local before
    apart '"alice@example.com"' '"alice@example.com", "bob@example.com"'
    before=$(there $LEDGER)
    fails 1 "the join must be signed by an allowed signer who is in role policy of every policy" in_bob rbtool sync --join
    [[ $(there $LEDGER) == "$before" ]]
    in_bob git config user.signingKey "$KEYS/alice"
    in_bob rbtool sync --join
    rbtool sync
    [[ $(tip) == $(there $LEDGER) ]]
    rbtool log --verify
}
