"""Reads the text of a `runIf` into a Condition, and of a restriction into a Restriction.

Laws: only what the grammar lists is read, all else is refused with its column; a reference ends at the
longest known node name, a dot and an identifier, so that names may hold spaces and dots.

::

    or       = and { "or" and }
    and      = not { "and" not }
    not      = "not" not | compare
    compare  = operand { ("==" | "!=" | "<" | "<=" | ">" | ">=" | ["not"] "in") operand }
    operand  = "(" or ")" | text | number | True | False | None | reference
    reference = ("output:" | "stat:") node "." key | "option:" name | "config:" dotted name
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

from cryocloud_core.errors import UsageError
from cryocloud_core.graph.condition import And, Clause, Compare, Condition, Not, Number, Operand, Or, Text, Truth, Value
from cryocloud_core.graph.refs import PARENT, ConfigRef, OptionRef, OutputRef, Source, StatRef
from cryocloud_core.graph.spelling import printable
from cryocloud_core.graph.workflow import Restriction

#: How deep parentheses and `not` may nest; keeps every walk over a condition shallow.
MAX_DEPTH: Final = 50

_SPACE = re.compile(r"\s*")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?(?![\w.])")
_SIGN = re.compile(r"==|!=|<=|>=|<|>|in\b|not\s+in\b")
_CONSTANT = re.compile(r"(?:True|False|None)\b")
_WORD = re.compile(r"\w+")
_PREFIX = re.compile(r"(output|stat|option|config):")
_IDENTIFIER = re.compile(r"\w[\w-]*")
_DOTTED = re.compile(r"\w[\w-]*(?:\.\w[\w-]*)*")
_STRANGER = re.compile(r"([^\s()<>=!'\"]+)\.(\w[\w-]*)")
_ESCAPE = re.compile(r"\\(['\"\\])")

_CHANNEL = re.compile(r"([^:]+):(.+)", re.DOTALL)
_RESTRICTION = re.compile(r"\s*(<=|>=|==|!=|<|>)\s*(.*\S)\s*", re.DOTALL)


class ConditionError(UsageError):
    """A `runIf` cannot be read; `why` says what is wrong, at `column` (from 1) of its text."""

    def __init__(self, why: str, column: int) -> None:
        super().__init__(f"bad runIf: {why} at column {column}")
        self.why = why
        self.column = column


class RestrictionError(UsageError):
    """A restriction cannot be read."""


def parse_condition(text: str, node_names: Collection[str]) -> Condition:
    """Return the condition that `text` states; `parent` counts as a node name.

    A `config:` reference carries the key as written. A node that is not among `node_names` is kept in the
    reference, for the caller to tell.

    Raises:
        ConditionError: the text is no condition.
    """
    return Condition(text, _Parser(text, node_names).run())


def parse_restriction(key: str, text: str) -> Restriction:
    """Return the restriction `key` (`channel:parameter`) `text` (`<3`); raises RestrictionError."""
    names = _CHANNEL.fullmatch(key)
    if names is None:
        raise RestrictionError('the key must be "channel:parameter"')
    value = _RESTRICTION.fullmatch(text)
    if value is None:
        raise RestrictionError("the value must be one of < <= > >= == != and what to compare with")
    return Restriction(names.group(1), names.group(2), value.group(1), value.group(2))


class _Parser:
    def __init__(self, text: str, node_names: Collection[str]) -> None:
        self.text = text
        self.nodes = node_names
        self.at = 0
        self.depth = 0

    def run(self) -> Clause:
        """Return the whole text as one clause."""
        clause = self._or()
        self._take(_SPACE)
        if self.at < len(self.text):
            raise self._wrong(self._unexpected())
        return clause

    def _wrong(self, why: str, at: int | None = None) -> ConditionError:
        return ConditionError(why, (self.at if at is None else at) + 1)

    def _unexpected(self) -> str:
        rest = self.text[self.at :]
        if not rest:
            return "the expression ends too early"
        if rest[0] == "=":
            return 'unexpected "=" (compare with "==")'
        found = _WORD.match(rest)
        return f'unexpected "{printable(found.group() if found else rest[0])}"'

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def _keyword(self, word: str) -> bool:
        self._take(_SPACE)
        found = _WORD.match(self.text, self.at)
        if found is None or found.group() != word:
            return False
        self.at = found.end()
        return True

    def _or(self) -> Clause:
        return self._chain("or", self._and, Or)

    def _and(self) -> Clause:
        return self._chain("and", self._not, And)

    def _chain(self, word: str, part: Callable[[], Clause], kind: type[Or | And]) -> Clause:
        parts = [part()]
        while self._keyword(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._wrong(f"nested deeper than {MAX_DEPTH}")

    def _not(self) -> Clause:
        if not self._keyword("not"):
            return self._compare()
        self._deeper()
        clause = Not(self._not())
        self.depth -= 1
        return clause

    def _compare(self) -> Clause:
        first = self._operand()
        parts: list[Clause] = []
        left = first
        while (sign := self._sign()) is not None:
            if not isinstance(left, Operand):
                raise self._wrong("a condition in parentheses cannot be compared", sign[1])
            right = self._operand()
            if not isinstance(right, Operand):
                raise self._wrong("a condition in parentheses cannot be compared", sign[1])
            parts.append(_compared(left, sign[0], right))
            left = right
        if not parts:
            return Truth(first) if isinstance(first, Operand) else first
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _sign(self) -> tuple[str, int] | None:
        self._take(_SPACE)
        at = self.at
        found = self._take(_SIGN)
        return None if found is None else (found.group(), at)

    def _operand(self) -> Operand | Clause:
        self._take(_SPACE)
        if self.text.startswith("(", self.at):
            return self._parenthesis()
        if (text := self._take(_TEXT)) is not None:
            return Text(_ESCAPE.sub(r"\1", text.group(text.lastindex or 1)))
        if (number := self._take(_NUMBER)) is not None:
            return Number(float(number.group()), number.group())
        if (constant := self._take(_CONSTANT)) is not None:
            return Text(constant.group())
        if (prefix := self._take(_PREFIX)) is not None:
            return Value(self._source(prefix.group(1)))
        raise self._wrong(self._unexpected())

    def _parenthesis(self) -> Operand | Clause:
        self._deeper()
        opened = self.at
        self.at += 1
        inner = self._or()
        self._take(_SPACE)
        if not self.text.startswith(")", self.at):
            why = self._unexpected() if self.at < len(self.text) else "this parenthesis is not closed"
            raise self._wrong(why, None if self.at < len(self.text) else opened)
        self.at += 1
        self.depth -= 1
        return inner.operand if isinstance(inner, Truth) else inner

    def _source(self, prefix: str) -> Source:
        if prefix in ("output", "stat"):
            node, key = self._node_and_key(prefix)
            return OutputRef(node, key) if prefix == "output" else StatRef(node, key)
        found = self._take(_IDENTIFIER if prefix == "option" else _DOTTED)
        if found is None:
            raise self._wrong(f"{prefix}: needs a name right after it")
        return OptionRef(found.group()) if prefix == "option" else ConfigRef(found.group())

    def _node_and_key(self, prefix: str) -> tuple[str, str]:
        """Take the longest known node name, a dot and an identifier; else what looks like a name and a key."""
        dot = self.text.rfind(".", self.at)
        while dot > self.at:
            name = self.text[self.at : dot]
            key = _IDENTIFIER.match(self.text, dot + 1)
            if key is not None and (name == "parent" or name in self.nodes):
                self.at = key.end()
                return (PARENT if name == "parent" else name), key.group()
            dot = self.text.rfind(".", self.at, dot)
        stranger = self._take(_STRANGER)
        if stranger is None:
            raise self._wrong(f"{prefix}: needs a node and a key, as in {prefix}:Node.key")
        return stranger.group(1), stranger.group(2)


def _compared(left: Operand, sign: str, right: Operand) -> Clause:
    if sign.startswith("not"):
        return Not(Compare(left, "in", right))
    return Compare(left, sign, right)
