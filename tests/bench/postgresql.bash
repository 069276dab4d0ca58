# The section postgresql of tests/bench/run, on a private server with the settings that PostgreSQL
# comes with. time_ms() and line() are run's.
# shellcheck shell=bash disable=SC2034,SC2154 # ms, kb, work, here and RUNS are run's

# pg DATABASE ARGUMENT...: psql
pg() {
    psql -qX -v ON_ERROR_STOP=1 -d "$(pg_url "$1")" "${@:2}"
}

pg_url() {
    "$here/../postgres" url "$pg_dir" "$1"
}

# A database as it was, for the next run; nothing of the copying is left to be written.
pg_again() { # DATABASE
    pg postgres -c "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1 TEMPLATE $1_template" -c CHECKPOINT
}

pg_keep() { # DATABASE
    pg postgres -c "ALTER DATABASE $1 RENAME TO $1_template"
}

bench_pg_fingerprint() {
    local fingerprint_ms
    pg postgres -c 'CREATE DATABASE wide'
    pg wide -f "$here/tables.sql" >"$work/out" 2>&1 || die "tables.sql"
    echo '-- the schema of 1,000 PostgreSQL tables'
    time_ms : "fingerprint '$(pg_url wide)'"
    fingerprint_ms=$ms
    time_ms : "pg_dump --schema-only '$(pg_url wide)'"
    line "fingerprint" "$fingerprint_ms" "pg_dump --schema-only" "$ms"
}

# A release and an environment `prod` with one migration in the folder $1.
pg_project() {
    mkdir -p "$1"/{migrations,app} && cd "$1" || exit 2
    git init -q
    echo one >app/page
    echo 'CREATE TABLE base (id bigint PRIMARY KEY);' >migrations/0001_base.up.sql
    echo 'DROP TABLE base;' >migrations/0001_base.down.sql
    cat >rbtool.json <<JSON
{ "app": {"name": "deep"}, "artifacts": [{"name": "app", "paths": ["app"]}],
  "databases": {"main": {"engine": "postgresql", "migrations": "migrations"}},
  "environments": {"prod": {"root": "$1.live", "databases": {"main": "$(pg_url "$2")"}}} }
JSON
    git add -A && git commit -qm one
    mkdir "$1.live"
}

# pg_release TAG: the folder's changes are released and deployed.
pg_release() {
    git add -A && git commit -qm "$1"
    rbtool release "$1" >"$work/out" 2>&1 && rbtool deploy "$1" --yes >"$work/out" 2>&1 || die "$1"
}

