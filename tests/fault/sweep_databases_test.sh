#!/bin/bash
# Two databases in one transition: kills `rbtool deploy` before every call that changes something
# from the commit of the first database to that of the second, the second with a rollback journal
# and in WAL mode. resume ends with both at TO, abort with both at FROM. Then the second's COMMIT
# does not get its lock: half-way (exit 3), and resume ends it.
#
# EVERY=N takes every Nth point only (make sweep: 1). Prints TAP.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
. "$here/lib.bash"

EVERY=${FAULT_EVERY:-4}
calls=write,pwrite64,fsync,fdatasync,unlink,unlinkat,ftruncate,openat,close,rename,renameat
work=$(mktemp -d "${TMPDIR:-/tmp}/rbtool-databases.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
s=$work/shop

make_two_databases "$s" >"$work/prepare.log" 2>&1
code=$?
result $code "prepare a shop with two databases"
[[ $code -eq 0 ]] || {
    sed 's/^/# /' "$work/prepare.log"
    finish
}

# fresh MODE: the environment at FROM, main's database with that journal mode
fresh() {
    rm -rf "${s:?}/srv"
    cp -a "$work/template" "$s/srv"
    HOME=$s/home
    cd "$s/repo" || exit 2
    sqlite3 "$s/srv/data/shop.db" "PRAGMA journal_mode=$1" >/dev/null
}
deploy=(rbtool deploy v2.2.0 --yes)
mv "$s/srv" "$work/template"

# NAME N of every call from the commit of the first database until the journal says both are done.
points() { # TRACE
    awk '
        { name = $1; sub(/\(.*/, "", name); n[name]++ }
        !/^[a-z]/ || / = -1 / { next }
        /^unlink.*audit\.db-journal/ { on = 1 }
        on && /state\.db-journal/ { exit }
        !on { next }
        name ~ /^openat$/ && !/O_CREAT/ { next }
        name == "write" && /^write\([12]</ { next }
        { print name, n[name] }' "$1"
}

# one_kill MODE NAME N WAY: what went wrong, nothing when all is well
one_kill() {
    local mode=$1 name=$2 n=$3 way=$4 out=$work/out
    fresh "$mode"
    strace -qq -o "$work/trace.kill" -e "trace=$name" -e "inject=$name:signal=KILL:when=$n" \
        "${deploy[@]}" >"$out" 2>&1
    [[ $? -eq 137 ]] || echo "$name $n: the kill did not happen"
    rbtool "$way" --yes >"$out" 2>&1 || echo "$name $n: $way exits $?: $(tail -1 "$out")"
    both_state "$s" >"$work/now"
    local want=to
    [[ $way == resume ]] || want=from
    cmp -s "$work/now" "$work/$want" || {
        echo "$name $n: after $way it is not at ${want^^}:"
        diff "$work/$want" "$work/now" | head -5
    }
    rbtool status --exit-code >"$out" 2>&1 || echo "$name $n: status finds $(tail -2 "$out")"
    # What ended is free for the next.
    [[ $way == resume ]] && return
    "${deploy[@]}" >"$out" 2>&1 || echo "$name $n: the deploy after it exits $?: $(tail -1 "$out")"
}

for mode in delete wal; do
    fresh $mode
    both_state "$s" >"$work/from"
    strace -y -o "$work/trace" -e "trace=$calls" "${deploy[@]}" >"$work/prepare.log" 2>&1
    code=$?
    both_state "$s" >"$work/to"
    points "$work/trace" >"$work/all"
    count=$(wc -l <"$work/all")
    awk -v every="$EVERY" 'NR % every == 0' "$work/all" >"$work/points"
    [[ $code -eq 0 && $count -gt 4 ]] && ! cmp -s "$work/from" "$work/to"
    result $? "the trace has $count calls between the two commits (main in mode $mode)"
    for way in resume abort; do
        while read -r name n; do
            one_kill $mode "$name" "$n" $way
        done <"$work/points" 2>&1 | grep -vE '^[^ ]+: line [0-9]+: +[0-9]+ Killed' >"$work/findings"
        [[ ! -s $work/findings ]]
        result $? "$way recovers after a kill between the commits (main in mode $mode)"
        sed 's/^/# /' "$work/findings" | head -40
    done
done

# A reader keeps COMMIT from its lock until it goes.
read_until_gone() { # DATABASE
    mkfifo "$work/fifo"
    sqlite3 "$1" <"$work/fifo" >"$work/reading" &
    reader=$!
    exec 3>"$work/fifo"
    printf 'BEGIN;\nSELECT count(*) FROM sqlite_schema;\n' >&3
    wait_for test -s "$work/reading"
}
gone() {
    exec 3>&-
    wait "$reader"
    rm "$work/fifo" "$work/reading"
}
fresh delete
both_state "$s" >"$work/from"
read_until_gone "$s/srv/data/audit.db"
"${deploy[@]}" >"$work/out" 2>&1
[[ $? -eq 1 ]] && grep -q "^rbtool: .*audit.db.*locked.*(sqlite3).*nothing was changed" "$work/out"
result $? "deploy reports that the first commit did not get its lock: $(grep -m1 '^rbtool: ' "$work/out")"
gone
both_state "$s" | cmp -s "$work/from"
result $? "both databases are at FROM after the first commit failed"

read_until_gone "$s/srv/data/shop.db"
"${deploy[@]}" >"$work/out" 2>&1
[[ $? -eq 3 ]] && tr "\n" " " <"$work/out" | grep -q "rbtool: .*shop.db.*locked.*rbtool resume"
result $? "deploy reports that the second commit did not get its lock: $(grep -m1 '^rbtool: ' "$work/out")"
[[ $(rbtool status --json 2>/dev/null | jq -r '.state + " " + .step') == "interrupted commit" ]]
result $? "status reports the step at which the deploy stopped"
gone
rbtool resume --yes >"$work/out" 2>&1
code=$?
both_state "$s" | cmp -s "$work/to"
result $((code || $?)) "resume ends with both at TO: $(tail -1 "$work/out")"
rbtool status --exit-code >/dev/null 2>&1
result $? "status reports no drift after resume"
finish
