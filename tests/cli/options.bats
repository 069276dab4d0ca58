#!/usr/bin/env bats
# Every option that the help lists, and every setting of the schema, is used by a test; and those that
# no other test uses.
bats_require_minimum_version 1.5.0

load lib
load transition

# The lines of the tests, each command on one line, without comments, titles and what is expected:
# an option that only stands there is not used.
lines() {
    sed -e ':a' -e '/\\$/N; s/\\\n *//; ta' "$ROOT"/tests/cli/*.bats "$ROOT"/tests/cli/*.bash "$ROOT"/tests/fault/*_test.sh \
        "$ROOT"/tests/fault/lib.bash "$ROOT"/tests/real/* "$ROOT"/tests/demo/run |
        sed -E "/^ *#/d; /^@test/d; s/ == [*\"'\$].*//; s/ = \\\$'.*//"
}

# unused LINES COMMAND...: options of these commands that no line with the command's name has
unused() {
    local all=$1 command letter name pattern
    shift
    for command in "$@"; do
        grep -E -- "(^|[^a-z-])$command([^a-z-]|\$)" "$all" >"$BATS_TEST_TMPDIR/of" || true
        rbtool help "$command" | sed -nE 's/^  (-([a-zA-Z]), )?--([a-z-]+).*/\2 \3/p' | sed 's/^ /- /' |
            while read -r letter name; do
                pattern="(^|[ ('\"])--$name([ =)\"']|\$)"
                [ "$letter" = - ] || pattern+="|[ (]-[a-zA-Z]*$letter([ )\"'0-9]|\$)"
                grep -qE -- "$pattern" "$BATS_TEST_TMPDIR/of" || echo "$command --$name"
            done
    done
}

@test "every option of every command is used by a test" {
    lines >"$BATS_TEST_TMPDIR/lines"
    mapfile -t commands < <(rbtool help | sed -nE 's/^  ([a-z][a-z-]*)  .*/\1/p')
    [ "${#commands[@]}" -ge 30 ]
    [ "$(unused "$BATS_TEST_TMPDIR/lines" "${commands[@]}")" = '' ] || {
        unused "$BATS_TEST_TMPDIR/lines" "${commands[@]}"
        return 1
    }
    grep -v -- --terminate "$BATS_TEST_TMPDIR/lines" >"$BATS_TEST_TMPDIR/fewer"
    [ "$(unused "$BATS_TEST_TMPDIR/fewer" abort resume)" = $'abort --terminate\nresume --terminate' ]
}

@test "every setting of rbtool.json is used by a test" {
    lines >"$BATS_TEST_TMPDIR/lines"
    jq -r '[paths | select(length > 1 and .[-2] == "properties") | .[-1]] | unique[] | select(. != "$schema")' \
        "$ROOT/schemas/config.schema.json" >"$BATS_TEST_TMPDIR/keys"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/keys")" -gt 40 ]
    while read -r key; do
        grep -qE "([.\"{ ,(])$key\"?( *:|[ =)|]| \+=)|\.$key([^a-zA-Z]|\$)" "$BATS_TEST_TMPDIR/lines" || echo "$key"
    done <"$BATS_TEST_TMPDIR/keys" >"$BATS_TEST_TMPDIR/unused"
    [ ! -s "$BATS_TEST_TMPDIR/unused" ] || {
        cat "$BATS_TEST_TMPDIR/unused"
        return 1
    }
}

@test "deploy, plan, revert, resume and abort take the options that they share" {
    host
    two_releases
    killed_by stop
    for way in 'resume --yes --lock-timeout 5s --statement-timeout 10s' \
        'abort --yes --no-backup --lock-timeout 5s --statement-timeout 10s'; do
        rm -f "$BATS_TEST_TMPDIR/killed"
        run -137 rbtool --config "$BATS_TEST_TMPDIR/killing.json" deploy v1.1.0 --yes --no-backup --accept-reverted
        read -ra words <<<"$way"
        rbtool --config "$BATS_TEST_TMPDIR/killing.json" "${words[@]}"
        [ "$(rbtool status --json | jq -r .state)" = settled ]
        [ "${words[0]}" = abort ] || rbtool revert v1.1.0 --yes --lock-timeout 5s --statement-timeout 10s
    done
    fails 2 "--lock-timeout takes a duration, not 'soon'" rbtool revert v1.1.0 --yes --lock-timeout soon
    # Both rebuild and verify the artifacts before they move anything.
    for move in 'deploy v1.1.0 --yes --rehearse --accept-reverted' 'revert v1.1.0 --yes --rehearse'; do
        read -ra words <<<"$move"
        rbtool "${words[@]}" 2>&1 | grep -q 'rehearsed on copies: .*; artifacts rebuilt and verified in '
    done
    # The scripts of a later release, in the plan as in what follows it.
    rbtool deploy v1.1.0 --yes --accept-reverted
    echo '-- no other way' >>migrations/0002_discount.down.sql
    release v1.1.1 --accept RB004
    [ "$(rbtool plan v1.1.0 --scripts-from v1.1.1 --json | jq -r .scriptsFrom)" = v1.1.1 ]
    rbtool deploy v1.0.0 --yes --scripts-from v1.1.1
    settled_at v1.0.0
    rbtool log --json --kind transition -n 1 | jq -e '.entry.transition.scriptsFrom == "v1.1.1"'
}

@test "note signs with --key, log --since leaves out what was before, and adopt takes --env" {
    host
    two_releases
    rbtool note v1.0.0 -m 'seen by bob' --key "$KEYS/bob"
    [ "$(rbtool log --json --kind note | jq -r .principal)" = bob@example.com ]
    [ "$(rbtool log --since '1 day ago' --json | wc -l)" = "$(rbtool log --json | wc -l)" ]
    sleep 2
    [ "$(rbtool log --since '1 second ago' --json | wc -l)" = 0 ]
    [ "$(rbtool log --since 2100-01-01 --json | wc -l)" = 0 ] # git does not know that year
    # The day that the first entry was written, whatever the time is.
    today=$(git log --max-parents=0 -1 --format=%cd --date=format-local:%F refs/rbtool/ledger)
    [ "$(rbtool log --since "$today" --json | wc -l)" = "$(rbtool log --json | wc -l)" ]
    [ "$(rbtool log --since today --json | wc -l)" = "$(rbtool log --since "$(date -u +%F)" --json | wc -l)" ]
    [ "$(rbtool log --since yesterday --json | wc -l)" = "$(rbtool log --json | wc -l)" ]
    [ "$(rbtool log --since 1900-01-01 --json | wc -l)" = "$(rbtool log --json | wc -l)" ]
    fails 2 'missing' rbtool adopt v1.0.0 --env missing --yes
    run rbtool adopt v1.0.0 --env prod -n
    [[ $output == *prod* ]]
}

@test "backupLimit leaves out of a backup what is not at risk, and schemaCompatible is ignored" {
    host
    two_releases
    echo 'ALTER TABLE orders RENAME COLUMN total TO amount;' >migrations/0003_amount.up.sql
    echo 'ALTER TABLE orders RENAME COLUMN amount TO total;' >migrations/0003_amount.down.sql
    echo 'SELECT id FROM orders WHERE id < 0;' >checks/totals.sql

    release v1.2.0
    left_out() { rbtool --config "$SETTINGS" plan --deploy v1.2.0 --json | jq -c '[.backups[].leftOut | length > 0]'; }
    settings '.schemaCompatible = true | .environments.prod.backupLimit = 0'
    [ "$(left_out)" = '[true]' ]
    settings '.environments.prod.backupLimit = 10'
    [ "$(left_out)" = '[false]' ]
}
