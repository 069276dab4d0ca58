#!/usr/bin/env bats
# Whatever is done to a release shows, by name, with exit 1.

load lib

setup() {
    home
    keys
    shop
    rbtool release v1.0.0
    second
    rbtool release v1.1.0
}

@test "git and rbtool verify what rbtool signs" {
    git verify-tag v1.0.0 v1.1.0
    run rbtool verify --all
    [[ $status -eq 0 ]]
    [[ ${lines[0]} == "ok "*"v1.1.0  alice@example.com  SHA256:"* ]]
    [[ ${lines[1]} == "ok "*"v1.0.0"* ]]
    rbtool verify --all --deep --no-cache
    rbtool verify --json --all | schema verify
    [[ $(rbtool verify --json | jq -r '.releases[].tag') == v1.1.0 ]]
    [[ $(rbtool verify --all --json | canonical) == "$(rbtool verify --all --json)" ]]
}

@test "verify without TAG checks the newest release that HEAD descends from" {
    git checkout -q 'v1.0.0^{}'
    [[ $(rbtool verify --json | jq -r '.releases[].tag') == v1.0.0 ]]
    git checkout -q --orphan other
    git commit -qm other
    fails 2 "no release is an ancestor of HEAD" rbtool verify
    git tag -d v1.0.0 v1.1.0
    forget_ledger
    [[ $(rbtool verify --all --json 2>/dev/null) == '{"releases":[]}' ]]
}

@test "verify reports a tag of which one byte was changed" {
    git cat-file tag v1.1.0 | sed 's/"version": "1.1.0"/"version": "1.1.1"/' >edited
    git update-ref refs/tags/v1.1.0 "$(git hash-object -t tag -w edited)"
    problem signature "" v1.1.0
    fails 1 "BAD" rbtool verify
    fails 1 "v1.1.0" rbtool verify --all
    rbtool list | grep -q 'v1.1.0.*BAD (signature)'
}

@test "verify reports a tag that an unknown signer signed again" {
    git tag -d v1.1.0
    fails 1 "not" rbtool release v1.1.0 --key "$KEYS/mallory"
    rbtool release v1.1.0
    git config --global user.signingKey "$KEYS/mallory"
    resign v1.1.0 'v1.1.0^{}' cat
    problem signer "" v1.1.0
    rbtool verify v1.0.0
}

@test "verify reports unsigned and lightweight tags" {
    message v1.1.0 >text
    git tag -f -a --no-sign --cleanup=verbatim -F text v1.1.0 'v1.1.0^{}'
    problem unsigned "" v1.1.0
    git tag -f v1.1.0 'v1.1.0^{}'
    problem unsigned "" v1.1.0
    rbtool verify v1.0.0
}

@test "verify reports a tag under another name" {
    git update-ref refs/tags/v9.9.9 "$(git rev-parse v1.1.0)"
    git verify-tag v9.9.9
    problem name "" v9.9.9
    problem name "" --all
}

@test "verify reports a deleted predecessor that the ledger does not know" {
    forget_ledger
    git tag -d v1.0.0
    problem unknown previous.tag v1.1.0
    problem unknown previous.tag --all
    fails 2 "there is no tag v1.0.0 in this repository" rbtool verify v1.0.0
}

@test "verify reports a tag that was recreated in another clone and overwritten by a fetch" {
    git clone -q --no-tags "$SHOP" "$BATS_TEST_TMPDIR/other"
    (
        cd "$BATS_TEST_TMPDIR/other"
        git remote remove origin # a clone that knows nothing of the ledger
        git checkout -q HEAD~
        echo changed >>src/shop
        git commit -qam 'another 1.0.0'
        rbtool release v1.0.0 -m 'made again'
    )
    git fetch -q "$BATS_TEST_TMPDIR/other" '+refs/tags/v1.0.0:refs/tags/v1.0.0'
    git verify-tag v1.0.0
    problem moved object v1.0.0
    problem moved previous.object v1.1.0
    run rbtool verify --all --json
    [[ $(jq '[.releases[] | select(.ok)] | length' <<<"$output") -eq 0 ]]
}

