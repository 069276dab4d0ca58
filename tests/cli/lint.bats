#!/usr/bin/env bats
# rbtool lint: what it finds, how it says so, and what it compares with.

bats_require_minimum_version 1.5.0
load lib

setup() {
    home
    git init -q "$BATS_TEST_TMPDIR/app"
    cd "$BATS_TEST_TMPDIR/app" || return 1
    mkdir migrations
    cat >rbtool.json <<'JSON'
{ "app": { "name": "app" }, "databases": { "main": { "engine": "sqlite", "migrations": "migrations" } } }
JSON
    printf 'CREATE TABLE a (x);\n' >migrations/1_a.up.sql
    printf 'DROP TABLE a;\n' >migrations/1_a.down.sql
    commit
}

commit() {
    git add -A
    git commit -qm "${1:-work}"
}

bad() {
    printf 'SELECT 1;\n\nDROP TABLE a;\nCOMMIT;\n' >'migrations/2_b [x].up.sql'
    commit bad
}

@test "lint exits 0 and prints nothing for migrations without findings" {
    run --separate-stderr rbtool lint
    [[ $status -eq 0 && -z $output ]]
    [[ $stderr == "1 migration, 0 findings; there is no release to compare with" ]]
}

@test "lint exits 1 and prints findings with file and line first" {
    bad
    run --separate-stderr rbtool lint
    [[ $status -eq 1 ]]
    [[ ${lines[0]} == "migrations/2_b [x].up.sql:1: RB001 2: it has no down; write one, beside the up" ]]
    [[ ${lines[1]} == "migrations/2_b [x].up.sql:3: RB003 2: DROP TABLE a destroys data"* ]]
    [[ ${lines[2]} == "migrations/2_b [x].up.sql:4: RB009 2: transaction control"* ]]
    [[ ${#lines[@]} -eq 3 ]]
}

@test "lint names each function that no environment runs, with file and line" {
    printf "SELECT 1;\nCREATE TABLE b (x DEFAULT (\n  \"Load_Extension\" ('x')));\nUPDATE a SET x = fts3_tokenizer('a'), x = upper(x);\n" >migrations/2_b.up.sql
    printf "DROP TABLE b;\nSELECT 'load_extension(1)'; -- sqlite_log(1)\nSELECT sqlite_log(1, 'x');" >migrations/2_b.down.sql
    commit
    run --separate-stderr rbtool lint
    [[ $status -eq 1 && ${#lines[@]} -eq 3 ]]
    [[ ${lines[0]} == "migrations/2_b.up.sql:3: RB011 2: Load_Extension() reaches outside the database"* ]]
    [[ ${lines[1]} == "migrations/2_b.up.sql:4: RB011 2: fts3_tokenizer() "* ]]
    [[ ${lines[2]} == "migrations/2_b.down.sql:3: RB011 2: sqlite_log() "* ]]
}

@test "lint --json prints the documented document" {
    bad
    run --separate-stderr rbtool lint --json
    [[ $status -eq 1 ]]
    schema lint <<<"$output"
    [[ $(jq -r '.findings[] | "\(.rule) \(.migration) \(.file) \(.line)"' <<<"$output") == \
        "RB001 2 migrations/2_b [x].up.sql 1
RB003 2 migrations/2_b [x].up.sql 3
RB009 2 migrations/2_b [x].up.sql 4" ]]
    run --separate-stderr rbtool lint HEAD~1..HEAD~1 --format json
    [[ $status -eq 0 && $output == '{"findings":[],"unread":[]}' ]]
}

@test "lint --format sarif is valid under the official schema" {
    local modules
    modules=$("$ROOT/tests/npm" ajv ajv-draft-04 @microsoft/jest-sarif) || skip "npm packages are not to be had"
    bad
    printf 'SELECT 1;\n' >$'migrations/3_\xff.up.sql'
    commit
    rbtool lint --format sarif >lint.sarif && return 1
    NODE_PATH=$modules node "$ROOT/tests/cli/schema.cjs" \
        "$modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json" <lint.sarif
    [[ $(jq -r '.version, .runs[0].tool.driver.name' lint.sarif) == $'2.1.0\nrbtool' ]]
    [[ $(jq -r '.runs[0].results[].locations[0].physicalLocation.artifactLocation.uri' lint.sarif |
        sort -u) == $'migrations/2_b%20%5Bx%5D.up.sql\nmigrations/3_%FF.up.sql' ]]
    # every result names a rule that the log describes, at its index
    jq -e '.runs[0] | . as $run | all(.results[]; $run.tool.driver.rules[.ruleIndex].id == .ruleId)' \
        lint.sarif
    rbtool lint HEAD~2..HEAD~2 --format sarif |
        NODE_PATH=$modules node "$ROOT/tests/cli/schema.cjs" \
            "$modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
}

@test "lint refuses revisions that do not name a commit" {
    fails 2 "nosuch names no commit of this repository; name another (git log, git tag -l)" rbtool lint nosuch..HEAD
    [[ $output != *fatal* ]]
    git init -q "$BATS_TEST_TMPDIR/empty"
    cd "$BATS_TEST_TMPDIR/empty"
    fails 2 "HEAD names no commit: its branch has none yet; make the first one with git commit" rbtool lint
    fails 2 "make the first one with git commit" rbtool release v1.0.0
    [[ $output != *fatal* ]]
}

@test "lint A..B compares any two commits" {
    printf 'CREATE TABLE a (x, y);\n' >migrations/1_a.up.sql
    printf 'SELECT 1;\n' >migrations/0_before.up.sql
    printf 'SELECT 1;\n' >migrations/0_before.down.sql
    commit
    run --separate-stderr rbtool lint HEAD~1..
    [[ $status -eq 1 && ${#lines[@]} -eq 2 ]]
    [[ ${lines[0]} == "migrations/0_before.up.sql:1: RB008 0: it is new but sorts before 1, released with HEAD~1"* ]]
    [[ ${lines[1]} == "migrations/1_a.up.sql:1: RB004 1: its up changed since HEAD~1"* ]]
    git rm -q migrations/1_a.up.sql migrations/1_a.down.sql
    commit
    run --separate-stderr rbtool lint HEAD~1..HEAD
    [[ $status -eq 1 && $output == "migrations/1_a.up.sql:1: RB004 1: it was released with HEAD~1 and is gone"* ]]
}

@test "lint accepts a migrations folder that does not exist in A" {
    git checkout -q --orphan other
    git rm -rqf .
    git commit -q --allow-empty -m empty
    git checkout -q main
    run rbtool lint other..main
    [[ $status -eq 0 ]]
}

@test "lint reports a wrong argument or missing migrations in one line and exits 2" {
    fails 2 "lint takes a range A..B" rbtool lint HEAD
    fails 2 "lint takes a range A..B" rbtool lint HEAD...HEAD
    fails 2 "--format takes text, json or sarif" rbtool lint --format xml
    fails 2 "nowhere" rbtool lint nowhere..HEAD
    git rm -rq migrations
    commit
    fails 2 "no migrations in this commit" rbtool lint
    git rm -q rbtool.json
    commit
    fails 2 "no rbtool.json" rbtool lint
}

@test "lint names files that it does not read on stderr" {
    printf 'DROP TABLE b;\n' >migrations/7_lone.down.sql
    printf 'notes\n' >migrations/README
    commit
    run --separate-stderr rbtool lint
    [[ $status -eq 0 ]]
    [[ $stderr == *"not read: migrations/7_lone.down.sql"* ]]
    [[ $stderr == *"not read: migrations/README"* ]]
    run --separate-stderr rbtool lint --quiet
    [[ -z $stderr ]]
}
