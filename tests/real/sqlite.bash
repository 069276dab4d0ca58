# SQLite for `run`: a database is the file $work/env/NAME.db.
# shellcheck shell=bash disable=SC2154

engine_start() { :; }
engine_stop() { :; }
file_of() { echo "$work/env/$1.db"; }
url() { echo "sqlite:$(file_of "$1")"; }
fresh() { rm -f "$(file_of "$1")"; }
copy() { sqlite3 "$(file_of "$1")" ".backup '$(file_of "$2")'"; }
# Runs the script on stdin.
apply() { sqlite3 ${EXTENSION:+-cmd ".load $EXTENSION"} "$(file_of "$1")"; }
query() { sqlite3 "$(file_of "$1")" "$2"; }

ours="'schema_migrations', '__diesel_schema_migrations', '_sqlx_migrations', 'goose_db_version',
    'rbtool_applied', 'rbtool_journal'"

# Names, types, defaults, keys and foreign keys; column order and text do not count.
picture() {
    query "$1" "
        SELECT 'object', type, name, tbl_name FROM sqlite_schema
            WHERE name NOT LIKE 'sqlite_%' AND tbl_name NOT IN ($ours);
        SELECT 'column', m.name, c.name, upper(c.type), c.\"notnull\", c.dflt_value, c.pk
            FROM sqlite_schema m, pragma_table_xinfo(m.name) c
            WHERE m.type = 'table' AND m.name NOT IN ($ours);
        SELECT 'foreign', m.name, f.\"table\", f.\"from\", f.\"to\", f.on_update, f.on_delete
            FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
            WHERE m.type = 'table' AND m.name NOT IN ($ours);
        SELECT 'index', m.name, i.\"unique\", i.partial, x.seqno, x.name
            FROM sqlite_schema m, pragma_index_list(m.name) i, pragma_index_xinfo(i.name) x
            WHERE m.type = 'table' AND x.key AND m.name NOT IN ($ours);
        " | sort
}

tables() { # of the application, tables only
    query "$1" "SELECT m.name FROM sqlite_schema m JOIN pragma_table_list t ON t.name = m.name
        WHERE t.schema = 'main' AND t.type = 'table' AND m.type = 'table'
        AND m.name NOT LIKE 'sqlite_%' AND m.name NOT IN ($ours) ORDER BY 1"
}

# An INSERT for row K into TABLE: WHICH columns "all" or "needed", blobs of BYTES bytes. Texts are
# numbers, so that what reads them as JSON can.
insert() { # NAME TABLE K WHICH BYTES
    sqlite3 -cmd ".param init" -cmd ".param set :t \"'${2//\'/\'\'}'\"" "$(file_of "$1")" "
        SELECT 'INSERT OR IGNORE INTO \"' || replace(:t, '\"', '\"\"') || '\" (' ||
            group_concat('\"' || replace(name, '\"', '\"\"') || '\"') || ') VALUES (' ||
            group_concat(CASE
                WHEN upper(type) LIKE '%INT%' THEN '$3'
                WHEN upper(type) LIKE '%BLOB%' OR upper(type) LIKE '%BINARY%'
                    THEN 'CAST(printf(''%d%0$(($5 - 1))d'', $3, 0) AS BLOB)'
                WHEN upper(type) LIKE '%CHAR%' OR upper(type) LIKE '%TEXT%' THEN '''$3'''
                WHEN upper(type) LIKE '%BOOL%' THEN '1'
                WHEN upper(type) LIKE '%DATE%' OR upper(type) LIKE '%TIME%'
                    THEN '''2024-01-0$3 10:20:30'''
                WHEN upper(type) LIKE '%REAL%' OR upper(type) LIKE '%FLOA%' THEN '$3.5'
                ELSE '$3' END) || ');'
        FROM pragma_table_xinfo(:t) WHERE hidden = 0
            AND ('$4' = 'all' OR (\"notnull\" AND dflt_value IS NULL) OR pk)"
}

# Rows for the empty tables, foreign keys consistent where names of keys allow it.
fill() {
    local table how
    tables "$1" | while read -r table; do
        for how in "all 4" "needed 4" "all 32" "needed 32" "all 33" "needed 33"; do
            [ "$(query "$1" "SELECT count(*) FROM \"$table\"")" = 0 ] || break
            for k in 1 2 3; do
                # shellcheck disable=SC2086
                insert "$1" "$table" $k $how | apply "$1" 2>/dev/null
            done
        done
    done
}

# Tables and columns that `contents` reads, by name, so that order does not count.
columns() {
    tables "$1" | while read -r table; do
        printf '%s\t%s\n' "$table" "$(query "$1" "
            SELECT group_concat('''' || name || '='', quote(\"' || name || '\")')
            FROM (SELECT name FROM pragma_table_xinfo('$table') ORDER BY name)")"
    done
}
contents() { # NAME, columns on stdin
    while IFS=$'\t' read -r table columns; do
        sqlite3 -separator ' ' "$(file_of "$1")" "SELECT '$table:', $columns FROM \"$table\"" 2>&1 | sort
    done
}
