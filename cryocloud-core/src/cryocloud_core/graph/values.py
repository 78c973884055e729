"""Readers of plain values: a tree in, a checked Python value out, or `Wrong`.

Laws: control booleans know the words true/false, yes/no and 1/0; a number may be written as text; a bool
is never taken for a number; nothing here knows which key it reads.
"""

from __future__ import annotations

import re
from typing import Any, Final

from cryocloud_core.graph.document import Tree
from cryocloud_core.graph.spelling import listed, shown

BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_DOTTED = re.compile(r"[^.\s]+(?:\.[^.\s]+)*")


class Wrong(Exception):
    """A value does not fit; becomes a finding with `code`, at `at`, with `parts` for its message."""

    def __init__(self, at: int, code: str = "E13", /, **parts: Any) -> None:
        super().__init__(code)
        self.at = at
        self.code = code
        self.parts = parts


def expected(tree: Tree, what: str) -> Wrong:
    """Return the E13 for a value that is not `what`."""
    return Wrong(tree.at, expected=what, got=shown(tree.data))


def word(data: Any) -> bool | None:
    """Return what a control boolean says, or None if it is none."""
    if isinstance(data, bool):
        return data
    if isinstance(data, int) and data in (0, 1):
        return bool(data)
    return BOOLEANS.get(data.strip().casefold()) if isinstance(data, str) else None


def boolean(tree: Tree) -> bool:
    """Return a control boolean."""
    found = word(tree.data)
    if found is None:
        raise expected(tree, "true or false")
    return found


def text(tree: Tree) -> str:
    """Return a text that is not empty."""
    if not isinstance(tree.data, str) or not tree.data.strip():
        raise expected(tree, "a non-empty text")
    return tree.data


def dotted(tree: Tree) -> str:
    """Return a dotted name."""
    if not isinstance(tree.data, str) or not _DOTTED.fullmatch(tree.data):
        raise expected(tree, "a dotted name such as Ocean.Wind")
    return tree.data


def texts(tree: Tree) -> tuple[str, ...]:
    """Return a list of texts; empty ones are left out."""
    if tree.items is None or not all(isinstance(item.data, str) for item in tree.items):
        raise expected(tree, "a list of texts")
    return tuple(item.data for item in tree.items if item.data)


def integer(tree: Tree, low: int | None = None, also: str = "") -> int:
    """Return a whole number, not below `low`; `also` names what else the key takes."""
    what = f"a whole number{'' if low is None else f' of at least {low}'}{also}"
    data = tree.data
    if isinstance(data, str) and _INTEGER.fullmatch(data.strip()):
        data = int(data)
    if isinstance(data, float) and data.is_integer():
        data = int(data)
    if isinstance(data, bool) or not isinstance(data, int) or (low is not None and data < low):
        raise expected(tree, what)
    return data


def number(tree: Tree, low: float = 0.0, *, above: bool = False, high: float | None = None) -> float:
    """Return a number of at least (with `above`: more than) `low` and at most `high`."""
    data = tree.data
    if isinstance(data, str) and _DECIMAL.fullmatch(data.strip()):
        data = float(data)
    range_text = f"{'more than' if above else 'at least'} {low:g}{'' if high is None else f' and at most {high:g}'}"
    fits = isinstance(data, (int, float)) and not isinstance(data, bool) and abs(data) < 1e300
    if not fits or data < low or (above and data == low) or (high is not None and data > high):
        raise expected(tree, f"a number of {range_text}")
    return float(data)


def one_of(tree: Tree, *allowed: str) -> str:
    """Return one of the allowed words."""
    if tree.data not in allowed or not isinstance(tree.data, str):
        raise expected(tree, f"one of {listed(allowed)}")
    return tree.data


def descriptions(tree: Tree) -> dict[str, str]:
    """Return a map of names to descriptions; a list of names has empty ones."""
    if tree.items is not None:
        return dict.fromkeys(texts(tree), "")
    if tree.keys is None:
        raise expected(tree, "a map of names to descriptions")
    return {name: _description(part.data) for name, part in tree.keys.items()}


def _description(data: Any) -> str:
    return data if isinstance(data, str) else "" if data is None else shown(data)
