#compdef shallow
# Completion of shallow for zsh.

_shallow() {
    local curcontext=$curcontext state line
    local -a commands
    typeset -A opt_args
    _arguments -C \
        '(-h --help)'{-h,--help}'[Show context-sensitive help]' \
        '1: :->command' \
        '*:: :->argument' && return
    case $state in
    command)
        commands=(
            'eval:Score a model'
            'cut:Cut '\''layers'\'' out'
        )
        _describe -t commands command commands
        ;;
    argument)
        case $line[1] in
        eval)
            _arguments -S \
                '*--tasks=[Tasks]:NAMES,...: ' \
                '(-o --output)'{-o+,--output=}'[Directory for $HOME'\''s "results"]:DIR:_files -/' \
                '(--plan)--plan=[plan.json, d(ℓ, n)]:FILE:_files' \
                '(--precision)--precision=[Kind]:KIND:(auto bfloat16 float32)' \
                '(--split)--split=[Ends]:none|blank:(none blank)' \
                '*--data=[Data]:DIR:_files -/' \
                '(--limit)--limit=[Documents]:VALUE: ' \
                '(--seed)--seed=[Seed]:VALUE: ' \
                '(--key)--key=[Key]:KEY: ' \
                '(--json)--json[.json on stdout]' \
                '(-h --help)'{-h,--help}'[Show context-sensitive help]' \
                '1:model:_files' \
                '2::text: '
            ;;
        cut)
            _arguments -S \
                '(-h --help)'{-h,--help}'[Show context-sensitive help]' \
                '1:shell:(bash zsh)'
            ;;
        esac
        ;;
    esac
}

if [[ $funcstack[1] == _shallow ]]; then
    _shallow "$@"
else
    compdef _shallow shallow
fi
