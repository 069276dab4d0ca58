#!/usr/bin/env bats
# Whose settings run: places that overlap, environments that share one, settings that differ.
# shellcheck disable=SC2154 # variables of lib.bash and bats
bats_require_minimum_version 1.5.0
load lib
load transition

setup() {
    host
}

# with FILTER: deploys v1.1.0 with rbtool.json passed through jq; ROOT in it is $PROD.
with() {
    settings ".environments.prod$(sed "s|ROOT|$PROD|g" <<<"$1")"
    rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-drift
}

@test "two places of an environment that are one file are refused before anything is changed" {
    two_releases
    ln -s data "$PROD/link"
    ln "$PROD/data/shop.db" "$PROD/data/hard"
    ln -s new.db "$PROD/data/dangling"
    before=$(picture)
    for change in '.config["config/app.toml"] = "ROOT/data/shop.db"' \
        '.flags = "ROOT/etc/../data/shop.db"' '.flags = "ROOT/link/shop.db"' \
        '.config["config/app.toml"] = "ROOT/data/hard"' '.flags = "ROOT/data/shop.db-wal"' \
        '.flags = "ROOT/link/shop.db-journal"' '.config["config/app.toml"] = "ROOT/data/shop.db-shm"' \
        '.config["config/app.toml"] = "ROOT/etc/none/../flags.json"' '.flags = "ROOT"' \
        '|= (.databases.main = "sqlite:ROOT/data/new.db" | .flags = "ROOT/data/dangling")'; do
        fails 2 "are the same place" with "$change"
        [[ $output == *"give each its own"* ]]
    done
    fails 2 "environments.prod.databases.main and flags are the same place, $PROD/data/shop.db" \
        with '.flags = "ROOT/data/shop.db"'
    [ "$(picture)" = "$before" ]
    settled_at v1.0.0
}

@test "a file below the folders that rbtool manages is refused, through a symlink too" {
    two_releases
    ln -s releases/v1.0.0 "$PROD/old"
    for place in .rbtool/app.toml releases/v1.0.0/app/app.toml old/app.toml current/x etc/../.rbtool/state.db; do
        fails 2 "comes and goes with the releases" with ".config[\"config/app.toml\"] = \"ROOT/$place\""
    done
    settled_at v1.0.0
}

@test "two environments that share a place are refused by name, and others stay usable" {
    two_releases
    other='.environments.staging = (.environments.prod | .root = "S" | .databases.main = "sqlite:S/shop.db"
        | .flags = "S/flags.json" | .config["config/app.toml"] = "S/app.toml")
        | .environments.demo = {root: "S-demo"} | .environments.staging'
    while IFS='|' read -r what change; do
        settings "$(sed "s|S|$BATS_TEST_TMPDIR/staging|g" <<<"$other")$(sed "s|ROOT|$PROD|g" <<<"$change")"
        for env in prod staging; do
            fails 2 "share a place" rbtool --config "$SETTINGS" deploy v1.1.0 --env $env --yes
            [[ $output == *prod.*$what* && $output == *staging.*$what* ]]
        done
        rbtool --config "$SETTINGS" deploy v1.0.0 --env demo --yes --only app
    done <<'CHANGES'
root|.root = "ROOT/etc/.."
databases.main|.databases.main = "sqlite:ROOT/data/shop.db"
flags|.flags = "ROOT/etc/flags.json"
config.config/app.toml|.config["config/app.toml"] = "ROOT/etc/app.toml"
root|.root = "ROOT/releases/v1.0.0"
CHANGES
    settled_at v1.0.0
}
