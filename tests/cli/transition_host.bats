# Transitions on hosts that are not as they should be: wrong kinds of files, commands that do not
# behave, rooms that are full.

setup() {
    load lib
    load transition
    host
}

@test "a current that is not a symlink is refused before any change" {
    two_releases
    mv "$PROD/current" "$BATS_TEST_TMPDIR/kept"
    for make in mkdir touch; do
        $make "$PROD/current"
        fails 2 "is not a symlink" rbtool deploy v1.1.0 --yes --accept-drift
        [ "$(rbtool status --json | jq -r .state)" = settled ]
        fails 1 'no such column' sql 'SELECT discount FROM orders'
        rm -r "$PROD/current"
    done
    mv "$BATS_TEST_TMPDIR/kept" "$PROD/current"
    settled_at v1.0.0
}

@test "flags and config that cannot be written are reported before the database is committed" {
    two_releases
    mkdir "$BATS_TEST_TMPDIR/folder"
    for target in "$BATS_TEST_TMPDIR/folder" /nowhere/f; do
        settings ".environments.prod.flags = \"$target\""
        fails 2 "cannot write the flag file" rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-drift
        settings ".environments.prod.config = {\"config/app.toml\": \"$target\"}"
        fails 2 "cannot write config file" rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-drift
    done
    fails 1 'no such column' sql 'SELECT discount FROM orders'
    settled_at v1.0.0
}

@test "flags and config behind symlinks are written through them, and restored" {
    two_releases
    mkdir "$PROD/real"
    for name in flags.json app.toml; do
        mv "$PROD/etc/$name" "$PROD/real/"
        ln -s "../real/$name" "$PROD/etc/$name"
    done
    chmod 600 "$PROD/real/app.toml"
    rbtool deploy v1.1.0 --yes
    [ -L "$PROD/etc/app.toml" ] && [ -L "$PROD/etc/flags.json" ]
    [ "$(cat "$PROD/real/app.toml")" = "workers = 4" ]
    rbtool revert v1.1.0 --yes
    [ -L "$PROD/etc/app.toml" ]
    [ "$(stat -c %a "$PROD/real/app.toml")" = 600 ]
    settled_at v1.0.0
}

@test "a file that the new release lacks is restored with mode and owner when the deploy fails" {
    release v1.0.0
    git rm -q config/app.toml flags.json
    jq 'del(.flags, .config)' rbtool.json >new.json && mv new.json rbtool.json
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    chmod 600 "$PROD/etc/app.toml"
    chmod 640 "$PROD/etc/flags.json"
    settings '.environments.prod.service = {stop: ["true"], start: ["sh", "-c", "kill -9 $PPID"]}'
    run rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    [ ! -e "$PROD/etc/app.toml" ]
    [ ! -e "$PROD/etc/flags.json" ]
    rbtool abort --yes
    settled_at v1.0.0
    settings '.environments.prod.service = {stop: ["sh", "-c", "exit 1"], start: ["true"]}'
    fails 1 "status 1" rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    settled_at v1.0.0
}

@test "a failed deploy restores the files that it overwrote, and leaves no copy" {
    two_releases
    chmod 600 "$PROD/etc/app.toml"
    git rm -q config/app.toml
    mkdir -p config
    echo 'x = 1' >config/b.toml
    release v1.2.0
    mkdir "$PROD/current.new" # in the way of the switch
    fails 1 "current.new" rbtool deploy v1.2.0 --yes
    rmdir "$PROD/current.new"
    [ "$(cat "$PROD/etc/app.toml")" = "workers = 2" ]
    [ "$(stat -c %a "$PROD/etc/app.toml")" = 600 ]
    settled_at v1.0.0
    [ -z "$(find "$PROD/.rbtool/backups" -type f)" ]
}

@test "abort restores the overwritten files even if the settings have changed" {
    two_releases
    settings '.environments.prod.checks = [] | .environments.prod.config = {
        "config/app.toml": .environments.prod.config["config/app.toml"]}'
    mkdir "$PROD/current.new"
    settings '.environments.prod.service = {stop: ["true"], start: ["sh", "-c", "exit 1"]}'
    fails 3 "starting the service again" rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    rmdir "$PROD/current.new"
    settings '.environments.prod.config = {} | del(.environments.prod.flags)'
    rbtool --config "$SETTINGS" abort --yes
    settled_at v1.0.0
}

@test "a service that writes output in the background does not block the transition" {
    two_releases
    settings '.environments.prod.service = {stop: ["true"],
        start: ["sh", "-c", "(for i in $(seq 400); do echo x; sleep 0.02; done) & exit 0"]}'
    SECONDS=0
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [ "$SECONDS" -le 5 ]
    settled_at v1.1.0
}

