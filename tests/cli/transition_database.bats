# Transitions and databases that others have touched, several databases, back-outs in parts.

setup() {
    load lib
    load transition
    host
}

# A second database, whose check would find no table in the first.
second_database() {
    jq --arg url "sqlite:$PROD/data/audit.db" '.checks.sql = ["checks/**/*.sql"] | .databases.audit = {engine: "sqlite", migrations: "audit"}
        | .environments.prod.databases.audit = $url' rbtool.json >new.json
    mv new.json rbtool.json
    mkdir audit checks/audit
    git mv checks/totals.sql checks/main.sql
    echo 'CREATE TABLE events (id INTEGER PRIMARY KEY, what TEXT);' >audit/1_events.up.sql
    echo 'DROP TABLE events;' >audit/1_events.down.sql
    echo "SELECT id FROM events WHERE what = 'bad'" >checks/audit/events.sql
}

audit() {
    sqlite3 "$PROD/data/audit.db" "$@"
}

two_with_audit() {
    second_database
    release v1.0.0
    second
    echo 'ALTER TABLE events ADD COLUMN who TEXT;' >audit/2_who.up.sql
    echo 'ALTER TABLE events DROP COLUMN who;' >audit/2_who.down.sql
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    sql 'INSERT INTO orders VALUES (1, 100)'
    audit "INSERT INTO events VALUES (1, 'opened')"
}

@test "several databases change together, each with its own checks" {
    two_with_audit
    rbtool deploy v1.1.0 --yes
    sql 'SELECT discount FROM orders'
    audit 'SELECT who FROM events'
    settled_at v1.1.0
    rbtool revert v1.1.0 --yes
    fails 1 'no such column' sql 'SELECT discount FROM orders'
    fails 1 'no such column' audit 'SELECT who FROM events'
    settled_at v1.0.0
}

@test "a check whose path names no database says where it ran, and how it is moved to another one" {
    two_with_audit
    echo 'SELECT id FROM orders WHERE total < 0;' >checks/late.sql
    release v1.1.1
    fails 1 'check checks/late.sql failed to run in the first database, as its path names none' rbtool deploy v1.1.1 --yes
    settled_at v1.0.0
}

@test "a user_version that the down does not reset is refused, and reported when accepted" {
    echo 'PRAGMA user_version = 1;' >migrations/0002_version.up.sql
    echo 'PRAGMA user_version = 0;' >migrations/0002_version.down.sql
    release v1.0.0
    echo 'CREATE INDEX total ON orders (total); PRAGMA user_version = 2;' >migrations/0003_index.up.sql
    echo 'DROP INDEX total;' >migrations/0003_index.down.sql
    run release v1.1.0
    [ "$status" -eq 1 ]
    [[ $output == *"RB002"*"its down leaves setting user_version changed"* ]]
    rbtool release v1.1.0 --accept RB002
    # The manifest names the object by its parts, never by a joined string.
    [ "$(git cat-file tag v1.1.0 | sed '1,/BEGIN RELEASE MANIFEST/d; /END RELEASE MANIFEST/,$d' |
        jq -c '.predicate.databases[0].proof.migrations[0].differences')" = \
        '[{"change":"changed","kind":"setting","name":"user_version","schema":null,"table":null}]' ]
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    run rbtool revert v1.1.0 --yes
    [ "$status" -eq 5 ]
    [[ $output == *"known residual"*"setting user_version changed"* ]]
    [ "$(sql 'PRAGMA user_version')" = 2 ]
    settled_at v1.1.0
}

@test "two databases on one file are refused under any name of it" {
    local other
    two_with_audit
    ln -s shop.db "$PROD/data/link.db"
    ln "$PROD/data/shop.db" "$PROD/data/hard.db"
    ln -s data "$PROD/dir"
    for other in data/shop.db data/link.db data/hard.db dir/shop.db; do
        settings ".environments.prod.databases.audit = \"sqlite:$PROD/$other\""
        fails 2 "environments.prod.databases.main and databases.audit are one and the same database" \
            rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    done
    # Files that the first deploy is to make.
    settings ".environments.prod.databases = {main: \"sqlite:$PROD/data/new.db\", audit: \"sqlite:$PROD/dir/new.db\"}"
    fails 2 "are one and the same database" rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    settled_at v1.0.0
}

