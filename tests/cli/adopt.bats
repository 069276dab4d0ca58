# `rbtool adopt`: an environment that other tools deployed.

bats_require_minimum_version 1.5.0

load lib
load transition
load postgres

setup_file() { pg_start; }
teardown_file() { pg_stop; }

setup() { host; }

# What other tools leave of the two releases' second one: a checkout, files, and a database with the
# table of golang-migrate.
deployed() {
    release v1.0.0 >log 2>&1
    second
    rbtool release v1.1.0 >log 2>&1
    mkdir -p "$PROD/app"
    git archive v1.1.0 | tar -x -C "$PROD/app"
    ln -s app "$PROD/current"
    cp flags.json "$PROD/etc/flags.json"
    cp config/app.toml "$PROD/etc/app.toml"
}

migrated() { # by golang-migrate
    sql <migrations/0001_orders.up.sql
    sql <migrations/0002_discount.up.sql
    sql 'CREATE TABLE schema_migrations (version uint64, dirty bool);
         CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
         INSERT INTO schema_migrations VALUES (2, 0);
         INSERT INTO orders VALUES (1, 100, 7)'
}

# All but rbtool's own state.
untouched() {
    (cd "$PROD" && find . -path ./.rbtool -prune -o -type f ! -name '*-wal' ! -name '*-shm' -exec sha256sum {} + | sort -k2
    readlink current)
}

@test "adopt records a release that golang-migrate deployed, changes nothing, and revert goes back from it" {
    deployed
    migrated
    before=$(untouched)
    rbtool adopt v1.1.0 --yes --json >doc
    schema adopt <doc
    [ "$(jq -c '[.release, .recorded, .drift, (.notes | length)]' doc)" = '["v1.1.0",true,[],1]' ]
    [ "$(untouched)" = "$before" ]
    [ "$(rbtool status --json | jq -c '[.release, .state, [.drift[].path]]')" = \
        '["v1.1.0","settled",["current","releases/v1.1.0/"]]' ]
    [ "$(rbtool log --kind transition --json | jq -c '.entry | [.tag, .transition.kind, .transition.outcome]')" = \
        '["v1.1.0","adopt","done"]' ]
    rbtool revert v1.1.0 --to v1.0.0 --yes --accept-drift --accept-data-loss "$(digest v1.1.0 --to v1.0.0)"
    settled_at v1.0.0
    [ "$(sql 'SELECT version FROM schema_migrations; SELECT * FROM orders')" = $'1\n1|100' ]
}

@test "adopt refuses what differs, shows it, and records it with --accept-drift" {
    deployed
    migrated
    echo changed >"$PROD/app/src/index.html"
    echo 'workers = 9' >"$PROD/etc/app.toml"
    sql 'CREATE TABLE extra (id INTEGER)'
    rm "$PROD/app/src/shop"
    run -5 --separate-stderr rbtool adopt v1.1.0 --yes --json
    [ "$(jq -c '[.recorded, (.drift | map(.part) | sort)]' <<<"$output")" = \
        '[false,["app","app","config","db"]]' ]
    run -1 rbtool adopt v1.1.0 -n
    [[ $output == *"prod differs from v1.1.0; nothing is recorded"* && $output != *"from now on"* ]]
    [ "$(rbtool status --json | jq -c .state)" = '"empty"' ]
    run -0 rbtool adopt v1.1.0 --yes --accept-drift
    [[ $output == *"v1.1.0 is live there from now on"* ]]
    [ "$(rbtool status --json | jq -r .release)" = v1.1.0 ]
    fails 2 "prod is at v1.1.0, by rbtool's own record" rbtool adopt v1.0.0 --yes
}

@test "adopt of another release than what is there names the migration" {
    deployed
    migrated
    run -5 --separate-stderr rbtool adopt v1.0.0 --yes --json
    jq -e '[.drift[] | select(.part == "db")] | length > 0' <<<"$output"
}

@test "adopt reads what dbmate applied" {
    git rm -qr migrations
    mkdir -p migrations
    printf -- '-- migrate:up\nCREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);\n-- migrate:down\nDROP TABLE orders;\n' \
        >migrations/20260101000000_orders.sql
    release v1.0.0 >log 2>&1
    mkdir "$PROD/app"
    git archive v1.0.0 | tar -x -C "$PROD/app"
    cp flags.json "$PROD/etc/flags.json"
    cp config/app.toml "$PROD/etc/app.toml"
    sql 'CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);
         CREATE TABLE IF NOT EXISTS "schema_migrations" (version varchar(128) primary key);
         INSERT INTO schema_migrations VALUES (20260101000000)'
    rbtool adopt v1.0.0 --files "$PROD/app" --yes --json >doc
    [ "$(jq -c '[.recorded, .drift]' doc)" = '[true,[]]' ]
    sql 'DELETE FROM schema_migrations'
    [ "$(rbtool status --json | jq -c '[.drift[] | select(.part == "db")] | length')" != 0 ]
}

@test "adopt reads PostgreSQL, with the table of golang-migrate" {
    pg_database
    jq --arg url "$PGURL" '.databases.main.engine = "postgresql" |
        .environments.prod.databases.main = $url' rbtool.json >new.json && mv new.json rbtool.json
    deployed
    pg "$(cat migrations/0001_orders.up.sql)" "$(cat migrations/0002_discount.up.sql)" \
        'CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)' \
        'INSERT INTO schema_migrations VALUES (2, false)' 'INSERT INTO orders VALUES (1, 100, 7)'
    rbtool adopt v1.1.0 --yes --json >doc
    [ "$(jq -c '[.recorded, .drift]' doc)" = '[true,[]]' ]
    rbtool revert v1.1.0 --to v1.0.0 --yes --accept-drift --accept-data-loss "$(digest v1.1.0 --to v1.0.0)"
    settled_at v1.0.0
    [ "$(pg 'SELECT version FROM schema_migrations' 'SELECT * FROM orders')" = $'1\n1|100' ]
}
