#!/usr/bin/env bats
# A server and two clones, driven by real pushes: what pre-receive stops and what passes, over
# file:// and over ssh, with --no-verify, which no hook of the pusher's sees.
bats_require_minimum_version 1.5.0

load lib
load server

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
    server
}

# Two releases on the server, and alice's and bob's clones.
released() { # [KIND]
    git remote add origin "$(url "${1:-file}")"
    rbtool release v1.0.0
    second
    rbtool release v1.1.0
    git push -q origin main --tags
    clone bob "${1:-file}"
    cd "$SHOP" || return
    rbtool init >/dev/null 2>&1
}

# What must not arrive does not: driven with and without the pusher's own hooks.
stopped() { # KIND
    released "$1"
    local object
    object=$(there v1.0.0)
    # a moved tag
    refused "tag v1.0.0 is a release and would be moved: the server has object ${object:0:12}" \
        git push --no-verify -f origin HEAD:refs/tags/v1.0.0
    refused "would be moved" env RBTOOL=0 git push --no-verify -f origin v1.1.0:refs/tags/v1.0.0
    refused "tag v1.0.0 is a release and would be deleted" git push --no-verify origin :v1.0.0
    [[ $(there v1.0.0) == "$object" ]]
    # an edited released migration
    echo '-- edited' >>migrations/0001_orders.up.sql
    git commit -qam edited -m 'Rollback: reversible'
    refused "changes migration 1, which was released with" git push --no-verify origin main
    [[ $output != *RBTOOL=0* ]]
    git reset -q --hard HEAD~1
    # an unsigned release, one by nobody, one that was tampered with
    cd "$BATS_TEST_TMPDIR/bob" || return
    git fetch -q --tags
    message v1.1.0 | sed 's/1\.1\.0/1.2.0/g' >../m
    git commit -q --allow-empty -m more
    RBTOOL=0 git tag -a --cleanup=verbatim -F ../m v1.2.0
    refused "tag v1.2.0 does not verify" git push --no-verify origin v1.2.0
    echo 1.2.0 >VERSION && git commit -qam 1.2.0
    RBTOOL=0 git tag -d v1.2.0
    cp "$KEYS/allowed" ../all
    printf 'mallory@example.com %s\n' "$(cut -d' ' -f1,2 "$KEYS/mallory.pub")" >>"$KEYS/allowed"
    rbtool release v1.2.0 --key "$KEYS/mallory"
    refused "tag v1.2.0 does not verify" git push --no-verify origin main v1.2.0
    cp ../all "$KEYS/allowed"
    RBTOOL=0 git tag -d v1.2.0
    # a stolen key, revoked on the server
    rbtool release v1.2.0
    ssh-keygen -q -k -f "$KEYS/revoked" "$KEYS/bob.pub"
    git -C "$SERVER" config gpg.ssh.revocationFile "$KEYS/revoked"
    refused "tag v1.2.0 does not verify" git push --no-verify origin v1.2.0
    [[ $output == *revoked* ]]
    git -C "$SERVER" config --unset gpg.ssh.revocationFile
    git push -q --no-verify origin v1.2.0
    [[ $(there v1.2.0) == $(git rev-parse v1.2.0) ]]
}

@test "a server refuses invalid pushes in quarantine over file://" {
    stopped file
    [[ -z $(find "$SERVER/objects" -name 'tmp_objdir-*') ]]
    git -C "$SERVER" fsck --no-dangling
}

@test "a server refuses invalid pushes in quarantine over ssh" {
    stopped ssh
    git -C "$SERVER" fsck --no-dangling
}

