#!/usr/bin/env bats
# Ledgers that someone made to mislead, to hide or to hurt: what the user sees.
# shellcheck disable=SC2034 # forge reads AT, KEY, TREE and OBJECT
bats_require_minimum_version 1.5.0

load lib
load ledger

setup_file() { ledger_template; }
setup() { ledger_shop; }

# broken ID TEXT: verify names the entry as broken, says why, and ends with 1.
broken() {
    tip "$1"
    run -1 rbtool log --verify
    [[ $output == *"${1:0:10} broken: "*"$2"* ]] || {
        echo "$output"
        return 1
    }
    [[ $(trust "$1") == broken ]]
    [[ $(verdict) == null ]]
}

# Of v1.0.0, as a verification summary tells it to others.
verdict() {
    rbtool attest v1.0.0 --vsa | jq -r .payload | base64 -d | jq -r '.predicate |
        if .verificationResult == "FAILED" then "bad"
        elif .verifiedLevels | index("RBTOOL_KNOWN_GOOD") then "good" else null end'
}

@test "a forged but valid entry is good, as the base for the following tests" {
    tip "$(forge 'verdict v1.0.0 good' . "$FIRST")"
    [[ $(rbtool log --verify) == "2 entries: 2 good" ]]
    [[ $(verdict) == good ]]
}

@test "a signed code commit is not accepted as an entry" {
    # Its message is an entry's, its tree is code's.
    TREE=$(git rev-parse 'HEAD^{tree}')
    broken "$(forge 'verdict v1.0.0 good' . "$FIRST")" "something else than plain files"
    TREE=$(printf '100644 blob %s\tnote\n' "$(git hash-object -w VERSION)" | git mktree)
    broken "$(forge 'verdict v1.0.0 good' . "$FIRST")" "holds 1 files, which are not the 0 attachments"
    # Its tree is empty, its parent is code.
    TREE=$EMPTY
    broken "$(forge 'verdict v1.0.0 good' . "$(git rev-parse HEAD)")" "which is not an entry of a ledger"
    [[ $output == *"$(git rev-parse --short=10 HEAD) foreign: the commit is not an entry of a ledger"* ]]
}

@test "a code commit at the ledger's tip is foreign, and rbtool refuses to write after it" {
    git commit -q -S --allow-empty -m 'Fix the shop'
    tip "$(git rev-parse HEAD)"
    run -1 rbtool log --verify
    [[ $output == *"foreign: the commit is not an entry of a ledger (none: Fix the shop)"* ]]
    [[ $output == *"2 entries: 2 foreign"* ]] # the history of the code is not read
    fails 2 "nothing is written on top of $LEDGER" rbtool mark v1.0.0 good -m x
    [[ $(git rev-parse $LEDGER) == $(git rev-parse HEAD) ]]
}

@test "behind one foreign commit at the tip, log shows and judges the ledger" {
    good=$(forge 'verdict v1.0.0 bad' '.verdict.verdict = "bad"' "$FIRST")
    foreign=$(git commit-tree -m 'Fix the shop' -p "$good" $EMPTY)
    tip "$foreign"
    run -1 rbtool log --verify
    [[ $output == *"${foreign:0:10} foreign: the commit is not an entry of a ledger (none: Fix the shop)"* ]]
    [[ $output == *"3 entries: 2 good, 1 foreign"* ]]
    [[ $(trust "$good") == good && $(trust "$foreign") == foreign ]]
    [[ $(rbtool list) == *"bad"* ]]
    # Nor does a commit whose message cannot be parsed hide it.
    printf 'tree %s\nparent %s\nauthor x\n\nno date\n' "$EMPTY" "$good" >"$BATS_TEST_TMPDIR/raw"
    tip "$(git hash-object -t commit -w --literally "$BATS_TEST_TMPDIR/raw")"
    run -1 rbtool log --verify
    [[ $output == *"3 entries: 2 good, 1 foreign"* ]]
}

@test "a signature copied to a changed entry is refused" {
    good=$(forge 'verdict v1.0.0 good' . "$FIRST")
    second=$(forge 'verdict v1.0.0 good: twice' . "$good")
    # The same entry in another place, and with another word.
    broken "$(git cat-file commit "$second" | sed "s/^parent .*/parent $FIRST/" |
        git hash-object -t commit -w --stdin)" "signature does not match what was signed"
    broken "$(git cat-file commit "$good" | sed 's/good/bad/' |
        git hash-object -t commit -w --stdin)" "signature does not match what was signed"
    broken "$(git cat-file commit "$good" | sed 's/^gpgsig .*/gpgsig -----BEGIN SSH SIGNATURE----/' |
        git hash-object -t commit -w --stdin)" "SSH SIGNATURE"
}

