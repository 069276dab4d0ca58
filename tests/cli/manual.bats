# The manual pages: their form, what they say of the program, and every example in them.
bats_require_minimum_version 1.5.0

load lib
load transition

# The shop with v1.2.0 and v1.3.2, the latter live with ten orders, and a commit for 1.4.0. Three states of it, each a
# copy of everything below $LAB: ready (v1.4.0 is not released), released (and not deployed), live.
setup_file() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR/lab
    mkdir "$BATS_TEST_TMPDIR"
    host
    git init -q --bare ../origin.git
    git remote add origin ../origin.git
    git remote add upstream ../origin.git
    git config --global rerere.enabled false
    rbtool init
    release v1.2.0
    release v1.3.2
    rbtool deploy v1.2.0 --yes
    rbtool deploy v1.3.2 --yes
    sql 'INSERT INTO orders (id, total) VALUES (1, 100), (2, 200)'
    echo 1.4.0 >VERSION
    printf 'ALTER TABLE orders ADD COLUMN discount INTEGER;\n' >migrations/0002_discount.up.sql
    printf 'ALTER TABLE orders DROP COLUMN discount;\n' >migrations/0002_discount.down.sql
    git add -A
    git commit -qm 'shop: discounts' -m 'Rollback: reversible'
    git push -q origin main v1.2.0 v1.3.2
    rbtool sync
    cp -a "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR/ready"
    rbtool release v1.4.0
    cp -a "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR/released"
    rbtool deploy v1.4.0 --yes
    cp -a "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR/live"
}

# A fresh copy of a state, entered.
lab() { # STATE
    LAB=$BATS_FILE_TMPDIR/lab
    cd /
    rm -rf "$LAB"
    cp -a "$BATS_FILE_TMPDIR/$1" "$LAB"
    BATS_TEST_TMPDIR=$LAB home
    KEYS=$HOME/keys SHOP=$LAB/shop PROD=$LAB/prod
    cd "$SHOP" || return
}

# The pages with their sections, as cmd/man holds them.
pages() { # SECTION: one, or [157] for all
    local page
    # shellcheck disable=SC2231
    for page in "$ROOT"/cmd/man/*.$1.md; do basename "$page" .md; done
}

man() { # PAGE: its text
    groff -man -Tascii -P-cbou -rLL=200n -rHY=0 "$BUILD/man/$1"
}

# The words of a text, one a line, without what only marks them.
words() {
    tr -s ' \t\n' '\n' | tr A-Z a-z | sed -E 's/^(o|-)$//; s/`//g; s/:$//' | grep .
}

@test "every command has a manual page, and there is none for anything else" {
    commands=$(rbtool help | sed -nE 's/^  ([a-z][a-z-]*)  .*/rbtool-\1.1/p')
    [ "$(pages 1 | sort)" = "$(printf '%s\n' rbtool.1 "$commands" | sort)" ]
}

@test "groff has no warning about a manual page" {
    for page in $(pages '[157]'); do
        run -0 groff -man -ww -z "$BUILD/man/$page"
        [ -z "$output" ] || { echo "$page: $output"; return 1; }
    done
}

@test "every page has its parts, and names only pages that exist" {
    for page in $(pages '[157]'); do
        text=$(man "$page")
        for part in NAME DESCRIPTION EXAMPLES FILES 'SEE ALSO'; do
            grep -qx "$part" <<<"$text" || { echo "$page has no $part"; return 1; }
        done
        [[ $page != *.1 ]] || grep -qx 'EXIT CODES' <<<"$text" || { echo "$page has no EXIT CODES"; return 1; }
        for other in $(grep -oE 'rbtool[a-z.-]*\([157]\)' "$ROOT/cmd/man/$page.md" | tr '()' '. ' | sort -u); do
            [ -f "$BUILD/man/$other" ] || { echo "$page names $other"; return 1; }
        done
    done
}

