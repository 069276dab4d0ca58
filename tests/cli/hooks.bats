#!/usr/bin/env bats
# The git hooks: what they refuse, what they let pass, and how init puts them beside others.
bats_require_minimum_version 1.5.0

load lib

setup() {
    home
    keys
    shop
    REMOTE=$BATS_TEST_TMPDIR/remote.git
    git init -q --bare "$REMOTE"
    git remote add origin "$REMOTE"
}

# Two releases, hooks installed, everything pushed.
released() {
    rbtool release v1.0.0
    second
    rbtool release v1.1.0
    rbtool init 2>/dev/null
    git push -q origin main --tags
}

# refused WORDS COMMAND...: not done, and said in three lines at most before git's own
refused() {
    local words=$1
    shift
    run "$@"
    [[ $status -ne 0 && ${output//$'\n'hint: /; } == *"$words"* ]] || {
        printf 'expected a refusal with "%s"; got exit %s and:\n%s\n' "$words" "$status" "$output"
        return 1
    }
    [[ $(grep -cE '^(rbtool: |  )' <<<"$output") -le 3 ]]
}

there() { # REF: its object at the remote
    git -C "$REMOTE" rev-parse -q --verify "$1"
}

# --- reference-transaction

@test "the hook refuses to move or delete a release tag, loose or packed" {
    released
    local object round
    object=$(git rev-parse v1.0.0)
    for round in loose packed both; do
        refused "tag v1.0.0 is a release and would be moved" git tag -f v1.0.0 HEAD
        refused "would be moved" git tag -f -a -m other v1.0.0 HEAD
        refused "would be moved" git update-ref refs/tags/v1.0.0 HEAD
        refused "would be moved" git update-ref refs/tags/v1.0.0 HEAD "$object"
        refused "tag v1.0.0 is a release and would be deleted" git tag -d v1.0.0
        refused "would be deleted" git update-ref -d refs/tags/v1.0.0
        refused "would be deleted" git update-ref -d refs/tags/v1.0.0 "$object"
        refused "and 1 more: tag v1.1.0" bash -c \
            "printf 'start\ndelete refs/tags/v1.0.0\ndelete refs/tags/v1.1.0\nprepare\ncommit\n' | git update-ref --stdin"
        [[ $(git rev-parse v1.0.0) == "$object" && $(git tag | wc -l) -eq 2 ]]
        case $round in
        loose) git pack-refs --all ;;
        packed) # loose beside packed, as `git pack-refs --no-prune` leaves it
            echo "$object" >.git/refs/tags/v1.0.0 ;;
        esac
    done
    RBTOOL=0 git tag -d v1.0.0
    [[ -z $(git tag -l v1.0.0) ]]
}

@test "the hook accepts pack-refs, gc, and an update to the same value" {
    released
    git tag nightly
    git pack-refs --all
    [[ ! -e .git/refs/tags/v1.0.0 ]]
    git gc -q --prune=now
    git update-ref refs/tags/v1.0.0 "$(git rev-parse v1.0.0)"
    git pack-refs --all --no-prune
    git pack-refs --all
    git pack-refs --all --prune
    [[ $(git tag | wc -l) -eq 3 ]]
    rbtool verify --all
}

@test "the hook accepts any change to tags that are not releases" {
    released
    git tag nightly HEAD~1
    git tag -f nightly HEAD
    git tag -f -a -m annotated nightly HEAD~1
    git tag -d nightly
    git tag v9.9.9 # no manifest: pre-push looks at names
    git tag -f v9.9.9 HEAD~1
    git tag -d v9.9.9
    git symbolic-ref refs/tags/latest refs/tags/v1.1.0
    git symbolic-ref refs/tags/latest refs/tags/v1.0.0
    refused "tag v1.0.0 is a release" git update-ref refs/tags/latest HEAD # through it
    git symbolic-ref -d refs/tags/latest
    [[ $(git tag | wc -l) -eq 2 ]]
}

@test "the hook refuses a tag with a manifest that does not verify" {
    released
    refused "tag v9 carries a manifest and does not verify: tag v9: the tag is called v9" \
        git update-ref refs/tags/v9 "$(git rev-parse v1.0.0)"
    git cat-file tag v1.1.0 | sed 's/"version": "1.1.0"/"version": "1.1.1"/' >forged
    local forged
    forged=$(git hash-object -t tag -w forged)
    RBTOOL=0 git tag -d v1.1.0
    refused "tag v1.1.0 carries a manifest and does not verify" git update-ref refs/tags/v1.1.0 "$forged"
    git fetch -q origin refs/tags/v1.1.0:refs/tags/v1.1.0 # the true one
    message v1.0.0 >m
    refused "does not verify" git tag -a --cleanup=verbatim -F m v1.0.1 v1.0.0^{} # nobody's signature
    refused "does not verify" git -c user.signingKey="$KEYS/mallory" tag -s --cleanup=verbatim -F m v1.0.1 v1.0.0^{}
    # signed in order, but it lies about the commit
    message v1.0.0 | sed -E 's/"(up|sha256)": "[0-9a-f]{8}/"\1": "00000000/' >m
    RBTOOL=0 git tag -d v1.0.0
    refused "does not verify" git tag -s --cleanup=verbatim -F m v1.0.0 HEAD~1
}