@test "none of several databases is committed if one does not verify" {
    two_with_audit
    audit "INSERT INTO events VALUES (2, 'bad')"
    fails 1 "checks/audit/events.sql found rows" rbtool deploy v1.1.0 --yes
    settled_at v1.0.0
    audit 'DELETE FROM events WHERE id = 2'
}

@test "after a kill between two commits, resume ends at TO and abort at FROM" {
    two_with_audit
    command -v strace >/dev/null || skip "strace is not installed"
    local n log=$BATS_TEST_TMPDIR/trace tried=0
    # The unlink of a database's journal is its commit: audit's comes first.
    for way in resume abort; do
        for ((n = 1; n < 60; n++)); do
            run strace -f -o "$log" -e trace=unlink -e inject="unlink:signal=KILL:when=$n" \
                rbtool deploy v1.1.0 --yes --accept-reverted
            [ "$status" -ne 0 ] || break
            if audit 'SELECT who FROM events' >/dev/null 2>&1 &&
                ! sql 'SELECT discount FROM orders' >/dev/null 2>&1; then
                tried=$((tried + 1))
                [[ $(rbtool status) == *"; database audit is at v1.1.0, database main still at v1.0.0, and files are at v1.1.0"* ]]
                rbtool $way --yes
                [ $way = resume ] || settled_at v1.0.0
                break
            fi
            rbtool abort --yes
        done
        [ $way = resume ] || continue
        settled_at v1.1.0
        sql 'SELECT discount FROM orders'
        rbtool revert v1.1.0 --yes
    done
    [ "$tried" -eq 2 ]
    fails 1 'no such column' audit 'SELECT who FROM events'
}

@test "a first deploy adopts what golang-migrate has migrated" {
    release v1.0.0
    second
    rbtool release v1.1.0
    sql "CREATE TABLE schema_migrations (version uint64, dirty bool);
        CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
        INSERT INTO schema_migrations VALUES (1, 0);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);
        INSERT INTO orders VALUES (1, 5)"
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
    [ "$(sql 'SELECT version FROM schema_migrations')" = 2 ]
    [ "$(sql 'SELECT id, total FROM orders')" = '1|5' ]
    rbtool revert v1.1.0 --to v1.0.0 --yes
    [ "$(sql 'SELECT version FROM schema_migrations')" = 1 ]
}

@test "additional tables that a first deploy finds are drift and are not removed" {
    release v1.0.0
    sql "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes VALUES (1, 'x')"
    fails 5 "table notes" rbtool deploy v1.0.0 --yes
    rbtool deploy v1.0.0 --yes --accept-drift
    [ "$(sql 'SELECT text FROM notes')" = x ]
}

@test "a manually created table is unchanged by a revert" {
    two_releases
    rbtool deploy v1.1.0 --yes
    sql "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes VALUES (1, 'x');
        ALTER TABLE orders ADD COLUMN by_hand INTEGER"
    fails 5 "drifted" rbtool revert v1.1.0 --yes
    rbtool revert v1.1.0 --yes --accept-drift
    [ "$(sql 'SELECT text FROM notes')" = x ]
    sql 'SELECT by_hand FROM orders LIMIT 1'
    fails 1 'no such column' sql 'SELECT discount FROM orders'
}

@test "an object that drifted and that the transition changes ends as released" {
    two_releases
    rbtool deploy v1.1.0 --yes
    sql 'ALTER TABLE orders DROP COLUMN discount; ALTER TABLE orders ADD COLUMN discount TEXT'
    run rbtool plan v1.1.0 --json
    [ "$(jq -r '[.drift[] | select(.path == "main: column orders.discount")][0].expected' <<<"$output")" = \
        "as released; this transition changes it" ]
    fails 5 "drifted" rbtool revert v1.1.0 --yes
    rbtool revert v1.1.0 --yes --accept-drift
    settled_at v1.0.0
    # What it had drifted to is not what the release is.
    rbtool deploy v1.1.0 --yes --accept-reverted
    settled_at v1.1.0
}

