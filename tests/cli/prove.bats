#!/usr/bin/env bats
# rbtool prove: migrations of a branch are proven without a release, a key or an environment.

bats_require_minimum_version 1.5.0
load lib

# A project without rbtool.json, cloned from a remote; the branch that is checked out is main.
setup() {
    home
    git init -q --bare "$BATS_TEST_TMPDIR/origin.git"
    git clone -q "$BATS_TEST_TMPDIR/origin.git" "$BATS_TEST_TMPDIR/app" 2>/dev/null
    cd "$BATS_TEST_TMPDIR/app" || return 1
    git checkout -q -b main 2>/dev/null || true
}

put() { # FILE TEXT
    mkdir -p "$(dirname "$1")"
    printf '%b' "$2" >"$1"
}

commit() {
    git add -A
    git commit -qm "${1:-work}"
}

# main has a migration, and the branch feature, which is checked out, is about to get more.
branch() {
    put migrations/1_orders.up.sql 'CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, price INTEGER);\n'
    put migrations/1_orders.down.sql 'DROP TABLE orders;\n'
    commit main
    git push -q origin main
    git remote set-head origin main
    git checkout -q -b feature
}

restores() { # the ids and results of the JSON document in $output
    jq -r '.migrations[] | "\(.id) \(.restores) \(.reapplies)"' <<<"$output"
}

