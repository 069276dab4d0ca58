#!/usr/bin/env bats
# The commands that a refusal names are complete, and work in the state that they are named for.
# shellcheck disable=SC2154 # variables of transition.bash and bats

setup() {
    load lib
    load transition
    host
}

# refused CODE COMMAND...: exits with CODE; the commands between backquotes are left in $next
refused() {
    local code=$1
    shift
    run "$@"
    echo "$output"
    mapfile -t next < <(grep -oE '`[^`]+`' <<<"$output" | tr -d '`')
    [[ $status -eq $code && ${#next[@]} -gt 0 ]]
}

@test "a copied journal: the command that takes it over names the settings that were given" {
    two_releases
    mkdir "$BATS_TEST_TMPDIR/copy"
    cp -a "$PROD/." "$BATS_TEST_TMPDIR/copy/"
    sed "s|$PROD|$BATS_TEST_TMPDIR/copy|" rbtool.json >"$BATS_TEST_TMPDIR/c.json"
    for command in "deploy v1.1.0 --yes" "resume --yes" "abort --yes" "deploy v1.1.0 -n"; do
        # shellcheck disable=SC2086 # words
        refused 2 rbtool --config "$BATS_TEST_TMPDIR/c.json" $command
        [ "${next[0]}" = "rbtool --config $BATS_TEST_TMPDIR/c.json env trust --env prod --yes -m WHY" ]
    done
    [[ $(rbtool --config "$BATS_TEST_TMPDIR/c.json" status) == *"\`${next[0]}\`"* ]]
    [ "$(rbtool --config "$BATS_TEST_TMPDIR/c.json" deploy v1.1.0 --yes --json | jq -r .error.hint | grep -c "\`${next[0]}\`")" = 1 ]
    bash -c "${next[0]}"
    rbtool --config "$BATS_TEST_TMPDIR/c.json" deploy v1.1.0 --yes
    [ "$(readlink "$BATS_TEST_TMPDIR/copy/current") $(readlink "$PROD/current")" = "releases/v1.1.0 releases/v1.0.0" ]
}

@test "a transition that stopped half-way: every refusal and status name commands that work from another folder" {
    two_releases
    for end in resume abort; do
        killed_by stop
        rm -f "$BATS_TEST_TMPDIR/killed"
        run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
        cd /
        for command in "deploy v1.1.0 --yes" "revert v1.0.0 --yes"; do
            # shellcheck disable=SC2086 # words
            refused 3 rbtool -C "$SHOP" --config "$BATS_TEST_TMPDIR/killing.json" $command
            [ "${next[0]}" = "rbtool -C $SHOP --config $BATS_TEST_TMPDIR/killing.json resume --env prod --yes" ]
        done
        [[ $(rbtool -C "$SHOP" --config "$BATS_TEST_TMPDIR/killing.json" status) == *"Finish: \`${next[0]}\`. Undo: \`${next[1]}\`"* ]]
        [ $end = abort ] || next[1]=${next[0]}
        bash -c "${next[1]}"
        cd "$SHOP" || return 1
        settled_at "$([ $end = abort ] && echo v1.0.0 || echo v1.1.0)"
        [ $end = abort ] || rbtool revert v1.1.0 --yes
        rbtool mark v1.1.0 good -m 'was not its fault'
    done
}

@test "a tag that moved while its transition was half-way: the commands move it back and continue" {
    two_releases
    killed_by stop
    run rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes
    object=$(git rev-parse v1.1.0)
    RBTOOL=0 git tag -d v1.1.0
    git commit -q --allow-empty -m other
    rbtool mark v1.1.0 gap -m 'to be released again'
    rbtool release v1.1.0
    refused 3 rbtool resume --yes
    [ "${next[0]}" = "git update-ref refs/tags/v1.1.0 $object" ]
    bash -c "${next[0]}"
    bash -c "${next[1]}"
    settled_at v1.1.0
}

@test "a database that its tool left dirty: the SQL settles it, and the deploy goes on" {
    two_releases
    sql 'UPDATE schema_migrations SET dirty = 1'
    refused 5 rbtool deploy v1.1.0 --yes
    [[ $output == *"database main: golang-migrate records that migration 1 stopped half-way"* ]]
    sql "${next[0]}"
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
}

@test "a damaged state: the command moves it away, and the live release can be deployed again" {
    two_releases
    sqlite3 "$PROD/.rbtool/state.db" 'UPDATE live SET tag = NULL'
    refused 2 rbtool deploy v1.1.0 --yes
    bash -c "${next[0]}"
    rbtool deploy v1.0.0 --yes --accept-drift
    settled_at v1.0.0
}

@test "a clone without the ledger, and one without rbtool.root: each command leads on to the revert" {
    two_releases
    git init -q --bare "$BATS_TEST_TMPDIR/hub.git"
    git remote add origin "$BATS_TEST_TMPDIR/hub.git"
    git push -q origin main v1.0.0 v1.1.0
    git config rbtool.root alice@example.com
    echo '{"environments":{"prod":{"approvals":{"deploy":0}}}}' >"$BATS_TEST_TMPDIR/p.json"
    rbtool policy set "$BATS_TEST_TMPDIR/p.json"
    rbtool deploy v1.1.0 --yes
    rbtool sync
    git clone -q "$BATS_TEST_TMPDIR/hub.git" "$BATS_TEST_TMPDIR/clone"
    cd "$BATS_TEST_TMPDIR/clone"
    refused 2 rbtool revert v1.1.0 --yes
    [ "${next[0]}" = "rbtool sync" ]
    bash -c "${next[0]}"
    refused 2 rbtool revert v1.1.0 --yes
    [ "${next[-1]}" = "git config rbtool.root alice@example.com" ]
    bash -c "${next[-1]}"
    git config --replace-all rbtool.root mallory@example.com
    refused 2 rbtool revert v1.1.0 --yes
    bash -c "${next[-1]}"
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
}

@test "a database that cannot be read: every command says how to look at it, and a revert how to do without it" {
    two_releases
    rbtool deploy v1.1.0 --yes
    mv "$PROD/data/shop.db" "$BATS_TEST_TMPDIR/away.db"
    refused 2 rbtool drill
    [ "${next[0]}" = "rbtool env check --env prod" ]
    refused 1 bash -c "${next[0]}"
    [[ $output == *"error    databases.main: database sqlite:$PROD/data/shop.db does not exist"* ]]
    echo 'not a database at all' >"$PROD/data/shop.db"
    for command in "plan v1.1.0" "revert v1.1.0 --yes" "deploy v1.1.0 --yes" "drill"; do
        # shellcheck disable=SC2086 # words
        refused 2 rbtool $command
        [[ $output == *"hint: "*"\`head -c 16 '$PROD/data/shop.db'\`"* ]]
    done
    refused 2 rbtool revert v1.1.0 --yes
    [ "${next[-1]}" = "rbtool plan v1.1.0 --env prod" ]
    refused 2 bash -c "${next[-1]}"
    [ "${next[2]}" = "rbtool revert v1.1.0 --env prod --yes --to v1.0.0 --only app,flags,config" ]
    bash -c "${next[2]}"
    [ "$(readlink "$PROD/current")" = releases/v1.0.0 ]
}

@test "a release that findings refuse: the command keeps what was accepted already, and releases" {
    release v1.0.0
    second
    echo 'DROP TABLE orders;' >migrations/0003_gone.up.sql
    echo 'SELECT 1;' >migrations/0003_gone.down.sql
    rm checks/*
    jq 'del(.checks)' rbtool.json >x && mv x rbtool.json
    git add -A
    git commit -qm gone
    refused 1 rbtool release v1.1.0 -m 'two words' --accept RB003
    [[ ${next[0]} == "rbtool release v1.1.0 -m 'two words' --accept RB003 --accept RB002"* ]]
    bash -c "${next[0]}"
    git cat-file -p v1.1.0 | grep -q 'two words'
}

@test "a release that fails its checks: revert is proposed only where a known-good release was live" {
    two_releases
    settings ".environments.prod.checks = [{name: \"up\", command: [\"test\", \"!\", \"-e\", \"$BATS_TEST_TMPDIR/broken\"]}]"
    for command in "deploy v1.1.0 --yes" check; do
        touch "$BATS_TEST_TMPDIR/broken"
        # shellcheck disable=SC2086 # words
        refused 1 rbtool --config "$SETTINGS" $command
        [ "${next[0]}" = "rbtool --config $SETTINGS revert v1.1.0 --env prod --yes" ]
    done
    rbtool mark v1.0.0 bad -m 'loses orders'
    refused 1 rbtool --config "$SETTINGS" check
    [[ $output == *'hint: fix forward with a new release '* && ${next[2]} == 'rbtool --config '*' mark v1.0.0 good -m WHY' ]]
    refused 5 rbtool --config "$SETTINGS" plan v1.1.0
    [[ $output == *'fix forward with a new release '* ]]
    echo 1.2.0 >VERSION
    git commit -qam fixed
    bash -c "${next[0]/TAG/v1.2.0}"
    refused 1 rbtool --config "$SETTINGS" deploy v1.2.0 --yes
    [[ $output == *'v1.1.0 '*'check again with '* ]]
    [ "$(grep -c 'go back with' <<<"$output")" = 0 ]
    rm "$BATS_TEST_TMPDIR/broken"
    bash -c "${next[-1]}"
}

@test "an unhealthy release: status names a command that goes back, also where nothing before it is known good" {
    release v1.0.0
    second
    rbtool release v1.1.0
    settings '.environments.prod += {checks: [{name: "up", command: ["false"], timeout: 1}]}'
    run -1 rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    refused 1 rbtool --config "$SETTINGS" status --exit-code
    [ "${next[0]}" = "rbtool --config $SETTINGS revert v1.1.0 --to v1.0.0 --env prod --yes" ]
    settings .
    bash -c "${next[0]}"
    settled_at v1.0.0
}