# A release whose second migration makes a table and a column.
with_notes() {
    printf 'CREATE TABLE notes (id INTEGER PRIMARY KEY); ALTER TABLE orders ADD COLUMN d INTEGER;' \
        >migrations/0002_notes.up.sql
    printf 'DROP TABLE notes; ALTER TABLE orders DROP COLUMN d;' >migrations/0002_notes.down.sql
}

@test "drift on a table is removed when the transition drops the table" {
    release v1.0.0
    with_notes
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    sql 'CREATE INDEX by_hand ON notes (id); ALTER TABLE notes ADD COLUMN more INTEGER;
        CREATE TRIGGER guard AFTER INSERT ON NOTES BEGIN SELECT 1; END; INSERT INTO notes VALUES (1, 5)'
    run rbtool plan v1.1.0 --json
    [ "$(jq -c '[.drift[] | [.path, .expected]]' <<<"$output")" = '[["main: column notes.more","as released; this transition drops its table"],["main: index by_hand","as released; this transition drops its table"],["main: trigger guard","as released; this transition drops its table"]]' ]
    fails 5 "drifted" rbtool revert v1.1.0 --yes
    fails 5 "--accept-data-loss" rbtool revert v1.1.0 --yes --accept-drift
    rbtool revert v1.1.0 --yes --accept-drift --accept-data-loss "$(digest v1.1.0)"
    settled_at v1.0.0
    # What was never the release's is not expected of it again.
    rbtool deploy v1.1.0 --yes --accept-reverted
    settled_at v1.1.0
}

@test "drift that a deploy accepted is removed with its table too" {
    release v1.0.0
    with_notes
    release v1.1.0
    release v1.2.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    sql 'CREATE INDEX by_hand ON notes (id)'
    rbtool deploy v1.2.0 --yes --accept-drift
    rbtool revert v1.2.0 --to v1.0.0 --yes
    settled_at v1.0.0
}

@test "drift that makes a script fail is named, with a hint" {
    local by_hand
    release v1.0.0
    with_notes
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    for by_hand in 'INDEX by_hand ON orders (d)' 'VIEW by_hand AS SELECT d FROM orders' \
        'VIEW by_hand AS SELECT id FROM notes'; do
        sql "CREATE $by_hand"
        fails 1 "drift stands in the way ($(tr A-Z a-z <<<"${by_hand%% *}") by_hand added): undo it" \
            rbtool revert v1.1.0 --yes --accept-drift
        sql "DROP ${by_hand%% *} by_hand"
    done
    sql 'ALTER TABLE orders DROP COLUMN d'
    fails 1 "drift may stand in the way (column orders.d removed)" \
        rbtool revert v1.1.0 --yes --accept-drift
}

@test "a script that rebuilds a table and loses its drift is refused, and the drift is named" {
    release v1.0.0
    echo 'ALTER TABLE orders ADD COLUMN d INTEGER;' >migrations/0002_d.up.sql
    echo 'CREATE TABLE new (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);
        INSERT INTO new SELECT id, total FROM orders; DROP TABLE orders;
        ALTER TABLE new RENAME TO orders;' >migrations/0002_d.down.sql
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    sql 'CREATE INDEX by_hand ON orders (total)'
    fails 1 "v1.0.0: index by_hand removed; drift stands in the way (index by_hand added): undo it" \
        rbtool revert v1.1.0 --yes --accept-drift
    [ "$(sql "SELECT name FROM sqlite_schema WHERE name = 'by_hand'")" = by_hand ]
    sql 'DROP INDEX by_hand'
    rbtool revert v1.1.0 --yes
}

