# Rows that scripts delete from tables that stay come back with the way back, by key; what somebody
# else deleted since does not.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    load rows
    host
    jq 'del(.checks)' rbtool.json >new.json && mv new.json rbtool.json
}

@test "revert restores rows that an up deleted, and not those that users deleted" {
    on_top 'DELETE FROM orders WHERE total <= 400;' 'SELECT 1;'
    move deploy v1.1.0
    [ "$(orders)" = 5,6,7,8,9,10 ]
    # A user deletes one, takes a key again, adds one.
    sql 'DELETE FROM orders WHERE id = 7; INSERT INTO orders VALUES (2, 1), (11, 1)'
    move revert v1.1.0
    [ "$(put_back)" = '[["orders",null,3,1]]' ]
    [ "$(jq -c '.putBack[0] | [.missing, .reason]' <<<"$document")" = '[[2],"their keys are taken by other rows"]' ]
    [ "$(orders)" = 1,2,3,4,5,6,8,9,10,11 ]
    [ "$(sql 'SELECT total FROM orders WHERE id IN (1, 2) ORDER BY id')" = "100"$'\n'"1" ]
    settled_at v1.0.0
    # Once is enough.
    sql 'DELETE FROM orders WHERE id = 3'
    move deploy v1.1.0 --accept-reverted
    move revert v1.1.0
    [ "$(orders)" = 1,2,4,5,6,8,9,10,11 ]
}

@test "revert restores values that scripts changed, where nobody changed the row since" {
    on_top 'UPDATE orders SET total = 0 WHERE id <= 4; DELETE FROM orders WHERE id = 9;' 'SELECT 1;'
    move deploy v1.1.0
    sql 'UPDATE orders SET total = 300 WHERE id = 3; UPDATE orders SET total = 7 WHERE id = 2; UPDATE orders SET total = 5 WHERE id = 8'
    move revert v1.1.0
    # 3 has its old value, and the scripts never touched 8.
    [ "$(put_back)" = '[["orders",null,3,1]]' ]
    [ "$(jq -c '.putBack[0] | [.missing, .reason]' <<<"$document")" = '[[2],"the rows were changed since"]' ]
    [ "$(sqlite3 "$(jq -r '.putBack[0].copy' <<<"$document")" 'SELECT total FROM "orders (rows)" WHERE id = 2')" = 200 ]
    [ "$(sql 'SELECT group_concat(total) FROM (SELECT total FROM orders ORDER BY id)')" = 100,7,300,400,500,600,700,5,900,1000 ]
}

@test "revert reports nothing if the downs restore the values that scripts changed" {
    on_top 'UPDATE orders SET total = total * 2;' 'UPDATE orders SET total = total / 2;'
    move deploy v1.1.0
    move revert v1.1.0
    [ "$(put_back)" = '[]' ]
    [ "$(sql 'SELECT sum(total) FROM orders')" = 5500 ]
}

@test "resume after a kill behind the commit names what was restored and what was not" {
    on_top 'UPDATE orders SET total = 0;' 'SELECT 1;'
    move deploy v1.1.0
    sql 'UPDATE orders SET total = 7 WHERE id = 3'
    killed_by start
    run -137 rbtool --config "$BATS_TEST_TMPDIR/killing.json" revert v1.1.0 --yes \
        --accept-data-loss "$(rbtool --config "$BATS_TEST_TMPDIR/killing.json" plan v1.1.0 --json | jq -r .digest)"
    run -0 --separate-stderr rbtool --config "$BATS_TEST_TMPDIR/killing.json" resume --yes --json
    document=$output
    [ "$(put_back)" = '[["orders","total",9,1]]' ]
    [ "$(sql 'SELECT total FROM orders WHERE id < 4')" = 100$'\n'200$'\n'7 ]
}