@test "a start program that does not exist is named before any change" {
    two_releases
    settings '.environments.prod.service = {stop: ["true"], start: ["/nonexistent/start"]}'
    fails 2 "the program /nonexistent/start cannot be executed: No such file" \
        rbtool --config "$SETTINGS" deploy v1.1.0 --yes --json
    settled_at v1.0.0
}

@test "a service that does not start leaves the target live and down, and a revert is possible" {
    two_releases
    settings '.environments.prod.service = {stop: ["true"], start: ["sh", "-c", "exit 7"]}'
    fails 1 "DOWN" rbtool --config "$SETTINGS" deploy v1.1.0 --yes --json
    echo "$output" | grep '^{' | tail -n 1 | schema transition
    [ "$(echo "$output" | grep '^{' | tail -n 1 | jq -r .outcome)" = down ]
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
}

@test "a first deploy whose service cannot start without a release fails and is undone" {
    release v1.0.0
    settings '.environments.prod.service = {stop: ["true"], start: ["sh", "-c", "exit 7"]}
        | .environments.prod.config = {"config/app.toml": "'"$PROD"'/etc/app.toml"}'
    mkdir "$PROD/current.new"
    fails 1 "current.new" rbtool --config "$SETTINGS" deploy v1.0.0 --yes
    [ "$(rbtool status --json | jq -r .state)" = empty ]
    [ ! -e "$PROD/data/shop.db" ]
}

@test "without a database, config is written before the switch, and a failure is undone" {
    jq 'del(.databases, .checks)' rbtool.json >new.json && mv new.json rbtool.json
    release v1.0.0
    second
    rbtool release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    mkdir "$PROD/current.new"
    fails 1 "current.new" rbtool revert v1.1.0 --yes
    rmdir "$PROD/current.new"
    settled_at v1.1.0
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
}

