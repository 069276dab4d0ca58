# The flag file and config files of a host: what was there before, what is written, what is not.

setup() {
    load lib
    load transition
    host
}

# v1.0.0 has neither flags nor config, v1.1.0 has both; v1.0.0 is live, and the operator has files
# of his own where v1.1.0 will put its.
own_files() {
    cp rbtool.json full.json
    jq 'del(.flags, .config)' full.json >rbtool.json
    release v1.0.0
    mv full.json rbtool.json
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    echo '{"mine": true}' >"$PROD/etc/flags.json"
    echo 'mine = 1' >"$PROD/etc/app.toml"
    chmod 600 "$PROD/etc/app.toml"
}

own_files_are_there() {
    [ "$(cat "$PROD/etc/flags.json")" = '{"mine": true}' ]
    [ "$(cat "$PROD/etc/app.toml")" = 'mine = 1' ]
    [ "$(stat -c %a "$PROD/etc/app.toml")" = 600 ]
}

@test "the operator's own files are drift, are backed up, and are restored by a release without them" {
    own_files
    fails 5 "expected no such file" rbtool deploy v1.1.0 --yes
    [[ $output == *"no release put that file there"*"--accept-drift"* ]]
    own_files_are_there
    [ "$(rbtool deploy v1.1.0 --dry-run --json | jq -r '[.drift[].part] | join(",")')" = flags,config ]
    run -0 --separate-stderr rbtool deploy v1.1.0 --yes --accept-drift --json
    schema transition <<<"$output"
    copy=$(jq -r '.kept[] | select(.path | endswith("app.toml")).copy' <<<"$output")
    [ "$(cat "$copy")" = 'mine = 1' ]
    [ "$(cat "$PROD/etc/app.toml")" = 'workers = 2' ]
    settled_at v1.1.0
    rbtool revert v1.1.0 --yes
    own_files_are_there
    settled_at v1.0.0
    # And once more, with another content.
    echo 'mine = 2' >"$PROD/etc/app.toml"
    rbtool deploy v1.1.0 --yes --accept-drift --accept-reverted
    rbtool revert v1.1.0 --yes
    [ "$(cat "$PROD/etc/app.toml")" = 'mine = 2' ]
}

@test "an own flag file that does not fit on the disk any more is found before the commit" {
    own_files
    chmod 640 "$PROD/etc/flags.json"
    head -c 1000000 /dev/zero | tr '\0' ' ' >>"$PROD/etc/flags.json"
    cp "$PROD/etc/flags.json" own.json
    rbtool deploy v1.1.0 --yes --accept-drift
    jq 'del(.flags, .config)' rbtool.json >new.json && mv new.json rbtool.json
    printf 'CREATE TABLE big (a);\n' >migrations/0003_big.up.sql
    printf 'DROP TABLE big;\n' >migrations/0003_big.down.sql
    release v1.2.0
    (
        trap '' XFSZ # a limit on the size of a file stands for a full disk
        ulimit -f 700
        fails 2 "nothing was changed, prod stays at v1.1.0" rbtool deploy v1.2.0 --yes
    )
    settled_at v1.1.0
    rbtool deploy v1.2.0 --yes
    cmp own.json "$PROD/etc/flags.json"
    [ "$(stat -c %a "$PROD/etc/flags.json")" = 640 ]
    [ "$(cat "$PROD/etc/app.toml")" = 'mine = 1' ]
    [ -z "$(find "$PROD/etc" -name '*.rbtool')" ]
    settled_at v1.2.0
}

@test "own files that somebody removed come back with the mode that they had" {
    own_files
    rbtool deploy v1.1.0 --yes --accept-drift
    rm "$PROD/etc/app.toml" "$PROD/etc/flags.json"
    rbtool revert v1.1.0 --yes --accept-drift
    own_files_are_there
    settled_at v1.0.0
}

@test "a first deploy backs up and names the host's own files, and a revert restores them" {
    cp rbtool.json full.json
    jq 'del(.flags, .config)' full.json >rbtool.json
    release v1.0.0
    mv full.json rbtool.json
    release v1.1.0
    echo 'mine = 1' >"$PROD/etc/app.toml"
    cp flags.json "$PROD/etc/"
    fails 0 "$PROD/etc/app.toml exists, and no release delivered it" rbtool deploy v1.1.0 --dry-run
    run -0 --separate-stderr rbtool deploy v1.1.0 --yes --json
    schema transition <<<"$output"
    [ "$(jq -r '[.kept[].path] | join(" ")' <<<"$output")" = "$PROD/etc/app.toml" ]
    [ "$(cat "$(jq -r '.kept[].copy' <<<"$output")")" = 'mine = 1' ]
    settled_at v1.1.0
    rbtool revert v1.1.0 --to v1.0.0 --yes --accept-data-loss "$(rbtool plan v1.1.0 --to v1.0.0 --json | jq -r .digest)"
    [ "$(cat "$PROD/etc/app.toml")" = 'mine = 1' ]
    cmp flags.json "$PROD/etc/flags.json"
}

