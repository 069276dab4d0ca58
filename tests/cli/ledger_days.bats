#!/usr/bin/env bats
# Whose ledger it is, on the days that people have with it: who begins one, who fetches it first.
bats_require_minimum_version 1.5.0

load lib
load server

LEDGER=refs/rbtool/ledger

setup() {
    home
    keys
    shop
    SERVER=$BATS_TEST_TMPDIR/server.git
}

# A server, with hooks where asked, that alice's repository knows as origin.
server() { # [hooks]
    git init -q --bare "$SERVER"
    git remote add origin "$(url file)"
    [[ ${1-} != hooks ]] || {
        git -C "$SERVER" config gpg.ssh.allowedSignersFile "$KEYS/allowed"
        git -C "$SERVER" config user.signingKey "$KEYS/bob"
        git -C "$SERVER" config user.name Server
        git -C "$SERVER" config user.email bob@example.com
        rbtool -C "$SERVER" init >/dev/null 2>&1
    }
}

published() { # [hooks]
    server "$@"
    rbtool release v1.0.0 2>/dev/null
    git push -q origin main v1.0.0
    rbtool sync >/dev/null
}

# A clone of it, entered, where bob works.
other() { # NAME
    clone "$1"
    git config user.signingKey "$KEYS/bob"
    git config user.email bob@example.com
}

entries() { git rev-list --count $LEDGER; }
roots() { git rev-list --max-parents=0 --count $LEDGER; }

@test "the first release creates the ledger and pins the clone to it" {
    rbtool release v1.0.0
    [[ $(git config --local rbtool.ledger) == $(git rev-parse $LEDGER) ]]
    rbtool mark v1.0.0 good -m fine
    rbtool log --json | jq -se --arg first "$(git config rbtool.ledger)" '[.[].entry.ledger] | sort == ([null, $first] | sort)'
    # what is gone does not begin again unasked
    RBTOOL=0 git update-ref -d $LEDGER
    fails 2 "is not in it any more" rbtool mark v1.0.0 good -m again
    run -0 rbtool verify v1.0.0
}

@test "a first push to a server with hooks leaves receipts, which become entries with the ledger" {
    server hooks
    rbtool release v1.0.0 2>/dev/null
    git push -q origin main v1.0.0
    run ! git -C "$SERVER" rev-parse -q --verify $LEDGER
    rbtool sync
    rbtool sync
    [[ $(entries) -eq 2 && $(roots) -eq 1 ]]
    rbtool log --verify
    [[ $(git -C "$SERVER" config rbtool.ledger) == $(git config rbtool.ledger) ]]
}

@test "a fresh clone on a deploy host deploys once it has the ledger of its remote" {
    published
    other host
    cp "$SHOP/rbtool.json" .
    fails 2 "this clone has no ledger and its remote origin has one" rbtool deploy v1.0.0 --yes
    rbtool sync
    run -0 rbtool deploy v1.0.0 --yes
    [[ $(roots) -eq 1 && $(git config rbtool.ledger) == $(git -C "$SHOP" config rbtool.ledger) ]]
    rbtool sync
    [[ $(git -C "$SERVER" log -1 --format=%s $LEDGER) == "transition v1.0.0 deploy in prod"* ]]
}

@test "a CI job that releases from a clone without the ledger fetches it first" {
    published hooks
    second
    git push -q origin main
    other ci
    run -0 rbtool release v1.1.0
    [[ $output == *"this clone had no ledger: fetched that of origin"* ]]
    git push -q origin v1.1.0
    run -0 rbtool sync
    [[ $(roots) -eq 1 ]]
    cd "$SHOP"
    run -0 rbtool sync
    rbtool log --verify
    # a remote that does not answer is not taken for one without a ledger
    other again
    git remote set-url origin "$BATS_TEST_TMPDIR/nowhere.git"
    fails 2 "that of origin cannot be fetched" rbtool release v9.9.9
    [[ $output == *'hint: '*'`git ls-remote origin`'* ]]
    run ! git rev-parse -q --verify v9.9.9
}

@test "the first entry of a second person is added to the same ledger" {
    published
    other bob
    run -0 rbtool mark v1.0.0 good -m 'looked at it'
    rbtool sync
    cd "$SHOP"
    rbtool sync
    [[ $(roots) -eq 1 && $(git log -1 --format=%s $LEDGER) == "verdict v1.0.0 good: looked at it" ]]
}

