#!/usr/bin/env bats
# Files that are delivered one by one are what a checkout has: Git LFS content, attributes, modes.

bats_require_minimum_version 1.5.0
load lib
load transition

setup() {
    host
}

# lfs PATH TEXT: the pointer in the work tree, the content in the LFS store.
lfs() {
    local oid
    oid=$(printf '%s' "$2" | sha256sum | cut -d' ' -f1)
    mkdir -p ".git/lfs/objects/${oid:0:2}/${oid:2:2}"
    printf '%s' "$2" >".git/lfs/objects/${oid:0:2}/${oid:2:2}/$oid"
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n' "$oid" "${#2}" >"$1"
    echo "$1 filter=lfs diff=lfs merge=lfs -text" >>.gitattributes
}

@test "config and flags under LFS are delivered with their content, by deploy, revert and reconstruct" {
    local flags
    release v1.0.0
    flags=$(sed 's/"defaultVariant": "old"/"defaultVariant": "new"/' flags.json)
    lfs config/app.toml 'workers = 8'
    lfs flags.json "$flags"
    release v1.1.0
    rbtool verify v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    [ "$(cat "$PROD/etc/app.toml")" = 'workers = 8' ]
    [ "$(cat "$PROD/etc/flags.json")" = "$flags" ]
    settled_at v1.1.0
    rbtool reconstruct v1.1.0 -o "$BATS_TEST_TMPDIR/bundle"
    [ "$(cat "$BATS_TEST_TMPDIR/bundle/config/config/app.toml")" = 'workers = 8' ]
    rbtool diff v1.0.0 v1.1.0 | grep -q checkout
    rbtool revert v1.1.0 --yes
    [ "$(cat "$PROD/etc/app.toml")" = 'workers = 2' ]
    settled_at v1.0.0
}

@test "release and deploy are refused before any change when LFS content is missing" {
    lfs config/app.toml 'workers = 8'
    mv .git/lfs away
    echo 1.0.0 >VERSION
    git add -A . ':!away'
    git commit -qm lfs
    fails 2 'config: cannot read the LFS content of config/app.toml' rbtool release v1.0.0
    [ -z "$(git tag)" ]
    mv away .git/lfs
    rbtool release v1.0.0
    mv .git/lfs away
    rbtool verify v1.0.0
    fails 2 'cannot read the LFS content of config/app.toml' rbtool deploy v1.0.0 --yes
    [ ! -e "$PROD/etc/flags.json" ] && [ ! -e "$PROD/data/shop.db" ] && [ ! -e "$PROD/current" ]
    mv away .git/lfs
    chmod u+w -R .git/lfs
    find .git/lfs -type f -exec sh -c 'printf workers=88888 >"$1"' _ {} \;
    fails 2 'is damaged' rbtool deploy v1.0.0 --yes
}

@test "release refuses and names attributes that a checkout would apply" {
    local attribute
    echo "v = \"\$Id\$\"" >config/app.toml
    git add -A
    git commit -qm id
    for attribute in filter=git-crypt filter=custom ident eol=crlf working-tree-encoding=UTF-16; do
        echo "config/* $attribute" >.gitattributes
        git add .gitattributes
        git commit -qm "$attribute"
        fails 1 "config: config/app.toml has the attribute $attribute in .gitattributes" \
            rbtool release v1.0.0
    done
    echo 'config/* ident -filter eol=lf text' >.gitattributes
    printf 'v = 1\n' >config/app.toml
    git add -A
    git commit -qm harmless
    release v1.0.0
}

@test "release refuses and names a migration under LFS" {
    lfs migrations/0001_orders.up.sql 'CREATE TABLE orders (id INTEGER PRIMARY KEY)'
    git add -A
    git commit -qm lfs
    fails 2 'migrations/0001_orders.up.sql: it is a Git LFS pointer' rbtool release v1.0.0
}

@test "a new config file gets mode 0600 or the configured mode, and an existing one keeps its mode" {
    release v1.0.0
    second
    rbtool release v1.1.0
    umask 0077
    rbtool deploy v1.0.0 --yes
    [ "$(stat -c %a "$PROD/etc/app.toml")" = 600 ]
    chmod 0604 "$PROD/etc/app.toml"
    rbtool deploy v1.1.0 --yes
    [ "$(stat -c %a "$PROD/etc/app.toml")" = 604 ]
    settings '.environments.prod.config["config/app.toml"] |= {path: ., mode: "0640"}'
    schema config <"$SETTINGS"
    rbtool --config "$SETTINGS" revert v1.1.0 --yes
    [ "$(stat -c %a "$PROD/etc/app.toml")" = 640 ]
    rm "$PROD/etc/app.toml"
    umask 0
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-reverted --accept-drift
    [ "$(stat -c %a "$PROD/etc/app.toml")" = 640 ]
}
