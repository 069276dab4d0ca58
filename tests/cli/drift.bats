#!/usr/bin/env bats
# Drift: what is drift, and how it is shown.

bats_require_minimum_version 1.5.0
load lib
load transition

setup() {
    host
}

@test "drift that was accepted and then removed by hand is not drift" {
    two_releases
    sql 'CREATE INDEX hotfix ON orders (total); ALTER TABLE orders ADD COLUMN extra INTEGER'
    rbtool deploy v1.1.0 --yes --accept-drift
    run rbtool status --json
    [ "$(jq -c '.drift' <<<"$output")" = '[]' ]
    sql 'DROP INDEX hotfix; ALTER TABLE orders DROP COLUMN extra'
    settled_at v1.1.0
    rbtool status --exit-code
    rbtool revert v1.1.0 --yes
    settled_at v1.0.0
    rbtool deploy v1.1.0 --yes --accept-reverted
    settled_at v1.1.0
    # What only looks like it is drift as before.
    sql 'CREATE INDEX hotfix ON orders (id)'
    fails 1 'index hotfix' rbtool status --exit-code
}
