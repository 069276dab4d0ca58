# `rbtool restore`: rows from a backup, by hand, where a person decides what is right.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    load rows
    host
    jq 'del(.checks)' rbtool.json >new.json && mv new.json rbtool.json
}

# Orders lose their notes with a revert, and get the column again with the next deploy, which could
# not restore all of them: 2 was changed, 3 was deleted.
conflicts() {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'n' || id"
    move revert v1.1.0
    id=$(jq -r .transition <<<"$document")
    sql 'UPDATE orders SET total = 7 WHERE id = 2; DELETE FROM orders WHERE id = 3'
    move deploy v1.1.0 --accept-reverted
    [ "$(put_back)" = '[["orders","note",8,2]]' ]
}

report() { # [TABLE,COLUMN,RESTORED,MISSING] of all, of a document
    jq -c '[.tables[] | [.table, .column, .restored, .missingCount]]'
}

@test "restore names what it may not restore, and changes nothing there" {
    conflicts
    before=$(sql 'SELECT * FROM orders' | sha256sum)
    run -1 --separate-stderr rbtool restore "$id" --yes --json
    echo "$output" | schema restore
    [ "$(report <<<"$output")" = '[["orders","note",0,2]]' ]
    [ "$(jq -c '.tables[0] | [.missing, .reason]' <<<"$output")" = \
        '[[2,3],"the rows were changed since; the rows were deleted since"]' ]
    [[ $stderr == *"2 values or rows of backup $id were not restored"*"--overwrite --env prod"* ]]
    [ "$(sql 'SELECT * FROM orders' | sha256sum)" = "$before" ]
}

@test "restore brings back a value that was lost twice, with the same command" {
    conflicts
    sql 'UPDATE orders SET note = NULL WHERE id IN (4, 5)'
    # The column itself is what the backup's hashes do not cover.
    run -1 --separate-stderr rbtool restore "$id" --yes --json
    [ "$(report <<<"$output")" = '[["orders","note",2,2]]' ]
    [ "$(sql 'SELECT note FROM orders WHERE id IN (4, 5)' | xargs)" = 'n4 n5' ]
}

@test "restore --overwrite restores over a row that was changed since" {
    conflicts
    run -1 --separate-stderr rbtool restore "$id" --yes --overwrite --json
    [ "$(report <<<"$output")" = '[["orders","note",1,1]]' ]
    [ "$(sql 'SELECT total, note FROM orders WHERE id = 2')" = '7|n2' ]
}

@test "backups, the ledger and the report say how much of a column came back" {
    conflicts
    rbtool backups --json | tee >(schema backups) | jq -e '.backups[0].restored == [{table: "orders", column: "note", restored: 8, of: 10}]'
    [[ $(rbtool backups) == *'orders.note; orders.note: 8 of 10 restored'* ]]
    rbtool log --json --kind transition | tee >(schema log) | head -n 1 >entry
    jq -e --arg id "$id" '.entry.transition.restored == [{database: "main", backup: $id, table: "orders", column: "note", restored: 8, missing: 2}]' entry
    rbtool report --json | tee >(schema report) | jq -e --slurpfile entry entry '.transitions[0].restored == $entry[0].entry.transition.restored'
    rbtool report -o "$BATS_TEST_TMPDIR/page.html"
    grep -q '<bdi>orders.note</bdi>: 8 came back, 2 did not' "$BATS_TEST_TMPDIR/page.html"
    run -1 rbtool restore "$id" --yes --overwrite
    [[ $(rbtool backups) == *'orders.note: 9 of 10 restored'* ]]
    sql 'UPDATE orders SET note = NULL' # what is restored again counts once
    run -1 rbtool restore "$id" --yes --overwrite
    [[ $(rbtool backups) == *'orders.note: 9 of 10 restored'* ]]
    rbtool log --verify
}

