#!/bin/bash
# Files form no circles: which file calls which, by the symbols of the object files, has an order. tsort(1) names the
# files of a circle.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
make -s -j2 BUILD="$build" all

# SQL contains SQL: a statement fires triggers, and their bodies are statements. These files read it as one.
one='s#(postgres/effects)_(code|rows)\.o#\1.o#'

find core cmd -name '*.c' | sed "s|^|$build/|; s|c$|o|" | xargs nm -A | sed -E "s|^$build/||; $one" | awk '
    { file = $0; sub(/:.*/, "", file); kind = $(NF - 1) }
    kind == "U" { uses[file, $NF] }
    kind ~ /^[BCDRTVW]$/ { made_in[$NF] = file }
    END {
        for (use in uses) {
            split(use, pair, SUBSEP)
            if (pair[2] in made_in && made_in[pair[2]] != pair[1]) print pair[1], made_in[pair[2]]
        }
    }' | sort -u | tsort >/dev/null
