# Shared by the bats files about the ledger: a shop with release v1.0.0, and entries of any form.
#
#   ledger_template   in setup_file: makes the shop once
#   ledger_shop       in setup: a copy of it, entered
#   forge TITLE FILTER [PARENT...]   prints the id of a commit like a verdict's: its JSON is passed
#       through the jq FILTER; AT (seconds), TREE, KEY (a private key; "" for none) change the rest
#   tip ID            puts it at the ledger's tip, past all hooks
# shellcheck shell=bash disable=SC2034 # what is set here is read by the tests

LEDGER=refs/rbtool/ledger
EMPTY=4b825dc642cb6eb9a060e54bf8d69288fbee4904

ledger_template() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR/template
    mkdir "$BATS_TEST_TMPDIR"
    home
    keys
    shop
    rbtool release v1.0.0 2>/dev/null
    second
    git mktree </dev/null
}

ledger_shop() {
    cp -a "$BATS_FILE_TMPDIR/template/." "$BATS_TEST_TMPDIR"
    home
    KEYS=$HOME/keys
    sed -i "s|$BATS_FILE_TMPDIR/template|$BATS_TEST_TMPDIR|" "$GIT_CONFIG_GLOBAL"
    PROD=$BATS_TEST_TMPDIR/prod
    cd "$BATS_TEST_TMPDIR/shop" || return
    sed -i "s|$BATS_FILE_TMPDIR/template|$BATS_TEST_TMPDIR|" rbtool.json
    FIRST=$(git rev-parse $LEDGER)
    OBJECT=$(git rev-parse v1.0.0)
    AT=$(date +%s)
    KEY=$KEYS/alice
    TREE=$EMPTY
}

forge() {
    local title=$1 filter=$2 parents=()
    shift 2
    while [[ $# -gt 0 ]]; do
        parents+=(-p "$1")
        shift
    done
    {
        printf '%s\n\n' "$title"
        jq -nS --indent 2 --arg object "$OBJECT" --argjson at "$AT" --arg ledger "${parents[0]:+$FIRST}" '{
            app: "shop", at: $at, attachments: [], environment: null, kind: "verdict",
            ledger: (if $ledger == "" then null else $ledger end), object: $object, tag: "v1.0.0", type: "urn:rbtool:ledger:v1",
            verdict: { transition: null, verdict: "good", why: "" } } | '"$filter"
    } >"$BATS_TEST_TMPDIR/message"
    GIT_COMMITTER_DATE="$AT +0000" GIT_AUTHOR_DATE="$AT +0000" \
        git commit-tree ${KEY:+"-S$KEY"} "${parents[@]}" -F "$BATS_TEST_TMPDIR/message" "$TREE"
}

tip() {
    RBTOOL=0 git update-ref $LEDGER "$1"
}

# The trust of an entry, as log tells it.
trust() {
    { rbtool log --json; rbtool log --json --kind merge; } | jq -r --arg id "$1" 'select(.id == $id).trust'
}