@test "a host without a key deploys, reverts and syncs with a server that has the hooks" {
    published hooks
    second
    rbtool release v1.1.0 2>/dev/null
    git push -q origin main v1.1.0
    rbtool sync
    other host
    cp "$SHOP/rbtool.json" .
    git config --unset user.signingKey
    git config --global --unset user.signingKey
    rbtool sync
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    run -0 rbtool sync
    [[ $(git -C "$SERVER" log --format=%s $LEDGER | grep -c '^transition') -eq 3 ]]
    [[ $(git -C "$SERVER" log --format=%s $LEDGER | grep -c '^verdict') -eq 0 ]]
    # at this host the release is bad all the same
    rbtool list | grep 'v1.1.0' | grep -q bad
}

@test "sync with a read-only remote keeps what it fetched" {
    published
    other reader
    rbtool sync
    rbtool mark v1.0.0 good -m mine
    git -C "$SHOP" fetch -q
    (cd "$SHOP" && rbtool mark v1.0.0 good -m theirs && rbtool sync)
    printf '#!/bin/sh\nexit 1\n' >"$SERVER/hooks/pre-receive"
    chmod +x "$SERVER/hooks/pre-receive"
    run rbtool sync
    [[ $status -ne 0 && $output == *"what was fetched is kept (1 received), but nothing was sent"* ]]
    git log --format=%s $LEDGER | grep -q theirs
    run -0 rbtool sync --fetch
    [[ $output == *"0 received, 0 sent; ours is at"* ]]
    rbtool sync --fetch --json | jq -e .unsent
    rm "$SERVER/hooks/pre-receive"
    run -0 rbtool sync
    [[ $output == *"both are at"* ]]
}

@test "a staging database created from a dump works with the ledger" {
    published
    jq --arg root "$BATS_TEST_TMPDIR/staging" '.environments.staging = {root: $root,
        databases: {main: "sqlite:\($root)/data/shop.db"}}' rbtool.json >x && mv x rbtool.json
    rbtool deploy v1.0.0 --env prod --yes
    mkdir -p "$BATS_TEST_TMPDIR/staging/data"
    rbtool deploy v1.0.0 --env staging --yes
    sqlite3 "$PROD/data/shop.db" .dump >dump.sql
    rm "$BATS_TEST_TMPDIR/staging/data/shop.db"
    sqlite3 "$BATS_TEST_TMPDIR/staging/data/shop.db" <dump.sql
    run -0 rbtool status --env staging
    run -0 rbtool sync
    [[ $(roots) -eq 1 ]]
    rbtool log --verify
}

@test "entries of another ledger do not count, whichever ledger their merge names" {
    git config rbtool.root alice@example.com
    cp -a "$SHOP" "$BATS_TEST_TMPDIR/sandbox"
    published hooks
    git -C "$SERVER" config rbtool.root alice@example.com
    cd "$BATS_TEST_TMPDIR/sandbox"
    git config rbtool.app shop
    echo '{"roles":{"release":["nobody@example.com"]}}' >p.json
    rbtool policy set p.json -m 'trying things'
    sandbox=$(git config rbtool.ledger)
    cd "$SHOP"
    git fetch -q "$BATS_TEST_TMPDIR/sandbox" $LEDGER:refs/heads/sandbox
    real=$(git config rbtool.ledger)
    rbtool sync # the server's receipt
    AT=$(date +%s)
    for first in "$real" "$sandbox"; do
        {
            printf 'merge\n\n'
            jq -nS --indent 2 --argjson at "$AT" --arg first "$first" '{type: "urn:rbtool:ledger:v1", app: "shop", at: $at,
                attachments: [], environment: null, kind: "merge", ledger: $first, merge: {}, object: null, tag: null}'
        } >"$BATS_TEST_TMPDIR/merge"
        graft=$(GIT_COMMITTER_DATE="$AT +0000" git commit-tree -p $LEDGER -p sandbox -F "$BATS_TEST_TMPDIR/merge" \
            "$(git mktree </dev/null)")
        run git push --no-verify -f origin "$graft:$LEDGER"
        [[ $status -ne 0 && $output == *"is of another ledger"* ]] || { echo "$output"; return 1; }
        # a server without hooks has it: here it is not taken
        git push -q --no-verify origin "$graft:refs/heads/graft" -f
        before=$(git -C "$SERVER" rev-parse $LEDGER)
        git -C "$SERVER" -c core.hooksPath=/dev/null update-ref $LEDGER "$graft"
        run rbtool sync
        [[ $status -eq 1 && $output == *"another"* ]]
        git -C "$SERVER" -c core.hooksPath=/dev/null update-ref $LEDGER "$before"
        git -c core.hooksPath=/dev/null update-ref $LEDGER "$graft"
        run rbtool policy show
        [[ $output != *nobody@example.com* ]]
        git -c core.hooksPath=/dev/null update-ref $LEDGER "$before"
    done
}