@test "prove proves the two migrations that a feature branch adds to the default branch" {
    branch
    put migrations/2_shop.up.sql 'CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT);\n'
    put migrations/2_shop.down.sql 'DROP TABLE shop;\n'
    put migrations/3_vip.up.sql 'ALTER TABLE orders ADD COLUMN vip INTEGER;\n'
    put migrations/3_vip.down.sql 'ALTER TABLE orders DROP COLUMN vip;\n'
    commit
    run -0 --separate-stderr rbtool prove
    [[ $output == "2 shop: the down restores schema and data
  the down discards the rows of shop
3 vip: the down restores schema and data
  the down discards orders.vip" ]]
    [[ $stderr == *"2 migrations differ from $(git rev-parse main | cut -c 1-12), 0 findings" ]]
    run -0 --separate-stderr rbtool prove --json
    schema prove <<<"$output"
    [[ $(restores) == $'2 identical true\n3 identical true' ]]
    [[ $(jq -r '.engine, .base, .databases[0].layout, .databases[0].class' <<<"$output") == \
        "sqlite
$(git rev-parse main)
golang-migrate
reversible" ]]
    [[ $(jq -c '.migrations[1] | [.destroys, .discards, .locks, .findings]' <<<"$output") == \
        '[[],[{"column":"vip","table":"orders"}],[],[]]' ]]
    [[ -z $(git status --porcelain) && -z $(git tag) && -z $(git for-each-ref refs/rbtool) ]]
}

@test "prove exits 1 and names what a broken down leaves and what an up destroys" {
    branch
    put migrations/2_shop.up.sql 'CREATE TABLE shop (id INTEGER PRIMARY KEY);\nCREATE INDEX by_note ON orders (note);\n'
    put migrations/2_shop.down.sql 'DROP TABLE shop;\n'
    put migrations/3_note.up.sql '\nALTER TABLE orders DROP COLUMN note;\n'
    put migrations/3_note.down.sql 'ALTER TABLE orders ADD COLUMN note TEXT;\n'
    put migrations/4_fails.up.sql 'CREATE TABLE x (a);\n'
    put migrations/4_fails.down.sql 'DROP TABLE nowhere;\n'
    sed -i 's/^ALTER/DROP INDEX by_note;\nALTER/' migrations/3_note.up.sql
    printf 'CREATE INDEX by_note ON orders (note);\n' >>migrations/3_note.down.sql
    commit
    run -1 --separate-stderr rbtool prove
    [[ $output == *"2 shop: the down does not restore what was there before"* ]]
    [[ $output == *'  migrations/2_shop.down.sql:1: RB002: its down leaves index '*by_note*' behind; drop it in the down'* ]]
    [[ $output == *"  the up destroys orders.note"* ]]
    [[ $output == *"  migrations/3_note.up.sql:3: RB003: ALTER TABLE orders.note destroys data"* ||
        $output == *"  migrations/3_note.up.sql:3: RB003: "*"orders.note destroys data"* ]]
    [[ $output == *"4 fails: the down fails"*"no such table: nowhere"* ]]
    run -1 --separate-stderr rbtool prove --json
    schema prove <<<"$output"
    [[ $(jq -r '.migrations[] | "\(.id) \(.restores) \([.findings[].rule] | unique | join(","))"' <<<"$output") == \
        $'2 differs RB002\n3 order RB003\n4 fails RB002' ]]
    [[ $(jq -c '.migrations[1].destroys' <<<"$output") == '[{"column":"note","table":"orders"}]' ]]
    [[ $(jq -r '.databases[0].class' <<<"$output") == irreversible ]]
}

@test "prove finds nothing wrong with an up that renames or computes and a down that is its exact inverse" {
    branch
    put migrations/2_cents.up.sql 'ALTER TABLE orders RENAME COLUMN price TO cents;\n'
    put migrations/2_cents.down.sql 'ALTER TABLE orders RENAME COLUMN cents TO price;\n'
    put migrations/3_cents.up.sql 'UPDATE orders SET cents = cents * 100;\n'
    put migrations/3_cents.down.sql 'UPDATE orders SET cents = cents / 100;\n'
    commit
    run -0 --separate-stderr rbtool prove --json
    [[ $(jq -c '.migrations[] | [.id, .restores, .reapplies, .destroys]' <<<"$output") == \
        $'["2","identical",true,[]]\n["3","identical",true,[]]' ]]
}

@test "prove detects the folder and the layout of diesel, dbmate and sqlx" {
    put diesel/2024-01-01-000000_a/up.sql 'CREATE TABLE a (x INTEGER);\n'
    put diesel/2024-01-01-000000_a/down.sql 'DROP TABLE a;\n'
    put db/dbmate/20240101_b.sql '-- migrate:up\nCREATE TABLE b (x INTEGER);\n-- migrate:down\nDROP TABLE b;\n'
    put sqlx/1_c.sql 'CREATE TABLE c (x INTEGER);\n'
    put sqlx/Cargo.toml '[dependencies]\nsqlx = "0.8"\n'
    put sqlx/2_d.sql 'CREATE TABLE d (x INTEGER);\n'
    commit
    run -1 --separate-stderr rbtool prove --json
    schema prove <<<"$output"
    [[ $(jq -c '.base' <<<"$output") == null ]]
    [[ $(jq -r '.databases[] | "\(.name) \(.directory) \(.layout) \(.class)"' <<<"$output" | sort) == \
        "dbmate db/dbmate dbmate reversible
diesel diesel diesel reversible
sqlx sqlx sqlx irreversible" ]]
    [[ $(jq -r '.migrations[] | "\(.database) \(.id) \(.restores) \([.findings[].rule] | join(","))"' <<<"$output" | sort) == \
        "dbmate 20240101 identical 
diesel 20240101000000 identical 
sqlx 1 missing RB001
sqlx 2 missing RB001" ]]
    [[ $(jq -r '.notes[1]' <<<"$output") == "databases: 1 migration in diesel (diesel, sqlite)" ]]
    run -1 --separate-stderr rbtool prove
    [[ $output == *"sqlx: 2 d: it has no down"* ]]
}

@test "prove compares with the commit where the branch left --base" {
    branch
    put migrations/3_mine.up.sql 'CREATE TABLE mine (x);\n'
    put migrations/3_mine.down.sql 'DROP TABLE mine;\n'
    commit
    git checkout -q main
    put migrations/2_theirs.up.sql 'CREATE TABLE theirs (x);\n'
    put migrations/2_theirs.down.sql 'DROP TABLE theirs;\n'
    commit
    git push -q origin main
    git checkout -q feature
    run -0 --separate-stderr rbtool prove --base main --json
    [[ $(restores) == '3 identical true' ]]
    [[ $(jq -r .base <<<"$output") == $(git merge-base main feature) ]]
    run -0 --separate-stderr rbtool prove --base HEAD
    [[ -z $output && $stderr == *", 0 findings" ]]
    fails 2 "nosuch names no commit" rbtool prove --base nosuch
}

@test "prove says what it compares with where there is no common ancestor" {
    branch
    put migrations/2_theirs.up.sql 'CREATE TABLE theirs (x);\n'
    put migrations/2_theirs.down.sql 'DROP TABLE theirs;\n'
    put migrations/3_mine.up.sql 'CREATE TABLE mine (x);\n'
    put migrations/3_mine.down.sql 'DROP TABLE mine;\n'
    git add migrations/2_*
    git commit -qm theirs
    git push -q origin HEAD:main
    git rm -q --cached migrations/2_*
    rm migrations/2_*
    git checkout -q --orphan other
    git add -A
    git commit -qm other
    run -1 --separate-stderr rbtool prove --base origin/main --json # migration 2 is missing here
    [[ $stderr == *"have no common ancestor, so that HEAD is compared with the tip of origin/main"* ]]
    [[ $(jq -r '.migrations[] | "\(.id) \(.restores) \(.findings[0].rule)"' <<<"$output") == $'3 identical null\n2 null RB004' ]]
    run -0 --separate-stderr rbtool prove --json
    [[ $(restores) == $'1 identical true\n3 identical true' && $stderr == *"so that all migrations are proven"* ]]
    git remote remove origin
    run -0 --separate-stderr rbtool prove
    [[ $stderr == *"the default branch of a remote is not known here"*"2 migrations, 0 findings" ]]
}

@test "prove proves a changed migration and those that are built on it" {
    branch
    put migrations/2_a.up.sql 'CREATE TABLE a (x);\n'
    put migrations/2_a.down.sql 'DROP TABLE a;\n'
    put migrations/3_b.up.sql 'CREATE INDEX b ON a (x);\n'
    put migrations/3_b.down.sql 'DROP INDEX b;\n'
    commit
    put migrations/2_a.up.sql 'CREATE TABLE a (x, y);\n'
    commit
    run -1 --separate-stderr rbtool prove --base HEAD~1 --json
    [[ $(jq -r '.migrations[] | "\(.id) \(.restores) \([.findings[].rule] | join(","))"' <<<"$output") == \
        $'2 identical RB004\n3 identical ' ]]
}

@test "prove uses rbtool.json of HEAD, the seed too, and --config FILE before it" {
    branch
    put migrations/2_mail.up.sql "ALTER TABLE orders ADD COLUMN mail TEXT;\nUPDATE orders SET mail = note || '@example.com';\n"
    put migrations/2_mail.down.sql 'ALTER TABLE orders DROP COLUMN mail;\n'
    put migrations/3_note.up.sql "UPDATE orders SET note = lower(note);\n"
    put migrations/3_note.down.sql "SELECT 1;\n"
    put seed.sql "INSERT INTO orders (id, note) VALUES (1, 'Ann');\n"
    put rbtool.json '{ "app": { "name": "app" }, "databases": { "shop": { "engine": "sqlite", "migrations": "migrations", "seed": "seed.sql" } } }\n'
    commit
    rm rbtool.json # HEAD's counts
    run -1 --separate-stderr rbtool prove --json
    [[ $(jq -r '.migrations[] | "\(.database) \(.id) \(.findings | length > 0)"' <<<"$output") == \
        $'shop 2 false\nshop 3 true' ]]
    put other.json '{ "app": { "name": "app" }, "databases": { "mine": { "engine": "sqlite", "migrations": "nowhere" } } }\n'
    fails 2 "database mine: " rbtool --config other.json prove
    fails 2 "nowhere" rbtool --config other.json prove
}

@test "prove reports an up that fails in every format, and still proves the other database" {
    put one/1_a.up.sql 'CREATE TABLE a (x);\n'
    put one/1_a.down.sql 'DROP TABLE a;\n'
    put two/1_b.up.sql 'CREATE TABLE b (x);\nINSERT INTO nowhere VALUES (1);\n'
    put two/1_b.down.sql 'DROP TABLE b;\n'
    put rbtool.json '{ "app": { "name": "app" }, "databases": {
        "two": { "engine": "sqlite", "migrations": "two" }, "one": { "engine": "sqlite", "migrations": "one" } } }\n'
    commit
    run -1 --separate-stderr rbtool prove --json
    schema prove <<<"$output"
    [[ $stderr == *"database two: "*"no such table: nowhere"* ]]
    [[ $(jq -r '.databases[] | "\(.name) \(.class) \(.error // "" | contains("nowhere"))"' <<<"$output" | sort) == \
        $'one reversible false\ntwo null true' ]]
    [[ $(jq -r '.migrations[] | "\(.database) \(.restores)"' <<<"$output" | sort) == $'one identical\ntwo null' ]]
    run -1 --separate-stderr rbtool prove
    [[ $output == *"one: 1 a: the down restores schema and data"* && $output == *"two: 1 b: not proven"* ]]
    run -1 --separate-stderr rbtool prove --format markdown
    [[ $output == *'**Not proven:** database two: '*'no such table: nowhere'* ]]
    run -1 --separate-stderr rbtool prove --format junit
    [[ $output == *'<testsuite name="two" tests="2" failures="0" errors="1">'*'<error message="database two: '* ]]
}

@test "prove exits 1 where a folder that it found does not run, and proves the other folders" {
    put one/1_a.up.sql 'CREATE TABLE a (x);\n'
    put one/1_a.down.sql 'DROP TABLE a;\n'
    put two/1_b.up.sql 'INSERT INTO nowhere VALUES (1);\n'
    put two/1_b.down.sql 'SELECT 1;\n'
    put three/1_c.up.sql 'CREATE TABLE c (id INT UNSIGNED AUTO_INCREMENT) ENGINE=InnoDB;\n'
    put three/1_c.down.sql 'DROP TABLE c;\n'
    commit
    run -1 --separate-stderr rbtool prove --format markdown
    [[ $output == *"| 1 a | the down restores schema and data |"* ]]
    [[ $output == *$'\n\n- note: databases: 1 migration in one '* ]]
    [[ $output == *$'\n- note: three: 1 migration left out: they are written for MySQL'* ]]
    [[ $output == *"- note: two: 1 migration left out: "*"no such table: nowhere"* ]]
    [[ $stderr == *"rbtool: two: 1 migration left out: "*$'\nhint: fix the script, or name the folder and its engine under "databases" in rbtool.json' ]]
    git rm -rq two
    commit
    run -0 rbtool prove
    git rm -rq one three
    put two/1_b.up.sql 'INSERT INTO nowhere VALUES (1);\n'
    commit
    fails 1 "two: 1 migration left out" rbtool prove
}

@test "prove --format markdown and junit print hostile names as text" {
    branch
    put 'migrations/2_<img>|`x`&"@all.up.sql' 'CREATE TABLE "a<b>|c" (x);\n'
    put 'migrations/2_<img>|`x`&"@all.down.sql' 'SELECT 1;\n'
    commit
    run -1 --separate-stderr rbtool prove --format markdown
    [[ ${lines[0]} == "### rbtool prove: 1 migration differs from "*", 1 finding" ]]
    [[ $output == *'| 2 &lt;img&gt;\|\`x\`&amp;"\@all | the down does not restore what was there before |  |'* ]]
    [[ $output == *'- **RB002** '*'a&lt;b&gt;\|c'* && $output != *'<img>'* ]]
    [[ $(grep -c '^|' <<<"$output") -eq 3 ]]
    rbtool prove --format junit >junit.xml && return 1
    run -0 python3 - <<'PY'
import xml.etree.ElementTree as tree
suite = tree.parse("junit.xml").getroot().find("testsuite")
case = suite.find("testcase")
assert suite.get("tests") == "1" and suite.get("failures") == "1" and suite.get("errors") == "0"
assert case.get("name") == '2 <img>|`x`&"@all', case.get("name")
assert case.find("failure").get("type") == "RB002" and "a<b>|c" in case.find("failure").get("message")
PY
}

@test "prove --format sarif prints the log that code scanning takes" {
    branch
    put migrations/2_a.up.sql 'CREATE TABLE a (x);\n'
    commit
    rbtool prove --format sarif >prove.sarif && return 1
    [[ $(jq -r '.version, .runs[0].results[].ruleId, .runs[0].results[].locations[0].physicalLocation.artifactLocation.uri' \
        prove.sarif) == $'2.1.0\nRB001\nmigrations/2_a.up.sql' ]]
    fails 2 "--format takes text, markdown, json, sarif or junit, not 'xml'" rbtool prove --format xml
}

@test "prove says that uncommitted migrations are not proven" {
    branch
    put migrations/2_a.up.sql 'CREATE TABLE a (x);\n'
    run -0 --separate-stderr rbtool prove
    [[ -z $output && $stderr == *"1 file in migrations is not committed as it is; HEAD is what is proven"* ]]
}

@test "prove exits 2 where there is no commit, and where there are no migrations that it can prove" {
    fails 2 "HEAD names no commit" rbtool prove
    put README 'nothing\n'
    commit
    fails 2 "HEAD has no migrations that rbtool can prove; name their folder and engine" rbtool prove
    put db/1_a.up.sql 'CREATE TABLE a (id int unsigned auto_increment) engine=InnoDB;\n'
    put db/1_a.down.sql 'DROP TABLE a;\n'
    commit
    fails 2 "they are written for MySQL" rbtool prove
    fails 2 "HEAD has no migrations" rbtool prove
}
