# Completion of shallow for bash.

_shallow_words() { COMPREPLY=($(compgen -W "$1" -- "$word")); _shallow_nothing; }
_shallow_folders() { compopt +o default +o bashdefault -o dirnames 2> /dev/null; }
_shallow_nothing() { compopt +o default +o bashdefault 2> /dev/null; }

_shallow() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= flags= i
    COMPREPLY=()
    # bash takes --flag=value for three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = && $COMP_CWORD -gt 1 ]]; then
        before=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} != -* ]]; then
            command=${COMP_WORDS[i]}
            break
        fi
    done
    case $command in
    '')
        flags='-h --help'
        if [[ $word != -* ]]; then
            _shallow_words 'eval cut'
            return
        fi
        ;;
    eval)
        flags='--tasks -o --output --plan --precision --split --data --limit --seed --key --json -h --help'
        case $before in
        --precision)
            _shallow_words 'auto bfloat16 float32'
            return
            ;;
        --split)
            _shallow_words 'none blank'
            return
            ;;
        -o | --output | --data)
            _shallow_folders
            return
            ;;
        --plan)
            return
            ;;
        --tasks | --limit | --seed | --key)
            _shallow_nothing
            return
            ;;
        esac
        ;;
    cut)
        flags='-h --help'
        case $before in
        esac
        if [[ $word != -* ]]; then
            _shallow_words 'bash zsh'
            return
        fi
        ;;
    esac
    if [[ $word == -* ]]; then
        _shallow_words "$flags"
    fi
}

complete -o bashdefault -o default -F _shallow shallow