# What people do all day is not in the way.
ordinary() { # KIND
    released "$1"
    git tag keep HEAD && git tag -a -m 'a note' note HEAD
    git push -q origin keep note
    git push -q -f origin HEAD~1:refs/tags/keep
    git push -q origin :note
    git checkout -q -b feature
    git commit -q --allow-empty -m one
    git push -q -u origin feature
    git commit -q --amend --allow-empty -m two
    git push -q -f origin feature
    git push -q origin :feature
    git checkout -q main
    # several releases and branches in one push, also --atomic
    local v
    for v in 1.2.0 1.2.1 1.3.0; do release "v$v"; done
    git push -q --atomic origin main v1.2.0 v1.2.1 v1.3.0
    [[ $(there v1.3.0) == $(git rev-parse v1.3.0) ]]
    # out of order: the later one alone names a release that nobody there has seen
    for v in 1.4.0 1.5.0; do release "v$v"; done
    refused "it follows v1.4.0, which is not here" git push origin v1.5.0
    git push -q origin main v1.4.0
    git push -q origin v1.5.0
    # a new migration with its release
    printf 'CREATE TABLE more (id INTEGER PRIMARY KEY);\n' >migrations/0003_more.up.sql
    printf 'DROP TABLE more;\n' >migrations/0003_more.down.sql
    git add -A && git commit -qm more -m 'Rollback: reversible'
    release v1.6.0
    git push -q --follow-tags origin main
    git push -q origin v1.6.0
    git -C "$SERVER" gc -q --prune=now
    git -C "$SERVER" pack-refs --all
    # from a shallow clone
    git clone -q --depth 1 "$(url "$1")" ../shallow
    cd ../shallow || return
    git commit -q --allow-empty -m shallow
    git push -q origin HEAD:main
    git push -q origin HEAD:refs/heads/side
    git push -q origin :side
    # the whole of it elsewhere
    cd "$SHOP" || return
    git pull -q origin main
    local second=$BATS_TEST_TMPDIR/second.git
    SERVER=$second
    git init -q --bare "$second"
    git -C "$second" config gpg.ssh.allowedSignersFile "$KEYS/allowed"
    rbtool -C "$second" init >/dev/null 2>&1
    git push -q --mirror "$second"
    [[ $(there v1.6.0) == $(git rev-parse v1.6.0) ]]
    rbtool -C "$second" verify --all
}

@test "a server accepts ordinary pushes over file://" {
    ordinary file
}

@test "a server accepts ordinary pushes over ssh" {
    ordinary ssh
}

@test "a push with one refused ref changes no ref, with and without --atomic" {
    released
    git commit -q --allow-empty -m one
    git branch side
    refused "would be moved" git push --no-verify --atomic -f origin side main HEAD:refs/tags/v1.0.0
    run ! there refs/heads/side
    # pre-receive is about the whole push: without --atomic too
    refused "would be moved" git push --no-verify -f origin side HEAD:refs/tags/v1.0.0
    run ! there refs/heads/side
    git push -q origin side main
}

@test "a push can repair invalid settings on the server's branch" {
    released
    cp rbtool.json ../good.json
    echo '{ broken' >rbtool.json
    RBTOOL=0 git commit -qam broken
    git push -q --no-verify origin main
    # what it would say is passed over, with a word; releases are looked after all the same
    run -0 git push --no-verify origin main:refs/tags/plain
    [[ $output == *"warning: rbtool.json of this server's HEAD cannot be read"* ]]
    refused "would be moved" git push --no-verify -f origin HEAD:refs/tags/v1.0.0
    echo '-- edited' >>migrations/0001_orders.up.sql
    RBTOOL=0 git commit -qam edited
    refused "changes migration 1" git push --no-verify origin main
    git reset -q --hard HEAD~1
    cp ../good.json rbtool.json
    RBTOOL=0 git commit -qam mended
    git push -q --no-verify origin main
    [[ $(there main) == $(git rev-parse main) ]]
}

@test "a commit that arrived under an unchecked ref is checked when it reaches a branch" {
    released
    echo '-- edited' >>migrations/0001_orders.up.sql
    RBTOOL=0 git commit -qam edited
    git push -q --no-verify origin main:refs/hidden/x
    refused "changes migration 1" git push --no-verify origin main
    git commit -q --allow-empty -m more
    refused "changes migration 1" git push --no-verify origin main main:refs/hidden/x
}

