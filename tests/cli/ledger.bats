#!/usr/bin/env bats
# Writing the ledger and reading it: release and mark write, log shows, plain git agrees.
# shellcheck disable=SC2034 # forge reads AT, KEY, TREE and OBJECT
bats_require_minimum_version 1.5.0

load lib
load ledger

setup_file() { ledger_template; }
setup() { ledger_shop; }

@test "a release's entry contains the tag object and the catalog" {
    cmp <(git cat-file blob $LEDGER:tag) <(git cat-file tag v1.0.0)
    # The fingerprint is that of the catalog without the order of columns.
    [[ $(git cat-file blob $LEDGER:catalog-main | jq -jcS 'with_entries(select(.key | startswith("order ") | not))' |
        sha256sum | cut -d' ' -f1) == \
        $(rbtool show v1.0.0 --json | jq -r '.predicate.databases[0].fingerprint') ]]
    git verify-commit $LEDGER
    git fsck --full --strict
    rbtool log --json >line
    schema log <line
    jq .entry line | schema ledger-entry
    [[ $(jq -r .id line) == "$FIRST" && $(jq -r .principal line) == alice@example.com ]]
    [[ $(jq -r .entry.release.commit line) == $(git rev-parse 'v1.0.0^{}') ]]
    # What is between the entry's title and its end is its JSON, in its one form.
    cmp <(git log -1 --format=%B $LEDGER | sed '1,2d;$d') <(jq -S --indent 2 .entry line)
    [[ $(git cat-file tag v1.0.0 | sed '/^-----BEGIN SSH/,$d' | sha256sum | cut -d' ' -f1) == \
        $(jq -r .entry.release.sha256 line) ]]
}

@test "log --verify warns of an entry that is dated before the one that it follows" {
    AT=$(($(git log -1 --format=%ct $LEDGER) - 3600))
    tip "$(forge 'verdict v1.0.0 good' . "$FIRST")"
    run -0 rbtool log --verify
    [[ $output == *"clock: dated 3600 seconds before the entry that it follows: the clock of one of the writers is wrong"* ]]
    rbtool log --json -n 1 | jq -e '.problems[0] | .code == "dated" and .warning'
}

@test "a dry run writes no ledger entry, and a release reports its entry" {
    rbtool release v1.1.0 --dry-run
    [[ $(git rev-parse $LEDGER) == "$FIRST" ]]
    rbtool release v1.1.0 --json 2>/dev/null | tee made | schema release
    [[ $(jq -r .entry made) == $(git rev-parse $LEDGER) ]]
    [[ $(git rev-parse $LEDGER^) == "$FIRST" ]]
}

@test "a release is created when the ledger cannot be written, and can be recorded later" {
    mkdir -p .git/hooks
    cat >.git/hooks/reference-transaction <<'SH'
#!/bin/sh
! { [ "$1" = prepared ] && grep -q refs/rbtool; }
SH
    chmod +x .git/hooks/reference-transaction
    run --separate-stderr -0 rbtool release v1.1.0
    [[ $stderr == *"is made, but the ledger has no entry about it: git did not move $LEDGER"* ]]
    [[ $stderr == *"rbtool release v1.1.0 --record"* ]]
    git verify-tag v1.1.0
    run --separate-stderr -0 rbtool log --verify
    [[ $stderr == *"the ledger has no entry about release v1.1.0; rbtool release v1.1.0 --record writes it" ]]
    fails 1 "hook" rbtool release v1.1.0 --record
    rm .git/hooks/reference-transaction
    rbtool release v1.1.0 --record
    [[ $(rbtool log --json -n 1 | jq -r .title) == "release v1.1.0 shop 1.1.0, reversible" ]]
    cmp <(git cat-file blob $LEDGER:tag) <(git cat-file tag v1.1.0)
    fails 0 "has an entry about release v1.1.0 already" rbtool release v1.1.0 --record
    [[ $(rbtool log --verify) == "2 entries: 2 good" ]]
}

