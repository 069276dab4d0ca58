# What transitions back up: only what their scripts can destroy, readable with sqlite3 alone, listed
# and removed with `rbtool backups`.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    load rows
    host
    jq 'del(.checks)' rbtool.json >new.json && mv new.json rbtool.json
}

backup_path() {
    rbtool backups --json | jq -r '.backups[0].path'
}

# The newest backup, asked with sqlite3.
kept() { # SQL
    sqlite3 "$(backup_path)" "$1"
}

# The tables of its document.
tables() { # COLUMN... [CONDITION]
    kept "SELECT $1 FROM rbtool_backup, json_each(rbtool_backup.value, '\$.tables') t WHERE rbtool_backup.name = 'document' ${2:-}"
}

@test "a backup has the dropped values with their keys, and nothing else of the database" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'n' || id WHERE id <= 3; UPDATE orders SET total = zeroblob(3000000) WHERE id = 10"
    run -5 --separate-stderr rbtool plan v1.1.0 --json
    echo "$output" | schema plan
    [ "$(jq -c '[.backups[] | [.database, .leftOut]]' <<<"$output")" = '[["main",[]]]' ]
    estimate=$(jq '.backups[0].bytes' <<<"$output")
    move revert v1.1.0
    [ "$(jq -r '.backups[0].path' <<<"$document")" = "$(backup_path)" ]
    [ "$(kept 'SELECT id, note FROM "orders (values)"')" = '1|n1'$'\n''2|n2'$'\n''3|n3' ]
    [ "$(kept "SELECT value FROM rbtool_backup WHERE name IN ('from', 'to') ORDER BY name" | xargs)" = 'v1.1.0 v1.0.0' ]
    [ "$(tables "t.value ->> 'name', t.value ->> 'kind', t.value -> 'key', t.value -> 'columns', t.value -> 'compared'")" = \
        'orders|values|["id"]|["note"]|["id","total"]' ]
    [ "$(kept 'SELECT count(*), min(length(rbtool_hash)), max(length(rbtool_hash)) FROM "orders (values)"')" = '3|40|40' ]
    size=$(stat -c %s "$(backup_path)")
    [ "$size" -lt 100000 ] && [ "$estimate" -gt 100 ] && [ "$estimate" -lt 100000 ]
    [ "$(stat -c %a "$(backup_path)" "$(dirname "$(backup_path)")" | xargs)" = '600 700' ]
}

@test "a value that the way back creates again is not backed up, one that its script writes is" {
    on_top "ALTER TABLE orders ADD COLUMN note TEXT DEFAULT 'new'; ALTER TABLE orders ADD COLUMN state TEXT; UPDATE orders SET state = 'open';" \
        'ALTER TABLE orders DROP COLUMN note; ALTER TABLE orders DROP COLUMN state;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = NULL WHERE id = 2; UPDATE orders SET state = NULL WHERE id = 3"
    move revert v1.1.0
    [ "$(kept "SELECT id FROM \"orders (values)\" WHERE note IS NULL OR state IS NULL" | xargs)" = '2 3' ]
    [ "$(kept 'SELECT count(*) FROM "orders (values)"')" = 10 ]
    rbtool mark v1.1.0 good -m 'needed again'
    move deploy v1.1.0
    [ "$(sql "SELECT id, ifnull(note, '-'), ifnull(state, '-') FROM orders WHERE id < 4" | xargs)" = '1|new|open 2|-|open 3|new|-' ]
}

@test "the digest of a row can be computed from the header's description" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'x'"
    move revert v1.1.0
    # id 1, total 100: kind 1, length 8, value, for each
    expected=$(printf '01%016x%016x01%016x%016x' 8 1 8 100 | xxd -r -p | sha256sum | cut -d' ' -f1)
    [ "$(kept 'SELECT lower(hex(substr(rbtool_hash, 1, 32))) FROM "orders (values)" WHERE id = 1')" = "$expected" ]
}

@test "the example query of the format finds the rows that scripts deleted" {
    on_top 'DELETE FROM orders WHERE total <= 400;' 'SELECT 1;'
    move deploy v1.1.0
    [ "$(kept 'SELECT id FROM "orders (rows)" WHERE rbtool_state IS NULL' | xargs)" = '1 2 3 4' ]
}

