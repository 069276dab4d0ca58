#!/usr/bin/env bats
# Files that look like migrations and are not read are named, not passed over.

bats_require_minimum_version 1.5.0
load lib
load transition

setup() {
    host
}

# names PATH WORDS: release and lint both name the file, with the reason.
names() {
    git add -A
    git commit -qm "$1"
    rbtool release v1.0.0 -n --json >doc 2>/dev/null
    jq -e --arg f "database main: $1: " --arg why "$2" \
        'any(.notes[]; startswith($f) and contains($why))' doc || {
        jq .notes doc
        return 1
    }
    run --separate-stderr rbtool lint
    # shellcheck disable=SC2154 # bats sets stderr
    [[ $status -eq 0 && $stderr == *"not read: $1: "*"$2"* ]] || {
        echo "$stderr"
        return 1
    }
    rbtool lint --json 2>/dev/null | schema lint
    git rm -qf --cached "$1"
    rm "$1"
}

@test "release and lint report migrations with wrong names, in the wrong folder, or as code" {
    echo 1.0.0 >VERSION
    echo doc >.git/info/exclude
    echo 'SELECT 1;' | tee migrations/0002_b.UP.SQL migrations/0003_c.down.sql \
        migrations/99999999999999999999_d.up.sql migrations/0005.sql migrations/e.up.sql \
        migrations/0006_f.py migrations/0007_g.sql.erb >/dev/null
    mkdir migrations/old
    echo 'SELECT 1;' >migrations/old/0008_h.up.sql
    names migrations/0002_b.UP.SQL 'not in lower case'
    names migrations/0003_c.down.sql 'a down without an up'
    names migrations/99999999999999999999_d.up.sql 'does not fit 64 bits'
    names migrations/0005.sql 'its name is not one of this layout'
    names migrations/e.up.sql 'no version at its start'
    names migrations/0006_f.py 'program code'
    names migrations/0007_g.sql.erb 'a template'
    names migrations/old/0008_h.up.sql 'in a folder below'
    release v1.0.0 --json >doc
    schema release <doc
    [ "$(jq -c .notes doc)" = '[]' ]
}

@test "release prints a note for a template that is read as SQL" {
    printf 'CREATE TABLE b (id INTEGER PRIMARY KEY); -- {{ .Env.X }}\n' >migrations/0002_b.up.sql
    printf 'DROP TABLE b;\n' >migrations/0002_b.down.sql
    run release v1.0.0
    [[ $status -eq 0 && $output == *"note: database main: migrations/0002_b.up.sql: "*"{{"* ]]
}

@test "release refuses a migration that is a symbolic link" {
    mkdir shared
    git mv migrations/0001_orders.up.sql shared/up.sql
    ln -s ../shared/up.sql migrations/0001_orders.up.sql
    git add -A
    git commit -qm link
    fails 2 'migrations/0001_orders.up.sql: it is a symbolic link' rbtool release v1.0.0
    fails 2 'it is a symbolic link' rbtool lint
}

# looks_like TOOL FILE TEXT
looks_like() {
    git rm -rqf migrations
    mkdir -p "$(dirname "migrations/$2")"
    printf '%b' "$3" >"migrations/$2"
    git add -A
    git commit -qm "$1"
    fails 2 "look like those of $1, which rbtool does not read" rbtool release v1.0.0
    fails 2 "look like those of $1, which rbtool does not read" rbtool lint
}

@test "release refuses another tool's folder and names the tool" {
    printf '[dependencies]\nsqlx = "0.8"\n' >Cargo.toml
    looks_like tern 0001_a.sql 'SELECT 1;\n---- create above / drop below ----\nSELECT 2;\n'
    looks_like Liquibase a.sql '--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n'
    looks_like node-pg-migrate 1_a.js 'exports.up = (pgm) => {}\n'
    looks_like Prisma 20240101_a/migration.sql 'SELECT 1;\n'
    looks_like Rails 20240101_a.rb 'class A < ActiveRecord::Migration[7.0]\n'
    looks_like Django 0001_initial.py 'class Migration(migrations.Migration):\n'
    looks_like Alembic ab12_a.py 'down_revision = None\n'
    looks_like Knex 20240101_a.js 'exports.up = (knex) => {}\n'
}

@test "release reports submodules and filtered files that an artifact has as git stores them" {
    git init -q "$BATS_TEST_TMPDIR/sub"
    git -C "$BATS_TEST_TMPDIR/sub" commit -q --allow-empty -m sub
    git -c protocol.file.allow=always submodule --quiet add "$BATS_TEST_TMPDIR/sub" src/lib
    echo 'secret' >src/key
    echo 'src/key filter=git-crypt' >.gitattributes
    run release v1.0.0
    [[ $status -eq 0 ]]
    [[ $output == *"note: artifact app: the files of submodule src/lib are not part of it"* ]]
    [[ $output == *"note: artifact app: 1 file with a filter in .gitattributes, src/key (filter=git-crypt)"* ]]
}
