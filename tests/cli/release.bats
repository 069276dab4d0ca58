#!/usr/bin/env bats
# Making releases, listing and showing them.

load lib

setup() {
    home
    keys
    shop
}

@test "the tag has the documented layout" {
    rbtool release v1.0.0
    second
    rbtool release v1.1.0 -m 'Discounts for everyone'
    git cat-file tag v1.1.0 >tag
    [[ $(sed -n 1,3p tag) == "object $(git rev-parse HEAD)"$'\ntype commit\ntag v1.1.0' ]]
    [[ $(sed -n 4p tag) == "tagger Alice <alice@example.com> "* ]]
    diff - <(sed -n '5,15p' tag) <<'TEXT'

shop 1.1.0

Discounts for everyone

Previous: v1.0.0
Artifacts: 1 (3 files, 46 bytes)
Migrations: main 2 (1 new, reversible)
Flags: 2 (1 changed)
Config: 1 file (1 changed)

TEXT
    [[ $(sed -n 16p tag) == '-----BEGIN RELEASE MANIFEST-----' ]]
    grep -A1 '^-----END RELEASE MANIFEST-----$' tag | tail -1 | grep -qx -- '-----BEGIN SSH SIGNATURE-----'
    [[ $(tail -1 tag) == '-----END SSH SIGNATURE-----' ]]
}

@test "the manifest describes the content of the commit" {
    rbtool release v1.0.0
    manifest v1.0.0 >m.json
    schema manifest <m.json
    cmp m.json <(rbtool show --json v1.0.0)
    cmp m.json <(jq -S --indent 2 . m.json)
    [[ $(jq -r '.predicate.source.commit' m.json) == $(git rev-parse HEAD) ]]
    [[ $(jq -r '.predicate.source.tree' m.json) == $(git rev-parse 'HEAD^{tree}') ]]
    [[ $(jq -r '.predicate.config[0].sha256' m.json) == $(sha256sum <config/app.toml | cut -d' ' -f1) ]]
    [[ $(jq -r '.predicate.flags.sha256' m.json) == $(sha256sum <flags.json | cut -d' ' -f1) ]]
    [[ $(jq -r '.predicate.databases[0].migrations[0].up' m.json) == \
        $(sha256sum <migrations/0001_orders.up.sql | cut -d' ' -f1) ]]
    [[ $(jq -c '.predicate.flags.values' m.json) == \
        '[{"default":"old","name":"checkout","state":"ENABLED"},{"default":"off","name":"search","state":"DISABLED"}]' ]]
    [[ $(jq -r '.predicate.previous' m.json) == null ]]
    [[ $(jq -r '.predicate.artifacts[0].files' m.json) == 3 ]]
}

@test "the manifest's tree is what git write-tree prints in a SHA-256 repository" {
    rbtool release v1.0.0
    git init -q --object-format=sha256 "$BATS_TEST_TMPDIR/sha256"
    cp -a src "$BATS_TEST_TMPDIR/sha256/"
    git -C "$BATS_TEST_TMPDIR/sha256" add -A
    [[ $(manifest v1.0.0 | jq -r '.predicate.artifacts[0].tree') == \
        $(git -C "$BATS_TEST_TMPDIR/sha256" write-tree) ]]
}

@test "release writes the same bytes for the same inputs" {
    rbtool release v1.0.0
    second
    rbtool release v1.1.0 --dry-run --json >one
    sleep 1
    git clone -q "$SHOP" "$BATS_TEST_TMPDIR/elsewhere"
    cd "$BATS_TEST_TMPDIR/elsewhere"
    TZ=Asia/Tokyo git -c user.name=Bob -c user.email=bob@example.com status >/dev/null
    GIT_COMMITTER_NAME=Bob GIT_COMMITTER_EMAIL=bob@example.com rbtool release v1.1.0 --dry-run --json >two
    cmp "$SHOP/one" two
}