@test "the operator's own files are restored even if they equal the release's" {
    own_files
    cp config/app.toml flags.json "$PROD/etc/"
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    cmp config/app.toml "$PROD/etc/app.toml"
    cmp flags.json "$PROD/etc/flags.json"
}

@test "a file of a part that a first deploy left out is drift later" {
    release v1.0.0
    second
    rbtool release v1.1.0
    rbtool deploy v1.0.0 --only app,db --yes
    echo 'mine = 1' >"$PROD/etc/app.toml"
    fails 5 "first config $PROD/etc/app.toml (expected no such file" rbtool deploy v1.1.0 --yes
    rm "$PROD/etc/app.toml"
    rbtool deploy v1.1.0 --yes
    settled_at v1.1.0
}

@test "abort leaves the operator's flags after a kill before they are replaced" {
    own_files
    settings '.environments.prod.service = {stop: ["true"], start: ["true"]}
        | .environments.prod.flags = "'"$PROD"'/etc/new/flags.json"'
    mkdir "$PROD/etc/new"
    mv "$PROD/etc/flags.json" "$PROD/etc/new/"
    # The flags come after the commit: what is in the way of them stops the deploy half-way.
    jq --arg etc "$PROD/etc" '.environments.prod.service.stop = ["sh", "-c",
        "mv \($etc)/new \($etc)/away && touch \($etc)/new"]' "$SETTINGS" >"$SETTINGS.new"
    fails 3 "stopped half-way" rbtool --config "$SETTINGS.new" deploy v1.1.0 --yes --accept-drift
    rm "$PROD/etc/new"
    mv "$PROD/etc/away" "$PROD/etc/new"
    rbtool --config "$SETTINGS" abort --yes
    [ "$(cat "$PROD/etc/new/flags.json")" = '{"mine": true}' ]
    [ "$(cat "$PROD/etc/app.toml")" = 'mine = 1' ]
}

@test "an edited file that a deploy overwrites is backed up" {
    two_releases
    echo 'workers = 3' >"$PROD/etc/app.toml"
    fails 5 "look with \`rbtool status --env prod\`" rbtool deploy v1.1.0 --yes
    fails 0 "kept: what was in $PROD/etc/app.toml is in $PROD/.rbtool/backups/" \
        rbtool deploy v1.1.0 --yes --accept-drift
    [ "$(grep -rl 'workers = 3' "$PROD/.rbtool/backups" | wc -l)" -eq 1 ]
    settled_at v1.1.0
}

steps_of() {
    rbtool "$@" --json | jq -r '.steps[] | select(.id == "config" or .id == "flags").description'
}