@test "restore proposes only an option that helps with what is missing" {
    conflicts
    run -1 --separate-stderr rbtool restore "$id" --yes --json
    [ "$(jq -c '.tables[0].options' <<<"$output")" = '["--overwrite"]' ]
    [[ $stderr == *"\`rbtool restore $id --overwrite --env prod --yes\`"* ]]
    # What is left are values of a row that was deleted.
    run -1 --separate-stderr rbtool restore "$id" --yes --overwrite
    [[ $stderr == *"copy them by hand from the backup"* && $stderr != *'`rbtool restore'* ]]
}

@test "restore proposes no option for a table without a key" {
    change 1 'CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL); CREATE VIEW source AS SELECT 1 AS a;
        CREATE TABLE lines (a, b TEXT);' 'DROP TABLE lines; DROP VIEW source; DROP TABLE orders;'
    rm migrations/0001_orders.*
    on_top 'DELETE FROM lines WHERE a < 3;' 'SELECT 1;'
    sql "INSERT INTO lines VALUES (1, 'x'), (2, 'y'), (3, 'z')"
    move deploy v1.1.0
    id=$(jq -r .transition <<<"$document")
    run -1 --separate-stderr rbtool restore "$id" --yes --json
    echo "$output" | schema restore
    [ "$(jq -c '[.tables[] | [.table, .missingCount, .reason, .options]]' <<<"$output")" = \
        '[["lines",2,"the table has no key and is not empty",[]]]' ]
    [[ $stderr == *"copy them by hand from the backup"* && $stderr != *'`rbtool restore'* ]]
}

@test "values that a constraint refuses are not answered with an option" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'n' || id"
    move revert v1.1.0
    id=$(jq -r .transition <<<"$document")
    rbtool deploy v1.1.0 --accept-reverted --yes
    sql "UPDATE orders SET note = NULL; CREATE UNIQUE INDEX one ON orders (substr(note, 1, 1))"
    run -1 --separate-stderr rbtool restore "$id" --yes
    [[ $stderr == *"copy them by hand from the backup"* && $stderr != *'`rbtool restore'* ]]
}

@test "restore --ignore-columns recognises a row although these columns have changed" {
    conflicts
    run -1 --separate-stderr rbtool restore "$id" --yes --ignore-columns total --json
    [ "$(report <<<"$output")" = '[["orders","note",1,1]]' ]
    [ "$(sql 'SELECT note FROM orders WHERE id = 2')" = n2 ]
}

@test "restore --ignore-columns with a column that the backup does not compare is refused with those that it does" {
    conflicts
    fails 2 'compares no column nosuch; --ignore-columns takes some of: id, total' \
        rbtool restore "$id" --yes --overwrite --ignore-columns total,nosuch
    [ -z "$(sql 'SELECT note FROM orders WHERE id = 2')" ]
}

@test "restore -n says the same and changes nothing" {
    conflicts
    before=$(sql 'SELECT * FROM orders' | sha256sum)
    run -1 --separate-stderr rbtool restore "$id" -n --overwrite --json
    [ "$(jq -c '[.dryRun, .restored, .missing]' <<<"$output")" = '[true,1,1]' ]
    run -1 rbtool restore "$id" -n --overwrite
    [[ $output == *"orders.note: 1 would be restored, 1 not: the rows were deleted since; for example [3]"* ]]
    [ "$(sql 'SELECT * FROM orders' | sha256sum)" = "$before" ]
}

@test "restore asks before it changes anything, and needs --yes without a terminal" {
    conflicts
    before=$(sql 'SELECT * FROM orders' | sha256sum)
    fails 2 '--yes' rbtool restore "$id" --overwrite
    [ "$(sql 'SELECT * FROM orders' | sha256sum)" = "$before" ]
    timeout 60 script -qec "rbtool restore $id --overwrite" /dev/null <<<n >seen || true
    grep -q 'orders.note: 1 would be restored' seen
    [ "$(sql 'SELECT * FROM orders' | sha256sum)" = "$before" ]
    timeout 60 script -qec "rbtool restore $id --overwrite" /dev/null <<<y >seen || true
    [ "$(sql 'SELECT note FROM orders WHERE id = 2')" = n2 ]
}