@test "an entry that is not in canonical form or contradicts its title is broken" {
    broken "$(forge 'verdict v1.0.0 good' '.verdict.verdict = "bad"' "$FIRST")" 'the title says "verdict v1.0.0 good"'
    broken "$(forge 'verdict v1.0.0 good' '.extra = 1' "$FIRST")" 'unknown key "extra"'
    broken "$(forge 'verdict v1.0.0 good' '.at = 1' "$FIRST")" 'says that it is of 1, its commit'
    broken "$(forge 'verdict v1.0.0 good' '.verdict.why = 1.5' "$FIRST")" 'verdict.why: expected a string'
    good=$(forge 'verdict v1.0.0 good' . "$FIRST")
    broken "$(git cat-file commit "$good" | sed '/^gpgsig/,/^ -----END/d; s/^  "app"/   "app"/' |
        git hash-object -t commit -w --stdin)" 'not in its one form'
    broken "$(git cat-file commit "$good" | sed '/^gpgsig/,/^ -----END/d; s/^  "app": .*/&\n&/' |
        git hash-object -t commit -w --stdin)" 'duplicate'
    broken "$(git cat-file commit "$good" | sed 's/^author /encoding latin1\n&/' |
        git hash-object -t commit -w --stdin --literally)" 'encoding latin1'
}

@test "an entry of another application is foreign, and what follows it is not" {
    other=$(forge 'verdict v1.0.0 good' '.app = "bank"' "$FIRST")
    tip "$(forge 'verdict v1.0.0 bad' '.verdict.verdict = "bad"' "$other")"
    run -1 rbtool log --verify
    [[ $output == *"${other:0:10} foreign: the entry is about the application bank, this ledger about shop"* ]]
    [[ $(verdict) == bad ]]
}

@test "entries by unknown signers do not count" {
    KEY=$KEYS/mallory
    id=$(forge 'verdict v1.0.0 bad' '.verdict.verdict = "bad"' "$FIRST")
    tip "$id"
    run -1 rbtool log --verify
    [[ $output == *"${id:0:10} unknown: the key SHA256:"*"is not in the allowed signers"* ]]
    [[ $output == *"hint: entries that are not good count for nothing"*"\`rbtool init\` there"* ]]
    [[ $(verdict) == null ]]
    run -0 rbtool log
    [[ ${lines[1]} == *"UNKNOWN SHA256:"* ]]
}

@test "entries about tags that do not exist have no effect" {
    OBJECT=0123456789012345678901234567890123456789
    one=$(forge 'verdict v7.7.7 bad' '.tag = "v7.7.7" | .verdict.verdict = "bad"' "$FIRST")
    # v1.0.0 by name, but another object: nothing is said about the tag that is here.
    tip "$(forge 'verdict v1.0.0 bad' '.verdict.verdict = "bad"' "$one")"
    [[ $(rbtool log --verify) == "3 entries: 3 good" ]]
    [[ $(verdict) == null ]]
    run -0 rbtool list
    [[ $output != *v7.7.7* ]]
    run -0 rbtool verify --all
}

@test "replace refs and grafts have no effect" {
    bad=$(forge 'verdict v1.0.0 bad' '.verdict.verdict = "bad"' "$FIRST")
    good=$(forge 'verdict v1.0.0 good' . "$FIRST")
    tip "$bad"
    git replace "$bad" "$good"
    [[ $(git log -1 --format=%s $LEDGER) == 'verdict v1.0.0 good' ]] # what git itself shows
    [[ $(rbtool log --json -n 1 | jq -r .title) == 'verdict v1.0.0 bad' && $(verdict) == bad ]]
    git replace -d "$bad" >/dev/null
    # A cycle: each the other's parent.
    printf '%s %s\n%s %s\n' "$bad" "$FIRST" "$FIRST" "$bad" >.git/info/grafts
    git replace --graft "$FIRST" "$bad"
    [[ $(rbtool log --verify) == "2 entries: 2 good" && $(verdict) == bad ]]
}

