"""Conditions: `runIf` and restrictions, parsed once into a small tree and never handed to `eval`.

Laws: the tree is plain data that survives the journal; every reference in it can be listed at load; a
value is compared as the text `str()` gives, or as a number where the rules below say so.
"""

from __future__ import annotations

from attrs import frozen

from cryocloud_core.graph.refs import Source
from cryocloud_core.wire import tagged


@frozen
class Text:
    """A quoted text, or the text of True, False or None."""

    value: str


@frozen
class Number:
    """A number literal; `text` is how it was written."""

    value: float
    text: str


@frozen
class Value:
    """The value a reference yields while the pebble runs."""

    source: Source


@frozen
class Compare:
    """`left operator right` with one of `== != < <= > >= in`."""

    left: Operand
    operator: str
    right: Operand


@frozen
class Truth:
    """A bare operand as a condition: false for "", False, false, None and 0."""

    operand: Operand


@frozen
class Not:
    """The opposite of a condition."""

    inner: Clause


@frozen
class And:
    """All of the parts hold."""

    parts: tuple[Clause, ...]


@frozen
class Or:
    """At least one of the parts holds."""

    parts: tuple[Clause, ...]


Operand = Text | Number | Value
Clause = Compare | Truth | Not | And | Or


@frozen
class Condition:
    """A parsed `runIf`: `text` as written, and its tree."""

    text: str
    tree: Clause


tagged(Operand)
tagged(Clause)