@test "a full disk is a system error before any change" {
    head -c 3000000 /dev/urandom >src/large
    release v1.0.0
    mkdir "$PROD/small"
    mount -t tmpfs -o size=2m none "$PROD/small" || skip "no file system can be mounted here"
    settings '.environments.prod.root = "'"$PROD"'/small"'
    run rbtool --config "$SETTINGS" deploy v1.0.0 --yes
    begun=$(ls -d "$PROD"/small/{releases/*,current} 2>/dev/null || true)
    umount "$PROD/small"
    [ "$status" -eq 2 ]
    [[ $output == *"not enough room: 1 MiB are free below $PROD/small"*"nothing was changed"* ]]
    [ -z "$begun" ]
}

# mounted DIR OPTIONS...: a small file system there, until the test ends.
mounted() {
    local dir=$1
    shift
    mount "$@" "$dir" || skip "no file system can be mounted here"
    echo "$dir" >>"$BATS_TEST_TMPDIR/mounts"
}

teardown() {
    [ ! -e "$BATS_TEST_TMPDIR/mounts" ] || tac "$BATS_TEST_TMPDIR/mounts" | while read -r dir; do umount "$dir"; done
}

@test "a file or a symlink in the place of a release's folder is refused and stays" {
    two_releases
    mkdir "$PROD/elsewhere"
    touch "$PROD/elsewhere/file"
    for make in "touch" "ln -s $PROD/elsewhere"; do
        $make "$PROD/releases/v1.1.0"
        fails 2 "$PROD/releases/v1.1.0 is not a folder; nothing was changed" rbtool deploy v1.1.0 --yes
        fails 2 "is not a folder" rbtool deploy v1.1.0 -n
        settled_at v1.0.0
        rm "$PROD/releases/v1.1.0"
    done
    [ -e "$PROD/elsewhere/file" ]
    rbtool deploy v1.1.0 --yes
}

@test "a file or a symlink in the place of a folder of rbtool's own is refused before any change" {
    two_releases
    for name in delivered backups; do
        mv "$PROD/.rbtool/$name" "$PROD/moved"
        for make in "touch" "ln -s $PROD/moved"; do
            $make "$PROD/.rbtool/$name"
            fails 2 "$PROD/.rbtool/$name is not a folder; nothing was changed" rbtool deploy v1.1.0 -n
            fails 2 "$PROD/.rbtool/$name is not a folder; nothing was changed" rbtool deploy v1.1.0 --yes
            rm "$PROD/.rbtool/$name"
        done
        mv "$PROD/moved" "$PROD/.rbtool/$name"
        settled_at v1.0.0
    done
}

@test "a mount point in the place of a release's folder is refused before any change" {
    two_releases
    mkdir "$PROD/releases/v1.1.0"
    mounted "$PROD/releases/v1.1.0" -t tmpfs -o size=64k none
    fails 2 "it is a mount point" rbtool deploy v1.1.0 -n
    fails 2 "it is a mount point" rbtool deploy v1.1.0 --yes
    settled_at v1.0.0
}

@test "a read-only folder of releases is refused before any change" {
    two_releases
    mounted "$PROD/releases" --bind "$PROD/releases"
    mount -o remount,bind,ro "$PROD/releases"
    fails 2 "nothing was changed; folder $PROD/releases: Read-only file system" rbtool deploy v1.1.0 --yes
    settled_at v1.0.0
    mount -o remount,bind,rw "$PROD/releases"
    rbtool deploy v1.1.0 --yes
}

# The environment's own files on a file system of 2 MiB, which ./fill fills.
small_journal() {
    mv "$PROD/.rbtool" "$PROD/journal"
    mkdir "$PROD/.rbtool"
    mounted "$PROD/.rbtool" -t tmpfs -o size=2m none
    cp -a "$PROD/journal/." "$PROD/.rbtool/"
    printf '#!/bin/sh\ncat /dev/zero >%q 2>/dev/null\nhead -c 3000 /dev/zero | tr "\\0" x\nexit 1\n' \
        "$PROD/.rbtool/junk" >"$BATS_TEST_TMPDIR/fill"
    chmod +x "$BATS_TEST_TMPDIR/fill"
}

@test "a full file system of the environment's journal is refused before any change" {
    two_releases
    small_journal
    run "$BATS_TEST_TMPDIR/fill"
    fails 2 "not enough room: 0 MiB are free below $PROD/.rbtool" rbtool deploy v1.1.0 --yes
    settled_at v1.0.0
    rm "$PROD/.rbtool/junk"
    rbtool deploy v1.1.0 --yes
}

@test "a disk that fills after the commit leaves the transition half-way until resume ends it" {
    two_releases
    small_journal
    settings ".environments.prod.checks = [range(6) |
        {name: \"c\\(.)\", command: [\"$BATS_TEST_TMPDIR/fill\"], retry: false}]"
    fails 3 "database or disk is full" rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [[ $output == *"resume --env prod --yes\`"* ]]
    run rbtool status
    [[ ${lines[0]} == "prod: v1.1.0, not finished: deploy from v1.0.0 stopped in step checks"* ]]
    rm "$PROD/.rbtool/junk"
    settings '.environments.prod.checks = []'
    rbtool --config "$SETTINGS" resume --yes
    settled_at v1.1.0
}

@test "a failing command with long non-ASCII output fails wherever the output is cut" {
    two_releases
    for pad in '' x; do
        printf '#!/bin/sh\npython3 -c "print(\\"%s\\" + chr(233) * 1050)"; exit 1\n' "$pad" >"$BATS_TEST_TMPDIR/says"
        chmod +x "$BATS_TEST_TMPDIR/says"
        settings ".environments.prod.service = {stop: [\"$BATS_TEST_TMPDIR/says\"], start: [\"true\"]}"
        fails 1 "nothing was changed" rbtool --config "$SETTINGS" deploy v1.1.0 --yes
        settled_at v1.0.0
        settings ".environments.prod.checks = [{name: \"ready\", command: [\"$BATS_TEST_TMPDIR/says\"], timeout: 1}]"
        fails 1 "and unhealthy" rbtool --config "$SETTINGS" deploy v1.1.0 --yes
        [[ "$(rbtool status)" == *"checks      failed at"* ]]
        rbtool revert v1.1.0 --yes
        rbtool mark v1.1.0 good -m 'once more'
    done
}

@test "an SQL check that cannot run fails, however long its message is" {
    release v1.0.0
    rbtool deploy v1.0.0 --yes
    second
    for pad in '' x; do
        python3 -c "print('SELECT \"$pad' + chr(233) * 1100 + '\".y FROM orders;')" >checks/totals.sql
        git add -A && git commit -qm check
        rbtool release v1.1.0
        fails 1 "totals.sql failed to run" rbtool deploy v1.1.0 --yes
        settled_at v1.0.0
        git tag -d v1.1.0
    done
}

@test "a current that points to a name that is not UTF-8 is drift" {
    two_releases
    ln -sfn $'releases/v1\xff' "$PROD/current"
    fails 1 'v1\xff' rbtool status --exit-code
    rbtool deploy v1.1.0 --yes --accept-drift
    settled_at v1.1.0
}

@test "a file size limit is reported with its cause, and nothing is changed" {
    two_releases
    # The journal of the environment is larger than the limit.
    run bash -c 'ulimit -f 16; exec rbtool deploy v1.1.0 --yes'
    [[ $status -eq 2 && $output == *"rbtool: "* ]]
    settled_at v1.0.0
    rbtool deploy v1.1.0 --yes
    # What cannot be recorded has not begun, even where the journal cannot be read either.
    for size in 16 24 32 40; do
        run bash -c "ulimit -f $size; exec rbtool revert v1.1.0 --yes"
        [[ $status -eq 2 && $output == *"nothing was changed, prod stays at v1.1.0"* ]]
        settled_at v1.1.0
    done
}