@test "a fetch accepts releases in any order, and refuses moved ones" {
    released
    git clone -q --no-tags "$REMOTE" ../clone
    cd ../clone
    git config rbtool.app shop
    rbtool init 2>/dev/null
    git fetch -q origin refs/tags/v1.1.0:refs/tags/v1.1.0
    git fetch -q --tags
    rbtool verify --all
    git -C "$REMOTE" tag -f v1.0.0 main
    refused "tag v1.0.0 is a release and would be moved" git fetch -f --tags
    refused "would be deleted" git fetch --prune --prune-tags origin '+refs/tags/none*:refs/tags/*'
    rbtool verify --all
}

@test "a fetched release that does not verify is reported, and rbtool.badTags controls the reaction" {
    released
    # somebody who nobody knows here released it, and something that is no release came along
    git clone -q "$REMOTE" ../mallory
    cd ../mallory
    git config user.signingKey "$KEYS/mallory"
    git config rbtool.app shop
    message v1.1.0 | sed 's/1\.1\.0/1.2.0/g' >../m
    git tag -s --cleanup=verbatim -F ../m v1.2.0
    git tag -a -m fine fine
    git push -q origin v1.2.0 fine
    cd ../shop
    refused "tag v1.2.0 carries a manifest and does not verify" git fetch --tags origin
    [[ -z $(git tag -l v1.2.0) ]]
    # git 2.39 lets the others arrive, 2.54 updates all refs of a fetch at once
    [[ -z $(git tag -l fine) ]] || git tag -d fine
    refused "does not verify" git fetch --atomic --tags origin
    [[ -z $(git tag -l fine) ]] # all or nothing
    git config rbtool.badTags warn
    run git fetch --tags origin
    [[ $status -eq 0 && $output == *"rbtool: warning: tag v1.2.0 carries a manifest and does not verify"* ]]
    [[ -n $(git tag -l v1.2.0) && -n $(git tag -l fine) ]]
    fails 1 "" rbtool verify v1.2.0
    # what was taken by mistake may be put right by the true one; a good one stays
    git tag -d fine
    refused "would be deleted" git tag -d v1.2.0
    refused "would be moved" git tag -f v1.0.0 v1.1.0
    RBTOOL=0 git tag -d v1.2.0
    echo 1.2.0 >VERSION && git commit -qam 1.2.0 && rbtool release v1.2.0
    local good
    good=$(git rev-parse v1.2.0)
    RBTOOL=0 git tag -d v1.2.0
    git fetch -q --tags origin
    git update-ref refs/tags/v1.2.0 "$good"
    rbtool verify v1.2.0
    refused "would be moved" git fetch -f --tags origin
    git config rbtool.badTags sometimes
    RBTOOL=0 git tag -d v1.2.0
    fails 128 "rbtool.badTags is sometimes, it must be refuse (the default) or warn" git fetch --tags origin
}

@test "the hook works in a linked work tree and in a subdirectory" {
    released
    git worktree add -q ../linked HEAD~1
    cd ../linked/src
    refused "would be deleted" git tag -d v1.0.0
    refused "would be moved" git tag -f v1.0.0 HEAD
    git pack-refs --all
    git tag plain && git tag -d plain
    echo 1 >../migrations/0003_x.up.sql && git add -A ..
    refused "touches migrations (migrations/0003_x.up.sql)" git commit -m x
    refused "would be deleted at the remote" git push origin :v1.0.0
    git -C .. worktree list | grep -q linked
}

@test "the hook of a bare repository checks what is pushed to it" {
    released
    git config --global rbtool.x 1
    cp .git/hooks/reference-transaction "$REMOTE/hooks/"
    git -C "$REMOTE" config rbtool.app shop
    local object
    object=$(there v1.0.0)
    refused "would be moved" git push --no-verify -f origin HEAD:refs/tags/v1.0.0
    refused "would be deleted" git push --no-verify origin :refs/tags/v1.0.0
    git -C "$REMOTE" pack-refs --all
    refused "would be deleted" git push --no-verify origin :refs/tags/v1.0.0
    [[ $(there v1.0.0) == "$object" ]]
    echo 1.2.0 >VERSION && git commit -qam 1.2.0 && rbtool release v1.2.0
    git push -q --no-verify origin v1.2.0 main
    [[ $(there v1.2.0) == $(git rev-parse v1.2.0) ]]
    refused "does not verify" git push --no-verify origin v1.2.0:refs/tags/v1.3.0
}

@test "release runs the hooks of other tools, and does not run its own twice" {
    rbtool init 2>/dev/null
    rm .git/hooks/reference-transaction
    printf '#!/bin/sh\ncat >>"%s"\n' "$PWD/seen" >.git/hooks/reference-transaction
    chmod +x .git/hooks/reference-transaction
    rbtool init 2>/dev/null
    mkdir bin
    printf '#!/bin/sh\necho called >>"%s"\n' "$PWD/called" >bin/rbtool
    chmod +x bin/rbtool
    local real
    real=$(command -v rbtool)
    PATH=$PWD/bin:$PATH "$real" release v1.0.0
    grep -q refs/tags/v1.0.0 seen
    [[ ! -e called ]]
    git commit -q --allow-empty -m more
    PATH=$PWD/bin:$PATH git tag plain HEAD~1
    [[ -e called ]]
}

# --- pre-push

