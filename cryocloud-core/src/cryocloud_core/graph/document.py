"""JSON text to a tree in which every key and every value knows where it stands.

Laws: the data is what `json.loads` gives, but NaN, Infinity and numbers too large for a float are refused;
a key given twice keeps its last value and is noted; depth is bounded here, so that whoever walks the tree
may recurse.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

from attrs import define, frozen

from cryocloud_core.errors import UsageError

#: Half of Python's own limit on nested calls, and far more than a person writes.
MAX_DEPTH: Final = 400

_SPACE = re.compile(r"([ \t\n\r]*)")
_COLON = re.compile(r"[ \t\n\r]*(:)[ \t\n\r]*")
_NEXT_KEY = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*")
_NEXT_ITEM = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, tuple[str, Any]]] = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_INFINITE = (float("inf"), float("-inf"))


class NotJson(UsageError):
    """Text is not JSON; `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.why = message
        self.line = line
        self.column = column


@define(eq=False)
class Tree:
    """One value: its plain `data`, the offset `at` which it starts, and its parts.

    An object has `keys` (name -> value) and `key_at` (name -> offset of the key); a list has `items`.
    """

    at: int
    data: Any
    keys: dict[str, Tree] | None = None
    key_at: dict[str, int] | None = None
    items: list[Tree] | None = None


@frozen(eq=False)
class Document:
    """A read document: its tree, the keys that were given twice (`name`, offset), and where lines start."""

    tree: Tree
    twice: tuple[tuple[str, int], ...]
    line_starts: tuple[int, ...]

    def spot(self, at: int) -> tuple[int, int]:
        """Return line and column, both from 1, of an offset."""
        line = bisect_right(self.line_starts, at)
        return line, at - self.line_starts[line - 1] + 1


def read(text: str | bytes) -> Document:
    """Return the document that `text` (UTF-8 if bytes; a byte order mark is skipped) holds; raises NotJson."""
    if isinstance(text, bytes):
        text = _decoded(text)
    text = text.removeprefix("\ufeff")
    starts = _line_starts(text)
    reader = _Reader(text)
    try:
        tree = reader.run()
    except JSONDecodeError as error:
        raise NotJson(error.msg, error.lineno, error.colno) from None
    return Document(tree, tuple(reader.twice), starts)


def planted(data: Any, at: int) -> Tree:
    """Return plain data as a tree whose every part stands at the one offset."""
    if isinstance(data, dict):
        keys = {str(key): planted(value, at) for key, value in data.items()}
        return Tree(at, data, keys, dict.fromkeys(keys, at))
    if isinstance(data, (list, tuple)):
        return Tree(at, data, items=[planted(item, at) for item in data])
    return Tree(at, data)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        column = len(before) - (before.rfind("\n") + 1) + 1
        message = f"not UTF-8: byte 0x{raw[error.start]:02x}"
        raise NotJson(message, before.count("\n") + 1, column) from None


def _line_starts(text: str) -> tuple[int, ...]:
    return (0, *(match.end() for match in re.finditer("\n", text)))


class _Reader:
    """Reads one value with a stack of open containers instead of recursion.

    Between any two calls `at` stands behind white space: each pattern takes the space that follows its sign.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.open: list[Tree] = []
        self.names: list[tuple[str, int]] = []
        self.twice: list[tuple[str, int]] = []

    def run(self) -> Tree:
        """Return the one value of the text; raises JSONDecodeError."""
        self._pass(_SPACE, "")
        while True:
            done = self._begin()
            while done is not None:
                if not self.open:
                    self._end()
                    return done
                done = self._attach(done)

    def _fail(self, message: str, at: int) -> JSONDecodeError:
        return JSONDecodeError(message, self.text, at)

    def _pass(self, sign: re.Pattern[str], missing: str) -> str:
        match = sign.match(self.text, self.at)
        if match is None:
            space = _SPACE.match(self.text, self.at)
            raise self._fail(missing, self.at if space is None else space.end())
        self.at = match.end()
        return match.group(1)

    def _end(self) -> None:
        self._pass(_SPACE, "")
        if self.at < len(self.text):
            raise self._fail("extra data after the document", self.at)

    def _begin(self) -> Tree | None:
        """Read a scalar or an empty container and return it, or open a container and return None."""
        at = self.at
        char = self.text[at : at + 1]
        if char == '"':
            value, self.at = scanstring(self.text, at + 1, True)
            return Tree(at, value)
        if char == "{":
            return self._opened(Tree(at, {}, {}, {}), "}")
        if char == "[":
            return self._opened(Tree(at, [], items=[]), "]")
        return Tree(at, self._scalar(char))

    def _opened(self, tree: Tree, close: str) -> Tree | None:
        self.at += 1
        self._pass(_SPACE, "")
        if self.text.startswith(close, self.at):
            self.at += 1
            return tree
        if len(self.open) >= MAX_DEPTH:
            raise self._fail(f"nested deeper than {MAX_DEPTH} levels", tree.at)
        self.open.append(tree)
        if tree.keys is not None:
            self._key()
        return None

    def _key(self) -> None:
        at = self.at
        if not self.text.startswith('"', at):
            raise self._fail("expecting a key in double quotes", at)
        name, self.at = scanstring(self.text, at + 1, True)
        self._pass(_COLON, "expecting ':'")
        self.names.append((name, at))

    def _attach(self, part: Tree) -> Tree | None:
        """Put a finished value into the container around it; return that one if it is finished now."""
        around = self.open[-1]
        items = around.items
        if items is not None:
            items.append(part)
            around.data.append(part.data)
            if self._pass(_NEXT_ITEM, "expecting ',' or ']'") == ",":
                return None
        else:
            self._put(around, part)
            if self._pass(_NEXT_KEY, "expecting ',' or '}'") == ",":
                self._key()
                return None
        return self.open.pop()

    def _put(self, around: Tree, part: Tree) -> None:
        name, at = self.names.pop()
        if name in around.data:
            self.twice.append((name, at))
        around.data[name] = part.data
        if around.keys is not None and around.key_at is not None:
            around.keys[name] = part
            around.key_at[name] = at

    def _scalar(self, char: str) -> Any:
        word, value = _WORDS.get(char, ("", None))
        if word and self.text.startswith(word, self.at):
            self.at += len(word)
            return value
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            raise self._fail("expecting a value", self.at)
        number = self._number(match)
        self.at = match.end()
        return number

    def _number(self, match: re.Match[str]) -> int | float:
        whole, fraction, exponent = match.groups()
        try:
            number = int(whole) if fraction is None and exponent is None else float(match.group())
        except ValueError:  # more digits than Python turns into a number
            raise self._fail("number too large", match.start()) from None
        if number in _INFINITE:
            raise self._fail("number too large", match.start())
        return number
