#!/usr/bin/env bats
# init finds what a repository holds, and adds nothing else.

load lib

setup() {
    home
    keys
    shop
    git rm -q --cached rbtool.json
    mv rbtool.json ../kept.json
    git commit -qm 'no settings yet'
}

@test "init finds version, migrations, flags, config and checks" {
    run rbtool init
    [[ $status -eq 0 ]]
    schema config <rbtool.json
    diff <(jq -S 'del(.environments, .artifacts)' ../kept.json) <(jq -S . rbtool.json)
    [[ -z $(git config --local rbtool.app) ]] # the first release pins it: until then it may change
    git add rbtool.json
    git commit -qm settings
    rbtool release v1.0.0
    [[ $(git config --local rbtool.app) == shop ]]
    rbtool verify
}

@test "init overwrites nothing" {
    echo mine >rbtool.json
    fails 2 "is not overwritten" rbtool init
    [[ $(cat rbtool.json) == mine && -z $(git config --local rbtool.app) ]]
    rbtool init --dry-run 2>/dev/null | schema config
    [[ $(cat rbtool.json) == mine ]]
}

@test "init says what git's signing still needs" {
    git config --global --unset gpg.ssh.allowedSignersFile
    fails 0 "git config --global gpg.ssh.allowedSignersFile" rbtool init
}

@test "the name comes from the remote, in letters that a name may have" {
    git remote add origin 'git@example.com:team/the shop+.git'
    rbtool init
    [[ $(jq -r .app.name rbtool.json) == the-shop- ]]
}

@test "other layouts and version files" {
    git rm -qr VERSION migrations flags.json config checks
    mkdir -p db/migrations
    printf -- '-- migrate:up\nCREATE TABLE a (id INTEGER);\n-- migrate:down\nDROP TABLE a;\n' >db/migrations/20240101000000_a.sql
    echo '{"version": "3.2.1"}' >package.json
    git add -A
    git commit -qm other
    rbtool init
    [[ $(jq -c .databases rbtool.json) == '{"main":{"engine":"sqlite","migrations":"db/migrations"}}' ]]
    [[ $(jq -c .app.version rbtool.json) == '{"json":"package.json","key":"version"}' ]]
    [[ $(jq -c 'keys' rbtool.json) == '["app","databases"]' ]]
}

@test "--uninstall removes rbtool's settings and says so" {
    rbtool init
    git config rbtool.app shop
    fails 0 "removed the section rbtool" rbtool init --uninstall
    [[ -z $(git config --local rbtool.app) && -f rbtool.json ]]
    fails 0 "has no section rbtool" rbtool init --uninstall
}

@test "an empty and a bare repository" {
    git init -q "$BATS_TEST_TMPDIR/empty"
    rbtool -C "$BATS_TEST_TMPDIR/empty" init
    [[ $(jq -c . "$BATS_TEST_TMPDIR/empty/rbtool.json") == '{"app":{"name":"empty"}}' ]]
    git init -q --bare "$BATS_TEST_TMPDIR/bare.git"
    fails 0 "hooks of a server" rbtool -C "$BATS_TEST_TMPDIR/bare.git" init
    [[ -x $BATS_TEST_TMPDIR/bare.git/hooks/pre-receive && ! -e $BATS_TEST_TMPDIR/bare.git/rbtool.json ]]
}
