# Help, man page and completion speak of the same commands and options.
bats_require_minimum_version 1.5.0


commands() {
    rbtool help | sed -nE 's/^  ([a-z][a-z-]*)  .*/\1/p'
}

options() { # COMMAND
    rbtool help "$1" | grep -oE -- '^  (-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}

global_options() {
    rbtool help | grep -oE -- '^  (-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}

@test "help lists the commands, and each command has a page with its usage" {
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
    [[ $output == "rbtool: 'frobnicate' is not an rbtool command"* ]]
    run -2 rbtool verify --frobnicate
    [[ $output == *"--frobnicate"* ]]
    run -2 rbtool release
    [[ $output == *"TAG"* ]]
    run -2 rbtool
    [[ $output == "usage: rbtool"* ]]
}

@test "every command refuses an unknown option and too many arguments with exit code 2" {
    for command in $(commands); do
        run -2 rbtool "$command" --frobnicate
        [ "$output" = "rbtool: unknown option '--frobnicate'" ]
        case $command in verify | hook) continue ;; esac # these take any number
        run -2 rbtool "$command" a b c d e
        [[ $output == "rbtool: $command does not take '"?"'"* ]]
    done
}

@test "arguments that cannot be meant are usage errors that change nothing" {
    load lib
    load transition
    host
    release v1.0.0
    before=$(git for-each-ref)
    while read -r line; do
        read -ra words <<<"$line"
        run -2 rbtool "${words[@]}" </dev/null
        [[ $output == *"rbtool: "* ]]
    done <<'LINES'
show
mark v1.0.0
mark v1.0.0 fine -m x
mark v1.0.0 good
mark v9 good -m x
approve v9
note v9 -m x
note v1.0.0
note v1.0.0 -m x --due 2027-01-01
note --review rows --due 2027-01-01
note --review plan --due tomorrow
attest v9
verify v9
reconstruct v9 -o out
diff v8 v9
lint v8..v9
lint --format xml
prove v1.0.0
prove --base v9
prove --format xml
log -n many
log -n -3
report v9
report --format pdf
report --env none/of
release v1..2
release v1.1.0 nothing
policy frobnicate
policy set
policy set /none/policy.json -m x
env frobnicate
help frobnicate
sync nowhere
-C /none list
--config /none/rbtool.json status
status --env none
plan v9
plan --deploy v9
plan --deploy v1.0.0 --to v1.0.0
plan v1.0.0 --deploy v1.0.0
plan --deploy v1.0.0 --format markdown
deploy v9 --yes
deploy v1.0.0
deploy v1.0.0 --env
deploy v1.0.0 --yes=1
deploy v1.0.0 --yes --env none
deploy v1.0.0 --yes --only db,all
deploy v1.0.0 --yes -m why
deploy v1.0.0 --yes --break-glass
deploy v1.0.0 -xy
revert v9 --yes
revert --yes
LINES
    [ "$(git for-each-ref)" = "$before" ]
    [ ! -e "$PROD/current" ] && [ ! -e "$PROD/data/shop.db" ]
    [ "$(rbtool status --json | jq -r .state)" = empty ]
}

@test "a misspelt command or option is answered with the nearest one" {
    run -2 rbtool relase v1
    [[ $output == *"did you mean 'release'?"* ]]
    run -2 rbtool recon v1
    [[ $output == *"did you mean 'reconstruct'?"* ]]
    run -2 rbtool deploy v1 --evn prod
    [[ $output == $'rbtool: unknown option \'--evn\'\nhint: did you mean \'--env\'?' ]]
    run -2 rbtool deploy v1 --acept-drift
    [[ $output == *"did you mean '--accept-drift'?" ]]
    run -2 rbtool --quite list
    [[ $output == *"did you mean '--quiet'?" ]]
    run -2 rbtool deploy v1 --something=else
    [[ $output == "rbtool: unknown option '--something=else'" ]]
}

@test "common options work before and after the command" {
    repo=$BATS_TEST_TMPDIR/elsewhere
    git init -q "$repo"
    git -C "$repo" -c user.name=a -c user.email=a@b commit -q --allow-empty -m one
    run -0 rbtool -C "$repo" list
    before=$output
    run -0 rbtool list -C "$repo"
    [ "$output" = "$before" ]
    run -0 rbtool list --directory="$repo" --json
    [ "$(jq -c .releases <<<"$output")" = '[]' ]
    run -2 rbtool list -C "$BATS_TEST_TMPDIR/nowhere"
    run -2 rbtool list -C
    [[ $output == *"--directory needs a value: DIR"* ]]
    [ "$(rbtool version)" = "$(rbtool --version)" ]
    [ "$(rbtool list --version)" = "$(rbtool --version)" ]
}

@test "every command is listed under a heading, and its help ends with examples that use its own options" {
    headed=$(rbtool help | awk '/^usage/ || /^Options/ { on = 0 } /^Set up$/ { on = 1 } on && /^  [a-z]/ { n++ } END { print n }')
    [ "$headed" -eq "$(commands | wc -l)" ]
    for command in $(commands); do
        examples=$(rbtool help "$command" | sed -n '/^Examples$/,$p' | tail -n +2)
        [[ $examples == *"rbtool $command"* ]]
        known=" $(options "$command" | tr '\n' ' ') $(global_options | tr '\n' ' ') "
        while read -r option; do
            [[ $known == *" $option "* ]] || { echo "$command: $option"; return 1; }
        done < <(grep -E "^ *rbtool $command( |$)" <<<"$examples" | sed 's/[|>#&].*//' | grep -oE -- ' --[a-z-]+' | tr -d ' ')
    done
}

@test "an empty list argument does not select everything" {
    for empty in '' ',' ',,'; do
        run -2 rbtool deploy v1.0.0 --only "$empty" --yes
        [[ $output == *"--only needs a value: PARTS"* ]]
    done
    run -2 rbtool log --kind=
    [[ $output == *"--kind needs a value: KIND"* ]]
}

@test "output that cannot be written is an error" {
    [ -e /dev/full ] || skip "no /dev/full"
    run -2 bash -c 'rbtool --version >/dev/full'
    [[ $output == *"could not be written"* ]]
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
        [ "$(printf '%s\n' "${COMPREPLY[@]}" | sort -u)" = "$({ options "$command"; global_options; } | sort -u)" ]
    done
}

@test "bash completion offers the tags of the repository given with -C" {
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

@test "bash completion offers the values of an option or argument" {
    . "$BATS_TEST_DIRNAME/../../cmd/completion/rbtool.bash"
    offered() { # WORD... : what completes the last word
        COMP_WORDS=(rbtool "$@") COMP_CWORD=$#
        _rbtool
        printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
    }
    repo=$BATS_TEST_TMPDIR/values
    git init -q "$repo"
    git -C "$repo" -c user.name=a -c user.email=a@b commit -q --allow-empty -m one
    git -C "$repo" tag v1.0.0
    git -C "$repo" remote add upstream /nowhere
    cd "$repo"
    [ "$(offered deploy v1.0.0 --only '')" = 'app config db flags ' ]
    [ "$(offered mark v1.0.0 g)" = 'gap good ' ]
    [ "$(offered mark -m 'two words' v1.0.0 b)" = 'bad ' ]
    [ "$(offered policy s)" = 'set show ' ]
    [ "$(offered lint --format s)" = 'sarif ' ]
    [ "$(offered prove --format j)" = 'json junit ' ]
    [ "$(offered prove --base v)" = 'v1.0.0 ' ]
    [ "$(offered plan --deploy v)" = 'v1.0.0 ' ]
    [ "$(offered prove v)" = ' ' ]
    [ "$(offered sync '')" = 'upstream ' ]
    [ "$(offered revert v1.1.0 --to v)" = 'v1.0.0 ' ]
    [ "$(offered status v)" = ' ' ]
    touch policy.json
    [ "$(offered policy set pol)" = 'policy.json ' ]
}

@test "the completions offer the steps that a drill takes" {
    . "$BATS_TEST_DIRNAME/../../cmd/completion/rbtool.bash"
    steps=$(rbtool drill --fail-at nothing 2>&1 | sed -n 's/.*the steps are //p' | tr -d ,)
    [ "$(wc -w <<<"$steps")" -ge 10 ]
    COMP_WORDS=(rbtool drill --fail-at '') COMP_CWORD=3
    _rbtool
    [ "${COMPREPLY[*]}" = "$steps" ]
    [ "$(grep -c -e "$steps" "$BATS_TEST_DIRNAME/../../cmd/completion/_rbtool")" = 1 ]
    [ "$(grep -c -e "$steps" "$BATS_TEST_DIRNAME/../../cmd/completion/rbtool.fish")" = 3 ]
}

@test "zsh and fish load their completion scripts" {
    run -0 zsh -f -n "$BATS_TEST_DIRNAME/../../cmd/completion/_rbtool"
    [ -z "$output" ]
    run -0 fish --no-execute "$BATS_TEST_DIRNAME/../../cmd/completion/rbtool.fish"
    [ -z "$output" ]
}

@test "fish completes commands, options and values" {
    repo=$BATS_TEST_TMPDIR/fish
    git init -q "$repo"
    git -C "$repo" -c user.name=a -c user.email=a@b commit -q --allow-empty -m one
    git -C "$repo" tag v1.0.0
    cd "$repo"
    complete() {
        fish --no-config -c "source $BATS_TEST_DIRNAME/../../cmd/completion/rbtool.fish; complete -C '$1'" | cut -f1 | tr '\n' ' '
    }
    [ "$(complete 'rbtool rel')" = 'release ' ]
    [ "$(complete 'rbtool deploy --accept-dr')" = '--accept-drift ' ]
    [[ $(complete 'rbtool deploy v') == 'v1.0.0 ' ]]
    [ "$(complete 'rbtool deploy v1.0.0 --only f')" = 'flags ' ]
}

@test "a usage error is a JSON document when --json was given" {
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