@test "resume accepts a database that was manually brought to TO" {
    two_releases
    rbtool deploy v1.1.0 --yes
    settings '.environments.prod.service = {stop: ["sh", "-c", "kill -9 $PPID"], start: ["true"]}'
    run rbtool --config "$SETTINGS" revert v1.1.0 --yes
    [ "$status" -eq 137 ]
    sql 'ALTER TABLE orders DROP COLUMN discount'
    rbtool resume --yes
    settled_at v1.0.0
    [ "$(sql 'SELECT count(*) FROM rbtool_applied')" = 1 ]
    run rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-reverted
    [ "$status" -eq 137 ]
    sql 'ALTER TABLE orders ADD COLUMN discount INTEGER'
    rbtool resume --yes
    settled_at v1.1.0
}

@test "a resume whose script fails undoes the transition and says where the environment is" {
    two_releases
    rbtool deploy v1.1.0 --yes
    settings '.environments.prod.service = {stop: ["sh", "-c", "kill -9 $PPID"], start: ["true"]}'
    run rbtool --config "$SETTINGS" revert v1.1.0 --yes
    sql 'ALTER TABLE orders RENAME COLUMN discount TO other'
    fails 1 "discount" rbtool resume --yes
    [[ $output == *"nothing was changed, prod stays at v1.1.0"* ]]
    [ "$(rbtool status --json | jq -r '.state + " " + .release')" = "settled v1.1.0" ]
    [ "$(sql 'SELECT count(other) FROM orders')" = 0 ]
}

@test "a backup is restored column by column, as soon as each column exists again" {
    two_releases
    echo 'ALTER TABLE orders ADD COLUMN note TEXT;' >migrations/0003_note.up.sql
    echo 'ALTER TABLE orders DROP COLUMN note;' >migrations/0003_note.down.sql
    release v1.2.0
    rbtool deploy v1.2.0 --yes
    sql "UPDATE orders SET discount = id, note = 'n' || id"
    rbtool revert v1.2.0 --to v1.0.0 --yes --accept-data-loss "$(digest v1.2.0 --to v1.0.0)"
    rbtool deploy v1.1.0 --yes
    [ "$(sql 'SELECT count(discount) FROM orders')" = 10 ]
    sql 'UPDATE orders SET discount = NULL WHERE id = 1'
    rbtool deploy v1.2.0 --yes --accept-reverted
    [ "$(sql 'SELECT count(discount), count(note) FROM orders')" = '9|10' ]
}

@test "revert undoes migrations that a later release inserted between older ones" {
    two_releases
    rbtool deploy v1.1.0 --yes
    before=$(sql .schema | grep -v rbtool_ | sort)
    echo 'CREATE TABLE late (id INTEGER PRIMARY KEY);' >migrations/00015_late.up.sql
    echo 'DROP TABLE late;' >migrations/00015_late.down.sql
    release v1.2.0 --accept RB008
    rbtool deploy v1.2.0 --yes
    sql 'SELECT * FROM late'
    settled_at v1.2.0
    rbtool revert v1.2.0 --yes
    [ "$(sql .schema | grep -v rbtool_ | sort)" = "$before" ]
    rbtool deploy v1.2.0 --yes --accept-reverted
    rbtool revert v1.2.0 --to v1.0.0 --yes
    settled_at v1.0.0
}

applied() {
    sql 'SELECT group_concat(id) FROM (SELECT id FROM rbtool_applied ORDER BY sequence)'
}

