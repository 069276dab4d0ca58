#!/bin/bash
# Kills what detects, holds and practises before every call that changes state: a report, a drill, a
# transition that pauses, its resume and abort, and a watch that goes back by itself. A report leaves
# the page that was there or a whole new one. A drill changes no file of the environment. A transition
# or watch that was killed ends at one side, by resume or abort.
#
# FAULT_EVERY=1 takes every point (make sweep), otherwise a few: SAMPLE of each command where it is 4.
# Prints TAP.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
. "$here/lib.bash"

EVERY=${FAULT_EVERY:-4}
work=$(mktemp -d "${TMPDIR:-/tmp}/rbtool-practice.XXXXXX")
trap 'rm -rf "$work"' EXIT
s=$work/shop
export TMPDIR=$work/tmp
one_cpu=(taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')")

# v2.0.0 is live; v3.0.0 adds a table. The check fails when v3.0.0 has been asked twice.
prepare() {
    make_shop "$s" || return
    cat >"$s/up" <<SH
test ! -e '$s/srv/stopped' || exit 1
test "\$(readlink '$s/srv/current')" = releases/v3.0.0 || exit 0
echo x >>'$s/srv/asked'
test "\$(wc -l <'$s/srv/asked')" -lt 3
SH
    jq --arg up "$s/up" '.environments.prod |= (. + {watch: {interval: 0.05, failures: 1, onFailure: "revert"},
        checks: [{name: "up", command: ["sh", $up], retry: false}]})' rbtool.json >new && mv new rbtool.json
    echo 'CREATE TABLE notes (id INTEGER PRIMARY KEY);' >migrations/3_notes.up.sql
    echo 'DROP TABLE notes;' >migrations/3_notes.down.sql
    echo three >app/page
    git add -A && git commit -qm three && rbtool release v3.0.0 && rbtool env trust --env prod --yes || return
    # Whether the ledger's objects need a new folder depends on their ids: all are made beforehand.
    (cd "$s/repo/.git/objects" && mkdir -p {{0..9},{a..f}}{{0..9},{a..f}})
}
prepare >"$work/log" 2>&1
code=$?
result $code "prepare a shop"
[[ $code -eq 0 ]] || {
    sed 's/^/# /' "$work/log"
    finish
}
cd "$work" || exit 2
mv "$s" "$work/template"

fresh() { # [TEMPLATE]: the shop as it was
    rm -rf "${s:?}" "$TMPDIR"
    cp -a "$work/${1:-template}" "$s"
    mkdir "$TMPDIR"
    HOME=$s/home
    cd "$s/repo" || exit 2
}
# Every file of the environment and every table, but for what readers of SQLite leave beside a database.
production() {
    (cd "$s/srv" && find . -type f ! -name '*-wal' ! -name '*-shm' ! -path ./.rbtool/lock \
        -exec sha256sum {} + -o -type l -printf '%p %l\n' | sort -k2)
    sqlite3 "file:$s/srv/data/shop.db?mode=ro" .dump | sha256sum
}
state_of() { rbtool status --json 2>/dev/null | jq -r .state; }

# points TEMPLATE COMMAND...: the calls of an undisturbed run in $work/points; how it ends in $code
points() {
    local template=$1
    shift
    fresh "$template"
    # shellcheck disable=SC2154 # lib.bash has the calls
    "${one_cpu[@]}" strace -f -qq -y -o "$work/trace" -e "trace=$state_calls" "$@" >"$work/out" 2>&1
    code=$?
    points_of "$work/trace" | sort -u >"$work/all"
    # Spread over all kinds of calls.
    awk -v every="$EVERY" -v n="$(wc -l <"$work/all")" -v wanted="$SAMPLE" '
        BEGIN { wanted = wanted * 4 / every; step = every == 1 || n <= wanted ? 1 : int(n / wanted) }
        NR % step == int(step / 2)' "$work/all" >"$work/points"
}

# sweep TITLE TEMPLATE CHECK COMMAND...: kills COMMAND at each point; CHECK prints what is wrong then
sweep() {
    local title=$1 template=$2 check=$3 name n
    shift 3
    while read -r name n; do
        fresh "$template"
        "${one_cpu[@]}" strace -f -qq -o "$work/trace" -e "trace=$name" -e "inject=$name:signal=KILL:when=$n" \
            "$@" >"$work/out" 2>&1
        grep -q 'killed by SIGKILL' "$work/trace" || echo "$name $n: the kill did not happen"
        "$check" 2>&1 | sed "s/^/$name $n: /"
    done <"$work/points" 2>&1 | grep -vE '^[^ ]+: line [0-9]+: +[0-9]+ Killed' >"$work/findings"
    [[ ! -s $work/findings ]]
    result $? "$title, at each of $(wc -l <"$work/points") of $(wc -l <"$work/all") points"
    head -40 "$work/findings" | sed 's/^/# /'
}

# A report
page=$work/shop/page.html
SAMPLE=20
fresh
rbtool report -o "$page" >"$work/out" 2>&1
cp -a "$s" "$work/reported"
rm "$work/reported/page.html"
echo 'the page of yesterday' >"$work/reported/page.html"
rows=$(grep -c '<tr' "$page")
report_check() {
    if [[ $(<"$page") != 'the page of yesterday' ]]; then
        [[ $(tail -c 8 "$page") == '</html>' && $(grep -c '<tr' "$page") -eq $rows ]] || echo "half a page of $(wc -c <"$page") bytes"
    fi
    rbtool report -o "$page" >"$work/out" 2>&1 || echo "the next report fails: $(tail -1 "$work/out")"
    grep -q '</html>' "$page" || echo "the next report writes no page"
}
points reported rbtool report -o "$page"
result $code "a report is written over the one of yesterday"
sweep "a report that is killed leaves the old page or a whole new one" reported report_check rbtool report -o "$page"