@test "rbtool help COMMAND and the command's manual page have the same words" {
    for page in $(pages 1); do
        [ "$page" != rbtool.1 ] || continue
        command=${page#rbtool-} command=${command%.1}
        rbtool help "$command" | sed '1s/^usage: //; 3s/\.$//; /^`rbtool help` lists/d; /^Options$/d' |
            words | sort >"$BATS_TEST_TMPDIR/help"
        man "$page" | sed '1d;$d; /^ *The options of every command are in rbtool(1)\.$/d' |
            sed -E '/^(NAME|SYNOPSIS|DESCRIPTION|OPTIONS)$/d; s/^ *rbtool-[a-z]+ - //' | words | sort >"$BATS_TEST_TMPDIR/man"
        diff "$BATS_TEST_TMPDIR/help" "$BATS_TEST_TMPDIR/man" || { echo "$page"; return 1; }
    done
}

# The lines of the code blocks below a heading of a page.
blocks() { # PAGE HEADING
    sed -n "/^## $2\$/,/^## /s/^    //p" "$ROOT/cmd/man/$1.md"
}

@test "rbtool.json(5) has every key of the schema, and no other" {
    sed -n '/^## Keys/,/^## Functions/s/^- `\([^`]*\)`: .*/\1/p' "$ROOT/cmd/man/rbtool.json.5.md" | sort >"$BATS_TEST_TMPDIR/page"
    jq -r 'def paths($at): . as $schema |
        if .properties then .properties | to_entries[] | .key as $key | .value | paths($at + "." + $key)
        elif (.additionalProperties | type) == "object" then
            (if .propertyNames["$ref"] == "#/$defs/path" then "PATH" else "NAME" end) as $name |
            .additionalProperties | paths($at + "." + $name)
        elif .items.properties or .items.oneOf then $at, (.items | paths($at + "[]"))
        elif .oneOf then (if any(.oneOf[]; .properties | not) then $at else empty end),
            (.oneOf[] | select(.properties) | paths($at))
        else $at end;
        paths("") | ltrimstr(".")' "$ROOT/schemas/config.schema.json" | sort -u >"$BATS_TEST_TMPDIR/schema"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/schema")" -gt 40 ]
    diff "$BATS_TEST_TMPDIR/schema" "$BATS_TEST_TMPDIR/page"
}

@test "rbtool.json(5) gives the default of every key that may be left out" {
    for key in $(jq -r '[paths(type == "object" and has("required") and has("properties")) as $at | getpath($at) |
            (.properties | keys) - .required | .[]] | unique[]' "$ROOT/schemas/config.schema.json"); do
        # Objects are described by their members.
        jq -e --arg key "$key" '[paths(. != null) as $at | select($at[-1] == $key and $at[-2] == "properties") | getpath($at) |
            .properties // .additionalProperties // .oneOf] | any' "$ROOT/schemas/config.schema.json" >/dev/null && continue
        text=$(sed -n "/^- \`[^\`]*\b$key\(\[\]\)\?\`: /,/^\(-.*\)\?\$/p" "$ROOT/cmd/man/rbtool.json.5.md" | tr '\n' ' ')
        [[ $text == *"Default"* || $text == *ignores* || $text == *ignored* ]] || { echo "$key: $text"; return 1; }
    done
}

@test "rbtool-release(1) explains every rule that lint and proof can report, and rbtool-lint(1) those of lint" {
    reported() { grep -ohE '"RB0[0-9]+"' "$@" | tr -d '"' | sort -u; }
    explained() { sed -nE 's/^- `(RB0[0-9]+)`: .*/\1/p' "$ROOT/cmd/man/rbtool-$1.1.md"; }
    [ "$(explained lint)" = "$(reported "$ROOT/core/migration/lint.c")" ]
    [ "$(explained release)" = "$(reported "$ROOT/core/migration/lint.c" "$ROOT"/core/{proof,release}/*.c)" ]
}

@test "rbtool accepts the example of rbtool.json(5)" {
    lab ready
    blocks rbtool.json.5 Examples >rbtool.json
    git commit -qam 'the example'
    run -0 rbtool release v1.4.0 --dry-run
    run -0 rbtool env --names
    [ "$output" = prod ]
    run rbtool env check
    [[ $output == *"flags: "*"/etc/flagd/shop.json"* ]]
}

@test "rbtool accepts the example of rbtool-policy(7), which names every key of the schema" {
    lab live
    blocks rbtool-policy.7 Examples >policy.json
    git config rbtool.root alice@example.com
    run -0 rbtool policy set policy.json -m 'as agreed'
    run -0 rbtool policy show --json
    for key in $(jq -r '.. | .properties? // empty | keys[]' "$ROOT/schemas/policy.schema.json" | grep -v '^\$'); do
        jq -e --arg key "$key" '[paths[]] | index($key)' policy.json >/dev/null
        grep -qE "^- \`[^\`]*\b$key\b" "$ROOT/cmd/man/rbtool-policy.7.md" || [ "$key" = roles ] || [ "$key" = environments ] ||
            [ "$key" = revoked ] || [ "$key" = approvals ] || { echo "$key"; return 1; }
    done
}

# The project as the example expects it.
prepare() { # EXAMPLE
    case $1 in
    'rbtool release '* | 'rbtool lint'* | 'rbtool prove'* | 'rbtool init'*) lab ready ;;
    'rbtool deploy '*) lab released ;;
    'rbtool resume '* | 'rbtool abort '*)
        lab released
        rm -f "$BATS_TEST_TMPDIR/killed"
        killed_by stop
        run -137 rbtool deploy v1.4.0 --yes --config "$BATS_TEST_TMPDIR/killing.json"
        ;;
    *) lab live ;;
    esac
    case $1 in
    *v1.5.0*) echo 1.5.0 >VERSION && git commit -qam 'shop 1.5.0' && rbtool release v1.5.0 ;;
    *policy.json*)
        git config rbtool.root alice@example.com
        echo '{}' >policy.json
        ;;
    *answers.txt*) yes y | head -9 >answers.txt ;;
    'rbtool approve '*)
        git config user.signingKey "$KEYS/bob"
        git config user.email bob@example.com
        ;;
    'rbtool restore '*)
        sql 'UPDATE orders SET discount = 5'
        rbtool revert v1.4.0 --yes --accept-data-loss "$(digest v1.4.0)"
        rbtool deploy v1.4.0 --yes --accept-reverted
        ;;
    'rbtool adopt '*) rm "$PROD"/.rbtool/state.db* ;;
    'rbtool log --verify'*) git config rbtool.root alice@example.com ;;
    esac
}

