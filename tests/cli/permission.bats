# An environment that whoever runs rbtool may not write: a clear line, exit 2, nothing changed.

setup() {
    load lib
    load transition
    host
    mkdir "$BATS_TEST_TMPDIR/bin"
    cp "$BUILD/rbtool" "$BATS_TEST_TMPDIR/bin"
    git config --global safe.directory '*'
    chmod a+x "$BATS_RUN_TMPDIR"
    chmod -R a+rX "$HOME" "$SHOP"
    nobody true || skip "only root can run a program as somebody else"
}

nobody() {
    (cd "$SHOP" && setpriv --reuid 65534 --regid 65534 --clear-groups "$@")
}
as_nobody() {
    nobody "$BATS_TEST_TMPDIR/bin/rbtool" "$@"
}

# A new config file is private; an administrator may open it.
readable() {
    chmod -R a+rX "$PROD/etc"
}

# Everything is nobody's but what is named.
all_but() {
    chown -R 65534:65534 "$PROD"
    chown "${@:2}" "$1"
}

# denied TEXT ARGUMENTS...: exit 2, one line with TEXT, and the environment is as it was.
denied() {
    local text=$1 before
    shift
    before=$(picture)
    fails 2 "$text" as_nobody "$@"
    [ "$(grep -c '^rbtool: ' <<<"$output")" -eq 1 ]
    [[ $output != *"stage "*done* ]]
    [ "$(picture)" = "$before" ]
    [ ! -e "$PROD/releases/v1.1.0" ]
}

@test "another user's environment can be inspected and not changed" {
    two_releases
    settled_at v1.0.0
    fails 1 "app.toml: Permission denied" as_nobody status --exit-code
    readable
    run as_nobody status --exit-code
    [ "$status" -eq 0 ]
    for command in "deploy v1.1.0" "revert v1.0.0 --to v1.1.0" resume abort; do
        # shellcheck disable=SC2086
        denied "Permission denied" $command --yes
        [[ $output == *"rbtool env check"* ]]
    done
    chown 65534 "$PROD"
    fails 1 "$PROD/.rbtool belongs to root, and this user cannot write it" as_nobody env check
    settled_at v1.0.0
}

@test "a file or folder without write permission is named before the first step" {
    two_releases
    readable
    all_but "$PROD/data/shop.db" root
    denied "cannot write database $PROD/data/shop.db" deploy v1.1.0 --yes
    all_but "$PROD/data" root
    denied "folder $PROD/data: Permission denied" deploy v1.1.0 --yes
    all_but "$PROD/etc" root
    denied "cannot write the flag file" deploy v1.1.0 --yes
    all_but "$PROD/releases" root
    denied "folder $PROD/releases: Permission denied" deploy v1.1.0 --yes
    all_but "$PROD" root
    denied "folder $PROD: Permission denied" deploy v1.1.0 --yes
    all_but "$PROD/.rbtool/state.db" root
    denied "state.db cannot be written" deploy v1.1.0 --yes
    # A file that only its owner can write again in his own name; flags come after the commit.
    for file in flags.json app.toml; do
        all_but "$PROD/etc/$file" root
        denied "it belongs to user 0" deploy v1.1.0 --yes
        all_but "$PROD/etc/$file" :root
        denied "and group 0" deploy v1.1.0 --yes
    done
    all_but "$PROD" 65534
    as_nobody deploy v1.1.0 --yes
    settled_at v1.1.0
    all_but "$PROD/releases/v1.0.0" root
    fails 2 "folder $PROD/releases/v1.0.0: Permission denied" as_nobody revert v1.1.0 --yes
    settled_at v1.1.0
    all_but "$PROD" 65534
    as_nobody revert v1.1.0 --yes
    settled_at v1.0.0
}

@test "a flag file that cannot be removed from another user's folder is named before the first step" {
    release v1.0.0
    git rm -q flags.json
    jq 'del(.flags)' rbtool.json >new.json && mv new.json rbtool.json
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    all_but "$PROD/etc" root
    fails 2 "cannot write the flag file" as_nobody deploy v1.1.0 --yes
    settled_at v1.0.0
}

@test "a deploy that could not write a file reports that nothing was changed" {
    two_releases
    all_but "$PROD" 65534
    settings '.environments.prod.service = {stop: ["chmod", "555", "'"$PROD"'/etc"], start: ["true"]}'
    chmod a+r "$SETTINGS"
    chmod a+x "$BATS_TEST_TMPDIR"
    before=$(picture)
    fails 1 "nothing was changed, prod stays at v1.0.0" as_nobody --config "$SETTINGS" deploy v1.1.0 --yes
    [ "$(picture)" = "$before" ]
    chmod 755 "$PROD/etc"
    settled_at v1.0.0
}