@test "a migration of which only the id changed is renumbered, and no script runs" {
    two_releases
    for way in up down; do git mv migrations/000{2,5}_discount.$way.sql; done
    echo 'CREATE TABLE notes (id INTEGER PRIMARY KEY);' >migrations/0004_notes.up.sql
    echo 'DROP TABLE notes;' >migrations/0004_notes.down.sql
    release v1.2.0 --accept RB004,RB008
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = id'
    run rbtool deploy v1.2.0 --dry-run --json
    [ "$(jq -c '[.databases[0].scripts[] | .direction + " " + .id]' <<<"$output")" = '["up 4"]' ]
    [[ $(jq -r '.notes[]' <<<"$output") == *"migration 2 is applied, and has id 5"* ]]
    rbtool deploy v1.2.0 --yes
    settled_at v1.2.0
    [ "$(applied)" = 1,5,4 ]
    [ "$(sql 'SELECT version FROM schema_migrations')" = 5 ]
    rbtool revert v1.2.0 --yes
    settled_at v1.1.0
    [ "$(applied)" = 1,2 ]
    [ "$(sql 'SELECT version FROM schema_migrations')" = 2 ]
    [ "$(sql 'SELECT sum(discount) FROM orders')" = 55 ]
}

@test "a migration with another id and other bytes, or with a duplicate, is not renumbered" {
    two_releases
    for way in up down; do git mv migrations/000{2,5}_discount.$way.sql; done
    echo '-- other bytes' >>migrations/0005_discount.down.sql
    release v1.2.0 --accept RB004,RB008
    for way in up down; do echo 'SELECT 1;' >migrations/0006_twin.$way.sql; done
    release v1.3.0 --accept RB004,RB008
    for way in up down; do
        git mv migrations/000{6,7}_twin.$way.sql
        cp migrations/0007_twin.$way.sql migrations/0008_twin.$way.sql
    done
    release v1.4.0 --accept RB004,RB008
    rbtool deploy v1.1.0 --yes
    [ "$(rbtool deploy v1.2.0 -n --json | jq -c '[.databases[0].scripts[] | .direction + " " + .id]')" = \
        '["down 2","up 5"]' ]
    rbtool deploy v1.3.0 --yes
    [ "$(rbtool deploy v1.4.0 -n --json | jq -c '[.databases[0].scripts[] | .direction + " " + .id]')" = \
        '["down 6","up 7","up 8"]' ]
    rbtool deploy v1.4.0 --yes
    settled_at v1.4.0
}

