#!/usr/bin/env bats
# What transitions of a PostgreSQL database take away, back up and restore, on a private server.

load lib
load transition
load rows
load postgres

setup_file() { pg_start; }
teardown_file() { pg_stop; }

setup() {
    home
    keys
    pg_database
    shop "$BATS_TEST_TMPDIR/shop"
    mkdir -p "$PROD/etc"
    jq --arg url "$PGURL" 'del(.checks) | .databases.main.engine = "postgresql" |
        .environments.prod.databases.main = $url' rbtool.json >new.json
    mv new.json rbtool.json
}

# As in rows.bash, with rows that every type takes part in.
on_top() { # UP DOWN
    release v1.0.0
    change 2 "$1" "$2"
    release v1.1.0 --accept RB002,RB003,RB010,RB011
    rbtool deploy v1.0.0 --yes
    pg 'INSERT INTO orders SELECT i, i * 100 FROM generate_series(1, 10) i'
}

orders() {
    pg "SELECT string_agg(id || '=' || total, ',' ORDER BY id) FROM orders"
}

# lost KEY: [TABLE,COLUMN,ROWS,VALUES] of the plan
lost() {
    rbtool plan --deploy v1.1.0 --json | jq -c "[.$1[] | [.table, .column, .rows, .values]]"
}

