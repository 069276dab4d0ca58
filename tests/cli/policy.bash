# Shared by the bats files about policy: `load policy` after lib and transition. alice (the root),
# bob, carol and dave may sign; v1.0.0 and v1.1.0 are released.
#
#   policy_template   in setup_file: makes the shop once
#   policy_shop       in setup: a copy of it, entered
# shellcheck shell=bash disable=SC2034 # what is set here is read by the tests

policy_template() {
    local who
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    home
    keys
    for who in carol dave; do
        ssh-keygen -q -t ed25519 -N '' -C '' -f "$KEYS/$who"
        printf '%s@example.com %s\n' "$who" "$(cut -d' ' -f1,2 "$KEYS/$who.pub")" >>"$KEYS/allowed"
    done
    shop
    release v1.0.0
    second
    rbtool release v1.1.0
}

policy_shop() {
    home
    KEYS=$BATS_FILE_TMPDIR/home/keys
    cp "$BATS_FILE_TMPDIR/home/gitconfig" "$HOME/gitconfig"
    cp "$KEYS/allowed" "$HOME/allowed"
    git config --global gpg.ssh.allowedSignersFile "$HOME/allowed"
    PROD=$BATS_TEST_TMPDIR/prod
    mkdir -p "$PROD/data" "$PROD/etc"
    SHOP=$BATS_TEST_TMPDIR/shop
    cp -r "$BATS_FILE_TMPDIR/shop" "$SHOP"
    cd "$SHOP" || return 1
    sed -i "s|$BATS_FILE_TMPDIR|$BATS_TEST_TMPDIR|g" rbtool.json
}

as() { # NAME COMMAND...: with that person's key and name
    local who=$1
    shift
    git config --global user.signingKey "$KEYS/$who"
    git config --global user.email "$who@example.com"
    "$@"
    local code=$?
    git config --global user.signingKey "$KEYS/alice"
    git config --global user.email alice@example.com
    return $code
}

policy() { # JSON: set by alice, who is the root
    git config rbtool.root alice@example.com
    printf '%s' "$1" >"$BATS_TEST_TMPDIR/policy.json"
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m 'as agreed' "${@:2}"
}

lawless() { # COMMAND...: in a clone whose owner has set no root
    git config --unset rbtool.root
    "$@"
    local code=$?
    git config rbtool.root alice@example.com
    return $code
}

fingerprint() {
    ssh-keygen -lf "$KEYS/$1.pub" | cut -d' ' -f2
}

two='"environments":{"prod":{"approvals":{"deploy":2}}}'

# A policy that asks for two approvals of a deploy and none of a revert, with v1.0.0 live.
live_under_policy() {
    policy '{"environments":{"prod":{"approvals":{"deploy":0}}}}'
    rbtool deploy v1.0.0 --yes
    policy "{$two}"
}

# record_again NAME RUNBOOK FILTER: the ledger's entry about v1.1.0 with another runbook, its JSON passed
# through the jq FILTER, signed by that person.
record_again() {
    local ledger=refs/rbtool/ledger at old tree
    at=$(date +%s)
    old=$(git log -1 --format=%H --grep='^release v1.1.0' $ledger)
    tree=$({
        git ls-tree "$old" | grep -v runbook.md
        printf '100644 blob %s\trunbook.md\n' "$(git hash-object -w "$2")"
    } | git mktree)
    {
        printf '%s\n\n' "$(git log -1 --format=%s "$old")"
        git log -1 --format=%b "$old" | jq -S --indent 2 --argjson at "$at" --arg sha "$(sha256sum <"$2" | cut -d' ' -f1)" \
            '.at = $at | (.attachments[] | select(.name == "runbook.md")).sha256 = $sha | '"$3"
    } >"$BATS_TEST_TMPDIR/message"
    RBTOOL=0 git update-ref $ledger "$(GIT_COMMITTER_DATE="$at +0000" git commit-tree "-S$KEYS/$1" \
        -p $ledger -F "$BATS_TEST_TMPDIR/message" "$tree")"
}