@test "renumbering updates a tracking table with one row per version" {
    rm migrations/*
    printf -- '-- migrate:up\nCREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER);\n-- migrate:down\nDROP TABLE orders;\n' \
        >migrations/0001_orders.sql
    release v1.0.0
    git mv migrations/0001_orders.sql migrations/0002_orders.sql
    release v1.1.0 --accept RB004,RB008
    rbtool deploy v1.0.0 --yes
    sql 'INSERT INTO orders VALUES (1, 5)'
    rbtool deploy v1.1.0 --yes
    [ "$(sql 'SELECT version FROM schema_migrations')" = 0002 ]
    [ "$(sql 'SELECT total FROM orders')" = 5 ]
    settled_at v1.1.0
    rbtool revert v1.1.0 --yes
    [ "$(sql 'SELECT version FROM schema_migrations')" = 0001 ]
    settled_at v1.0.0
}

# One index made by hand and accepted, on a table of the first release: live is v1.1.0.
with_hotfix() {
    two_releases
    sql 'CREATE INDEX hot ON orders (total)'
    rbtool deploy v1.1.0 --yes --accept-drift
    settled_at v1.1.0
}

@test "a manual hotfix that a later release contains as a migration is undone with that release" {
    with_hotfix
    echo 'CREATE INDEX IF NOT EXISTS hot ON orders (total);' >migrations/0003_hot.up.sql
    echo 'DROP INDEX hot;' >migrations/0003_hot.down.sql
    release v1.2.0
    rbtool deploy v1.2.0 --yes
    rbtool revert v1.2.0 --yes
    settled_at v1.1.0
    [ -z "$(sql "SELECT name FROM sqlite_schema WHERE name = 'hot'")" ]
    # also past the release that had it
    rbtool mark v1.2.0 good -m again
    rbtool deploy v1.2.0 --yes
    rbtool revert v1.2.0 --to v1.0.0 --yes
    settled_at v1.0.0
}

@test "a migration can drop a manually created object if it names it" {
    with_hotfix
    echo 'DROP INDEX IF EXISTS hot;' >migrations/0003_drop.up.sql
    echo 'SELECT 1;' >migrations/0003_drop.down.sql
    release v1.2.0
    rbtool deploy v1.2.0 --yes
    settled_at v1.2.0
    rbtool revert v1.2.0 --yes
    rbtool status --exit-code
}

@test "accepted drift that was manually dropped again is not required by a deploy" {
    with_hotfix
    echo 'CREATE TABLE c (id INTEGER PRIMARY KEY);' >migrations/0003_c.up.sql
    echo 'DROP TABLE c;' >migrations/0003_c.down.sql
    release v1.2.0
    sql 'DROP INDEX hot'
    rbtool deploy v1.2.0 --yes
    settled_at v1.2.0
    rbtool revert v1.2.0 --yes
    rbtool status --exit-code
}

@test "a script that rebuilds a table without an accepted index is still refused" {
    with_hotfix
    printf 'CREATE TABLE o2 (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, discount INTEGER);
INSERT INTO o2 SELECT * FROM orders; DROP TABLE orders; ALTER TABLE o2 RENAME TO orders;\n' >migrations/0003_o.up.sql
    echo 'SELECT 1;' >migrations/0003_o.down.sql
    release v1.2.0 --accept RB007
    fails 1 "index hot removed" rbtool deploy v1.2.0 --yes --accept-drift
    settled_at v1.1.0
    [ -n "$(sql "SELECT name FROM sqlite_schema WHERE name = 'hot'")" ]
}

@test "an index that a script names only in a comment still counts as lost" {
    with_hotfix
    printf -- "-- nothing is done to hot here: 'hot'
CREATE TABLE o2 (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, discount INTEGER);
INSERT INTO o2 SELECT * FROM orders; DROP TABLE orders; ALTER TABLE o2 RENAME TO orders;\n" >migrations/0003_o.up.sql
    echo 'SELECT 1;' >migrations/0003_o.down.sql
    release v1.2.0 --accept RB007
    fails 1 "index hot removed" rbtool deploy v1.2.0 --yes --accept-drift
    settled_at v1.1.0
}

@test "an accepted migration that sorts before released ones is deployed, reverted and deployed from empty" {
    echo 'ALTER TABLE orders ADD COLUMN c TEXT;' >migrations/0003_c.up.sql
    echo 'ALTER TABLE orders DROP COLUMN c;' >migrations/0003_c.down.sql
    release v1.0.0
    echo 'ALTER TABLE orders ADD COLUMN b TEXT;' >migrations/0002_b.up.sql
    echo 'ALTER TABLE orders DROP COLUMN b;' >migrations/0002_b.down.sql
    release v1.1.0 --accept RB008
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
    rm -rf "$PROD"
    mkdir -p "$PROD/data" "$PROD/etc"
    rbtool deploy v1.1.0 --yes --accept-reverted
    settled_at v1.1.0
}

@test "resume has the statement timeout that its deploy was given" {
    two_releases
    echo 1.2.0 >VERSION
    echo "CREATE TABLE x (a); INSERT INTO x WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c
        WHERE i < (SELECT CASE count(*) WHEN 0 THEN 1 ELSE 1000000000 END FROM orders WHERE id = 77)) SELECT count(*) FROM c;" >migrations/0003_x.up.sql
    echo 'DROP TABLE x;' >migrations/0003_x.down.sql
    git add -A
    git commit -qm slow
    rbtool release v1.2.0
    fails 2 "--statement-timeout takes a duration, not 'soon'" rbtool deploy v1.2.0 --yes --statement-timeout soon
    killed_by stop
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.2.0 --yes --statement-timeout 1s
    [ "$status" -eq 137 ]
    sql 'INSERT INTO orders VALUES (77, 1)'
    fails 1 'it ran longer than 1 s' rbtool --config "$BATS_TEST_TMPDIR/killing.json" resume --yes
    settled_at v1.0.0
}