# A drill
SAMPLE=5
fresh
production >"$work/production"
shop_state "$s" >"$work/from"
drill_check() {
    production | diff "$work/production" - | sed 's/^/production: /' | head -5
    [[ $(state_of) == settled ]] || echo "status says $(state_of)"
    rbtool drill >"$work/out" 2>&1 || echo "the next drill exits $?: $(tail -1 "$work/out")"
    production | diff "$work/production" - | sed 's/^/production after the next drill: /' | head -5
    rbtool log --verify >"$work/out" 2>&1 || echo "log --verify: $(tail -2 "$work/out")"
    git fsck --no-dangling >"$work/out" 2>&1 || echo "git fsck finds: $(head -1 "$work/out")"
    [[ -z $(ls "$TMPDIR") ]] || echo "copies are left: $(ls "$TMPDIR")"
}
points template rbtool drill
production | cmp -s "$work/production"
result $((code || $?)) "a drill changes no file of the environment"
sweep "a drill that is killed changes no file of the environment" template drill_check rbtool drill

# A pause
SAMPLE=2
fresh
revert=(rbtool revert v2.0.0 --yes --accept-data-loss "$(rbtool plan v2.0.0 --json 2>/dev/null | jq -r .digest)")
pause=("${revert[@]}" --pause-before database -m 'ask the owners first')
"${revert[@]}" >"$work/out" 2>&1
code=$?
shop_state "$s" >"$work/to"
[[ $code -eq 0 ]] && ! cmp -s "$work/from" "$work/to"
result $? "a revert ends at the release before"
fresh
"${pause[@]}" >"$work/out" 2>&1
[[ $? -eq 3 && $(state_of) == paused ]]
result $? "a revert pauses before a step"
cp -a "$s" "$work/paused"

# ends WAY: resume or abort, once more where the first of them pauses
ends() {
    local want=to settled=false
    [[ $1 == resume ]] || want=from
    [[ $(state_of) != settled ]] || settled=true
    $settled || rbtool "$1" --yes >"$work/out" 2>&1
    [[ $(state_of) == settled ]] || rbtool "$1" --yes >"$work/out" 2>&1 || echo "$1 exits $?: $(tail -1 "$work/out")"
    [[ $(state_of) == settled ]] || echo "after $1 status says $(state_of)"
    shop_state "$s" >"$work/now"
    # Where the kill came after the end, or before the begin, nothing is left to do.
    cmp -s "$work/now" "$work/$want" || { $settled && cmp -s "$work/now" "$work/from"; } || { $settled && cmp -s "$work/now" "$work/to"; } || {
        echo "after $1 it is not at ${want^^}"
        diff "$work/$want" "$work/now" | head -5
    }
    rbtool status --exit-code >"$work/out" 2>&1 || echo "status finds $(tail -2 "$work/out")"
    rbtool log --verify >"$work/out" 2>&1 || echo "log --verify: $(tail -2 "$work/out")"
}
resumed() { ends resume; }
aborted() { ends abort; }
points template "${pause[@]}"
for way in resumed aborted; do
    sweep "a revert that is killed on its way to a pause is $way" template $way "${pause[@]}"
done
points paused rbtool resume --yes
result $code "resume goes on after a pause"
sweep "the resume of a pause that is killed is resumed" paused resumed rbtool resume --yes
sweep "the resume of a pause that is killed is aborted" paused aborted rbtool resume --yes
points paused rbtool abort --yes
result $code "abort undoes what is paused"
sweep "the abort of a pause that is killed is aborted" paused aborted rbtool abort --yes

# A watch
SAMPLE=4
watch=(rbtool deploy v3.0.0 --yes --watch 1m)
points template "${watch[@]}"
shop_state "$s" >"$work/now"
[[ $code -eq 1 ]] && cmp -s "$work/now" "$work/from"
result $? "a watch goes back by itself"
watch_check() {
    local code=0
    rbtool resume --yes >"$work/out" 2>&1 || code=$?
    [[ $code -le 1 ]] || echo "resume exits $code: $(tail -1 "$work/out")"
    [[ $(state_of) == settled ]] || echo "status says $(state_of)"
    shop_state "$s" >"$work/now"
    if [[ $(readlink "$s/srv/current") == releases/v2.0.0 ]]; then
        diff "$work/from" "$work/now" | head -5
    else
        [[ $(sqlite3 "$s/srv/data/shop.db" 'SELECT count(*) FROM notes') -eq 0 ]] || echo "v3.0.0 lacks its table"
    fi
    [[ -z $(rbtool log --kind watch --json | jq -r .entry.watch.transition | sort | uniq -d) ]] ||
        echo "the ledger has a watch twice"
    rbtool log --verify >"$work/out" 2>&1 || echo "log --verify: $(tail -2 "$work/out")"
    # Whatever happened, the next transition finds the environment free.
    echo 0 >"$s/up"
    rbtool revert v3.0.0 --yes >"$work/out" 2>&1 || rbtool deploy v2.0.0 --yes >"$work/out" 2>&1 || echo "going back exits $?: $(tail -1 "$work/out")"
}
sweep "a watch that is killed ends by resume" template watch_check "${watch[@]}"
finish
