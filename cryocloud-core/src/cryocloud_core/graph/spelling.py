"""How names are compared, guessed and shown: folding, edit distance, did-you-mean, safe quoting.

Laws: two spellings are the same key when they differ only in case, `_` and `-`; whatever text a document
holds, what is shown of it is printable and short.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

#: Two edits turn most slips of the hand into the meant name; three match unrelated short names.
MAX_EDITS = 2
_SHOWN = 60
#: what TOML takes as a key without quotes
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    """Return `name` without what two spellings of one key may differ in: case, `_` and `-`."""
    return name.casefold().replace("_", "").replace("-", "")


def edits(left: str, right: str, limit: int = MAX_EDITS) -> int:
    """Return how many single-character edits (swapped neighbours count once) part the texts, or `limit` + 1."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    above = list(range(len(right) + 1))
    for row, a in enumerate(left, 1):
        here = [row]
        for column, b in enumerate(right, 1):
            cost = min(above[column] + 1, here[-1] + 1, above[column - 1] + (a != b))
            if row > 1 and column > 1 and a == right[column - 2] and b == left[row - 2]:
                cost = min(cost, before[column - 2] + 1)
            here.append(cost)
        before, above = above, here
    return min(above[-1], limit + 1)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be, or None."""
    best, best_cost = None, MAX_EDITS + 1
    plain = name.casefold()
    for candidate in known:
        # A name of three letters is "two edits away" from nearly every other one.
        limit = min(MAX_EDITS, max(len(candidate), len(name)) // 2)
        cost = edits(plain, candidate.casefold(), limit)
        if cost <= limit and cost < best_cost:
            best, best_cost = candidate, cost
    return best


def hint(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean "x"?)` for the nearest known name, or an empty text."""
    found = nearest(name, known)
    return "" if found is None else f' (did you mean "{printable(found)}"?)'


def printable(text: str) -> str:
    """Return `text` with every character that is not printable written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def as_key(name: str) -> str:
    """Return a name as one key of TOML, quoted where it must be."""
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=not name.isprintable())


def shown(value: Any) -> str:
    """Return a value as short printable JSON, for a message."""
    text = printable(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def listed(names: Iterable[str]) -> str:
    """Return names as `a, b, c`, or `nothing`."""
    return ", ".join(printable(name) for name in names) or "nothing"
