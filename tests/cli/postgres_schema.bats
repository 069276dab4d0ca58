#!/usr/bin/env bats
# What is shown of a PostgreSQL schema: differences of two releases, drift of an environment.

bats_require_minimum_version 1.5.0

load lib
load transition
load postgres

setup_file() { pg_start; }
teardown_file() { pg_stop; }

setup() {
    home
    keys
    shop
    PROD=$BATS_TEST_TMPDIR/prod
    mkdir -p "$PROD/etc"
    pg_database
    jq --arg url "$PGURL" '.databases.main.engine = "postgresql" |
        .environments.prod.databases.main = $url' rbtool.json >new.json
    mv new.json rbtool.json
    cat >migrations/0002_audit.up.sql <<'SQL'
CREATE SCHEMA audit;
CREATE TYPE mood AS ENUM ('ok', 'happy');
CREATE TABLE audit.log (at timestamptz DEFAULT now(), what text, mood mood);
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit.log (what) VALUES (TG_OP);
    RETURN NEW;
END $$;
CREATE TRIGGER note AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION audit.note();
SQL
    cat >migrations/0002_audit.down.sql <<'SQL'
DROP TRIGGER note ON orders;
DROP SCHEMA audit CASCADE;
DROP TYPE mood;
SQL
    git add -A
    git commit -qm 'shop: an audit log'
    release v1.0.0
}

@test "diff names the objects of a PostgreSQL schema that a release changes" {
    cat >migrations/0003_moods.up.sql <<'SQL'
ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';
ALTER TABLE audit.log ADD CONSTRAINT filled CHECK (what <> '');
CREATE INDEX ON audit.log (at);
SQL
    cat >migrations/0003_moods.down.sql <<'SQL'
ALTER TYPE mood RENAME VALUE 'fine' TO 'ok';
ALTER TABLE audit.log DROP CONSTRAINT filled;
DROP INDEX audit.log_at_idx;
SQL
    git add -A
    git commit -qm 'shop: moods'
    release v1.1.0 --accept RB010
    rbtool diff v1.0.0 v1.1.0 --json | jq -e '.databases[0].schema == [
        {"object": "constraint audit.log CHECK ((what <> '"''"'::text))", "change": "added"},
        {"object": "index audit.log_at_idx", "change": "added"},
        {"object": "type mood", "change": "changed"}]'
}

@test "status names each object of a PostgreSQL schema that drifted, and is clean when it is undone" {
    rbtool deploy v1.0.0 --yes
    settled_at v1.0.0
    pg 'ALTER TABLE orders DISABLE TRIGGER note' 'ALTER TABLE audit.log ALTER what SET NOT NULL' \
        'CREATE VIEW audit.today AS SELECT * FROM audit.log'
    run -1 rbtool status --exit-code --json
    jq -e '[.drift[] | select(.part == "db") | .path] | sort == ["main: column audit.log.what",
        "main: trigger orders.note", "main: view audit.today"]' <<<"$output"
    pg 'ALTER TABLE orders ENABLE TRIGGER note' 'ALTER TABLE audit.log ALTER what DROP NOT NULL' \
        'DROP VIEW audit.today'
    settled_at v1.0.0
}

@test "a schema of PostgreSQL that a dump restored is as released" {
    rbtool deploy v1.0.0 --yes
    psql -qX -d "$PGURL" -c 'CREATE DATABASE restored'
    pg_dump "$PGURL" | psql -qX -v ON_ERROR_STOP=1 "${PGURL/"$PGNAME"/restored}" >/dev/null
    psql -qX -d "${PGURL/"$PGNAME"/postgres}" -c "DROP DATABASE $PGNAME" \
        -c "ALTER DATABASE restored RENAME TO $PGNAME"
    run rbtool status --json
    jq -e '.drift == []' <<<"$output"
}

@test "a revert that would leave another schema says that alone, and how to take other scripts" {
    printf 'ALTER TABLE orders ADD COLUMN note text NOT NULL DEFAULT $$x$$;\n' >migrations/0003_note.up.sql
    printf 'ALTER TABLE orders DROP COLUMN note;\n' >migrations/0003_note.down.sql
    git add -A
    git commit -qm 'shop: notes'
    release v1.1.0
    printf 'ALTER TABLE orders ALTER note DROP NOT NULL;\n' >migrations/0003_note.down.sql
    git commit -qam 'shop: another way back'
    release v1.2.0 --accept RB002,RB004
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rm -rf .git/rbtool # the schema of v1.0.0 is rebuilt while the copy is open
    run -1 --separate-stderr rbtool plan v1.1.0 --scripts-from v1.2.0 --json
    jq -e '[.decisions[].code] == ["schema"]' <<<"$output"
    # shellcheck disable=SC2016 # the backquotes are the hint's
    jq -e '.decisions[0].hint | contains("`rbtool revert v1.1.0 --env prod --scripts-from TAG --yes`")' <<<"$output"
}

@test "tables that a trigger makes for each row are in no release's schema" {
    cat >migrations/0003_pipelines.up.sql <<'SQL'
CREATE TABLE pipelines (id serial PRIMARY KEY, name text);
CREATE FUNCTION own_table() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE pipeline_%s () INHERITS (pipelines)', NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER own_table AFTER INSERT ON pipelines FOR EACH ROW EXECUTE FUNCTION own_table();
SQL
    printf 'DROP TABLE pipelines CASCADE;\nDROP FUNCTION own_table;\n' >migrations/0003_pipelines.down.sql
    echo 'ALTER TABLE pipelines ADD COLUMN paused boolean;' >migrations/0004_paused.up.sql
    echo 'ALTER TABLE pipelines DROP COLUMN paused;' >migrations/0004_paused.down.sql
    release v1.1.0
    [[ $(rbtool show v1.1.0 --json | jq -c '[.predicate.databases[0].proof.migrations[] | .restores]') == '["identical","identical"]' ]]
    run -0 rbtool diff v1.0.0 v1.1.0
    [[ $output == *'table pipelines'* && $output != *pipeline_* ]]
    rbtool deploy v1.1.0 --yes
    pg "INSERT INTO pipelines (name) VALUES ('nightly')"
    [[ $(pg 'SELECT count(*) FROM pipeline_1') == 0 ]]
}
