# A release as files: complete, verified, and there at once or not at all.
bats_require_minimum_version 1.5.0
load lib

setup() {
    home
    keys
    shop
    release v1.0.0 2>/dev/null
}

# Makes the tag again, signed by the same key, with one word of its manifest changed.
resign() { # FROM TO
    git cat-file tag v1.0.0 | sed -e '1,/^$/d' -e '/BEGIN SSH SIGNATURE/,$d' -e "s/$1/$2/" >"$BATS_TEST_TMPDIR/message"
    git tag -d v1.0.0 >/dev/null
    git tag -s --cleanup=verbatim -F "$BATS_TEST_TMPDIR/message" v1.0.0
    git verify-tag v1.0.0
}

# No staging folder beside it either.
nothing_at() {
    [ ! -e "$1" ] && [ -z "$(find "$(dirname "$1")" -maxdepth 1 -name "$(basename "$1").*")" ]
}

@test "reconstruct writes every part with the bytes of the commit, whatever the work tree contains" {
    git rm -rqf src config migrations && git commit -qm gone
    run -0 --separate-stderr rbtool reconstruct v1.0.0 -o out
    [[ $output == *"artifacts/app"*"3 files"* ]]
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == *"v1.0.0 is rebuilt and verified"* ]]
    for f in src/shop src/index.html; do git cat-file blob "v1.0.0:$f" | cmp - "out/artifacts/app/$f"; done
    [ "$(readlink out/artifacts/app/src/home.html)" = index.html ]
    [ -x out/artifacts/app/src/shop ] && [ ! -x out/artifacts/app/src/index.html ]
    for f in migrations/0001_orders.up.sql migrations/0001_orders.down.sql; do
        git cat-file blob "v1.0.0:$f" | cmp - "out/migrations/main/$f"
    done
    git cat-file blob v1.0.0:flags.json | cmp - out/flags/flags.json
    git cat-file blob v1.0.0:config/app.toml | cmp - out/config/config/app.toml
    git cat-file blob v1.0.0:checks/totals.sql | cmp - out/checks/checks/totals.sql
    git cat-file tag v1.0.0 | sed -n '/BEGIN RELEASE MANIFEST/,/END RELEASE MANIFEST/p' | sed '1d;$d' |
        cmp - out/manifest.json
    [ "$(find out -type f -o -type l | wc -l)" -eq 9 ]
    [ -z "$(find . -maxdepth 1 -name 'out.*')" ]
}

@test "reconstruct --json names what was written" {
    rbtool reconstruct v1.0.0 -o out --json >doc.json
    schema reconstruct <doc.json
    jq -e '.tag == "v1.0.0" and (.artifacts | length) == 1' doc.json
    [ "$(jq -r '.artifacts[0].digest' doc.json)" = "$(jq -r '.subject[0].digest.sha256' out/manifest.json)" ]
    [ "$(jq -r '.artifacts[0].files' doc.json)" -eq 3 ]
    (cd out && jq -r '.files[], .artifacts[].path' ../doc.json | xargs ls -d)
    [ "$(cd out && find . -path ./artifacts -prune -o -type f -print | sed 's,^\./,,' | LC_ALL=C sort)" = \
        "$(jq -r '.files[]' doc.json)" ]
}

@test "the tree id is the one that git computes" {
    rbtool reconstruct v1.0.0 -o out --json >doc.json
    git init -q --object-format=sha256 check
    cp -a out/artifacts/app/. check/
    git -C check add -A
    [ "$(git -C check write-tree)" = "$(jq -r '.artifacts[0].tree' doc.json)" ]
}

@test "reconstruct writes archives, several artifacts and several databases" {
    mkdir -p other/migrations/20240101000000_a
    echo 'CREATE TABLE a (id INTEGER);' >other/migrations/20240101000000_a/up.sql
    echo 'DROP TABLE a;' >other/migrations/20240101000000_a/down.sql
    jq '.artifacts = [{"name":"tar","paths":["src"],"format":"tar"},{"name":"gz","paths":["src"],"format":"tar.gz"},
        {"name":"zst","paths":["config"],"format":"tar.zst"},{"name":"zip","paths":["src","config"],"format":"zip"},{"name":"all","paths":["src","config","other","VERSION"]},{"name":"whole","format":"tar"}]
        | .databases.other = {"engine":"sqlite","migrations":"other/migrations"}' rbtool.json >x && mv x rbtool.json
    release v1.1.0 2>/dev/null
    rbtool reconstruct v1.1.0 -o out
    [ "$(cd out/artifacts && echo *)" = "all gz.tar.gz tar.tar whole.tar zip.zip zst.tar.zst" ]
    # The digest in the manifest is of the tar inside, whatever is around it.
    digest() { jq -r --arg n "shop/$1" '.subject[] | select(.name == $n) | .digest.sha256' out/manifest.json; }
    [ "$(sha256sum <out/artifacts/tar.tar | cut -c1-64)" = "$(digest tar)" ]
    [ "$(gzip -dc out/artifacts/gz.tar.gz | sha256sum | cut -c1-64)" = "$(digest gz)" ]
    mkdir x y && tar -xf out/artifacts/tar.tar -C x && bsdtar -xf out/artifacts/zip.zip -C y
    git diff --no-index --quiet x/src src && git diff --no-index --quiet y/config config
    git ls-tree -r --name-only v1.1.0 src config other VERSION | LC_ALL=C sort >files
    (cd out/artifacts/all && find . ! -type d | sed 's,^\./,,' | LC_ALL=C sort) | diff files -
    git ls-tree -r --name-only v1.1.0 | LC_ALL=C sort >files
    tar -tf out/artifacts/whole.tar | diff files -
    [ -f out/migrations/other/other/migrations/20240101000000_a/down.sql ]
    [ -f out/migrations/main/migrations/0001_orders.up.sql ]
}

