# Help, man page and completion speak of the same commands and options.
bats_require_minimum_version 1.5.0


commands() {
    rbtool help | sed -nE 's/^  ([a-z][a-z-]*)  .*/\1/p'
}

options() { # COMMAND
    rbtool help "$1" | grep -E '^  -' | grep -oE -- '^  (-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}

@test "help lists the commands, and each has a page with its usage" {
    [ "$(commands | wc -l)" -ge 10 ]
    for command in $(commands); do
        run -0 rbtool help "$command"
        [[ ${lines[0]} == "usage: rbtool $command"* ]]
        direct=$(rbtool "$command" --help)
        [ "$direct" = "$output" ]
    done
}

@test "an unknown command, an unknown option and a missing argument are usage errors" {
    run -2 rbtool frobnicate
    [[ $output == "rbtool: 'frobnicate' is no rbtool command"* ]]
    run -2 rbtool verify --frobnicate
    [[ $output == *"--frobnicate"* ]]
    run -2 rbtool release
    [[ $output == *"TAG"* ]]
    run -2 rbtool
    [[ $output == "usage: rbtool"* ]]
}

@test "a list of nothing is no list of everything" {
    for empty in '' ',' ',,'; do
        run -2 rbtool deploy v1.0.0 --only "$empty" --yes
        [[ $output == *"--only needs a value: PARTS"* ]]
    done
    run -2 rbtool log --kind=
    [[ $output == *"--kind needs a value: KIND"* ]]
}

@test "a result that cannot be written is an error" {
    [ -e /dev/full ] || skip "no /dev/full"
    run -2 bash -c 'rbtool --version >/dev/full'
    [[ $output == *"could not be written"* ]]
}

@test "the man page has every command and option, and groff finds no fault in it" {
    man=$BATS_TEST_TMPDIR/rbtool.1
    "$BATS_TEST_DIRNAME/../../cmd/man/build" "$(command -v rbtool)" "$man"
    run -0 groff -man -ww -z "$man"
    [ -z "$output" ]
    text=$(groff -man -Tascii -P-cbou "$man")
    for command in $(commands); do
        grep -qE "^ *rbtool $command( |$)" <<<"$text"
        for option in $(options "$command"); do
            grep -qE -- "$option( |$)" <<<"$text"
        done
    done
    [ "$(grep -cE '@[A-Z]+@' "$man")" -eq 0 ]
}

@test "bash completion offers every command, and every option of each" {
    # shellcheck source=/dev/null
    . "$BATS_TEST_DIRNAME/../../cmd/completion/rbtool.bash"
    COMP_WORDS=(rbtool '') COMP_CWORD=1
    _rbtool
    [ "$(printf '%s\n' "${COMPREPLY[@]}" | grep -vx help | sort)" = "$(commands | sort)" ]
    for command in $(commands); do
        COMP_WORDS=(rbtool "$command" --) COMP_CWORD=2
        _rbtool
        [ "$(printf '%s\n' "${COMPREPLY[@]}" | sort -u)" = "$(options "$command" | sort -u)" ]
    done
}

@test "bash completion offers tags of the repository at -C" {
    . "$BATS_TEST_DIRNAME/../../cmd/completion/rbtool.bash"
    repo=$BATS_TEST_TMPDIR/repo
    git init -q "$repo"
    git -C "$repo" -c user.name=a -c user.email=a@b commit -q --allow-empty -m one
    git -C "$repo" tag v1.0.0
    git -C "$repo" tag v1.1.0
    COMP_WORDS=(rbtool -C "$repo" verify v1.1) COMP_CWORD=4
    _rbtool
    [ "${COMPREPLY[*]}" = v1.1.0 ]
}

@test "zsh takes its completion" {
    command -v zsh >/dev/null || skip "no zsh"
    run -0 zsh -f -n "$BATS_TEST_DIRNAME/../../cmd/completion/_rbtool"
    [ -z "$output" ]
}

@test "a mistake in the arguments is a JSON document too, where one was asked for" {
    for words in 'nope --json' '--json deploy v1' 'deploy --json' 'deploy --json --nope v1' 'list extra --json'; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr rbtool $words
        [[ $(jq -c '.error | .code, (.message | length > 10)' <<<"$output" | tr '\n' ' ') == "2 true " ]]
        [[ $stderr == "rbtool: "* ]]
    done
    # shellcheck disable=SC2086
    run -2 --separate-stderr rbtool nope -- --json
    [[ -z $output ]]
}
