# fish completion for rbtool. Commands and options come from the program's own help.

function __rbtool_folder -d 'What -C says, else the current folder'
    set -l words (commandline -opc)
    set -l folder .
    for i in (seq 2 (count $words))
        contains -- $words[$i] -C --directory; and set folder $words[(math $i + 1)]
    end
    echo $folder
end

function __rbtool_command -d 'The command on the line, or nothing'
    set -l words (commandline -opc)
    set -l skip 0
    for word in $words[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word -C --directory --config
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
            return 0
        end
    end
    return 1
end

function __rbtool_commands
    rbtool help 2>/dev/null | string match -r '^  [a-z][a-z-]* +.*' | string replace -r '^  ([a-z-]+) +' '$1\t'
end

function __rbtool_options
    begin
        rbtool help (__rbtool_command) 2>/dev/null
        rbtool help 2>/dev/null
    end | string replace -rf '^  (?:-[a-zA-Z], )?(--[a-z-]+)(?: [A-Z]\S*)? +(.*)' '$1\t$2'
end

function __rbtool_tags
    git -C (__rbtool_folder) for-each-ref --format='%(refname:strip=2)' refs/tags 2>/dev/null
end

function __rbtool_is
    contains -- (__rbtool_command; or echo none) $argv
end

complete -c rbtool -f
complete -c rbtool -n 'not __rbtool_command; or __rbtool_is help' -a '(__rbtool_commands)'
complete -c rbtool -n 'string match -q -- "-*" (commandline -ct)' -a '(__rbtool_options)'
complete -c rbtool -n '__rbtool_is release show verify diff reconstruct plan deploy revert drill adopt mark approve attest note report' -a '(__rbtool_tags)'
complete -c rbtool -n '__rbtool_is mark' -a 'good bad gap'
complete -c rbtool -n '__rbtool_is policy' -a 'show set' -F
complete -c rbtool -n '__rbtool_is env' -a 'check trust'
complete -c rbtool -n '__rbtool_is sync' -a '(git -C (__rbtool_folder) remote 2>/dev/null)'
complete -c rbtool -n '__rbtool_is hook' -a 'pre-push pre-receive post-receive reference-transaction commit-msg'
complete -c rbtool -s C -l directory -x -a '(__fish_complete_directories)'
complete -c rbtool -l config -r -F
complete -c rbtool -s o -l output -r -F
complete -c rbtool -l key -r -F
complete -c rbtool -s e -l env -x -a '(rbtool -C (__rbtool_folder) env --names 2>/dev/null)'
complete -c rbtool -l review -x -a 'plan backup history'
complete -c rbtool -l only -x -a 'app db flags config'
complete -c rbtool -l fail-at -x -a 'stage flags stop database switch config secrets commit start checks'
complete -c rbtool -l pause-before -x -a 'stage flags stop database switch config secrets commit start checks'
complete -c rbtool -l kill-at -x -a 'stage flags stop database switch config secrets commit start checks'
complete -c rbtool -l from -r -F
complete -c rbtool -l files -x -a '(__fish_complete_directories)'
complete -c rbtool -l to -x -a '(__rbtool_tags)'
complete -c rbtool -l scripts-from -x -a '(__rbtool_tags)'
complete -c rbtool -l deploy -x -a '(__rbtool_tags)'
complete -c rbtool -l base -x -a '(__rbtool_tags)'
complete -c rbtool -l previous -x -a '(__rbtool_tags)'