@test "the rows that backed up ones refer to are recorded with key and hash, up to the grandparents" {
    release v1.0.0
    change 2 'CREATE TABLE customers (id INTEGER PRIMARY KEY, who TEXT);
        CREATE TABLE carts (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers (id), secret TEXT);
        CREATE TABLE items (id INTEGER PRIMARY KEY, cart INTEGER REFERENCES carts (id));' \
        'DROP TABLE items; DROP TABLE carts; DROP TABLE customers;'
    release v1.1.0
    change 3 'DELETE FROM items;' 'SELECT 1;'
    release v1.2.0 --accept RB003
    rbtool deploy v1.1.0 --yes
    sql "INSERT INTO customers VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Eve');
        INSERT INTO carts VALUES (10, 1, 'a'), (20, 2, 'b'), (30, 3, 'c'); INSERT INTO items VALUES (100, 10), (200, 20)"
    move deploy v1.2.0
    [ "$(tables "t.value ->> 'name', t.value -> 'key', t.value -> 'columns'" "AND t.value ->> 'kind' = 'referenced' ORDER BY 1")" = \
        'carts|["id"]|["customer"]'$'\n''customers|["id"]|[]' ]
    [ "$(kept 'SELECT id, customer FROM "carts (referenced 2)"')" = '10|1'$'\n''20|2' ]
    # Bob's cart is another customer's by now: nothing of his goes into it.
    sql "UPDATE customers SET who = 'Mallory' WHERE id = 2"
    move revert v1.2.0
    [ "$(put_back)" = '[["items",null,1,1]]' ]
    [ "$(sql 'SELECT id FROM items')" = 100 ]
}

@test "nothing is backed up where nothing can be destroyed" {
    on_top 'CREATE TABLE notes (id INTEGER PRIMARY KEY);' 'DROP TABLE notes;'
    move deploy v1.1.0
    [ "$(rbtool backups --json | jq -c '.backups')" = '[]' ]
    [ -z "$(find "$PROD/.rbtool/backups" -name '*.sqlite')" ]
    run rbtool backups
    [ "$status" -eq 0 ]
    [[ $output == *"prod has no backups"* ]]
}

@test "backups are listed with size, tables and what was restored of them" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'x'"
    move revert v1.1.0
    id=$(jq -r .transition <<<"$document")
    rbtool backups --json | schema backups
    rbtool backups --json | jq -e --arg id "$id" '.backups | length == 1 and .[0].id == $id and .[0].state == "available"
        and .[0].kind == "revert" and .[0].from == "v1.1.0" and .[0].restored == [] and .[0].bytes > 0
        and [.[0].items[] | [.table, .column, .atRisk]] == [["orders", "note", true]]'
    run rbtool backups
    [ "$status" -eq 0 ]
    [[ $output == *"$id"*"revert v1.1.0 -> v1.0.0"*"available"*"orders.note"* ]]
    # The next deploy says beforehand what comes back, and brings it.
    run -0 --separate-stderr rbtool deploy v1.1.0 -n --accept-reverted --json
    [ "$(jq -c --arg id "$id" '[.restores[] | [.backup == $id, .table, .column, .upTo]]' <<<"$output")" = \
        '[[true,"orders","note",10]]' ]
    run -0 rbtool deploy v1.1.0 -n --accept-reverted
    [[ $output == *"restores from backup $id: main: orders.note, up to 10 values, where nobody changed them"* ]]
    [[ $output == *"v1.1.0 was reverted, and is bad; if every check passes, it counts as good again"* ]]
    move deploy v1.1.0 --accept-reverted
    [ "$(rbtool backups --json | jq -c '.backups[0].restored')" = '[{"column":"note","of":10,"restored":10,"table":"orders"}]' ]
    rm "$(backup_path)"
    [ "$(rbtool backups --json | jq -r '.backups[0].state')" = missing ]
}

