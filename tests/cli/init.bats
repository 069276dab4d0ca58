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

@test "init detects version, migrations, flags, config and checks" {
    run rbtool init
    [[ $status -eq 0 ]]
    schema config <rbtool.json
    diff <(jq -S 'del(.environments, .artifacts)' ../kept.json) <(jq -S 'del(.environments, .artifacts)' rbtool.json)
    [[ -z $(git config --local rbtool.app) ]] # the first release pins it: until then it may change
    git add rbtool.json
    git commit -qm settings
    rbtool release v1.0.0
    [[ $(git config --local rbtool.app) == shop ]]
    rbtool verify
}

@test "the settings that init proposes can be released and deployed unchanged" {
    rbtool init
    jq -e '.artifacts == [{name: "app", paths: ["VERSION", "src"]}]' rbtool.json
    jq -e '.environments.local.root == "../shop-local"' rbtool.json
    git add rbtool.json
    git commit -qm settings
    rbtool release v1.0.0
    rbtool deploy v1.0.0 --yes
    [[ -x ../shop-local/current/app/src/shop && ! -e ../shop-local/current/app/migrations ]]
    cmp config/app.toml ../shop-local/etc/config/app.toml
    cmp flags.json ../shop-local/etc/flags.json
    [[ $(sqlite3 ../shop-local/data/main.db "SELECT count(*) FROM sqlite_schema WHERE name = 'orders'") == 1 ]]
    rbtool status --exit-code
}

