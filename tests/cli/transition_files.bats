# The flag file and config files of a host: what was there before, what is written, what is not.

setup() {
    load lib
    load transition
    home
    keys
    shop
    PROD=$BATS_TEST_TMPDIR/prod
    mkdir -p "$PROD/data" "$PROD/etc"
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

@test "files of the operator's own are drift, are kept, and come back with a release that has none" {
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

@test "a first deploy onto a host with files of its own asks, and one with the same bytes does not" {
    release v1.0.0
    echo 'mine = 1' >"$PROD/etc/app.toml"
    cp flags.json "$PROD/etc/"
    fails 5 "drifted in 1 place(s), first config $PROD/etc/app.toml" rbtool deploy v1.0.0 --yes
    [ "$(cat "$PROD/etc/app.toml")" = 'mine = 1' ]
    [ ! -e "$PROD/releases/v1.0.0" ]
    rm "$PROD/etc/app.toml"
    rbtool deploy v1.0.0 --yes
    settled_at v1.0.0
}

@test "the same bytes as the release's come back too" {
    own_files
    cp config/app.toml flags.json "$PROD/etc/"
    rbtool deploy v1.1.0 --yes
    rbtool revert v1.1.0 --yes
    cmp config/app.toml "$PROD/etc/app.toml"
    cmp flags.json "$PROD/etc/flags.json"
}

@test "parts that a first deploy left out are not taken for its own later" {
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

@test "killed before the operator's flags are replaced, an abort leaves them" {
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

@test "an edit that was gone on over is kept" {
    two_releases
    echo 'workers = 3' >"$PROD/etc/app.toml"
    fails 5 "look with \`rbtool status\`" rbtool deploy v1.1.0 --yes
    fails 0 "kept: what had drifted in $PROD/etc/app.toml is in $PROD/.rbtool/backups/" \
        rbtool deploy v1.1.0 --yes --accept-drift
    [ "$(grep -rl 'workers = 3' "$PROD/.rbtool/backups" | wc -l)" -eq 1 ]
    settled_at v1.1.0
}