@test "the next deploy restores rows that a down deleted" {
    on_top "INSERT INTO orders VALUES (50, 1), (51, 1);" 'DELETE FROM orders WHERE id >= 50 OR id = 1;'
    move deploy v1.1.0 # the row of id 1 does not come back when this is undone
    sql 'UPDATE orders SET total = 7 WHERE id = 50; INSERT INTO orders VALUES (52, 9)'
    move revert v1.1.0
    [ "$(orders)" = 2,3,4,5,6,7,8,9,10 ]
    move deploy v1.1.0 --accept-reverted
    # 50 and 51 were made by the script again: what is there stays.
    [ "$(put_back)" = '[["orders",null,2,1]]' ]
    [ "$(orders)" = 1,2,3,4,5,6,7,8,9,10,50,51,52 ]
}

@test "deleted rows are restored only when the scripts that deleted them are undone" {
    on_top 'DELETE FROM orders WHERE total <= 400;' 'SELECT 1;'
    change 3 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    release v1.2.0
    move deploy v1.1.0
    move deploy v1.2.0
    [ "$(orders)" = 5,6,7,8,9,10 ]
    move revert v1.2.0
    [ "$(orders)" = 5,6,7,8,9,10 ]
    move deploy v1.2.0 --accept-reverted
    move revert v1.2.0 --to v1.0.0
    [ "$(orders)" = 1,2,3,4,5,6,7,8,9,10 ]
    settled_at v1.0.0
}

@test "revert restores rows of a table that was rebuilt or renamed" {
    on_top 'CREATE TABLE new (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);
        INSERT INTO new SELECT * FROM orders WHERE total > 400;
        DROP TABLE orders; ALTER TABLE new RENAME TO orders;' 'SELECT 1;'
    change 3 'DELETE FROM orders WHERE id = 5; ALTER TABLE orders RENAME TO bills;' \
        'ALTER TABLE bills RENAME TO orders;'
    release v1.2.0 --accept RB003
    move deploy v1.1.0
    move deploy v1.2.0
    sql 'DELETE FROM bills WHERE id = 9'
    move revert v1.2.0
    [ "$(orders)" = 5,6,7,8,10 ]
    move revert v1.1.0
    [ "$(orders)" = 1,2,3,4,5,6,7,8,10 ]
    settled_at v1.0.0
}

@test "rows that cannot be restored are named: no key, a constraint, missing parents" {
    release v1.0.0
    change 2 'CREATE TABLE log (line TEXT);
        CREATE TABLE items (id INTEGER PRIMARY KEY, orders INTEGER REFERENCES orders (id), code TEXT UNIQUE);' \
        'DROP TABLE items; DROP TABLE log;'
    release v1.1.0
    change 3 'DELETE FROM log; DELETE FROM items;' 'SELECT 1;'
    release v1.2.0 --accept RB003
    rbtool deploy v1.1.0 --yes
    sql "INSERT INTO log VALUES ('a'), ('b'); INSERT INTO orders VALUES (1, 1), (2, 2);
        INSERT INTO items VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 1, 'z')"
    move deploy v1.2.0
    sql "INSERT INTO log VALUES ('c'); INSERT INTO items VALUES (9, 1, 'x'); DELETE FROM orders WHERE id = 2"
    move revert v1.2.0
    [ "$(put_back)" = '[["items",null,1,2],["log",null,0,2]]' ]
    [ "$(jq -c '.putBack[0].missing' <<<"$document")" = '[1,2]' ]
    [[ $(jq -r '.putBack[1].reason' <<<"$document") == *"the table has no key and is not empty"* ]]
    [ "$(sql 'SELECT id FROM items ORDER BY id')" = 3$'\n'9 ]
    [ "$(sql 'SELECT line FROM log')" = c ]
    echo "$document" | schema transition
}

# What one database went through: deploy v1.1.0, change as users do, revert with consent, deploy.
again() { # SQL
    rbtool deploy v1.1.0 --yes
    sql "$1"
    move revert v1.1.0
    move deploy v1.1.0 --accept-reverted
}