@test "log filters by tag, environment, kind, date and number" {
    AT=1700000000
    a=$(forge 'verdict v1.0.0 good' . "$FIRST")
    b=$(forge 'approval v1.0.0 fine' '.kind = "approval" | .approval = {why: "read it"} |
        del(.verdict) | .environment = "prod"' "$a")
    AT=$(date +%s)
    c=$(forge 'verdict v2.0.0 bad: slow' '.tag = "v2.0.0" | .verdict.verdict = "bad"' "$b")
    d=$(forge 'verdict v1.0.0 good' . "$b")
    tip "$(forge merge '.kind = "merge" | .merge = {} | del(.verdict) | .tag = null | .object = null' "$c" "$d")"
    ids() { rbtool log --json "$@" | jq -r .id; }
    [[ $(ids | sort) == $(printf '%s\n' "$FIRST" "$a" "$b" "$c" "$d" | sort) ]]
    [[ $(ids --kind merge) == $(git rev-parse $LEDGER) ]]
    [[ $(ids --kind approval) == "$b" && $(ids --env prod) == "$b" && $(ids --env test) == "" ]]
    [[ $(ids --tag v2.0.0) == "$c" && $(ids --tag 'v2*' --kind verdict,approval) == "$c" ]]
    [[ $(ids --since '2 days ago' | wc -l) -eq 3 && $(ids --since 2023-11-01 | wc -l) -eq 5 ]]
    [[ $(ids -n 2 | sort) == $(printf '%s\n' "$c" "$d" | sort) ]]
    [[ $(ids --tag v9) == "" ]]
    fails 2 "the kind does not exist; the nearest is verdict" rbtool log --kind verdit
    run -0 rbtool log
    [[ ${lines[0]} == "ENTRY "*"WHAT" && ${#lines[@]} -eq 6 ]]
    [[ $output == *"verdict   v2.0.0   -     alice@example.com  bad: slow"* ]]
    [[ $output == *"2023-11-14 22:13 UTC  approval  v1.0.0   prod  alice@example.com  fine"* ]]
    run -0 rbtool log --verify
    [[ ${lines[0]} == *" clock: dated "*" seconds before the entry that it follows"* && ${lines[2]} == "6 entries: 6 good" ]]
}

@test "log marks overrides" {
    tip "$(forge 'override v1.0.0 approvals: it is 02:00' '.kind = "override" | del(.verdict) |
        .override = {rule: "approvals", why: "it is 02:00", transition: null}' "$FIRST")"
    run -0 rbtool log
    [[ ${lines[1]} == *"OVERRIDE  v1.0.0"*"PAST THE RULES: approvals: it is 02:00" ]]
}

@test "log reports an empty ledger in an empty repository" {
    git init -q "$BATS_TEST_TMPDIR/empty"
    run --separate-stderr -0 rbtool -C "$BATS_TEST_TMPDIR/empty" log
    [[ -z $output && $stderr == "there is no ledger here yet"* ]]
    run --separate-stderr -0 rbtool -C "$BATS_TEST_TMPDIR/empty" log --verify --json
    [[ -z $output ]]
}

@test "concurrent writers lose no entry and rewrite none" {
    for i in {1..12}; do
        rbtool mark v1.0.0 good -m "writer $i" >"$BATS_TEST_TMPDIR/out.$i" 2>&1 &
    done
    for pid in $(jobs -p); do wait "$pid"; done
    [[ $(git log --format=%s $LEDGER | grep -o 'writer [0-9]*' | sort -u | wc -l) -eq 12 ]]
    [[ $(git rev-list --count $LEDGER) -eq 13 && $(git rev-list --merges --count $LEDGER) -eq 0 ]]
    # Every entry that was told to someone is there.
    for f in "$BATS_TEST_TMPDIR"/out.*; do
        git merge-base --is-ancestor "$(grep -o 'entry [0-9a-f]*' "$f" | cut -d' ' -f2)" $LEDGER
    done
    git rev-list $LEDGER | xargs git verify-commit
    git fsck --full --strict
    [[ $(rbtool log --verify) == "13 entries: 13 good" ]]
}

@test "concurrent writers lose no entry when the lock file cannot be opened" {
    mkdir -p .git/rbtool && rm -f .git/rbtool/ledger.turn
    mkdir .git/rbtool/ledger.turn # it cannot be opened
    for i in {1..5}; do rbtool mark v1.0.0 good -m "writer $i" & done >/dev/null 2>&1
    for pid in $(jobs -p); do wait "$pid"; done
    [[ $(rbtool log --verify) == "6 entries: 6 good" ]]
}

@test "git agrees with log about every signature" {
    KEY=$KEYS/mallory
    unknown=$(forge 'verdict v1.0.0 good' . "$FIRST")
    KEY=$KEYS/bob
    good=$(forge 'verdict v1.0.0 good' . "$unknown")
    KEY=''
    unsigned=$(forge 'verdict v1.0.0 good' . "$good")
    tip "$unsigned"
    [[ $(trust "$unknown") == unknown && $(trust "$good") == good && $(trust "$unsigned") == unsigned ]]
    [[ $(git log --format=%G? $LEDGER | tr -d '\n') == NGUG ]]
    run -1 rbtool log --verify
    [[ $output == *"${unknown:0:10} unknown: the key SHA256:"*"is not in the allowed signers"* ]]
    [[ $output == *"${unsigned:0:10} unsigned: the entry is not signed"* ]]
    [[ $output == *"4 entries: 2 good, 1 unsigned, 1 unknown"* ]]
    # bob's key is revoked: his entry is no longer good, also where it was kept as such.
    cp "$KEYS/bob.pub" "$KEYS/revoked"
    git config --global gpg.ssh.revocationFile "$KEYS/revoked"
    [[ $(trust "$good") == unknown ]]
}

@test "log --verify reports an unsigned entry only where the policy requires signatures" {
    KEY=''
    local filter='.kind = "approval" | .approval = {why: ""} | del(.verdict) | .environment = '
    git config rbtool.root alice@example.com
    # What was written before the policy was set could not follow it.
    tip "$(forge 'approval v1.0.0 early' "$filter \"prod\"" "$FIRST")"
    echo '{"roles": {}, "environments": {"prod": {"signed": true}}}' >"$BATS_TEST_TMPDIR/policy.json"
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m 'as agreed'
    tip "$(forge 'approval v1.0.0 a' "$filter \"test\"" "$(git rev-parse $LEDGER)")"
    tip "$(forge 'verdict v1.0.0 good' . "$(git rev-parse $LEDGER)")"
    run -0 rbtool log --verify
    [[ $output == *"5 entries: 2 good, 3 unsigned"* ]]
    prod=$(forge 'approval v1.0.0 b' "$filter \"prod\"" "$(git rev-parse $LEDGER)")
    tip "$prod"
    run -1 rbtool log --verify
    [[ $output == *"${prod:0:10} unsigned: the entry is not signed"* ]]
}

@test "linked work trees and bare repositories use the same ledger" {
    git worktree add -q "$BATS_TEST_TMPDIR/tree" HEAD
    (cd "$BATS_TEST_TMPDIR/tree" && rbtool mark v1.0.0 good -m 'from the work tree')
    [[ $(rbtool log --json -n 1 | jq -r .entry.verdict.why) == 'from the work tree' ]]
    [[ $(cd "$BATS_TEST_TMPDIR/tree" && rbtool log --verify) == "2 entries: 2 good" ]]
    [[ ! -e .git/worktrees/tree/rbtool ]]
    git clone -q --mirror . "$BATS_TEST_TMPDIR/mirror.git"
    [[ $(rbtool -C "$BATS_TEST_TMPDIR/mirror.git" log --verify) == "2 entries: 2 good" ]]
    git gc -q --prune=now
    [[ $(rbtool log --verify) == "2 entries: 2 good" ]]
    git pack-refs --all
    rbtool mark v1.0.0 bad -m 'from packed refs'
    [[ $(rbtool log --verify) == "3 entries: 3 good" ]]
}

@test "a host without a git identity can write entries" {
    # No identity at all: git itself refuses to commit.
    git config --global --unset user.name
    git config --global --unset user.email
    git config --global user.useConfigOnly true
    fails 128 "" git commit -q --allow-empty -m x
    rbtool mark v1.0.0 good -m nameless
    [[ $(rbtool log --json -n 1 | jq -r .committer) == 'rbtool <rbtool@'*'>' ]]
    [[ $(rbtool log --verify) == "2 entries: 2 good" ]]
}

@test "a release's runbook is attached to its entry, and its commands work" {
    rbtool show v1.0.0 --runbook >"$BATS_TEST_TMPDIR/runbook"
    grep -qx '# Runbook: revert v1.0.0' "$BATS_TEST_TMPDIR/runbook"
    grep -qF 'Database main, migration 1: its down restores schema and data' "$BATS_TEST_TMPDIR/runbook"
    git show "$(rbtool log --json --kind release | jq -r .id):runbook.md" | diff - "$BATS_TEST_TMPDIR/runbook"
    rbtool show v1.0.0 | grep -q '^runbook     `rbtool show v1.0.0 --runbook`$'
    rbtool release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool show v1.1.0 --runbook | grep -oE 'rbtool (check|status|plan)[^`]*' | sed 's/--env ENV/--env prod/' | sort -u >"$BATS_TEST_TMPDIR/commands"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/commands")" -eq 5 ]
    while read -r command; do
        (eval "$command")
    done <"$BATS_TEST_TMPDIR/commands"
    rbtool show v1.1.0 --runbook | grep -E '^ {6}rbtool revert .* --only' | sed 's/--env ENV/--env prod/' >"$BATS_TEST_TMPDIR/ways"
    while read -r command; do
        (eval "$command --dry-run")
    done <"$BATS_TEST_TMPDIR/ways"
}
