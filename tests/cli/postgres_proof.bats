#!/usr/bin/env bats
# Migrations for PostgreSQL are proven in a private server: release, prove, lint, verify.

bats_require_minimum_version 1.5.0
load lib
load postgres

setup() {
    export TEST_MARK=$BATS_TEST_TMPDIR
    home
    keys
    git init -q "$BATS_TEST_TMPDIR/app"
    cd "$BATS_TEST_TMPDIR/app" || return 1
}

put() { # FILE TEXT
    mkdir -p "$(dirname "$1")"
    printf '%b' "$2" >"$1"
}

commit() {
    git add -A
    git commit -qm "${1:-work}"
}

config() { # rbtool.json with one database of these further settings
    put rbtool.json "{ \"app\": { \"name\": \"shop\" }, \"databases\": { \"main\": {
        \"engine\": \"postgresql\", \"migrations\": \"migrations\"$1 } } }\n"
}

# Tables that exist before the migrations that a test proves.
shop() {
    put migrations/1_users.up.sql "CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE TABLE users (id bigserial PRIMARY KEY, name text NOT NULL, mood mood NOT NULL DEFAULT 'sad');\n"
    put migrations/1_users.down.sql 'DROP TABLE users;\nDROP TYPE mood;\n'
    put migrations/2_orders.up.sql 'CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    total numeric(10,2) NOT NULL CHECK (total > 0)
);\n'
    put migrations/2_orders.down.sql 'DROP TABLE orders;\n'
    config
    commit shop
}

prove() { # the new migrations; the document is in $output
    commit
    run --separate-stderr rbtool prove --base HEAD~1 --json
    # shellcheck disable=SC2154 # bats sets stderr
    [[ $status -le 1 ]] || { echo "$stderr" && return 1; }
    schema prove <<<"$output"
}

restores() {
    jq -r '.migrations[] | "\(.id) \(.restores) \(.reapplies)"' <<<"$output"
}

findings() {
    jq -r '.migrations[].findings[] | "\(.rule) \(.file):\(.line)"' <<<"$output"
}

# Processes of rbtool that this test started, with the guardians of its servers: they have its
# environment.
own_rbtool() {
    local pid
    for pid in $(pgrep -x rbtool); do
        ! grep -qzxF "TEST_MARK=$BATS_TEST_TMPDIR" "/proc/$pid/environ" 2>/dev/null || echo "$pid"
    done
}

# The folder of the server that such a guardian has started or is starting.
own_folder() {
    local pid
    for pid in $(own_rbtool); do
        ps -o args= --ppid "$pid"
    done | grep -o '/var/tmp/rbtool-pg-[A-Za-z0-9]*' | head -1
}