bench_pg_revert() {
    local project=$work/pg sq=$work/pg.sqitch i n revert_ms sqitch
    pg postgres -c 'CREATE DATABASE deep' -c 'CREATE DATABASE deep_sqitch' -c 'CREATE DATABASE deep_psql'
    pg_project "$project" deep
    git commit -q --allow-empty -m start
    pg_release v1.0.0
    sqitch="db:pg://postgres@/deep_sqitch?host=$pg_dir"
    mkdir -p "$sq"/{deploy,revert}
    (cd "$sq" && sqitch init deep --engine pg) >"$work/out" 2>&1 || die "sqitch init"
    echo 'base 2024-01-01T00:00:00Z Ops <ops@example.com> # base' >>"$sq/sqitch.plan"
    cp migrations/0001_base.up.sql "$sq/deploy/base.sql"
    cp migrations/0001_base.down.sql "$sq/revert/base.sql"
    for ((i = 1; i <= MIGRATIONS; i++)); do
        echo "c$i 2024-01-01T00:00:00Z Ops <ops@example.com> # c$i" >>"$sq/sqitch.plan"
        n=$(printf '%04d' $((i + 1)))
        echo "CREATE TABLE t$i (id bigint PRIMARY KEY, v text); CREATE INDEX i$i ON t$i (v);" |
            tee "migrations/${n}_c$i.up.sql" >"$sq/deploy/c$i.sql"
        echo "DROP TABLE t$i;" | tee "migrations/${n}_c$i.down.sql" >"$sq/revert/c$i.sql"
    done
    cat migrations/*.up.sql >"$work/ups.sql"
    find migrations -name '*.down.sql' | sort -r | grep -v 0001_base | xargs cat >"$work/downs.sql"
    echo two >app/page
    pg_release v2.0.0
    mv "$project.live" "$project.template"
    git repack -qad
    cp -a .git "$project.git"
    (cd "$sq" && sqitch deploy "$sqitch") >"$work/out" 2>&1 || die "sqitch deploy"
    pg deep_psql -1 -f "$work/ups.sql"
    for i in deep deep_sqitch deep_psql; do pg_keep "$i"; done

    echo "-- revert over $MIGRATIONS PostgreSQL migrations"
    time_ms 'rm -rf "$project.live" .git; cp -a "$project.template" "$project.live"
        cp -a "$project.git" .git; pg_again deep; sync -f .' 'rbtool revert v2.0.0 --yes'
    revert_ms=$ms
    time_ms 'pg_again deep_psql' 'pg deep_psql -1 -f "$work/downs.sql"'
    line "revert, verified, files and all" "$revert_ms" "psql -1 -f of the downs" "$ms"
    cd "$sq" || exit 2
    RUNS=$((RUNS > 3 ? 3 : RUNS)) time_ms 'pg_again deep_sqitch' \
        'sqitch revert -y "$sqitch" --to base'
    line "revert, verified, files and all" "$revert_ms" "sqitch revert" "$ms"
}

# The first release proves every migration: what each costs must not depend on how many there are.
bench_pg_first() {
    local i n proven prove_ms
    for proven in ${FIRST:-10 30 100}; do
        pg postgres -c "CREATE DATABASE first_$proven"
        pg_keep "first_$proven"
        pg_project "$work/first$proven" "first_$proven"
        for ((i = 2; i <= proven; i++)); do
            n=$(printf '%04d' "$i")
            echo "CREATE TABLE t$i (id bigserial PRIMARY KEY, name varchar(100) NOT NULL,
                kind text DEFAULT 'plain' CHECK (kind IN ('plain', 'other')));
                CREATE INDEX ON t$i (lower(name));
                ALTER TABLE t$i ADD COLUMN extra jsonb DEFAULT '{}';
                CREATE FUNCTION f$i(a bigint) RETURNS text LANGUAGE sql STABLE AS
                    'SELECT name FROM t$i WHERE id = a';" >"migrations/${n}_c$i.up.sql"
            echo "DROP FUNCTION f$i(bigint); DROP TABLE t$i;" >"migrations/${n}_c$i.down.sql"
        done
        git add -A && git commit -qm more
        echo "-- proving $proven PostgreSQL migrations, each with a table, an index and a function"
        rbtool prove >"$work/out" 2>&1 || [[ $? -eq 1 ]]
        time_ms : 'rbtool prove || [[ $? -eq 1 ]]'
        prove_ms=$ms
        time_ms "pg_again first_$proven" "pg first_$proven \$(printf -- ' -f %s' migrations/*.up.sql)"
        line "prove of all" "$prove_ms" "psql -f of all, one session" "$ms"
        cd "$work" || exit 2
    done
}

# What a release costs is the proof of what it adds.
bench_pg_proof() {
    local i n t file cold_ms warm_ms
    pg postgres -c 'CREATE DATABASE ups'
    pg_keep ups
    pg_project "$work/proof" ups
    for ((i = 3; i <= PROVEN + 2; i++)); do
        n=$(printf '%04d' "$i") t=$((i / 10))
        case $((i % 10)) in
        0) echo "CREATE TABLE t$t (id bigserial PRIMARY KEY, name text NOT NULL);" ;;
        [13579]) echo "ALTER TABLE base ADD COLUMN c$i text DEFAULT '$i';" ;;
        *) echo "CREATE INDEX i$i ON base (c$((i - 1)));" ;;
        esac >"migrations/${n}_c$i.up.sql"
        case $((i % 10)) in
        0) echo "DROP TABLE t$t;" ;;
        [13579]) echo "ALTER TABLE base DROP COLUMN c$i;" ;;
        *) echo "DROP INDEX i$i;" ;;
        esac >"migrations/${n}_c$i.down.sql"
        [[ $i -ne $PROVEN ]] || { git add -A && git commit -qm before; }
    done
    git add -A && git commit -qm "two more"
    echo "-- proving 2 PostgreSQL migrations that $PROVEN others come before"
    time_ms 'rm -rf "${RBTOOL_SCRATCH_CACHE:?}"/*' 'rbtool prove --base HEAD~1 || [[ $? -eq 1 ]]'
    cold_ms=$ms
    time_ms : 'rbtool prove --base HEAD~1 || [[ $? -eq 1 ]]'
    warm_ms=$ms
    time_ms 'pg_again ups' 'pg ups $(printf -- " -f %s" migrations/*.up.sql)'
    line "prove, no server kept" "$cold_ms" "psql -f of all, one session" "$ms"
    line "prove, warm" "$warm_ms" "psql -f of all, one session" "$ms"
    time_ms 'pg_again ups' 'for file in migrations/*.up.sql; do pg ups -f "$file"; done'
    line "prove, warm" "$warm_ms" "psql -f, one at a time" "$ms"
}

bench_pg_rows() {
    local project=$work/rows plan_ms revert_ms digest
    pg postgres -c 'CREATE DATABASE big' -c 'CREATE DATABASE big_psql'
    pg_project "$project" big
    pg_release v1.0.0
    echo 'ALTER TABLE base ADD COLUMN note text;' >migrations/0002_note.up.sql
    echo 'ALTER TABLE base DROP COLUMN note;' >migrations/0002_note.down.sql
    pg_release v2.0.0
    pg big -c "INSERT INTO base SELECT g, CASE WHEN g % ($ROWS / 1000) = 0 THEN 'note ' || g END
        FROM generate_series(1, $ROWS) g" -c 'VACUUM ANALYZE'
    mv "$project.live" "$project.template"
    cp -a .git "$project.git"
    pg_keep big
    cp -a "$project.template" "$project.live"
    pg_again big
    echo "-- the revert that drops a column of $ROWS rows, 1,000 of them with a value"
    time_ms : 'rbtool plan v2.0.0 || [[ $? -eq 5 ]]'
    plan_ms=$ms
    time_ms : 'pg big -c "SELECT count(note) FROM base"'
    line "plan" "$plan_ms" "psql: count of the column" "$ms"
    digest=$(rbtool plan v2.0.0 --json | jq -r .digest)
    RUNS=$((RUNS > 3 ? 3 : RUNS))
    time_ms 'rm -rf "$project.live" .git; cp -a "$project.template" "$project.live"
        cp -a "$project.git" .git; pg_again big; pg big -c "SELECT count(note) FROM base"; sync -f .' \
        'rbtool revert v2.0.0 --yes --accept-data-loss "$digest"'
    revert_ms=$ms
    time_ms 'pg_again big; pg big -c "SELECT count(note) FROM base"' \
        'pg big -1 -c "SELECT count(note) FROM base" -c "ALTER TABLE base DROP COLUMN note"'
    line "revert, the values backed up" "$revert_ms" "psql: count, DROP COLUMN" "$ms"
    cd "$work" || exit 2
}

# The server of proofs and rehearsals is kept between commands, for root too (rbtool-prove(1)).
bench_postgresql() {
    local part pg_dir
    RBTOOL_SCRATCH_CACHE=$(mktemp -d /var/tmp/rbtool-bench.XXXXXX)
    export RBTOOL_SCRATCH_CACHE
    pg_dir=$(DURABLE=1 "$here/../postgres" start $$) || die "a private server"
    for part in ${PARTS:-fingerprint revert first proof rows}; do
        (bench_pg_"$part")
    done
    "$here/../postgres" stop "$pg_dir"
    rm -rf "$RBTOOL_SCRATCH_CACHE"
}