@test "pre-push refuses to move or delete a release at the remote" {
    released
    local object
    object=$(there v1.0.0)
    refused "tag v1.0.0 is a release and would be deleted at the remote" git push origin --delete v1.0.0
    refused "would be deleted" git push origin :refs/tags/v1.0.0
    refused "would be moved" git push -f origin HEAD:refs/tags/v1.0.0
    refused "would be moved" git push -f origin v1.1.0:refs/tags/v1.0.0
    [[ $(there v1.0.0) == "$object" ]]
    # the remote's is one that nobody here has ever seen
    git clone -q "$REMOTE" ../other
    git -C ../other tag -f -a -m other v1.0.0 HEAD
    git -C ../other push -q -f origin v1.0.0
    object=$(there v1.0.0)
    refused "tag v1.0.0 is a release and would be moved: the remote has object ${object:0:12}" \
        git push -f origin v1.0.0
    refused "would be deleted" git push origin :v1.0.0
    # deleted here already: the chain still knows it
    RBTOOL=0 git tag -d v1.0.0
    refused "would be deleted" git push origin :v1.0.0
    jq '.tags = "release-*"' rbtool.json >x && mv x rbtool.json # by its name it is none
    refused "would be deleted" git push origin :v1.0.0
    [[ $(there v1.0.0) == "$object" ]]
    git push -q --no-verify origin :v1.0.0
    run ! there v1.0.0
}

@test "pre-push refuses a release that does not verify" {
    released
    echo 1.2.0 >VERSION && git commit -qam 1.2.0 && rbtool release v1.2.0
    cp "$KEYS/allowed" "$KEYS/all"
    grep -v alice "$KEYS/all" >"$KEYS/allowed"
    refused "tag v1.2.0 does not verify" git push origin v1.2.0
    cp "$KEYS/all" "$KEYS/allowed"
    refused "tag v1.3.0 does not verify" git push origin v1.2.0:refs/tags/v1.3.0
    export RBTOOL=0
    resign v1.2.0 HEAD sed -E 's/"tree": "[0-9a-f]{12}/"tree": "000000000000/'
    git tag -f v1.1.0 HEAD
    unset RBTOOL
    refused "tag v1.2.0 does not verify" git push origin v1.2.0
    run ! there v1.2.0
}

@test "pre-push refuses a release whose predecessor was moved" {
    released
    echo 1.2.0 >VERSION && git commit -qam 1.2.0 && rbtool release v1.2.0
    RBTOOL=0 git tag -f v1.1.0 HEAD
    refused "it follows v1.1.0 as" git push origin v1.2.0
}

@test "pre-push refuses a release name without a manifest after the first release" {
    git tag v0.1 # older
    git commit -q --allow-empty -m more
    rbtool release v1.0.0
    rbtool init 2>/dev/null
    git push -q origin main v0.1 v1.0.0
    git tag v0.2 v0.1
    git push -q origin v0.2
    git push -q -f origin HEAD~1:refs/tags/v0.2
    git push -q origin :v0.2
    git tag v2
    refused "carries no manifest" git push origin v2
    refused "carries no manifest" git push origin HEAD:refs/tags/v2
    refused "carries no manifest" git push origin main v2
    git commit -q --allow-empty -m later
    git push -q origin HEAD:refs/tags/nightly
    git push -q -f origin HEAD~1:refs/tags/nightly
    git push -q origin :nightly
    jq '.tags = "v*.*.*"' rbtool.json >x && mv x rbtool.json
    git push -q origin v2
    git push -q origin HEAD
}

@test "pre-push works with --mirror, --atomic and --follow-tags" {
    released
    git push -q --mirror origin
    RBTOOL=0 git tag -d v1.0.0
    refused "would be deleted" git push --prune origin 'refs/tags/*:refs/tags/*'
    # of what --mirror deletes git tells pre-push nothing: only the remote's own hook can refuse
    cp .git/hooks/reference-transaction "$REMOTE/hooks/"
    refused "would be deleted" git push --mirror origin
    rm "$REMOTE/hooks/reference-transaction"
    git fetch -q --tags
    RBTOOL=0 git tag -f v1.0.0 HEAD
    git branch side
    refused "would be moved" git push --atomic -f origin side v1.0.0
    run ! there side
    git fetch -q -f origin refs/tags/v1.0.0:refs/tags/v1.0.0 # no release any more, so it may be put right
    git push -q --atomic origin side v1.0.0
    echo 1.2.0 >VERSION && git commit -qam 1.2.0 && rbtool release v1.2.0
    git push -q --follow-tags origin main
    there v1.2.0
    git push -q --mirror "$REMOTE"
    git push -q origin :side
}

@test "pre-push checks 2,000 refs in one push" {
    local head n
    head=$(git rev-parse HEAD)
    for n in {1..1000}; do
        echo "create refs/tags/v0.$n $head"
        echo "create refs/heads/b$n $head"
    done | git update-ref --stdin
    git commit -q --allow-empty -m more
    rbtool release v1.0.0
    rbtool init 2>/dev/null
    git push -q origin 'refs/heads/*:refs/heads/*' 'refs/tags/*:refs/tags/*'
    [[ $(git -C "$REMOTE" for-each-ref | wc -l) -eq 2002 ]]
    git tag zz v1.0.0^{}
    refused "tag v5 does not verify" git push origin zz 'refs/heads/*:refs/heads/copy*' main:refs/tags/v5
    git push -q origin zz
    for n in {1..1000}; do echo "delete refs/tags/v0.$n"; done | git update-ref --stdin
    git push -q --prune origin 'refs/tags/v0*:refs/tags/v0*' # a thousand deletions
    [[ $(git -C "$REMOTE" for-each-ref | wc -l) -eq 1003 ]]
    refused "would be deleted" bash -c "{ for n in {1..1000}; do echo delete refs/heads/b\$n; done
        echo delete refs/tags/v1.0.0; } | git update-ref --stdin"
    [[ $(git for-each-ref | wc -l) -gt 1000 ]]
}

