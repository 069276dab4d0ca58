# A journal belongs to the host and the folder where it was begun.

setup() {
    load lib
    load transition
    host
    two_releases
    git init -q --bare "$BATS_TEST_TMPDIR/server.git"
    git remote add origin "$BATS_TEST_TMPDIR/server.git"
    journal=$PROD/.rbtool/state.db
}

# another: the journal says that it was made on another host.
another() {
    sqlite3 "$journal" "UPDATE pin SET value = 'f' || substr(value, 2) WHERE name = 'host' AND value NOT LIKE 'f%';
        UPDATE pin SET value = '0' || substr(value, 2) WHERE name = 'host' AND value NOT LIKE '0%';
        UPDATE transition_log SET host = (SELECT substr(value, 1, 64) FROM pin WHERE name = 'host')"
}

entries() {
    git log --format=%s refs/rbtool/ledger | grep -c '^transition '
}

@test "a copied journal refuses transitions, is not written to the ledger, and gives a hint" {
    cp -r "$PROD" "$BATS_TEST_TMPDIR/copy"
    sqlite3 "$BATS_TEST_TMPDIR/copy/.rbtool/state.db" "DELETE FROM entry; UPDATE transition_log SET id = 'copied'"
    settings '.environments.prod.root = "'"$BATS_TEST_TMPDIR/copy"'"'
    before=$(entries)
    for command in "deploy v1.1.0" "revert v1.0.0 --to v1.1.0" resume abort; do
        # shellcheck disable=SC2086
        fails 2 "was made on another host or in another folder" rbtool --config "$SETTINGS" $command --yes
        [[ $output == *"nothing was changed"*"rbtool --config $SETTINGS env trust --env prod --yes -m WHY"* ]]
    done
    run rbtool --config "$SETTINGS" status
    [[ $output == *"was made on another host or in another folder"* ]]
    run rbtool --config "$SETTINGS" sync
    [[ $output == *"was made on another host or in another folder"* ]]
    [ "$(entries)" = "$before" ]
    fails 2 "comes from another host or folder" rbtool --config "$SETTINGS" env trust --yes
    rbtool --config "$SETTINGS" env trust --yes -m 'restored from the backup'
    git log -1 --format=%s refs/rbtool/ledger | grep -q '^override v1.0.0 settings for prod: .*: restored from the backup'
    rbtool --config "$SETTINGS" status --env prod
    run rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [[ $output != *"was made on another host"* ]]
}

@test "a journal without its pin is treated as a copy, and a new journal is not" {
    sqlite3 "$journal" "DELETE FROM pin WHERE name = 'host'"
    fails 2 "was made on another host or in another folder" rbtool deploy v1.1.0 --yes
    rm -r "$PROD/.rbtool" "$PROD/current" "$PROD/data/shop.db"
    rbtool deploy v1.1.0 --yes
}

@test "a renamed host and a folder restored in place continue with their journal" {
    another
    sqlite3 "$journal" 'DELETE FROM entry'
    rbtool deploy v1.1.0 --yes
    sqlite3 "$journal" "SELECT count(DISTINCT host) FROM transition_log" | grep -x 1
    cp -r "$PROD/.rbtool" "$BATS_TEST_TMPDIR/backup"
    rm -r "$PROD/.rbtool"
    cp -r "$BATS_TEST_TMPDIR/backup" "$PROD/.rbtool"
    rbtool status --exit-code
    mv "$PROD" "$BATS_TEST_TMPDIR/moved"
    settings '.environments.prod.root = "'"$BATS_TEST_TMPDIR/moved"'"'
    fails 2 "was made on another host or in another folder" rbtool --config "$SETTINGS" revert v1.1.0 --yes
}

@test "rows that another host wrote are not recorded in the ledger as this host's" {
    before=$(entries)
    sqlite3 "$journal" "DELETE FROM entry; UPDATE transition_log SET host = 'other', id = 'elsewhere'"
    rbtool sync
    rbtool deploy v1.1.0 --yes
    [ "$(entries)" -eq $((before + 1)) ]
    [ "$(git log --format=%B refs/rbtool/ledger | grep -c elsewhere)" -eq 0 ]
}