@test "restore --deleted restores rows that somebody deleted since" {
    on_top 'DELETE FROM orders WHERE total <= 200;' 'SELECT 1;'
    move deploy v1.1.0
    id=$(jq -r .transition <<<"$document")
    sql 'DELETE FROM orders WHERE id = 9; INSERT INTO orders VALUES (2, 1)'
    run -1 --separate-stderr rbtool restore "$id" --yes --json
    [ "$(report <<<"$output")" = '[["orders",null,1,1]]' ]
    [ "$(orders)" = 1,2,3,4,5,6,7,8,10 ]
    run -1 --separate-stderr rbtool restore "$id" --yes --deleted --json
    [ "$(report <<<"$output")" = '[["orders",null,1,1]]' ]
    [ "$(orders)" = 1,2,3,4,5,6,7,8,9,10 ]
    rbtool restore "$id" --yes --overwrite
    [ "$(sql 'SELECT total FROM orders WHERE id = 2')" = 200 ]
    run -0 --separate-stderr rbtool restore "$id" --yes --json
    [ "$(report <<<"$output")" = '[["orders",null,0,0]]' ]
}

@test "restore --table leaves other tables alone" {
    on_top 'CREATE TABLE notes (id INTEGER PRIMARY KEY, t TEXT); CREATE TABLE tags (id INTEGER PRIMARY KEY);' \
        'DROP TABLE notes; DROP TABLE tags;'
    rbtool deploy v1.1.0 --yes
    sql "INSERT INTO notes VALUES (1, 'a'); INSERT INTO tags VALUES (1)"
    move revert v1.1.0
    id=$(jq -r .transition <<<"$document")
    rbtool deploy v1.1.0 --accept-reverted --yes
    sql 'DELETE FROM notes; DELETE FROM tags'
    rbtool restore "$id" --yes --table notes
    [ "$(sql 'SELECT count(*), (SELECT count(*) FROM tags) FROM notes')" = '1|0' ]
}

@test "restore --table with a table that the backup does not have is refused with those that it has" {
    conflicts
    fails 2 "has no table nosuch; it has orders.note" rbtool restore "$id" --table nosuch --yes
    fails 1 "were not restored" rbtool restore "$id" --table ORDERS --yes
}

@test "columns that came later than their table are restored by hand" {
    on_top 'CREATE TABLE notes (id INTEGER PRIMARY KEY, n INTEGER);' 'DROP TABLE notes;'
    change 3 'ALTER TABLE notes ADD COLUMN reason TEXT;' 'ALTER TABLE notes DROP COLUMN reason;'
    release v1.2.0
    rbtool deploy v1.1.0 --yes
    rbtool deploy v1.2.0 --yes
    sql "INSERT INTO notes VALUES (1, 1, 'damaged'), (2, 2, 'late')"
    move revert v1.2.0 --to v1.0.0
    id=$(jq -r .transition <<<"$document")
    rbtool deploy v1.1.0 --yes
    rbtool deploy v1.2.0 --yes --accept-reverted
    rbtool restore "$id" --yes --overwrite
    [ "$(sql 'SELECT reason FROM notes' | xargs)" = 'damaged late' ]
}

@test "restore refuses what would break a foreign key, and names an unknown backup" {
    release v1.0.0
    change 2 'CREATE TABLE items (id INTEGER PRIMARY KEY, o INTEGER REFERENCES orders (id));' 'DROP TABLE items;'
    release v1.1.0
    change 3 'DELETE FROM items;' 'SELECT 1;'
    release v1.2.0 --accept RB003
    rbtool deploy v1.1.0 --yes
    sql 'INSERT INTO orders VALUES (1, 1), (2, 2); INSERT INTO items VALUES (10, 1), (20, 2)'
    move deploy v1.2.0
    id=$(jq -r .transition <<<"$document")
    sql 'DELETE FROM orders WHERE id = 2'
    run -1 --separate-stderr rbtool restore "$id" --yes --overwrite --json
    [ "$(report <<<"$output")" = '[["items",null,1,1]]' ]
    [ "$(sql 'SELECT id FROM items; PRAGMA foreign_key_check')" = 10 ]
    fails 2 'has no backup nonsense' rbtool restore nonsense --yes
    fails 2 'of database other' rbtool restore "$id" --database other --yes
}

