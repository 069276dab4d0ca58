# Ways back and onwards that are themselves cut off, or find the settings and files changed.

setup() {
    load lib
    load transition
    host
    command -v strace >/dev/null || skip "strace is not installed"
}

# at CALL N PATH WHAT COMMAND...: the Nth CALL that touches PATH meets WHAT (signal=KILL, error=EIO).
at() {
    local call=$1 n=$2 path=$3 what=$4
    shift 4
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq -o "$BATS_TEST_TMPDIR/trace" \
        -P "$path" -e trace="$call" -e inject="$call:$what:when=$n" "$@"
}

# Just before the commit: the unlink of the journal is what makes it.
killed_before_commit() {
    run at unlink 1 "$PROD/data/shop.db-journal" signal=KILL rbtool "$@"
    [ "$status" -eq 137 ]
    [ -s "$PROD/data/shop.db-journal" ]
}

@test "after a kill of abort between a step and its journal row, resume ends at TO and abort at FROM" {
    two_releases
    before=$(picture)
    for way in resume abort; do
        killed_before_commit deploy v1.1.0 --yes --accept-reverted
        [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
        # current is switched back; that it is, nobody has written down.
        run at fsync 1 "$PROD" signal=KILL rbtool abort --yes
        [ "$status" -eq 137 ]
        [ "$(readlink "$PROD/current")" = releases/v1.0.0 ]
        rbtool $way --yes
        [ $way = abort ] || settled_at v1.1.0
        [ $way = abort ] || rbtool revert v1.1.0 --yes
    done
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
}

@test "a commit that reports a failure but happened counts as committed" {
    two_releases
    # The folder is synced when the journal appears, and again when it has gone: that fails.
    run at fdatasync 2 "$PROD/data" error=EIO rbtool deploy v1.1.0 --yes
    grep -q 'EIO.*INJECTED' "$BATS_TEST_TMPDIR/trace"
    [ "$status" -eq 0 ]
    settled_at v1.1.0
    sql 'SELECT discount FROM orders'
}

@test "a commit that reports a failure and did not happen is undone" {
    two_releases
    before=$(picture)
    run at unlink 1 "$PROD/data/shop.db-journal" error=EIO rbtool deploy v1.1.0 --yes
    grep -q 'EIO.*INJECTED' "$BATS_TEST_TMPDIR/trace"
    [ "$status" -eq 1 ]
    [[ $output == *"nothing was changed, prod stays at v1.0.0"* ]]
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
}

@test "abort undoes nothing if it cannot read from the database whether it committed" {
    two_releases
    before=$(picture)
    killed_before_commit deploy v1.1.0 --yes
    settings 'del(.environments.prod.databases.main)'
    fails 3 "has no url for it" rbtool --config "$SETTINGS" abort --yes
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
    mkdir "$BATS_TEST_TMPDIR/away"
    mv "$PROD"/data/shop.db* "$BATS_TEST_TMPDIR/away"
    fails 3 "shop.db does not exist" rbtool abort --yes
    [ ! -e "$PROD/data/shop.db" ]
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    mv "$BATS_TEST_TMPDIR"/away/* "$PROD/data"
    rbtool abort --yes
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
}

@test "abort does not remove a first deploy's database that others have used since" {
    release v1.0.0
    killed_before_commit deploy v1.0.0 --yes
    sql "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('x')"
    rbtool abort --yes
    [ "$(sql 'SELECT text FROM notes')" = x ]
    [ "$(rbtool status --json | jq -r .state)" = empty ]
    [ ! -e "$PROD/current" ]
    rm "$PROD/data/shop.db"
    # Nobody has used it: it goes.
    killed_before_commit deploy v1.0.0 --yes
    rbtool abort --yes
    [ ! -e "$PROD/data/shop.db" ]
    [ ! -e "$PROD/data/shop.db-journal" ]
}

@test "resume follows the steps of the plan even if the settings have changed" {
    two_releases
    settings '.environments.prod.service = {stop: ["true"], start: ["true"]}
        | .environments.prod.checks = [{name: "up", command: ["true"]}]'
    killed_before_commit --config "$SETTINGS" deploy v1.1.0 --yes
    # What those steps ran is gone, and what was never planned is there.
    settings 'del(.environments.prod.flags) | .environments.prod.service = {stop: ["true"]}'
    rbtool --config "$SETTINGS" resume --yes --json >"$BATS_TEST_TMPDIR/document" 2>"$BATS_TEST_TMPDIR/said"
    [ "$(jq -c '[.steps[].id]' "$BATS_TEST_TMPDIR/document")" = \
        '["stage","stop","database","config","switch","commit","flags","start","checks"]' ]
    [ "$(rbtool --config "$SETTINGS" status --json | jq -c '[.release, .state, .drift]')" = '["v1.1.0","settled",[]]' ]
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
}

@test "resume ends as the plan says even if tags, rbtool.json and the places of the environment have changed" {
    two_releases
    settings .
    killed_before_commit --config "$SETTINGS" deploy v1.1.0 --yes
    # A release that lacks what v1.1.0 has, with other settings, and other places for the files.
    git rm -q migrations/2* && git commit -qm less
    jq '.tags = "r*" | .artifacts[0].paths = ["migrations"]' rbtool.json >new.json && mv new.json rbtool.json
    git commit -qam "other settings"
    git tag -f v1.2.0
    jq '.environments.prod |= (.flags = "PROD/etc/other.json" | .config["config/app.toml"] = "PROD/etc/other.toml")' \
        rbtool.json | sed "s,PROD,$PROD," >"$SETTINGS"
    rbtool --config "$SETTINGS" resume --yes
    [ "$(readlink "$PROD/current")" = releases/v1.1.0 ]
    [ "$(git show v1.1.0:flags.json | sha256sum)" = "$(sha256sum <"$PROD/etc/flags.json")" ]
    [ "$(git show v1.1.0:config/app.toml | sha256sum)" = "$(sha256sum <"$PROD/etc/app.toml")" ]
    [ ! -e "$PROD/etc/other.json" ]
    [ ! -e "$PROD/etc/other.toml" ]
    sql 'SELECT discount FROM orders'
}

@test "a plan that was made on another host is not carried out, and abort goes back" {
    two_releases
    killed_before_commit deploy v1.1.0 --yes
    sqlite3 "$PROD/.rbtool/state.db" "DELETE FROM pin WHERE name = 'host'"
    fails 2 "was made on another host" rbtool resume --yes
    rbtool env trust --env prod --yes -m restored
    fails 3 "was begun on another host" rbtool resume --yes
    rbtool abort --yes
    settled_at v1.0.0
}

@test "resume of a revert backs up what is lost, and a deploy restores it" {
    two_releases
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 5 WHERE id = 1'
    killed_before_commit revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)"
    sql 'UPDATE orders SET discount = 7 WHERE id = 2'
    rbtool resume --yes
    settled_at v1.0.0
    rbtool deploy v1.1.0 --yes --accept-reverted
    [ "$(sql 'SELECT id, discount FROM orders WHERE id < 3')" = $'1|5\n2|7' ]
}

# litter: what is in the environment besides what a settled one has
litter() {
    find "$PROD" \( -name '.rbtool-*' -o -name '*.part' -o -name 'rehearsal-*' -o -name '.staging-*' \
        -o -name '.old-*' -o -name '*.new' -o -name '.?*.rbtool' \) -print
}

@test "the next run removes the temporary file of a killed write, and no other file" {
    two_releases
    : >"$PROD/etc/.rbtool-backup" # ours by name, and somebody has it open
    : >"$PROD/etc/app.toml.sample"
    bash -c 'exec 9<"$1" && flock 9 && exec sleep 60' - "$PROD/etc/.rbtool-backup" 3>&- &
    holder=$!
    is_held() { ! flock -n "$PROD/etc/.rbtool-backup" true; }
    wait_for is_held
    for n in 1 3 5 6 7 9; do # of a kept file, its note, the release, what was delivered, config, flags
        run strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=renameat \
            -e inject=renameat:signal=KILL:when=$n rbtool deploy v1.1.0 --yes
        [ "$status" -eq 137 ]
        [ "$(litter | wc -l)" -gt 1 ]
        rbtool abort --yes
        [ "$(litter)" = "$PROD/etc/.rbtool-backup" ]
    done
    settled_at v1.0.0
    [ -e "$PROD/etc/app.toml.sample" ]
    kill $holder
    wait $holder || true
    rbtool deploy v1.1.0 --yes
    [ -z "$(litter)" ]
    settled_at v1.1.0
}

# service: stop and start commands that say in $CALLS what they did, as an init system would: a service
# that runs is not started again. What it read when it started is in $PROD/runs.
service() {
    CALLS=$BATS_TEST_TMPDIR/calls
    cat >"$BATS_TEST_TMPDIR/service" <<SH
#!/bin/sh
echo \$1 >>"$CALLS"
[ \$1 = start ] || exec rm -f "$PROD/runs"
[ -e "$PROD/runs" ] || cat "$PROD/etc/app.toml" >"$PROD/runs"
SH
    chmod +x "$BATS_TEST_TMPDIR/service"
    settings ".environments.prod.service = {stop: [\"$BATS_TEST_TMPDIR/service\", \"stop\"],
        start: [\"$BATS_TEST_TMPDIR/service\", \"start\"]}"
    "$BATS_TEST_TMPDIR/service" start
    rm -f "$CALLS"
}

@test "resume repeats steps whose result may have changed: files and a stopped service" {
    two_releases
    service
    for spoil in 'echo EVIL >"$PROD/releases/v1.1.0/app/src/shop"' 'rm -r "$PROD/releases/v1.1.0"'; do
        killed_before_commit --config "$SETTINGS" deploy v1.1.0 --yes --accept-reverted
        [ ! -e "$PROD/runs" ]
        ln -sfn releases/v1.0.0 "$PROD/current"
        eval "$spoil"
        "$BATS_TEST_TMPDIR/service" start # the host was booted
        rm -f "$CALLS"
        rbtool --config "$SETTINGS" resume --yes
        [ "$(xargs <"$CALLS")" = 'stop start' ]
        settled_at v1.1.0
        rbtool --config "$SETTINGS" revert v1.1.0 --yes
    done
}

@test "resume after the commit starts the service and does not stop it" {
    two_releases
    service
    # Config is written before the commit, flags behind it.
    run at fsync 2 "$PROD/etc" signal=KILL rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    sql 'SELECT discount FROM orders'
    rbtool --config "$SETTINGS" resume --yes
    settled_at v1.1.0
    [ "$(xargs <"$CALLS")" = 'stop start' ]
    [ "$(cat "$PROD/runs")" = "workers = 4" ]
}

@test "the service runs with the restored files, with and without a stop command" {
    two_releases
    service
    checked=$BATS_TEST_TMPDIR/checked.json
    jq --arg p "$PROD" '.environments.prod.checks = [{name: "up", command: ["grep", "-q", "= 2", "\($p)/runs"]}]' \
        "$SETTINGS" >"$checked"
    fails 1 "nothing was changed" rbtool --config "$checked" deploy v1.1.0 --only config --yes
    [ "$(xargs <"$CALLS")" = 'stop start stop start' ]
    [ "$(cat "$PROD/runs")" = "workers = 2" ]
    # A command that loads the files again, as a reload does.
    jq --arg p "$PROD" 'del(.environments.prod.service.stop)
        | .environments.prod.service.start = ["cp", "\($p)/etc/app.toml", "\($p)/runs"]' "$checked" >"$SETTINGS"
    fails 1 "nothing was changed" rbtool --config "$SETTINGS" deploy v1.1.0 --only config --yes
    [ "$(cat "$PROD/runs")" = "workers = 2" ]
    settled_at v1.0.0
}

@test "resume continues in the databases that the transition began with" {
    jq '.environments.prod.databases.main = "$SHOP_DB"' rbtool.json >new.json && mv new.json rbtool.json
    export SHOP_DB=sqlite:$PROD/data/shop.db
    git add -A && git commit -qm url
    two_releases
    cp "$PROD/data/shop.db" "$PROD/data/staging.db"
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    sql 'SELECT discount FROM orders'
    for way in abort resume; do
        SHOP_DB=sqlite:$PROD/data/staging.db fails 3 "staging.db, and was sqlite:$PROD/data/shop.db" rbtool $way --yes
    done
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    rbtool resume --yes
    settled_at v1.1.0
}

@test "resume of a revert uses only the override scripts that were accepted" {
    two_releases
    rbtool deploy v1.1.0 --yes
    printf 'ALTER TABLE orders DROP COLUMN discount; -- mended\n' >migrations/0002_discount.down.sql
    echo 1.2.0 >VERSION
    git commit -qam mended && rbtool release v1.2.0 --accept RB004
    killed_before_commit revert v1.1.0 --to v1.0.0 --scripts-from v1.2.0 --yes
    git update-ref refs/tags/kept v1.2.0
    RBTOOL=0 git tag -d v1.2.0
    printf 'INSERT INTO orders (id, total) VALUES (666, 1); ALTER TABLE orders DROP COLUMN discount;\n' \
        >migrations/0002_discount.down.sql
    git commit -qam other
    rbtool mark v1.2.0 gap -m 'to be made again'
    rbtool release v1.2.0 --accept RB004 --accept RB002
    fails 3 "tag v1.2.0 has moved since the transition began" rbtool resume --yes
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    RBTOOL=0 git update-ref refs/tags/v1.2.0 kept
    rbtool resume --yes
    settled_at v1.0.0
    [ -z "$(sql 'SELECT id FROM orders WHERE id = 666')" ]
}

@test "a folder's name is synced to disk before the commit that needs its content" {
    two_releases
    rbtool deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 5'
    agreed=$(digest v1.1.0)
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq -y -o "$BATS_TEST_TMPDIR/trace" \
        -e trace=mkdir,mkdirat,fsync,unlink rbtool revert v1.1.0 --accept-data-loss "$agreed" --yes
    [ -n "$(find "$PROD/.rbtool/backups" -name '*.sqlite')" ]
    awk -v own="$PROD/.rbtool/" -v commit="unlink(\"$PROD/data/shop.db-journal\")" '
        /mkdirat\(.* = 0$/ && match($0, /<[^>]*>/) {
            folder = substr($0, RSTART + 1, RLENGTH - 2)
            if (index(folder "/", own) != 1) next
            open[folder] = 1
            made++
        }
        /fsync\(/ && match($0, /<.*>/) { delete open[substr($0, RSTART + 1, RLENGTH - 2)] }
        index($0, commit) { committed = 1; exit }
        END {
            for (folder in open) { print "not synced: " folder; bad = 1 }
            if (!committed || made < 2) print "committed: " committed ", made: " made
            exit bad || !committed || made < 2
        }' "$BATS_TEST_TMPDIR/trace"
}

@test "a damaged journal is named, with a hint" {
    two_releases
    cp "$PROD/.rbtool/state.db" "$BATS_TEST_TMPDIR/whole.db"
    pending='UPDATE transition_log SET outcome = NULL'
    while read -r change; do
        cp "$BATS_TEST_TMPDIR/whole.db" "$PROD/.rbtool/state.db"
        sqlite3 "$PROD/.rbtool/state.db" "$change"
        fails 0 "$PROD/.rbtool/state.db is damaged: " rbtool status --json
        fails 1 "state.db is damaged: " rbtool status --exit-code
        for command in "resume --yes" "abort --yes" "deploy v1.1.0 --yes"; do
            # shellcheck disable=SC2086
            fails 2 "$PROD/.rbtool/state.db is damaged: " rbtool $command
            [[ $output == *"restore a copy of it, or move it away"* ]]
        done
    done <<SQL
INSERT INTO live VALUES (NULL, 'v1.0.0', 'x')
UPDATE live SET tag = NULL
$pending, to_tag = NULL
$pending, plan = '{"only": [1]}'
$pending, plan = '{"only": ["flags", "config"], "drift": [{}], "steps": []}'
$pending, plan = '[]'
$pending, plan = '{"before": {"current": "no hexadecimal"}}'
SQL
    rm "$PROD/.rbtool/state.db"
    cp "$BATS_TEST_TMPDIR/whole.db" "$PROD/.rbtool/state.db"
    settled_at v1.0.0
}

@test "status of a half-way transition lists as drift what others changed, not what it changed" {
    two_releases
    rbtool deploy v1.1.0 --yes
    killed_before_commit revert v1.1.0 --yes
    [ "$(readlink "$PROD/current")" = releases/v1.0.0 ]
    git show v1.0.0:flags.json | cmp - "$PROD/etc/flags.json"
    [ "$(rbtool status --json | jq -c '[.state, .drift]')" = '["interrupted",[]]' ]
    echo '{}' >"$PROD/etc/flags.json"
    [ "$(rbtool status --json | jq -r '.drift[].path')" = "$PROD/etc/flags.json" ]
    rbtool abort --yes
    settled_at v1.1.0
}

@test "status reports whether a transition stopped before or after the commit" {
    two_releases
    killed_by stop
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    rm "$BATS_TEST_TMPDIR/killed"
    [[ $(rbtool status) == *'prod: v1.0.0, interrupted: deploy to v1.1.0 stopped in step stop; nothing is committed.'* ]]
    rbtool abort --yes
    killed_before_commit deploy v1.1.0 --yes
    [[ $(rbtool status) == *'stopped in step commit; nothing is committed.'* ]]
    rbtool abort --yes
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    [[ $(rbtool status) == *'prod: v1.1.0, not finished: deploy from v1.0.0 stopped in step start; database and files are at v1.1.0.'* ]]
    rbtool resume --yes
}

@test "resume after the commit keeps files that the release wrote into its folder" {
    two_releases
    killed_by check
    jq --arg p "$PROD" '.environments.prod.service =
        {start: ["sh", "-c", "echo up >>\($p)/current/app/log"]}' "$BATS_TEST_TMPDIR/killing.json" >"$BATS_TEST_TMPDIR/k.json"
    run rbtool --config "$BATS_TEST_TMPDIR/k.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    rbtool --config "$BATS_TEST_TMPDIR/k.json" resume --yes
    [ "$(cat "$PROD/current/app/log")" = up$'\n'up ]
    fails 1 'app/log' rbtool status --exit-code
}

# A deploy that is committed and half-way, and what was there before it.
committed_half_way() {
    two_releases
    before=$(picture)
    killed_by start
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
}
pending() {
    sqlite3 "$PROD/.rbtool/state.db" "SELECT group_concat(kind) FROM (SELECT kind FROM transition_log WHERE outcome IS NULL ORDER BY sequence)"
}

@test "an abort that fails before its commit leaves the deploy half-way, to be resumed or aborted" {
    committed_half_way
    settings '.environments.prod.service = {stop: ["false"]}'
    fails 3 "the transition of prod from v1.0.0 to v1.1.0 is half-way as before" rbtool --config "$SETTINGS" abort --yes
    [ "$(pending)" = deploy ]
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    fails 3 "half-way" rbtool deploy v1.0.0 --yes
    rbtool resume --yes
    settled_at v1.1.0
    rm "$BATS_TEST_TMPDIR/killed"
    rbtool revert v1.1.0 --yes
    rbtool mark v1.1.0 good -m again
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    run rbtool --config "$SETTINGS" abort --yes --json
    [ "$status" -eq 3 ]
    [ "$(grep '^{' <<<"$output" | jq -r .outcome)" = interrupted ]
    rbtool abort --yes
    [ "$(picture)" = "$before" ]
    [ -z "$(pending)" ]
    settled_at v1.0.0
}

ends_back() { # WAY
    committed_half_way
    rm "$BATS_TEST_TMPDIR/killed"
    killed_by stop
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" abort --yes
    [ "$status" -eq 137 ]
    [ "$(pending)" = deploy,abort ]
    [[ $(rbtool status) == *"prod: v1.1.0, not finished: the abort that goes back to v1.0.0 stopped in step stop"* ]]
    rbtool "$1" --yes
    [ "$(picture)" = "$before" ]
    [ -z "$(pending)" ]
    settled_at v1.0.0
}

@test "another abort completes an abort that was killed before its commit" {
    ends_back abort
}

@test "resume completes an abort that was killed before its commit" {
    ends_back resume
}

@test "abort continues an abort that was killed after its commit" {
    committed_half_way
    rm "$BATS_TEST_TMPDIR/killed"
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" abort --yes
    [ "$status" -eq 137 ]
    [ "$(pending)" = deploy,abort ]
    rbtool abort --yes
    [ "$(picture)" = "$before" ]
    [ -z "$(pending)" ]
    settled_at v1.0.0
}

@test "abort asks for the number of values at risk at a terminal, as deploy and revert do" {
    two_releases
    killed_by check
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    sql 'UPDATE orders SET discount = 7 WHERE id < 4'
    timeout 60 script -qec 'rbtool abort' /dev/null <<<$'2\ny\n' >"$BATS_TEST_TMPDIR/seen" || true
    grep -q 'orders.discount: 3 values will be lost' "$BATS_TEST_TMPDIR/seen"
    [ "$(rbtool status --json | jq -r .state)" = interrupted ]
    timeout 60 script -qec 'rbtool abort' /dev/null <<<3 >"$BATS_TEST_TMPDIR/seen"
    [ "$(grep -c 'y/N' "$BATS_TEST_TMPDIR/seen")" -eq 0 ]
    settled_at v1.0.0
    backup=$(sed -n 's/.*backup of main: about .*, in \([^[:space:]]*\).*/\1/p' "$BATS_TEST_TMPDIR/seen")
    [ -s "$backup" ]
}

@test "abort asks once at a terminal where nothing is at risk" {
    committed_half_way
    timeout 60 script -qec 'rbtool abort' /dev/null <<<n >"$BATS_TEST_TMPDIR/seen" || true
    [ "$(pending)" = deploy ]
    timeout 60 script -qec 'rbtool abort' /dev/null <<<y >"$BATS_TEST_TMPDIR/seen"
    [ "$(grep -c 'y/N' "$BATS_TEST_TMPDIR/seen")" -eq 1 ]
    settled_at v1.0.0
    fails 0 "nothing to do" rbtool abort
}
