"""Which one run a command is about: the words that name pebbles, and the state directory they are in.

Laws: nothing is guessed: with several runs and none named, the one that goes on is meant if it is the only one, else
all are named and the command refuses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from cryocloud_core.api.reading import draft_of
from cryocloud_core.errors import CryoCloudError, StateError, UsageError
from cryocloud_core.graph.spelling import hint
from cryocloud_core.head.asking import ask
from cryocloud_core.head.journal import JOURNAL_FILE
from cryocloud_core.head.pebble_search import names_in
from cryocloud_core.head.settings import default_state_dir
from cryocloud_core.head.state_dirs import state_dirs, state_root

#: seconds to wait for each head when all are looked for
_LOOK_S = 2.0


@frozen
class OneRun:
    """A state directory, and the workflow that was named (None: all of the directory)."""

    directory: Path
    workflow: str | None = None


def ids_and_run(words: Sequence[str], state_dir: Path | None) -> tuple[list[int], OneRun]:
    """Return the pebbles that words name, and their run. Raises UsageError, StateError, DocumentError."""
    numbers = [word for word in words if re.fullmatch(r"[0-9]{1,18}(\.[0-9]+)?", word)]
    # A part is told with its pebble.
    ids = [int(word.partition(".")[0]) for word in numbers]
    return list(dict.fromkeys(ids)), one_run([word for word in words if word not in numbers], state_dir)


def part_in(words: Sequence[str]) -> int | None:
    """Return the part that a word such as `42.1` names, None when none does. Raises UsageError for several."""
    found = {match[1] for word in words if (match := re.fullmatch(r"[0-9]{1,18}\.([0-9]{1,18})", word))}
    if len(found) > 1:
        raise UsageError("name one part", remedy="a part is the pebble's number with its own: 42.1")
    return int(found.pop()) if found else None


def one_run(words: Sequence[str], state_dir: Path | None) -> OneRun:
    """Return the one run that is meant. Raises UsageError, StateError, DocumentError."""
    if len(words) > 1:
        raise UsageError(
            f"one workflow, got {', '.join(map(repr, words))}", remedy="name one, or none; a pebble is a number"
        )
    name = _name_of(words[0]) if words else None
    if state_dir is not None:
        _must_have_journal(state_dir, f"--state-dir {state_dir}")
        if name is not None and name not in names_in(state_dir):
            raise StateError(f"no workflow {name!r} has run there", place=str(state_dir))
        return OneRun(state_dir, name)
    if name is not None:
        return OneRun(_directory_of(name), name)
    return OneRun(_the_one())


def _name_of(word: str) -> str:
    is_file = word.endswith(".json") and Path(word).is_file()
    return draft_of(word).name if is_file else word


def _directory_of(name: str) -> Path:
    """Return the state directory of a workflow: its own, or that of the run it was part of."""
    own = default_state_dir(name)
    known = [each for each in state_dirs() if each != own]
    for directory in (own, *known):
        if (directory / JOURNAL_FILE).is_file() and name in names_in(directory):
            return directory
    if (own / JOURNAL_FILE).is_file():
        return own
    raise StateError(
        f"no workflow {name!r} has run yet{hint(name, (each.name for each in known))}",
        place=str(state_root()),
        remedy="name its state directory with --state-dir",
    )


def _the_one() -> Path:
    known = [directory for directory in state_dirs() if (directory / JOURNAL_FILE).is_file()]
    if not known:
        raise StateError("nothing has run yet", place=str(state_root()), remedy="name one with --state-dir DIR")
    if len(known) == 1:
        return known[0]
    running = [directory for directory in known if _runs(directory)]
    if len(running) == 1:
        return running[0]
    names = ", ".join(directory.name for directory in running or known)
    what = f"{len(running)} runs go on" if running else f"{len(known)} runs are known and none goes on"
    raise UsageError(f"{what}: {names}", remedy="name one of them")


def _runs(directory: Path) -> bool:
    try:
        return ask(directory, "status", _LOOK_S) is not None
    except CryoCloudError:
        # It is there, if not well.
        return True


def _must_have_journal(directory: Path, what: str) -> None:
    if not (directory / JOURNAL_FILE).is_file():
        raise StateError("no run has left anything there", subject=what)
