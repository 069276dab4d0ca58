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