@test "an edit of a released migration is found after the migrations folder changes" {
    released
    mkdir elsewhere
    cp migrations/* elsewhere
    sed -i 's/"migrations": "migrations"/"migrations": "elsewhere"/' rbtool.json
    git add -A
    RBTOOL=0 git commit -qm 'migrations move'
    git push -q origin main
    echo '-- edited' >>migrations/0001_orders.up.sql
    RBTOOL=0 git commit -qam edited
    refused "changes migration 1" git push --no-verify origin main
}

@test "a server refuses a merge that brings an edit from a branch without a release" {
    rbtool release v1.0.0
    git remote add origin "$(url file)"
    git checkout -q -b feature HEAD
    echo '-- edited' >>migrations/0001_orders.up.sql
    RBTOOL=0 git commit -qam 'feature: an edit'
    git checkout -q --orphan early
    RBTOOL=0 git commit -qm 'the same, of no release'
    git push -q origin main early
    git push -q origin v1.0.0
    git checkout -q main
    RBTOOL=0 git merge -q --no-edit --allow-unrelated-histories -X theirs early
    refused "changes migration 1" git push --no-verify origin main
    rbtool init
    refused "changes migration 1" git push origin main
}

@test "a server with a release accepts no other object under a release's name" {
    released
    local blob tree orphan old what
    blob=$(git hash-object -w VERSION)
    tree=$(git rev-parse 'HEAD^{tree}')
    orphan=$(git commit-tree -m orphan "$tree")
    old=$(git rev-parse 'v1.0.0^{commit}')
    git tag -a -m 'no manifest' v7 "$orphan"
    for what in "$blob" "$tree" "$orphan" "$old" "$(git rev-parse v7)"; do
        refused 'it has the name of a release ("tags": "v*") and carries no manifest' \
            git push --no-verify origin "$what:refs/tags/v9.9.9"
        git push -q --no-verify origin "$what:refs/tags/other-$what"
    done
    [[ -z $(there v9.9.9) ]]
    # a name that leaves no place for a release's
    jq '.tags = "rel/?.?.?"' rbtool.json >x && mv x rbtool.json
    git commit -qam 'tags: rel/'
    git push -q --no-verify origin main
    refused "has the name of a release" git push --no-verify origin "$orphan:refs/tags/rel"
    refused "has the name of a release" git push --no-verify origin "$orphan:refs/tags/rel/1.2.0/x"
    git push -q --no-verify origin "$orphan:refs/tags/v9.9.9"
    # settings that cannot be read leave the default
    echo '{' >rbtool.json
    RBTOOL=0 git commit -qam broken
    git push -q --no-verify origin main
    refused "has the name of a release" git push --no-verify origin "$blob:refs/tags/v9.9.8"
}

@test "the server's branch keeps its released migrations when it is replaced or rewritten" {
    released
    local head second
    head=$(git rev-parse HEAD)
    printf 'SELECT 1;\n' >migrations/0003_unreleased.up.sql
    git add -A && git commit -qm 'not released' -m 'Rollback: irreversible none'
    git push -q --no-verify origin main
    # an orphan that lacks one, and one that changes one, also if another branch brought it
    git checkout -q --orphan lacking
    git rm -q --cached migrations/0002_discount.*
    rm migrations/0002_discount.*
    RBTOOL=0 git commit -qm lacking
    git push -q --no-verify origin lacking
    refused "does not have migration 2 as it was released with v1.1.0" git push --no-verify -f origin lacking:main
    git checkout -q -f --orphan changing main
    echo '-- edited' >>migrations/0001_orders.up.sql
    RBTOOL=0 git commit -qam changing
    refused "(refs/heads/main) does not have migration 1" git push --no-verify -f origin changing:main
    refused "(refs/heads/main) does not have migration 1" git push --no-verify -f origin changing:aside changing:main
    # the commit of the first release has only its own
    refused "does not have migration 2" git push --no-verify -f origin 'v1.0.0^{commit}:main'
    # dropped by a merge into a branch of before the release
    git checkout -q -f -b before "$(git commit-tree -m before "$(git rev-parse 'lacking^{tree}')")"
    RBTOOL=0 git merge -q -s ours --allow-unrelated-histories -m dropped main
    second=$(git rev-parse HEAD^1)
    git push -q --no-verify origin "$second:refs/heads/before"
    refused "deletes or changes migration 2" git push --no-verify origin before
    [[ $(there main) == $(git rev-parse main) ]]
    # rewritten with all of them; what was not released may go, and so may those of a bad release
    git checkout -q -f --orphan rewritten main
    git rm -q -f migrations/0003_unreleased.up.sql
    RBTOOL=0 git commit -qm rewritten
    git push -q --no-verify -f origin rewritten:main
    [[ $(there main) == $(git rev-parse rewritten) ]]
    refused "does not have migration 2" git push --no-verify -f origin 'v1.0.0^{commit}:main'
    rbtool mark v1.1.0 bad -m 'orders vanish'
    rbtool sync origin
    git push -q --no-verify -f origin 'v1.0.0^{commit}:main'
    [[ $(there main) == "$(git rev-parse 'v1.0.0^{commit}')" && $head != "$(there main)" ]]
}

@test "an unreadable migrations folder does not block pushes that leave it unchanged" {
    released
    git checkout -q -b odd
    git mv migrations elsewhere
    ln -s elsewhere migrations
    git add -A
    RBTOOL=0 git commit -qm odd
    refused "cannot tell whether" git push --no-verify origin odd
    mv "$SERVER/hooks" "$SERVER/hooks.off"
    git push -q --no-verify origin odd
    mv "$SERVER/hooks.off" "$SERVER/hooks"
    RBTOOL=0 git commit -q --allow-empty -m more
    git push -q --no-verify origin odd
    [[ $(there odd) == $(git rev-parse odd) ]]
}

@test "a server checks 600 refs in one push" {
    released
    local n head
    head=$(git rev-parse HEAD)
    for n in {1..300}; do
        echo "create refs/tags/plain-$n $head"
        echo "create refs/heads/b$n $head"
    done | RBTOOL=0 git update-ref --stdin
    rm "$SERVER/hooks/reference-transaction" # once a ref of the push; here it is pre-receive's turn
    git push -q origin 'refs/heads/*:refs/heads/*' 'refs/tags/*:refs/tags/*'
    [[ $(git -C "$SERVER" for-each-ref refs/heads refs/tags | wc -l) -eq 603 ]]
    refused "would be moved" git push -q --no-verify -f origin 'refs/heads/*:refs/heads/again*' main:refs/tags/v1.0.0
    [[ $(git -C "$SERVER" for-each-ref refs/heads refs/tags | wc -l) -eq 603 ]]
}

@test "an empty server accepts branches and releases in one push" {
    rbtool release v1.0.0
    second
    rbtool release v1.1.0
    git remote add origin "$(url file)"
    git push -q --mirror origin
    [[ $(there v1.1.0) == $(git rev-parse v1.1.0) ]]
    rbtool -C "$SERVER" verify --all
}

@test "the server records the releases that arrived, signed with its key" {
    released
    local tip
    run ! there refs/rbtool/ledger # a server never begins one
    [[ $(wc -l <"$SERVER/rbtool/receipts") -eq 2 ]]
    at=$(head -1 "$SERVER/rbtool/receipts" | cut -d' ' -f1)
    sleep 1.1
    rbtool sync
    tip=$(there refs/rbtool/ledger)
    [[ ! -s $SERVER/rbtool/receipts && $(git -C "$SERVER" config rbtool.ledger) == $(git config rbtool.ledger) ]]
    git -C "$SERVER" log --format='%ct %s' refs/rbtool/ledger | grep -q "^$at release v1.0.0 arrived"
    [[ $(git -C "$SERVER" log --format=%s refs/rbtool/ledger) == *"release v1.1.0 arrived: shop 1.1.0"* ]]
    [[ $(git -C "$SERVER" log --format=%s refs/rbtool/ledger | grep -c '^release v1.*arrived') -eq 2 ]]
    git -C "$SERVER" verify-commit refs/rbtool/ledger
    rbtool sync
    rbtool log --verify
    rbtool log --json | jq -se '[.[].entry | select(.kind == "release" and .release.witness)] | length == 2'
    git merge-base --is-ancestor "$tip" refs/rbtool/ledger
    # what a push leaves behind comes back from there: the tag object, byte by byte
    git -C "$SERVER" cat-file blob "$tip:tag" | cmp - <(git cat-file tag v1.1.0)
    # no entry for what is no release, none for a branch, and none for a push that was refused
    git tag plain && git push -q origin plain main
    refused "would be moved" git push --no-verify -f origin plain:refs/tags/v1.0.0
    [[ $(git -C "$SERVER" log --format=%s refs/rbtool/ledger | grep -c arrived) -eq 2 ]]
    # a server that has no key still says it
    git -C "$SERVER" config --unset user.signingKey
    echo 1.2.0 >VERSION && git commit -qam 1.2.0 && rbtool release v1.2.0 2>/dev/null
    git -c user.signingKey= push -q origin main v1.2.0
    [[ $(git -C "$SERVER" log -1 --format=%s refs/rbtool/ledger) == "release v1.2.0 arrived"* ]]
    rbtool sync
    git fsck --no-dangling
    git -C "$SERVER" fsck --no-dangling
}

# peak: KiB that the server's pre-receive had at most since the last call, measured by time(1).
measure() {
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\nexec /usr/bin/time -a -f %%M -o "%s" "%s" "$@"\n' \
        "$BATS_TEST_TMPDIR/peaks" "$(command -v rbtool)" >"$BATS_TEST_TMPDIR/bin/rbtool"
    chmod +x "$BATS_TEST_TMPDIR/bin/rbtool"
}
peak() {
    local most
    most=$(grep -x '[0-9]*' "$BATS_TEST_TMPDIR/peaks" | sort -n | tail -1)
    # AddressSanitizer keeps what was freed, and a shadow of all memory: no measure of the program.
    ! grep -q __asan_init "$BUILD/rbtool" || most=0
    echo "$most"
    rm "$BATS_TEST_TMPDIR/peaks"
}

@test "the amount that a server reads for one push is bounded" {
    released
    measure
    local blob tree folder i PATH=$BATS_TEST_TMPDIR/bin:$PATH
    # 40 scripts of 60 MB each, which are one blob.
    blob=$(head -c 60000000 /dev/zero | tr '\0' ' ' | git hash-object -w --stdin)
    folder=$(for ((i = 100; i < 140; i++)); do
        printf '100644 blob %s\t%04d_big.up.sql\n' "$blob" $i
    done | git mktree)
    tree=$({ git ls-tree HEAD | grep -v migrations && printf '040000 tree %s\tmigrations\n' "$folder"; } | git mktree)
    git update-ref refs/heads/scripts "$(git commit-tree -p HEAD -m 'big scripts' "$tree")"
    refused "more than 268435456 bytes together" git push --no-verify origin scripts
    (($(peak) < 600000))
    # A folder that holds itself, ten times on each of twelve levels.
    tree=$(printf '100644 blob %s\t1_x.up.sql\n' "$(git hash-object -w --stdin <<<'SELECT 1;')" | git mktree)
    for ((i = 0; i < 12; i++)); do
        tree=$(for name in a b c d e f g h i j; do printf '040000 tree %s\t%s\n' "$tree" $name; done | git mktree)
    done
    tree=$({ git ls-tree HEAD | grep -v migrations && printf '040000 tree %s\tmigrations\n' "$tree"; } | git mktree)
    git update-ref refs/heads/bomb "$(git commit-tree -p HEAD -m bomb "$tree")"
    refused "268435456 bytes, which is the limit" git push --no-verify origin bomb
    (($(peak) < 900000))
    # Tags of 15 MB, and a file of 200 MB under a tag's name: the one is too much, the other is not read.
    for ((i = 0; i < 5; i++)); do
        { printf 'object %s\ntype commit\ntag big%d\ntagger a <a@b> 1700000000 +0000\n\n' "$(git rev-parse HEAD)" $i
            head -c 15000000 /dev/zero | tr '\0' x; } | git hash-object -t tag -w --stdin >object
        git update-ref refs/tags/big$i "$(cat object)"
    done
    refused "the limit is 67108864" git push --no-verify origin 'refs/tags/big*:refs/tags/big*'
    (($(peak) < 100000))
    git push -q --no-verify origin big0 big1
    peak
    git tag file "$(head -c 200000000 /dev/zero | git hash-object -w --stdin)"
    git push -q --no-verify origin file
    (($(peak) < 100000))
}

@test "a server reads only the nearest release for a push that adds to it" {
    released
    local old new zero
    old=$(there v1.0.0) new=$(there v1.1.0) zero=$(printf '%040d' 0)
    echo 'CREATE TABLE notes (id INTEGER);' >migrations/0009_notes.up.sql
    echo 'DROP TABLE notes;' >migrations/0009_notes.down.sql
    git add -A && git commit -qm notes -m 'Rollback: reversible'
    git push -q --no-verify origin main # the server has verified each release once
    cp -a "$SERVER" "$BATS_TEST_TMPDIR/copy.git"
    cd "$BATS_TEST_TMPDIR/copy.git" || return
    # The leak checker cannot work under strace.
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq -o ../trace -e trace=openat,open \
        rbtool hook pre-receive <<<"$zero $(git rev-parse main) refs/heads/other"
    grep -q "${new:0:2}/${new:2}" ../trace
    run -1 grep "${old:0:2}/${old:2}" ../trace
}

# The hook's own run, since git itself refuses to send a history with a gap.
@test "a server measures a pushed ledger before it follows its history" {
    released
    rbtool sync
    local ledger tip
    ledger=$(there refs/rbtool/ledger)
    # An entry over the limit whose parent does not exist: whatever follows the history fails.
    tip=$({
        printf 'tree %s\nparent %s\n' "$(git -C "$SERVER" mktree </dev/null)" "${ledger//[0-9a-f]/1}"
        printf 'author a <a@b> 1700000000 +0000\ncommitter a <a@b> 1700000000 +0000\n\n'
        head -c 2000000 /dev/zero | tr '\0' x
    } | git -C "$SERVER" hash-object -t commit -w --stdin)
    cd "$SERVER" || return
    refused "would get an entry of 2000" rbtool hook pre-receive <<<"$ledger $tip refs/rbtool/ledger"
    # The same commit as code: its history is followed, and the gap shows.
    run -2 rbtool hook pre-receive <<<"$(printf '%040d' 0) $tip refs/heads/other"
    [[ $output == *"cannot read the history of commit"* ]]
}

@test "an unused release can be marked as a gap, deleted and recreated" {
    server
    cd "$SHOP" || return
    rbtool init >/dev/null 2>&1
    git remote add origin "$(url file)"
    local first
    rbtool release v1.0.0 2>/dev/null
    first=$(git rev-parse v1.0.0)
    refused "give it up first: rbtool mark v1.0.0 gap -m WHY; then git tag -d v1.0.0 passes" git tag -d v1.0.0
    rbtool mark v1.0.0 gap -m 'wrong config' | grep -q 'the name is free after: git tag -d v1.0.0'
    git tag -d v1.0.0
    rbtool verify --all
    [[ $(rbtool list) != *v1.0.0* ]]
    echo fixed >>src/app
    git add -A && git commit -qm 'the right config'
    rbtool release v1.0.0 2>/dev/null
    [[ $(git rev-parse v1.0.0) != "$first" ]]
    git push -q origin main v1.0.0
    rbtool sync
    [[ $(there v1.0.0) == $(git rev-parse v1.0.0) ]]
    rbtool sync # the server's receipt
    rbtool verify --all
    rbtool -C "$SERVER" verify --all
    clone bob
    rbtool sync
    rbtool verify --all
    [[ $(git rev-parse v1.0.0) == $(there v1.0.0) ]]
    # From now on a server has seen it: in no clone can it be given up, with or without a gap.
    fails 1 "that tag is here, and a server received it (entry " rbtool mark v1.0.0 gap -m 'again'
    refused "keep it: a server received it (entry " git tag -d v1.0.0
    refused "would be deleted" git push --no-verify origin :refs/tags/v1.0.0
}

@test "the tag of a release that was live or has a successor cannot be deleted" {
    server
    cd "$SHOP" || return
    rbtool init >/dev/null 2>&1
    rbtool release v1.0.0 2>/dev/null
    rbtool mark v1.0.0 gap -m 'not meant'
    rbtool deploy v1.0.0 --env prod --yes
    refused "keep it: prod had it (entry " git tag -d v1.0.0
    echo 1.1.0 >VERSION && git commit -qam 1.1.0 && rbtool release v1.1.0 2>/dev/null
    refused "keep it: a release follows it" git tag -d v1.0.0
    fails 1 "that tag is here, and a release follows it" rbtool mark v1.0.0 gap -m 'again'
    rbtool mark v1.1.0 gap -m 'not meant'
    git tag -d v1.1.0
    run ! git rev-parse -q --verify refs/tags/v1.1.0
    rbtool verify --all
}

@test "the server records all of several pushes that arrive at once" {
    released
    rbtool sync
    local n
    for n in 2 3 4 5; do release "v1.$n.0" >/dev/null 2>&1; done
    git push -q origin main
    local pids=()
    for n in 2 3 4 5; do
        # each is pushed with those that it follows
        git push -q origin $(seq -f 'v1.%g.0' 2 $n) >"$BATS_TEST_TMPDIR/push.$n" 2>&1 &
        pids+=($!)
    done
    for n in "${pids[@]}"; do wait "$n" || true; done
    git push -q origin v1.2.0 v1.3.0 v1.4.0 v1.5.0
    for n in 2 3 4 5; do
        git -C "$SERVER" log --format=%s refs/rbtool/ledger | grep -q "^release v1.$n.0 arrived"
    done
    git -C "$SERVER" fsck --no-dangling
    rbtool sync
    rbtool log --verify
}

# Alice is the root, here, at bob's and on the server; her policy is there too.
ruled() { # KIND POLICY
    released "$1"
    local repo
    for repo in "$SHOP" "$BATS_TEST_TMPDIR/bob" "$SERVER"; do
        git -C "$repo" config rbtool.root alice@example.com
    done
    set_policy "$2"
}

set_policy() {
    printf '%s' "$1" >"$BATS_TEST_TMPDIR/policy.json"
    rbtool policy set "$BATS_TEST_TMPDIR/policy.json" -m 'as agreed'
    rbtool sync
}

fingerprint() {
    ssh-keygen -lf "$KEYS/$1.pub" | cut -d' ' -f2
}

@test "the server accepts releases only from signers that the policy allows" {
    ruled ssh '{"roles":{"release":["alice@example.com"],"witness":["git@server"]}}'
    cd "$BATS_TEST_TMPDIR/bob" || return
    git pull -q --tags origin main
    echo 1.2.0 >VERSION && git commit -qam 1.2.0
    # bob's clone fetches the policy before it releases
    fails 1 "may not release" rbtool release v1.2.0
    git config --unset rbtool.root
    rbtool release v1.2.0
    git config rbtool.root alice@example.com
    refused "v1.2.0" git push --no-verify origin main v1.2.0
    [[ $output == *"role release"* ]]
    rbtool sync
    refused "role release" git push origin v1.2.0
    cd "$SHOP" || return
    set_policy '{"roles":{"release":["alice@example.com","bob@example.com"],"witness":["git@server"]}}'
    cd "$BATS_TEST_TMPDIR/bob" || return
    rbtool sync
    git push -q origin main v1.2.0
}

@test "the server refuses a release signed with a key that the policy revokes" {
    ruled file '{}'
    cd "$BATS_TEST_TMPDIR/bob" || return
    git fetch -q --tags
    git commit -q --allow-empty -m before
    echo 1.2.0 >VERSION && git commit -qam 1.2.0
    rbtool sync
    rbtool release v1.2.0
    git push -q origin main v1.2.0
    rbtool sync
    cd "$SHOP" || return
    rbtool sync
    set_policy "{\"revoked\":[{\"key\":\"$(fingerprint bob)\",\"why\":\"laptop stolen\"}]}"
    # with bob's key, before his clone has heard of it
    cd "$BATS_TEST_TMPDIR/bob" || return
    echo 1.3.0 >VERSION && git commit -qam 1.3.0
    rbtool release v1.3.0
    refused "which the policy revokes" git push --no-verify origin main v1.3.0
    refused "which the policy revokes" env RBTOOL=0 git push --no-verify origin v1.3.0
    run ! there v1.3.0
    # what the server saw before that stays good
    git fetch -q
    cd "$SHOP" || return
    git fetch -q --tags
    rbtool verify v1.2.0
    git push -q origin v1.2.0
}

@test "a deploy refuses a release without approvals and a reverted one" {
    ruled file '{"environments":{"prod":{"approvals":{"deploy":1}}},"roles":{"witness":["git@server"]}}'
    mkdir -p "$PROD/data" "$PROD/etc"
    fails 5 "approval" rbtool deploy v1.0.0 --yes
    [[ ! -e $PROD/current ]]
    fails 1 "" rbtool approve v1.0.0 -m 'my own'
    cd "$BATS_TEST_TMPDIR/bob" || return
    git fetch -q --tags
    rbtool sync
    rbtool approve v1.0.0 -m 'looked at it'
    rbtool approve v1.1.0 -m 'looked at it'
    rbtool sync
    cd "$SHOP" || return
    rbtool sync
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    fails 5 "v1.1.0" rbtool deploy v1.1.0 --yes
    [[ $(readlink "$PROD/current") == *v1.0.0 ]]
    # what was done here is known there
    rbtool sync
    cd "$BATS_TEST_TMPDIR/bob"
    rbtool sync
    [[ $(rbtool log --kind transition --tag v1.1.0) == *"revert in prod: done, to v1.0.0"* ]]
    [[ $(rbtool log --kind verdict --tag v1.1.0) == *bad* ]]
}

@test "init in a bare repository installs the server hooks, and --uninstall removes them" {
    local bare=$BATS_TEST_TMPDIR/bare.git
    git clone -q --bare "$SHOP" "$bare"
    printf '#!/bin/sh\ncat >>"%s/seen"\n' "$BATS_TEST_TMPDIR" >"$bare/hooks/post-receive"
    chmod +x "$bare/hooks/post-receive"
    find "$bare" -path '*/objects' -prune -o -type f -exec sha256sum {} + | sort >before
    fails 0 "pinned this repository to the application shop" rbtool -C "$bare" init
    [[ $(git -C "$bare" config rbtool.app) == shop ]]
    cmp "$bare/hooks/pre-receive" "$ROOT/hooks/pre-receive"
    [[ -x $bare/hooks/reference-transaction && ! -e $bare/hooks/pre-push && ! -e $bare/hooks/commit-msg ]]
    git push -q "$bare" HEAD:refs/heads/x
    grep -q refs/heads/x "$BATS_TEST_TMPDIR/seen"
    git push -q "$bare" :refs/heads/x
    rbtool -C "$bare" init --uninstall
    find "$bare" -path '*/objects' -prune -o -type f -exec sha256sum {} + | sort | diff before -
}

@test "a server without rbtool in its PATH refuses what it cannot check" {
    released
    local name bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    for name in git sh cat ssh-keygen; do ln -s "$(command -v "$name")" "$bin/$name"; done
    git commit -q --allow-empty -m one
    run env PATH="$bin" git push --no-verify origin main
    [[ $status -ne 0 && $output == *"rbtool is not in this server's PATH: a push that cannot be checked is refused"* ]]
    git push -q origin main
}