@test "pre-push refuses a commit that changes a released migration" {
    released
    echo '-- later' >>migrations/0002_discount.up.sql
    git commit -qam 'edit' -m 'Rollback: reversible'
    local commit
    commit=$(git rev-parse HEAD)
    git commit -q --allow-empty -m 'one more'
    refused "commit ${commit:0:10} (refs/heads/main) changes migration 2, which was released with v1.1.0" \
        git push origin main
    refused "changes migration 2" git push origin HEAD:refs/heads/side
    refused "changes migration 2" git push "$REMOTE" HEAD:refs/heads/side
    refused "changes migration 2" git push origin HEAD:refs/tags/nightly
    # an older line does not follow that release
    git checkout -q -b maint v1.0.0
    git push -q origin maint
    git checkout -q main
    git revert --no-edit "$commit" 2>/dev/null || git commit -q -m revert -m 'Rollback: reversible'
    git push -q origin main # the bytes are back
    printf 'DROP TABLE orders; -- mended\n' >migrations/0001_orders.down.sql
    git commit -qam 'down' -m 'Rollback: reversible'
    refused "changes migration 1" git push origin main
    RBTOOL=0 git push -q origin main
    git commit -q --allow-empty -m 'the remote has it already'
    git push -q origin main
    printf 'CREATE TABLE a (id INTEGER);\n' >migrations/0003_a.up.sql
    git add -A && git commit -qm 'new' -m 'Rollback: irreversible no down'
    git push -q origin main
    git push -q origin main:refs/heads/side
}

@test "pre-push accepts new migrations and changes to unreleased ones" {
    released
    printf 'CREATE TABLE a (id INTEGER);\n' >migrations/0003_a.up.sql
    git add -A && git commit -qm 'new' -m 'Rollback: irreversible no down'
    git push -q origin main
    printf 'CREATE TABLE a (id INTEGER PRIMARY KEY);\n' >migrations/0003_a.up.sql
    git add -A && git commit -qm 'not released yet' -m 'Rollback: irreversible no down'
    git push -q origin main
    git rm -q migrations/0003*
    git commit -qm 'not needed' -m 'Rollback: irreversible'$' gone'
    git push -q origin main
    git rm -q migrations/0001*
    git commit -qm 'squash' -m 'Rollback: irreversible'$' gone'
    refused "deletes or changes migration 1, which was released with v1.1.0" git push origin main
    RBTOOL=0 git push -q origin main
    printf 'CREATE TABLE b (id INTEGER);\n' >migrations/0004_b.up.sql
    git add -A && git commit -qm 'the remote has it already' -m 'Rollback: irreversible no down'
    git push -q origin main
    git push -q origin :main || true
}

# --- commit-msg

@test "commit-msg requires a Rollback trailer in a commit that touches migrations" {
    rbtool init 2>/dev/null
    printf 'CREATE TABLE a (id INTEGER);\n' >migrations/0003_a.up.sql
    git add -A
    local message
    for message in 'no trailer' $'title\n\nRollback: maybe' $'title\n\nRollback: lossy' \
        $'title\n\nRollback: irreversible ' $'title\n\nRollback: reversiblest' \
        $'title\n\nRollback: reversible\n\nnot the last paragraph' \
        $'title\n\nRollback: reversible\nRollback: perhaps' 'Rollback: reversible'; do
        refused "this commit touches migrations (migrations/0003_a.up.sql" git commit -m "$message"
    done
    for message in $'title\n\nRollback: reversible' $'title\n\nrollback: lossy drops a column' \
        $'title\n\nwords\n\nSigned-off-by: x\nRollback: irreversible ids are\n renumbered'; do
        git commit -q -m "$message"
        git reset -q --soft HEAD~1
    done
    git commit -q -m title --trailer 'Rollback: reversible'
    git rm -q migrations/0003_a.up.sql
    refused "touches migrations" git commit -m 'gone'
    git mv migrations/0001_orders.up.sql src/
    refused "and 1 more" git commit -m 'moved'
    git reset -q --hard
    echo 1 >src/new && git add -A
    git commit -q -m 'no migrations'
    printf -- '-- c\n' >>migrations/0001_orders.up.sql
    refused "touches migrations" git commit -am 'all'
    refused "touches migrations" git commit -m 'one path' migrations/0001_orders.up.sql
    git commit -q --allow-empty -m 'only what is staged counts'
    RBTOOL=0 git commit -qam 'off'
}

@test "commit-msg reads the trailer of an edited message above comments and a diff" {
    rbtool init 2>/dev/null
    printf 'CREATE TABLE a (id INTEGER);\n' >migrations/0003_a.up.sql
    git add -A
    printf '#!/bin/sh\n{ printf "title\\n\\nRollback: reversible\\n\\n"; cat "$1"; } >"$1.x"; mv "$1.x" "$1"\n' >../editor
    chmod +x ../editor
    GIT_EDITOR=$BATS_TEST_TMPDIR/editor git commit -q -v
    [[ $(git log -1 --format='%(trailers:key=Rollback,valueonly)') == reversible* ]]
}

@test "commit-msg requires a trailer for a merge only if the merge itself changes migrations" {
    rbtool init 2>/dev/null
    git checkout -q -b side
    printf 'CREATE TABLE a (id INTEGER);\n' >migrations/0003_a.up.sql
    git add -A && git commit -qm 'a' -m 'Rollback: reversible'
    git checkout -q main
    git commit -q --allow-empty -m other
    git merge -q --no-ff -m 'merge side' side
    git checkout -q -b again HEAD~1
    git merge -q --no-ff --no-commit side
    echo '-- evil' >>migrations/0001_orders.up.sql && git add -A
    refused "migrations/0001_orders.up.sql) without" git commit -m 'merge with more'
    git commit -q -m 'merge with more' -m 'Rollback: reversible'
}

