# The manual pages: their form, what they say of the program, and every example in them.
bats_require_minimum_version 1.5.0

load lib

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
    tr -s ' \t\n' '\n' | sed -E 's/^(o|-)$//; s/`//g' | grep .
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

@test "rbtool help COMMAND and the command's manual page have the same words" {
    for page in $(pages 1); do
        [ "$page" != rbtool.1 ] || continue
        command=${page#rbtool-} command=${command%.1}
        rbtool help "$command" | sed '1s/^usage: //; 3s/\.$//; /^`rbtool help` lists/d; /^Options$/d; s/^[A-Z][a-z ]*$/\U&/' |
            words | sort >"$BATS_TEST_TMPDIR/help"
        man "$page" | sed '1d;$d; /^ *The options of every command are in rbtool(1)\.$/d' |
            sed -E '/^(NAME|SYNOPSIS|DESCRIPTION|OPTIONS)$/d; s/^ *rbtool-[a-z]+ - //' | words | sort >"$BATS_TEST_TMPDIR/man"
        diff "$BATS_TEST_TMPDIR/help" "$BATS_TEST_TMPDIR/man" || { echo "$page"; return 1; }
    done
}