@test "the pin does not contain the raw machine id" {
    [ ! -s /etc/machine-id ] || ! sqlite3 "$journal" .dump | grep -F "$(cat /etc/machine-id)"
    sqlite3 "$journal" "SELECT value FROM pin WHERE name = 'host'" | grep -E '^[0-9a-f]{64} [0-9]+:[0-9.]+ [0-9a-f]{64}'
}

@test "triggers and views that were planted in a journal do not run" {
    sqlite3 "$journal" "CREATE TRIGGER t AFTER INSERT ON transition_log BEGIN DELETE FROM pin; END"
    rbtool deploy v1.1.0 --yes
    [ "$(sqlite3 "$journal" 'SELECT count(*) > 0 FROM pin')" = 1 ]
    sqlite3 "$journal" "ALTER TABLE pin RENAME TO old; CREATE VIEW pin AS
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS name, i AS value FROM n"
    fails 2 'state.db: running SELECT value FROM pin' timeout 30 rbtool revert v1.1.0 --yes
}

@test "a damaged plan is neither carried out nor undone, and says what to restore" {
    cp "$journal" "$BATS_TEST_TMPDIR/whole.db"
    for plan in '{}' "json_remove(plan, '\$.steps')" "json_set(plan, '\$.to', 'v9')" "json_set(plan, '\$.only', json('[]'))"; do
        [[ $plan == json* ]] || plan="'$plan'"
        cp "$BATS_TEST_TMPDIR/whole.db" "$journal"
        sqlite3 "$journal" "UPDATE transition_log SET outcome = NULL, plan = $plan WHERE to_tag = 'v1.0.0'"
        for command in resume abort; do
            fails 3 "state.db is damaged; nothing was changed" rbtool "$command" --yes
        done
    done
}

@test "a journal's object id that is none is named, and no hint contains it" {
    sqlite3 "$journal" "UPDATE live SET object = 'x; reboot'"
    fails 2 "is damaged: a live release: object: expected an object id or null, found \"x; reboot\"" rbtool deploy v1.1.0 --yes
    [[ $output != *"git update-ref"* ]]
}

@test "a trigger that removes the database's own journal row refuses the transition" {
    for action in 'BEFORE INSERT ON rbtool_journal BEGIN SELECT RAISE(IGNORE)' 'AFTER INSERT ON rbtool_journal BEGIN DELETE FROM rbtool_journal WHERE transition_id = new.transition_id'; do
        sqlite3 "$PROD/data/shop.db" "CREATE TRIGGER swallow $action; END"
        fails 1 "table rbtool_journal does not keep the row that was inserted" rbtool deploy v1.1.0 --yes
        sqlite3 "$PROD/data/shop.db" 'DROP TRIGGER swallow'
    done
    rbtool deploy v1.1.0 --yes
}

@test "migration ids that are too large are refused, and the message names the query" {
    shop=$PROD/data/shop.db
    cp "$shop" "$BATS_TEST_TMPDIR/whole.db"
    while IFS='|' read -r change table; do
        cp "$BATS_TEST_TMPDIR/whole.db" "$shop"
        sql "$change"
        fails 2 "bytes for \`SELECT $table" rbtool deploy v1.1.0 --yes
        [ ${#output} -lt 10000 ]
    done <<'CHANGES'
INSERT INTO rbtool_applied (sequence, id, applied_at) VALUES (9, hex(zeroblob(9000000)), 'x')|id FROM rbtool_applied
UPDATE schema_migrations SET version = printf('x%s', hex(zeroblob(9000000)))|version, dirty FROM schema_migrations
CHANGES
    cp "$BATS_TEST_TMPDIR/whole.db" "$shop"
    rbtool deploy v1.1.0 --yes
}