@test "prove restores tables, indexes, functions, views and types, and shows the locks of both ways" {
    shop
    put migrations/3_more.up.sql "CREATE INDEX orders_user ON orders (user_id);
ALTER TABLE users ADD COLUMN note text;
CREATE FUNCTION total_of(bigint) RETURNS numeric LANGUAGE sql AS \$\$
    SELECT sum(total) FROM orders WHERE user_id = \$1; -- not the end
\$\$;
CREATE VIEW spenders AS SELECT name, total_of(id) FROM users;\n"
    put migrations/3_more.down.sql 'DROP VIEW spenders;
DROP FUNCTION total_of(bigint);
ALTER TABLE users DROP COLUMN note;
DROP INDEX orders_user;\n'
    prove
    [[ $(restores) == "3 identical true" ]]
    [[ $(jq -c '.migrations[0] | .destroys, .discards' <<<"$output") == \
        $'[]\n[{"column":"note","table":"users"}]' ]]
    [[ $(jq -r '.engine, .databases[0].class' <<<"$output") == $'postgresql\nreversible' ]]
    [[ $(jq -r '.migrations[0].locks[] | "\(.direction) \(.table) \(.mode) \(.rewrites)"' \
        <<<"$output") == "up orders SHARE false
up users ACCESS EXCLUSIVE false
down orders ACCESS EXCLUSIVE false
down users ACCESS EXCLUSIVE false" ]]
}

@test "prove finds what a down leaves behind, what an up destroys, and a down that fails" {
    shop
    put migrations/3_left.up.sql "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
CREATE TABLE left_behind (id int);\n"
    put migrations/3_left.down.sql "ALTER TYPE mood RENAME VALUE 'blue' TO 'sad';\n"
    put migrations/4_drop.up.sql 'ALTER TABLE users DROP COLUMN name;\n'
    put migrations/4_drop.down.sql "ALTER TABLE users ADD COLUMN name text NOT NULL DEFAULT '';\n"
    put migrations/5_fails.up.sql 'CREATE TABLE t (id int);\n'
    put migrations/5_fails.down.sql 'DROP TABLE u;\n'
    put migrations/6_none.up.sql 'CREATE TABLE v (id int);\n'
    prove
    [[ $(restores) == "3 differs false
4 differs true
5 fails false
6 missing false" ]]
    [[ $(findings) == *"RB002 migrations/3_left.down.sql:1"* ]]
    [[ $(findings) == *"RB003 migrations/4_drop.up.sql:1"* ]]
    [[ $(findings) == *"RB002 migrations/5_fails.down.sql:1"* ]]
    [[ $(findings) == *"RB001 migrations/6_none.up.sql:1"* ]]
    [[ $output == *'table \"u\" does not exist (SQLSTATE 42P01)'* ]]
}

@test "prove measures locks that block writes while a table is read or rewritten: RB010" {
    shop
    put migrations/3_narrow.up.sql 'ALTER TABLE users ALTER COLUMN name TYPE varchar(50);\n'
    put migrations/3_narrow.down.sql 'ALTER TABLE users ALTER COLUMN name TYPE text;\n'
    put migrations/4_index.up.sql 'CREATE INDEX orders_total ON orders (total);\n'
    put migrations/4_index.down.sql 'DROP INDEX orders_total;\n'
    put migrations/5_column.up.sql 'ALTER TABLE orders ADD COLUMN paid boolean DEFAULT false;\n'
    put migrations/5_column.down.sql 'ALTER TABLE orders DROP COLUMN paid;\n'
    put migrations/6_new.up.sql 'CREATE TABLE parts (id int);\nCREATE INDEX parts_id ON parts (id);\n'
    put migrations/6_new.down.sql 'DROP TABLE parts;\n'
    put migrations/7_number.up.sql 'ALTER TABLE parts ADD COLUMN number serial;\n'
    put migrations/7_number.down.sql 'ALTER TABLE parts DROP COLUMN number;\n'
    prove
    [[ $(findings) == $'RB010 migrations/3_narrow.up.sql:1\nRB010 migrations/4_index.up.sql:1' ]]
    [[ $output == *"blocks writes to users (ACCESS EXCLUSIVE lock) while all of the table is rewritten"* ]]
    [[ $output == *"blocks writes to orders (SHARE lock) while all of the table is read"* ]]
    # A first release locks only what it creates.
    run --separate-stderr rbtool prove --base "$(git commit-tree -m nothing "$(git hash-object -t tree /dev/null)")" --json
    [[ $(restores | wc -l) -eq 7 && $(findings) != *RB010* ]]
}

@test "lint and prove name statements and functions that no rollback undoes: RB011" {
    shop
    put migrations/3_out.up.sql "COPY users TO PROGRAM 'cat >/tmp/users';
SELECT setval('users_id_seq', 7);
DO \$\$ BEGIN
    PERFORM lo_export(1, '/tmp/x'); END \$\$;
CREATE FUNCTION later() RETURNS void LANGUAGE sql AS 'SELECT pg_reload_conf()';
SELECT * FROM dblink('dbname=x', 'SELECT 1') AS t(a int); -- pg_read_file('x')
ALTER SYSTEM SET work_mem = '1MB';\n"
    put migrations/3_out.down.sql 'DROP FUNCTION later();\n'
    commit
    run -1 rbtool lint HEAD~1..HEAD --json
    [[ $(jq -r '.findings[] | select(.rule == "RB011") | "\(.line) \(.message | split(" ") | .[0:2] | join(" "))"' \
        <<<"$output") == "1 COPY PROGRAM
2 setval() moves
4 lo_export() writes
6 dblink() runs
7 ALTER SYSTEM" ]]
    # Nor can they: a proof has a role without the right to run programs.
    run -1 rbtool prove --base HEAD~1
    [[ $output == *"SQLSTATE 42501"* && ! -e /tmp/users ]]
}

@test "release proves migrations of golang-migrate, dbmate, diesel and sqlx, and verify --deep repeats it" {
    local up="CREATE TABLE t (id serial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());"
    put golang/1_t.up.sql "$up\n"
    put golang/1_t.down.sql 'DROP TABLE t;\n'
    put dbmate/20240101000000_t.sql "-- migrate:up\n$up\n\n-- migrate:down\nDROP TABLE t;\n"
    put diesel/2024-01-01-000000_t/up.sql "$up\n"
    put diesel/2024-01-01-000000_t/down.sql 'DROP TABLE t;\n'
    put sqlx/20240101000000_t.up.sql "$up\n"
    put sqlx/20240101000000_t.down.sql 'DROP TABLE t;\n'
    put rbtool.json '{ "app": { "name": "shop" }, "databases": {
        "a": { "engine": "postgresql", "migrations": "golang", "layout": "golang-migrate" },
        "b": { "engine": "postgresql", "migrations": "dbmate", "layout": "dbmate" },
        "c": { "engine": "postgresql", "migrations": "diesel", "layout": "diesel" },
        "d": { "engine": "postgresql", "migrations": "sqlx", "layout": "sqlx" } } }\n'
    commit
    rbtool release v1.0.0
    [[ $(manifest v1.0.0 | jq -r '.predicate.databases[] |
        "\(.layout) \(.proof.engine) \(.proof.version) \(.proof.migrations[0].restores)"' | sort -u) == \
        "dbmate postgresql 15 identical
diesel postgresql 15 identical
golang-migrate postgresql 15 identical
sqlx postgresql 15 identical" ]]
    [[ $(manifest v1.0.0 | jq -r '.predicate.databases[].fingerprint' | sort -u | wc -l) -eq 1 ]]
    manifest v1.0.0 | schema manifest
    rbtool verify --deep --no-cache v1.0.0
    [[ $(rbtool diff v1.0.0 v1.0.0) == *"no difference"* ]]
    [[ -z $(own_rbtool) ]]
}

@test "the same commit gives the same proof, and migrations of earlier releases are not proven again" {
    shop
    rbtool release v1.0.0
    put migrations/3_note.up.sql 'ALTER TABLE users ADD COLUMN note text;\n'
    put migrations/3_note.down.sql 'ALTER TABLE users DROP COLUMN note;\n'
    commit
    rbtool release v1.1.0
    [[ $(manifest v1.1.0 | jq -r '.predicate.databases[0].proof.migrations[].id') == 3 ]]
    manifest v1.1.0 >"$BATS_TEST_TMPDIR/first"
    RBTOOL=0 git tag -d v1.1.0 >/dev/null
    rbtool release v1.1.0
    manifest v1.1.0 | diff - "$BATS_TEST_TMPDIR/first"
}

@test "statements that only run outside transactions are proven, with the locks that they have there" {
    shop
    put migrations/3_kind.up.sql "ALTER TYPE mood ADD VALUE 'calm';\n"
    put migrations/3_kind.down.sql 'SELECT 1;\n'
    commit
    put migrations/4_use.up.sql "ALTER TABLE users ALTER COLUMN mood SET DEFAULT 'calm';\n"
    put migrations/4_use.down.sql "ALTER TABLE users ALTER COLUMN mood SET DEFAULT 'sad';\n"
    put migrations/5_index.up.sql 'CREATE INDEX CONCURRENTLY users_name ON users (name);\n'
    put migrations/5_index.down.sql 'DROP INDEX CONCURRENTLY users_name;\n'
    prove
    [[ $(restores) == $'4 identical true\n5 identical true' ]]
    [[ $(findings) == $'RB006 migrations/5_index.up.sql:1\nRB006 migrations/5_index.down.sql:1' ]]
    [[ $status -eq 0 && $(jq -c '[.migrations[].findings[].warning]' <<<"$output") == '[true,true]' ]]
    [[ $(jq -r '.migrations[1].locks[] | "\(.direction) \(.table) \(.mode)"' <<<"$output") == \
        $'up users SHARE UPDATE EXCLUSIVE\ndown users SHARE UPDATE EXCLUSIVE' ]]
}

@test "up, down and up commit one after the other where an enum value is added and used; in one script it is refused" {
    again() { # LABELS
        echo "ALTER TYPE mood RENAME TO moods; CREATE TYPE mood AS ENUM ($1); ALTER TABLE users ALTER mood DROP DEFAULT,
            ALTER mood TYPE mood USING mood::text::mood, ALTER mood SET DEFAULT 'sad'; DROP TYPE moods;"
    }
    shop
    put migrations/3_calm.up.sql "ALTER TYPE mood ADD VALUE 'calm';\n"
    put migrations/3_calm.down.sql "UPDATE users SET mood = 'sad' WHERE mood = 'calm'; $(again "'happy', 'sad'")\n"
    put migrations/4_unhappy.up.sql "UPDATE users SET mood = 'calm' WHERE mood = 'happy'; $(again "'sad', 'calm'")\n"
    put migrations/4_unhappy.down.sql "ALTER TYPE mood ADD VALUE 'happy' BEFORE 'sad';\n"
    put migrations/5_new.up.sql "CREATE TABLE empty (mood mood NOT NULL); ALTER TYPE mood ADD VALUE 'new' BEFORE 'sad';\n"
    put migrations/6_table.up.sql "CREATE TABLE m AS SELECT 'new'::mood; TRUNCATE empty;\n"
    put migrations/6_table.down.sql 'DROP TABLE m;\n'
    prove
    [[ $(restores) == $'3 identical true\n4 identical true\n5 missing false\n6 identical true' ]]
    [[ $(jq -c '[.migrations[3] | .unfilled, .destroys[].table]' <<<"$output") == '[[],"empty"]' ]]
    put migrations/7_own.up.sql "ALTER TYPE mood ADD VALUE 'own';\nINSERT INTO m VALUES ('own');\n"
    put migrations/7_own.down.sql 'SELECT 1;\n'
    commit
    run -1 rbtool prove --base HEAD~1
    [[ $output == *'7_own.up.sql line 2: unsafe use of new value "own"'*'use it in a migration of its own, after the one that adds it'* ]]
}

@test "a proof has rows of every type: enums, domains, checks, references, arrays, partitions" {
    put migrations/1_all.up.sql "CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE TYPE place AS (street text, number int);
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%_@_%');
CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(3) NOT NULL,
    mail email NOT NULL, mood mood NOT NULL, home place NOT NULL, tags text[] NOT NULL,
    meta jsonb NOT NULL, seen timestamptz NOT NULL, ip inet NOT NULL, key uuid NOT NULL,
    span int4range NOT NULL, bits bit(4) NOT NULL, up text GENERATED ALWAYS AS (upper(name)) STORED);
CREATE TABLE orders (id int PRIMARY KEY, person bigint NOT NULL REFERENCES people
    DEFERRABLE INITIALLY DEFERRED, status text NOT NULL CHECK (status IN ('open', 'closed')),
    code text NOT NULL CHECK (code LIKE 'ORD-%%' AND length(code) = 8), parent int REFERENCES orders);
CREATE TABLE lines (\"order\" int REFERENCES orders, \"No.\" int, PRIMARY KEY (\"order\", \"No.\"));
CREATE TABLE days (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE days_2001 PARTITION OF days FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
CREATE SCHEMA audit;
CREATE TABLE audit.log (id serial PRIMARY KEY, note text);\n"
    put migrations/1_all.down.sql 'SELECT 1;\n'
    config
    commit
    put migrations/2_empty.up.sql 'DELETE FROM lines; DELETE FROM orders; DELETE FROM people;
DELETE FROM days; UPDATE a SET b = b; DELETE FROM audit.log;\n'
    put migrations/2_empty.down.sql 'SELECT 1;\n'
    prove
    [[ $(jq -r '.migrations[0].destroys[].table' <<<"$output" | sort) == \
        $'audit.log\ndays\nlines\norders\npeople' ]]
    [[ $(jq -c '.migrations[0].unfilled // []' <<<"$output") == "[]" ]]
}

@test "the seed's rows are in the proof, with COPY data; a statement that never runs is named" {
    shop
    put seed.sql "COPY users (name) FROM stdin;\nEve\n\\\\.\nINSERT INTO later VALUES (1);\n"
    config ', "seed": "seed.sql"'
    put migrations/3_names.up.sql "UPDATE users SET name = 'Adam' WHERE name = 'Eve';\n"
    put migrations/3_names.down.sql 'SELECT 1;\n'
    commit
    fails 1 'statement 2 of the seed never runs: the seed: seed.sql line 4: relation "later" does not exist' \
        rbtool prove --base HEAD~1
    put migrations/4_later.up.sql 'CREATE TABLE later (id int);\n'
    put migrations/4_later.down.sql 'DROP TABLE later;\n'
    git add -A
    git commit -q --amend --no-edit
    run --separate-stderr rbtool prove --base HEAD~1 --json
    [[ $(restores) == $'3 identical true\n4 identical true' ]]
    [[ $(jq -c '.migrations[0].destroys' <<<"$output") == '[{"column":"name","table":"users"}]' ]]
}

@test "roles that scripts name exist in a proof, and none of them is a superuser" {
    shop
    put migrations/3_rights.up.sql 'ALTER TABLE users OWNER TO postgres;
GRANT SELECT ON orders TO app, "Report Reader";
SET ROLE app;
SELECT count(*) FROM orders;\n'
    put migrations/3_rights.down.sql 'ALTER TABLE users OWNER TO CURRENT_USER;
REVOKE SELECT ON orders FROM app, "Report Reader";\n'
    put migrations/4_super.up.sql 'SET ROLE postgres;\nCREATE ROLE boss SUPERUSER;\n'
    put migrations/4_super.down.sql 'SELECT 1;\n'
    commit
    fails 1 "migration 4 super (up): migrations/4_super.up.sql line 2" rbtool prove --base HEAD~1
    git rm -q migrations/4_super.*
    git commit -q --amend --no-edit
    run --separate-stderr rbtool prove --base HEAD~1 --json
    [[ $(restores) == "3 identical true" ]]
}

@test "an extension that only a superuser may create is proven if it is allowed, an untrusted language if code is trusted" {
    config
    commit
    put migrations/1_servers.up.sql "CREATE EXTENSION IF NOT EXISTS postgres_fdw;
CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw;
DO \$\$ BEGIN IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RAISE 'superuser'; END IF; END \$\$;\n"
    put migrations/1_servers.down.sql 'DROP SERVER other;\nDROP EXTENSION postgres_fdw;\n'
    commit
    fails 1 'git config --add rbtool.allowExtension postgres_fdw' rbtool prove --base HEAD~1
    git config --add rbtool.allowExtension dblink
    fails 1 'permission denied to create extension' rbtool prove --base HEAD~1
    git config --add rbtool.allowExtension postgres_fdw
    rbtool prove --base HEAD~1 | grep -q 'restores schema and data'

    put migrations/2_now.up.sql "CREATE FUNCTION clock() RETURNS timestamptz LANGUAGE internal AS 'now';\n"
    put migrations/2_now.down.sql 'DROP FUNCTION clock();\n'
    git rm -q migrations/1_*
    commit
    fails 1 'permission denied for language internal' rbtool prove --base HEAD~2
    [[ $output == *'--trust-code'* ]]
    rbtool prove --base HEAD~2 --trust-code | grep -q 'restores schema and data'
    fails 1 '--trust-code' rbtool release v1.0.0
    rbtool release v1.0.0 --trust-code
    git config rbtool.trustCode yes
    rbtool prove --base HEAD~2 | grep -q 'restores schema and data'
    git config rbtool.trustCode maybe
    fails 1 'git config rbtool.trustcode is maybe, which is neither true nor false' rbtool prove --base HEAD~2
}

@test "a script that runs too long, needs too much memory or writes too much is ended, and the setting is named" {
    shop
    config ', "limits": { "seconds": 2, "memory": 64, "size": 64 }'
    put migrations/3_long.up.sql 'SELECT pg_sleep(600);\n'
    put migrations/3_long.down.sql 'SELECT 1;\n'
    commit
    fails 1 "it ran longer than 2 s, the limit" rbtool prove --base HEAD~1
    [[ $output == *databases.main.limits* ]]
    put migrations/3_long.up.sql 'COPY (SELECT pg_sleep(600)) TO STDOUT;\n'
    commit
    fails 1 "it ran longer than 2 s, the limit" rbtool prove --base HEAD~1
    config ', "limits": { "seconds": 60, "memory": 64, "size": 64 }'
    put migrations/3_long.up.sql "DO \$\$ DECLARE t text := 'x'; BEGIN
    FOR i IN 1..29 LOOP t := t || t; END LOOP; END \$\$;\n"
    commit
    fails 1 "databases.main.limits.memory" rbtool prove --base HEAD~1
    put migrations/3_long.up.sql "CREATE TABLE big AS
    SELECT repeat(md5(i::text), 30) AS t FROM generate_series(1, 1000000) i;\n"
    commit
    fails 1 "databases.main.limits.size" rbtool prove --base HEAD~1
    [[ -z $(own_rbtool) ]]
}

@test "nothing of the server is left when rbtool is killed while it starts, proves or ends" {
    local stage pid folder
    shop
    put migrations/3_slow.up.sql 'SELECT pg_sleep(5);\n'
    put migrations/3_slow.down.sql 'SELECT 1;\n'
    commit
    starts() { folder=$(own_folder) && [[ -d $folder ]]; }
    listens() { folder=$(own_folder) && [[ -S $folder/.s.PGSQL.5432 ]]; }
    proves() { listens && pgrep -f 'postgres: rbtool scratch_.* SELECT'; }
    gone() { [[ ! -e $folder && -z $(own_rbtool) ]] && ! pgrep -f "$folder/data"; }
    for stage in starts listens proves; do
        rbtool prove --base HEAD~1 >/dev/null 2>&1 3>&- &
        pid=$!
        wait_for "$stage"
        kill -9 "$pid"
        wait_for gone
    done
}

# The document of a proof with the server of RBTOOL_SCRATCH_CACHE, the same as without it.
prove_cached() {
    local cached
    run -0 --separate-stderr rbtool prove --base "$1" --json
    cached=$(jq -c .migrations <<<"$output")
    RBTOOL_SCRATCH_CACHE='' run -0 --separate-stderr rbtool prove --base "$1" --json
    [[ $(jq -c .migrations <<<"$output") == "$cached" ]]
}

cached_states() { # of the cluster that is in the cache
    find "$RBTOOL_SCRATCH_CACHE/postgresql/base" -mindepth 1 -maxdepth 1 -type d | wc -l
}

@test "the server of a proof is kept for the next command, unless it is damaged or the command was killed" {
    local first states pid
    RBTOOL_SCRATCH_CACHE=$(mktemp -d /var/tmp/rbtool-cache-XXXXXX)
    export RBTOOL_SCRATCH_CACHE
    shop
    put migrations/3_note.up.sql "ALTER TABLE users ADD COLUMN note text;
ALTER ROLE CURRENT_USER SET search_path = nowhere;\n"
    put migrations/3_note.down.sql 'ALTER TABLE users DROP COLUMN note;\n'
    commit
    run -0 rbtool prove --base HEAD~1
    first=$(stat -c "%i %w" "$RBTOOL_SCRATCH_CACHE/postgresql")
    [[ $(ls "$RBTOOL_SCRATCH_CACHE") == postgresql && $(cached_states) -ge 4 ]]
    # The setting of the script is not there for the next one, whose state is another.
    put migrations/4_more.up.sql 'CREATE TABLE more (id int);\n'
    put migrations/4_more.down.sql 'DROP TABLE more;\n'
    commit
    prove_cached HEAD~1
    [[ $(stat -c "%i %w" "$RBTOOL_SCRATCH_CACHE/postgresql") == "$first" ]]
    # The proof goes on in the database of the trial without made-up rows: only the state before is kept.
    put migrations/5_bad.up.sql 'CREATE TABLE bad (id int);\n'
    put migrations/5_bad.down.sql 'DROP VIEW bad_ones;\n'
    commit
    states=$(cached_states)
    run -1 rbtool prove --base HEAD~1
    [[ $(cached_states) -eq $((states + 1)) ]]
    git reset -q --hard HEAD~1
    truncate -s 100 "$RBTOOL_SCRATCH_CACHE/postgresql/global/pg_control"
    run -0 rbtool prove --base HEAD~1
    [[ $(stat -c "%i %w" "$RBTOOL_SCRATCH_CACHE/postgresql") != "$first" ]]
    put migrations/5_slow.up.sql 'SELECT pg_sleep(5);\n'
    put migrations/5_slow.down.sql 'SELECT 1;\n'
    commit
    rbtool prove --base HEAD~1 >/dev/null 2>&1 3>&- &
    pid=$!
    proves() { pgrep -f 'postgres: rbtool scratch_.* SELECT' && [[ -n $(own_folder) ]]; }
    wait_for proves
    kill -9 "$pid"
    emptied() { [[ -z $(ls "$RBTOOL_SCRATCH_CACHE") ]]; }
    wait_for emptied
    rm -rf "$RBTOOL_SCRATCH_CACHE"
}

# shellcheck disable=SC2153 # postgres.bash sets PGURL
@test "RBTOOL_SCRATCH_URL names the server of a proof; nothing is left there, also after a kill" {
    local pid left="SELECT count(*) FROM pg_database WHERE datname LIKE 'rbtool%'"
    pg_start
    pg_database
    shop
    put migrations/3_note.up.sql 'ALTER TABLE users ADD COLUMN note text;\n'
    put migrations/3_note.down.sql 'ALTER TABLE users DROP COLUMN note;\n'
    commit
    export RBTOOL_SCRATCH_URL=$PGURL
    run -0 --separate-stderr rbtool prove --base HEAD~1
    [[ $output == "3 note: the down restores schema and data"* ]]
    [[ $(pg "$left") == 0 && $(pg "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rbtool%'") == 0 ]]
    put migrations/4_slow.up.sql 'SELECT pg_sleep(60);\n'
    put migrations/4_slow.down.sql 'SELECT 1;\n'
    commit
    rbtool prove --base HEAD~1 >/dev/null 2>&1 3>&- &
    pid=$!
    sleeps() { [[ $(pg "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") -ge 1 ]]; }
    none() { [[ $(pg "$left") == 0 ]]; }
    wait_for sleeps
    kill -9 "$pid"
    wait_for none
    pg 'CREATE TABLE mine (id int)'
    fails 2 "RBTOOL_SCRATCH_URL names a database that is not empty" rbtool prove --base HEAD~2
    pg 'DROP TABLE mine' 'CREATE ROLE poor LOGIN'
    RBTOOL_SCRATCH_URL=${PGURL/user=postgres/user=poor} fails 2 "may not create databases" \
        rbtool prove --base HEAD~2
    RBTOOL_SCRATCH_URL=mysql://x fails 2 "RBTOOL_SCRATCH_URL is not the url of a PostgreSQL server" \
        rbtool prove --base HEAD~2
    pg_stop
}

@test "init finds PostgreSQL by running scripts that SQLite cannot run" {
    put db/1_a.up.sql 'CREATE SCHEMA shop;\nCREATE TABLE shop.a (id int);\n'
    put db/1_a.down.sql 'DROP SCHEMA shop CASCADE;\n'
    commit
    run -0 rbtool init
    [[ $output == *"databases: 1 migration in db (golang-migrate, postgresql)"* ]]
}
