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

@test "the settings' schema judges as the reader in C does" {
    cases config valid
    cases config invalid
}

@test "the manifest's schema judges as the reader in C does" {
    cases manifest valid
    cases manifest invalid
}

@test "the policy's schema judges as the reader in C does" {
    cases policy valid
    cases policy invalid
}

@test "every command's document fits its schema" {
    keys
    shop
    rbtool release v1.0.0
    second
    rbtool release v1.1.0
    mkdir -p "$PROD/data" "$PROD/etc"
    rbtool diff v1.0.0 v1.1.0 --json | schema diff
    rbtool lint --json | schema lint
    rbtool status --json | schema status
    rbtool deploy v1.0.0 --yes --json 2>/dev/null | schema transition
    rbtool deploy v1.1.0 --yes --json 2>/dev/null | schema transition
    rbtool status --json | schema status
    rbtool plan v1.1.0 --json | schema plan
    rbtool revert v1.1.0 --yes --json 2>/dev/null | schema transition
    rbtool resume --yes --json 2>/dev/null | schema transition
    run rbtool diff v1.0.0 v9 --json
    [[ $status -eq 1 ]]
    grep '^{' <<<"$output" | schema error
}

@test "the ledger's schema judges as the reader in C does" {
    cases ledger-entry valid
    cases ledger-entry invalid
}
