#!/usr/bin/env bats
# What a migration of a pull request may not do where it is proven.

load lib

setup() {
    home
    keys
    shop
    rbtool release v1.0.0
    echo 1.1.0 >VERSION
}

migration() { # UP [DOWN]
    printf '%s\n' "$1" >migrations/0002_x.up.sql
    printf '%s\n' "${2:-SELECT 1;}" >migrations/0002_x.down.sql
    git add -A
    git commit -qm migration
}

limit() { # JSON
    jq ".databases.main.limits = $1" rbtool.json >changed.json
    mv changed.json rbtool.json
}

endless='WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c;'

@test "a migration that reads an address of the process is refused by the function's name" {
    migration "CREATE TABLE p AS SELECT hex(fts3_tokenizer('simple')) AS h;" 'DROP TABLE p;'
    fails 1 'take out fts3_tokenizer' rbtool release --dry-run v1.1.0
    [[ $output == *migrations/0002_x.up.sql* ]]
}

@test "a script that never ends is stopped, and the release is refused even with --accept" {
    limit '{"seconds": 1}'
    migration "$endless"
    fails 1 'migrations/0002_x.up.sql line 1: it ran longer than 1 s, the limit' rbtool release v1.1.0
    [[ $output == *databases.main.limits.seconds* ]]
    migration 'CREATE TABLE x(a);' "DROP TABLE x; $endless"
    fails 1 'migrations/0002_x.down.sql line 1: it ran longer than 1 s' rbtool release v1.1.0 --accept RB001,RB002,RB003
    [[ -z $(git tag -l v1.1.0) ]]
}

@test "a statement that SQLite cannot interrupt is stopped, and its script is named" {
    limit '{"seconds": 1}'
    migration "SELECT instr(zeroblob(20000000), CAST(zeroblob(10000000) || 'x' AS BLOB));"
    fails 1 '0002_x.up.sql: a statement ran longer than 1 s, the limit, and could not be interrupted' rbtool release v1.1.0
    [[ $output == *databases.main.limits.seconds* ]]
}

@test "a script that takes too much memory, or too much disk, is stopped" {
    limit '{"memory": 16, "size": 16}'
    migration 'SELECT length(hex(zeroblob(50000000)));'
    fails 1 'migrations/0002_x.up.sql line 1: it needed more than 16 MiB of memory' rbtool release v1.1.0
    [[ $output == *databases.main.limits.memory* ]]
    migration 'CREATE TABLE x(a); INSERT INTO x WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 400)
        SELECT zeroblob(100000) FROM c;' 'DROP TABLE x;'
    fails 1 'migrations/0002_x.up.sql line 1: it made the scratch database larger than 16 MiB' rbtool release v1.1.0
    [[ $output == *databases.main.limits.size* ]]
}

@test "temporary tables count as disk, and computed values of a table count as memory" {
    limit '{"memory": 16, "size": 16}'
    migration 'CREATE TEMP TABLE x(a); INSERT INTO x WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 400)
        SELECT zeroblob(100000) FROM c;'
    fails 1 'it made the scratch database larger than 16 MiB' rbtool release v1.1.0
    migration 'CREATE TABLE x(a, b AS (hex(zeroblob(50000000))));' 'DROP TABLE x;'
    fails 1 'needed more than the limits of 16 MiB of memory or 16 MiB of disk' rbtool release v1.1.0
}

@test "a seed script has the same limits" {
    limit '{"seconds": 1}'
    jq '.databases.main.seed = "seed.sql"' rbtool.json >changed.json
    mv changed.json rbtool.json
    echo "$endless" >seed.sql
    migration 'CREATE TABLE x(a);' 'DROP TABLE x;'
    fails 1 'seed.sql line 1: it ran longer than 1 s' rbtool release v1.1.0
}

@test "scripts run without limits in an environment's database" {
    limit '{"seconds": 60, "memory": 256, "size": 256}'
    migration 'CREATE TABLE x(a); INSERT INTO x SELECT zeroblob(1000);' 'DROP TABLE x;'
    rbtool release v1.1.0
    rbtool deploy v1.1.0 --yes
    [[ $(sqlite3 "$PROD/data/shop.db" 'SELECT length(a) FROM x') == 1000 ]]
}

@test "statementTimeout of an environment stops a migration, and the transition is undone" {
    migration "CREATE TABLE x(a); INSERT INTO x WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c
        WHERE i < (SELECT CASE count(*) WHEN 0 THEN 1 ELSE 1000000000 END FROM orders WHERE id = 77)) SELECT count(*) FROM c;" 'DROP TABLE x;'
    rbtool release v1.1.0
    rbtool deploy v1.0.0 --yes
    sqlite3 "$PROD/data/shop.db" 'INSERT INTO orders VALUES (77, 1)'
    jq '.environments.prod.statementTimeout = 1' rbtool.json >changed.json
    mv changed.json rbtool.json
    run rbtool env trust --env prod --yes
    fails 1 'it ran longer than 1 s, the limit; if it has to, raise --statement-timeout, or environments.prod.statementTimeout in rbtool.json' rbtool deploy v1.1.0 --yes
    [[ $(sqlite3 "$PROD/data/shop.db" .tables) != *x* ]]
    sqlite3 "$PROD/data/shop.db" 'DELETE FROM orders'
    rbtool deploy v1.1.0 --yes
}

@test "diff rebuilds schemas under the limits of the proof" {
    migration 'CREATE TABLE x(a); SELECT length(hex(zeroblob(20000000)));' 'DROP TABLE x;'
    rbtool release v1.1.0
    run rbtool diff v1.0.0 v1.1.0
    [[ $status -eq 0 && $output != *'not compared'* ]]
    limit '{"memory": 16}'
    rm -r .git/rbtool/schemas # what was rebuilt before
    run rbtool diff v1.0.0 v1.1.0
    [[ $status -eq 0 && $output == *'schemas are not compared, because one cannot be rebuilt here: rebuilding the schema of v1.1.0: '* ]]
    [[ $output == *'it needed more than 16 MiB of memory'* ]]
}
