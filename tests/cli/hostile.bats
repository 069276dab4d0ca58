#!/usr/bin/env bats
# Tags, manifests and names that somebody made to harm: what the user sees of them. Nothing that
# came out of a repository steers a terminal.
bats_require_minimum_version 1.5.0

load lib

setup_file() {
    home
    keys
    SHOP=$BATS_FILE_TMPDIR/shop
    PROD=$BATS_FILE_TMPDIR/prod shop "$SHOP" >/dev/null
    rbtool release v1.0.0 2>/dev/null
    second
    rbtool release v1.1.0 2>/dev/null
    forget_ledger # tags are recreated here, and it knows the first ones
    export KEYS SHOP
}

setup() {
    home
    cp "$BATS_FILE_TMPDIR/home/gitconfig" "$GIT_CONFIG_GLOBAL"
    cp -a "$SHOP" "$BATS_TEST_TMPDIR/shop"
    cd "$BATS_TEST_TMPDIR/shop" || return 1
    export PROD=$BATS_TEST_TMPDIR/prod
    sed -i "s|$BATS_FILE_TMPDIR/prod|$PROD|" rbtool.json
    T=$BATS_TEST_TMPDIR
}

# raw TAG: the tag object on stdin, as it is, under that name.
raw() {
    git update-ref "refs/tags/$1" "$(git hash-object -t tag -w --stdin --literally)"
}

# The others are as they were, whatever one tag is like.
others() {
    [ "$(timeout 30 rbtool verify --all --json | jq -c '[.releases[] | select(.ok) | .tag]')" = "$1" ]
}

# bytes FILE: nothing in it steers a terminal. Line ends stay.
bytes() {
    LC_ALL=C tr -d '\n' <"$1" >"$T/flat"
    if LC_ALL=C grep -qP '[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]' "$T/flat"; then
        echo "control bytes:"
        LC_ALL=C grep -aP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]' "$1" | head -3 | cat -v
        return 1
    fi
}

# clean COMMAND...: into a pipe; on a terminal without colours; on one with colours and progress,
# where only our own sequences may be.
clean() {
    local line
    printf -v line '%q ' "$@"
    timeout 30 "$@" >"$T/seen" 2>&1 </dev/null || true
    bytes "$T/seen" || { echo "$*, piped" && return 1; }
    timeout 30 script -qec "NO_COLOR=1 $line --quiet" /dev/null </dev/null 2>&1 | tr -d '\r' >"$T/seen" || true
    bytes "$T/seen" || { echo "$*, on a terminal" && return 1; }
    timeout 30 script -qec "env -u NO_COLOR $line" /dev/null </dev/null 2>&1 |
        sed -E 's/\r?\x1b\[K//g; s/\x1b\[(0|1|2|31|32|33)m//g' | tr -d '\r' >"$T/seen" || true
    bytes "$T/seen" || { echo "$*, in colours" && return 1; }
}

@test "verify accepts a tag message of 10 MB, and refuses one over the limit" {
    { echo title && echo && head -c 10000000 /dev/zero | tr '\0' 'x' && echo && message v1.1.0; } >"$T/text"
    git tag -f -s --cleanup=verbatim -F "$T/text" v1.1.0 'v1.1.0^{}'
    timeout 20 rbtool verify v1.1.0
    timeout 20 rbtool show v1.1.0 >"$T/seen"
    [ "$(stat -c %s "$T/seen")" -lt 10000 ]
    { echo title && echo && head -c 17000000 /dev/zero | tr '\0' 'x' && echo && message v1.1.0; } >"$T/text"
    git tag -f -s --cleanup=verbatim -F "$T/text" v1.1.0 'v1.1.0^{}'
    run -2 timeout 20 rbtool show v1.1.0
    [[ $output == "rbtool: cannot read tag v1.1.0: its object has 270"*" bytes, the limit is 16777216" ]]
    [ "${#output}" -lt 300 ]
    run -1 timeout 20 rbtool verify --all
    [[ $output == *"BAD v1.1.0"*"the limit is 16777216"*"ok  v1.0.0"* ]]
}

