#!/bin/bash
# Modules include only modules before them, and a foreign library only where it belongs.
# Only the driver knows an engine.
# One line a finding; the last line counts.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

modules=(base git trust artifact sql migration sqlite catalog database proof config release ledger session hook environment
    transition watch report attest)

# LIBRARY HEADERS (extended regex) then the files that may include them (glob, relative to the root)
libraries=(
    'libgit2 git2(/.*)?\.h core/git/*'
    'OpenSSL openssl/.* core/trust/*|core/base/hash.c'
    'libarchive archive(_entry)?\.h core/artifact/*'
    'SQLite sqlite3(ext)?\.h core/sqlite/*|core/database/sqlite/*'
    'libpq (libpq-fe|postgres_ext|libpq/.*)\.h core/database/postgres/*'
    'libpg_query pg_query(/.*)?\.h core/database/postgres/*'
    'jansson jansson\.h core/base/json.h'
)

declare -A place
for i in "${!modules[@]}"; do place[${modules[i]}]=$i; done

findings=0
finding() {
    echo "$1"
    findings=$((findings + 1))
}

files=0 includes=0
while read -r file; do
    files=$((files + 1))
    module=${file#core/}
    module=${module%%/*}
    if [[ $file == core/* && -z ${place[$module]:-} ]]; then
        finding "$file: '$module' is not a module; they are: ${modules[*]}"
        continue
    fi
    while IFS=: read -r line header; do
        includes=$((includes + 1))
        other=${header%%/*}
        if [[ $file == core/* && $header == */* && -n ${place[$other]:-} ]]; then
            [[ ${place[$other]} -le ${place[$module]} ]] ||
                finding "$file:$line: module $module includes $header, but $other comes after it"
        fi
        if [[ $file == core/* && ($header == cmd/* || $header == *../* || -f cmd/$header) ]]; then
            finding "$file:$line: core includes $header; it may include modules only, as MODULE/FILE.h"
        fi
        for entry in "${libraries[@]}"; do
            read -r name pattern allowed <<<"$entry"
            [[ $header =~ ^$pattern$ ]] || continue
            ok=0
            IFS='|' read -ra globs <<<"$allowed"
            # shellcheck disable=SC2053 # the right side is a pattern
            for glob in "${globs[@]}"; do [[ $file == $glob ]] && ok=1; done
            [[ $ok -eq 1 ]] || finding "$file:$line: $header ($name) belongs in $allowed only"
        done
    done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]([^">]+)[">].*/\1/;t p;b;:p;=;p' \
        "$file" | paste -d: - -)
done < <(find core cmd -name '*.[ch]' | sort)

# An engine is known to its driver and to core/sqlite, a dialect to core/sql. Comments may name them.
engine_known='core/(database|sqlite|sql)/'
# The names that migration files have; what `init` detects and suggests; state.db; PRAGMA as a word of SQL.
engine_known+='|core/migration/engine_suffix\.c|cmd/init_[a-z]+\.c|core/environment/state[a-z_]*\.[ch]'
engine_known+='|core/migration/(unwrap|lint|destroys)\.[ch]'
while IFS= read -r hit; do
    finding "$hit: knows a database engine; ask the driver (database/driver.h, database/url.h)"
done < <(find core cmd -name '*.[ch]' | grep -vE "^($engine_known)" | sort | while read -r file; do
    sed -E ':a;s:/\*[^*]*\*+([^/*][^*]*\*+)*/::g;/\/\*/{N;ba}' "$file" |
        { grep -iE 'sqlite|postgres|(^|[^#])pragma|"-(wal|shm|journal)"' || :; } | sed "s|^ *|$file: |"
done)

# Output, exit and the environment belong to cmd.
while IFS= read -r hit; do
    finding "$hit: core does not print, exit or read the environment"
done < <(grep -rnE '(^|[^a-z_>.A-Z])(printf|puts|putchar|perror|exit|getenv|secure_getenv)\(|\b(stdout|stderr)\b' \
    core --include='*.[ch]' | grep -vE '^core/git/[^:]*:[0-9]+:.*getenv' |
    grep -vE ':[0-9]+:\s*(/\*|\*|//)' | grep -vE '/\* lint: allowed' | cut -d: -f1,2)

echo "modules: $files files, $includes includes, $findings findings"
[[ $files -gt 0 && $findings -eq 0 ]]
