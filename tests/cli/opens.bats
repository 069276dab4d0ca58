#!/usr/bin/env bats
# Closing any descriptor of a file drops all locks that the process has on it, SQLite's too.

load lib

setup() {
    home
    keys
    shop
    rbtool release v1.0.0
    rbtool deploy v1.0.0 --yes
    echo 1.1.0 >VERSION
    echo 'ALTER TABLE orders ADD COLUMN note TEXT;' >migrations/0002_note.up.sql
    echo 'ALTER TABLE orders DROP COLUMN note;' >migrations/0002_note.down.sql
    git add -A
    git commit -qm note
    rbtool release v1.1.0
}

# Runs the command and lists what was done with the database by others than SQLite, which locks what
# it opened, or reads it with pread64(), before it closes it.
outside_sqlite() {
    local db=$PROD/data/shop.db
    # The leak checker cannot work under strace.
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq -o "$HOME/trace" -P "$db" -e trace=openat,open,read,fcntl,pread64,close "$@" >"$HOME/printed" 2>&1 || {
        cat "$HOME/printed"
        return 1
    }
    [[ $(grep -c 'openat(.*shop\.db"' "$HOME/trace") -gt 0 ]]
    awk '
        { call = $2; sub(/\(.*/, "", call); fd = $2; sub(/^[a-z0-9]*\(/, "", fd); sub(/[,)].*/, "", fd) }
        call ~ /^open/ && $NF ~ /^[0-9]+$/ { opened[$1, $NF] = $0; next }
        call == "read" { print; next }
        call == "fcntl" && /F_SETLK/ || call == "pread64" { delete opened[$1, fd]; next }
        call == "close" && ($1, fd) in opened { print opened[$1, fd]; delete opened[$1, fd] }
    ' "$HOME/trace"
}

@test "rbtool opens an environment's database only through SQLite" {
    for command in 'status' 'plan v1.1.0' 'deploy v1.1.0 --yes' 'env check' 'revert v1.0.0 --yes'; do
        # shellcheck disable=SC2086 # words
        run outside_sqlite rbtool $command
        [[ $status -eq 0 && -z $output ]] || {
            echo "$command: $output"
            return 1
        }
    done
}

@test "the check for direct opens detects a command that reads the database file" {
    run outside_sqlite cat "$PROD/data/shop.db"
    [[ $status -eq 0 && $output == *shop.db* ]]
}