@test "verify handles a million lines before the manifest and in it" {
    { echo title && echo && yes '' | head -1000000 && message v1.1.0; } >"$T/text"
    git tag -f -s --cleanup=verbatim -F "$T/text" v1.1.0 'v1.1.0^{}'
    timeout 20 rbtool verify v1.1.0
    message v1.0.0 >"$T/before"
    sed '/BEGIN RELEASE/q' "$T/before" >"$T/text"
    yes '' | head -1000000 >>"$T/text"
    sed '1,/BEGIN RELEASE/d' "$T/before" >>"$T/text"
    git tag -f -s --cleanup=verbatim -F "$T/text" v1.1.0 'v1.1.0^{}'
    problem manifest "" v1.1.0
    others '["v1.0.0"]'
    # A million BEGIN lines, each of which could be one.
    { echo title && yes -- '-----BEGIN SSH SIGNATURE-----' | head -300000 && message v1.0.0; } >"$T/text"
    git tag -f -s --cleanup=verbatim -F "$T/text" v1.1.0 'v1.1.0^{}'
    fails 1 "the tag has 300001 signatures, expected one" timeout 20 rbtool verify v1.1.0
}

@test "verify refuses a second, different manifest and a second signature" {
    resign v1.1.0 'v1.1.0^{}' bash -c 'cat && cat' # what is read twice is there once
    rbtool verify v1.1.0
    message v1.1.0 >"$T/one"
    resign v1.1.0 'v1.1.0^{}' bash -c "cat && cat '$T/one'"
    problem trailing manifest v1.1.0
    git tag -f -s --cleanup=verbatim -F "$T/one" v1.1.0 'v1.1.0^{}'
    git cat-file tag v1.1.0 >"$T/tag"
    { cat "$T/tag" && sed -n '/BEGIN SSH/,$p' "$T/tag"; } | raw v1.1.0
    fails 1 "the tag has 2 signatures, expected one" rbtool verify v1.1.0
    fails 1 "does not verify" rbtool show v1.1.0
    rbtool list | grep -q 'v1.1.0 .*BAD (signature)'
    others '["v1.0.0"]'
}

@test "verify refuses a release tag that points to a tag, a tree or a blob" {
    message v1.1.0 >"$T/text"
    local target kind
    for target in 'v1.0.0' 'HEAD^{tree}' 'HEAD:VERSION'; do
        kind=$(git cat-file -t "$target")
        git tag -f -s --cleanup=verbatim -F "$T/text" v1.1.0 "$target" 2>/dev/null
        fails 1 "the tag points to a $kind, a release points to a commit" rbtool verify v1.1.0
        others '["v1.0.0"]'
        clean rbtool verify v1.1.0
    done
    # It says commit and means another.
    git cat-file tag v1.1.0 | sed "1s/.*/object $(git rev-parse 'HEAD^{tree}')/; 2s/.*/type commit/; /BEGIN SSH/,\$d" >"$T/tag"
    ssh-keygen -q -Y sign -n git -f "$KEYS/alice" "$T/tag"
    cat "$T/tag" "$T/tag.sig" | raw v1.1.0
    problem object object v1.1.0
    # A tag that leads to itself is not to be had; a long row of them is.
    target=$(git rev-parse v1.0.0)
    for _ in $(seq 50); do
        target=$(printf 'object %s\ntype tag\ntag v1.1.0\ntagger A <a@example.com> 1 +0000\n\nx\n' "$target" | git hash-object -t tag -w --stdin --literally)
    done
    git update-ref refs/tags/v1.1.0 "$target"
    [ "$(rbtool list --json | jq -r '.releases[].tag')" = v1.0.0 ] # it carries no manifest
    fails 1 "v1.1.0" rbtool verify v1.1.0
}

@test "verify and list escape invalid ref names in packed-refs" {
    git pack-refs --all
    local object esc=$'\e'
    object=$(git rev-parse v1.1.0)
    printf '%s refs/tags/%s\n' "$object" "v2${esc}]0;owned${esc}\\" "$object" $'v3\u009b5m' "$object" $'v4\u202egnp' \
        "$object" $'v5\x7f\x08\x08' "$object" $'v6\r' "$object" '../../x' "$object" '-rf' >>.git/packed-refs
    { head -1 .git/packed-refs && tail -n +2 .git/packed-refs | grep -v '^\^' | LC_ALL=C sort -k2; } >"$T/packed"
    cp "$T/packed" .git/packed-refs
    for command in 'list' 'list --json' 'verify --all' 'verify --all --json' 'verify v1.0.0' 'log' 'log --verify' \
        'diff v1.0.0 v1.1.0' 'lint' 'prove' 'status'; do
        # shellcheck disable=SC2086 # words
        clean rbtool $command
    done
    rbtool verify v1.0.0
    run rbtool verify --all
    [[ $status -eq 1 && $output == *'v2\x1b]0;owned'* ]]
    clean rbtool verify "v2${esc}]0;owned${esc}\\"
    clean rbtool show $'v4\u202egnp'
    printf 'refs/heads/main %s refs/tags/%s %s\n' "$(git rev-parse HEAD)" "v9${esc}[5m" "$(printf '%040d' 0)" >"$T/push"
    clean bash -c "rbtool hook pre-push origin url <'$T/push' #"
}