@test "backups --prune removes those that have expired, and none of the live release or the one before" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'x'"
    move revert v1.1.0
    path=$(backup_path)
    sqlite3 "$PROD/.rbtool/state.db" 'UPDATE transition_log SET started = started - 100 * 86400'
    # v1.0.0 is live.
    [ "$(rbtool backups --prune --json | jq -c '[.pruned, .backups[0].expired]')" = '[[],false]' ]
    [ -f "$path" ]
    git checkout -q -b on v1.0.0
    for n in 3 4; do
        change "$n" "CREATE TABLE t$n (a);" "DROP TABLE t$n;"
        release "v1.$n.0"
        rbtool deploy "v1.$n.0" --yes
    done
    [ "$(rbtool backups --json | jq -c '[.backups[] | .expired]')" = '[true]' ]
    settings '.environments.prod.keepBackups = 200'
    [ "$(rbtool --config "$SETTINGS" backups --json | jq -c '[.backups[] | .expired]')" = '[false]' ]
    rbtool backups --prune --json | tee pruned.json | schema backups
    [ "$(jq -c '[[.pruned[].path], [.backups[].state]]' pruned.json)" = "[[\"$path\"],[\"pruned\"]]" ]
    [ ! -e "$path" ] && [ ! -e "$(dirname "$path")" ]
    run rbtool restore "$(jq -r '.pruned[0].id' pruned.json)" --yes
    [ "$status" -eq 2 ]
    [[ $output == *"was removed by \`rbtool backups --prune\`"* ]]
}

@test "--no-backup needs consent of its own, and writes none" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'x'"
    with=$(digest v1.1.0)
    run -5 rbtool revert v1.1.0 --yes --no-backup --accept-data-loss "$with"
    [[ $output == *"it is not backed up"* ]]
    run -5 --separate-stderr rbtool revert v1.1.0 --no-backup -n --json
    without=$(jq -r .digest <<<"$output")
    [ "$without" != "$with" ]
    [ "$(jq -c '[.noBackup, .backups, ([.decisions[].code] | index("no-backup") != null)]' <<<"$output")" = '[true,[],true]' ]
    rbtool revert v1.1.0 --yes --no-backup --accept-data-loss "$without"
    settled_at v1.0.0
    [ "$(rbtool backups --json | jq -c .backups)" = '[]' ]
    [ -z "$(find "$PROD/.rbtool/backups" -name '*.sqlite')" ]
}

@test "a transition is refused before its scripts run if its backup cannot be written" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = hex(randomblob(100000))"
    accept=$(digest v1.1.0)
    run bash -c "ulimit -f 900; exec rbtool revert v1.1.0 --yes --accept-data-loss $accept"
    [ "$status" -eq 1 ] || [ "$status" -eq 2 ]
    [[ $output == *"$PROD/.rbtool/backups/"*"nothing was changed, prod stays at v1.1.0"* ]]
    [ -z "$(find "$PROD/.rbtool/backups" -name '*.sqlite')" ]
    [ "$(sql 'SELECT count(note) FROM orders')" = 10 ]
    [ "$(rbtool backups --json | jq -c .backups)" = '[]' ]
    rbtool revert v1.1.0 --yes --accept-data-loss "$accept"
    settled_at v1.0.0
}

@test "a revert that is killed after its backup resumes with a backup of its own rows" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'old'"
    accept=$(digest v1.1.0)
    # When SQLite removes its journal the backup is complete, and the commit is about to happen.
    run strace -f -qq -o /dev/null -P "$PROD/data/shop.db-journal" -e trace=unlink,unlinkat,ftruncate \
        -e inject=unlink,unlinkat,ftruncate:signal=KILL:when=1 rbtool revert v1.1.0 --yes --accept-data-loss "$accept"
    [ "$status" -ne 0 ]
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    rbtool resume --yes
    settled_at v1.0.0
    [ "$(kept 'SELECT count(note) FROM "orders (values)"')" = 10 ]
    [ "$(sha256sum "$(backup_path)" | cut -d' ' -f1)" = "$(sqlite3 "$PROD/.rbtool/state.db" 'SELECT sha256 FROM backup')" ]
}

@test "a hundred thousand rows are backed up and come back" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "WITH RECURSIVE n(i) AS (SELECT 11 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
        INSERT INTO orders (id, total) SELECT i, i FROM n; UPDATE orders SET note = 'note ' || id"
    before=$(sql 'SELECT * FROM orders ORDER BY id' | sha256sum)
    move revert v1.1.0
    move deploy v1.1.0 --accept-reverted
    [ "$(put_back)" = '[["orders","note",100000,0]]' ]
    [ "$(sql 'SELECT * FROM orders ORDER BY id' | sha256sum)" = "$before" ]
}

@test "a backup that an older rbtool made as a copy of the database is named with the command that reads it" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'x'"
    move revert v1.1.0
    path=$(backup_path)
    cp "$PROD/data/shop.db" "$path"
    sqlite3 "$PROD/.rbtool/state.db" "UPDATE backup SET sha256 = '$(sha256sum "$path" | cut -d' ' -f1)'"
    run rbtool deploy v1.1.0 --accept-reverted --yes
    [ "$status" -eq 0 ]
    [[ $output == *"orders.note: 0 restored, 10 could not be: "*"a copy of the whole database, made by an older rbtool"*"sqlite3 $path"* ]]
}

