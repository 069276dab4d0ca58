#!/usr/bin/env bats
# The report: its figures against the ledger's, the page in a browser, and what auditors run.
# shellcheck disable=SC2034 # forge reads AT, KEY and OBJECT
bats_require_minimum_version 1.5.0

load lib
load transition
load ledger

HOSTILE=$'"><script>document.title = "run"</script><img src=x onerror="document.title=1"> \u202egnp.exe {app} [x] %end'

# A shop with a bad release and what people wrote about it; every test reads the same one.
setup_file() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    host
    jq '.environments.prod |= . + {checks: [{name: "up", command: ["true"]}], objectives: {rto: 300, rpo: 3600}}' \
        rbtool.json >new.json && mv new.json rbtool.json
    two_releases
    settings '.environments.prod.checks = [{name: "up", command: ["false"], timeout: 1}]'
    run rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 1 WHERE id < 4'
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)"
    rbtool note "$(rbtool log --json --kind transition -n 1 | jq -r .entry.transition.id)" -m "$HOSTILE"
    rbtool note --review backup --due 2020-02-01 -m '=1+1,"x"'
    echo 3 >src/index.html
    release v1.2.0
    rbtool approve v1.2.0 --key "$KEYS/bob" || true
    rbtool deploy v1.2.0 --yes
    rbtool drill v1.2.0
}

setup() {
    TEST=$BATS_TEST_TMPDIR
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    home
    KEYS=$HOME/keys PROD=$BATS_TEST_TMPDIR/prod
    cd "$BATS_TEST_TMPDIR/shop" || return
}

@test "the report's figures are those of the ledger" {
    rbtool report --json | tee "$TEST/report" | schema report
    rbtool log --json >"$TEST/log"
    jq -s '[.[].entry | select(.kind == "transition").transition]' "$TEST/log" >"$TEST/moves"
    figure() { jq -c ".figures[0] | $1" "$TEST/report"; }
    ledger() { jq -c "$1" "$TEST/moves"; }
    [[ $(jq -c '[.transitions[].id]' "$TEST/report") == "$(ledger '[.[].id]')" ]]
    [[ $(jq -c '[.transitions[] | .steps]' "$TEST/report") == "$(ledger '[.[].steps]')" ]]
    [[ $(figure .deployments) == "$(ledger '[.[] | select(.kind == "deploy")] | length')" ]]
    # v1.1.0 ended unhealthy and was undone: one failure, recovered from by the revert.
    [[ $(figure '[.failed, .recoveries, .rework]') == '[1,1,0]' ]]
    [[ $(figure .failedPercent) == 33.3 ]]
    [[ $(figure '.failedEntries[0]') == "$(jq -s '.[] | select(.entry.transition.outcome == "unhealthy").id' "$TEST/log")" ]]
    [[ $(figure .recoverySeconds) == "$(ledger '(.[] | select(.kind == "revert").finished) - (.[] | select(.outcome == "unhealthy").finished)')" ]]
    [[ $(figure '.reverts | [.ended, .done, .percent, .rto, .within]') == '[1,1,100,300,1]' ]]
    [[ $(figure .reverts.seconds) == "$(ledger '.[] | select(.kind == "revert") | .finished - .started')" ]]
    [[ $(figure .leads) == 3 && $(figure .leadSeconds) -ge 0 ]]
    [[ $(jq -c '[.transitions[] | .accepted // [] | .[].values]' "$TEST/report") == '[3]' ]]
    rbtool report | grep -q 'Accepted loss: 3 values of <bdi>orders.discount</bdi> in <bdi>main</bdi>'
    rbtool metrics | grep -qx 'rbtool_lost_values{environment="prod"} 3'
    [[ $(jq -c '[.releases[] | [.tag, .object, .verdict]]' "$TEST/report") == \
        "$(rbtool list --json | jq -c '[.releases[] | [.tag, .object, .verdict]]')" ]]
    [[ $(jq '[.notes, .reviews, .drills, .approvals, .verdicts, .transitions, .releases] | map(length) | add' "$TEST/report") == \
        "$(wc -l <"$TEST/log")" ]]
    [[ $(jq -c '[.drills[0] | .ok, .rto], (.controls[] | select(.command == "rbtool log --kind drill").ok)' "$TEST/report") == $'[true,300]\ntrue' ]]
    [[ $(jq -r .ledger.tip "$TEST/report") == "$(git rev-parse refs/rbtool/ledger)" ]]
}

