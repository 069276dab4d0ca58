#!/bin/bash
# Kills `rbtool revert`, and then `rbtool deploy`, of a PostgreSQL database before every call that
# changes state or sends to the server (strace injection), each time on a fresh copy of environment
# and database. Then resumes, or aborts, and compares what is there with undisturbed runs. What the
# server had been sent may still be committed: resume and abort wait for it.
#
# EVERY=N takes every Nth point only (make sweep: 1). Prints TAP.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
. "$here/lib.bash"

EVERY=${FAULT_EVERY:-300}
calls=sendto,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir
calls+=,mkdirat,symlink,symlinkat,openat,ftruncate,fchmod,fchown,flock
work=$(mktemp -d "${TMPDIR:-/tmp}/rbtool-sweep.XXXXXX")
server=$("$here/../postgres" start $$) || exit 2
trap 'cd /; "$here/../postgres" stop "$server"; rm -rf "$work"' EXIT
PGURL=$("$here/../postgres" url "$server" shop)
export PGURL
s=$work/shop
admin() {
    PGOPTIONS='-c client_min_messages=warning' psql -qXAt -v ON_ERROR_STOP=1 -h "$server" -U postgres -c "$1" postgres
}

# keep NAME: environment and database as they are; fresh NAME: they are so again.
keep() {
    cd "$work" || exit 2
    cp -a "$s" "$work/$1"
    admin "CREATE DATABASE $1 TEMPLATE shop"
}
fresh() {
    cd "$work" || exit 2
    rm -rf "${s:?}"
    cp -a "$work/$1" "$s"
    admin 'DROP DATABASE IF EXISTS shop WITH (FORCE)'
    admin "CREATE DATABASE shop TEMPLATE $1"
    HOME=$s/home
    cd "$s/repo" || exit 2
}
one_processor=(taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')")
digest_now() {
    rbtool plan v2.0.0 --json 2>/dev/null | jq -r .digest
}
command_line() { # revert|deploy
    command=("${one_processor[@]}" rbtool revert v2.0.0 --yes --accept-data-loss "$(digest_now)")
    [[ $1 == revert ]] || command=("${one_processor[@]}" rbtool deploy v2.0.0 --accept-reverted --yes)
}

prepare() {
    admin 'CREATE DATABASE shop'
    make_shop "$s" || return
    (cd "$s/repo/.git/objects" && mkdir -p {{0..9},{a..f}}{{0..9},{a..f}}) || return
    keep revert
    cd "$s/repo" || return
    shop_state "$s" >"$work/revert.from"
    rbtool revert v2.0.0 --yes --accept-data-loss "$(digest_now)" || return
    shop_state "$s" >"$work/revert.to"
    keep deploy
    cd "$s/repo" || return
    shop_state "$s" >"$work/deploy.from"
    rbtool deploy v2.0.0 --accept-reverted --yes || return
    shop_state "$s" >"$work/deploy.to"
}
prepare >"$work/prepare.log" 2>&1
code=$?
result $code "a release of a PostgreSQL database is reverted and deployed again"
[[ $code -eq 0 ]] || {
    sed 's/^/# /' "$work/prepare.log"
    finish
}

# one_kill KIND NAME N WAY: prints what went wrong, nothing when all is well
one_kill() {
    local kind=$1 way=$4 out=$work/out want=to code state
    fresh "$kind"
    command_line "$kind"
    strace -qq -o "$work/trace.kill" -e "trace=$2" -e "inject=$2:signal=KILL:when=$3" "${command[@]}" >"$out" 2>&1
    [[ $? -eq 137 ]] || echo "the kill did not happen: $(tail -1 "$out")"
    state=$(rbtool status --json 2>/dev/null | jq -r .state)
    rbtool "$way" --yes >"$out" 2>&1
    code=$?
    if [[ $way == abort && $code -eq 5 ]]; then
        rbtool abort --yes --accept-data-loss "$(sed -n 's,.*--accept-data-loss \([0-9a-f]*\).*,\1,p' "$out" | tail -1)" >"$out" 2>&1
        code=$?
    fi
    [[ $code -eq 0 ]] || echo "$way exits $code: $(grep '^rbtool:' "$out" | tail -1)"
    shop_state "$s" >"$work/now"
    [[ $way == resume ]] || want=from
    if [[ $state == interrupted ]]; then
        cmp -s "$work/now" "$work/$kind.$want" || {
            echo "after $way the environment is not at ${want^^}:"
            diff "$work/$kind.$want" "$work/now" | head -5
        }
    else
        cmp -s "$work/now" "$work/$kind.from" || cmp -s "$work/now" "$work/$kind.to" ||
            echo "status says $state, and it is neither FROM nor TO"
    fi
    rbtool status --exit-code >"$out" 2>&1 || echo "status finds: $(tail -2 "$out")"
}

for kind in revert deploy; do
    fresh $kind
    command_line $kind
    strace -qq -y -o "$work/trace" -e "trace=$calls" "${command[@]}" >"$work/out" 2>&1
    code=$?
    awk '
        { name = $1; sub(/\(.*/, "", name); n[name]++ }
        !/^[a-z]/ || / = -1 / { next }
        name == "openat" && !/O_CREAT|O_TRUNC/ { next }
        name == "write" && /^write\([12]</ { next }
        { print name, n[name] }' "$work/trace" >"$work/all"
    count=$(wc -l <"$work/all")
    [[ $code -eq 0 && $count -gt 40 ]] && grep -q sendto "$work/all"
    result $? "the trace of $kind has $count calls that change state or send"
    awk -v every="$EVERY" 'NR % every == 0' "$work/all" >"$work/points"
    for way in resume abort; do
        while read -r name n; do
            one_kill $kind "$name" "$n" $way </dev/null 2>&1 | grep -vE '^[^ ]+: line [0-9]+: +[0-9]+ Killed' | sed "s/^/$name $n: /"
        done <"$work/points" >"$work/findings"
        [[ ! -s $work/findings ]]
        result $? "$way recovers from a kill of $kind at each of $(wc -l <"$work/points") points"
        sed 's/^/# /' "$work/findings" | head -40
    done
done
finish