@test "verify and list escape a name with a newline and one that is not UTF-8" {
    git pack-refs --all
    printf '%s refs/tags/v2\n0000 ok  v9.9.9  alice\n%s refs/tags/\xff\xfe\n' "$(git rev-parse v1.1.0)" "$(git rev-parse v1.1.0)" >>.git/packed-refs
    run rbtool verify --all # git cannot read that file at all
    [ "$status" -ne 0 ]
    clean rbtool verify --all
    clean rbtool list
    git -C "$SHOP" for-each-ref >/dev/null
    cp "$SHOP/.git/packed-refs" .git/packed-refs 2>/dev/null || rm .git/packed-refs
}

@test "replaced objects and grafts have no effect" {
    local tag other
    tag=$(git rev-parse v1.1.0)
    other=$(git cat-file tag "$tag" | sed 's/"version": "1.1.0"/"version": "6.6.6"/' | git hash-object -t tag -w --stdin)
    git replace "$tag" "$other"
    [ "$(git cat-file tag v1.1.0 | grep -c 6.6.6)" -ge 1 ]
    [ "$(rbtool show v1.1.0 --json | jq -r .predicate.app.version)" = 1.1.0 ]
    rbtool verify --all --no-cache
    git replace -d "$tag"
    # The commit as another, and its parent's tree as its own.
    git replace "$(git rev-parse HEAD)" "$(git rev-parse HEAD~)"
    [ "$(git show HEAD:VERSION)" = 1.0.0 ]
    rbtool verify --all --no-cache --deep
    rbtool reconstruct v1.1.0 -o "$T/out"
    [ "$(cat "$T/out/artifacts/app/src/shop" 2>/dev/null || find "$T/out" -name shop -type f -exec cat {} +)" = "$(printf '#!/bin/sh\necho shop 2')" ]
    git replace -d "$(git rev-parse HEAD)"
    # v1.0.0 is no ancestor any more, says the graft.
    mkdir -p .git/info
    git rev-parse HEAD >.git/info/grafts
    [ "$(git rev-list --count HEAD 2>/dev/null)" -eq 1 ]
    release v1.2.0
    [ "$(manifest v1.2.0 | jq -r .predicate.previous.tag)" = v1.1.0 ]
    rbtool verify --all
}

@test "verify handles dates far in the future, before the epoch, and out of range" {
    local when
    GIT_COMMITTER_DATE='@253402300799 +0000' git commit -q --allow-empty -m 'far away'
    GIT_COMMITTER_DATE='@253402300799 +0000' release v1.2.0
    rbtool verify v1.2.0
    rbtool list | grep -q 'v1.2.0 .*9999-12-31 23:59'
    rbtool list --json | schema list
    for when in 253402300800 99999999999999999999 18446744073709551615 -1; do
        git cat-file tag v1.1.0 | sed -E "/BEGIN SSH/,\$d; s/^(tagger .*>) [0-9]+ /\\1 $when /" >"$T/tag"
        ssh-keygen -q -Y sign -n git -f "$KEYS/alice" "$T/tag" </dev/null
        cat "$T/tag" "$T/tag.sig" | raw v1.1.0
        rm "$T/tag.sig"
        problem header tagger v1.1.0
        clean rbtool list
    done
}

# manifest_of SED: v1.1.0's manifest text changed so, signed in order.
manifest_of() {
    git update-ref refs/tags/v1.1.0 "$(git -C "$SHOP" rev-parse v1.1.0)"
    resign v1.1.0 'v1.1.0^{}' "$@"
}

