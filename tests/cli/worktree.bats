# What lies in a work tree of the repository in use can arrive in a commit: it is not this host's state.

setup() {
    load lib
    load transition
    host
}

# refused ROOT TOP: every command that needs the environment says why, and the others go on.
refused() {
    settings '.environments.prod.root = "'"$1"'"'
    for command in "deploy v1.1.0 --yes" status "status --env prod" "plan v1.0.0"; do
        # shellcheck disable=SC2086
        fails 2 "environment prod is refused: its root $(realpath -ms "$1") lies in the work tree $2," rbtool --config "$SETTINGS" $command
    done
    rbtool --config "$SETTINGS" list | grep v1.1.0
    rbtool --config "$SETTINGS" show v1.1.0
}

@test "a root in a work tree of the repository is refused under any path" {
    two_releases
    git worktree add -q "$BATS_TEST_TMPDIR/linked"
    echo ignored >.gitignore
    mkdir -p ignored deploy
    ln -s "$SHOP/deploy" "$BATS_TEST_TMPDIR/link"
    ln -s "$BATS_TEST_TMPDIR" out
    for root in "$SHOP" "$SHOP/deploy" "$SHOP/not/yet/there" "$SHOP/ignored/root" "$BATS_TEST_TMPDIR/link" \
        "$BATS_TEST_TMPDIR/x/../$(basename "$SHOP")/deploy" "$SHOP/out/prod"; do
        refused "$root" "$SHOP"
    done
    refused "$BATS_TEST_TMPDIR/linked/deploy" "$BATS_TEST_TMPDIR/linked"
    cd "$BATS_TEST_TMPDIR/linked"
    refused "$SHOP/deploy" "$SHOP"
    # A folder of another repository is not for commits of this one to fill.
    cd "$SHOP"
    git init -q "$BATS_TEST_TMPDIR/other"
    for root in "$BATS_TEST_TMPDIR/other/prod" "$PROD"; do
        settings '.environments.prod.root = "'"$root"'"'
        rbtool --config "$SETTINGS" status --env prod
    done
}

@test "a root, a signers file and an extension in a superproject or a submodule are refused" {
    two_releases
    git config --global protocol.file.allow always
    git init -q "$BATS_TEST_TMPDIR/super"
    cd "$BATS_TEST_TMPDIR/super"
    git submodule --quiet add "$SHOP" app
    git commit -qm 'the shop is a submodule'
    super=$PWD
    cd app
    refused "$super/deploy" "$super"
    refused "$super/app/deploy" "$super/app"
    cp "$KEYS/allowed" "$super/allowed"
    git config gpg.ssh.allowedSignersFile "$super/allowed"
    fails 2 "lies in the work tree $super," rbtool verify v1.0.0
    git config --unset gpg.ssh.allowedSignersFile
    touch "$super/library.so"
    rbtool sync
    git config rbtool.extension "$super/library.so"
    fails 2 "lies in the work tree $super," rbtool deploy v1.1.0 --yes
    git config --unset rbtool.extension
    # From the superproject, the submodule's work tree; and one that has its git folder inside it.
    cd "$SHOP"
    git clone -q "$SHOP" inside
    git -c advice.addEmbeddedRepo=false add inside && git commit -qm 'a submodule of its own'
    refused "$SHOP/inside/deploy" "$SHOP"
    cd inside
    git fetch -q --tags "$SHOP"
    refused "$SHOP/deploy" "$SHOP"
}

@test "a journal that a branch contains is not recorded, and other environments' journals are" {
    two_releases
    git init -q --bare "$BATS_TEST_TMPDIR/server.git"
    git remote add origin "$BATS_TEST_TMPDIR/server.git"
    mkdir -p deploy
    cp -r "$PROD/.rbtool" deploy/.rbtool
    sqlite3 deploy/.rbtool/state.db "DELETE FROM entry; UPDATE transition_log SET id = 'forged'"
    jq --arg prod "$PROD" '.environments.forged = {root: "deploy"}' rbtool.json >new.json && mv new.json rbtool.json
    git add -fA && git commit -qm 'docs: typo'
    sqlite3 "$PROD/.rbtool/state.db" 'DELETE FROM entry'
    run rbtool sync
    [ "$status" -eq 0 ]
    [[ $output == *"environment forged is refused: its root $SHOP/deploy lies in the work tree $SHOP,"* ]]
    [ "$(git log --format=%B refs/rbtool/ledger | grep -c '"environment": "forged"')" -eq 0 ]
    [ "$(git log --format=%B refs/rbtool/ledger | grep -c forged)" -eq 0 ]
    rbtool status --env prod
}