@test "commit-msg checks the first commit of a repository" {
    git init -q ../fresh && cd ../fresh
    mkdir migrations && printf 'CREATE TABLE a (id INTEGER);\n' >migrations/0001_a.up.sql
    echo '{"app": {"name": "x"}, "databases": {"main": {"engine": "sqlite", "migrations": "migrations"}}}' >rbtool.json
    rbtool init 2>/dev/null
    git add -A
    refused "touches migrations" git commit -m first
    git commit -q -m first -m 'Rollback: irreversible no down'
}

# --- off, absent, broken

@test "without rbtool in PATH, git continues and the hook prints one line" {
    released
    # a PATH with git and what its hooks need, and no rbtool
    local name bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    for name in git sh cat sed ssh-keygen; do ln -s "$(command -v "$name")" "$bin/$name"; done
    run --separate-stderr env PATH="$bin" git tag nightly HEAD~1
    [[ $status -eq 0 && $stderr == 'rbtool is not in PATH: this change of tags was not checked' ]]
    run --separate-stderr env PATH="$bin" git branch side
    [[ $status -eq 0 && -z $stderr ]]
    run --separate-stderr env PATH="$bin" git push -q origin HEAD
    [[ $status -eq 0 && -z $stderr ]]
    run --separate-stderr env PATH="$bin" git push -q origin side
    [[ $status -eq 0 && $stderr == 'rbtool is not in PATH: this push was not checked' ]]
    run --separate-stderr env PATH="$bin" git commit -q --allow-empty -m x
    [[ $status -eq 0 && $stderr == 'rbtool is not in PATH: this commit was not checked' ]]
}

@test "the hooks do not start rbtool when no release is affected" {
    released
    mkdir ../bin
    printf '#!/bin/sh\necho "$@" >>"%s"\nexit 1\n' "$BATS_TEST_TMPDIR/called" >../bin/rbtool
    chmod +x ../bin/rbtool
    export PATH=$BATS_TEST_TMPDIR/bin:$PATH
    git branch side
    git update-ref refs/notes/x HEAD
    git branch -D side
    git push -q origin HEAD # up to date
    git push -q --no-verify origin HEAD:refs/heads/side
    git push -q origin :side
    [[ ! -e ../called ]]
    git tag here # a commit is no tag object, and that this one is a commit is known
    git tag -d here
    git tag here && RBTOOL=0 git pack-refs --all
    RBTOOL=0 git commit -q --allow-empty -m more # the branch is loose again
    git tag there
    [[ ! -e ../called ]]
    run ! git tag -d here # packed: what it is cannot be told
    [[ -e ../called ]]
    rm ../called
    run ! git tag plain HEAD~1
    [[ -e ../called ]]
    RBTOOL=0 git tag plain
    for n in {1..200}; do echo "create refs/heads/b$n HEAD"; done | RBTOOL=0 git update-ref --stdin
}

@test "the hooks refuse unreadable settings and malformed input lines" {
    released
    echo '{' >rbtool.json
    refused "rbtool.json" git push origin HEAD:refs/heads/x
    git init -q --bare ../other.git
    git push -q ../other.git v1.0.0 # the check of a release does not depend on them
    git checkout -q rbtool.json
    fails 2 "is not OLD NEW REF" rbtool hook reference-transaction prepared <<<'nonsense'
    fails 2 "no object ids" rbtool hook reference-transaction prepared <<<'1 2 refs/tags/x'
    fails 2 "is not LOCAL-REF" rbtool hook pre-push origin <<<'a b refs/tags/x c'
    fails 0 "" rbtool hook reference-transaction committed <<<'nonsense'
    fails 0 "" rbtool hook reference-transaction preparing <<<'nonsense'
    fails 0 "" rbtool hook reference-transaction prepared <<<"ref:refs/heads/main ref:refs/heads/x refs/tags/x"
    fails 0 "" rbtool hook reference-transaction prepared </dev/null
    fails 0 "" rbtool hook pre-push origin </dev/null
    fails 2 "hook frobnicate does not exist" rbtool hook frobnicate
    fails 2 "needs FILE" rbtool hook commit-msg
}

@test "the hooks escape control characters in names" {
    released
    refused 'v1\u{202e}' git update-ref "refs/tags/v1"$'\xe2\x80\xae' "$(git rev-parse v1.0.0)"
    [[ $output != *$'\xe2\x80\xae'* || $(grep -c $'^rbtool: .*\xe2\x80\xae' <<<"$output") -eq 0 ]]
}

@test "no release has a name that a shell interprets, and hints do not contain it" {
    released
    local name
    for name in 'v9;id' 'v9$(id)' 'v9`id`' "v9'" 'v9|id'; do
        refused "no release can have this name" git update-ref "refs/tags/$name" "$(git rev-parse v1.0.0)"
        [[ $(sed -n 's/^  //p' <<<"$output") != *v9* && $output == *"rbtool release TAG"* ]]
        fails 2 "a release cannot be called '$name'" rbtool release "$name"
        RBTOOL=0 git tag "$name" v1.0.0
        fails 1 "no release can have this name" rbtool verify "$name"
        fails 1 "no release can have this name" rbtool show "$name"
    done
}

# --- init

