#!/usr/bin/env bats
# Findings and reviews that people add to the ledger.
# shellcheck disable=SC2034 # forge reads KEY
bats_require_minimum_version 1.5.0

load lib
load ledger

setup_file() { ledger_template; }
setup() { ledger_shop; }

newest() { # FILTER: of the newest entry
    rbtool log --json -n 1 | jq -r "$1"
}

@test "a note about a transition has its release, environment and id, and is signed" {
    mkdir -p "$PROD/data" "$PROD/etc"
    rbtool deploy v1.0.0 --yes
    id=$(rbtool log --json --kind transition | jq -r .entry.transition.id)
    entry=$(rbtool log --json --kind transition | jq -r .id)
    rbtool note "$id" -m $'the pool was too small\nand was not watched' --json | tee written | schema written
    [[ $(jq -r '.kind, .tag, .environment, .by' written) == $'note\nv1.0.0\nprod\nalice@example.com' ]]
    [[ $(newest .id) == "$(jq -r .entry written)" ]]
    rbtool log --json -n 1 | jq .entry | schema ledger-entry
    [[ $(newest .title) == "note v1.0.0 the pool was too small" ]]
    [[ $(newest '.entry.note | .about, .transition, .text') == "$entry"$'\n'"$id"$'\nthe pool was too small\nand was not watched' ]]
    git verify-commit $LEDGER
    # The entry's id will do as well, and its beginning.
    rbtool note "${entry:0:10}" -m 'it is fixed'
    [[ $(newest '.entry.note.about') == "$entry" ]]
    [[ $(rbtool log --kind note | grep -c 'v1.0.0') -eq 2 ]]
    rbtool log --verify
}

@test "a note about a release names its tag object, and every allowed signer may write it" {
    git config user.signingKey "$KEYS/bob"
    rbtool note v1.0.0 -m 'orders were slow'
    [[ $(newest '.principal, .entry.object, .entry.note.about') == $'bob@example.com\n'"$OBJECT"$'\nnull' ]]
    git config user.signingKey "$KEYS/mallory"
    fails 2 'a note must be signed' rbtool note v1.0.0 -m 'all was well'
    [[ $(rbtool log --kind note --json | wc -l) -eq 1 ]]
}

@test "a review records what was reviewed and when the next one is due" {
    rbtool note --review backup --due 2027-06-01 --env prod -m 'restored on a copy' --json | tee written | schema written
    [[ $(jq -r '.kind, .tag, .environment' written) == $'review\nnull\nprod' ]]
    rbtool log --json -n 1 | jq .entry | schema ledger-entry
    [[ $(newest '.entry.review | .subject, .text, (.due | todate)') == $'backup\nrestored on a copy\n2027-06-01T00:00:00Z' ]]
    rbtool note v1.0.0 --review plan --due 2027-02-28
    [[ $(newest '.entry | .tag, .object') == $'v1.0.0\n'"$OBJECT" ]]
    [[ $(newest .title) == 'review v1.0.0 plan, due 2027-02-28' ]]
}

@test "a note or a review that cannot be meant is refused, and nothing is written" {
    before=$(git rev-parse $LEDGER)
    fails 2 'a note needs its text: -m TEXT' rbtool note v1.0.0
    fails 2 'ID is missing' rbtool note -m x
    fails 2 'the ledger has no entry or transition 0123456789' rbtool note 0123456789 -m x
    fails 2 '--due is for --review' rbtool note v1.0.0 -m x --due 2027-01-01
    fails 2 'a review is of plan, backup or history' rbtool note --review rows --due 2027-01-01
    fails 2 'not of the form YYYY-MM-DD' rbtool note --review plan
    for date in 2027-02-30 2027-1-1 tomorrow 2027-01-01x 1969-01-01; do
        fails 2 'not of the form YYYY-MM-DD' rbtool note --review plan --due $date
    done
    fails 2 'not a name of an environment' rbtool note --review plan --due 2027-01-01 --env 'a b'
    [[ $(git rev-parse $LEDGER) == "$before" ]]
}

@test "a review takes the role approve, and an unsigned note counts for nothing" {
    git config rbtool.root alice@example.com
    echo '{"roles": {"approve": ["alice@example.com"]}}' >policy.json
    rbtool policy set policy.json -m 'who reviews'
    git config user.signingKey "$KEYS/bob"
    fails 1 'a review by bob@example.com' rbtool note --review plan --due 2027-01-01
    KEY=
    tip "$(forge 'note v1.0.0 x' '.kind = "note" | .note = {about: null, transition: null, text: "x"} | del(.verdict)' "$(git rev-parse $LEDGER)")"
    git init -q --bare "$BATS_TEST_TMPDIR/remote"
    git remote add origin "$BATS_TEST_TMPDIR/remote"
    [[ $(trust "$(git rev-parse $LEDGER)") == unsigned ]]
    rbtool sync
    git clone -q "$BATS_TEST_TMPDIR/remote" ../other
    fails 0 'it is not signed, and entries of its kind must be' rbtool -C ../other sync
}
