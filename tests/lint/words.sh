#!/bin/bash
# What never belongs in the sources: unfinished work, banned calls, goto, words that the glossary
# replaces, long files, stray files at the top.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

findings=0
finding() {
    echo "$1"
    findings=$((findings + 1))
}
hits() { # WHY GREP-ARGS...
    local why=$1
    shift
    while IFS= read -r hit; do finding "$hit  <- $why"; done < <(grep -rnE "$@")
}

hits 'unfinished' '\b(TODO|FIXME|XXX|HACK)\b' core cmd
hits 'rb_format, rb_buf_printf, rb_strdup' \
    '\b(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|asprintf|alloca|system|popen|tmpnam|mktemp|rand)\(' \
    core cmd --include='*.[ch]'
hits 'no goto' '^\s*goto\b' core cmd --include='*.[ch]'
# Words of comments and texts for which the glossary in CONTRIBUTING.md has better ones. "is no X":
# "is not a X"; "anew": "recreated", "rewritten"; "told", "tells": "reports", "records"; "whoever":
# the role.
words='whoever|made again|anew|(is|was|are|be) no [a-z]+|puts? back|edicts?|census|told|tells'
fine='\bno (longer|more)\b|\bthere (is|was|are) no\b'
while IFS= read -r hit; do
    finding "$hit  <- plain English: see the glossary"
done < <(grep -rniE "(^ *\\* |/\\*|\").*\\b($words)\\b" core cmd --include='*.[ch]' |
    grep -viE "$fine")
hits 'tabs' $'\t' core cmd tests --include='*.[ch]'
while read -r lines file; do
    [[ $file == total || $lines -le 500 ]] || finding "$file: $lines lines, 500 is the limit"
done < <(find core cmd -name '*.[ch]' -exec wc -l {} +)
while read -r entry; do
    case $entry in
    cmd | core | hooks | schemas | tests | Makefile | README.md | CONTRIBUTING.md | LICENSE | .*) ;;
    *) finding "$entry: does not belong at the top" ;;
    esac
done < <(git ls-files | cut -d/ -f1 | sort -u)

echo "words: $findings findings"
[[ $findings -eq 0 ]]