@test "plan counts the files that are written, removed and restored" {
    echo 'b = 1' >config/b.toml
    jq --arg etc "$PROD/etc" '.environments.prod.config["config/b.toml"] = "\($etc)/b.toml"' \
        rbtool.json >new.json && mv new.json rbtool.json
    release v1.0.0
    git rm -q config/b.toml flags.json
    jq 'del(.flags)' rbtool.json >new.json && mv new.json rbtool.json
    release v1.1.0
    git rm -q config/app.toml
    jq 'del(.config)' rbtool.json >new.json && mv new.json rbtool.json
    release v1.2.0
    git show v1.0.0:flags.json >"$PROD/etc/flags.json"
    [ "$(steps_of deploy v1.0.0 -n)" = "write 2 config files of v1.0.0
write the flags of v1.0.0 to $PROD/etc/flags.json" ]
    rbtool deploy v1.0.0 --yes
    [ "$(steps_of deploy v1.1.0 -n)" = "write 1 config file of v1.1.0, remove 1 config file that v1.1.0 does not have
restore the flag file $PROD/etc/flags.json that existed before, since v1.1.0 has none" ]
    [ "$(steps_of deploy v1.2.0 -n | head -n 1)" = "remove 2 config files that v1.2.0 does not have" ]
    rbtool deploy v1.1.0 --yes
    [ "$(steps_of plan v1.1.0 | tail -n 1)" = "write 2 config files of v1.0.0" ]
}

@test "a misspelt config path stops a deploy, and a path of another release does not" {
    release v1.0.0
    settings '.environments.prod.config = {"config/ap.toml": "'"$PROD"'/etc/app.toml"}'
    fails 2 "names config/ap.toml, which neither v1.0.0 nor the repository has, and config/app.toml of v1.0.0 has no place" \
        rbtool --config "$SETTINGS" deploy v1.0.0 --yes
    [ -z "$(ls "$PROD/releases")" ]
    # A file that a coming release has, and one that has no place here, are noted.
    echo 'b = 1' >config/b.toml
    git add config/b.toml && git commit -qm 'another file'
    settings '.environments.prod.config = {"config/b.toml": "'"$PROD"'/etc/b.toml"}
        | del(.environments.prod.flags) | .environments.prod.databases.other = "sqlite:/x"'
    fails 0 "environments.prod.config names config/b.toml, which v1.0.0 does not have" \
        rbtool --config "$SETTINGS" deploy v1.0.0 --yes
    [[ $output == *"1 config file of v1.0.0 not delivered, since environment prod gives no path for it: config/app.toml"* ]]
    [[ $output == *'the flags of v1.0.0 are not delivered, environment prod has no "flags"'* ]]
    [[ $output == *"environments.prod.databases names other, which v1.0.0 does not have"* ]]
    [[ $output != *"config  "* ]]
}

@test "a revert is not stopped by a config path that only a later release has" {
    release v1.0.0
    git mv config/app.toml config/b.toml
    release v1.1.0
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    settings '.environments.prod.config = {"config/c.toml": "'"$PROD"'/etc/c.toml"}'
    rbtool --config "$SETTINGS" revert v1.1.0 --yes
}

@test "a deploy is not stopped by a config path that only an earlier release has" {
    echo 'b = 1' >config/b.toml
    git add config/b.toml && git commit -qm 'another file'
    release v1.0.0
    git rm -q config/b.toml
    release v1.1.0
    settings '.environments.prod.config = {"config/b.toml": "'"$PROD"'/etc/b.toml"}'
    rbtool --config "$SETTINGS" deploy v1.0.0 --yes
    echo 'c = 1' >config/c.toml
    release v1.2.0
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes
    [ ! -e "$PROD/etc/b.toml" ]
    fails 0 "environments.prod.config names config/b.toml, which neither v1.1.0 nor v1.2.0 has" \
        rbtool --config "$SETTINGS" deploy v1.2.0 --yes
    rbtool --config "$SETTINGS" status
}

@test "the operator's files are still drift after a deploy that failed" {
    own_files
    settings '.environments.prod.service = {"stop": ["false"]}'
    fails 1 "nothing was changed" rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-drift
    own_files_are_there
    fails 5 "expected no such file" rbtool deploy v1.1.0 --yes
    own_files_are_there
}

@test "a first deploy after a failed one names the operator's files that it replaces" {
    release v1.0.0
    echo 'mine = 1' >"$PROD/etc/app.toml"
    settings '.environments.prod.service = {"stop": ["false"]}'
    run -1 rbtool --config "$SETTINGS" deploy v1.0.0 --yes
    rbtool env trust --yes
    run -0 --separate-stderr rbtool deploy v1.0.0 --yes --json
    [ "$(jq -r '[.kept[].path] | join(" ")' <<<"$output")" = "$PROD/etc/app.toml" ]
}

@test "a file that was restored to the operator is not drift in the revert" {
    release v1.0.0
    settings '.environments.prod.config += {"config/b.toml": "'"$PROD"'/etc/b.toml"}'
    cp "$SETTINGS" rbtool.json
    echo 'b = 1' >config/b.toml
    release v1.1.0
    git rm -q config/b.toml
    release v1.2.0
    echo 'mine = 1' >"$PROD/etc/b.toml"
    rbtool deploy v1.1.0 --yes
    [ "$(cat "$PROD/etc/b.toml")" = 'b = 1' ]
    rbtool deploy v1.2.0 --yes
    [ "$(cat "$PROD/etc/b.toml")" = 'mine = 1' ]
    # Nor after an attempt that came to nothing.
    settings '.environments.prod.service = {"stop": ["false"]}'
    run -1 rbtool --config "$SETTINGS" revert v1.2.0 --yes
    rbtool revert v1.2.0 --yes
    [ "$(cat "$PROD/etc/b.toml")" = 'b = 1' ]
    rbtool deploy v1.2.0 --yes --accept-reverted
    [ "$(cat "$PROD/etc/b.toml")" = 'mine = 1' ]
    # Touched since, it is drift.
    echo 'mine = 2' >"$PROD/etc/b.toml"
    fails 5 "expected no such file" rbtool revert v1.2.0 --yes
}

@test "releases whose names look like another's record or folder do not conflict with it" {
    release v1
    cp -r "$SHOP" "$BATS_TEST_TMPDIR/other"
    rbtool deploy v1 --yes
    release v1.json/b
    rbtool deploy v1.json/b --yes
    settled_at v1.json/b
    release v2
    rbtool deploy v2 --yes
    rbtool revert v2 --to v1 --yes
    cd "$BATS_TEST_TMPDIR/other"
    release v2/app
    fails 2 "release v2/app cannot be delivered: release v2 lies above it" rbtool deploy v2/app --yes
    release v1.json
    fails 2 "release v1.json cannot be delivered: release v1.json/b lies below it" rbtool deploy v1.json --yes
    [ -f "$PROD/releases/v2/app/src/shop" ]
    cd "$SHOP"
    settled_at v1
}