@test "deploy restores a value that a user changed after a backfill" {
    on_top 'ALTER TABLE orders ADD COLUMN discount INTEGER; UPDATE orders SET discount = total / 10;' \
        'ALTER TABLE orders DROP COLUMN discount;'
    again 'UPDATE orders SET discount = 99 WHERE id = 2; UPDATE orders SET discount = NULL WHERE id = 3'
    [ "$(put_back)" = '[["orders","discount",2,0]]' ]
    [ "$(sql 'SELECT discount FROM orders WHERE id < 5')" = 10$'\n'99$'\n\n'40 ]
    settled_at v1.1.0
    # Of a row that users changed since, nobody can tell which value is right.
    sql 'UPDATE orders SET discount = 77 WHERE id = 4'
    move revert v1.1.0
    sql 'UPDATE orders SET total = 500 WHERE id = 4'
    move deploy v1.1.0 --accept-reverted
    [ "$(put_back)" = '[["orders","discount",2,1]]' ]
    [ "$(jq -c '.putBack[0] | [.missing, .reason]' <<<"$document")" = '[[4],"the rows were changed since"]' ]
    [ "$(sqlite3 "$(jq -r '.putBack[0].copy' <<<"$document")" 'SELECT discount FROM "orders (values)" WHERE id = 4')" = 77 ]
    [ "$(sql 'SELECT discount FROM orders WHERE id < 5')" = 10$'\n'99$'\n\n'50 ]
}

@test "deploy restores rows beside its seed, and names a seed row that a user had changed" {
    on_top "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
        INSERT INTO settings VALUES ('tax', '19'), ('fee', '3');" 'DROP TABLE settings;'
    again "UPDATE settings SET value = '21' WHERE name = 'tax'; INSERT INTO settings VALUES ('region', 'eu')"
    [ "$(put_back)" = '[["settings",null,1,1]]' ]
    [ "$(jq -c '.putBack[0] | [.missing, .reason]' <<<"$document")" = '[["tax"],"their keys are taken by other rows"]' ]
    [ "$(sql 'SELECT * FROM settings ORDER BY 1')" = 'fee|3'$'\n''region|eu'$'\n''tax|19' ]
    settled_at v1.1.0
}

@test "a corrected migration keeps its new values, and the backup's values are named" {
    on_top 'ALTER TABLE orders ADD COLUMN discount INTEGER; UPDATE orders SET discount = total / 10;' \
        'ALTER TABLE orders DROP COLUMN discount;'
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 99 WHERE id = 2'
    move revert v1.1.0
    git checkout -q -b mended v1.0.0
    change 2 'ALTER TABLE orders ADD COLUMN discount INTEGER; UPDATE orders SET discount = total / 5;' \
        'ALTER TABLE orders DROP COLUMN discount;'
    release v1.0.1
    run -0 rbtool --quiet deploy v1.0.1 --yes
    [[ $output == *"orders.discount: 0 restored, 10 could not be: "*"\`rbtool restore "*" --env prod -n\` shows what can be restored"* ]]
    [ "$(sql 'SELECT sum(discount) FROM orders')" = 1100 ]
    [ "$(rbtool backups --json | jq -c '.backups[0].restored')" = '[]' ]
}

@test "columns that a recreated table does not have are named, and stay in the backup" {
    on_top 'CREATE TABLE notes (id INTEGER PRIMARY KEY, n INTEGER);' 'DROP TABLE notes;'
    change 3 "ALTER TABLE notes ADD COLUMN reason TEXT; UPDATE notes SET reason = 'none';" \
        'ALTER TABLE notes DROP COLUMN reason;'
    release v1.2.0
    rbtool deploy v1.1.0 --yes
    rbtool deploy v1.2.0 --yes
    sql "INSERT INTO notes VALUES (1, 1, 'damaged'), (2, 2, 'late'), (3, 3, NULL)"
    move revert v1.2.0 --to v1.0.0
    run rbtool deploy v1.1.0 --yes
    [ "$status" -eq 0 ]
    [[ $output == *"notes: 3 restored"$'\n'*"notes.reason: 0 restored, 2 could not be: the table does not have that column now; they are in $PROD/.rbtool/backups/"* ]]
    move deploy v1.2.0 --accept-reverted
    [ "$(put_back)" = '[]' ]
    [ "$(sql 'SELECT reason FROM notes WHERE id = 1')" = none ]
    [ "$(sqlite3 "$PROD"/.rbtool/backups/*/main.sqlite 'SELECT reason FROM "notes (rows)" WHERE id = 1')" = damaged ]
}

