"""Writes the completion script of each shell."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence

from synfiqa.jobs.shell_completion.places import Flag, Place

Script = Callable[[Sequence[Place]], str]

# A word after `synfiqa` moves on to a place only if it is one of the commands that may follow there.
_BASH = """\
# bash completion of synfiqa: source <(synfiqa completion bash)
_synfiqa() {
    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
    local place="" words="" flags="" files="" word
    COMPREPLY=()
    # Readline splits --option=value at the sign.
    if [[ $current == "=" ]]; then
        current=""
    elif [[ $previous == "=" ]]; then
        previous="${COMP_WORDS[COMP_CWORD-2]}"
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$place $word" in
            @MOVES@) place="${place:+$place }$word" ;;
        esac
    done
    case "$place $previous" in
@VALUES@
        *)
            case "$place" in
@PLACES@
            esac
            if [[ $current == -* || -z $words$files ]]; then
                words="$flags" files=""
            fi
            ;;
    esac
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(compgen -W "$words" -- "$current"; [[ -z $files ]] || compgen -f -- "$current")
    [[ -z $files ]] || compopt -o filenames 2>/dev/null
    return 0
}
complete -F _synfiqa synfiqa
"""

_ZSH = """\
#compdef synfiqa
# zsh completion of synfiqa: source <(synfiqa completion zsh)
_synfiqa() {
    local place="" previous="${words[CURRENT-1]}" files="" word
    local -a named flags
    if [[ $PREFIX == --*=* ]]; then
        previous="${PREFIX%%=*}"
        compset -P '*='
    fi
    for word in "${(@)words[2,CURRENT-1]}"; do
        case "$place $word" in
            @MOVES@) place="${place:+$place }$word" ;;
        esac
    done
    case "$place $previous" in
@VALUES@
        *)
            case "$place" in
@PLACES@
            esac
            if [[ $PREFIX == -* || -z "$named$files" ]]; then
                named=("${flags[@]}") files=""
            fi
            ;;
    esac
    [[ -z "$named" ]] || _describe 'synfiqa' named
    [[ -z $files ]] || _files
}
compdef _synfiqa synfiqa
"""

_FISH = """\
# fish completion of synfiqa: synfiqa completion fish | source
function __synfiqa_at
    set -l place
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        switch "$place $word"
            case @MOVES@
                set place (string trim -- "$place $word")
        end
    end
    test "$place" = "$argv"
end
complete -c synfiqa -f
@LINES@
"""


def bash_script(places: Sequence[Place]) -> str:
    """Return the script for bash, also for the old one of macOS."""
    bodies = {
        place.words: f"words={_quoted([*(name for name, _ in place.commands), *place.choices])} "
        f"flags={_quoted(flag.name for flag in place.flags)} files={'yes' if place.paths else ''}"
        for place in places
    }
    return _posix(_BASH, places, bodies, lambda choices: f"words={_quoted(choices)}")


def zsh_script(places: Sequence[Place]) -> str:
    """Return the script for zsh, with the help of each command and option."""
    bodies = {
        place.words: f"named=({_described([*place.commands, *((choice, '') for choice in place.choices)])}) "
        f"flags=({_described((flag.name, flag.help) for flag in place.flags)}) files={'yes' if place.paths else ''}"
        for place in places
    }
    return _posix(_ZSH, places, bodies, lambda choices: f"named=({' '.join(map(shlex.quote, choices))})")


def fish_script(places: Sequence[Place]) -> str:
    """Return the script for fish, with the help of each command and option."""
    lines = []
    for place in places:
        at = f"complete -c synfiqa -n {_fish(f'__synfiqa_at {place.words}')}"
        lines += [f"{at} -a {_fish(name)} -d {_fish(text)}" for name, text in place.commands]
        if place.choices:
            lines.append(f"{at} -a {_fish(' '.join(place.choices))}")
        if place.paths:
            lines.append(f"{at} -F")
        lines += [f"{at} {_fish_flag(flag)} -d {_fish(flag.help)}" for flag in place.flags]
    moves = " ".join(_fish(move) for move in _moves(places))
    return _FISH.replace("@MOVES@", moves).replace("@LINES@", "\n".join(lines))


SCRIPTS: Mapping[str, Script] = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


def _posix(
    template: str, places: Sequence[Place], bodies: Mapping[str, str], words: Callable[[Sequence[str]], str]
) -> str:
    """Fill a template in the syntax that bash and zsh share; `words` sets the words that may follow."""
    values: dict[str, list[str]] = {}
    for place in places:
        for flag in place.flags:
            if flag.value != "none":
                body = {"path": "files=yes", "text": "return 0", "words": words(flag.choices)}[flag.value]
                values.setdefault(body, []).append(shlex.quote(f"{place.words} {flag.name}"))
    filled = {
        "@MOVES@": "|".join(map(shlex.quote, _moves(places))),
        "@VALUES@": "\n".join(f"        {'|'.join(patterns)}) {body} ;;" for body, patterns in values.items()),
        "@PLACES@": "\n".join(f"                {shlex.quote(words)}) {body} ;;" for words, body in bodies.items()),
    }
    for mark, text in filled.items():
        template = template.replace(mark, text)
    return template


def _moves(places: Sequence[Place]) -> list[str]:
    """Return every command after the words of its place, as the scripts compare them."""
    return [f"{place.words} {name}" for place in places for name, _ in place.commands]


def _quoted(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))


def _described(entries: Iterable[tuple[str, str]]) -> str:
    return " ".join(shlex.quote(f"{name}:{text}" if text else name) for name, text in entries)


def _fish_flag(flag: Flag) -> str:
    name = f"-l {flag.name.removeprefix('--')}"
    value = {"none": "", "text": " -x", "path": " -r -F", "words": f" -x -a {_fish(' '.join(flag.choices))}"}
    return name + value[flag.value]


def _fish(text: str) -> str:
    """Quote for fish, where only a backslash and a quote need one more backslash."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
