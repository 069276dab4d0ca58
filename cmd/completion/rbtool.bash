# bash completion for rbtool. Commands and options come from the program's own help.
# shellcheck shell=bash

_rbtool() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' i word words=0 valued=''
    local -a at=() # -C and --config, as they stand before
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        -C | --directory | --config)
            at+=("$word" "${COMP_WORDS[++i]}")
            ;;
        -*) [[ $valued != *" $word "* ]] || i=$((i + 1)) ;;
        *)
            if [[ -z $command ]]; then
                command=$word valued=$(_rbtool_valued "$command")
            else
                words=$((words + 1))
            fi
            ;;
        esac
    done
    local value
    value=$(_rbtool_value "$command" "$previous" "$words" "$current")
    case $value in
    folders) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    files) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    nothing) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(_rbtool_words "$value" "$command" "${at[@]}")" -- "$current") ;;
    esac
}

# What kind of word is wanted: COMMAND, the word before, how many arguments stand before, the word.
_rbtool_value() {
    case $2 in
    -C | --directory | --files) echo folders && return ;;
    --config | -o | --output | --key | --append | --public-key | --from) echo files && return ;;
    --env | -e) echo environments && return ;;
    --only | --format | --kind | -k) echo "${2#--}" && return ;;
    --fail-at | --kill-at | --pause-before) echo steps && return ;;
    --to | --tag | -t | --scripts-from | --previous | --base | --deploy) echo tags && return ;;
    --review) echo reviews && return ;;
    -m | --message | --since | --due | --accept-data-loss | --object | --table | --database | --ignore-columns | --lock-timeout | --statement-timeout) echo nothing && return ;;
    esac
    case $4:$1:$3 in
    -*) echo options ;;
    *::* | *:help:*) echo commands ;;
    *:policy:0) echo policy ;;
    *:policy:*) echo files ;;
    *:env:0) echo env ;;
    *:mark:1) echo verdicts ;;
    *:sync:0) echo remotes ;;
    *:hook:0) echo hooks ;;
    *:init:* | *:metrics:* | *:list:* | *:prove:* | *:status:* | *:check:* | *:resume:* | *:abort:* | *:log:* | *:backups:* | *:restore:* | *:env:*) echo nothing ;;
    *) echo tags ;;
    esac
}

_rbtool_words() { # KIND COMMAND OPTIONS-THAT-NAME-THE-REPOSITORY...
    local kind=$1 command=$2
    shift 2
    case $kind in
    commands) echo help && _rbtool_commands ;;
    options) _rbtool_options "$command" ;;
    environments) rbtool "$@" env --names 2>/dev/null ;;
    tags) git -C "$(_rbtool_folder "$@")" for-each-ref --format='%(refname:strip=2)' refs/tags 2>/dev/null ;;
    remotes) git -C "$(_rbtool_folder "$@")" remote 2>/dev/null ;;
    only) echo app db flags config ;;
    steps) echo stage flags stop database switch config secrets commit start checks ;;
    format)
        case $command in
        lint) echo text json sarif ;;
        prove) echo text markdown json sarif junit ;;
        report) echo html csv json ;;
        *) echo text markdown json ;;
        esac
        ;;
    kind | -k) echo release verdict approval policy gap transition drill override restore watch note review merge ;;
    reviews) echo plan backup history ;;
    policy) echo show set ;;
    env) echo check diff trust ;;
    verdicts) echo good bad gap ;;
    hooks) echo pre-push pre-receive post-receive reference-transaction commit-msg ;;
    esac
}

_rbtool_folder() { # the value of -C, else .
    local folder=.
    while [[ $# -gt 1 ]]; do
        [[ $1 == --config ]] || folder=$2
        shift 2
    done
    echo "$folder"
}

_rbtool_valued() { # COMMAND: its options that take a value, each between blanks
    rbtool help "$1" 2>/dev/null | sed -nE 's/^  (-[a-zA-Z], )?(--[a-z-]+) [A-Z].*/ \1\2 /p' | tr ',\n' '  '
}

_rbtool_commands() {
    rbtool help 2>/dev/null | sed -nE 's/^  ([a-z][a-z-]*)  .*/\1/p'
}

_rbtool_options() {
    # shellcheck disable=SC2086 # no command: none
    { rbtool help $1 && rbtool help; } 2>/dev/null | grep -oE -- '^  (-[a-zA-Z], )?--[a-z-]+' |
        tr -d ' ' | tr , '\n' | sort -u
}

complete -F _rbtool rbtool