@test "rows that an up deleted are restored without the columns that the release does not have" {
    on_top "ALTER TABLE orders ADD COLUMN note TEXT;" 'ALTER TABLE orders DROP COLUMN note;'
    change 3 'DELETE FROM orders WHERE id <= 2;' 'SELECT 1;'
    release v1.2.0 --accept RB003
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'n' || id WHERE id IN (1, 2, 3, 4)"
    move deploy v1.2.0
    move revert v1.2.0 --to v1.0.0
    [ "$(put_back)" = '[["orders",null,2,0],["orders","note",0,2]]' ]
    move deploy v1.1.0 --accept-reverted
    [ "$(sql 'SELECT id, note FROM orders WHERE id < 5')" = '1|'$'\n''2|'$'\n''3|n3'$'\n''4|n4' ]
    echo "$document" | schema transition
}

@test "a missing backup is reported with the number of values that it had" {
    on_top 'ALTER TABLE orders ADD COLUMN discount INTEGER;' 'ALTER TABLE orders DROP COLUMN discount;'
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 5'
    move revert v1.1.0
    copy=$(find "$PROD/.rbtool/backups" -name main.sqlite)
    rm "$copy"
    run rbtool deploy v1.1.0 --accept-reverted --yes
    [ "$status" -eq 0 ]
    [[ $output == *"nothing is restored from backup "*": its file $copy does not exist"* && $output != *"restores from backup"* ]]
    [[ $output == *"orders.discount: 0 restored, 10 could not be: the backup that had them, $copy, does not exist"* ]]
    [[ $output != *"they are in"* ]]
    settled_at v1.1.0
}

@test "a column of another migration under the same name does not get the old data" {
    on_top 'ALTER TABLE orders ADD COLUMN discount INTEGER; -- percent' 'ALTER TABLE orders DROP COLUMN discount;'
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 15 WHERE id = 1'
    move revert v1.1.0
    git rm -q migrations/0002*
    echo 'ALTER TABLE orders ADD COLUMN discount INTEGER; -- cents' >migrations/0003_discount.up.sql
    echo 'ALTER TABLE orders DROP COLUMN discount;' >migrations/0003_discount.down.sql
    echo 1.2.0 >VERSION && git add -A && git commit -qm cents
    rbtool release v1.2.0 --previous v1.0.0 --accept RB004
    move deploy v1.2.0
    [ "$(put_back)" = '[["orders","discount",0,1]]' ]
    [[ $document == *'another migration than the one that was undone made it'* ]]
    [ -z "$(sql 'SELECT discount FROM orders WHERE discount IS NOT NULL')" ]
    # It waits for its own.
    rbtool revert v1.2.0 --to v1.0.0 --yes
    move deploy v1.1.0 --accept-reverted
    [ "$(sql 'SELECT discount FROM orders WHERE id = 1')" = 15 ]
}

@test "a row without rowid is not restored without its parent" {
    release v1.0.0
    change 2 'CREATE TABLE lines (o INTEGER REFERENCES orders (id), n INTEGER, PRIMARY KEY (o, n)) WITHOUT ROWID;' \
        'DROP TABLE lines;'
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    sql 'INSERT INTO orders VALUES (1, 1), (2, 2); INSERT INTO lines VALUES (1, 1), (2, 1)'
    move revert v1.1.0
    sql 'DELETE FROM orders WHERE id = 1'
    move deploy v1.1.0 --accept-reverted
    [ "$(put_back)" = '[["lines",null,1,1]]' ]
    [ "$(jq -c '.putBack[0] | [.missing, .reason]' <<<"$document")" = '[[[1,1]],"the rows that they refer to are gone or were changed"]' ]
    [ "$(sql 'SELECT o FROM lines')" = 2 ]
    settled_at v1.1.0
}

