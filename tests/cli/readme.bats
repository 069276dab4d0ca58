# The README: its length, its links, and its commands, run from top to bottom in a fresh project.
bats_require_minimum_version 1.5.0

load lib

# The commands in the code blocks of a section, as printed. The tree of folders is not a command.
commands() { # HEADING
    sed -n "/^## $1\$/,/^## /p" "$ROOT/README.md" | sed -nE 's/^( {4}| {7})([a-z].*)/\2/p'
}

# Runs them one by one; there is no terminal to confirm at.
follow() { # HEADING
    local line found=''
    while IFS= read -r line; do
        found=1
        run bash -euo pipefail -c "$(sed -E '/--dry-run/!s/^rbtool (deploy|revert) /&--yes /' <<<"$line")" </dev/null
        [[ $status -eq 0 ]] || {
            printf '%s\n%s\n' "$line" "$output"
            return 1
        }
    done < <(commands "$1")
    [[ -n $found ]]
}

# A project as a newcomer has it: no keys, no settings of rbtool, a remote.
setup() {
    home
    git config --global --unset gpg.format
    shop
    rm -r rbtool.json checks
    git commit -qam 'shop without rbtool'
    git init -q --bare "$BATS_TEST_TMPDIR/remote/shop.git"
    git remote add origin "$BATS_TEST_TMPDIR/remote/shop.git"
}

@test "the README has at most 150 lines and 12,000 bytes" {
    [ "$(wc -l <"$ROOT/README.md")" -le 150 ]
    [ "$(wc -c <"$ROOT/README.md")" -le 12000 ]
}

@test "every link in README and CONTRIBUTING leads to a file" {
    for page in README.md CONTRIBUTING.md; do
        for target in $(grep -oE '\]\([^)#:]+\)' "$ROOT/$page" | tr -d '()]' | sort -u); do
            [ -e "$ROOT/$target" ] || { echo "$page: $target"; return 1; }
        done
    done
}

@test "every file that README and CONTRIBUTING name exists, and the map has every module" {
    while IFS= read -r path; do
        compgen -G "$ROOT/${path//NAME/*}" >/dev/null || { echo "$path"; return 1; }
    done < <(grep -ohE '`(core|cmd|hooks|schemas|tests|\.ci)/[^` ]*`' "$ROOT"/{README,CONTRIBUTING}.md | tr -d '`')
    for module in "$ROOT"/core/*/; do
        grep -qE "^    core/$(basename "$module")/ " "$ROOT/CONTRIBUTING.md" || { echo "$module"; return 1; }
    done
}

@test "the README's commands make the first release, deploy it, revert a bad one, and deploy the fix" {
    rbtool init >"$BATS_TEST_TMPDIR/printed" 2>&1
    rm -rf rbtool.json .git/hooks/*
    git config --unset rbtool.app || true
    # What init prints about signing, with a key that has no passphrase.
    sed -n 's/^    //p' "$BATS_TEST_TMPDIR/printed" | sed "s/^ssh-keygen/& -q -N ''/" >"$BATS_TEST_TMPDIR/signing"
    grep -q ssh-keygen "$BATS_TEST_TMPDIR/signing"
    run -0 bash -euo pipefail "$BATS_TEST_TMPDIR/signing"

    follow 'Your first release'
    follow 'First deploy'
    live=$BATS_TEST_TMPDIR/shop-local
    [ "$(readlink "$live/current")" = releases/v1.0.0 ]
    [ -f "$live/current/app/src/shop" ]
    [ -f "$live/.rbtool/state.db" ] && [ -d "$live/.rbtool/backups" ]

    echo 1.1.0 >VERSION
    printf 'ALTER TABLE orders ADD COLUMN discount INTEGER;\n' >migrations/0002_discount.up.sql
    printf 'ALTER TABLE orders DROP COLUMN discount;\n' >migrations/0002_discount.down.sql
    git add -A
    git commit -qm discounts -m 'Rollback: lossy discounts'
    mapfile -t story < <(commands 'When a release is bad')
    [ "${story[0]}" = 'rbtool release v1.1.0' ]
    for line in "${story[@]}"; do
        if [ "$line" = 'rbtool release v1.1.1' ]; then
            [ "$(readlink "$live/current")" = releases/v1.0.0 ]
            git rm -q migrations/0002_*
            echo 1.1.1 >VERSION
            git commit -qam 'no discounts' -m 'Rollback: reversible'
        fi
        run bash -euo pipefail -c "$(sed -E 's/^rbtool (deploy|revert) /&--yes /' <<<"$line")" </dev/null
        [ "$status" -eq 0 ] || { printf '%s\n%s\n' "$line" "$output"; return 1; }
    done
    [ "$(readlink "$live/current")" = releases/v1.1.1 ]
    [ "$(rbtool show v1.1.1 --json | jq -r .predicate.previous.tag)" = v1.0.0 ]

    # The commands in sentences and tables: none is refused as wrong usage.
    n=0
    while IFS= read -r line; do
        line=$(sed 's/TAG/v1.1.0/; s/NAME/local/; s/WHY/reason/; s/COMMAND/deploy/' <<<"$line")
        run bash -c "$line" </dev/null
        [[ $status -ne 2 || $output == *'no terminal to ask on'* ]] || { printf '%s\n%s\n' "$line" "$output"; return 1; }
        n=$((n + 1))
    done < <(grep -oE '`rbtool [a-z][^`]*`' "$ROOT/README.md" | tr -d '`' | sort -u)
    [ "$n" -gt 10 ]
}

@test "the README's make targets exist" {
    for target in $(grep -oE 'make [a-z]+' "$ROOT/README.md" | cut -d' ' -f2 | sort -u) all; do
        run -0 make -n -C "$ROOT" "$target"
    done
}
