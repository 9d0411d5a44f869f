# Completion of shallow for fish.

function __shallow_command --description 'The command on the line, if there is one'
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
end

function __shallow_in
    set -l found (__shallow_command)
    test "$found" = "$argv[1]"
end

complete -c shallow -f
complete -c shallow -n '__shallow_in ""' -a eval -d 'Score a model'
complete -c shallow -n '__shallow_in ""' -a cut -d 'Cut \'layers\' out'
complete -c shallow -s h -l help -d 'Show context-sensitive help'

complete -c shallow -n '__shallow_in eval' -l tasks -x -d 'Tasks'
complete -c shallow -n '__shallow_in eval' -s o -l output -x -a '(__fish_complete_directories)' -d 'Directory for $HOME\'s "results"'
complete -c shallow -n '__shallow_in eval' -l plan -r -F -d 'plan.json, d(ℓ, n)'
complete -c shallow -n '__shallow_in eval' -l precision -x -a 'auto bfloat16 float32' -d 'Kind'
complete -c shallow -n '__shallow_in eval' -l split -x -a 'none blank' -d 'Ends'
complete -c shallow -n '__shallow_in eval' -l data -x -a '(__fish_complete_directories)' -d 'Data'
complete -c shallow -n '__shallow_in eval' -l limit -x -d 'Documents'
complete -c shallow -n '__shallow_in eval' -l seed -x -d 'Seed'
complete -c shallow -n '__shallow_in eval' -l key -x -d 'Key'
complete -c shallow -n '__shallow_in eval' -l json -d '.json on stdout'
complete -c shallow -n '__shallow_in eval' -F

complete -c shallow -n '__shallow_in cut' -a 'bash zsh'
