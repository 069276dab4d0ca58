# bash completion for rbtool. Commands and options come from the program's own help.
# shellcheck shell=bash

_rbtool() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' dir=. i word
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        -C | --directory) dir=${COMP_WORDS[++i]} ;;
        --config) i=$((i + 1)) ;;
        -*) ;;
        *)
            command=$word
            break
            ;;
        esac
    done
    case $previous in
    -C | --directory)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --config | -o | --output | --key | --append | --public-key)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_rbtool_options "$command")" -- "$current")
    elif [[ -z $command || $command == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W "help $(_rbtool_commands)" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W \
            "$(git -C "$dir" for-each-ref --format='%(refname:strip=2)' refs/tags 2>/dev/null)" -- "$current")
    fi
}

_rbtool_commands() {
    rbtool help 2>/dev/null | sed -nE 's/^  ([a-z][a-z-]*)  .*/\1/p'
}

_rbtool_options() {
    # shellcheck disable=SC2086 # no command: none
    rbtool help $1 2>/dev/null | grep -E '^  -' | grep -oE -- '^  (-[a-zA-Z], )?--[a-z-]+' | tr -d ' ' | tr , '\n'
}

complete -F _rbtool rbtool