@test "a backup that was changed on disk stops the transition that would restore from it" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'x'"
    move revert v1.1.0
    path=$(backup_path)
    sqlite3 "$path" "UPDATE \"rbtool data of orders (values)\" SET note = 'forged'"
    fails 1 "the backup $path of transition" rbtool deploy v1.1.0 --accept-reverted --yes
    settled_at v1.0.0
    fails 2 'was changed: its SHA-256 is' rbtool restore "$(rbtool backups --json | jq -r '.backups[0].id')" --yes
    mv "$path" moved
    rbtool deploy v1.1.0 --accept-reverted --yes
}

@test "a database in WAL mode is rehearsed, backed up and restored as any other, and stays in WAL mode" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    [ "$(sql 'PRAGMA journal_mode = WAL')" = wal ]
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'n' || id WHERE id <= 3"
    run -5 --separate-stderr rbtool plan v1.1.0 --json
    [ "$(jq -c '[.rehearsed, [.dataAtRisk[] | [.column, .values]]]' <<<"$output")" = '[true,[["note",3]]]' ]
    [ -z "$(find "$PROD/.rbtool" -maxdepth 1 -type f ! -name 'state.db*' ! -name lock)" ]
    move revert v1.1.0
    move deploy v1.1.0 --accept-reverted
    [ "$(sql 'SELECT count(note) FROM orders; PRAGMA journal_mode')" = $'3\nwal' ]
}

@test "a check that holds only with the restored values does not refuse a revert, and one that fails with them does" {
    echo 'CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, note TEXT);' >migrations/0001_orders.up.sql
    jq '.checks = {sql: ["checks/*.sql"]}' rbtool.json >new.json && mv new.json rbtool.json
    mkdir -p checks
    echo 'SELECT id FROM orders WHERE note IS NULL;' >checks/notes.sql
    release v1.0.0
    echo 'SELECT 1 WHERE 0;' >checks/notes.sql
    change 2 'ALTER TABLE orders DROP COLUMN note;' 'ALTER TABLE orders ADD COLUMN note TEXT;'
    release v1.1.0 --accept RB002,RB003
    rbtool deploy v1.0.0 --yes
    sql "INSERT INTO orders VALUES (1, 100, 'a'), (2, 200, 'b')"
    move deploy v1.1.0
    sql 'INSERT INTO orders VALUES (3, 300)'
    # The rehearsal restores as the transaction does: only row 3 lacks its note.
    run -1 rbtool plan v1.1.0
    [[ $output == *'check checks/notes.sql found rows: {"id":3}'* ]]
    run -1 rbtool revert v1.1.0 --yes
    [[ $output == *'check checks/notes.sql found rows: {"id":3}'* ]]
    settled_at v1.1.0
    sql 'DELETE FROM orders WHERE id = 3'
    rbtool revert v1.1.0 --yes
    [ "$(sql 'SELECT group_concat(note) FROM orders')" = a,b ]
    settled_at v1.0.0
}

@test "a database in UTF-16 is backed up and restored as any other" {
    sqlite3 "$PROD/data/shop.db" "PRAGMA encoding = 'UTF-16le'; CREATE TABLE first (a); DROP TABLE first;"
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'ä' || id WHERE id <= 3"
    move revert v1.1.0
    move deploy v1.1.0 --accept-reverted
    [ "$(sql 'SELECT group_concat(note) FROM orders; PRAGMA encoding')" = $'ä1,ä2,ä3\nUTF-16le' ]
}

@test "restored rows are in a full-text index with external content, if it was right before" {
    cat >migrations/0001_orders.up.sql <<'SQL'
CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, old INTEGER);
CREATE VIRTUAL TABLE found USING fts5(note, content=orders, content_rowid = 'id');
CREATE VIRTUAL TABLE "the 4th" USING fts4(note, content="orders");
CREATE VIRTUAL TABLE partial USING fts5(note, content = [orders], content_rowid = id);
CREATE TRIGGER gone AFTER DELETE ON orders BEGIN
  INSERT INTO found (found, rowid, note) VALUES ('delete', old.id, old.note);