backup() {
    ls "$PROD"/.rbtool/backups/*/*.sql
}

# Types of every kind, with values that depend on settings.
notes() {
    cat >migrations/0001_orders.up.sql <<'SQL'
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, placed date, at timestamptz,
    took interval, ratio float8, price numeric(10, 2), mood mood DEFAULT 'ok', tags text[], j jsonb,
    raw bytea, "Say ""hi""" text, twice int GENERATED ALWAYS AS (total * 2) STORED);
SQL
    printf 'DROP TABLE orders;\nDROP TYPE mood;\n' >migrations/0001_orders.down.sql
}

columns='placed, at, took, ratio, price, mood, tags, j, raw, "Say ""hi"""'

fill_notes() {
    pg "UPDATE orders SET placed = date '2026-02-01' + id, at = '2026-03-04 05:06:07.123456+05',
        took = '1 mon 2 days 03:04:05', ratio = 0.1 + id / 3.0::float8, price = id + 0.5, mood = 'sad',
        tags = ARRAY['a,b', E'tab\there', NULL], j = '{\"a\": [1, null]}', raw = '\\x00ff',
        \"Say \"\"hi\"\"\" = E'line\nline \\\\ \"x\"' WHERE id <= 7"
}

contents() {
    pg "SELECT md5(string_agg(o::text, E'\n' ORDER BY id)) FROM (SELECT id, total, $columns FROM orders) o"
}

@test "a dropped column's values are named by the plan, backed up, and restored by the revert" {
    echo 'ALTER TABLE orders ADD COLUMN note text;' >>migrations/0001_orders.up.sql
    on_top 'ALTER TABLE orders DROP COLUMN note;' 'ALTER TABLE orders ADD COLUMN note text;'
    pg "UPDATE orders SET note = 'note ' || id WHERE id < 9"
    [ "$(lost dataAtRisk)" = '[["orders","note",10,8]]' ]
    fails 5 'the plan loses data: orders.note (8 values)' rbtool deploy v1.1.0 --yes
    move deploy v1.1.0
    [ "$(stat -c %a "$(backup)")" = 600 ]
    pg 'UPDATE orders SET total = 1 WHERE id = 4' 'INSERT INTO orders VALUES (11, 0)'
    move revert v1.1.0
    [ "$(put_back)" = '[["orders","note",7,1]]' ]
    [ "$(jq -c '.putBack[0] | [.missing, .reason]' <<<"$document")" = '[[4],"the rows were changed since"]' ]
    [ "$(pg "SELECT string_agg(note, ',' ORDER BY id) FROM orders")" = 'note 1,note 2,note 3,note 5,note 6,note 7,note 8' ]
    settled_at v1.0.0
}

@test "plan, deploy and revert go by the proofs and start no server; --rehearse finds what comes back" {
    on_top 'UPDATE orders SET total = total * 2;' 'UPDATE orders SET total = total / 2;'
    export RBTOOL_SCRATCH_CACHE=$BATS_TEST_TMPDIR/cache
    mkdir -m 700 "$RBTOOL_SCRATCH_CACHE"
    run -5 --separate-stderr rbtool plan --deploy v1.1.0 --json
    [ "$(jq -c '[.rehearsed, [.dataAtRisk[] | [.table, .column, .values]]]' <<<"$output")" = '[false,[["orders","total",10]]]' ]
    run -5 rbtool plan --deploy v1.1.0
    [[ $output == *'were not tried on a copy'*'--rehearse'* ]]
    run -0 --separate-stderr env -u RBTOOL_SCRATCH_CACHE rbtool plan --deploy v1.1.0 --rehearse --json
    [ "$(jq -c '[.rehearsed, .dataAtRisk]' <<<"$output")" = '[true,[]]' ]
    move deploy v1.1.0
    move revert v1.1.0
    [ "$(orders)" = 1=100,2=200,3=300,4=400,5=500,6=600,7=700,8=800,9=900,10=1000 ]
    [ -z "$(ls "$RBTOOL_SCRATCH_CACHE")" ]
}

@test "the first deploy into an empty database goes by the proofs, and shows drift in it" {
    release v1.0.0
    run -0 --separate-stderr rbtool plan --deploy v1.0.0 --json
    [ "$(jq .rehearsed <<<"$output")" = false ]
    pg 'CREATE TABLE other (id int)'
    fails 5 'other' rbtool plan --deploy v1.0.0
    pg 'DROP TABLE other'
    rbtool deploy v1.0.0 --yes
    [ "$(pg 'SELECT count(*) FROM orders')" = 0 ]
}

@test "what a trigger writes that was added to a released schema is not missed: the database is rehearsed" {
    on_top "UPDATE orders SET total = 0 WHERE id = -1;" 'SELECT 1;'
    pg 'CREATE TABLE audit (what text)' "INSERT INTO audit VALUES ('one')" \
        "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM audit; RETURN NULL; END'" \
        'CREATE TRIGGER forget AFTER UPDATE ON orders EXECUTE FUNCTION forget()'
    run -5 --separate-stderr rbtool plan --deploy v1.1.0 --json
    [ "$(jq -c '[.rehearsed, [.dataAtRisk[] | [.table, .column, .rows]]]' <<<"$output")" = '[true,[["audit",null,1]]]' ]
}

@test "values of every type come back as they were, whatever the database's settings are" {
    notes
    on_top "ALTER TABLE orders DROP COLUMN placed, DROP COLUMN at, DROP COLUMN took, DROP COLUMN ratio,
        DROP COLUMN price, DROP COLUMN mood, DROP COLUMN tags, DROP COLUMN j, DROP COLUMN raw,
        DROP COLUMN \"Say \"\"hi\"\"\"; DROP TYPE mood;" \
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); ALTER TABLE orders ADD COLUMN placed date,
        ADD COLUMN at timestamptz, ADD COLUMN took interval, ADD COLUMN ratio float8,
        ADD COLUMN price numeric(10, 2), ADD COLUMN mood mood DEFAULT 'ok', ADD COLUMN tags text[],
        ADD COLUMN j jsonb, ADD COLUMN raw bytea, ADD COLUMN \"Say \"\"hi\"\"\" text;"
    fill_notes
    before=$(contents)
    for setting in "DateStyle = 'SQL, DMY'" "IntervalStyle = sql_standard" "TimeZone = 'Asia/Kolkata'" \
        'extra_float_digits = -5' 'bytea_output = escape' 'standard_conforming_strings = off'; do
        pg "ALTER DATABASE $PGNAME SET $setting"
    done
    move deploy v1.1.0
    pg "ALTER DATABASE $PGNAME RESET ALL"
    move revert v1.1.0
    [ "$(contents)" = "$before" ]
    settled_at v1.0.0
}

@test "rows that TRUNCATE, DELETE or a DO block destroy come back, with the position of the sequence" {
    cat >>migrations/0001_orders.up.sql <<'SQL'
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
CREATE TABLE lines (id serial PRIMARY KEY, "order" int REFERENCES orders ON DELETE CASCADE);
SQL
    printf 'DROP TABLE lines;\nDROP TABLE events;\nDROP TABLE orders;\n' >migrations/0001_orders.down.sql
    on_top "TRUNCATE events RESTART IDENTITY; SELECT setval('lines_id_seq', 1000);
        DO \$\$ BEGIN EXECUTE format('DELETE FROM %I WHERE id < 4', 'orders'); END \$\$;" 'SELECT 1;'
    pg "INSERT INTO events(what) SELECT 'event ' || i FROM generate_series(1, 5) i" 'INSERT INTO lines("order") SELECT id FROM orders'
    [ "$(lost bound)" = '[["events",null,5,0],["lines",null,10,0],["orders",null,10,0]]' ]
    move deploy v1.1.0
    [ "$(pg 'SELECT count(*) FROM events')" = 0 ]
    [ "$(orders)" = 4=400,5=500,6=600,7=700,8=800,9=900,10=1000 ]
    move revert v1.1.0
    [ "$(pg "SELECT string_agg(id || what, ',' ORDER BY id) FROM events")" = '1event 1,2event 2,3event 3,4event 4,5event 5' ]
    [ "$(pg 'SELECT count(*) FROM lines WHERE "order" < 4')" = 3 ]
    [ "$(orders)" = 1=100,2=200,3=300,4=400,5=500,6=600,7=700,8=800,9=900,10=1000 ]
}

@test "a dropped table's rows come back, but for those that a foreign key refuses" {
    printf 'CREATE TABLE lines (id int PRIMARY KEY, "order" int NOT NULL REFERENCES orders);\n' >>migrations/0001_orders.up.sql
    printf 'DROP TABLE lines;\nDROP TABLE orders;\n' >migrations/0001_orders.down.sql
    on_top 'DROP TABLE lines;' 'CREATE TABLE lines (id int PRIMARY KEY, "order" int NOT NULL REFERENCES orders);'
    pg 'INSERT INTO lines SELECT id * 10, id FROM orders'
    move deploy v1.1.0
    pg 'DELETE FROM orders WHERE id = 3'
    move revert v1.1.0
    [ "$(put_back)" = '[["lines",null,9,1]]' ]
    [ "$(jq -c '.putBack[0] | [.missing, .reason]' <<<"$document")" = '[[30],"a constraint of the table refuses them"]' ]
    [ "$(pg 'SELECT count(*) FROM lines')" = 9 ]
}

# Inserts rows until the file is gone.
writer() {
    while [ -e "$BATS_TEST_TMPDIR/write" ]; do
        pg "INSERT INTO orders(id, total) SELECT max(id) + 1, 7 FROM orders" 2>/dev/null || true
    done
}

@test "rows that a writer adds between plan and revert are in the backup" {
    on_top 'ALTER TABLE orders ADD COLUMN note text;' 'ALTER TABLE orders DROP COLUMN note;'
    rbtool deploy v1.1.0 --yes
    pg "UPDATE orders SET note = 'typed'" "ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'written'"
    touch "$BATS_TEST_TMPDIR/write"
    writer 3>&- &
    wait_for written 15
    digest=$(rbtool plan --json | jq -r .digest)
    wait_for written 30
    rbtool revert v1.1.0 --yes --accept-drift --accept-data-loss "$digest"
    rm "$BATS_TEST_TMPDIR/write"
    wait
    backed=$(sed -n '/^COPY rbtool_backup/,/^\\\.$/p' "$(backup)" | grep -c $'\t')
    [ "$backed" -ge 30 ]
    [ "$(grep -c $'\twritten\t' "$(backup)")" -ge 20 ]
}

written() {
    [ "$(pg 'SELECT count(*) FROM orders')" -ge "$1" ]
}

@test "a backup is loaded, and restored, by psql alone" {
    notes
    on_top 'DELETE FROM orders WHERE id <= 2; UPDATE orders SET total = 0 WHERE id = 3; ALTER TABLE orders DROP COLUMN mood; DROP TYPE mood;' \
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); ALTER TABLE orders ADD COLUMN mood mood DEFAULT 'ok';"
    fill_notes
    before=$(contents)
    move deploy v1.1.0
    file=$BATS_TEST_TMPDIR/backup.sql
    cp "$(backup)" "$file"
    psql -qX -v ON_ERROR_STOP=1 -f "$file" "$PGURL"
    [ "$(pg 'SELECT count(*), count(rbtool_state) FROM rbtool_backup."orders (rows)"')" = '10|8' ]
    pg 'DROP SCHEMA rbtool_backup CASCADE' "CREATE TYPE mood AS ENUM ('sad', 'ok')" "ALTER TABLE orders ADD COLUMN mood mood DEFAULT 'ok'"
    psql -qX -v ON_ERROR_STOP=1 -v restore=1 -f "$file" "$PGURL"
    [ "$(contents)" = "$before" ]
}

@test "a row of a backup is restored by hand" {
    on_top 'DELETE FROM orders WHERE id <= 2;' 'SELECT 1;'
    move deploy v1.1.0
    id=$(rbtool backups --json | jq -r '.backups[0].id')
    rbtool restore "$id" --yes
    [ "$(pg 'SELECT count(*) FROM orders WHERE id <= 2')" = 2 ]
}

@test "a restore by hand names what the database has no place for" {
    on_top "ALTER TABLE orders ADD COLUMN muted text; UPDATE orders SET total = total + 1;" \
        "UPDATE orders SET total = total - 1; ALTER TABLE orders DROP COLUMN muted;"
    move deploy v1.1.0
    pg "UPDATE orders SET muted = 'yes' WHERE id <= 3"
    move revert v1.1.0
    id=$(rbtool backups --json | jq -r '.backups[0].id')
    run -1 --separate-stderr rbtool restore "$id" -n
    [[ $output == *'orders.muted: 0 would be restored, 3 not: the table does not have that column now; for example [1,2,3]'* ]]
    run -1 --separate-stderr rbtool restore "$id" -n --json
    schema restore <<<"$output"
    [ "$(jq -c '.tables[] | select(.column == "muted") | [.restored, .missingCount]' <<<"$output")" = '[0,3]' ]
}

@test "of two tables whose names differ in case only, the one that was dropped is backed up and restored" {
    printf 'CREATE TABLE "Guests" (id int PRIMARY KEY);\nCREATE TABLE guests (id int PRIMARY KEY, name text);\n' \
        >>migrations/0001_orders.up.sql
    printf 'DROP TABLE "Guests", guests;\n' >>migrations/0001_orders.down.sql
    on_top 'DROP TABLE guests;' 'CREATE TABLE guests (id int PRIMARY KEY, name text);'
    pg 'INSERT INTO "Guests" VALUES (1), (2), (3)'
    pg "INSERT INTO guests VALUES (7, 'Ada'), (8, 'Bob')"
    [ "$(lost dataAtRisk)" = '[["guests",null,2,0]]' ]
    move deploy v1.1.0
    move revert v1.1.0
    [ "$(pg "SELECT string_agg(id || name, ',' ORDER BY id) FROM guests")" = 7Ada,8Bob ]
    [ "$(pg 'SELECT count(*) FROM "Guests"')" = 3 ]
}

@test "a release that edits a migration of the one before is deployed, and what that leaves is named" {
    release v1.0.0
    echo "ALTER TABLE orders ADD CHECK (total >= 0);" >>migrations/0001_orders.up.sql
    release v1.1.0 --accept RB004
    rbtool deploy v1.0.0 --yes
    fails 5 'migration 1 was edited after it had been released (RB004)' rbtool deploy v1.1.0 --yes
    move deploy v1.1.0
    settled_at v1.1.0
    move revert v1.1.0
    settled_at v1.0.0
}

@test "values of a table without a key are backed up as whole rows, and the revert names them" {
    printf '%s\n' 'CREATE TABLE files (path text, kind text);' \
        "CREATE TABLE tags (id text GENERATED ALWAYS AS (name || ':' || kind) STORED PRIMARY KEY, name text, kind text);" \
        >>migrations/0001_orders.up.sql
    printf 'DROP TABLE files;\nDROP TABLE tags;\n' >>migrations/0001_orders.down.sql
    on_top "UPDATE files SET kind = 'ebook' WHERE kind = 'book'; UPDATE tags SET kind = 'ebook' WHERE kind = 'book';" \
        "UPDATE files SET kind = 'book' WHERE kind = 'ebook'; UPDATE tags SET kind = 'book' WHERE kind = 'ebook';"
    pg "INSERT INTO files VALUES ('a', 'book'), ('b', 'ebook'), ('c', 'film')" \
        "INSERT INTO tags (name, kind) SELECT path, kind FROM files"
    fails 5 'and nobody changed it, except in tables without a key: files, tags; nothing' rbtool deploy v1.1.0 --yes
    move deploy v1.1.0
    grep -q $'\tb\tebook\t' "$(backup)"
    run -5 rbtool plan v1.1.0
    [[ $output == *'files.kind is not restored from backup '*': the table has no key to find its rows by'* ]]
    [[ $output != *'restores from backup'* ]]
    move revert v1.1.0
    [ "$(put_back)" = '[["files",null,0,1],["tags",null,0,1]]' ]
    [[ $(jq -r '.putBack[0].reason' <<<"$document") == 'the table has no key and is not empty' ]]
    [ "$(pg "SELECT string_agg(kind, ',' ORDER BY path) FROM files")" = book,book,film ]
}

@test "rows of a child count for its parent, whose own file is empty" {
    echo 'CREATE TABLE events (id int, note text); CREATE TABLE events_old () INHERITS (events);' \
        >>migrations/0001_orders.up.sql
    echo 'DROP TABLE events CASCADE;' >>migrations/0001_orders.down.sql
    on_top 'DELETE FROM events; DROP TABLE orders;' \
        'CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);'
    pg "INSERT INTO events_old SELECT i, 'note' FROM generate_series(1, 3) i"
    lost dataAtRisk
    lost dataAtRisk | grep -q '"events",null,3,0'
}
