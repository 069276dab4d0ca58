#!/bin/bash
# Every header compiles alone, and has a guard named after its path.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

findings=0 count=0
while read -r header; do
    count=$((count + 1))
    printf '#include "%s"\ntypedef int rb_not_empty;\n' "$PWD/$header" |
        ${CC:-gcc} -std=c17 -Wall -Wextra -Wpedantic -Wshadow -Werror -D_GNU_SOURCE -Icore -Icmd "-I$(pkg-config --variable=includedir libpq)" \
            -fsyntax-only -x c - || findings=$((findings + 1))
    name=${header#core/}
    guard=RB_$(tr 'a-z/.' 'A-Z__' <<<"$name")
    if ! grep -qx "#ifndef $guard" "$header" || ! grep -qx "#define $guard" "$header"; then
        echo "$header: the include guard should be $guard"
        findings=$((findings + 1))
    fi
done < <(find core cmd -name '*.h' | sort)

echo "headers: $count, $findings findings"
[[ $count -gt 0 && $findings -eq 0 ]]
