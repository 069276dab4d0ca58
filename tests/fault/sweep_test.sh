#!/bin/bash
# Kills `rbtool revert` before every call that changes state (strace injection), each time on a fresh
# copy of a live environment, then resumes, or aborts, and compares what is there with undisturbed
# runs. Then the same with the calls failing: disk full and input/output error. SWEEP=deploy: the
# same for `rbtool deploy` of the release that was reverted, with its data put back.
#
# FAULT_EVERY=N takes every Nth point of each kind of call (make sweep: 1). Prints TAP, a line for each
# kind of call.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
. "$here/lib.bash"

EVERY=${FAULT_EVERY:-40}
SWEEP=${SWEEP:-revert}
WORKERS=${WORKERS:-2}
work=$(mktemp -d "${TMPDIR:-/tmp}/rbtool-sweep.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2

fresh() { # SLOT: its environment as it was
    rm -rf "${work:?}/$1"
    cp -a "$work/$1.template" "$work/$1"
    HOME=$work/$1/home
    cd "$work/$1/repo" || exit 2
}
# The command under test, for the plan whose digest is in $digest. On one processor it is one
# thread, whose calls come in one order.
command_line() {
    command=(taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')" rbtool)
    if [[ $SWEEP == deploy ]]; then
        command+=(deploy v2.0.0 --accept-reverted --yes)
    else
        command+=(revert v2.0.0 --accept-data-loss "$digest" --yes)
    fi
}
digest_now() {
    rbtool plan v2.0.0 --json 2>/dev/null | jq -r .digest
}
run_again() { # OUT
    digest=$(digest_now)
    command_line
    "${command[@]}" >"$1" 2>&1
}

# Prepares each worker's environment, and what FROM and TO look like in it.
for ((slot = 0; slot < WORKERS; slot++)); do
    make_shop "$work/$slot" >"$work/prepare.log" 2>&1 || {
        result 1 "prepare a shop"
        sed 's/^/# /' "$work/prepare.log"
        finish
    }
    [[ $SWEEP == revert ]] ||
        rbtool revert v2.0.0 --accept-data-loss "$(digest_now)" --yes >>"$work/prepare.log" 2>&1
    # Whether the ledger's objects need a new folder depends on their ids: all are there.
    (cd "$work/$slot/repo/.git/objects" && mkdir -p {{0..9},{a..f}}{{0..9},{a..f}})
    cd "$work" || exit 2
    mv "$work/$slot" "$work/$slot.template"
    fresh "$slot"
    digest=$(digest_now)
    echo "$digest" >"$work/$slot.digest"
    shop_state "$work/$slot" >"$work/$slot.from"
    command_line
    "${command[@]}" >"$work/prepare.log" 2>&1
    code=$?
    shop_state "$work/$slot" >"$work/$slot.to"
    [[ $code -eq 0 ]] && ! cmp -s "$work/$slot.from" "$work/$slot.to"
    result $? "$SWEEP of worker $slot ends at TO without a fault"
    [[ $code -eq 0 ]] || {
        sed 's/^/# /' "$work/prepare.log"
        finish
    }
done

# Injection counts the calls of one thread: there is no other, or the points are not always there.
fresh 0
digest=$(<"$work/0.digest")
command_line
strace -f -qq -o "$work/threads" -e trace=clone,clone3 "${command[@]}" >"$work/prepare.log" 2>&1
[[ $? -eq 0 && -s $work/threads ]] && ! grep CLONE_THREAD "$work/threads"
result $? "$SWEEP runs in one thread on one processor"

# The points: every call of the set that changes something, as NAME N.
fresh 0
digest=$(<"$work/0.digest")
command_line
# shellcheck disable=SC2154 # lib.bash has the calls
strace -y -o "$work/trace" -e "trace=$state_calls" "${command[@]}" >"$work/prepare.log" 2>&1
code=$?
points_of "$work/trace" >"$work/all"
[[ $code -eq 0 && $(wc -l <"$work/all") -gt 20 ]]
result $? "the trace of $SWEEP has $(wc -l <"$work/all") calls that change state"
awk -v every="$EVERY" 'seen[$1]++ % every == 0' "$work/all" >"$work/points"

# told SLOT: the ledger has every transition that ended once, and a revert's verdict once
told() {
    local s=$work/$1
    rbtool resume --yes >"$s.out" 2>&1
    sqlite3 "$s/srv/.rbtool/state.db" "SELECT id || ' ' || outcome FROM transition_log WHERE outcome NOT NULL;
        SELECT id || ' bad' FROM transition_log WHERE kind = 'revert' AND outcome IN ('done', 'unhealthy')" |
        sort >"$s.journal"
    git log --format=%b refs/rbtool/ledger | jq -r 'select(.transition) | .transition | "\(.id) \(.outcome)"' >"$s.ledger"
    git log --format=%b refs/rbtool/ledger | jq -r 'select(.verdict) | .verdict | "\(.transition) \(.verdict)"' >>"$s.ledger"
    sort -o "$s.ledger" "$s.ledger"
    cmp -s "$s.journal" "$s.ledger" || {
        echo "journal and ledger differ: $(tail -1 "$s.out")"
        diff "$s.journal" "$s.ledger" | head -5
    }
    git fsck --no-dangling >"$s.out" 2>&1 || echo "git fsck finds: $(head -1 "$s.out")"
}

# backed_up SLOT: every backup of a transition that ended at its TO is the file of the journal, and
# there is no other one
backed_up() {
    local s=$work/$1 file sha256 n=0
    while IFS='|' read -r file sha256; do
        n=$((n + 1))
        echo "$sha256  $s/srv/$file" | sha256sum --check --status || echo "backup $file is not what the journal says"
    done < <(sqlite3 "$s/srv/.rbtool/state.db" "SELECT file, sha256 FROM backup b JOIN transition_log t
        ON t.id = b.transition_id WHERE t.outcome IN ('done', 'unhealthy', 'down', 'interrupted')")
    [[ $(find "$s/srv/.rbtool/backups" -name '*.sqlite*' | wc -l) -eq $n ]] ||
        echo "the journal has $n backups, on disk are: $(find "$s/srv/.rbtool/backups" -name '*.sqlite*' -printf '%p ')"
}

# one_kill SLOT NAME N resume|abort: prints what went wrong, nothing when all is well
one_kill() {
    local slot=$1 name=$2 n=$3 way=$4 out=$work/$1.out code state want
    fresh "$slot"
    digest=$(<"$work/$slot.digest")
    command_line
    strace -qq -o "$work/$slot.trace" -e "trace=$name" -e "inject=$name:signal=KILL:when=$n" \
        "${command[@]}" >"$out" 2>&1
    code=$?
    [[ $code -eq 137 ]] || {
        echo "the kill did not happen (exit $code)"
        return
    }
    # The database is whole at any time: one side or the other, looked at in a copy.
    cp -a "$work/$slot/srv/data" "$work/$slot.data"
    sqlite3 "$work/$slot.data/shop.db" 'PRAGMA integrity_check' >"$work/$slot.check" 2>&1
    grep -qx ok "$work/$slot.check" || echo "the database is damaged: $(head -1 "$work/$slot.check")"
    rm -rf "$work/$slot.data"
    state=$(rbtool status --json 2>/dev/null | jq -r .state)
    rbtool "$way" --yes >"$out" 2>&1
    code=$?
    # Going back from a committed deploy loses what it put back: that wants consent, as ever.
    if [[ $way == abort && $code -eq 5 ]]; then
        rbtool abort --yes --accept-data-loss "$(sed -n 's,.*--accept-data-loss \([0-9a-f]*\).*,\1,p' "$out" | tail -1)" >"$out" 2>&1
        code=$?
    fi
    [[ $code -eq 0 ]] || echo "$way exits $code: $(tail -1 "$out")"
    shop_state "$work/$slot" >"$work/$slot.now"
    if [[ $state == interrupted ]]; then
        want=to
        [[ $way == abort ]] && want=from
        cmp -s "$work/$slot.now" "$work/$slot.$want" || {
            echo "after $way the environment is not at ${want^^}:"
            diff "$work/$slot.$want" "$work/$slot.now" | head -5
        }
    else
        cmp -s "$work/$slot.now" "$work/$slot.from" || cmp -s "$work/$slot.now" "$work/$slot.to" ||
            echo "status says $state, and it is neither FROM nor TO"
    fi
    # Whatever happened, the environment is free for the next transition.
    if ! cmp -s "$work/$slot.now" "$work/$slot.to"; then
        run_again "$out"
        code=$?
        shop_state "$work/$slot" >"$work/$slot.now"
        [[ $code -eq 0 ]] && cmp -s "$work/$slot.now" "$work/$slot.to" ||
            echo "the $SWEEP after that exits $code: $(tail -1 "$out")"
    fi
    rbtool status --exit-code >"$out" 2>&1 || echo "status finds: $(tail -3 "$out")"
    told "$slot"
    backed_up "$slot"
}

# one_error SLOT NAME N ERRNO: the call fails once
one_error() {
    local slot=$1 name=$2 n=$3 error=$4 out=$work/$1.out code
    fresh "$slot"
    digest=$(<"$work/$slot.digest")
    command_line
    strace -qq -o "$work/$slot.trace" -e "trace=$name" -e "inject=$name:error=$error:when=$n" \
        "${command[@]}" >"$out" 2>&1
    code=$?
    shop_state "$work/$slot" >"$work/$slot.now"
    case $code in
    0) cmp -s "$work/$slot.now" "$work/$slot.to" || echo "exit 0, and the environment is not at TO" ;;
    1 | 2)
        cmp -s "$work/$slot.now" "$work/$slot.from" || {
            echo "exit $code, and the environment is not at FROM: $(grep '^rbtool:' "$out" | tail -1)"
            diff "$work/$slot.from" "$work/$slot.now" | head -5
        }
        ;;
    3) ;;
    *) echo "exit $code: $(tail -1 "$out")" ;;
    esac
    [[ $code -eq 0 ]] || grep -q '^rbtool: ..........' "$out" || echo "exit $code without an error line"
    rbtool resume --yes >"$out" 2>&1
    code=$?
    [[ $code -eq 0 ]] || echo "resume exits $code: $(tail -1 "$out")"
    shop_state "$work/$slot" >"$work/$slot.now"
    if ! cmp -s "$work/$slot.now" "$work/$slot.to"; then
        cmp -s "$work/$slot.now" "$work/$slot.from" || echo "after resume it is neither FROM nor TO"
        run_again "$out"
        code=$?
        shop_state "$work/$slot" >"$work/$slot.now"
        [[ $code -eq 0 ]] && cmp -s "$work/$slot.now" "$work/$slot.to" ||
            echo "the $SWEEP after that exits $code: $(tail -1 "$out")"
    fi
    told "$slot"
    backed_up "$slot"
}

# worker SLOT MODE: its share of the points; findings in SLOT.findings as "NAME N: TEXT"
worker() {
    local slot=$1 mode=$2 i=0 name n
    : >"$work/$slot.findings"
    while read -r name n; do
        i=$((i + 1))
        [[ $((i % WORKERS)) -eq $slot ]] || continue
        case $mode in
        resume | abort) one_kill "$slot" "$name" "$n" "$mode" ;;
        *) one_error "$slot" "$name" "$n" "$mode" ;;
        esac 2>&1 | grep -vE '^[^ ]+: line [0-9]+: +[0-9]+ Killed' | sed "s/^/$name $n: /" >>"$work/$slot.findings"
    done <"$work/points"
}

for mode in resume abort ENOSPC EIO; do
    for ((slot = 0; slot < WORKERS; slot++)); do worker "$slot" "$mode" & done
    wait
    while read -r count name; do
        grep -h "^$name " "$work"/*.findings >"$work/of-this"
        [[ ! -s $work/of-this ]]
        result $? "$SWEEP recovers in mode $mode from a fault at each of $count points in $name"
        head -40 "$work/of-this" | sed 's/^/# /'
    done < <(cut -d' ' -f1 "$work/points" | sort | uniq -c)
done
finish