@test "verify refuses signed manifests with malformed or extreme JSON" {
    local deep
    manifest_of sed 's/"files": [0-9]*/"files": 1e999/'
    problem manifest "" v1.1.0
    manifest_of sed 's/"files": [0-9]*/"files": 99999999999999999999999999/'
    problem manifest "" v1.1.0
    manifest_of sed 's/"files": [0-9]*/"files": 9007199254740993/'
    problem manifest "" v1.1.0
    manifest_of sed "s/\"files\": [0-9]*/\"files\": 1$(printf '0%.0s' $(seq 20000))/"
    problem manifest "" v1.1.0
    manifest_of sed 's/"knownGood": "verdict",/"knownGood": "verdict", "knownGood": "verified",/'
    problem manifest "" v1.1.0
    deep=$(printf '[%.0s' $(seq 100000))
    printf 's/"notes": \\[\\]/"notes": %s/\n' "$deep" >"$T/script"
    manifest_of sed -f "$T/script"
    problem manifest "" v1.1.0
    manifest_of sed 's/"notes": \[\]/"notes": ["\\ud800"]/'
    problem manifest "" v1.1.0
    manifest_of sed 's/"notes": \[\]/"notes": ["a\\u0000b"]/'
    problem manifest "" v1.1.0
    manifest_of sed $'s/"notes": \\[\\]/"notes": ["\xff\xfe"]/'
    problem manifest "" v1.1.0
    others '["v1.0.0"]'
    clean rbtool verify v1.1.0
}

@test "verify reports a tag whose object is missing or corrupt, and checks the others" {
    local object path
    object=$(git rev-parse v1.1.0)
    path=.git/objects/${object:0:2}/${object:2}
    chmod u+w "$path"
    cp "$path" "$T/object"
    printf 'garbage' >"$path"
    run -1 rbtool verify --all
    [[ $output == *"BAD v1.1.0"*"ok  v1.0.0"* ]]
    clean rbtool verify --all
    rm "$path"
    run -1 rbtool verify --all
    [[ $output == *"BAD v1.1.0"*"$object"*"ok  v1.0.0"* ]]
    fails 2 "$object" rbtool show v1.1.0
    rbtool list | grep -q 'v1.1.0.*BAD (object)'
    fails 2 "$object" rbtool attest v1.1.0
}

@test "control characters in a signer's text are escaped" {
    # Artifact paths, migration names, flags, notes, the tagger's name: whatever a manifest holds.
    local esc=$'\e[5m' c1=$'\u009b5m' bidi=$'\u202e'
    mkdir -p "src/${esc}dir"
    echo x >"src/${esc}dir/${c1}${bidi}"$'name\nok  v9.9.9  alice@example.com'
    printf 'CREATE TABLE x (id INTEGER);\n' >"migrations/0003_${esc}a${bidi}.up.sql"
    printf 'DROP TABLE x;\n' >"migrations/0003_${esc}a${bidi}.down.sql"
    git add -A
    git commit -qm "migrations: x

Rollback: lossy ${esc}${c1}${bidi} it is"
    git config user.name "Alice ${esc}${c1}${bidi}"
    clean rbtool lint
    release v1.2.0 >"$T/seen" 2>&1 || true
    bytes "$T/seen"
    if git rev-parse -q --verify refs/tags/v1.2.0; then
        for command in list 'list --json' 'verify --all' 'verify --all --json' 'show v1.2.0' 'diff v1.1.0 v1.2.0' \
            'diff v1.1.0 v1.2.0 --json' lint 'attest v1.2.0'; do
            # shellcheck disable=SC2086 # words
            clean rbtool $command
        done
    fi
    # Signed in order, and not what the commit holds: the differences are shown.
    for edit in 's/"notes": \[\]/"notes": ["\\u001b[5m\\u009b5m"]/' 's/"name": "orders"/"name": "\\u001b[5mo"/' \
        's/"name": "checkout"/"name": "\\u001b[5m"/' 's/"directory": "migrations"/"directory": "\\u001b[5m"/' \
        's/"path": "flags.json"/"path": "\\u001b[5m\\n"/' 's/"id": "0001"/"id": "\\u001b[5m"/'; do
        manifest_of sed "$edit"
        for command in 'verify v1.1.0' 'show v1.1.0' 'diff v1.0.0 v1.1.0' list; do
            # shellcheck disable=SC2086 # words
            clean rbtool $command
        done
    done
}

@test "colour sequences in a signer's text are escaped at a terminal" {
    # A sequence that rbtool itself would write is data all the same when it comes from elsewhere.
    git config user.name $'Alice \e[8mhidden\e[0m\e[31m'
    git commit -q --allow-empty -m later
    release v1.2.0
    clean rbtool show v1.2.0
    script -qec 'env -u NO_COLOR rbtool show v1.2.0' /dev/null </dev/null >"$T/seen"
    grep -qF 'Alice \x1b[8mhidden\x1b[0m\x1b[31m' "$T/seen"
    script -qec 'env -u NO_COLOR rbtool verify --all' /dev/null </dev/null >"$T/seen"
    grep -q $'\e\[32mok' "$T/seen"
}

