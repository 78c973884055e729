"""Which state directories a command is about: one that is named, those of named workflows, or all there are.

Laws: nothing is made here; a word that names a workflow file, or a workflow that has run, is about its state
directory, every other word is left to the command.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryocloud_core.api.reading import draft_of
from cryocloud_core.cli.text import plain
from cryocloud_core.errors import StateError
from cryocloud_core.head.settings import default_state_dir
from cryocloud_core.head.state_dirs import is_state_dir, state_dirs, state_root


def places(words: Sequence[str], state_dir: Path | None) -> tuple[list[Path], tuple[str, ...]]:
    """Return the state directories that are meant, and the words that name none.

    Raises StateError when there is none, DocumentError when a named file is no workflow.
    """
    if state_dir is not None:
        return [_existing(state_dir, f"--state-dir {state_dir}")], tuple(words)
    named = {word: directory for word in words if (directory := _named(word)) is not None}
    rest = tuple(word for word in words if word not in named)
    if named:
        return [_existing(directory, word) for word, directory in named.items()], rest
    found = state_dirs()
    if not found:
        raise StateError("nothing has run yet", place=str(state_root()), remedy="name one with --state-dir DIR")
    return found, rest


def nothing_fits(what: str, directories: Sequence[Path]) -> str:
    """Return what to say when nothing is found: the runs that were looked at, a mistyped one not among them."""
    return f"no {what} fits; looked in {plain(', '.join(directory.name for directory in directories))}"


def _named(word: str) -> Path | None:
    """Return the state directory of the workflow that a word names, None when it names none."""
    if word.endswith(".json") and Path(word).is_file():
        return default_state_dir(draft_of(word).name)
    directory = default_state_dir(word)
    return directory if word.replace(" ", "_") == directory.name and is_state_dir(directory) else None


def _existing(directory: Path, what: str) -> Path:
    if not is_state_dir(directory):
        raise StateError("no run has left anything there", subject=what, place=str(directory))
    return directory
