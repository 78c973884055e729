"""Text from anywhere made harmless for a terminal, and measured in terminal cells.

Laws: what leaves `plain` has no control, no direction change, no invisible and no unassigned character, so that it
can neither move the cursor nor colour, reorder or widen a line; every cut is marked with an ellipsis.
"""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len

ELLIPSIS = "…"

#: Controls, formats (joiners, direction marks), surrogates, private use, unassigned, line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _is_fickle(code: int) -> bool:
    """Tell whether terminals disagree on the character's width: flags, skin tones, variation selectors."""
    return (
        0x1F1E6 <= code <= 0x1F1FF
        or 0x1F3FB <= code <= 0x1F3FF
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0100 <= code <= 0xE01EF
    )


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        # A byte of a file name that is not UTF-8, as Python hands it out.
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _show(character: str) -> str:
    category = unicodedata.category(character)
    if category in _HIDDEN or _is_fickle(ord(character)):
        return _NAMED.get(character) or _escape(character)
    return " " if category == "Zs" else character


def plain(text: str) -> str:
    """Return `text` on one line with every character visible; printable ASCII comes back unchanged."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_show, text))


def first_line(text: str) -> str:
    """Return the first line that says something, marked with an ellipsis when more follow."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    return plain(lines[0]) + (f" {ELLIPSIS}" if len(lines) > 1 else "")


def cells(text: str) -> int:
    """Return how many terminal cells a plain text takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, ended by an ellipsis where something had to go."""
    if width <= 0:
        return ""
    if cells(text) <= width:
        return text
    kept = text[: width - 1]
    while cells(kept) > width - 1:
        kept = kept[:-1]
    return kept + ELLIPSIS


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` in exactly `width` cells: cut with an ellipsis or filled with blanks."""
    short = cut(text, width)
    blanks = " " * (max(width, 0) - cells(short))
    return blanks + short if right else short + blanks


def duration(seconds: float) -> str:
    """Return a time span as a clock shows it: `0:07`, `12:30`, `3:05:00`, `2d 03:00`."""
    whole = max(0, int(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour:02d}:{minute:02d}"
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def count(number: int) -> str:
    """Return a count in at most six cells: `999999`, `1.23M`, `45.6G`."""
    if number < 1_000_000:
        return str(number)
    for factor, unit in ((1e6, "M"), (1e9, "G"), (1e12, "T")):
        if number < factor * 1000:
            return f"{number / factor:.4g}"[:5].rstrip(".") + unit
    return "many"


def rate(per_second: float) -> str:
    """Return a rate of tasks in the unit that a person can picture."""
    if per_second >= 100:
        return f"{per_second:.0f} tasks/s"
    if per_second >= 1:
        return f"{per_second:.1f} tasks/s"
    if per_second * 60 >= 1:
        return f"{per_second * 60:.1f} tasks/min"
    return f"{per_second * 3600:.0f} tasks/h"
