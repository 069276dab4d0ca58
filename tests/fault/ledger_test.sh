#!/bin/bash
# Kills `rbtool mark` before every call that changes state, and the `git update-ref` that it runs
# before every such call of its own; then the same with rbtool's calls failing. The ledger is whole
# each time, has the new entry or has it not, and the next entry goes on top.
#
# They are few: FAULT_EVERY leaves none of them out. Prints TAP.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
. "$here/lib.bash"

calls=write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir
calls+=,mkdirat,link,linkat,openat,open,creat,ftruncate,chmod,fchmod,flock

work=$(mktemp -d "${TMPDIR:-/tmp}/rbtool-ledger.XXXXXX")
trap 'rm -rf "$work"' EXIT
make_shop "$work/shop" >"$work/log" 2>&1 || {
    result 1 "prepare a shop"
    sed 's/^/# /' "$work/log"
    finish
}
git=$(command -v git)
mkdir "$work/bin"
# A git whose update-ref is run under strace with $INJECT, or traced.
cat >"$work/bin/git" <<SH
#!/bin/sh
case " \$* " in
*" update-ref "*)
    [ -z "\${TRACE:-}" ] || exec strace -f -y -o "\$TRACE" -e "trace=$calls" "$git" "\$@"
    [ -z "\${INJECT:-}" ] || exec strace -qq -o /dev/null -e "trace=\${INJECT%%:*}" -e "inject=\$INJECT" "$git" "\$@"
    ;;
esac
exec "$git" "\$@"
SH
chmod +x "$work/bin/git"

entries() { "$git" rev-list --count refs/rbtool/ledger; }

# points TRACE: calls that change something, as NAME N
points() {
    sed 's/^[0-9]* *//' "$1" | awk '{ name = $1; sub(/\(.*/, "", name); n[name]++ }
        !/^[a-z]/ || / = -1 / { next }
        name ~ /^open(at)?$/ && !/O_CREAT|O_TRUNC/ { next }
        name == "write" && /^write\([12]</ { next }
        { print name, n[name] }'
}

# whole BEFORE MORE: prints what is wrong with a ledger of BEFORE entries and at most MORE new ones
whole() {
    local before=$1 more=$2 now
    rm -f .git/refs/rbtool/ledger.lock # a killed git leaves it, and says so
    rbtool log --verify >"$work/out" 2>&1 || echo "the ledger is not in order: $(tail -1 "$work/out")"
    now=$(entries)
    [[ $now -ge $before && $now -le $((before + more)) ]] || echo "$before entries became $now"
    rbtool mark v1.0.0 good -m after >"$work/out" 2>&1 || echo "the next entry is refused: $(tail -1 "$work/out")"
    [[ $(entries) -eq $((now + 1)) ]] || echo "the next entry is not there"
}

# The calls of an undisturbed run. It reads the judgements that were kept and keeps a new one.
rbtool log >/dev/null
TRACE=$work/git.trace PATH=$work/bin:$PATH rbtool mark v1.0.0 good -m traced >"$work/out" 2>&1
strace -y -o "$work/trace" -e "trace=$calls" rbtool mark v1.0.0 good -m traced >"$work/out" 2>&1
points "$work/trace" >"$work/points"
points "$work/git.trace" >"$work/git.points"
[[ $(wc -l <"$work/points") -gt 5 && $(wc -l <"$work/git.points") -gt 2 ]]
result $? "$(wc -l <"$work/points") calls of rbtool and $(wc -l <"$work/git.points") of git change state"

faults=0 done=0
while read -r name n; do
    before=$(entries)
    { # bash would tell of the kill
        strace -qq -o /dev/null -e "trace=$name" -e "inject=$name:signal=KILL:when=$n" \
            rbtool mark v1.0.0 good -m killed >"$work/out" 2>&1
        code=$?
    } 2>/dev/null
    told=$(entries)
    wrong=$(whole "$before" 1)
    # An object whose folder is there needs no mkdir: then the run ended well.
    [[ $code -eq 137 || ($code -eq 0 && $told -eq $((before + 1))) ]] || wrong+=" exit $code"
    done=$((done + (code == 137)))
    [[ -z $wrong ]] || {
        faults=$((faults + 1))
        echo "# kill before $name $n: $wrong"
    }
done <"$work/points"
[[ $faults -eq 0 && $done -gt 5 ]]
result $? "the ledger is intact after rbtool was killed at each of $done points"

faults=0 done=0
while read -r name n; do
    before=$(entries)
    # git is gone; rbtool tries again, which is what the second run of strace would kill as well.
    INJECT=$name:signal=KILL:when=$n PATH=$work/bin:$PATH timeout 30 rbtool mark v1.0.0 good \
        -m killed >"$work/out" 2>&1
    code=$?
    told=$(entries)
    wrong=$(whole "$before" 1)
    [[ $code -eq 2 || ($code -eq 0 && $told -eq $((before + 1))) ]] || wrong+=" exit $code, $told entries"
    done=$((done + 1))
    [[ -z $wrong ]] || {
        faults=$((faults + 1))
        echo "# kill before git's $name $n: $wrong"
    }
done <"$work/git.points"
[[ $faults -eq 0 && $done -gt 0 ]]
result $? "the ledger is intact after git update-ref was killed at each of $done points"

faults=0 done=0
for fault in ENOSPC EIO; do
    while read -r name n; do
        before=$(entries)
        strace -qq -o /dev/null -e "trace=$name" -e "inject=$name:error=$fault:when=$n" \
            rbtool mark v1.0.0 good -m failing >"$work/out" 2>&1
        code=$?
        told=$(entries)
        wrong=$(whole "$before" 1)
        # What it says is what happened.
        [[ ($code -eq 2 && $told -eq $before) || ($code -eq 0 && $told -eq $((before + 1))) ]] ||
            wrong+=" exit $code, $told entries: $(tail -1 "$work/out")"
        done=$((done + 1))
        [[ -z $wrong ]] || {
            faults=$((faults + 1))
            echo "# $fault from $name $n: $wrong"
        }
    done <"$work/points"
done
[[ $faults -eq 0 && $done -gt 0 ]]
result $? "the exit code reports whether the entry was written when each of $done calls failed"

# A lock that a killed git left behind is named, and waited for only so long.
touch .git/refs/rbtool/ledger.lock
before=$(entries)
timeout 60 rbtool mark v1.0.0 good -m locked >"$work/out" 2>&1
code=$?
rm .git/refs/rbtool/ledger.lock
[[ $code -eq 4 && $(entries) -eq $before ]] && grep -q 'ledger.lock' "$work/out"
result $? "mark names a stale lock (exit $code)"
finish