@test "every example of a manual page runs" {
    for page in $(pages '[17]'); do
        [ "$page" != rbtool-policy.7 ] || continue
        while IFS= read -r line; do
            prepare "$line" >/dev/null
            # The id of a backup is the host's own, and there is no terminal to confirm at.
            line=$(sed -E "s/^(rbtool restore) [^ ]+/\1 $(ls "$PROD/.rbtool/backups" | head -1)/" <<<"$line")
            cd "$SHOP" || return
            run bash -euo pipefail -c "$(sed -E 's/^rbtool (adopt|deploy|revert|resume|abort|restore) /&--yes /; s/--watch 10m/--watch 1s/; s/env diff staging/env diff prod/' <<<"$line")" </dev/null
            [ "$status" -eq 0 ] || { printf '%s: %s\n%s\n' "$page" "$line" "$output"; return 1; }
        done < <(blocks "$page" Examples)
    done
}

@test "the commands in rbtool-hook(1) set up a server" {
    lab live
    cd "$LAB/origin.git" || return
    sed -n '1,/^## /s/^    //p' "$ROOT/cmd/man/rbtool-hook.1.md" >"$BATS_TEST_TMPDIR/commands"
    run -0 bash -euo pipefail "$BATS_TEST_TMPDIR/commands"
    [ -x hooks/pre-receive ]
    [ "$(git config rbtool.root)" = root@example.com ]
}