@test "release --dry-run changes nothing and prints the tag's text, and in a pipe the manifest too" {
    rbtool release --dry-run v1.0.0 2>said | schema manifest
    grep -qx '  shop 1.0.0' said
    script -qec 'rbtool release --dry-run v1.0.0' /dev/null </dev/null >shown
    run ! grep -q predicate shown
    grep -q '  shop 1.0.0' shown
    rm shown
    grep -qx '  Migrations: main 1 (1 new, reversible)' said
    run ! grep -q BEGIN said
    rm said
    [[ -z $(git tag) && -z $(git config --local rbtool.app) ]]
    rbtool release --dry-run --json v1.0.0 | tee doc | schema release
    jq .manifest doc | schema manifest
}

@test "release --json prints a document that fits the schema, in canonical form" {
    rbtool release --json v1.0.0 >d.json
    schema release <d.json
    [[ $(canonical <d.json) == "$(cat d.json)" ]]
    [[ $(jq -r .object d.json) == $(git rev-parse v1.0.0) ]]
    rbtool list --json | schema list
    [[ $(git config --local rbtool.app) == shop ]]
}

@test "release refuses a tag that does not match the version file" {
    fails 1 "tag v1.4.0 says version 1.4.0, but VERSION says 1.0.0" rbtool release v1.4.0
    [[ -z $(git tag) ]]
    jq '.app.version = {"json": "package.json", "key": "a.b"}' rbtool.json >x && mv x rbtool.json
    echo '{"a": {"b": "2.0.0"}}' >package.json
    git add -A
    git commit -qm json
    fails 1 "tag v1.0.0 says version 1.0.0, but package.json says 2.0.0" rbtool release v1.0.0
    rbtool release v2.0.0
    [[ $(manifest v2.0.0 | jq -r .predicate.app.version) == 2.0.0 ]]
}

@test "release refuses a name that exists or does not match the pattern" {
    rbtool release v1.0.0
    fails 1 "tag v1.0.0 is there already" rbtool release v1.0.0
    fails 2 'does not match "tags": "v*"' rbtool release r1.0.0
    fails 2 "nonsense" rbtool release v0.1.0 nonsense
}

@test "release reads the settings from the commit or from --config" {
    git rm -q rbtool.json
    git commit -qm 'no settings'
    fails 2 "has no rbtool.json" rbtool release v1.0.0
    echo '{"app": {"name": "shop"}, "tags": "*"}' >"$BATS_TEST_TMPDIR/other.json"
    rbtool --config "$BATS_TEST_TMPDIR/other.json" release 7.1
    [[ $(manifest 7.1 | jq -c '[.predicate.app.version, .predicate.artifacts[0].name]') == '["7.1","source"]' ]]
    echo '{"app": {"name": "shop"}, "artefacts": []}' >"$BATS_TEST_TMPDIR/other.json"
    fails 2 'the nearest is "artifacts"' rbtool --config "$BATS_TEST_TMPDIR/other.json" release v1.0.0
    run rbtool --config "$BATS_TEST_TMPDIR/other.json" release v1.0.0 --json
    schema error <<<"${lines[0]}" || schema error <<<"${lines[1]}"
}

@test "release refuses a message that contains a manifest line or control characters" {
    fails 2 "a line that begins with -----" rbtool release v1.0.0 -m $'x\n-----BEGIN RELEASE MANIFEST-----'
    fails 2 "control characters" rbtool release v1.0.0 -m $'\e[31mred'
    rbtool release v1.0.0 -m $'One.\n\nTwo.\n\n\n'
    message v1.0.0 | sed -n 3,6p | diff - <(printf 'One.\n\nTwo.\n\n')
}

@test "release refuses a key that is not an allowed signer" {
    fails 1 "so it is not created" rbtool release v1.0.0 --key "$KEYS/mallory"
    [[ -z $(git tag) ]]
    rbtool release v1.0.0 --key "$KEYS/bob"
    [[ $(rbtool list --json | jq -r '.releases[].signer') == bob@example.com ]]
}

@test "release refuses a pattern or path that matches nothing" {
    jq '.config = ["conf/*.toml"]' rbtool.json >x && mv x rbtool.json
    git commit -qam x
    fails 1 '"conf/*.toml" matches no file' rbtool release v1.0.0
    jq '.config = [] | .artifacts[0].paths = ["srx"]' rbtool.json >x && mv x rbtool.json
    git commit -qam x
    fails 1 'srx' rbtool release v1.0.0
    jq '.artifacts[0].paths = ["src"] | .flags.file = "VERSION"' rbtool.json >x && mv x rbtool.json
    git commit -qam x
    fails 1 'flags' rbtool release v1.0.0
    jq '.flags.file = "flags.json" | .config = ["src/*.html"]' rbtool.json >x && mv x rbtool.json
    git commit -qam x
    fails 1 'src/home.html is not a regular file' rbtool release v1.0.0
    [[ -z $(git tag) ]]
}