# killed_before_commit ARGUMENTS...: the transition has written its files, and stays half-way.
killed_before_commit() {
    command -v strace >/dev/null || skip "strace is not installed"
    run traced -P "$PROD/data/shop.db-journal" -e trace=unlink -e inject=unlink:signal=KILL:when=1 rbtool "$@"
    [ "$status" -eq 137 ]
}

traced() {
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq -o "$BATS_TEST_TMPDIR/trace" "$@"
}

@test "a restored file is created with its owner, without a chown by name" {
    release v1.0.0
    git rm -q config/app.toml
    mkdir -p config
    echo 'x = 1' >config/other.toml
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    chown 65534:65534 "$PROD/etc" "$PROD/etc/app.toml"
    chmod 640 "$PROD/etc/app.toml"
    killed_before_commit deploy v1.1.0 --yes
    [ ! -e "$PROD/etc/app.toml" ]
    # Between a rename and a chown by name, nobody could put a symlink to any file there.
    traced -e trace=chown,lchown,fchownat -e inject=chown,lchown,fchownat:signal=KILL rbtool abort --yes
    [ "$(stat -c %u:%g:%a "$PROD/etc/app.toml")" = 65534:65534:640 ]
    settled_at v1.0.0
}

# planted ARGUMENTS...: refused with one line, and what nobody wanted written is not.
planted() {
    run rbtool "$@"
    echo "$output"
    [ "$status" -eq 2 ]
    [ "$(grep -c '^rbtool: ' <<<"$output")" -eq 1 ]
    [ "$(find "$VICTIM" -mindepth 1)" = "$VICTIM/shadow" ]
    [ "$(cat "$VICTIM/shadow")" = secret ]
    [ "$(stat -c %u:%a "$VICTIM/shadow")" = 0:600 ]
}

# A root that is nobody's, before a first deploy by root, and a folder that is not nobody's.
victim() {
    release v1.0.0
    chmod a+x "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR"
    VICTIM=$BATS_TEST_TMPDIR/victim
    mkdir "$VICTIM"
    (umask 077 && echo secret >"$VICTIM/shadow")
    chown 65534:65534 "$PROD" "$PROD/etc"
}

@test "rbtool as root does not follow symlinks that the owner of the environment created" {
    victim
    nobody ln -s "$VICTIM/shadow" "$PROD/etc/app.toml"
    planted deploy v1.0.0 --yes
    [[ $output == *"a symlink in $PROD/etc/app.toml was made by user 65534"* ]]
    nobody rm "$PROD/etc/app.toml"
    nobody ln -s "$VICTIM/shadow" "$PROD/etc/flags.json"
    planted deploy v1.0.0 --yes
    nobody rm "$PROD/etc/flags.json"
    rmdir "$PROD/etc"
    nobody ln -s "$VICTIM" "$PROD/etc"
    planted deploy v1.0.0 --yes
    nobody rm "$PROD/etc"
    rmdir "$PROD/releases"
    nobody ln -s "$VICTIM" "$PROD/releases"
    planted deploy v1.0.0 --yes
    [[ $output == *"$PROD/releases is a symlink"* ]]
    nobody rm "$PROD/releases"
    nobody mkdir "$PROD/releases"
    planted deploy v1.0.0 --yes
    [[ $output == *"$PROD/releases belongs to user 65534"* ]]
    rm -r "$PROD/releases" "$PROD/.rbtool"
    nobody ln -s "$VICTIM" "$PROD/.rbtool"
    planted deploy v1.0.0 --yes
    fails 1 "unreadable  state: $PROD/.rbtool is a symlink" rbtool status --exit-code
    nobody rm "$PROD/.rbtool"
    nobody mkdir "$PROD/.rbtool"
    nobody ln -s "$VICTIM/new.db" "$PROD/.rbtool/state.db"
    planted deploy v1.0.0 --yes
    fails 1 "unreadable  state: " rbtool status --exit-code
    nobody rm -r "$PROD/.rbtool"
    rbtool deploy v1.0.0 --yes
    settled_at v1.0.0
}