@test "init --detect shows what rbtool.json does not contain, and changes nothing" {
    rbtool init
    git add rbtool.json
    git commit -qm settings
    run -0 --separate-stderr rbtool init --detect
    [[ $output == *"says all that init finds" ]]
    jq 'del(.artifacts) | .artifacts = [{name: "mine", paths: ["src"]}]' rbtool.json >x && mv x rbtool.json
    git rm -q VERSION
    echo 'a: 1' >config/more.yaml
    echo '{"version": "2"}' >package.json
    git add -A
    git commit -qm more
    before=$(sha256sum rbtool.json)
    run -0 --separate-stderr rbtool init --detect
    [[ ${#lines[@]} -eq 3 ]]
    [[ $output == *'+ app.version.json: "package.json"'* && $output == *'+ app.version.key: "version"'* ]]
    [[ $output == *'~ config: ["config/*.toml","config/*.yaml"] (rbtool.json has ["config/*.toml"])'* ]]
    [[ $(sha256sum rbtool.json) == "$before" ]]
}

@test "init does not deliver a submodule, whose files no artifact has" {
    git clone -q . ../lib
    git -c protocol.file.allow=always submodule --quiet add ../lib vendor
    git rm -q -r src VERSION
    git commit -qm 'the code is elsewhere'
    rbtool init
    jq -e '.artifacts == null' rbtool.json
}

@test "init does not overwrite files" {
    echo mine >rbtool.json
    fails 2 "is not overwritten" rbtool init
    [[ $(cat rbtool.json) == mine && -z $(git config --local rbtool.app) ]]
    rbtool init --dry-run 2>/dev/null | schema config
    [[ $(cat rbtool.json) == mine ]]
}

@test "the commands that init prints set up whatever part of signing is missing" {
    for missing in 'user.signingKey gpg.format gpg.ssh.allowedSignersFile' gpg.format gpg.ssh.allowedSignersFile user.signingKey; do
        rm -rf ~/.ssh ~/.config/git
        for name in $missing; do git config --global --unset "$name"; done
        run -0 --separate-stderr rbtool init
        [[ $stderr == *"cannot be signed and verified here yet"* ]]
        # A key without a passphrase, since nobody can type one here.
        sed -n 's/^    //p' <<<"$stderr" | sed "s/^ssh-keygen/ssh-keygen -q -N ''/" >setup.sh
        bash -eu setup.sh
        run -0 --separate-stderr rbtool init
        [[ $stderr == *"releases are signed here as "*"with the key SHA256:"* ]]
        git add rbtool.json
        git diff --cached --quiet || git commit -qm settings
        RBTOOL=0 git tag -d v1.0.0 2>/dev/null || true
        forget_ledger
        rbtool release v1.0.0
        git verify-tag v1.0.0
    done
}

@test "init takes the application's name from the project's own files, else from its folder" {
    git remote add origin ../remote.git
    while IFS='|' read -r file text name; do
        rm -f rbtool.json
        printf "$text" >"$file"
        git add -A && git commit -qm "$file"
        fails 0 "app.name: $name (from $file)" rbtool init
        [ "$(jq -r .app.name rbtool.json)" = "$name" ]
        git rm -qf "$file" rbtool.json 2>/dev/null || git rm -qf "$file"
        git commit -qm "no $file"
    done <<'FILES'
package.json|{"name": "@team/web shop", "version": "1.0.0"}|web-shop
composer.json|{"name": "team/php-shop"}|php-shop
Cargo.toml|[workspace]\nname = "no"\n\n[package]\nname = "rust-shop" # ours\n|rust-shop
pyproject.toml|[build-system]\nrequires = []\n[project]\nnamespace = "no"\nname = 'py_shop'\n|py_shop
go.mod|// comment\nmodule example.com/team/go-shop/v2\n\ngo 1.22\n|go-shop
FILES
    rm -f rbtool.json
    fails 0 "app.name: shop (from the folder's name)" rbtool init
    [ "$(jq -r .app.name rbtool.json)" = shop ]
}

@test "init makes a name of the folder with the characters that a name may have" {
    mv "$SHOP" "$BATS_TEST_TMPDIR/the shop+"
    cd "$BATS_TEST_TMPDIR/the shop+"
    rbtool init
    [[ $(jq -r .app.name rbtool.json) == the-shop- ]]
}

@test "init detects other layouts and version files" {
    git rm -qr VERSION migrations flags.json config checks
    mkdir -p db/migrations
    printf -- '-- migrate:up\nCREATE TABLE a (id INTEGER);\n-- migrate:down\nDROP TABLE a;\n' >db/migrations/20240101000000_a.sql
    echo '{"version": "3.2.1"}' >package.json
    git add -A
    git commit -qm other
    rbtool init
    [[ $(jq -c .databases rbtool.json) == '{"main":{"engine":"sqlite","migrations":"db/migrations"}}' ]]
    [[ $(jq -c .app.version rbtool.json) == '{"json":"package.json","key":"version"}' ]]
    [[ $(jq -c 'keys' rbtool.json) == '["app","artifacts","databases","environments"]' ]]
}

@test "init detects the engine from the scripts without comments and strings" {
    engine_of() { # UP
        printf '%s\n' "$1" >migrations/0001_orders.up.sql
        git add -A
        git -c core.hooksPath=/dev/null commit -qm "$1"
        rm -f rbtool.json
        rbtool init >said 2>&1

        jq -r '.databases.main.engine // "none"' rbtool.json
    }
    [ "$(engine_of "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT DEFAULT 'serial JSONB'); -- no bytea")" = sqlite ]
    [ "$(engine_of 'CREATE TABLE orders (id SERIAL PRIMARY KEY, data JSONB);')" = postgresql ]
    [ "$(engine_of "INSERT INTO orders SELECT now()::date;")" = postgresql ]
    [ "$(engine_of 'CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB;')" = none ]
    grep -q 'migrations: 1 migration left out: they are written for MySQL' said
    [ "$(engine_of 'CREATE TABLE orders OF NOTHING;')" = none ]
    grep -q 'do not run in an empty SQLite database: .*near "OF"' said
}

@test "init proposes a PostgreSQL database for a first deploy, and says how to create it" {
    echo 'CREATE TABLE orders (id SERIAL PRIMARY KEY, data JSONB);' >migrations/0001_orders.up.sql
    git add -A
    git -c core.hooksPath=/dev/null commit -qm serial
    rbtool init >said 2>&1
    jq -e '.environments.local.databases == {main: "postgresql:///shop_local"}' rbtool.json
    grep -qF 'create it with `createdb shop_local`' said
}

@test "init reports migrations that no release would contain" {
    mkdir -p tern db/migrate
    printf 'CREATE TABLE a (id INTEGER);\n---- create above / drop below ----\nDROP TABLE a;\n' >tern/001_a.sql
    printf 'class A < ActiveRecord::Migration[7.0]\nend\n' >db/migrate/20240101000000_a.rb
    echo 'CREATE TABLE b (id INTEGER);' >migrations/0002_b.UP.SQL
    git add -A
    git commit -qm 'other tools'
    run -0 rbtool init --dry-run
    [[ $output == *"tern: looks like migrations of tern, which rbtool does not read"* ]]
    [[ $output == *"db/migrate: looks like migrations of Rails, which rbtool does not read"* ]]
    [[ $output == *"not read: migrations/0002_b.UP.SQL: "* ]]
}

@test "init --uninstall removes rbtool's git settings and reports it" {
    rbtool init
    git config rbtool.app shop
    fails 0 "removed the section rbtool" rbtool init --uninstall
    [[ -z $(git config --local rbtool.app) && -f rbtool.json ]]
    fails 0 "has no section rbtool" rbtool init --uninstall
}

@test "init in a repository without a commit writes nothing and prints a hint" {
    git init -q "$BATS_TEST_TMPDIR/empty"
    fails 2 "commit the project, then run \`rbtool -C $BATS_TEST_TMPDIR/empty init\` again" rbtool -C "$BATS_TEST_TMPDIR/empty" init
    [[ ! -e $BATS_TEST_TMPDIR/empty/rbtool.json && ! -e $BATS_TEST_TMPDIR/empty/.git/hooks/pre-push ]]
}

@test "init in a bare repository installs the hooks of a server" {
    git init -q --bare "$BATS_TEST_TMPDIR/bare.git"
    fails 0 "hooks of a server" rbtool -C "$BATS_TEST_TMPDIR/bare.git" init
    [[ -x $BATS_TEST_TMPDIR/bare.git/hooks/pre-receive && ! -e $BATS_TEST_TMPDIR/bare.git/rbtool.json ]]
}