@test "release puts Rollback trailers into the notes, oldest first" {
    rbtool release v1.0.0
    git commit -q --allow-empty -m $'one\n\nRollback: lossy drops\n  the notes\nSigned-off-by: x'
    git commit -q --allow-empty -m $'two\n\nRollback: not a trailer here\n\nbody'
    git commit -q --allow-empty -m $'three\n\nrollback: reversible'
    release v1.1.0
    [[ $(manifest v1.1.0 | jq -c .predicate.rollback.notes) == '["lossy drops the notes","reversible"]' ]]
}

@test "release refuses a migration without a down until it is accepted" {
    rbtool release v1.0.0
    echo 'CREATE TABLE notes (id INTEGER PRIMARY KEY);' >migrations/0002_notes.up.sql
    echo 1.1.0 >VERSION
    git add -A
    git commit -qm notes
    fails 1 "RB001" rbtool release v1.1.0
    [[ $output == *"--accept RB001"* && $output == *"0002_notes.up.sql"* ]]
    run rbtool release v1.1.0 --json
    [[ $status -eq 1 ]]
    grep '^{' <<<"$output" | schema error
    [[ $(git tag) == v1.0.0 ]]
    fails 2 "the rule does not exist" rbtool release v1.1.0 --accept RB0001
    rbtool release v1.1.0 --accept RB001
    [[ $(manifest v1.1.0 | jq -r .predicate.rollback.class) == irreversible ]]
    [[ $(manifest v1.1.0 | jq -r '.predicate.databases[0].migrations[1].down') == null ]]
}

@test "release refuses and shows a down that does not restore, and records it when accepted" {
    rbtool release v1.0.0
    second
    echo 'SELECT 1;' >migrations/0002_discount.down.sql
    git commit -qam 'forgot to drop'
    fails 1 "RB002" rbtool release v1.1.0
    [[ $output == *discount* && $output == *"--accept"* ]]
    rbtool release v1.1.0 --accept RB001,RB002
    [[ $(manifest v1.1.0 | jq -r '.predicate.databases[0].proof.migrations[0].restores') == differs ]]
    [[ $(manifest v1.1.0 | jq -r .predicate.rollback.class) != reversible ]]
    rbtool verify --all
}