END;
CREATE TRIGGER gone_4th BEFORE DELETE ON orders BEGIN DELETE FROM "the 4th" WHERE docid = old.id; END;
SQL
    echo 'DROP TABLE found; DROP TABLE "the 4th"; DROP TABLE partial; DROP TABLE orders;' >migrations/0001_orders.down.sql
    release v1.0.0
    change 2 'DELETE FROM orders WHERE old;' 'SELECT 1;'
    release v1.1.0 --accept RB002,RB003
    rbtool deploy v1.0.0 --yes
    sql "INSERT INTO orders VALUES (1, 'apple tree', 0), (2, 'banana', 1), (3, 'cherry apple', 1);
        INSERT INTO found (found) VALUES ('rebuild'); INSERT INTO \"the 4th\" (\"the 4th\") VALUES ('rebuild')"
    move deploy v1.1.0
    [ "$(sql "SELECT rowid FROM found('apple')")" = 1 ]
    move revert v1.1.0
    [ "$(sql "SELECT rowid FROM found('apple'); SELECT docid FROM \"the 4th\" WHERE note MATCH 'apple'")" = $'1\n3\n1\n3' ]
    # One that does not agree with the table is what the application wants it to be.
    [ "$(sql "SELECT count(*) FROM partial('apple')")" = 0 ]
}

@test "keys that scripts changed only in case come back, and those that they changed are named" {
    cat >migrations/0001_orders.up.sql <<'SQL'
CREATE TABLE orders (id INTEGER PRIMARY KEY, n INTEGER);
CREATE TABLE codes (code TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER);
CREATE TABLE made (code TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER);
SQL
    echo 'DROP TABLE made; DROP TABLE codes; DROP TABLE orders;' >migrations/0001_orders.down.sql
    release v1.0.0
    change 2 "UPDATE codes SET code = upper(code); UPDATE orders SET id = id + 100;
        DELETE FROM made; INSERT INTO made VALUES ('A', 7);" 'SELECT 1;'
    release v1.1.0 --accept RB002,RB003
    rbtool deploy v1.0.0 --yes
    sql "INSERT INTO codes VALUES ('a', 1), ('B', 2), ('c', 3); INSERT INTO made VALUES ('a', 7), ('b', 8);
        INSERT INTO orders VALUES (1, 1)"
    move deploy v1.1.0
    [ "$(sql 'SELECT code FROM codes')" = $'A\nB\nC' ]
    sql "UPDATE codes SET n = 9 WHERE code = 'c'"
    move revert v1.1.0
    [ "$(sql 'SELECT code FROM codes; SELECT * FROM made')" = $'a\nB\nC\na|7\nb|8' ]
    [ "$(jq -c '[.putBack[] | [.table, .column, .restored, .missing]] | sort' <<<"$document")" = \
        '[["codes","code",1,["c"]],["made",null,2,[]],["orders",null,0,[1]]]' ]
}

@test "what the scripts make again from restored rows is not at risk" {
    release v1.0.0
    change 2 'CREATE TABLE archive AS SELECT * FROM orders WHERE total < 0; DELETE FROM orders WHERE total < 0;' 'DROP TABLE archive;'
    release v1.1.0 --accept RB002,RB003
    rbtool deploy v1.0.0 --yes
    sql 'INSERT INTO orders (id, total) VALUES (1, 10), (2, -20)'
    move deploy v1.1.0
    [ "$(sql 'SELECT id FROM archive')" = 2 ]
    run -0 rbtool plan v1.1.0
    [[ $output == *'leaves the database: 1 row; does not come back by redeploying v1.1.0: nothing'* ]]
    rbtool revert v1.1.0 --yes
    [ "$(sql 'SELECT id FROM orders')" = $'1\n2' ]
    move deploy v1.1.0 --accept-reverted
    [ "$(sql 'SELECT id FROM archive; SELECT id FROM orders')" = $'2\n1' ]
}

@test "a plan names a backup that was changed, before anything is" {
    on_top 'ALTER TABLE orders ADD COLUMN note TEXT;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    sql "UPDATE orders SET note = 'mine'"
    move revert v1.1.0
    file=$(find "$PROD/.rbtool/backups" -name main.sqlite)
    echo more >>"$file"
    run -1 rbtool deploy v1.1.0 --accept-reverted -n
    [[ $output == *"the backup $file of transition "*" was changed: its SHA-256 is "* ]]
}
