"""Conditions: `runIf`, parsed once into a small tree and never handed to `eval`.

Laws: the tree is plain data that survives the journal; every reference in it can be listed at load; a
value is compared as the text `str()` gives, or as a number where the rules below say so.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final, assert_never

import attrs
from attrs import frozen

from cryocloud_core.graph.refs import Source
from cryocloud_core.wire import tagged

#: A number as a person writes it; `nan`, `inf` and `1_000` are texts.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
#: Python refuses to turn longer digit strings into a number.
_MAX_DIGITS: Final = 4000

_FALSE: Final = frozenset({"", "False", "false", "None", "0"})

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


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


@frozen
class Verdict:
    """Whether a condition holds now, and what its author should know about how that was found."""

    holds: bool
    warnings: tuple[str, ...] = ()


tagged(Operand)
tagged(Clause)


def holds(condition: Condition, value_of: Callable[[Source], Any]) -> Verdict:
    """Judge a condition with the values that `value_of` yields (None for what cannot be resolved).

    Values count as `str()` gives them. `==` and `!=` compare as numbers when a side is a number literal and
    both are numbers, else as texts; `< <= > >=` compare numbers and are false, with a warning, when a side
    is none; `in` looks for a text inside a text. `and` and `or` stop at the first part that decides.
    """
    warnings: list[str] = []
    result = _clause(condition.tree, value_of, warnings)
    return Verdict(result, tuple(warnings))


def references(condition: Condition) -> tuple[Source, ...]:
    """Return what the condition refers to, in the order written, each once."""
    found: list[Source] = []

    def note(source: Source) -> Source:
        if source not in found:
            found.append(source)
        return source

    with_sources(condition, note)
    return tuple(found)


def with_sources(condition: Condition, change: Callable[[Source], Source]) -> Condition:
    """Return the condition with each of its references replaced by what `change` returns for it."""
    return attrs.evolve(condition, tree=_changed(condition.tree, change))


def as_number(text: str) -> int | float | None:
    """Return the number that a text writes out (spaces around it are allowed), or None."""
    plain = text.strip()
    if len(plain) > _MAX_DIGITS or not _NUMBER.fullmatch(plain):
        return None
    try:
        return int(plain)
    except ValueError:
        return float(plain)


def _clause(clause: Clause, value_of: Callable[[Source], Any], warnings: list[str]) -> bool:
    match clause:
        case Truth(operand):
            return _text(operand, value_of) not in _FALSE
        case Not(inner):
            return not _clause(inner, value_of, warnings)
        case And(parts):
            return all(_clause(part, value_of, warnings) for part in parts)
        case Or(parts):
            return any(_clause(part, value_of, warnings) for part in parts)
        case Compare():
            return _compare(clause, value_of, warnings)
        case _:
            assert_never(clause)


def _compare(clause: Compare, value_of: Callable[[Source], Any], warnings: list[str]) -> bool:
    left, right = _text(clause.left, value_of), _text(clause.right, value_of)
    if clause.operator == "in":
        return left in right
    numbers = as_number(left), as_number(right)
    if clause.operator in ("==", "!="):
        has_literal = isinstance(clause.left, Number) or isinstance(clause.right, Number)
        is_same = numbers[0] == numbers[1] if has_literal and None not in numbers else left == right
        return is_same == (clause.operator == "==")
    if None in numbers:
        odd = left if numbers[0] is None else right
        warnings.append(f'"{odd}" is not a number, so "{left} {clause.operator} {right}" does not hold')
        return False
    return _ORDERS[clause.operator](*numbers)


def _text(operand: Operand, value_of: Callable[[Source], Any]) -> str:
    match operand:
        case Text(value):
            return value
        case Number():
            return operand.text
        case Value(source):
            return str(value_of(source))
        case _:
            assert_never(operand)


def _changed(clause: Clause, change: Callable[[Source], Source]) -> Clause:
    match clause:
        case Truth(operand):
            return Truth(_operand(operand, change))
        case Not(inner):
            return Not(_changed(inner, change))
        case And(parts):
            return And(tuple(_changed(part, change) for part in parts))
        case Or(parts):
            return Or(tuple(_changed(part, change) for part in parts))
        case Compare(left, sign, right):
            return Compare(_operand(left, change), sign, _operand(right, change))
        case _:
            assert_never(clause)


def _operand(operand: Operand, change: Callable[[Source], Source]) -> Operand:
    return Value(change(operand.source)) if isinstance(operand, Value) else operand