@test "lost rows of a full-text index are counted, and are in the backup" {
    change 2 'CREATE VIRTUAL TABLE notes USING fts5 (text);' 'DROP TABLE notes;'
    release v1.0.0
    change 3 'CREATE INDEX total ON orders (total);' "DROP INDEX total; DELETE FROM notes WHERE text = 'b';
        UPDATE notes SET text = 'd' WHERE text = 'c';"
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    sql "INSERT INTO notes VALUES ('a'), ('b'), ('c')"
    run rbtool revert v1.1.0 --yes
    [ "$status" -eq 5 ]
    [[ $output == *"main: notes: 1 row will be lost"*"main: notes.text: 1 value will be lost"* ]]
    move revert v1.1.0
    [ "$(sql 'SELECT group_concat(text) FROM notes')" = a,d ]
    move deploy v1.1.0 --accept-reverted
    [ "$(put_back)" = '[["notes",null,0,2]]' ]
    [ "$(sqlite3 "$(jq -r '.putBack[0].copy' <<<"$document")" 'SELECT group_concat(text) FROM "notes (rows)"')" = a,b,c ]
}

@test "restored rows without a parent are removed again, with the rows that refer to them" {
    local purchases='CREATE TABLE purchases (id INTEGER PRIMARY KEY, o INTEGER NOT NULL REFERENCES orders (id));
        CREATE TABLE purchase_lines (id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES purchases (id));
        CREATE TABLE staff (id INTEGER PRIMARY KEY, o INTEGER REFERENCES orders (id), boss INTEGER REFERENCES staff (id));'
    local none='DROP TABLE purchase_lines; DROP TABLE purchases; DROP TABLE staff;'
    on_top "$purchases" "$none"
    rbtool deploy v1.1.0 --yes
    change 3 "$none" "$purchases"
    release v1.2.0 --accept RB003
    sql 'INSERT INTO purchases VALUES (1, 1), (2, 2); INSERT INTO purchase_lines VALUES (1, 1), (2, 2);
        INSERT INTO staff VALUES (1, 1, NULL), (2, 2, 1), (3, 2, 2), (4, 2, NULL)'
    move deploy v1.2.0
    sql 'DELETE FROM orders WHERE id = 1'
    move revert v1.2.0
    [ "$(put_back | jq -c 'sort')" = '[["purchase_lines",null,1,1],["purchases",null,1,1],["staff",null,1,3]]' ]
    [ "$(sql 'SELECT id FROM purchases; SELECT id FROM purchase_lines; SELECT id FROM staff' | xargs)" = '2 2 4' ]
    [ -z "$(sql 'PRAGMA foreign_key_check')" ]
}

@test "data lost from a table that an earlier script rebuilt is counted" {
    on_top 'CREATE TABLE n (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, note TEXT);
        INSERT INTO n (id, total) SELECT id, total FROM orders; DROP TABLE orders; ALTER TABLE n RENAME TO orders;' \
        'ALTER TABLE orders DROP COLUMN note;'
    change 3 'UPDATE orders SET total = 0;' 'SELECT 1;'
    release v1.2.0 --accept RB003
    fails 5 "the plan loses data" rbtool deploy v1.2.0 --yes
}

@test "filling empty values after a rebuild is not data loss" {
    on_top 'CREATE TABLE n (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, note TEXT);
        INSERT INTO n (id, total) SELECT id, total FROM orders; DROP TABLE orders; ALTER TABLE n RENAME TO orders;' \
        'ALTER TABLE orders DROP COLUMN note;'
    change 3 "UPDATE orders SET note = 'n' || id;" 'SELECT 1;'
    release v1.2.0 --accept RB003 # the proof fills the notes first
    rbtool deploy v1.2.0 --yes
    [ "$(sql 'SELECT note FROM orders WHERE id = 10')" = n10 ]
}