# git_says VERSION: what init takes git to be; all else is the real one's
git_says() {
    REAL_GIT=$(PATH=${PATH#"$BATS_TEST_TMPDIR/says:"} command -v git)
    export REAL_GIT
    mkdir -p "$BATS_TEST_TMPDIR/says"
    cat >"$BATS_TEST_TMPDIR/says/git" <<SH
#!/bin/sh
case " \$* " in *' version '*) echo 'git version $1'; exit ;; esac
exec "\$REAL_GIT" "\$@"
SH
    chmod +x "$BATS_TEST_TMPDIR/says/git"
    PATH=$BATS_TEST_TMPDIR/says:${PATH#"$BATS_TEST_TMPDIR/says:"}
}

listing() { find .git -path .git/objects -prune -o -type f -printf '%P %m\n' -o -type l -printf '%P -> %l\n' -o -type d -printf '%P/\n' | sort; }
contents() { find .git/hooks .git/config -type f -exec sha256sum {} + | sort; }

@test "init --uninstall removes everything that init installed" {
    listing >../before
    contents >../contents
    rbtool init 2>/dev/null
    [[ -x .git/hooks/pre-push && -x .git/hooks/reference-transaction && -x .git/hooks/commit-msg ]]
    cmp .git/hooks/pre-push "$ROOT/hooks/pre-push"
    rbtool verify 2>/dev/null || true
    rbtool init 2>/dev/null # twice is once
    rbtool init --uninstall
    listing | diff ../before -
    contents | diff ../contents -
    # a repository without a folder of hooks gets none
    rm -r .git/hooks
    rbtool init 2>/dev/null
    rbtool release v1.0.0
    rbtool init --uninstall
    [[ ! -e .git/hooks && ! -e .git/rbtool ]]
    git tag -d v1.0.0
}

@test "init keeps the rbtool.json of a clone and installs the hooks" {
    cp rbtool.json ../kept
    fails 0 "is not overwritten" rbtool init
    cmp rbtool.json ../kept
    [[ -x .git/hooks/pre-push ]]
    rbtool init --uninstall
    fails 0 "would install" rbtool init --dry-run
    [[ ! -e .git/hooks/pre-push ]]
}

@test "existing hooks run first, get the same input, and are restored by --uninstall" {
    released
    rbtool init --uninstall
    git config rbtool.app shop
    for name in pre-push reference-transaction commit-msg; do
        printf '#!/bin/sh\n{ echo "%s $*"; cat; } >>"%s/log"\n[ ! -e "%s/no" ]\n' \
            "$name" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR" >.git/hooks/$name
        chmod 750 .git/hooks/$name
    done
    mv .git/hooks/commit-msg ../their-hook && ln -s "$BATS_TEST_TMPDIR/their-hook" .git/hooks/commit-msg
    listing >../before
    contents >../contents
    fails 0 "the hook that was there runs first" rbtool init
    cmp .git/hooks/pre-push "$ROOT/hooks/pre-push"
    git branch side
    git push -q origin side
    refused "would be deleted" git push origin :v1.0.0
    refused "would be deleted" git tag -d v1.0.0
    grep -qx "pre-push origin $REMOTE" ../log
    grep -q "^refs/heads/side $(git rev-parse side) refs/heads/side 0000" ../log
    grep -q "^(delete) 0000000000000000000000000000000000000000 refs/tags/v1.0.0" ../log
    grep -q '^reference-transaction prepared' ../log
    grep -q '^reference-transaction committed' ../log
    git commit -q --allow-empty -m x
    grep -q '^commit-msg .git/COMMIT_EDITMSG' ../log
    touch ../no
    run ! git commit -q --allow-empty -m x
    run ! git tag other
    run ! git push origin HEAD
    rm ../no
    rbtool init 2>/dev/null
    rbtool init --uninstall
    git branch -D side
    rm -f .git/logs/refs/remotes/origin/side .git/refs/remotes/origin/side
    contents | grep hooks >../now
    diff <(grep hooks ../contents) ../now
    [[ -L .git/hooks/commit-msg && $(stat -c %a .git/hooks/pre-push) == 750 ]]
}

@test "an existing hook that reads no input or is not executable does not break git" {
    printf '#!/bin/sh\nexit 0\n' >.git/hooks/pre-push
    chmod +x .git/hooks/pre-push
    printf '#!/bin/sh\nexit 1\n' >.git/hooks/reference-transaction # not executable: git passes it over
    rbtool init 2>/dev/null
    for n in {1..500}; do echo "create refs/heads/b$n HEAD"; done | git update-ref --stdin
    run --separate-stderr git push -q --all origin
    [[ $status -eq 0 && -z $stderr ]]
    git tag plain
    rbtool init --uninstall
    [[ ! -x .git/hooks/reference-transaction && $(cat .git/hooks/reference-transaction) == $'#!/bin/sh\nexit 1' ]]
}

@test "init installs the hooks in core.hooksPath" {
    mkdir .githooks
    printf '#!/bin/sh\ntouch "%s/ran"\n' "$BATS_TEST_TMPDIR" >.githooks/pre-push
    chmod +x .githooks/pre-push
    git config core.hooksPath .githooks
    rbtool init 2>/dev/null
    [[ -x .githooks/reference-transaction && ! -e .git/hooks/reference-transaction ]]
    git push -q origin main
    [[ -e ../ran ]]
    rbtool release v1.0.0
    refused "would be deleted" git tag -d v1.0.0
    rbtool init --uninstall
    [[ $(ls .githooks) == pre-push && $(tail -1 .githooks/pre-push) == touch* ]]
}

@test "init does not change a core.hooksPath for all repositories" {
    git_says 2.39.5
    mkdir ../shared
    git config --global core.hooksPath "$BATS_TEST_TMPDIR/shared"
    run rbtool init
    [[ $status -eq 0 && -z $(ls ../shared) ]]
    [[ $output == *"add to $BATS_TEST_TMPDIR/shared/pre-push: rbtool hook pre-push \"\$@\""* ]]
    # with the lines added it works, and init has nothing more to say
    for name in pre-push reference-transaction commit-msg; do
        printf '#!/bin/sh\nrbtool hook %s "$@"\n' $name >../shared/$name
        chmod +x ../shared/$name
    done
    run rbtool init
    [[ $output != *"add to"* ]]
    rbtool release v1.0.0
    refused "would be deleted" git tag -d v1.0.0
    rbtool init --uninstall
    [[ $(ls ../shared | wc -l) -eq 3 ]]
}

@test "init leaves husky's hooks alone and prints the line to add" {
    git_says 2.39.5
    # as husky 9 lays them out
    mkdir -p .husky/_
    printf '#!/usr/bin/env sh\n[ "$HUSKY" = 0 ] && exit 0\nn=$(basename "$0")\ns=$(dirname "$(dirname "$0")")/$n\n[ ! -f "$s" ] && exit 0\nsh -e "$s" "$@"\n' >.husky/_/h
    for name in pre-commit commit-msg pre-push; do
        printf '#!/usr/bin/env sh\n. "${0%%/*}/h"' >.husky/_/$name
        chmod +x .husky/_/$name
    done
    echo '*' >.husky/_/.gitignore
    git config core.hooksPath .husky/_
    find .husky -type f -exec sha256sum {} + | sort >../before
    run rbtool init
    [[ $status -eq 0 && $output == *'husky: add to .husky/pre-push: rbtool hook pre-push "$@"'* ]]
    [[ $output == *'husky: add to .husky/commit-msg: rbtool hook commit-msg "$@"'* ]]
    find .husky -type f ! -name reference-transaction -exec sha256sum {} + | sort | diff ../before -
    echo 'rbtool hook pre-push "$@"' >.husky/pre-push
    echo 'rbtool hook commit-msg "$@"' >.husky/commit-msg
    run rbtool init
    [[ $output != *"add to"* ]]
    rbtool release v1.0.0
    git push -q origin main v1.0.0
    refused "would be deleted at the remote" git push origin :v1.0.0
    refused "would be deleted" git tag -d v1.0.0
    rbtool init --uninstall
    rm .husky/pre-push .husky/commit-msg
    find .husky -type f -exec sha256sum {} + | sort | diff ../before -
}

@test "init leaves lefthook's hooks alone and prints the line to add" {
    git_says 2.39.5
    printf 'pre-push:\n  commands:\n    test:\n      run: "true"\n' >lefthook.yml
    printf '#!/bin/sh\ncall_lefthook()\n{\n  lefthook "$@"\n}\ncall_lefthook run "pre-push" "$@"\n' >.git/hooks/pre-push
    chmod +x .git/hooks/pre-push
    sha256sum .git/hooks/pre-push lefthook.yml >../before
    run rbtool init
    [[ $status -eq 0 && $output == *"lefthook: add to the commands of pre-push in lefthook.yml: rbtool: { run: 'rbtool hook pre-push {0}', use_stdin: true }"* ]]
    sha256sum -c --quiet ../before
    [[ -x .git/hooks/reference-transaction && -x .git/hooks/commit-msg ]]
    printf "    rbtool: { run: 'rbtool hook pre-push {0}', use_stdin: true }\n" >>lefthook.yml
    run rbtool init
    [[ $output != *"add to"* ]]
    rbtool init --uninstall
    [[ -x .git/hooks/pre-push && ! -e .git/hooks/commit-msg ]]
}

@test "init leaves pre-commit's hooks alone and prints the line to add" {
    git_says 2.39.5
    printf '#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\nif [ -x "$0.legacy" ]; then "$0.legacy" "$@" || exit; fi\n' >.git/hooks/pre-push
    chmod +x .git/hooks/pre-push
    sha256sum .git/hooks/pre-push >../before
    run rbtool init
    [[ $status -eq 0 && $output == *"pre-commit: add to the executable "*"/.git/hooks/pre-push.legacy, which it runs first: rbtool hook pre-push \"\$@\""* ]]
    sha256sum -c --quiet ../before
    printf '#!/bin/sh\nrbtool hook pre-push "$@"\n' >.git/hooks/pre-push.legacy
    chmod +x .git/hooks/pre-push.legacy
    run rbtool init
    [[ $output != *"add to"* ]]
    rbtool release v1.0.0
    git push -q origin main v1.0.0
    refused "would be deleted at the remote" git push origin :v1.0.0
}

@test "init installs the hooks in the git config where git supports that" {
    # git 2.54 and later; what `git version` says is all that is asked
    git_says 2.54.1
    mkdir ../shared
    git config --global core.hooksPath "$BATS_TEST_TMPDIR/shared"
    cp .git/config ../config
    run rbtool init
    [[ $status -eq 0 && $output == *"hook pre-push as hook.rbtool-pre-push in this repository's git config"* ]]
    [[ $output != *"add to"* && -z $(ls ../shared) ]]
    [[ $(git config hook.rbtool-reference-transaction.event) == reference-transaction ]]
    cmp .git/rbtool/hooks/pre-push "$ROOT/hooks/pre-push"
    # what git would run: through sh, the arguments behind
    rbtool release v1.0.0
    fails 1 "is a release and would be deleted" sh -c "$(git config hook.rbtool-reference-transaction.command) \"\$@\"" - \
        prepared <<<"$(git rev-parse v1.0.0) 0000000000000000000000000000000000000000 refs/tags/v1.0.0"
    rm -r .git/rbtool/hooks # as in a repository that was moved
    sh -c "$(git config hook.rbtool-pre-push.command)" </dev/null
    rbtool init 2>/dev/null
    if "$REAL_GIT" version | grep -qE ' 2\.(5[4-9]|[6-9])| [3-9]\.'; then
        refused "would be deleted" git tag -d v1.0.0
    fi
    rbtool init --uninstall
    git config --unset rbtool.app || true
    diff ../config .git/config
    [[ ! -e .git/rbtool ]]
}

# entry ID: what .pre-commit-hooks.yaml runs, as pre-commit folds and splits it
entry() {
    awk -v id="$1" '$1 == "-" { on = $3 == id } on' "$ROOT/.pre-commit-hooks.yaml" |
        awk '/^  entry:/ { on = 1; sub(/^  entry: (>-)?/, ""); print; next } on && /^    / { print; next } { on = 0 }' |
        tr '\n' ' '
}

@test "the hooks in pre-commit's hook list check commits and pushes" {
    released
    local message=$BATS_TEST_TMPDIR/message
    echo '-- later' >>migrations/0002_discount.up.sql
    git add -A
    echo 'edit' >"$message"
    eval "set -- $(entry rbtool-commit-msg)"
    refused "touches migrations" "$@" "$message"
    git commit -qm edit -m 'Rollback: reversible'
    eval "set -- $(entry rbtool-pre-push)"
    export PRE_COMMIT_LOCAL_BRANCH=refs/heads/main PRE_COMMIT_REMOTE_BRANCH=refs/heads/main
    export PRE_COMMIT_REMOTE_NAME=origin PRE_COMMIT_REMOTE_URL=$REMOTE
    refused "changes migration 2" "$@"
    PRE_COMMIT_TO_REF=$(git rev-parse HEAD~1) "$@"
    echo 1.2.0 >VERSION
    git revert --no-edit HEAD >/dev/null 2>&1 || true
    RBTOOL=0 git tag -a -m 'no release' v1.2.0 v1.1.0^{}
    PRE_COMMIT_LOCAL_BRANCH=refs/tags/v1.2.0 PRE_COMMIT_REMOTE_BRANCH=refs/tags/v1.2.0 refused "carries no manifest" "$@"
}

@test "init and --uninstall keep a hook that replaced rbtool's" {
    git_says 2.39.5
    printf '#!/bin/sh\nexit 0\n' >.git/hooks/pre-push
    chmod +x .git/hooks/pre-push
    rbtool init 2>/dev/null
    printf '#!/bin/sh\n# another tool\n' >.git/hooks/pre-push
    fails 0 "was replaced" rbtool init
    [[ $(cat .git/hooks/pre-push) == *"another tool"* ]]
    fails 0 "is not rbtool's hook any more" rbtool init --uninstall
    [[ -e .git/hooks/pre-push && -e .git/hooks/pre-push.before-rbtool ]]
}

# --- released migrations that move

@test "pre-push accepts a move of released migrations, and refuses edits and deletions in it" {
    released
    rmdir_and_back() { git reset -q --hard v1.1.0 && git clean -qfd; }
    say() { RBTOOL=0 git commit -qam "$1"; }
    mkdir db
    git mv migrations db/migrations
    sed -i 's|"migrations": "migrations"|"migrations": "db/migrations"|' rbtool.json
    say 'moved'
    git push -q origin HEAD:refs/heads/moved
    echo '-- edited' >>db/migrations/0001_orders.up.sql
    say 'edited after the move'
    refused "moves and changes migration 1, which was released with v1.1.0" git push origin HEAD:refs/heads/moved
    [[ $output == *"git checkout v1.1.0 -- migrations"* ]]
    rmdir_and_back
    # another layout, with the same bytes and with others
    mkdir migrations/0001_orders migrations/0002_discount
    for m in 0001_orders 0002_discount; do
        git mv "migrations/$m.up.sql" "migrations/$m/up.sql"
        git mv "migrations/$m.down.sql" "migrations/$m/down.sql"
    done
    say 'diesel'
    git push -q origin HEAD:refs/heads/diesel
    echo '-- edited' >>migrations/0002_discount/down.sql
    say 'edited'
    refused "which was released with v1.1.0" git push origin HEAD:refs/heads/diesel
    rmdir_and_back
    # deleted, with and without the database's settings, which may have another name
    git rm -q migrations/0002*
    say 'one deleted'
    refused "deletes or changes migration 2, which was released with v1.1.0" git push origin HEAD:refs/heads/gone
    rmdir_and_back
    git rm -qr migrations
    jq 'del(.databases)' rbtool.json >x && mv x rbtool.json
    say 'the database deleted'
    refused "deletes or changes migration 1 and 1 more, which was released" git push origin HEAD:refs/heads/gone
    rmdir_and_back
    jq '.databases = { other: .databases.main }' rbtool.json >x && mv x rbtool.json
    say 'the database renamed'
    git push -q origin HEAD:refs/heads/renamed
    rmdir_and_back
    # of a bad release they may go
    rbtool mark v1.1.0 bad -m 'never ran'
    git rm -q migrations/0002*
    say 'the bad one deleted'
    git push -q origin HEAD:refs/heads/bad
}
