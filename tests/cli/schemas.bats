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