@test "filling empty values in a table with a full-text index is not data loss" {
    on_top "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, state TEXT DEFAULT active);
        CREATE VIRTUAL TABLE f USING fts5(body);
        CREATE TRIGGER f_u AFTER UPDATE ON notes BEGIN UPDATE f SET body = new.body WHERE rowid = new.id; END;" \
        'DROP TABLE notes; DROP TABLE f;'
    rbtool deploy v1.1.0 --yes
    sql "INSERT INTO notes (id, body) VALUES (1, 'a'), (2, NULL); INSERT INTO f (rowid, body) SELECT id, body FROM notes"
    change 3 "UPDATE notes SET body = '' WHERE body IS NULL;" 'SELECT 1;'
    release v1.2.0
    rbtool deploy v1.2.0 --yes
    # Its default is a word without quotes.
    change 4 'CREATE TABLE n (id INTEGER PRIMARY KEY, body TEXT, state TEXT DEFAULT active);
        INSERT INTO n SELECT * FROM notes; DROP TABLE notes; ALTER TABLE n RENAME TO notes;' 'SELECT 1;'
    release v1.3.0 --accept RB002
    rbtool deploy v1.3.0 --yes
    [ "$(sql 'SELECT id, body, state FROM notes')" = '1|a|active'$'\n''2||active' ]
}

@test "values of rows that nobody changed are restored over what a script computes" {
    on_top 'ALTER TABLE orders ADD COLUMN rank; UPDATE orders SET rank = (SELECT count(*) FROM orders x WHERE x.total >= orders.total);' \
        'ALTER TABLE orders DROP COLUMN rank;'
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET rank = 50 WHERE id = 1' # the only one that the up would not compute
    [ "$(rbtool plan v1.1.0 --json | jq -c '[.dataAtRisk[] | [.table, .column, .values]], [.bound[] | [.table, .column, .values]]')" = \
        '[["orders","rank",1]]'$'\n''[["orders","rank",10]]' ]
    move revert v1.1.0
    sql 'INSERT INTO orders VALUES (11, 5000)'
    move deploy v1.1.0 --accept-reverted
    [ "$(put_back)" = '[["orders","rank",10,0]]' ]
    [ "$(sql 'SELECT rank FROM orders WHERE id = 1')" = 50 ]
}

@test "the plan counts rows that a script deletes by the current date" {
    on_top 'ALTER TABLE orders ADD COLUMN day TEXT;' \
        "DELETE FROM orders WHERE day < date('now'); ALTER TABLE orders DROP COLUMN day;"
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET day = CASE id WHEN 3 THEN '2020-01-01' ELSE '2999-01-01' END"
    [ "$(rbtool plan v1.1.0 --json | jq -c '[.dataAtRisk[] | [.table, .column, .rows]] | sort')" = \
        '[["orders",null,1],["orders","day",10]]' ]
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)"
    [ "$(orders)" = 1,2,4,5,6,7,8,9,10 ]
}