@test "verify reports a second first release as a fork" {
    git clone -q --no-tags "$SHOP" "$BATS_TEST_TMPDIR/other"
    (
        cd "$BATS_TEST_TMPDIR/other"
        git remote remove origin # a clone that knows nothing of the ledger
        release v1.2.0
    )
    git fetch -q "$BATS_TEST_TMPDIR/other" 'refs/tags/v1.2.0:refs/tags/v1.2.0'
    problem fork previous v1.2.0
    problem fork previous --all
    rbtool verify v1.1.0 v1.0.0
}

@test "verify reports two releases with one name, each with a successor, as a fork" {
    git clone -q "$SHOP" "$BATS_TEST_TMPDIR/other"
    (
        cd "$BATS_TEST_TMPDIR/other"
        git remote remove origin # a clone that knows nothing of the ledger
        git tag -d v1.1.0 # the ledger is not there
        rbtool release v1.1.0 -m 'the other one'
        release v1.2.0
    )
    release v1.3.0
    git fetch -q "$BATS_TEST_TMPDIR/other" 'refs/tags/v1.2.0:refs/tags/v1.2.0'
    problem fork object v1.1.0
    problem moved previous.object v1.2.0
    rbtool verify v1.3.0
}

@test "verify accepts a release on a maintenance branch" {
    git checkout -q -b fix 'v1.0.0^{}'
    release v1.0.1
    git checkout -q main
    git merge -q -s ours fix
    release v1.2.0
    [[ $(manifest v1.0.1 | jq -r '.predicate.previous.tag') == v1.0.0 ]]
    [[ $(manifest v1.0.1 | jq -c '[.predicate.heads[].tag]') == '["v1.1.0"]' ]]
    [[ $(manifest v1.2.0 | jq -r '.predicate.previous.tag') == v1.0.1 ]]
    rbtool verify --all
    [[ $(rbtool list --json | jq -c '[.releases[].tag]') == '["v1.2.0","v1.1.0","v1.0.1","v1.0.0"]' ||
        $(rbtool list --json | jq -c '[.releases[].tag]') == '["v1.2.0","v1.0.1","v1.1.0","v1.0.0"]' ]]
}

@test "verify reports a tag on another commit than the manifest names" {
    git commit -q --allow-empty -m later
    resign v1.1.0 HEAD cat
    problem source source.commit v1.1.0
}

@test "verify reports a non-canonical manifest, a second manifest, and trailing text" {
    resign v1.1.0 'v1.1.0^{}' sed 's/^  "predicate": {/  "predicate":  {/'
    problem manifest "" v1.1.0
    resign v1.1.0 'v1.1.0^{}' bash -c 't=$(cat); echo "$t"; echo; echo "$t" | sed -n "/BEGIN RELEASE/,\$p"'
    problem trailing manifest v1.1.0
    git tag -d v1.1.0
    rbtool release v1.1.0
    resign v1.1.0 'v1.1.0^{}' bash -c 'cat; echo more'
    problem trailing "" v1.1.0
    git tag -d v1.1.0
    rbtool release v1.1.0
    resign v1.1.0 'v1.1.0^{}' sed 's/"knownGood": "verdict"/"knownGood": "never"/'
    problem manifest predicate.knownGood v1.1.0
}

# Signed in order, but not what the commit holds: field, code, the edit.
lies() {
    local code=$1 field=$2 edit=$3
    git tag -d v1.1.0 >/dev/null
    rbtool release v1.1.0
    manifest v1.1.0 | jq -S --indent 2 "$edit" >lie.json
    resign v1.1.0 'v1.1.0^{}' bash -c 'sed "/BEGIN RELEASE/q"; cat lie.json; echo "-----END RELEASE MANIFEST-----"'
    git verify-tag v1.1.0
    problem "$code" "$field" "${@:4}" v1.1.0
    rm lie.json
}