@test "every id on the page is an object of the repository" {
    rbtool report -o "$TEST/page.html"
    grep -oE '\b[0-9a-f]{40}\b' "$TEST/page.html" | sort -u >"$TEST/ids"
    [[ $(wc -l <"$TEST/ids") -ge 10 ]]
    run git cat-file --batch-check --buffer <"$TEST/ids"
    [[ $output != *missing* ]]
    # What is linked to is on the page.
    while read -r id; do grep -q "id=\"$id\"" "$TEST/page.html"; done < <(grep -oE 'href="#[^"]+' "$TEST/page.html" | cut -c8- | sort -u)
}

@test "the page refers to nothing else, and its elements are closed" {
    rbtool report v1.1.0 -o "$TEST/page.html"
    run grep -nEi '<script|src=|@import|url\(|https?:|javascript:' <(sed 's/&[a-z#0-9]*;/ /g; s/src=x onerror//' "$TEST/page.html")
    [[ $status -eq 1 ]]
    python3 - "$TEST/page.html" <<'PY'
import html.parser, sys
class Check(html.parser.HTMLParser):
    open = []
    def handle_starttag(self, tag, attrs):
        assert all(not name.startswith("on") for name, _ in attrs), attrs
        if tag != "meta": self.open.append(tag)
    def handle_startendtag(self, tag, attrs): pass
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())
check = Check()
check.feed(open(sys.argv[1], encoding="utf-8").read())
assert not check.open, check.open
PY
}

@test "texts of a hostile repository run nothing in a browser" {
    rbtool report -o "$TEST/page.html"
    grep -qF '&lt;script&gt;document.title' "$TEST/page.html"
    grep -qF '{app} [x] %end' "$TEST/page.html"
    [[ $(LC_ALL=C grep -c $'\xe2\x80\xae' "$TEST/page.html") -eq 0 ]]
    runs_nothing
}

# $TEST/page.html, loaded by a browser: a script would have changed its title.
runs_nothing() {
    command -v chromium >/dev/null || skip "chromium is not installed"
    timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$TEST/profile" \
        --dump-dom "file://$TEST/page.html" >"$TEST/dom" 2>"$TEST/messages"
    grep -q '<title>shop: releases and transitions</title>' "$TEST/dom"
    [[ $(grep -c '<img\|<script' "$TEST/dom") -eq 0 ]]
}

@test "a commit with a large message on the ledger's ref is listed and not shown" {
    cp -a . "$TEST/shop"
    cd "$TEST/shop" || return
    good=$(git rev-parse refs/rbtool/ledger)
    for size in 3000000 10000000; do
        { echo "<b>large</b> $HOSTILE" && head -c $size /dev/zero | tr '\0' '<'; } >"$TEST/message"
        tip "$(git commit-tree -p "$good" -F "$TEST/message" 'HEAD^{tree}')"
        rbtool report -o "$TEST/page.html"
        [[ $(stat -c %s "$TEST/page.html") -lt 200000 ]]
        rbtool report --json | tee "$TEST/report.$size" | schema report
        [[ $(jq '.ignored | length' "$TEST/report.$size") -eq 1 ]]
    done
    # Behind one of more than 4 MiB nothing is read, and the report says so.
    [[ $(jq '.figures[0].deployments' "$TEST/report.3000000") -eq 3 ]]
    [[ $(jq -c '.figures' "$TEST/report.10000000") == '[]' ]]
    [[ $(jq -r '.ignored[0].trust' "$TEST/report.10000000") == foreign ]]
    runs_nothing
}

@test "the page's commands for auditors work with git alone" {
    rbtool report -o "$TEST/page.html"
    git clone -q . "$TEST/clone"
    sed -n '/id="verify"/,$p' "$TEST/page.html" | sed -n '/<pre>/,/<\/pre>/p' |
        sed "s/<[^>]*>//g; s/&amp;/\&/g; s/&#39;/'/g; s|/path/to/allowed_signers|$KEYS/allowed|; s/TAG/v1.2.0/; s/^git show ID/git show $(git rev-parse refs/rbtool/ledger)/; /ssh-ed25519/d" >"$TEST/commands"
    [[ $(grep -c '^git' "$TEST/commands") -eq 8 ]]
    cd "$TEST/clone" || return
    run -0 bash -euo pipefail "$TEST/commands"
    [[ $output == *"nothing was cut off" ]]
    [[ $(git log --format=%G? refs/rbtool/ledger | sort -u) == G ]]
    # The signers that the page shows are those of the file.
    grep -qF "$(head -1 "$KEYS/allowed")" "$TEST/page.html"
    RBTOOL=0 git update-ref refs/rbtool/ledger "$(git rev-parse refs/rbtool/ledger~2)"
    run bash -euo pipefail "$TEST/commands"
    [[ $output == *"nothing was cut off" ]] # it was fetched again
    sed -i '/git fetch/d' "$TEST/commands"
    RBTOOL=0 git update-ref refs/rbtool/ledger "$(git rev-parse refs/rbtool/ledger~2)"
    run -1 bash -euo pipefail "$TEST/commands"
}