@test "data at risk that is found only under the lock stops the run and prints its digest" {
    on_top 'SELECT 1;' 'DELETE FROM orders WHERE total < 0;'
    rbtool deploy v1.1.0 --yes
    # Between the plan and the lock another order is refunded; the undo takes that back.
    cat >"$BATS_TEST_TMPDIR/refund" <<SH
#!/bin/sh
sqlite3 "$PROD/data/shop.db" "UPDATE orders SET total = \$1 WHERE id = 4"
SH
    chmod +x "$BATS_TEST_TMPDIR/refund"
    settings ".environments.prod.service = {stop: [\"$BATS_TEST_TMPDIR/refund\", \"-4\"],
        start: [\"$BATS_TEST_TMPDIR/refund\", \"400\"]}"
    cp "$SETTINGS" rbtool.json
    rbtool env trust --yes
    [ "$(rbtool plan v1.1.0 --json | jq -c .dataAtRisk)" = '[]' ]
    first=$(digest v1.1.0)
    fails 5 'under lock more data is at risk than the plan said: orders (1 row)' \
        rbtool revert v1.1.0 --yes
    new=$(grep -o 'accept-data-loss [0-9a-f]*' <<<"$output" | cut -d' ' -f2)
    [ "$new" != "$first" ]
    [ "$(sql 'SELECT total FROM orders WHERE id = 4')" = 400 ]
    # The next plan lists it, under that digest.
    run -5 --separate-stderr rbtool plan v1.1.0 --json
    [ "$(jq -c '[.digest[:12], [.dataAtRisk[] | [.database, .table, .column, .rows]]]' <<<"$output")" = \
        "[\"$new\",[[\"main\",\"orders\",null,1]]]" ]
    fails 5 "$new" rbtool revert v1.1.0 --yes
    rbtool revert v1.1.0 --yes --accept-data-loss "$new"
    [ "$(orders)" = 1,2,3,5,6,7,8,9,10 ]
    # It was about that transition only.
    rbtool deploy v1.1.0 --yes --accept-reverted
    [ "$(rbtool plan v1.1.0 --json | jq -c .dataAtRisk)" = '[]' ]
}

@test "status lists the backups of the environment with id, size and age" {
    on_top 'DELETE FROM orders WHERE total <= 400;' 'SELECT 1;'
    [[ $(rbtool status) != *backups* && $(rbtool status --json | jq -c .backups) == '[]' ]]
    move deploy v1.1.0
    id=$(ls "$PROD/.rbtool/backups")
    touch -d '3 days ago 1 hour ago' "$PROD/.rbtool/backups/$id/"*
    bytes=$(find "$PROD/.rbtool/backups/$id" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
    [[ $bytes -gt 0 ]]
    rbtool status --json | schema status
    [ "$(rbtool status --json | jq -c '.backups[] | [.id, .bytes, (.age / 86400 | floor)]')" = "[\"$id\",$bytes,3]" ]
    run rbtool status
    [[ $output == *$'\n'"backups     1, "*"; newest: $id, 3 days old"* ]]
}

@test "a database over 64 MiB is not copied to add a column, and its values are counted where they are" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    sql 'INSERT INTO orders VALUES (11, zeroblob(70000000))'
    run -0 rbtool deploy v1.1.0 --yes
    [[ $output == *"MiB were not copied"*"--rehearse"* && $output != *"leaves the database"* ]]
    [ -z "$(find "$PROD/.rbtool" -name main.sqlite)" ]
    sql "UPDATE orders SET note = 'n' WHERE id < 4"
    run -5 --separate-stderr rbtool plan v1.1.0 --json
    [ "$(jq -c '[.rehearsed, [.dataAtRisk[] | [.table, .column, .values]], [.bound[] | [.table, .column, .values]]]' <<<"$output")" = \
        '[false,[["orders","note",3]],[["orders","note",3]]]' ]
    run -5 rbtool plan v1.1.0 --rehearse
    [[ $output == *"leaves the database: 3 values; does not come back by redeploying v1.1.0: 3 values"* ]]
    [[ $output == *"rbtool revert v1.1.0 --env prod --rehearse --yes --accept-data-loss "* ]]
    move revert v1.1.0
    settled_at v1.0.0
}

@test "a large table that is renamed there and back is not at risk, and one that is converted is" {
    on_top 'ALTER TABLE orders RENAME TO bills;' 'ALTER TABLE bills RENAME TO orders;'
    change 3 'UPDATE bills SET total = total * 2;' 'UPDATE bills SET total = total / 2;'
    release v1.2.0
    sql 'INSERT INTO orders VALUES (11, zeroblob(70000000))'
    [ "$(rbtool deploy v1.1.0 -n --json | jq -c '[.dataAtRisk, [.bound[] | [.table, .column, .rows]]]')" = \
        '[[],[["orders",null,11]]]' ]
    rbtool deploy v1.1.0 --yes
    [ -z "$(find "$PROD/.rbtool" -name main.sqlite)" ] # a name alone needs no backup
    run -5 --separate-stderr rbtool deploy v1.2.0 -n --json
    [ "$(jq -c '[.dataAtRisk[] | [.table, .column, .values]]' <<<"$output")" = '[["bills","total",11]]' ]
}
