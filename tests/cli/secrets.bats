# Versions of secrets: a release names them, a transition restores them, and no value is seen.

bats_require_minimum_version 1.5.0

setup() {
    load lib
    load transition
    host
    STORE=$BATS_TEST_TMPDIR/store
    echo 7 >"$STORE"
    # The store of secrets: the version that is live, and who changed it.
    cat >"$BATS_TEST_TMPDIR/secret" <<END
#!/bin/sh
case \$1 in
version) cat '$STORE' ;;
restore)
    if [ -e '$BATS_TEST_TMPDIR/kill' ]; then rm '$BATS_TEST_TMPDIR/kill'; echo "\$2" >'$STORE'; kill -9 \$PPID; exit; fi
    if [ -e '$BATS_TEST_TMPDIR/denied' ]; then echo sk_live_value; echo 'vault: token has expired' >&2; exit 1; fi
    echo "\$2" >'$STORE'
    echo "restore \$2" >>'$BATS_TEST_TMPDIR/calls'
    ;;
esac
END
    chmod +x "$BATS_TEST_TMPDIR/secret"
    jq --arg s "$BATS_TEST_TMPDIR/secret" '.secrets = {STRIPE_KEY: "7"}
        | .environments.prod.secrets = {STRIPE_KEY: {version: [$s, "version"], restore: [$s, "restore"]}}' rbtool.json >new.json
    mv new.json rbtool.json
}

# Two releases, of which the second needs version 8; the first is live.
two_versions() {
    release v1.0.0
    second
    jq '.secrets.STRIPE_KEY = "8"' rbtool.json >new.json
    mv new.json rbtool.json
    git commit -qam 'STRIPE_KEY 8'
    rbtool release v1.1.0
    rbtool deploy v1.0.0 --yes
}

@test "a deploy and a revert restore the version that their target needs" {
    two_versions
    rbtool show v1.0.0 | grep -qx 'secret      STRIPE_KEY 7'
    rbtool show v1.0.0 --json | schema manifest
    rbtool diff v1.0.0 v1.1.0 --json | tee >(schema diff) | jq -e '.secrets == [{name: "STRIPE_KEY", from: "7", to: "8"}]'
    rbtool diff v1.0.0 v1.1.0 | grep -q 'STRIPE_KEY  7 -> 8'
    rbtool plan --deploy v1.1.0 --json | tee >(schema plan) | jq -e '.secrets == [{name: "STRIPE_KEY", from: "7", to: "8"}]
        and ([.steps[] | select(.id == "secrets")] | .[0].description == "restore secrets: STRIPE_KEY 8 (was 7)")'
    [ ! -e "$BATS_TEST_TMPDIR/calls" ] # version 7 was live, and a plan runs nothing
    rbtool deploy v1.1.0 --yes
    [ "$(cat "$STORE")" = 8 ]
    settled_at v1.1.0
    # A drill runs none of them, and a revert by hand says what is left to do.
    rbtool drill --json | jq -e '.ok and (.notTried | index("secrets.STRIPE_KEY"))'
    rbtool revert v1.1.0 -o bundle
    grep -qF '**Secret STRIPE_KEY**: v1.0.0 needs version 7.' bundle/README.md
    rbtool revert v1.1.0 --yes --json | schema transition
    [ "$(cat "$STORE")" = 7 ]
    settled_at v1.0.0
    [ "$(cat "$BATS_TEST_TMPDIR/calls")" = 'restore 8
restore 7' ]
}

@test "a version that another changed is drift, which check finds, and a secret that does not move stays" {
    release v1.0.0
    rbtool deploy v1.0.0 --yes
    echo 9 >"$STORE"
    rbtool check --json | tee >(schema check) | jq -e '.secrets == {STRIPE_KEY: "9"}'
    rbtool status --json | jq -e '.drift == [{part: "config", path: "secret STRIPE_KEY", expected: "7", found: "9"}]'
    second
    rbtool release v1.1.0
    rbtool deploy v1.1.0 --yes
    [ "$(cat "$STORE")" = 9 ]
}

@test "a restore that fails undoes the transition and shows its standard error, which the ledger does not get, and never its standard output" {
    two_versions
    touch "$BATS_TEST_TMPDIR/denied"
    before=$(picture)
    run -1 rbtool deploy v1.1.0 --yes
    [[ $output == *'secrets.STRIPE_KEY.restore ('*') ended with status 1 (last output: vault: token has expired)'* ]]
    [[ $output != *sk_live* ]]
    [ "$(picture)" = "$before" ]
    [ "$(cat "$STORE")" = 7 ]
    rbtool deploy v1.1.0 --yes --json 2>/dev/null | tee >(schema transition) \
        | jq -e '[.steps[] | select(.id == "secrets").output] == ["vault: token has expired"]'
    [ "$(rbtool log --json | grep -c 'secrets.STRIPE_KEY.restore')" = 2 ]
    [ "$(rbtool log --json | grep -c expired)" = 0 ]
    rm "$BATS_TEST_TMPDIR/denied"
    echo 'sk_live_value with spaces' >"$STORE"
    run -1 rbtool deploy v1.1.0 --yes
    [[ $output == *'secrets.STRIPE_KEY.version ('*') did not print a version'* ]]
    run ! grep -rqa sk_live "$PROD/.rbtool"
    [[ $output != *sk_live* ]]
}

@test "a kill while a secret is restored is continued, or undone to the version that was live" {
    two_versions
    for way in abort resume; do
        touch "$BATS_TEST_TMPDIR/kill"
        run rbtool deploy v1.1.0 --yes
        [ "$status" -eq 137 ]
        [ "$(cat "$STORE")" = 8 ]
        rbtool $way --yes
        [ "$(cat "$STORE")" = "$([ $way = abort ] && echo 7 || echo 8)" ]
    done
    settled_at v1.1.0
}

@test "a restore that fails while a transition is undone: status shows what it printed, and abort goes on" {
    two_versions
    touch "$BATS_TEST_TMPDIR/kill"
    run rbtool deploy v1.1.0 --yes
    [ "$status" -eq 137 ]
    touch "$BATS_TEST_TMPDIR/denied"
    run -3 rbtool abort --yes
    [[ $output == *'(last output: vault: token has expired)'* ]]
    rbtool status | grep -qF 'vault: token has expired'
    rm "$BATS_TEST_TMPDIR/denied"
    rbtool abort --yes
    [ "$(cat "$STORE")" = 7 ]
}

@test "the plan says what is left to do by hand without a command" {
    jq 'del(.environments.prod.secrets.STRIPE_KEY.restore)' rbtool.json >new.json
    mv new.json rbtool.json
    two_versions
    run -0 rbtool plan --deploy v1.1.0
    [[ $output == *'secret STRIPE_KEY: v1.1.0 needs version 8, not 7, and environments.prod.secrets.STRIPE_KEY.restore is not set; make that version live by hand'* ]]
    run -0 rbtool deploy v1.1.0 --yes
    [ "$(cat "$STORE")" = 7 ]
}