@test "rbtool as root does not follow folders that their owner swaps during a deploy" {
    victim
    rbtool deploy v1.0.0 --yes
    second
    rbtool release v1.1.0
    for folder in releases .rbtool; do
        away=$BATS_TEST_TMPDIR/away$folder
        settings '.environments.prod.service = {start: ["true"],
            stop: ["sh", "-c", "mv '"$PROD/$folder $away && ln -s $VICTIM $PROD/$folder"'; false"]}'
        mkdir -p "$VICTIM/v1.1.0" "$VICTIM/backups"
        echo precious | tee "$VICTIM/v1.1.0/file" "$VICTIM/backups/file" "$VICTIM/state.db"
        run rbtool --config "$SETTINGS" deploy v1.1.0 --yes
        [ "$status" -eq 1 ]
        [[ $output == *"nothing was changed, prod stays at v1.0.0"* ]]
        [ "$(cat "$VICTIM/v1.1.0/file" "$VICTIM/backups/file" "$VICTIM/state.db")" = $'precious\nprecious\nprecious' ]
        [ "$(find "$VICTIM" -type f | wc -l)" -eq 4 ]
        rm "$PROD/$folder"
        mv "$away" "$PROD/$folder"
        [ ! -e "$PROD/releases/v1.1.0" ]
        rm -r "$VICTIM/v1.1.0" "$VICTIM/backups" "$VICTIM/state.db"
        settled_at v1.0.0
    done
    chmod o+w "$PROD/releases"
    planted deploy v1.1.0 --yes
    [[ $output == *"every user may write to $PROD/releases"*"chmod o-w"* ]]
}

@test "names in a journal that lead out of the root are reported as damage, and nothing is removed" {
    two_releases
    mkdir "$BATS_TEST_TMPDIR/victim" && touch "$BATS_TEST_TMPDIR/victim/file"
    killed_before_commit deploy v1.1.0 --yes
    cp "$PROD/.rbtool/state.db" "$BATS_TEST_TMPDIR/state.db"
    for tag in ../../victim /victim .. a/../../b 'a\b' "$(printf 'x%.0s' {1..251})"; do
        sqlite3 "$PROD/.rbtool/state.db" "UPDATE transition_log SET to_tag = '$tag' WHERE outcome IS NULL"
        fails 2 "is damaged: a transition: to: expected a tag, found" rbtool abort --yes
        fails 1 "is damaged: a transition: to: expected a tag, found" rbtool status --exit-code
        cp "$BATS_TEST_TMPDIR/state.db" "$PROD/.rbtool/state.db"
    done
    sqlite3 "$PROD/.rbtool/state.db" "UPDATE transition_log SET id = '../../../victim' WHERE outcome IS NULL"
    fails 2 "is damaged: a transition: id: expected a name, found" rbtool abort --yes
    [ -e "$BATS_TEST_TMPDIR/victim/file" ]
    cp "$BATS_TEST_TMPDIR/state.db" "$PROD/.rbtool/state.db"
    rbtool abort --yes
    settled_at v1.0.0
}

@test "releases and state are world-readable and backups are not, with any umask" {
    release v1.0.0
    umask 077
    PROD=$PROD/new
    settings ".environments.prod.root = \"$PROD\""
    rbtool --config "$SETTINGS" deploy v1.0.0 --yes
    [ "$(cd "$PROD" && stat -c %a . releases releases/v1.0.0 releases/v1.0.0/app/src{,/index.html,/shop} | xargs)" = \
        "755 755 755 755 644 755" ]
    umask 022
    [ "$(cd "$PROD/.rbtool" && find . -printf '%P:%y%m\n' | sort | xargs)" = ":d755 backups:d700 \
delivered/v1.0.0~json:f644 delivered:d755 lock:f644 state.db-journal:f644 state.db:f644" ]
}

@test "symlinks to files and parent folders are followed if root created them" {
    victim
    mv "$PROD/etc" "$PROD/real"
    ln -s real "$PROD/etc"
    touch "$PROD/data/app.toml"
    ln -s ../data/app.toml "$PROD/real/app.toml"
    rbtool deploy v1.0.0 --yes
    [ "$(cat "$PROD/data/app.toml")" = "workers = 2" ]
    settled_at v1.0.0
}

