#!/usr/bin/env bats
# What list remembers is a shortcut: whatever the judgement depends on makes it verify again.

bats_require_minimum_version 1.5.0

load lib

setup_file() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR home
    keys
    git init -q "$BATS_FILE_TMPDIR/made"
    cd "$BATS_FILE_TMPDIR/made" || return 1
    echo '{"app": {"name": "small"}}' >rbtool.json
    git add -A
    for tag in v1.0.0 v1.1.0 v1.2.0; do
        git commit -q --allow-empty -m "$tag"
        rbtool release -q "$tag" >/dev/null
    done
    git tag -a -m 'no release' plain
    git tag light
}

setup() {
    home
    keys
    # The releases' signers, in this test's own files.
    cp -a "$BATS_FILE_TMPDIR/made" "$BATS_TEST_TMPDIR/small"
    cp "$BATS_FILE_TMPDIR"/home/keys/* "$KEYS"
    cd "$BATS_TEST_TMPDIR/small" || return 1
    CACHE=.git/rbtool/releases
    rm -f $CACHE
}

# Each tag, with what is wrong about it.
told() { rbtool list 2>/dev/null | sed -E '1d; s/^([^ ]*) .*(BAD \([a-z]*\)|not here).*/\1 \2/; t; s/ .*//' | xargs; }
same() { [[ $(rbtool list --json) == "$(rbtool list --json --no-cache)" ]]; }

@test "a second list prints the same and does not change the cache" {
    rbtool list --json --no-cache >fresh
    [[ ! -e $CACHE ]]
    rbtool list --json | cmp - fresh
    cp -p $CACHE before
    rbtool list --json | cmp - fresh
    cmp $CACHE before
    [[ $(jq -r '.releases[].tag' fresh | xargs) == 'v1.2.0 v1.1.0 v1.0.0' ]]
    inode=$(stat -c %i $CACHE)
    rbtool list >/dev/null
    [[ $(stat -c %i $CACHE) == "$inode" ]]
    rbtool list --json | schema list
}

@test "list does not verify cached releases again" {
    rbtool list --json >before
    # Objects that are gone are not missed by a list that has no need of them.
    for object in $(git rev-parse v1.0.0 v1.1.0); do
        rm -f ".git/objects/${object:0:2}/${object:2}"
    done
    rbtool list --json | cmp - before
    rbtool list --no-cache | grep -q 'v1.0.0.*BAD (object)'
}

@test "list reflects a revoked key, a removed signer and an expired validity" {
    rbtool list >/dev/null
    ssh-keygen -q -kf revoked "$KEYS/alice.pub"
    mv revoked "$HOME/revoked"
    git config --global gpg.ssh.revocationFile "$HOME/revoked"
    [[ $(told) == *'BAD (revoked)'*'BAD (revoked)'*'BAD (revoked)'* ]]
    same
    git config --global --unset gpg.ssh.revocationFile
    [[ $(told) != *BAD* ]]
    sed -i '/^alice/d' "$KEYS/allowed"
    [[ $(told) == *'BAD (signer)'* ]]
    sed "s/ / valid-before=\"20200101\" /" <(echo "alice@example.com $(cut -d' ' -f1,2 "$KEYS/alice.pub")") \
        >>"$KEYS/allowed"
    [[ $(told) == *'BAD (expired)'* ]]
    same
}

@test "list reads a validity without a time zone in the host's zone, which may change" {
    when=$(git cat-file tag v1.1.0 | sed -n 's/^tagger .* \([0-9]*\) .*/\1/p')
    printf 'alice@example.com valid-before="%s" %s\n' "$(date -u -d "@$((when + 3600))" +%Y%m%d%H%M%S)" \
        "$(cut -d' ' -f1,2 "$KEYS/alice.pub")" >"$KEYS/allowed"
    [[ $(TZ=UTC0 told) != *BAD* ]]
    [[ $(TZ=EAST-12 told) == *'BAD (expired)'* ]]
    [[ $(TZ=UTC0 told) != *BAD* ]]
}

@test "list reflects added, deleted and moved tags" {
    rbtool list >/dev/null
    git commit -q --allow-empty -m next
    rbtool release -q v1.3.0 >/dev/null
    [[ $(told | cut -d' ' -f1) == v1.3.0 ]]
    same
    git tag -d v1.1.0 >/dev/null
    [[ $(told) == *'v1.1.0 not here'* && $(told) != *BAD* ]] # the ledger kept it
    same
    forget_ledger
    [[ $(told) == *'v1.2.0 BAD (unknown)'* ]]
    same
    git update-ref refs/tags/v1.1.0 "$(git rev-parse v1.0.0)"
    [[ $(told) == *'v1.1.0 BAD (name)'* ]]
    same
}

@test "list reflects another pinned application name" {
    rbtool list >/dev/null
    git config rbtool.app other
    [[ $(told) == *'BAD (app)'* ]]
    same
}

@test "list ignores a cache that is truncated, damaged, in another format or not a file" {
    rbtool list --json >before
    cp $CACHE good
    for damage in "truncate -s 100 $CACHE" "truncate -s -1 $CACHE" "truncate -s 0 $CACHE" \
        "printf x | dd of=$CACHE bs=1 seek=200 conv=notrunc status=none" \
        "sed -i '1s/releases 3/releases 1/' $CACHE" "head -c 5000 /dev/urandom >$CACHE" \
        "cat good >>$CACHE" "ln -sf /nonexistent/place $CACHE"; do
        rm -f $CACHE
        cp good $CACHE
        eval "$damage"
        rbtool list --json | cmp - before
        cmp $CACHE good
    done
    rm $CACHE
    mkdir $CACHE
    rbtool list --json | cmp - before
}

@test "list verifies OpenPGP signatures with the keyring each time" {
    export GNUPGHOME=$BATS_TEST_TMPDIR/gnupg
    mkdir -m 700 "$GNUPGHOME"
    gpg --batch --quiet --passphrase '' --quick-generate-key 'Alice <alice@example.com>' ed25519 2>/dev/null
    forget_ledger # it knows the release by its first signature
    git cat-file tag v1.2.0 | sed '/^-----BEGIN SSH SIGNATURE/,$d' >signed
    gpg --batch --quiet --armor --detach-sign -o signature signed 2>/dev/null
    git config rbtool.openpgpSigners "$(gpg --list-keys --with-colons | sed -n 's/^fpr:*\([0-9A-F]*\):/\1/p' | head -1)"
    git update-ref refs/tags/v1.2.0 "$(cat signed signature | git hash-object -t tag -w --stdin)"
    [[ $(told) != *BAD* ]]
    [[ $(told) != *BAD* ]]
    gpg --batch --quiet --yes --delete-secret-and-public-key \
        "$(gpg --list-keys --with-colons | sed -n 's/^fpr:*\([0-9A-F]*\):/\1/p' | head -1)" 2>/dev/null
    [[ $(told) == *'v1.2.0 BAD (signer)'* ]]
    gpgconf --kill all
}

@test "long results on a terminal go through git's pager, and JSON does not" {
    on_terminal() { script -qec "$1" /dev/null </dev/null | tr -d '\r'; }
    [[ $(on_terminal "env GIT_PAGER='sed s/^/paged:/' rbtool list") == *"paged:v1.0.0"* ]]
    [[ $(on_terminal "env GIT_PAGER='sed s/^/paged:/' rbtool log") == *"paged:"*"release  v1.0.0"* ]]
    [[ $(on_terminal "env GIT_PAGER='sed s/^/paged:/' rbtool list --json") == '{"releases":'* ]]
    [[ $(on_terminal "env GIT_PAGER=cat rbtool list") == *$'\n'"v1.0.0 "* ]]
    [[ $(GIT_PAGER='sed s/^/paged:/' rbtool list) != *paged* ]]
    on_terminal "env GIT_PAGER='head -n 1' rbtool list; echo ended with \$?" | grep -qx 'ended with 0'
}

@test "list in a clone without allowed signers reports why no release is verified" {
    git config --global --unset gpg.ssh.allowedSignersFile
    run --separate-stderr -0 rbtool list
    [[ $output == *'BAD ('* && $stderr == "no release is verified: git config gpg.ssh.allowedSignersFile is not set"* ]]
}