@test "release refuses an up that destroys data until it is accepted, and classes it as lossy" {
    rbtool release v1.0.0
    echo 'DROP TABLE orders;' >migrations/0002_gone.up.sql
    echo 'CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);' >migrations/0002_gone.down.sql
    echo 1.1.0 >VERSION
    rm checks/*; jq 'del(.checks)' rbtool.json >x && mv x rbtool.json
    git add -A
    git commit -qm gone
    fails 1 "RB003" rbtool release v1.1.0
    rbtool release v1.1.0 --accept RB002,RB003
    [[ $(manifest v1.1.0 | jq -r .predicate.rollback.class) == lossy ]]
}

@test "RB003 advises to copy first what an UPDATE overwrites" {
    rbtool release v1.0.0
    echo "UPDATE orders SET total = 7;" >migrations/0002_seven.up.sql
    echo 'SELECT 1;' >migrations/0002_seven.down.sql
    fails 1 "copy the old values into another column first, and take them from there in the down" release v1.1.0
    [[ $output != *"rename it"* ]]
}

@test "an up that declares data loss is lossy, whatever rows the proof had" {
    rbtool release v1.0.0
    echo 'DELETE FROM orders WHERE id = 987;' >migrations/0002_some.up.sql
    echo 'SELECT 1;' >migrations/0002_some.down.sql
    fails 1 "RB003" release v1.1.0
    rbtool release v1.1.0 --accept RB003
    [[ $(manifest v1.1.0 | jq -c '[.predicate.rollback.class, .predicate.databases[0].proof.migrations[0].destroys]') == \
        '["lossy",[{"column":null,"table":"orders"}]]' ]]
    rbtool verify v1.1.0
}

@test "release refuses an up that leaves a row without its parent, and creates no tag" {
    rbtool release v1.0.0
    echo 'CREATE TABLE items (id INTEGER PRIMARY KEY, of INTEGER REFERENCES orders (id));
        INSERT INTO items VALUES (1, 9);' >migrations/0002_items.up.sql
    echo 'DROP TABLE items;' >migrations/0002_items.down.sql
    fails 1 "1 row whose foreign key finds no parent: items -> orders" release v1.1.0
    [ -z "$(git tag --list v1.1.0)" ]
}

@test "release notes a foreign key to columns that are not unique, and checks other references" {
    echo 'CREATE TABLE p (id INTEGER PRIMARY KEY, h TEXT); CREATE TABLE c (h TEXT REFERENCES p (h), p REFERENCES p);
        INSERT INTO p VALUES (1, "a"); INSERT INTO c VALUES ("no parent", 1);' >migrations/0002_pc.up.sql
    echo 'DROP TABLE c; DROP TABLE p;' >migrations/0002_pc.down.sql
    git add -A
    git commit -qm references
    rbtool release v1.0.0 >out 2>&1
    grep 'note: migrations/0002_pc.up.sql: migration 2: the foreign key c -> p refers to columns that are not unique' out
    rbtool deploy v1.0.0 --yes
    sqlite3 "$PROD/data/shop.db" 'INSERT INTO c VALUES (NULL, 7)'
    echo 1.1.0 >VERSION
    echo 'INSERT INTO c VALUES (NULL, 8);' >migrations/0003_bad.up.sql
    echo 'DELETE FROM c WHERE p = 8;' >migrations/0003_bad.down.sql
    git add -A
    git commit -qm bad
    fails 1 'c -> p' rbtool release v1.1.0
    git rm -q migrations/0003*
    echo 'CREATE TABLE d (x);' >migrations/0003_d.up.sql
    echo 'DROP TABLE d;' >migrations/0003_d.down.sql
    git add -A
    git commit -qm good
    rbtool release v1.1.0 >out 2>&1
    run grep note: out
    [[ $status == 1 ]]
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
}

@test "full-text tables that a migration creates and fills are released, deployed and reverted" {
    echo "CREATE TABLE a (id INTEGER PRIMARY KEY, body TEXT, other REFERENCES a);
        CREATE VIRTUAL TABLE f USING fts5(body, content='a', content_rowid='id'); INSERT INTO f(f) VALUES('rebuild');
        CREATE VIRTUAL TABLE g USING fts4(body); INSERT INTO g(body) VALUES('help');" >migrations/0002_f.up.sql
    echo 'DROP TABLE g; DROP TABLE f; DROP TABLE a;' >migrations/0002_f.down.sql
    git add -A
    git commit -qm full-text
    rbtool release v1.0.0
    rbtool deploy v1.0.0 --yes
    # a reference that is broken already
    sqlite3 "$PROD/data/shop.db" "INSERT INTO a VALUES (1, 'x', 9)"
    echo 1.1.0 >VERSION
    echo "CREATE VIRTUAL TABLE h USING fts4(body); INSERT INTO h(body) VALUES('help');
        CREATE VIRTUAL TABLE i USING fts5(body); INSERT INTO i(body) VALUES('help'), ('more'); ALTER TABLE i RENAME TO j;
        ALTER TABLE g RENAME TO k;" >migrations/0003_h.up.sql
    echo 'ALTER TABLE k RENAME TO g; DROP TABLE j; DROP TABLE h;' >migrations/0003_h.down.sql
    git add -A
    git commit -qm more
    rbtool release v1.1.0
    rbtool deploy v1.1.0 --yes
    [[ $(sqlite3 "$PROD/data/shop.db" "SELECT count(*) FROM j WHERE j MATCH 'more'") == 1 ]]
    rbtool revert v1.1.0 --yes # the up makes those rows again
    [[ $(sqlite3 "$PROD/data/shop.db" "SELECT body FROM g WHERE g MATCH 'help'") == help ]]
}

@test "lint and release name the file of a released migration that was deleted" {
    rbtool release v1.0.0
    second
    rbtool release v1.1.0
    release v1.2.0 # has it, too
    git rm -q migrations/0002_discount.up.sql migrations/0002_discount.down.sql
    echo 1.3.0 >VERSION
    git commit -qam gone
    text='it was released with v1.1.0 and is gone; a deploy would run its down'
    fails 1 "migrations/0002_discount.up.sql:1: RB004 migration 2: $text" rbtool release v1.3.0
    run -1 --separate-stderr rbtool lint
    [[ $output == "migrations/0002_discount.up.sql:1: RB004 2: $text" ]]
    [[ $(rbtool lint --json | jq -r '.findings[0].file') == migrations/0002_discount.up.sql ]]
}

@test "on a terminal, a finding does not stand behind the progress" {
    rbtool release v1.0.0
    second
    printf 'DROP TABLE orders;\n' >migrations/0002_discount.up.sql
    git commit -qam bad
    script -qc 'rbtool release v1.1.0' /dev/null </dev/null >seen
    finding=$(grep -m 1 RB00 seen)
    [[ $finding == *$'\r\x1b[K'migrations/* ]]
}

@test "lint and release report a migration of which only the id changed as renumbered" {
    rbtool release v1.0.0
    second
    printf 'DROP TABLE orders;\n' >migrations/0003_drop.up.sql
    printf 'SELECT 1;\n' >migrations/0003_drop.down.sql
    git add -A
    git commit -qm drop
    rbtool release v1.1.0 --accept RB002,RB003
    for way in up down; do git mv migrations/000{3,7}_drop.$way.sql; done
    echo '-- edited' >>migrations/0001_orders.up.sql
    echo 1.2.0 >VERSION
    git commit -qam renumbered
    run -1 --separate-stderr rbtool lint
    [[ ${#lines[@]} -eq 2 && ${lines[0]} == "migrations/0001_orders.up.sql:1: RB004 1: its up changed"* ]]
    text='it is renumbered: its scripts were released as 3 with v1.1.0'
    [[ ${lines[1]} == "migrations/0007_drop.up.sql:1: RB008 7: $text"* ]]
    fails 1 "migrations/0007_drop.up.sql:1: RB008 migration 7: $text" rbtool release v1.2.0
    [[ $(grep -c 'RB00. migration' <<<"$output") -eq 2 ]]
    rbtool release v1.2.0 --accept RB004,RB008
}

@test "line endings in the work tree and file modes do not change a released migration" {
    rbtool release v1.0.0
    second
    rbtool release v1.1.0
    git config core.autocrlf true
    echo '*.sql text=auto' >.gitattributes
    rm migrations/*
    git checkout -q -- migrations
    grep -q $'\r' migrations/0001_orders.up.sql
    chmod +x migrations/0001_orders.up.sql
    echo 1.2.0 >VERSION
    git add -A
    git commit -qm 'attributes and modes'
    [[ $(git diff --name-only HEAD~1 -- migrations) == migrations/0001_orders.up.sql ]]
    rbtool lint
    rbtool release v1.2.0
    [[ $(rbtool diff v1.1.0 v1.2.0 --json | jq -c '.databases[].migrations[]') == $'[]\n[]\n[]' ]]
    rbtool deploy v1.1.0 --yes
    run -0 rbtool deploy v1.2.0 --yes
    [[ $output != *RB004* ]]
}

@test "release names a changed migration and the release that first had it" {
    rbtool release v1.0.0
    second
    rbtool release v1.1.0
    echo '-- edited' >>migrations/0001_orders.up.sql
    echo 1.2.0 >VERSION
    git commit -qam edited
    fails 1 "RB004" rbtool release v1.2.0
    [[ $output == *"v1.0.0"* ]]
    rbtool release v1.2.0 --accept RB004
    [[ $(manifest v1.2.0 | jq -c '[.predicate.databases[0].proof.migrations[].id]') == '[]' ]]
}

@test "release refuses an up that fails" {
    echo 'CREATE TABLE orders (id INTEGER);' >migrations/0002_again.up.sql
    echo 'SELECT 1;' >migrations/0002_again.down.sql
    git add -A
    git commit -qm again
    fails 1 "0002_again.up.sql" rbtool release v1.0.0 --accept RB001,RB002,RB003
    [[ -z $(git tag) ]]
}

@test "release without a release in its history needs --previous" {
    rbtool release v1.0.0
    git checkout -q --orphan other
    git commit -qm orphan
    echo 2.0.0 >VERSION
    git commit -qam 2
    fails 1 "no release is an ancestor of HEAD" rbtool release v2.0.0
    fails 2 "there is no tag v0.0.1" rbtool release v2.0.0 --previous v0.0.1
    git tag -m other other
    fails 1 "--previous other: release other does not verify" rbtool release v2.0.0 --previous other
    rbtool release v2.0.0 --previous v1.0.0
    rbtool verify --all
}

@test "release refuses another application name in the same repository" {
    rbtool release v1.0.0
    jq '.app.name = "mall"' rbtool.json >x && mv x rbtool.json
    fails 1 "this repository releases shop (git config rbtool.app)" release v1.1.0
    git config --unset rbtool.app
    fails 1 "this repository releases shop (v1.0.0)" rbtool release v1.1.0
}

@test "show and list print text for people" {
    rbtool release v1.0.0
    run rbtool show v1.0.0
    [[ $output == *"alice@example.com"* && $output == *"reversible"* && $output == *"checkout ENABLED old"* ]]
    run rbtool list
    [[ ${lines[0]} == "TAG "*"VERSION"*"DATE"*"SIGNER"*"VERDICT"*"CLASS" && ${lines[1]} == "v1.0.0 "* ]]
    fails 2 "there is no tag" rbtool show v9
    git tag -f -a --no-sign -m x v1.0.0
    run rbtool show v1.0.0
    [[ $output == *"tag v1.0.0 does not lead to the release"*"taken from the ledger"*"alice@example.com"* ]]
    forget_ledger
    fails 1 "does not verify" rbtool show v1.0.0
    fails 1 "does not verify" rbtool show --json v1.0.0
}

@test "release fails when the user's reference-transaction hook refuses" {
    mkdir -p .git/hooks
    printf '#!/bin/sh\n[ "$1" != prepared ]\n' >.git/hooks/reference-transaction
    chmod +x .git/hooks/reference-transaction
    fails 1 "v1.0.0" rbtool release v1.0.0
    [[ -z $(git tag) ]]
}

@test "release handles three hundred migrations and files" {
    for i in $(seq -w 2 300); do
        echo "CREATE TABLE t$i (id INTEGER PRIMARY KEY);" >"migrations/0${i}_t.up.sql"
        echo "DROP TABLE t$i;" >"migrations/0${i}_t.down.sql"
        echo "$i" >"src/f$i"
    done
    git add -A
    git commit -qm many
    rbtool release v1.0.0
    [[ $(manifest v1.0.0 | jq '.predicate.databases[0].migrations | length') -eq 300 ]]
    rbtool verify --all --deep
}

@test "release refuses a name that the ledger and the environments refuse" {
    local long
    printf -v long 'v%0251d' 1
    git check-ref-format refs/tags/v1./b
    fails 2 'choose a name that git accepts for a tag' rbtool release v1./b
    fails 2 'at most 250 bytes between slashes' rbtool release "$long"
    fails 2 'choose a name' rbtool release v1.0.0.lock
    [[ -z $(git tag) ]]
}

@test "a release is proven on the database that the proof of the one before left, unless that is damaged" {
    local states=.git/rbtool/schemas/states file
    rbtool release v1.0.0
    file=$(find $states -type f -perm 600)
    tail -c +65 "$file" >left.db
    [[ $(sqlite3 left.db .tables) == orders && $(sha256sum <left.db) == "$(head -c 64 "$file")  -" ]]
    second
    sqlite3 left.db 'DROP TABLE orders; VACUUM'
    { sha256sum <left.db | head -c 64 && cat left.db; } >"$file"
    run rbtool release v1.1.0
    [[ $output == *"0002_discount.up.sql line 1: no such table: orders"* ]]
    printf x | dd of="$file" bs=1 seek=2000 conv=notrunc status=none
    rbtool release v1.1.0
    [[ $(find $states -type f | wc -l) -eq 2 ]]
}