@test "restore is an entry of the ledger and of the database's journal, and backups names what was restored" {
    conflicts
    rows=$(sql 'SELECT count(*) FROM rbtool_journal')
    run -1 rbtool restore "$id" --yes
    [ "$(sql 'SELECT count(*) FROM rbtool_journal')" = "$rows" ] # nothing was restored
    [ "$(rbtool log --kind restore --json)" = '' ]
    sql 'UPDATE orders SET note = NULL WHERE id IN (4, 5)'
    run -1 rbtool restore "$id" --yes --overwrite --ignore-columns total
    [ "$(sql 'SELECT count(*) FROM rbtool_journal')" = $((rows + 1)) ]
    rbtool log --kind restore --json | tee entry | jq -c '.entry.environment, (.entry.restore | .transition, .database, .path,
        .table, .ignored, .overwrite, .deleted, .restored, .missing, .tables)' >seen
    diff seen - <<END
"prod"
"$id"
"main"
".rbtool/backups/$id/main.sqlite"
null
["total"]
true
false
3
1
[{"column":"note","missing":1,"restored":3,"table":"orders"}]
END
    [ "$(jq -r .entry.restore.id entry)" = "$(sql 'SELECT transition_id FROM rbtool_journal ORDER BY sequence DESC LIMIT 1')" ]
    jq .entry entry | schema ledger-entry
    [[ $(jq -r .title entry) == "restore in prod: 3 from backup $id of main" ]]
    rbtool log --verify
    rbtool backups --json | schema backups
    [[ $(rbtool backups) == *'orders.note; orders.note: 9 of 10 restored'* ]]
    # The transition that wrote the backup names it.
    [ "$(rbtool log --kind transition --json | jq -c --arg id "$id" 'select(.entry.transition.id == $id) | .entry.transition.backups')" = \
        "[{\"database\":\"main\",\"path\":\".rbtool/backups/$id/main.sqlite\",\"rows\":10,\"tables\":[\"orders\"]}]" ]
    # A later transition leaves what a person restored alone.
    sql "UPDATE orders SET note = 'mine' WHERE id = 6"
    move deploy v1.1.0 --accept-reverted
    [ "$(sql 'SELECT note FROM orders WHERE id = 6')" = mine ]
}

@test "a restore that is killed before its commit leaves no entry, and one that is killed after it gets one" {
    conflicts
    sql 'UPDATE orders SET note = NULL WHERE id IN (4, 5)'
    state() { sqlite3 "$PROD/.rbtool/state.db" "$1"; }
    # SQLite removes the journal of the database: that would be the commit.
    run strace -f -qq -o /dev/null -P "$PROD/data/shop.db-journal" -e trace=unlink,unlinkat,ftruncate \
        -e inject=unlink,unlinkat,ftruncate:signal=KILL:when=1 rbtool restore "$id" --yes --overwrite
    [ "$status" -eq 137 ]
    [ "$(state 'SELECT count(*), sum(committed) FROM restore')" = '1|' ]
    run -1 rbtool restore "$id" -n --overwrite
    [ "$(sql 'SELECT count(note) FROM orders WHERE id IN (4, 5)')" = 0 ]
    [ "$(state 'SELECT count(*) FROM restore')" = 0 ]
    [ "$(rbtool log --kind restore --json)" = '' ]
    run -1 rbtool restore "$id" --yes --overwrite
    [ "$(rbtool log --kind restore --json | wc -l)" = 1 ]
    # As if it had been killed right after the commit, or after its entry was written.
    state "UPDATE restore SET committed = NULL; DELETE FROM entry WHERE kind = 'restore'"
    run -1 rbtool restore "$id" -n --overwrite
    [ "$(state "SELECT committed, (SELECT count(*) FROM entry WHERE kind = 'restore') FROM restore")" = '1|1' ]
    [ "$(rbtool log --kind restore --json | wc -l)" = 1 ]
}