@test "an entry dated in the future is reported, and does not override later entries" {
    now=$AT
    AT=4070908800
    late=$(forge 'verdict v1.0.0 good' . "$FIRST")
    AT=$now
    tip "$(forge 'verdict v1.0.0 bad' '.verdict.verdict = "bad"' "$late")"
    run -0 rbtool log --verify
    [[ $output == *"${late:0:10} good: the entry's time lies in the future: its writer's clock was wrong"* ]]
    [[ $(rbtool log --json -n 1 | jq -r .entry.verdict.verdict) == bad && $(verdict) == bad ]]
}

@test "many nested merges are read quickly" {
    KEY=''
    # 30 layers of two merges, each of both below it: 2^30 ways through.
    a=$(forge 'verdict v1.0.0 good' . "$FIRST")
    b=$(forge 'verdict v1.0.0 bad' '.verdict.verdict = "bad"' "$FIRST")
    merge='.kind = "merge" | .merge = {} | del(.verdict) | .tag = null | .object = null'
    for i in {1..30}; do
        c=$(forge "merge $i a" "$merge" "$a" "$b")
        b=$(forge "merge $i b" "$merge" "$b" "$a")
        a=$c
    done
    tip "$(forge 'merge' "$merge" "$a" "$b")"
    run -0 timeout 5 rbtool log --verify
    [[ $output == *"64 entries: 1 good, 63 unsigned"* ]]
    run -0 timeout 5 rbtool list
}

@test "a merge entry with more parents than the limit is broken" {
    KEY=''
    parents=()
    for i in {1..17}; do parents+=("$(forge "verdict v1.0.0 good: $i" . "$FIRST")"); done
    merge='.kind = "merge" | .merge = {} | del(.verdict) | .tag = null | .object = null'
    KEY=$KEYS/alice
    broken "$(forge merge "$merge" "${parents[@]}")" "joins 17 histories, the limit is 16"
    tip "$(forge merge "$merge" "${parents[@]:0:16}")"
    [[ $(trust "$(git rev-parse $LEDGER)") == good ]]
    broken "$(forge merge "$merge" "$FIRST")" "only merge entries have several"
    broken "$(forge 'verdict v1.0.0 good' . "${parents[0]}" "${parents[1]}")" "a verdict entry with 2 parents"
}

