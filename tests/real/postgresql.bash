# PostgreSQL for `run`: databases of a private server. What superusers create (extensions) the
# migrations create themselves.
# shellcheck shell=bash disable=SC2154

engine_start() { server=$("$root/tests/postgres" start $$); }
engine_stop() { "$root/tests/postgres" stop "$server"; }
url() { "$root/tests/postgres" url "$server" "$1"; }
sql() { psql -qXAt -h "$server" -U postgres -v ON_ERROR_STOP=1 "$@"; }
fresh() {
    sql -d postgres -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1" 2>/dev/null
}
copy() {
    sql -d postgres -c "DROP DATABASE IF EXISTS $2 WITH (FORCE)" -c "CREATE DATABASE $2 TEMPLATE $1" 2>/dev/null
}
# Runs the script on stdin, in one transaction where PostgreSQL allows it.
apply() {
    local script
    script=$(cat)
    if grep -qi concurrently <<<"$script"; then
        sql -d "$1" -f - <<<"$script"
    else
        sql -d "$1" -1 -f - <<<"$script"
    fi
}
query() { sql -d "$1" -c "$2"; }

ours="'schema_migrations', '__diesel_schema_migrations', '_sqlx_migrations', 'goose_db_version',
    'rbtool_applied', 'rbtool_journal'"

# Every line of pg_dump behind the first line of its statement; the order of columns does not count.
picture() {
    local table leave=()
    for table in ${ours//[\',]/ }; do leave+=(--exclude-table "*.$table"); done
    pg_dump -h "$server" -U postgres --schema-only --no-owner "${leave[@]}" "$1" |
        awk '/^--/ || /^SET / || /^SELECT pg_catalog.set_config/ || /^\\/ || !NF { next }
            !inside { head = $0 }
            { line = $0; sub(/,$/, "", line); print head " | " line }
            /^CREATE (UNLOGGED )?TABLE .*\($/ { inside = 1 }
            /;$/ { inside = 0 }' | sort
}

tables() {
    query "$1" "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema)'
        AND c.relname NOT IN ($ours) ORDER BY c.oid"
}

# INSERTs of three rows for each empty table, columns "all" or "needed". Numbers in texts, so that
# foreign keys meet.
inserts() { # NAME WHICH
    query "$1" "
        SELECT format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s WHERE NOT EXISTS (SELECT FROM %s OFFSET 2) ON CONFLICT DO NOTHING;',
            t, string_agg(quote_ident(attname), ', ' ORDER BY attnum),
            string_agg(CASE
                WHEN typtype = 'e' THEN (SELECT quote_literal(enumlabel) FROM pg_enum e
                    WHERE e.enumtypid = ty ORDER BY enumsortorder LIMIT 1)
                WHEN typcategory = 'A' THEN '''{}'''
                WHEN base IN ('timestamptz', 'timestamp', 'date') THEN format('''2024-01-0%s 10:20:30''', k)
                WHEN base IN ('time', 'timetz') THEN format('''10:20:0%s''', k)
                WHEN base = 'interval' THEN format('''%s hours''', k)
                WHEN base IN ('json', 'jsonb') THEN format('''{\"k\": %s}''', k)
                WHEN base = 'uuid' THEN format('''00000000-0000-4000-8000-00000000000%s''', k)
                WHEN base = 'bytea' THEN format('''\x000%s''', k)
                WHEN base = 'bool' THEN 'true'
                WHEN base IN ('inet', 'cidr') THEN format('''10.0.0.%s''', k)
                WHEN typcategory = 'R' THEN '''empty'''
                WHEN base = 'tsvector' THEN format('''w%s''', k)
                WHEN base = 'ltree' THEN format('''0.%s''', k)
                ELSE format('''%s''', k) END, ', ' ORDER BY attnum), t)
        FROM (SELECT c.oid, c.oid::regclass AS t, a.attname, a.attnum, k, y.oid AS ty, y.typtype, y.typcategory,
                CASE WHEN y.typtype = 'd' THEN (SELECT typname FROM pg_type b WHERE b.oid = y.typbasetype)
                    ELSE y.typname END AS base
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
            JOIN pg_type y ON y.oid = a.atttypid CROSS JOIN generate_series(1, 3) k
            WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema)'
            AND c.relname NOT IN ($ours) AND ('$2' = 'all' OR (attnotnull AND NOT atthasdef)
                OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND indisprimary AND attnum = ANY (indkey)))) x
        GROUP BY oid, t, k ORDER BY oid, k"
}

# Several passes: a table whose foreign key meets nothing yet is filled by the next.
fill() {
    local how
    for how in all needed all needed all needed; do
        inserts "$1" $how | psql -qXAt -h "$server" -U postgres -d "$1" -f - >/dev/null 2>&1
    done
}

# Rows as JSON, whose keys have an order of their own; of the columns that `columns` names.
columns() {
    tables "$1" | while read -r table; do
        printf '%s\t%s\n' "$table" "$(query "$1" "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname)
            FROM pg_attribute WHERE attrelid = '${table//\'/\'\'}'::regclass AND attnum > 0 AND NOT attisdropped")"
    done
}
contents() { # NAME, columns on stdin
    while IFS=$'\t' read -r table columns; do
        [ -z "$columns" ] || echo "SELECT '$table: ' || x FROM (SELECT to_jsonb(r)::text AS x FROM (SELECT $columns FROM $table) r) y ORDER BY 1;"
    done | psql -qXAt -h "$server" -U postgres -d "$1" -f - 2>&1 | sed 's/^psql:[^:]*:[0-9]*: //'
}
