"""The command line of IDL, and of GDL for the same program.

Laws: pure; nothing is looked up and nothing is run. No shell sees the words, so quotes that a shell would have taken
away are taken away here, from preferences only; a statement is passed as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import pairwise

from attrs import frozen

#: IDL's switches that mean nothing to GDL and change nothing about a program
IDL_ONLY = frozenset({"-32", "-64", "-autow", "-demo", "-minimized", "-nodemowarn", "-novm", "-queue", "-student"})
#: what runs a compiled program, which GDL cannot
COMPILED = ("-rt", "-vm", "-em")
#: words that take the next word with them
WITH_VALUE = frozenset({"-e", "-arg", "-pref"})
DEFAULT_PATH = "<GDL_DEFAULT>"


class Dialect(Enum):
    """Which interpreter it is."""

    IDL = "idl"
    GDL = "gdl"


@frozen
class Command:
    """What to run: program and arguments, and variables added to the environment."""

    argv: tuple[str, ...]
    env: dict[str, str]


def command_for(
    dialect: Dialect, program: str, cmd: Sequence[str], *, folder: str, env: dict[str, str], unbuffer: str | None
) -> Command:
    """Return how to run `cmd`, the words after `idl`; a lone word that is no switch is a statement.

    `folder`: where the program's files are, searched first. `unbuffer`: the program `stdbuf`, without which GDL tells
    nothing before its end. Raises ValueError for what the interpreter cannot do.
    """
    words = [str(word) for word in cmd]
    if not words:
        raise ValueError("idl: cmd is missing: give the words after idl, like ['-e', \"wind, 'file'\"]")
    if len(words) == 1 and not words[0].startswith("-"):
        words = ["-e", words[0]]
    if dialect is Dialect.IDL:
        return Command((program, *_preferences_unquoted(words)), env)
    front = (unbuffer, "-oL", program) if unbuffer else (program,)
    return Command((*front, "-quiet", *_for_gdl(words)), {**env, "GDL_PATH": _gdl_path(words, folder, env)})


def _is_preference(word: str) -> bool:
    return word.upper().startswith("-IDL_")


def _preferences_unquoted(words: Sequence[str]) -> list[str]:
    before = ["", *words]
    return [_unquoted(word) if _is_preference(flag) else word for flag, word in pairwise(before)]


def _for_gdl(words: Sequence[str]) -> list[str]:
    """Return the words that GDL knows; one that it does not know would make it do nothing and call that success."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.partition("=")[0] in COMPILED:
            raise ValueError(f"idl: {word!r} runs a compiled program, which GDL cannot; install IDL or give the source")
        if _is_preference(word):
            next(rest, None)
        elif word in WITH_VALUE:
            kept += [word, *([value] if (value := next(rest, None)) is not None else [])]
        elif word == "-args":
            return [*kept, word, *rest]
        elif word not in IDL_ONLY and word not in ("-quiet", "--quiet", "-q"):
            kept.append(word)
    return kept


def _gdl_path(words: Sequence[str], folder: str, env: dict[str, str]) -> str:
    """Return where GDL looks for procedures: the folder, then what is said for GDL, else for IDL, else the usual."""
    told = [_unquoted(value) for flag, value in pairwise(words) if flag.upper() == "-IDL_PATH"]
    path = env.get("GDL_PATH") or (told[-1] if told else "") or env.get("IDL_PATH") or DEFAULT_PATH
    parts = [folder, *path.replace("<IDL_DEFAULT>", DEFAULT_PATH).split(":")]
    return ":".join(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _unquoted(word: str) -> str:
    if len(word) >= 2 and word[0] == word[-1] and word[0] in "'\"":
        return word[1:-1]
    return word