@test "verify reports a signed manifest that does not match the commit" {
    local other
    other=$(printf '%064d' 7)
    lies artifact 'artifacts[0].tree' ".predicate.artifacts[0].tree = \"$other\""
    lies artifact 'artifacts[0].digest' ".subject[0].digest.sha256 = \"$other\"" --deep
    lies artifact 'artifacts[0].files' '.predicate.artifacts[0].files = 99' --deep
    lies artifact 'artifacts[0].submodules' '.predicate.artifacts[0].submodules = ["src/x"]'
    lies artifact 'artifacts[0]' '.predicate.artifacts[0].paths = ["gone"]'
    lies migration 'databases[0].migrations[1].down' \
        ".predicate.databases[0].migrations[1].down = \"$other\""
    lies migration 'databases[0].migrations[1].down' '.predicate.databases[0].migrations[1].down = null'
    lies migration 'databases[0].migrations[0].id' 'del(.predicate.databases[0].migrations[0])'
    lies migration 'databases[0].migrations[0].transaction.up' \
        '.predicate.databases[0].migrations[0].transaction.up = false'
    lies migration 'databases[0].migrations' '.predicate.databases[0].directory = "gone"'
    lies flags flags.sha256 ".predicate.flags.sha256 = \"$other\""
    lies flags flags.values '.predicate.flags.values[0].default = "old"'
    lies config 'config[0].sha256' ".predicate.config[0].sha256 = \"$other\""
    lies config 'config[0].mode' '.predicate.config[0].mode = "100755"'
    lies check 'checks[0].sha256' ".predicate.checks[0].sha256 = \"$other\""
    lies source source.tree ".predicate.source.tree = \"$(printf '%040d' 7)\""
    lies app app.version '.predicate.app.version = "7.0"'
    lies app app.name '.predicate.app.name = "mall" | .subject[0].name = "mall/app"'
}

@test "verify reports a release of another application" {
    git config rbtool.app mall
    problem app app.name --all
    git config --unset rbtool.app
    rbtool verify --all
}

@test "verify names missing objects and the command that fetches them" {
    local blob
    blob=$(git rev-parse HEAD:src/index.html)
    chmod -R u+w .git/objects
    rm ".git/objects/${blob:0:2}/${blob:2}"
    fails 1 "src/index.html" rbtool verify --no-cache v1.1.0
    fails 1 "$blob" rbtool verify --deep v1.1.0
    blob=$(git rev-parse HEAD:config/app.toml)
    rm ".git/objects/${blob:0:2}/${blob:2}"
    problem config 'config[0]' v1.1.0
}

@test "verify checks the other releases when the commit of one is missing" {
    git checkout -q --orphan other
    git commit -qm other
    rbtool release v2.0.0 --previous v1.1.0 || { echo 2.0.0 >VERSION && git commit -qam 2 && rbtool release v2.0.0 --previous v1.1.0; }
    local commit
    commit=$(git rev-parse HEAD)
    git checkout -q main
    git branch -q -D other
    chmod -R u+w .git/objects
    rm ".git/objects/${commit:0:2}/${commit:2}"
    problem object "" --all
    [[ $(rbtool verify --all --json | jq -c '[.releases[] | select(.ok) | .tag]') == '["v1.1.0","v1.0.0"]' ]]
    [[ $(rbtool list --json | jq '.releases | length') -eq 3 ]]
}

@test "verify ignores a damaged cache" {
    rbtool verify --all
    find .git/rbtool -type f | while read -r f; do echo garbage >"$f"; done
    rbtool verify --all
}

@test "verify ignores tags without a manifest" {
    git tag v0.9.0
    git tag -a -m 'old' --no-sign v0.9.1
    [[ $(rbtool list --json | jq '.releases | length') -eq 2 ]]
    problem unsigned "" v0.9.0
    rbtool verify --all
}

@test "verify escapes control characters in names" {
    git update-ref "refs/tags/v1.0.0"$'\xe2\x80\xae'x "$(git rev-parse v1.0.0)"
    run rbtool verify --all
    [[ $status -eq 1 && $output == *'v1.0.0\u{202e}x'* && $output != *$'\xe2\x80\xae'* ]]
}
