#!/usr/bin/env bats
# schemas/ against the readers in C: what one accepts the other does.

load lib

setup() {
    home
}

@test "every schema is a valid 2020-12 schema" {
    for s in "$ROOT"/schemas/*.schema.json; do
        name=$(basename "$s" .schema.json)
        run schema "$name" --each </dev/null
        [[ $status -eq 0 ]] || { echo "$name: $output"; false; }
    done
}

# tests/unit puts the same documents through the readers in C.
cases() {
    local name=$1 expected=$2 file=$ROOT/tests/data/$1/$2.jsonl
    run schema "$name" --each <"$file"
    [[ $status -eq 0 ]]
    [[ ${#lines[@]} -eq $(wc -l <"$file") ]]
    paste <(printf '%s\n' "${lines[@]}") "$file" | grep -v "^$expected" >&2 && return 1
    return 0
}

@test "the settings' schema accepts and refuses the same documents as the C reader" {
    cases config valid
    cases config invalid
}

@test "the manifest's schema accepts and refuses the same documents as the C reader" {
    cases manifest valid
    cases manifest invalid
}

@test "the policy's schema accepts and refuses the same documents as the C reader" {
    cases policy valid
    cases policy invalid
}

@test "the JSON output of every command fits its schema" {
    keys
    shop
    rbtool release v1.0.0
    second
    rbtool release v1.1.0
    mkdir -p "$PROD/data" "$PROD/etc"
    rbtool diff v1.0.0 v1.1.0 --json | schema diff
    rbtool lint --json | schema lint
    rbtool prove --json | schema prove
    rbtool status --json | schema status
    rbtool deploy v1.0.0 --yes --json 2>/dev/null | schema transition
    rbtool deploy v1.1.0 --yes --json 2>/dev/null | schema transition
    rbtool status --json | schema status
    rbtool plan v1.1.0 --json | schema plan
    rbtool revert v1.1.0 --yes --json 2>/dev/null | schema transition
    rbtool resume --yes --json 2>/dev/null | schema transition
    run rbtool diff v1.0.0 v9 --json
    [[ $status -eq 2 ]]
    grep '^{' <<<"$output" | schema error
}

@test "the ledger's schema accepts and refuses the same documents as the C reader" {
    cases ledger-entry valid
    cases ledger-entry invalid
}

# ends CODE OUTCOME ARGUMENTS...: one document on stdout, of that outcome, that fits its schema
ends() {
    local code=$1 outcome=$2
    shift 2
    run --separate-stderr rbtool "$@" --yes --json
    [[ $status -eq $code && $(jq -s length <<<"$output") -eq 1 ]] || {
        printf 'exit %s:\n%s\n%s\n' "$status" "$output" "${stderr:-}"
        return 1
    }
    schema transition <<<"$output"
    [[ $(jq -r .outcome <<<"$output") == "$outcome" ]] || { echo "$output"; return 1; }
    [[ $outcome == "done" || $outcome == aborted || $outcome == nothing ]] ||
        jq -e --argjson code "$code" '.error | .code == $code and (.message | length > 10)' <<<"$output" >/dev/null
}

@test "the JSON output of failed transitions fits its schema" {
    bats_require_minimum_version 1.5.0
    load transition
    keys
    shop
    PROD=$BATS_TEST_TMPDIR/prod
    mkdir -p "$PROD/data" "$PROD/etc"
    two_releases
    sql 'UPDATE orders SET total = -1 WHERE id = 4' # a rehearsal that fails
    ends 1 failed deploy v1.1.0
    sql 'UPDATE orders SET total = 1 WHERE id = 4'
    settings '.environments.prod.service = {stop: ["false"], start: ["true"]}' # a step that fails
    ends 1 failed --config "$SETTINGS" deploy v1.1.0
    settings '.environments.prod.checks = [{name: "up", command: ["false"], timeout: 1}]'
    ends 1 unhealthy --config "$SETTINGS" deploy v1.1.0
    [[ $(jq -r '.failures[0].name' <<<"$output") == up ]]
    sql 'UPDATE orders SET discount = 1'
    ends 5 refused revert v1.1.0
    [[ $(jq -c '.dataAtRisk[0].column' <<<"$output") == '"discount"' ]]
    sql 'UPDATE orders SET discount = NULL; CREATE INDEX by_hand ON orders (total)'
    ends 5 refused revert v1.1.0
    [[ $(jq -r '.drift[0].part' <<<"$output") == db ]]
    sql 'DROP INDEX by_hand'
    ends 0 "done" revert v1.1.0
    # Stopped before the commit, which is put back, and after it, which is half-way.
    settings '.environments.prod.service = {stop: ["sh", "-c", "kill -TERM $PPID; sleep 0.2"], start: ["true"]}'
    ends 1 failed --config "$SETTINGS" deploy v1.1.0 --accept-reverted
    settings '.environments.prod.service = {stop: ["true"], start: ["sh", "-c", "kill -TERM $PPID; sleep 0.2; exit 1"]}'
    ends 3 interrupted --config "$SETTINGS" deploy v1.1.0 --accept-reverted
    rbtool status --json | schema status
    run --separate-stderr -3 rbtool deploy v1.1.0 --yes --json
    schema error <<<"$output"
    sql 'UPDATE orders SET discount = 2'
    ends 5 refused abort
    sql 'UPDATE orders SET discount = NULL'
    ends 0 "done" abort
    ends 0 nothing abort
    settings '.environments.prod.service = {stop: ["sh", "-c", "kill -9 $PPID"], start: ["true"]}'
    run rbtool --config "$SETTINGS" deploy v1.1.0 --yes --accept-reverted
    settings 'del(.environments.prod.databases)'
    run --separate-stderr -3 rbtool --config "$SETTINGS" abort --yes --json
    schema error <<<"$output"
    ends 0 aborted abort
    settled_at v1.0.0
}
