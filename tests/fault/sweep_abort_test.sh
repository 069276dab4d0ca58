#!/bin/bash
# A deploy over two databases was killed after the commit of the first: half-way. Kills `rbtool
# abort`, which goes back by a transition of its own, before every call that changes state. The
# environment stays half-way: abort ends at FROM, resume at FROM (the abort had begun) or at TO.
# Then the same calls fail: disk full and input/output error.
#
# EVERY=N takes every Nth point only (make sweep: 1). Prints TAP.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
. "$here/lib.bash"

EVERY=${FAULT_EVERY:-40}
calls=write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat
calls+=,symlink,symlinkat,openat,ftruncate,fchmod,fchown,flock
work=$(mktemp -d "${TMPDIR:-/tmp}/rbtool-abort.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
s=$work/shop
abort=(taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')" rbtool abort --yes)

prepare() { # audit comes before main
    make_two_databases "$s" || return
    # Whether the ledger's objects need a new folder depends on their ids: all are there.
    (cd "$s/repo/.git/objects" && mkdir -p {{0..9},{a..f}}{{0..9},{a..f}}) || return
    strace -f -o "$work/trace" -P "$s/srv/data/shop.db-journal" -e trace=unlink \
        -e inject=unlink:signal=KILL:when=1 rbtool deploy v2.2.0 --yes
    [[ $(rbtool status --json | jq -r '.state + " " + .step') == "interrupted commit" ]]
}
prepare >"$work/prepare.log" 2>&1
code=$?
result $code "a deploy is half-way between the commits of two databases"
[[ $code -eq 0 ]] || {
    sed 's/^/# /' "$work/prepare.log"
    finish
}
cd "$work" || exit 2
mv "$s" "$work/template"

fresh() { # the half-way environment
    rm -rf "${s:?}"
    cp -a "$work/template" "$s"
    HOME=$s/home
    cd "$s/repo" || exit 2
}
for end in resume abort; do
    fresh
    rbtool $end --yes >"$work/out" 2>&1
    code=$?
    both_state "$s" >"$work/$end"
    result $code "$end of the half-way deploy succeeds without a fault: $(tail -1 "$work/out")"
done
! cmp -s "$work/resume" "$work/abort"
result $? "resume and abort end at different releases"

fresh
strace -qq -y -o "$work/trace" -e "trace=$calls" "${abort[@]}" >"$work/out" 2>&1
awk '
    { name = $1; sub(/\(.*/, "", name); n[name]++ }
    !/^[a-z]/ || / = -1 / { next }
    name == "openat" && !/O_CREAT|O_TRUNC/ { next }
    name == "write" && /^write\([12]</ { next }
    { print name, n[name] }' "$work/trace" >"$work/all"
count=$(wc -l <"$work/all")
[[ $count -gt 20 ]]
result $? "the trace of abort has $count calls that change state"
awk -v every="$EVERY" 'NR % every == 0' "$work/all" >"$work/points"

ended() { # WAY: what is not as it must be after that
    both_state "$s" >"$work/now"
    cmp -s "$work/now" "$work/abort" || { [[ $1 == resume ]] && cmp -s "$work/now" "$work/resume"; } || {
        echo "after $1 it is not where it must be:"
        diff "$work/abort" "$work/now" | cut -c1-150 | head -5
    }
    rbtool status --exit-code >"$work/out" 2>&1 || echo "status finds: $(tail -2 "$work/out")"
    [[ $(sqlite3 "$s/srv/.rbtool/state.db" 'SELECT count(*) FROM transition_log WHERE outcome IS NULL') -eq 0 ]] ||
        echo "a transition has not ended"
}
is_settled() { [[ $(rbtool status --json 2>/dev/null | jq -r .state) == settled ]]; }

one_kill() { # NAME N WAY
    fresh
    strace -qq -o "$work/trace.kill" -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" "${abort[@]}" >"$work/out" 2>&1
    [[ $? -eq 137 ]] || echo "the kill did not happen"
    if is_settled; then # the abort had ended
        ended abort
        return
    fi
    rbtool "$3" --yes >"$work/out" 2>&1 || echo "$3 exits $?: $(tail -1 "$work/out")"
    ended "$3"
}
one_error() { # NAME N ERRNO
    local code
    fresh
    strace -qq -o "$work/trace.error" -e "trace=$1" -e "inject=$1:error=$3:when=$2" "${abort[@]}" >"$work/out" 2>&1
    code=$?
    case $code in
    0)
        ended abort
        return
        ;;
    2 | 3) grep -q '^rbtool: ..........' "$work/out" || echo "exit $code without an error line" ;;
    *) echo "exit $code: $(tail -1 "$work/out")" ;;
    esac
    is_settled && echo "exit $code, and it is called settled: $(tail -1 "$work/out")"
    rbtool abort --yes >"$work/out" 2>&1 || echo "abort exits $?: $(tail -1 "$work/out")"
    ended abort
}

for mode in resume abort ENOSPC EIO; do
    while read -r name n; do
        case $mode in
        resume | abort) one_kill "$name" "$n" $mode ;;
        *) one_error "$name" "$n" $mode ;;
        esac 2>&1 | grep -vE '^[^ ]+: line [0-9]+: +[0-9]+ Killed' | sed "s/^/$name $n: /"
    done <"$work/points" >"$work/findings"
    [[ ! -s $work/findings ]]
    result $? "abort recovers in mode $mode from a fault at each of $(wc -l <"$work/points") points"
    sed 's/^/# /' "$work/findings" | head -40
done
finish