@test "a journal and a backup planted by the owner of the environment are not trusted" {
    victim
    rbtool deploy v1.0.0 --yes
    cp -r "$PROD/.rbtool" "$BATS_TEST_TMPDIR/copy"
    mv "$PROD/.rbtool" "$BATS_TEST_TMPDIR/kept"
    cd "$BATS_TEST_TMPDIR/copy"
    rm lock
    sqlite3 state.db "INSERT INTO transition_log(id, kind, to_tag, to_object, plan, started) VALUES
        ('x', 'deploy', 'v1.0.0', '$(git -C "$SHOP" rev-parse v1.0.0)', '{\"from\": null, \"to\": \"v1.0.0\", \"environment\": \"prod\", \"only\": [\"config\"], \"steps\": [{\"id\": \"config\"}], \"databases\": []}', 1);
        INSERT INTO step(transition_id, step, state, at) VALUES ('x', 'config', 'done', 1)"
    mkdir -p backups/x/files
    kept=backups/x/files/config-$(printf %s "$VICTIM/run" | sha256sum | cut -c1-32)
    printf '#!/bin/sh\nid\n' >"$kept"
    jq -n --arg path "$(printf %s "$VICTIM/run" | od -An -v -tx1 | tr -d ' \n')" \
        '{path: $path, mode: 2541, user: 0, group: 0}' >"$kept.json"
    cp -r . "$PROD/.rbtool"
    chown -R 65534:65534 "$PROD/.rbtool"
    cd "$SHOP"
    planted abort --yes
    [[ $output == *"$PROD/.rbtool belongs to user 65534"*"nothing was changed"* ]]
    planted resume --yes
    # A folder that was given to root without a look into it.
    chown 0:0 "$PROD/.rbtool"
    planted abort --yes
    chown 0:0 "$PROD/.rbtool/state.db"
    run rbtool abort --yes
    [ "$status" -eq 3 ]
    [[ $output == *"belongs to user 65534"* ]]
    [ ! -e "$VICTIM/run" ]
    rm -r "$PROD/.rbtool"
    mv "$BATS_TEST_TMPDIR/kept" "$PROD/.rbtool"
    settled_at v1.0.0
}

@test "abort does not remove a database that is not the environment's" {
    two_releases
    cp "$PROD/data/shop.db" "$BATS_TEST_TMPDIR/other.db"
    sqlite3 "$BATS_TEST_TMPDIR/empty.db" 'VACUUM'
    killed_before_commit deploy v1.1.0 --yes
    for path in "$BATS_TEST_TMPDIR/empty.db" "$PROD/data/shop.db"; do
        hex=$(printf %s "sqlite:$path" | od -An -v -tx1 | tr -d ' \n')
        sqlite3 "$PROD/.rbtool/state.db" "UPDATE transition_log SET plan =
            json_set(plan, '$.before.databases[0].url', '$hex', '$.before.databases[0].create', json('true'))
            WHERE outcome IS NULL"
        [ "$path" = "$PROD/data/shop.db" ] ||
            fails 3 "database main of prod is sqlite:$PROD/data/shop.db, and was sqlite:$path when transition" rbtool abort --yes
        [ -e "$path" ]
    done
    rbtool abort --yes
    settled_at v1.0.0
}

@test "a path that cannot be read is reported and not treated as missing" {
    two_releases
    chmod a+x "$BATS_TEST_TMPDIR"
    readable
    as_nobody status --exit-code
    chmod 700 "$PROD/.rbtool"
    denied="cannot look at $PROD/.rbtool/state.db: Permission denied; run as a user who may"
    fails 1 "unreadable  state: $denied" as_nobody status --exit-code
    fails 0 "$denied" as_nobody status --json
    fails 2 "$denied" as_nobody plan v1.0.0 --to v1.1.0
    chmod 755 "$PROD/.rbtool"
    chmod 700 "$PROD/etc"
    fails 1 "$PROD/etc/flags.json: Permission denied" as_nobody status --exit-code
    chmod 755 "$PROD/etc"
    chmod 700 "$PROD/.rbtool/delivered"
    fails 1 "~json: Permission denied" as_nobody status --exit-code
    chmod 755 "$PROD/.rbtool/delivered"
    as_nobody status --exit-code
}

@test "a symlink in place of the delivered folder is refused before the first step" {
    two_releases
    mkdir "$BATS_TEST_TMPDIR/elsewhere"
    mv "$PROD/.rbtool/delivered" "$BATS_TEST_TMPDIR/kept"
    ln -s "$BATS_TEST_TMPDIR/elsewhere" "$PROD/.rbtool/delivered"
    fails 2 "$PROD/.rbtool/delivered is not a folder; nothing was changed" rbtool deploy v1.1.0 --yes --accept-drift
    rm "$PROD/.rbtool/delivered"
    mv "$BATS_TEST_TMPDIR/kept" "$PROD/.rbtool/delivered"
    settled_at v1.0.0
}