@test "reconstruct creates DIR and its parents or uses an empty one, and refuses a non-empty one" {
    mkdir empty full && echo mine >full/file
    rbtool reconstruct v1.0.0 -o empty
    rbtool reconstruct v1.0.0 -o not/yet/there/
    [ -f empty/manifest.json ] && [ -f not/yet/there/manifest.json ]
    fails 2 "full is not empty" rbtool reconstruct v1.0.0 -o full
    fails 2 "is not empty" rbtool reconstruct v1.0.0 -o empty
    [ "$(ls full)" = file ]
    fails 2 "-o DIR" rbtool reconstruct v1.0.0
    cd / && rbtool -C "$SHOP" reconstruct v1.0.0 -o beside
    [ -f "$SHOP/beside/manifest.json" ]
}

@test "reconstruct reports both values if the manifest differs, and leaves nothing behind" {
    good=$(git cat-file tag v1.0.0 | jq -Rrs 'split("\n") | map(select(test("\"tree\": \"[0-9a-f]{64}\"")))[0]' | grep -oE '[0-9a-f]{64}')
    bad=$(printf '%064d' 7)
    resign "$good" "$bad"
    fails 1 "$bad" rbtool reconstruct v1.0.0 -o out
    [[ $output == *"$good"* && $output == *app* ]]
    nothing_at out
}

@test "reconstruct exits 1 if a digest, migration or config file differs, and leaves nothing behind" {
    git tag keep v1.0.0^{}
    for file in "" migrations/0001_orders.down.sql config/app.toml flags.json; do
        if [[ -z $file ]]; then
            good=$(git cat-file tag v1.0.0 | grep -A2 '"digest"' | grep -oE '[0-9a-f]{64}' | head -1)
        else
            good=$(git cat-file blob "keep:$file" | sha256sum | cut -c1-64)
        fi
        resign "$good" "$(printf '%064d' 7)"
        fails 1 "0000000000000007" rbtool reconstruct v1.0.0 -o out
        [[ $output == *"${good:0:20}"* ]]
        nothing_at out
        git tag -d v1.0.0 >/dev/null
        release v1.0.0 2>/dev/null
    done
}

@test "reconstruct refuses an unsigned, a foreign and a missing tag" {
    fails 2 "v9" rbtool reconstruct v9.0.0 -o out
    git config user.signingKey "$KEYS/mallory"
    git cat-file tag v1.0.0 | sed -e '1,/^$/d' -e '/BEGIN SSH SIGNATURE/,$d' >../message
    git tag -d v1.0.0 >/dev/null
    git tag -s --cleanup=verbatim -F ../message v1.0.0
    fails 1 "v1.0.0" rbtool reconstruct v1.0.0 -o out
    nothing_at out
}

@test "reconstruct names a missing object and what to fetch, and leaves nothing behind" {
    object=$(git rev-parse v1.0.0:src/index.html)
    rm -f ".git/objects/${object:0:2}/${object:2}"
    fails 2 "src/index.html" rbtool reconstruct v1.0.0 -o out
    [[ $output == *"$object"* && $output == *"git fetch"* ]]
    nothing_at out
}

@test "reconstruct names a corrupt object and leaves nothing behind" {
    object=$(git rev-parse v1.0.0:src/index.html)
    other=$(echo '<h1>shoq</h1>' | git hash-object -w --stdin)
    cp -f ".git/objects/${other:0:2}/${other:2}" ".git/objects/${object:0:2}/${object:2}"
    fails 2 "src/index.html" rbtool reconstruct v1.0.0 -o out
    [[ $output == *corrupt* ]]
    nothing_at out
}

@test "reconstruct works in a shallow clone of the tag and in a bare one" {
    git clone -q --depth 1 --branch v1.0.0 "file://$SHOP" ../shallow
    git clone -q --bare "$SHOP" ../bare.git
    for clone in ../shallow ../bare.git; do
        rm -rf out
        rbtool -C "$clone" reconstruct v1.0.0 -o "$SHOP/out"
        [ -x out/artifacts/app/src/shop ]
    done
}

@test "reconstruct works in a linked work tree and with GIT_DIR" {
    git worktree add -q ../linked
    rbtool -C ../linked reconstruct v1.0.0 -o "$SHOP/one"
    (cd / && GIT_DIR=$SHOP/.git GIT_WORK_TREE=$SHOP rbtool reconstruct v1.0.0 -o "$SHOP/two")
    diff -r --no-dereference one two
}