@test "a message of 10 MB is not read" {
    good=$(forge 'verdict v1.0.0 good' . "$FIRST")
    huge=$({ git cat-file commit "$good"; head -c 10000000 /dev/zero | tr '\0' x; } | git hash-object -t commit -w --stdin)
    tip "$huge"
    run -1 rbtool log --verify
    [[ $output == *"${huge:0:10} foreign: cannot read the ledger's entry $huge: it has 10"*" bytes, the limit is 4194304"* ]]
    [[ $output != *xxxxxxxx* ]]
    # A million lines, whose parents alone are read.
    many=$({ git cat-file commit "$good"; yes '' | head -n 1000000; } | git hash-object -t commit -w --stdin)
    broken "$many" "the entry's message has 1000"
    # A title of one million letters is cut.
    broken "$({ git cat-file commit "$good" | sed '/^gpgsig/,/^ -----END/d' |
        sed "s/^verdict v1.0.0 good/verdict v1.0.0 $(head -c 100000 /dev/zero | tr '\0' y)/"; } |
        git hash-object -t commit -w --stdin)" "its title 100"
    [[ ${#output} -lt 2000 ]]
}

@test "control characters of an entry are escaped" {
    ugly=$'\e[31mred\e]0;title\a\b\u202e\x9b2J\r'
    KEY=$KEYS/mallory
    a=$(forge "verdict v1.0.0 good: $ugly" ".verdict.why = \"\u001b[2J\u0007\" | .environment = \"\u0085x\"" "$FIRST")
    KEY=$KEYS/alice
    tip "$(GIT_COMMITTER_NAME=$ugly forge "$ugly" '.kind = "odd"' "$a")"
    for options in '' --verify --json '--verify --json' '-n 1'; do
        # shellcheck disable=SC2086
        env -u NO_COLOR rbtool log $options >out 2>&1 || [[ $? -eq 1 ]]
        run grep -cP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' out
        [[ $output == 0 ]] || { cat -v out; false; }
    done
    run rbtool log
    [[ $output == *'\x1b[31mred\x1b]0;title\x07'* ]]
}

@test "an entry is broken if its attachments do not match the list in it" {
    blob=$(echo hello | git hash-object -w --stdin)
    sum=$(echo hello | sha256sum | cut -d' ' -f1)
    TREE=$(printf '100644 blob %s\tnote\n' "$blob" | git mktree)
    good=$(forge 'verdict v1.0.0 good' ".attachments = [{name: \"note\", sha256: \"$sum\"}]" "$FIRST")
    tip "$good"
    [[ $(trust "$good") == good ]]
    broken "$(forge 'verdict v1.0.0 good' ".attachments = [{name: \"note\", sha256: \"${sum//[0-9]/0}\"}]" "$FIRST")" \
        "the entry's attachment note has the SHA-256 $sum"
    broken "$(forge 'verdict v1.0.0 good' ".attachments = [{name: \"nota\", sha256: \"$sum\"}]" "$FIRST")" \
        "which are not the 1 attachments"
    TREE=$(printf '120000 blob %s\tnote\n' "$blob" | git mktree)
    broken "$(forge 'verdict v1.0.0 good' ".attachments = [{name: \"note\", sha256: \"$sum\"}]" "$FIRST")" \
        "something else than plain files"
    # Of an entry that nobody vouches for what is attached is looked at when it is asked for.
    TREE=$(printf '100644 blob %s\tnote\n' "$blob" | git mktree)
    KEY=''
    vain=$(forge 'verdict v1.0.0 good' ".attachments = [{name: \"note\", sha256: \"${sum//[0-9]/0}\"}]" "$FIRST")
    tip "$vain"
    [[ $(trust "$vain") == unsigned ]]
    run -1 rbtool log --verify
    [[ $output == *"${vain:0:10} broken: "*"the entry's attachment note has the SHA-256 $sum"* ]]
    # Withheld: the entry stands, and verify says what is missing.
    tip "$good"
    rm -f ".git/objects/${blob:0:2}/${blob:2}"
    run -1 rbtool log --verify
    [[ $output == *"${good:0:10} good: cannot read the entry's attachment $blob: the object is missing"* ]]
    [[ $output == *"; attachments of 1 missing"* ]]
    [[ $(verdict) == good ]]
}

@test "a truncated ledger is reported with what is missing" {
    a=$(forge 'verdict v1.0.0 good' . "$FIRST")
    tip "$(forge 'verdict v1.0.0 bad' '.verdict.verdict = "bad"' "$a")"
    mv ".git/objects/${a:0:2}/${a:2}" kept
    # The whole cause, and what can be read.
    fails 1 "shown: cannot read the ledger's entry $a: the object is missing" rbtool log
    [[ $output == *"verdict"*"bad"*"${a:0:10}"*BROKEN*'cannot be read'* ]]
    run -1 rbtool log --verify
    [[ $output == *"${a:0:10} broken: cannot read the ledger's entry $a: the object is missing"*'2 entries: 1 good, 1 broken'* ]]
    [[ $output == *"hint: fetch what is damaged or missing again: \`git fetch --refetch "*" $LEDGER\`"* ]]
    rbtool log --json 2>/dev/null >lines || true
    [[ $(jq -r 'select(.problems[0].code == "unreadable").id' lines) == "$a" ]]
    head -n 1 lines | schema log
    tail -n 1 lines | schema log
    fails 2 "the ledger is not whole, fetch $LEDGER again: cannot read the ledger's entry $a: the object is missing" \
        rbtool mark v1.0.0 bad -m x
    # Rotten: the bytes are not those of the id.
    printf 'commit 3\0abc' | zlib >".git/objects/${a:0:2}/${a:2}" 2>/dev/null ||
        perl -MCompress::Zlib -e 'print compress("commit 3\0abc")' >".git/objects/${a:0:2}/${a:2}"
    fails 1 "the object is corrupt" rbtool log
    mv -f kept ".git/objects/${a:0:2}/${a:2}"
    [[ $(rbtool log --verify) == "3 entries: 3 good" ]]
    # Cut off by a shallow fetch.
    git init -q "$BATS_TEST_TMPDIR/shallow"
    git -C "$BATS_TEST_TMPDIR/shallow" fetch -q --depth 1 "file://$PWD" "$LEDGER:$LEDGER"
    fails 1 "it is not in this shallow clone; run git fetch --unshallow" rbtool -C "$BATS_TEST_TMPDIR/shallow" log
    # Nothing can be read: the tip is missing, or is not a commit.
    tip "$a"
    mv ".git/objects/${a:0:2}/${a:2}" kept
    fails 2 "cannot read the ledger's entry $a: the object is missing" rbtool log
    mv kept ".git/objects/${a:0:2}/${a:2}"
    RBTOOL=0 git update-ref --no-deref "$LEDGER" "$(git hash-object -w VERSION)"
    fails 2 "$LEDGER is not a ledger: " rbtool log
}

@test "a symbolic ref is not accepted as a ledger" {
    RBTOOL=0 git symbolic-ref $LEDGER refs/heads/main
    fails 2 "is a symbolic ref" rbtool log
    fails 2 "is a symbolic ref" rbtool mark v1.0.0 good -m x
}

@test "only a few of many unsigned copies attached for a missing tag are verified" {
    rbtool release v1.1.0 2>/dev/null
    local blob sum commit n at='' good
    commit=$(git rev-parse HEAD)
    good=$(git rev-parse $LEDGER)
    RBTOOL=0 git tag -d v1.0.0
    kept() { # TEXT-OF-THE-TAG: an entry about v1.0.0 that keeps it, on top of the last
        blob=$(git hash-object -w --stdin <"$1") sum=$(sha256sum <"$1" | cut -d' ' -f1)
        TREE=$(printf '100644 blob %s\ttag\n' "$blob" | git mktree)
        at=$(forge "release v1.0.0" "del(.verdict) | .kind = \"release\" |
            .attachments = [{ name: \"tag\", sha256: \"$sum\" }] |
            .release = { commit: \"$commit\", sha256: \"$sum\", witness: false }" $at)
    }
    git cat-file tag "$OBJECT" >../real
    echo no >../false
    KEY=
    for n in {1..5}; do kept ../false; done
    kept ../real
    tip "$at"
    fails 1 "unknown" rbtool verify --all
    KEY=$KEYS/alice # who is allowed is heard wherever it says so
    kept ../real
    tip "$at"
    fails 1 "not here: v1.0.0: its tag was not fetched, or was deleted; git fetch REMOTE --tags. Where that does not bring it: its object is here and verifies" rbtool verify --all
    tip "$good"
}

@test "only entries of allowed signers report a missing tag, also without its object" {
    local detail=': { commit: "0123456789012345678901234567890123456789", sha256: ("0" * 64), witness: false }'
    detail="del(.verdict) | .kind = \"release\" | .release = ${detail#: }"
    for KEY in '' "$KEYS/mallory"; do
        tip "$(forge 'release v7.7.7' "$detail | .tag = \"v7.7.7\"" "$FIRST")"
        run -0 rbtool verify --all
        [[ $output != *v7.7.7* ]]
        run -0 rbtool list
        [[ $output != *v7.7.7* ]]
        # Nor does it move one that is here.
        tip "$(forge 'release v1.0.0' "$detail | .object = (\"7\" * 40)" "$FIRST")"
        run -0 rbtool verify --all
    done
    KEY=$KEYS/alice
    tip "$(forge 'release v7.7.7' "$detail | .tag = \"v7.7.7\"" "$FIRST")"
    fails 1 "ask who deleted it (the ledger, which knows it as $OBJECT, kept no object of it that verifies)" \
        rbtool verify --all
    [[ $output == *"not here v7.7.7"* && $output != *update-ref* ]] # $OBJECT is here, as v1.0.0
    rbtool verify --all --json | schema verify
    rbtool list | grep -q 'v7.7.7 .*not here'
    fails 2 "there is no tag v7.7.7" rbtool show v7.7.7
    rbtool mark v7.7.7 gap -m 'never was'
    rbtool verify --all
}

@test "sync says that it sent an entry that counts for nothing" {
    git init -q --bare "$BATS_TEST_TMPDIR/plain.git"
    git remote add plain "$BATS_TEST_TMPDIR/plain.git"
    good=$(forge 'verdict v1.0.0 good' . "$FIRST")
    tip "$(git cat-file commit "$good" | sed 's/good/bad/' | git hash-object -t commit -w --stdin)"
    run -0 --separate-stderr rbtool sync plain --json
    [ "$(jq -c '[.sent, .sentIgnored]' <<<"$output")" = '[2,1]' ]
    schema sync <<<"$output"
    tip "$(git cat-file commit "$good" | sed 's/good/bad/' | git hash-object -t commit -w --stdin)"
    git push -q plain :refs/rbtool/ledger
    git update-ref -d refs/rbtool/remotes/plain/ledger
    run -0 rbtool sync plain
    [[ $output == *"1 of the entries sent counts for nothing"*"signature does not match"* ]]
}