@test "control characters and newlines in ledger entries are escaped" {
    local esc=$'\e]0;owned\a' why=$'\e[5m fine\nok  v9.9.9  alice@example.com \u009b5m \u202e'
    rbtool mark v1.1.0 good -m "$why" --env $'pr\e[5mod' >"$T/seen" 2>&1 || rbtool mark v1.1.0 good -m "$why" >"$T/seen" 2>&1 || true
    bytes "$T/seen"
    git config user.name "Bob $esc"
    rbtool approve v1.1.0 -m "$why" --key "$KEYS/bob" >"$T/seen" 2>&1 || true
    bytes "$T/seen"
    for command in log 'log --json' 'log --verify' list 'verify --all' 'status' 'plan v1.1.0' 'policy show'; do
        # shellcheck disable=SC2086 # words
        clean rbtool $command
    done
    rbtool log >"$T/seen"
    run ! grep -q '^ok  v9.9.9' "$T/seen"
}

@test "control characters in signers' names and hook input are escaped" {
    printf '%s %s\n' $'e\e[5mve@example.com' "$(cut -d' ' -f1,2 "$KEYS/alice.pub")" >"$KEYS/hostile"
    git config gpg.ssh.allowedSignersFile "$KEYS/hostile"
    clean rbtool verify --all
    clean rbtool list
    clean rbtool show v1.1.0
    rm "$KEYS/hostile"
    git config --unset gpg.ssh.allowedSignersFile
    git cat-file tag v1.1.0 | sed $'s/^tag v1.1.0$/tag v\e[5m1/' | raw v1.5.0
    printf 'refs/tags/v1.5.0 %s refs/tags/v1.5.0 %s\n' "$(git rev-parse v1.5.0)" "$(printf '%040d' 0)" >"$T/push"
    clean bash -c "rbtool hook pre-push origin $'u\e[5mrl' <'$T/push' #"
    printf '%s %s refs/tags/v1.5.0\n' "$(printf '%040d' 0)" "$(git rev-parse v1.5.0)" >"$T/push"
    clean bash -c "rbtool hook reference-transaction prepared <'$T/push' #"
    printf 'x\n\nRollback: \e[5m\n' >"$T/message"
    echo >>migrations/0002_discount.up.sql
    git add -A
    clean rbtool hook commit-msg "$T/message"
}

@test "a broken repository is reported with what it lacks" {
    for lack in HEAD objects refs; do
        mv ".git/$lack" kept
        fails 2 "cannot open the repository at $PWD/.git: it is broken, it has no $lack; bring that back" rbtool list
        mv kept ".git/$lack"
    done
    rbtool list
    cp .git/HEAD kept
    for text in '' 'nonsense'; do
        printf '%s' "$text" >.git/HEAD
        fails 2 "its HEAD is broken" rbtool list
    done
    mv kept .git/HEAD
    mkdir "$T/linked"
    echo "gitdir: $T/nowhere" >"$T/linked/.git"
    fails 2 "cannot open the repository at $T/linked/.git: it names $T/nowhere, which is not there" rbtool -C "$T/linked" list
    GIT_DIR=/nonexistent fails 2 "no git repository at /nonexistent, which GIT_DIR names; unset it" rbtool list
    GIT_DIR=$T fails 2 "cannot open the repository at $T: it is broken, it has no HEAD" rbtool list
    mkdir "$T/plain"
    fails 2 "no git repository at $T/plain or above" rbtool -C "$T/plain" list
}

@test "a FIFO among the files that git keeps is refused by name, and no command waits for it" {
    for file in refs/rbtool/ledger refs/tags/v9.0.0 refs/heads/other packed-refs config objects/info/alternates; do
        [[ ! -e .git/$file ]] || mv ".git/$file" kept
        mkdir -p ".git/$(dirname "$file")"
        mkfifo ".git/$file"
        for command in log list status verify; do
            fails 2 "$PWD/.git/$file is not a regular file, and neither git nor rbtool can read it; remove it: rm '$PWD/.git/$file'" \
                timeout 20 rbtool "$command"
        done
        rm ".git/$file"
        [[ ! -e kept ]] || mv kept ".git/$file"
    done
    rbtool verify v1.0.0
}