@test "log --tip prints what proves later that nothing was cut off" {
    read -r tip at entries < <(rbtool log --tip)
    [[ $tip == "$(git rev-parse refs/rbtool/ledger)" && $entries == "$(git rev-list --count refs/rbtool/ledger)" ]]
    rbtool log --tip --json | tee "$TEST/tip" | schema log-tip
    [[ $(jq -r .at "$TEST/tip") == "$at" ]]
}

@test "a dossier has one release, its transitions and what changed since the release before" {
    rbtool report v1.1.0 --json | tee "$TEST/report" | schema report
    [[ $(jq -c '[.release, [.releases[].tag], ([.transitions[].kind] | sort)]' "$TEST/report") == \
        '["v1.1.0",["v1.1.0"],["deploy","revert"]]' ]]
    rbtool report v1.1.0 -o "$TEST/page.html"
    for text in 'Changes from <bdi>v1.0.0</bdi> to <bdi>v1.1.0</bdi>' '+ migration 2' '+workers = 4' 'default new' \
        '3 values of <bdi>orders.discount</bdi>'; do
        grep -qF -- "$text" "$TEST/page.html" || { echo "$text"; return 1; }
    done
    fails 2 'v9 is not a release here' rbtool report v9
}

@test "a range and an environment leave out what is outside of them" {
    [[ $(rbtool report --json --since 2090-01-01 | jq '.transitions | length') -eq 0 ]]
    [[ $(rbtool report --json --env none | jq -c '[(.transitions | length), (.figures | length)]') == '[0,0]' ]]
    [[ $(rbtool report --json --env prod --since '1 year ago' | jq '.figures[0].deployments') -eq 3 ]]
    fails 2 '--format takes html, csv or json' rbtool report --format pdf
    fails 2 'not a name of an environment' rbtool report --env 'a b'
}

@test "the table has a line for each entry, and no cell is a formula" {
    rbtool report --format csv -o "$TEST/report.csv"
    python3 - "$TEST/report.csv" <<'PY' >"$TEST/rows"
import csv, sys
for row in csv.DictReader(open(sys.argv[1], newline="", encoding="utf-8")):
    assert None not in row and len(row) == 12, row
    print(row["kind"], row["entry"], row["text"])
PY
    [[ $(cut -d' ' -f1,2 "$TEST/rows" | sort) == "$(rbtool log --json |
        jq -r '.id as $id | .entry | select(.kind != "release") | "\(if .kind == "transition" then .transition.kind else .kind end) \($id)"' | sort)" ]]
    grep -qF "'=1+1,\"x\"" "$TEST/rows"
}

@test "the time line draws failures over what was live, labels that fit, and no line through a label" {
    settings '.environments.prod.service = {stop: ["false"], start: ["true"]}'
    run -1 rbtool --config "$SETTINGS" deploy v1.0.0 --only app --yes
    rbtool report -o "$TEST/report.html"
    sed -n '/<svg class="line"/,/<\/svg>/p' "$TEST/report.html" >"$TEST/line"
    [[ $(grep -o '<rect class="[a-z]*"' "$TEST/line" | tail -1) == *failed* ]]
    [ "$(grep -o '<rect class="[a-z]*"' "$TEST/line" | uniq | grep -c failed)" = 1 ]
    sed -nE 's/.* width="([0-9]+)" .*<text [^>]*>([^<]+)<\/text>.*/\1 \2/p' "$TEST/line" | while read -r width label; do
        [ "$width" -ge $((8 * ${#label})) ]
    done
    sed -nE 's/.* y1="0" y2="([0-9]+)".* y="([0-9]+)" text-anchor.*/\1 \2/p' "$TEST/line" >"$TEST/ticks"
    [ "$(awk '$2 >= $1 + 12' "$TEST/ticks" | wc -l)" = 7 ]
}
